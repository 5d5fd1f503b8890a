// Recursive-descent parser over one module; private to the parser's .cpp files, which divide it by
// chapter: parser.cpp (module level), parse_functions.cpp, parse_variables.cpp,
// parse_statements.cpp, constant_expression.cpp.
//
// Every parse_ function returns false after recording the first error; callers just pass it on.
#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ptx/ast.h"
#include "compiler/ptx/lexer.h"
#include "compiler/ptx/parser.h"
#include "support/status.h"

namespace guda::ptx {

/// Value of a constant expression (PTX ISA 9.0, section 4.6).
struct Constant {
  enum class Type : uint8_t { s64, u64, f32, f64 };  // f32: a lone 0fXXXXXXXX literal
  Type type = Type::s64;
  uint64_t bits = 0;  // f32 keeps 32 bits

  bool is_floating() const { return type == Type::f32 || type == Type::f64; }
  /// The pattern of a double; NaN payloads survive the widening.
  uint64_t double_bits() const;
};

class ModuleParser {
 public:
  ModuleParser(Module& module, std::string_view file_name, const ParseOptions& options,
               const char* text, SourceLocation location)
      : module_(module), file_name_(file_name), options_(options), lexer_(text, location) {
    lexer_.next(token_);
  }

  bool parse_module();
  /// The lexer stands at the start of the body.
  bool parse_body(Function& function);
  Status error() const { return {StatusCode::invalid_ptx, message_}; }

 private:
  // --- tokens
  void advance() {
    previous_end_ = lexer_.position();
    lexer_.next(token_);
  }
  bool at(TokenKind kind) const { return token_.kind == kind; }
  bool at_dotted(std::string_view name) const {
    return token_.kind == TokenKind::dotted && token_.text == name;
  }
  bool accept(TokenKind kind) {
    if (token_.kind != kind) return false;
    advance();
    return true;
  }
  bool expect(TokenKind kind, std::string_view what) { return accept(kind) || fail_expected(what); }
  Token peek() const;
  bool expect_identifier(std::string_view& name, std::string_view what);
  bool expect_integer(uint64_t& value, std::string_view what);
  bool expect_uint32(uint32_t& value, std::string_view what);

  template <typename... T>
  bool fail(SourceLocation where, fmt::format_string<T...> format, T&&... arguments) {
    return record(where, fmt::format(format, std::forward<T>(arguments)...));
  }
  bool fail_expected(std::string_view what);
  bool record(SourceLocation where, std::string&& what);

  // --- module level (parser.cpp)
  bool parse_version();
  bool parse_target();
  bool parse_file(SourceFiles& files);
  bool parse_section();
  bool parse_alias();
  bool parse_pragma(std::string_view& text);
  bool parse_linkage(Linkage& linkage);

  // --- functions (parse_functions.cpp)
  bool parse_function(Linkage linkage, bool is_entry);
  bool parse_function_directive(Function& function);
  bool parse_thread_counts(std::array<uint32_t, 3>& counts);
  bool parse_parameters(std::vector<Variable>& parameters);
  bool parse_function_body(Function& function);

  // --- variables (parse_variables.cpp)
  bool parse_variables(Linkage linkage, std::vector<Variable>& out);
  bool parse_declaration_head(Variable& variable);
  bool parse_declarator(Variable& variable);
  bool parse_attributes(Variable* variable);
  bool parse_initialiser(Variable& variable);
  bool parse_reference_attributes(Variable& variable);
  bool parse_initial_list(Variable& variable, const std::vector<uint64_t>& strides, size_t level);
  bool parse_initial_value(InitialValue& value);
  bool parse_symbol_value(InitialValue& value, bool inside_generic);

  // --- statements (parse_statements.cpp)
  bool parse_statements(Function& function);
  bool parse_debug_location(std::vector<Statement>& body);
  bool parse_labelled(std::string_view name, SourceLocation where, std::vector<Statement>& body);
  bool parse_target_list(std::string_view name, bool calls, std::vector<Statement>& body);
  bool parse_call_prototype(std::string_view name, std::vector<Statement>& body);
  bool parse_instruction(std::vector<Statement>& body);
  bool finish_instruction(Instruction& instruction, const char* begin);
  bool parse_operand(Operand& operand, bool in_call);
  bool parse_operands(std::vector<Operand>& operands, TokenKind close, bool in_call);
  bool parse_name_operand(Operand& operand);
  bool parse_address(Address& address);
  bool parse_index(Address& address);
  bool parse_offset(int64_t& offset);

  // --- constant expressions (constant_expression.cpp)
  bool parse_constant(Constant& value);
  bool parse_integer_constant(uint64_t& value);
  bool parse_binary(Constant& value, int minimum_precedence);
  bool parse_unary(Constant& value);
  bool parse_primary(Constant& value);
  bool apply_unary(TokenKind op, SourceLocation where, Constant& value);
  bool apply_binary(TokenKind op, SourceLocation where, Constant& left, const Constant& right);

  // Bounds recursion: operands, initialisers and expressions share it.
  static constexpr int kMaxDepth = 100;
  struct Nesting {
    explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
    ~Nesting() { --depth_; }
    int& depth_;
  };
  bool too_deep() { return depth_ > kMaxDepth && !fail(token_.location, "nested too deeply"); }

  Module& module_;
  std::string_view file_name_;
  ParseOptions options_;
  Lexer lexer_;
  Token token_;
  const char* previous_end_ = nullptr;
  int depth_ = 0;
  std::string message_;
};

}  // namespace guda::ptx
