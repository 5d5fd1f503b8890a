#include "compiler/ptx/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "compiler/ptx/parser.h"

namespace guda::ptx {
namespace {

// PTX ISA 9.0, chapter 9.7; sorted.
constexpr std::string_view kOpcodes[] = {
    "abs",          "activemask",    "add",       "addc",       "alloca",
    "and",          "applypriority", "atom",      "bar",        "barrier",
    "bfe",          "bfi",           "bfind",     "bmsk",       "bra",
    "brev",         "brkpt",         "brx",       "call",       "clusterlaunchcontrol",
    "clz",          "cnot",          "copysign",  "cos",        "cp",
    "createpolicy", "cvt",           "cvta",      "discard",    "div",
    "dp2a",         "dp4a",          "elect",     "ex2",        "exit",
    "fence",        "fma",           "fns",       "getctarank", "griddepcontrol",
    "isspacep",     "istypep",       "ld",        "ldmatrix",   "ldu",
    "lg2",          "lop3",          "mad",       "mad24",      "madc",
    "mapa",         "match",         "max",       "mbarrier",   "membar",
    "min",          "mma",           "mov",       "movmatrix",  "mul",
    "mul24",        "multimem",      "nanosleep", "neg",        "not",
    "or",           "pmevent",       "popc",      "prefetch",   "prefetchu",
    "prmt",         "rcp",           "red",       "redux",      "rem",
    "ret",          "rsqrt",         "sad",       "selp",       "set",
    "setmaxnreg",   "setp",          "shf",       "shfl",       "shl",
    "shr",          "sin",           "slct",      "sqrt",       "st",
    "stackrestore", "stacksave",     "stmatrix",  "sub",        "subc",
    "suld",         "suq",           "sured",     "sust",       "szext",
    "tanh",         "tcgen05",       "tensormap", "testp",      "tex",
    "tld4",         "trap",          "txq",       "vabsdiff",   "vabsdiff2",
    "vabsdiff4",    "vadd",          "vadd2",     "vadd4",      "vavrg2",
    "vavrg4",       "vmad",          "vmax",      "vmax2",      "vmax4",
    "vmin",         "vmin2",         "vmin4",     "vote",       "vset",
    "vset2",        "vset4",         "vshl",      "vshr",       "vsub",
    "vsub2",        "vsub4",         "wgmma",     "wmma",       "xor"};

// Chapter 10, without "%"; those with a number or an axis behind the name are in kNumberedRegisters.
constexpr std::string_view kSpecialRegisters[] = {"aggr_smem_size",
                                                  "clock",
                                                  "clock64",
                                                  "clock_hi",
                                                  "cluster_ctaid",
                                                  "cluster_ctarank",
                                                  "cluster_nctaid",
                                                  "cluster_nctarank",
                                                  "clusterid",
                                                  "ctaid",
                                                  "current_graph_exec",
                                                  "dynamic_smem_size",
                                                  "globaltimer",
                                                  "globaltimer_hi",
                                                  "globaltimer_lo",
                                                  "gridid",
                                                  "is_explicit_cluster",
                                                  "laneid",
                                                  "lanemask_eq",
                                                  "lanemask_ge",
                                                  "lanemask_gt",
                                                  "lanemask_le",
                                                  "lanemask_lt",
                                                  "nclusterid",
                                                  "nctaid",
                                                  "nsmid",
                                                  "ntid",
                                                  "nwarpid",
                                                  "reserved_smem_offset_begin",
                                                  "reserved_smem_offset_cap",
                                                  "reserved_smem_offset_end",
                                                  "smid",
                                                  "tid",
                                                  "total_smem_size",
                                                  "warpid"};
constexpr std::string_view kNumberedRegisters[] = {"envreg", "pm", "reserved_smem_offset_"};

// What every device has without a definition.
constexpr std::string_view kSystemCalls[] = {"__assertfail", "free", "malloc", "vprintf"};

static_assert(std::ranges::is_sorted(kOpcodes));
static_assert(std::ranges::is_sorted(kSpecialRegisters));

bool is_special_register(std::string_view name) {
  name.remove_prefix(1);
  name = name.substr(0, name.find('.'));
  return std::ranges::binary_search(kSpecialRegisters, name) ||
         std::ranges::any_of(kNumberedRegisters, [&](std::string_view prefix) {
           return name.size() > prefix.size() && name.starts_with(prefix) &&
                  name[prefix.size()] >= '0' && name[prefix.size()] <= '9';
         });
}

/// Names of one pair of braces.
struct Scope {
  size_t parent = 0;
  std::unordered_set<std::string_view> labels;  // with lists of targets and prototypes
  std::unordered_map<std::string_view, std::optional<uint32_t>> variables;  // name to range
};

class FunctionCheck {
 public:
  FunctionCheck(const Module& module, const std::unordered_set<std::string_view>& module_names,
                std::vector<Problem>& problems)
      : module_(module), module_names_(module_names), problems_(problems) {}

  void run(const Function& function) {
    collect_labels(function.body);
    for (const Variable& parameter : function.results) declare(parameter);
    for (const Variable& parameter : function.parameters) declare(parameter);
    // Scopes are numbered by their opening braces.
    size_t opened = 0;
    for (const Statement& statement : function.body) {
      if (std::holds_alternative<ScopeBegin>(statement)) {
        scope_ = ++opened;
      } else if (std::holds_alternative<ScopeEnd>(statement)) {
        scope_ = scopes_[scope_].parent;
      } else if (const auto* variable = std::get_if<Variable>(&statement)) {
        declare(*variable);
      } else if (const auto* list = std::get_if<TargetList>(&statement)) {
        for (std::string_view target : list->targets) use(target);
      } else if (const auto* instruction = std::get_if<Instruction>(&statement)) {
        check(*instruction);
      }
    }
  }

  /// Functions called that have no definition.
  std::vector<std::string_view> unresolved;

 private:
  void collect_labels(const std::vector<Statement>& body) {
    size_t scope = 0;
    for (const Statement& statement : body) {
      if (std::holds_alternative<ScopeBegin>(statement)) {
        scopes_.emplace_back().parent = scope;
        scope = scopes_.size() - 1;
      } else if (std::holds_alternative<ScopeEnd>(statement)) {
        scope = scopes_[scope].parent;
      } else if (const auto* label = std::get_if<Label>(&statement)) {
        if (!scopes_[scope].labels.insert(label->name).second) {
          report(label->location, fmt::format("Duplicate definition of label '{}'", label->name));
        }
      } else if (const auto* list = std::get_if<TargetList>(&statement)) {
        scopes_[scope].labels.insert(list->name);
      } else if (const auto* prototype = std::get_if<CallPrototype>(&statement)) {
        scopes_[scope].labels.insert(prototype->name);
      }
    }
  }

  void declare(const Variable& variable) {
    if (variable.name.empty()) return;
    if (!scopes_[scope_].variables.emplace(variable.name, variable.range).second) {
      report(variable.location,
             fmt::format("Duplicate definition of variable '{}'", variable.name));
    }
  }

  void check(const Instruction& instruction) {
    current_ = &instruction;
    if (!std::ranges::binary_search(kOpcodes, instruction.opcode)) {
      report(instruction.location,
             fmt::format("Not a name of any known instruction: '{}'", instruction.opcode));
    } else {
      if (instruction.predicate) use(instruction.predicate->name);
      for (const Operand& operand : instruction.operands) check(operand);
    }
    current_ = nullptr;
  }

  void check(const Operand& operand) {
    if (!operand.name.empty()) use(operand.name);
    if (!operand.address.base.empty()) use(operand.address.base);
    for (const Operand& part : operand.address.parts) check(part);
    for (const Operand& element : operand.elements) check(element);
  }

  void use(std::string_view name) {
    if (name == "_" || name == "WARP_SZ" || is_local(name)) return;
    if (name.front() == '%' && is_special_register(name)) return;
    if (!module_names_.contains(name)) {
      report(current_ != nullptr ? current_->location : SourceLocation{},
             fmt::format("Unknown symbol '{}'", name));
      return;
    }
    const Function* function = module_.find_function(name);
    if (function == nullptr || function->has_body ||
        std::ranges::binary_search(kSystemCalls, name)) {
      return;
    }
    if (std::ranges::find(unresolved, name) == unresolved.end()) unresolved.push_back(name);
  }

  bool is_local(std::string_view name) const {
    // A set of registers is declared by its stem and their number.
    const size_t digits = name.find_last_not_of("0123456789") + 1;
    const std::string_view stem = name.substr(0, digits);
    uint32_t number = 0;
    const bool in_set =
        digits < name.size() && (name[digits] != '0' || name.size() == digits + 1) &&
        std::from_chars(name.data() + digits, name.data() + name.size(), number).ec == std::errc();
    for (size_t scope = scope_;; scope = scopes_[scope].parent) {
      const Scope& names = scopes_[scope];
      if (names.labels.contains(name)) return true;
      if (const auto it = names.variables.find(name); it != names.variables.end() && !it->second) {
        return true;
      }
      if (in_set) {
        const auto it = names.variables.find(stem);
        if (it != names.variables.end() && it->second && number < *it->second) return true;
      }
      if (scope == 0) return false;
    }
  }

  void report(SourceLocation location, std::string text) {
    if (current_ != nullptr) {
      // The statement up to the end of its line says where to look.
      text += fmt::format(" in '{}'", current_->text.substr(0, current_->text.find('\n')));
    }
    problems_.push_back({location.line, std::move(text)});
  }

  const Module& module_;
  const std::unordered_set<std::string_view>& module_names_;
  std::vector<Problem>& problems_;
  std::vector<Scope> scopes_{1};
  size_t scope_ = 0;
  const Instruction* current_ = nullptr;
};

/// "file:12:3: what" of the parser.
Problem problem_of(const Status& status) {
  std::string_view message = status.message();
  message.remove_prefix(std::min(message.find(':') + 1, message.size()));
  uint32_t line = 0;
  const auto [end, error] = std::from_chars(message.data(), message.data() + message.size(), line);
  if (error != std::errc()) return {0, status.message()};
  const size_t text = message.find(": ");
  return {line, std::string(text == std::string_view::npos ? message : message.substr(text + 2))};
}

}  // namespace

std::vector<Problem> check_text(std::string_view text, const CheckOptions& options) {
  auto parsed = parse_module(std::make_shared<const std::string>(text), "ptx");
  if (!parsed) return {problem_of(parsed.status())};
  const Module& module = *parsed;
  std::unordered_set<std::string_view> names;
  for (const Variable& variable : module.variables) names.insert(variable.name);
  for (const Function& function : module.functions) names.insert(function.name);
  for (const auto& [alias, target] : module.aliases) names.insert(alias);
  std::vector<Problem> problems;
  std::vector<Problem> unresolved;
  for (const Function& function : module.functions) {
    if (!function.has_body) continue;
    FunctionCheck check(module, names, problems);
    check.run(function);
    for (std::string_view name : check.unresolved) {
      const bool is_alias = std::ranges::any_of(
          module.aliases, [&](const auto& alias) { return alias.first == name; });
      if (!is_alias) {
        unresolved.push_back({0, fmt::format("Unresolved extern function '{}'", name)});
      }
    }
  }
  std::ranges::stable_sort(problems, {}, &Problem::line);
  // A compiler resolves names only in what is otherwise sound.
  return problems.empty() && options.complete ? unresolved : problems;
}

Status status_of(const std::vector<Problem>& problems, std::string_view file_name) {
  if (problems.empty()) return Status::ok();
  const Problem& first = problems.front();
  return {StatusCode::invalid_ptx,
          first.line == 0 ? fmt::format("{}: {}", file_name, first.text)
                          : fmt::format("{}:{}: {}", file_name, first.line, first.text)};
}

std::string log_of(const std::vector<Problem>& problems) {
  std::string log;
  for (const Problem& problem : problems) {
    log += problem.line == 0 ? fmt::format("fatal   : {}\n", problem.text)
                             : fmt::format("application ptx input, line {}; error   : {}\n",
                                           problem.line, problem.text);
  }
  return log;
}

}  // namespace guda::ptx
