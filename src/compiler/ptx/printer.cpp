#include "compiler/ptx/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace guda::ptx {
namespace {

class Printer {
 public:
  Printer(std::string& out, const PrintOptions& options) : out_(out), options_(options) {}

  void header(const Module& module);
  void module(const Module& module);
  static bool is_initial_value(const Module& module, const Function& function);
  void files(const SourceFiles& files);
  void variable(const Variable& variable);
  void function(const Function& function);
  void alias(std::string_view alias, std::string_view aliasee);
  void statement(const Statement& statement) {
    std::visit([this](const auto& s) { print(s); }, statement);
  }
  void operand(const Operand& operand);

 private:
  template <typename... T>
  void write(fmt::format_string<T...> format, T&&... arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<T>(arguments)...);
  }
  std::string_view renamed(std::string_view name) const {
    if (!options_.renames) return name;
    const auto found = options_.renames->find(name);
    return found == options_.renames->end() ? name : std::string_view(found->second);
  }

  void print(const Instruction& instruction);
  void print(const Label& label) { write("{}:\n", renamed(label.name)); }
  void print(const Variable& v) { variable(v); }
  void print(const ScopeBegin&) { write("{{\n"); }
  void print(const ScopeEnd&) { write("}}\n"); }
  void print(const DebugLocation& location);
  void print(const TargetList& list);
  void print(const CallPrototype& prototype);
  void print(const Pragma& pragma) { write(".pragma \"{}\";\n", pragma.text); }

  void declaration(const Variable& variable);
  void linkage(Linkage linkage);
  void initialiser(const Variable& variable);
  void initial_value(const InitialValue& value);
  void parameters(const std::vector<Variable>& parameters);
  void counts(std::string_view directive, const std::array<uint32_t, 3>& counts);
  void operands(const std::vector<Operand>& operands);
  void address(const Address& address);
  void signed_integer(uint64_t bits);
  void offset(int64_t offset);

  std::string& out_;
  const PrintOptions& options_;
};

std::string_view spelling(StateSpace space) {
  switch (space) {
    case StateSpace::none: break;
    case StateSpace::reg: return ".reg";
    case StateSpace::sreg: return ".sreg";
    case StateSpace::constant: return ".const";
    case StateSpace::global: return ".global";
    case StateSpace::local: return ".local";
    case StateSpace::param: return ".param";
    case StateSpace::shared: return ".shared";
    case StateSpace::tex: return ".tex";
  }
  return {};
}

void Printer::linkage(Linkage linkage) {
  switch (linkage) {
    case Linkage::internal: return;
    case Linkage::external: write(".extern "); return;
    case Linkage::visible: write(".visible "); return;
    case Linkage::weak: write(".weak "); return;
    case Linkage::common: write(".common "); return;
  }
}

void Printer::header(const Module& module) {
  if (module.version_major != 0) {
    write(".version {}.{}\n", module.version_major, module.version_minor);
  }
  if (!module.target.empty()) {
    write(".target {}", module.target);
    for (std::string_view option : module.target_options) write(", {}", option);
    write("\n");
  }
  write(".address_size {}\n", module.address_size);
}

void Printer::module(const Module& module) {
  header(module);
  if (options_.line_information) files(module.files);
  std::vector<std::string_view> declared;
  for (const Function& f : module.functions) {
    if (!is_initial_value(module, f) ||
        std::find(declared.begin(), declared.end(), f.name) != declared.end())
      continue;
    Function declaration = f;
    declaration.has_body = false;
    function(declaration);
    declared.push_back(f.name);
  }
  for (const Variable& v : module.variables) variable(v);
  for (const Function& f : module.functions) {
    if (f.has_body || std::find(declared.begin(), declared.end(), f.name) == declared.end())
      function(f);
  }
  for (const auto& [name, target] : module.aliases) alias(name, target);
}

/// A variable's initial value holds the function's address: it has to be declared before the variable.
bool Printer::is_initial_value(const Module& module, const Function& function) {
  return std::any_of(
      module.variables.begin(), module.variables.end(), [&](const Variable& variable) {
        return std::any_of(
            variable.initial.begin(), variable.initial.end(), [&](const InitialValue& value) {
              return value.kind == InitialValue::Kind::symbol && value.symbol == function.name;
            });
      });
}

void Printer::files(const SourceFiles& files) {
  for (const auto& [index, name] : files) write(".file {} \"{}\"\n", index, name);
}

void Printer::alias(std::string_view alias, std::string_view aliasee) {
  write(".alias {}, {};\n", renamed(alias), renamed(aliasee));
}

// --- declarations ----------------------------------------------------------------------------

void Printer::declaration(const Variable& variable) {
  write("{}", spelling(variable.space));
  if (variable.managed) write(" .attribute(.managed)");
  if (variable.alignment != 0) write(" .align {}", variable.alignment);
  if (variable.vector_width > 1) write(" .v{}", variable.vector_width);
  write(" .{}", to_string(variable.type));
  if (variable.is_pointer) {
    write(" .ptr");
    if (variable.pointer_space != StateSpace::none) write(" {}", spelling(variable.pointer_space));
    if (variable.pointer_alignment != 0) write(" .align {}", variable.pointer_alignment);
  }
  write(" {}", renamed(variable.name));
  if (variable.range) write("<{}>", *variable.range);
  for (uint64_t extent : variable.dimensions) {
    if (extent == 0)
      write("[]");
    else
      write("[{}]", extent);
  }
}

void Printer::variable(const Variable& variable) {
  linkage(variable.linkage);
  declaration(variable);
  initialiser(variable);
  write(";\n");
}

void Printer::initialiser(const Variable& variable) {
  if (!variable.attributes.empty()) {
    std::string_view separator = " = {";
    for (const auto& [name, value] : variable.attributes) {
      write("{} {} = {}", separator, name, value);
      separator = ",";
    }
    write(" }}");
    return;
  }
  if (variable.initial.empty()) return;
  write(" = ");
  if (variable.dimensions.empty() && variable.vector_width == 1) {
    initial_value(variable.initial.front());
    return;
  }
  std::string_view separator = "{";
  for (const InitialValue& value : variable.initial) {
    write("{}", separator);
    initial_value(value);
    separator = ", ";
  }
  write("}}");
}

void Printer::initial_value(const InitialValue& value) {
  switch (value.kind) {
    case InitialValue::Kind::integer: signed_integer(value.bits); return;
    case InitialValue::Kind::floating: write("0d{:016X}", value.bits); return;
    case InitialValue::Kind::symbol: break;
  }
  if (value.mask != 0) write("0x{:X}(", value.mask);
  if (value.generic)
    write("generic({})", renamed(value.symbol));
  else
    write("{}", renamed(value.symbol));
  offset(value.offset);
  if (value.mask != 0) write(")");
}

void Printer::parameters(const std::vector<Variable>& parameters) {
  write("(");
  std::string_view separator;
  for (const Variable& parameter : parameters) {
    write("{}", separator);
    declaration(parameter);
    separator = ", ";
  }
  write(")");
}

void Printer::counts(std::string_view directive, const std::array<uint32_t, 3>& counts) {
  if (counts == std::array<uint32_t, 3>{}) return;
  write(" .{} {}, {}, {}", directive, counts[0], counts[1], counts[2]);
}

void Printer::function(const Function& function) {
  linkage(function.linkage);
  write("{} ", function.is_entry ? ".entry" : ".func");
  if (!function.results.empty()) {
    parameters(function.results);
    write(" ");
  }
  write("{}", renamed(function.name));
  parameters(function.parameters);
  if (function.noreturn) write(" .noreturn");
  counts("maxntid", function.max_threads);
  counts("reqntid", function.required_threads);
  counts("reqnctapercluster", function.required_cluster);
  if (function.min_blocks_per_multiprocessor != 0) {
    write(" .minnctapersm {}", function.min_blocks_per_multiprocessor);
  }
  if (function.max_registers != 0) write(" .maxnreg {}", function.max_registers);
  if (function.explicit_cluster) write(" .explicitcluster");
  if (function.max_cluster_rank != 0) write(" .maxclusterrank {}", function.max_cluster_rank);
  if (function.blocks_are_clusters) write(" .blocksareclusters");
  if (!function.has_body) {
    write(";\n");
    return;
  }
  write("\n{{");
  if (!function.body_is_parsed) {
    // A line comment may run up to the brace: a newline ends it.
    write("{}", function.body_text);
    if (!function.body_text.ends_with('\n')) write("\n");
  } else {
    write("\n");
    if (options_.line_information) files(function.files);
    for (const Statement& s : function.body) statement(s);
  }
  write("}}\n");
}

// --- statements ------------------------------------------------------------------------------

void Printer::print(const Instruction& instruction) {
  if (instruction.predicate) {
    write("@{}{} ", instruction.predicate->negated ? "!" : "",
          renamed(instruction.predicate->name));
  }
  write("{}", instruction.opcode);
  for (std::string_view modifier : instruction.modifiers) write(".{}", modifier);
  if (!instruction.operands.empty()) {
    write(" ");
    operands(instruction.operands);
  }
  write(";\n");
}

void Printer::print(const DebugLocation& location) {
  if (!options_.line_information) return;
  write(".loc {} {} {}\n", location.file, location.line, location.column);
}

void Printer::print(const TargetList& list) {
  write("{}: .{}", renamed(list.name), list.calls ? "calltargets" : "branchtargets");
  std::string_view separator = " ";
  for (std::string_view target : list.targets) {
    write("{}{}", separator, renamed(target));
    separator = ", ";
  }
  write(";\n");
}

void Printer::print(const CallPrototype& prototype) {
  write("{}: .callprototype ", renamed(prototype.name));
  if (!prototype.results.empty()) parameters(prototype.results);
  write(" _ ");
  parameters(prototype.parameters);
  if (prototype.noreturn) write(" .noreturn");
  write(";\n");
}

void Printer::operands(const std::vector<Operand>& operands) {
  bool first = true;
  for (const Operand& o : operands) {
    if (!first) write(", ");
    operand(o);
    first = false;
  }
}

void Printer::operand(const Operand& operand) {
  if (operand.negated) write("!");
  switch (operand.kind) {
    case Operand::Kind::name:
      write("{}", renamed(operand.name));
      if (!operand.component.empty()) write(".{}", operand.component);
      offset(operand.offset);
      return;
    case Operand::Kind::integer:
      if (operand.is_unsigned)
        write("{}U", operand.bits);
      else
        signed_integer(operand.bits);
      return;
    case Operand::Kind::floating:
      if (operand.is_single)
        write("0f{:08X}", operand.bits);
      else
        write("0d{:016X}", operand.bits);
      return;
    case Operand::Kind::address: address(operand.address); return;
    case Operand::Kind::vector:
      write("{{");
      operands(operand.elements);
      write("}}");
      return;
    case Operand::Kind::list:
      write("(");
      operands(operand.elements);
      write(")");
      return;
    case Operand::Kind::pair:
      this->operand(operand.elements[0]);
      write("|");
      this->operand(operand.elements[1]);
      return;
    case Operand::Kind::sink: write("_"); return;
  }
}

void Printer::address(const Address& address) {
  if (address.indexed) {
    write("{}[", renamed(address.base));
    if (address.parts.empty()) {
      signed_integer(static_cast<uint64_t>(address.offset));
    } else {
      operand(address.parts[0]);
      offset(address.offset);
    }
    write("]");
    return;
  }
  write("[");
  if (address.base.empty()) {
    signed_integer(static_cast<uint64_t>(address.offset));
  } else {
    write("{}", renamed(address.base));
    offset(address.offset);
  }
  for (const Operand& part : address.parts) {
    write(", ");
    operand(part);
  }
  write("]");
}

/// As a signed number: an unmarked literal of 2^63 or more would be read as unsigned.
void Printer::signed_integer(uint64_t bits) {
  const auto value = static_cast<int64_t>(bits);
  if (value == INT64_MIN)
    write("-9223372036854775807-1");
  else
    write("{}", value);
}

void Printer::offset(int64_t offset) {
  if (offset == 0) return;
  write("+{}", offset);  // [a-4] is not PTX to NVIDIA's assembler, [a+-4] is
}

}  // namespace

std::string print_module(const Module& module, const PrintOptions& options) {
  std::string out;
  Printer(out, options).module(module);
  return out;
}

void print_header(std::string& out, const Module& module) { Printer(out, {}).header(module); }

void print_variable(std::string& out, const Variable& variable, const PrintOptions& options) {
  Printer(out, options).variable(variable);
}

void print_function(std::string& out, const Function& function, const PrintOptions& options) {
  Printer(out, options).function(function);
}

void print_alias(std::string& out, std::string_view alias, std::string_view aliasee,
                 const PrintOptions& options) {
  Printer(out, options).alias(alias, aliasee);
}

void print_statement(std::string& out, const Statement& statement, const PrintOptions& options) {
  Printer(out, options).statement(statement);
}

void print_operand(std::string& out, const Operand& operand, const PrintOptions& options) {
  Printer(out, options).operand(operand);
}

}  // namespace guda::ptx
