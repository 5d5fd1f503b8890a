#include "backends/cuda/module_rewriter.h"

#include "compiler/ptx/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace guda::backend::cuda {
namespace {

using ptx::Function;
using ptx::Instruction;
using ptx::Operand;
using ptx::Statement;

using Addresses = std::map<std::string_view, uint64_t>;

/// Registers for the addresses of one instruction's memory operands.
constexpr std::array<std::string_view, 4> kRegisters = {"%guda_variable0", "%guda_variable1",
                                                        "%guda_variable2", "%guda_variable3"};
constexpr std::string_view kRegisterSet = "%guda_variable";

bool has(const Instruction& instruction, std::string_view modifier) {
  return std::find(instruction.modifiers.begin(), instruction.modifiers.end(), modifier) !=
         instruction.modifiers.end();
}

Operand integer(uint64_t bits) {
  Operand operand;
  operand.kind = Operand::Kind::integer;
  operand.bits = bits;
  return operand;
}

Instruction move_address(std::string_view to, uint64_t address) {
  Instruction move;
  move.opcode = "mov";
  move.modifiers = {"b64"};
  Operand destination;
  destination.kind = Operand::Kind::name;
  destination.name = to;
  move.operands = {destination, integer(address)};
  return move;
}

/// Names declared inside a function; they hide those of the module.
std::set<std::string_view> local_names(const Function& function) {
  std::set<std::string_view> names;
  for (const auto* list : {&function.parameters, &function.results}) {
    for (const ptx::Variable& parameter : *list) names.insert(parameter.name);
  }
  for (const Statement& statement : function.body) {
    if (const auto* variable = std::get_if<ptx::Variable>(&statement)) names.insert(variable->name);
    if (const auto* label = std::get_if<ptx::Label>(&statement)) names.insert(label->name);
  }
  return names;
}

/// Rewrites one function.
class FunctionRewriter {
 public:
  FunctionRewriter(const Addresses& addresses, bool constants_moved)
      : addresses_(addresses), constants_moved_(constants_moved) {}

  Status rewrite(Function& function) {
    hidden_ = local_names(function);
    std::vector<Statement> body;
    body.reserve(function.body.size() + 16);
    bool needs_registers = false;
    for (Statement& statement : function.body) {
      if (auto* instruction = std::get_if<Instruction>(&statement)) {
        used_.clear();
        for (Operand& operand : instruction->operands) {
          if (Status status = replace(operand); !status) return status;
        }
        if (!used_.empty()) needs_registers = true;
        for (size_t i = 0; i < used_.size(); ++i)
          body.emplace_back(move_address(kRegisters[i], used_[i]));
        adapt_space(*instruction);
      }
      body.push_back(std::move(statement));
    }
    if (needs_registers) {
      ptx::Variable registers;
      registers.space = ptx::StateSpace::reg;
      registers.type = ptx::ScalarType::b64;
      registers.name = kRegisterSet;
      registers.range = static_cast<uint32_t>(kRegisters.size());
      body.insert(body.begin(), registers);
    }
    function.body = std::move(body);
    return Status::ok();
  }

 private:
  const uint64_t* address_of(std::string_view name) const {
    auto found = addresses_.find(name);
    return found == addresses_.end() || hidden_.contains(name) ? nullptr : &found->second;
  }

  Status replace(Operand& operand) {
    if (operand.kind == Operand::Kind::name) {
      if (const uint64_t* address = address_of(operand.name)) {
        operand = integer(*address + static_cast<uint64_t>(operand.offset));
        address_taken_ = true;
      }
      return Status::ok();
    }
    if (operand.kind == Operand::Kind::address) {
      ptx::Address& place = operand.address;
      if (const uint64_t* address = address_of(place.base)) {
        if (place.indexed || used_.size() == kRegisters.size())
          return {StatusCode::not_supported,
                  fmt::format("an unusual use of the variable {}", place.base)};
        // Addresses in brackets have 32 bits at most (PTX ISA, "Addresses as Operands").
        place.base = kRegisters[used_.size()];
        used_.push_back(*address);
      }
      for (Operand& part : place.parts) {
        if (Status status = replace(part); !status) return status;
      }
    }
    for (Operand& element : operand.elements) {
      if (Status status = replace(element); !status) return status;
    }
    return Status::ok();
  }

  void adapt_space(Instruction& instruction) {
    std::vector<std::string_view>& modifiers = instruction.modifiers;
    if (constants_moved_ && instruction.opcode == "ld" && has(instruction, "const")) {
      // ld.const.* -> ld.global{.cop}.nc.*; nothing writes constants while a kernel runs.
      std::vector<std::string_view> loads = {"global"};
      auto is_cache_operator = [](std::string_view m) {
        return m == "ca" || m == "cg" || m == "cs";
      };
      std::copy_if(modifiers.begin(), modifiers.end(), std::back_inserter(loads),
                   is_cache_operator);
      loads.push_back("nc");
      std::copy_if(
          modifiers.begin(), modifiers.end(), std::back_inserter(loads),
          [&](std::string_view m) { return m != "const" && m != "weak" && !is_cache_operator(m); });
      modifiers = std::move(loads);
    }
    // Global addresses are generic ones, and an immediate has no state space to convert from.
    bool converts =
        instruction.opcode == "cvta" && ((constants_moved_ && has(instruction, "const")) ||
                                         (address_taken_ && has(instruction, "global")));
    if (converts && instruction.operands.size() == 2 &&
        (has(instruction, "const") || instruction.operands[1].kind == Operand::Kind::integer)) {
      instruction.opcode = "mov";
      modifiers = {"b64"};
    }
    address_taken_ = false;
  }

  const Addresses& addresses_;
  bool constants_moved_;
  std::set<std::string_view> hidden_;
  std::vector<uint64_t> used_;  // addresses in registers for the present instruction
  bool address_taken_ = false;
};

/// Textures that old programs bind by the name of a variable.
bool is_reference(const ptx::Variable& variable) {
  return variable.type == ptx::ScalarType::texref || variable.type == ptx::ScalarType::surfref ||
         variable.type == ptx::ScalarType::samplerref;
}

template <typename Visit>
void for_each_name(const Operand& operand, const Visit& visit) {
  if (operand.kind == Operand::Kind::name) visit(operand.name);
  if (operand.kind == Operand::Kind::address) {
    visit(operand.address.base);
    for (const Operand& part : operand.address.parts) for_each_name(part, visit);
  }
  for (const Operand& element : operand.elements) for_each_name(element, visit);
}

/// Placed variables whose initial value is the address of a function.
std::set<std::string_view> function_tables(const ptx::Module& module,
                                           std::span<const Variable> variables) {
  std::set<std::string_view> tables;
  for (const Variable& placed : variables) {
    const ptx::Variable* variable = module.find_variable(placed.name);
    if (variable == nullptr) continue;
    for (const ptx::InitialValue& value : variable->initial) {
      if (value.kind == ptx::InitialValue::Kind::symbol && module.find_function(value.symbol))
        tables.insert(placed.name);
    }
  }
  return tables;
}

}  // namespace

Status place_variables(ptx::Module& module, std::span<const Variable> variables) {
  Addresses addresses;
  for (const Variable& variable : variables)
    addresses[variable.name] = reinterpret_cast<uint64_t>(variable.address);

  bool moves_constants = false, keeps_constants = false;
  std::vector<ptx::Variable> kept;
  for (ptx::Variable& variable : module.variables) {
    bool constant = variable.space == ptx::StateSpace::constant;
    bool places = (constant || variable.space == ptx::StateSpace::global) &&
                  addresses.contains(variable.name);
    if (constant) (places ? moves_constants : keeps_constants) = true;
    if (places) continue;
    for (ptx::InitialValue& value : variable.initial) {
      if (value.kind != ptx::InitialValue::Kind::symbol) continue;
      auto found = addresses.find(value.symbol);
      if (found == addresses.end()) continue;
      uint64_t bits = found->second + static_cast<uint64_t>(value.offset);
      if (value.mask != 0) bits = (bits & value.mask) >> __builtin_ctzll(value.mask);
      value = {};
      value.bits = bits;
    }
    kept.push_back(std::move(variable));
  }
  if (moves_constants && keeps_constants)
    return {StatusCode::not_supported, "a constant variable of the module has no address"};
  module.variables = std::move(kept);

  for (Function& function : module.functions) {
    if (!function.has_body) continue;
    if (Status status = FunctionRewriter(addresses, moves_constants).rewrite(function); !status)
      return status;
  }
  return Status::ok();
}

namespace {

/// Calls visit(function) for a kernel and all that it reaches, bodies parsed, until one returns false.
template <typename Visit>
Status for_each_reached(ptx::Module& module, std::string_view kernel, const Visit& visit) {
  std::unordered_map<std::string_view, Function*> functions;
  for (Function& function : module.functions) {
    Function*& entry = functions[function.name];
    if (entry == nullptr || function.has_body) entry = &function;
  }
  for (const auto& [alias, target] : module.aliases) {
    if (auto found = functions.find(target); found != functions.end())
      functions[alias] = found->second;
  }
  std::deque<Function*> waiting;
  std::set<const Function*> seen;
  auto reach = [&](std::string_view name) {
    auto found = functions.find(name);
    if (found != functions.end() && seen.insert(found->second).second)
      waiting.push_back(found->second);
  };
  reach(kernel);
  if (waiting.empty()) return {StatusCode::not_found, fmt::format("kernel {}", kernel)};
  while (!waiting.empty()) {
    Function& function = *waiting.front();
    waiting.pop_front();
    if (Status status = ptx::parse_body(module, function, "module"); !status) return status;
    std::set<std::string_view> hidden = local_names(function);
    for (const Statement& statement : function.body) {
      if (const auto* targets = std::get_if<ptx::TargetList>(&statement)) {
        for (std::string_view target : targets->targets) reach(target);
      }
      const auto* instruction = std::get_if<Instruction>(&statement);
      if (instruction == nullptr) continue;
      for (const Operand& operand : instruction->operands) {
        for_each_name(operand, [&](std::string_view name) {
          if (!hidden.contains(name)) reach(name);  // called, or its address taken
        });
      }
    }
    if (!visit(function)) break;
  }
  return Status::ok();
}

}  // namespace

Status keep_only(ptx::Module& module, std::string_view kernel) {
  std::set<std::string_view> names;
  Status status = for_each_reached(module, kernel, [&](const Function& function) {
    names.insert(function.name);
    return true;
  });
  if (!status) return status;
  std::erase_if(module.functions,
                [&](const Function& function) { return !names.contains(function.name); });
  return Status::ok();
}

bool kernels_may_part(const ptx::Module& module, std::span<const Variable> variables) {
  std::set<std::string_view> placed;
  for (const Variable& variable : variables) placed.insert(variable.name);
  return module.aliases.empty() && std::all_of(module.variables.begin(), module.variables.end(),
                                               [&](const ptx::Variable& each) {
                                                 return each.space == ptx::StateSpace::shared ||
                                                        placed.contains(each.name);
                                               });
}

std::string refusal(ptx::Module& module, std::string_view kernel,
                    std::span<const Variable> variables) {
  std::set<std::string_view> tables = function_tables(module, variables);
  std::set<std::string_view> references;
  for (const ptx::Variable& variable : module.variables) {
    if (is_reference(variable)) references.insert(variable.name);
  }
  std::string why;
  Status status = for_each_reached(module, kernel, [&](const Function& function) {
    std::set<std::string_view> hidden = local_names(function);
    for (const Statement& statement : function.body) {
      const auto* instruction = std::get_if<Instruction>(&statement);
      if (instruction == nullptr) continue;
      if (instruction->opcode == "isspacep" && has(*instruction, "const"))
        why = fmt::format("{} asks whether an address is constant", function.name);
      for (const Operand& operand : instruction->operands) {
        for_each_name(operand, [&](std::string_view name) {
          if (references.contains(name) && !hidden.contains(name))
            why = fmt::format("{} uses the texture reference {}", function.name, name);
          if (tables.contains(name) && !hidden.contains(name))
            why =
                fmt::format("{} uses {}, which holds addresses of functions", function.name, name);
        });
      }
    }
    return why.empty();
  });
  // A kernel that is not there is load's error.
  return status || status.code() == StatusCode::not_found ? why : status.message();
}

}  // namespace guda::backend::cuda
