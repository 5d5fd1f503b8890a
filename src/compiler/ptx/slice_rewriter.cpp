#include "compiler/ptx/slice_rewriter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/ptx/parser.h"
#include "compiler/ptx/printer.h"

namespace guda::ptx {
namespace {

constexpr uint32_t kMostParameterBytes = 4096;  // of every architecture
constexpr std::string_view kSharedCopy = "guda_slice_blocks";

/// One hidden quantity: its parameter, the register that holds what the kernel sees, and what it stands for.
struct Hidden {
  std::string_view parameter;
  std::string_view value;  // register
  std::string_view
      own_index;  // register for the device's block index; empty: the parameter is the value
  std::string_view special_register;
  std::string_view component;
};

constexpr std::array<Hidden, 6> kHidden = {{
    {"guda_first_x", "%guda_ctaid_x", "%guda_own_x", "%ctaid", "x"},
    {"guda_first_y", "%guda_ctaid_y", "%guda_own_y", "%ctaid", "y"},
    {"guda_first_z", "%guda_ctaid_z", "%guda_own_z", "%ctaid", "z"},
    {"guda_grid_x", "%guda_nctaid_x", "", "%nctaid", "x"},
    {"guda_grid_y", "%guda_nctaid_y", "", "%nctaid", "y"},
    {"guda_grid_z", "%guda_nctaid_z", "", "%nctaid", "z"},
}};
using Used = std::array<bool, kHidden.size()>;

bool any(const Used& used) { return std::find(used.begin(), used.end(), true) != used.end(); }

/// Blocks of a cluster are numbered by the device; a slice would have to respect that.
bool is_cluster_register(std::string_view name) {
  return name == "%clusterid" || name == "%nclusterid" || name.starts_with("%cluster_");
}

Operand name_operand(std::string_view name, std::string_view component = {}) {
  Operand operand;
  operand.kind = Operand::Kind::name;
  operand.name = name;
  operand.component = component;
  return operand;
}

Operand address_operand(std::string_view base, int64_t offset = 0) {
  Operand operand;
  operand.kind = Operand::Kind::address;
  operand.address.base = base;
  operand.address.offset = offset;
  return operand;
}

Instruction instruction(std::string_view opcode, std::vector<std::string_view> modifiers,
                        std::vector<Operand> operands) {
  Instruction result;
  result.opcode = opcode;
  result.modifiers = std::move(modifiers);
  result.operands = std::move(operands);
  return result;
}

/// Replaces block indices and grid dimensions in one function's body.
class BodyRewriter {
 public:
  explicit BodyRewriter(Function& function) : function_(function) {}

  Status run() {
    for (Statement& statement : function_.body) {
      auto* found = std::get_if<Instruction>(&statement);
      if (found == nullptr) continue;
      touched_ = false;
      for (Operand& operand : found->operands) visit(operand);
      if (touched_) widen_move(*found);
      if (!problem_.empty())
        return {StatusCode::not_supported,
                fmt::format("{}: {}: {}", function_.name, found->text, problem_)};
    }
    return Status::ok();
  }
  const Used& used() const { return used_; }

 private:
  void visit(Operand& operand) {
    for (Operand& element : operand.elements) visit(element);
    for (Operand& part : operand.address.parts) visit(part);
    if (operand.kind != Operand::Kind::name) return;
    if (is_cluster_register(operand.name)) problem_ = "clusters";
    if (operand.name != "%ctaid" && operand.name != "%nctaid") return;
    if (operand.component == "w") return;  // 0 and 1, always
    for (size_t i = 0; i < kHidden.size(); ++i) {
      if (kHidden[i].special_register != operand.name || kHidden[i].component != operand.component)
        continue;
      operand.name = kHidden[i].value;
      operand.component = {};
      used_[i] = touched_ = true;
      return;
    }
    problem_ = "a block index as a whole";
  }

  /// mov may read the low half of a special register, but not of an ordinary one.
  static void widen_move(Instruction& move) {
    if (move.opcode != "mov" || move.modifiers.size() != 1) return;
    const std::string_view type = move.modifiers[0];
    if (type != "u16" && type != "s16" && type != "b16") return;
    move.opcode = "cvt";
    move.modifiers = {"u16", "u32"};
  }

  Function& function_;
  Used used_{};
  bool touched_ = false;
  std::string problem_;
};

Variable register_of(std::string_view name) {
  Variable variable;
  variable.space = StateSpace::reg;
  variable.type = ScalarType::u32;
  variable.name = name;
  return variable;
}

void add_parameters(Function& kernel) {
  for (const Hidden& hidden : kHidden) {
    Variable parameter;
    parameter.space = StateSpace::param;
    parameter.type = ScalarType::u32;
    parameter.name = hidden.parameter;
    kernel.parameters.push_back(parameter);
  }
}

/// Computes what `used` names at the start of a kernel; with `publish` all of it, for its functions.
void add_kernel_prologue(Function& kernel, const Used& used, bool publish) {
  std::vector<Statement> prologue;
  for (size_t i = 0; i < kHidden.size(); ++i) {
    const Hidden& hidden = kHidden[i];
    if (!used[i] && !publish) continue;
    prologue.emplace_back(register_of(hidden.value));
    prologue.emplace_back(instruction(
        "ld", {"param", "u32"}, {name_operand(hidden.value), address_operand(hidden.parameter)}));
    if (!hidden.own_index.empty()) {
      prologue.emplace_back(register_of(hidden.own_index));
      prologue.emplace_back(instruction("mov", {"u32"},
                                        {name_operand(hidden.own_index),
                                         name_operand(hidden.special_register, hidden.component)}));
      prologue.emplace_back(instruction("add", {"u32"},
                                        {name_operand(hidden.value), name_operand(hidden.value),
                                         name_operand(hidden.own_index)}));
    }
    if (publish) {
      prologue.emplace_back(instruction(
          "st", {"shared", "u32"},
          {address_operand(kSharedCopy, static_cast<int64_t>(4 * i)), name_operand(hidden.value)}));
    }
  }
  kernel.body.insert(kernel.body.begin(), prologue.begin(), prologue.end());
}

/// All threads of a block have written the same: each may read what it wrote itself, without a barrier.
void add_function_prologue(Function& function, const Used& used) {
  std::vector<Statement> prologue;
  for (size_t i = 0; i < kHidden.size(); ++i) {
    if (!used[i]) continue;
    prologue.emplace_back(register_of(kHidden[i].value));
    prologue.emplace_back(instruction("ld", {"shared", "u32"},
                                      {name_operand(kHidden[i].value),
                                       address_operand(kSharedCopy, static_cast<int64_t>(4 * i))}));
  }
  function.body.insert(function.body.begin(), prologue.begin(), prologue.end());
}

uint64_t parameter_bytes(const Function& function) {
  uint64_t offset = 0;
  for (const Variable& parameter : function.parameters) {
    const uint64_t alignment = std::max(parameter.effective_alignment(), 1u);
    offset = (offset + alignment - 1) / alignment * alignment + parameter.size_in_bytes();
  }
  return offset;
}

Status check_kernel(const Function& kernel) {
  if (kernel.required_cluster[0] != 0 || kernel.explicit_cluster || kernel.blocks_are_clusters)
    return {StatusCode::not_supported,
            fmt::format("{}: launches of clusters are not sliced", kernel.name)};
  if (parameter_bytes(kernel) + kSliceParameterBytes > kMostParameterBytes)
    return {StatusCode::not_supported,
            fmt::format("{}: no room for the slice's parameters", kernel.name)};
  return Status::ok();
}

}  // namespace

Result<std::string> add_slice_parameters(Module& module, std::string_view kernel,
                                         std::string_view file_name) {
  if (!kernel.empty()) {
    const Function* found = module.find_function(kernel);
    if (found == nullptr || !found->is_entry || !found->has_body)
      return Status{StatusCode::not_found, fmt::format("{} has no kernel {}", file_name, kernel)};
    std::erase_if(module.functions, [&](const Function& function) {
      return function.is_entry && function.name != kernel;
    });
  }
  bool functions_look = false;
  std::vector<Used> used(module.functions.size());
  for (size_t i = 0; i < module.functions.size(); ++i) {
    Function& function = module.functions[i];
    if (!function.has_body) continue;
    if (Status status = parse_body(module, function, file_name); !status) return status;
    if (function.is_entry) {
      if (Status status = check_kernel(function); !status) return status;
    }
    BodyRewriter rewriter(function);
    if (Status status = rewriter.run(); !status) return status;
    used[i] = rewriter.used();
    if (!function.is_entry && any(used[i])) functions_look = true;
  }
  for (size_t i = 0; i < module.functions.size(); ++i) {
    Function& function = module.functions[i];
    if (function.is_entry) add_parameters(function);
    if (!function.has_body) continue;
    if (function.is_entry) {
      add_kernel_prologue(function, used[i], functions_look);
    } else {
      add_function_prologue(function, used[i]);
    }
  }
  if (functions_look) {
    Variable copy;
    copy.space = StateSpace::shared;
    copy.type = ScalarType::u32;
    copy.name = kSharedCopy;
    copy.dimensions = {kHidden.size()};
    module.variables.push_back(copy);
  }
  // Sections of debug information, which the target promises, are not part of the tree.
  std::erase(module.target_options, "debug");
  return print_module(module, {.line_information = false});
}

}  // namespace guda::ptx
