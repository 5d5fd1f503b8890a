// Statements and operands of function bodies (PTX ISA 9.0, chapters 4.3, 6, 9.7 and 11.3).
#include "compiler/ptx/module_parser.h"

namespace guda::ptx {
namespace {

constexpr size_t kMaxModifiers = 32;
constexpr size_t kMaxScopes = 1024;

bool is_plain_name(const Token& token) {
  return token.kind == TokenKind::identifier && token.text != "WARP_SZ";
}

}  // namespace

/// Statements up to the '}' of the function, which stays the current token.
bool ModuleParser::parse_statements(Function& function) {
  std::vector<Statement>& body = function.body;
  std::vector<SourceLocation> scopes;
  for (;;) {
    switch (token_.kind) {
      case TokenKind::identifier:
      case TokenKind::at:
        if (!parse_instruction(body)) return false;
        break;
      case TokenKind::left_brace:
        if (scopes.size() == kMaxScopes) return fail(token_.location, "nested too deeply");
        scopes.push_back(token_.location);
        body.emplace_back(ScopeBegin{});
        advance();
        break;
      case TokenKind::right_brace:
        if (scopes.empty()) return true;
        scopes.pop_back();
        body.emplace_back(ScopeEnd{});
        advance();
        break;
      case TokenKind::semicolon: advance(); break;
      case TokenKind::dotted: {
        if (token_.text == "loc") {
          advance();
          if (!parse_debug_location(body)) return false;
          break;
        }
        if (token_.text == "pragma") {
          advance();
          Pragma pragma;
          if (!parse_pragma(pragma.text)) return false;
          body.emplace_back(pragma);
          break;
        }
        if (token_.text == "file") {
          advance();
          if (!parse_file(function.files)) return false;
          break;
        }
        Linkage linkage = Linkage::internal;
        parse_linkage(linkage);
        std::vector<Variable> variables;
        if (!parse_variables(linkage, variables)) return false;
        for (Variable& variable : variables) body.emplace_back(std::move(variable));
        break;
      }
      default: return fail_expected("a statement or '}'");
    }
  }
}

/// .loc file line column [, function_name label [+ offset], inlined_at file line column]
bool ModuleParser::parse_debug_location(std::vector<Statement>& body) {
  DebugLocation location;
  if (!expect_uint32(location.file, "a file index") ||
      !expect_uint32(location.line, "a line number")) {
    return false;
  }
  if (at(TokenKind::integer) && !expect_uint32(location.column, "a column")) return false;
  while (accept(TokenKind::comma)) {
    std::string_view what;
    if (!expect_identifier(what, "function_name or inlined_at")) return false;
    uint64_t ignored = 0;
    if (what == "function_name") {
      if (at(TokenKind::identifier))
        advance();
      else if (!expect_integer(ignored, "a label"))
        return false;
      if (accept(TokenKind::plus) && !expect_integer(ignored, "an offset")) return false;
    } else {
      for (int i = 0; i < 3; ++i) {
        if (!expect_integer(ignored, "a number")) return false;
      }
    }
  }
  body.emplace_back(location);
  return true;
}

/// Behind "name:".
bool ModuleParser::parse_labelled(std::string_view name, SourceLocation where,
                                  std::vector<Statement>& body) {
  if (at_dotted("branchtargets")) return advance(), parse_target_list(name, false, body);
  if (at_dotted("calltargets")) return advance(), parse_target_list(name, true, body);
  if (at_dotted("callprototype")) return advance(), parse_call_prototype(name, body);
  body.emplace_back(Label{where, name});
  return true;
}

bool ModuleParser::parse_target_list(std::string_view name, bool calls,
                                     std::vector<Statement>& body) {
  TargetList list;
  list.name = name;
  list.calls = calls;
  do {
    if (!expect_identifier(list.targets.emplace_back(), "a target")) return false;
  } while (accept(TokenKind::comma));
  body.emplace_back(std::move(list));
  return expect(TokenKind::semicolon, "';'");
}

bool ModuleParser::parse_call_prototype(std::string_view name, std::vector<Statement>& body) {
  CallPrototype prototype;
  prototype.name = name;
  if (at(TokenKind::left_paren) && !parse_parameters(prototype.results)) return false;
  std::string_view placeholder;
  if (!expect_identifier(placeholder, "'_'")) return false;
  if (at(TokenKind::left_paren) && !parse_parameters(prototype.parameters)) return false;
  while (at(TokenKind::dotted)) {
    uint32_t ignored = 0;
    if (token_.text == "noreturn") {
      prototype.noreturn = true;
      advance();
    } else if (token_.text == "abi_preserve" || token_.text == "abi_preserve_control") {
      advance();
      if (!expect_uint32(ignored, "a number")) return false;
    } else {
      return fail_expected("';'");
    }
  }
  body.emplace_back(std::move(prototype));
  return expect(TokenKind::semicolon, "';'");
}

bool ModuleParser::parse_instruction(std::vector<Statement>& body) {
  const char* const begin = token_.text.data();
  const SourceLocation where = token_.location;
  std::optional<Predicate> predicate;
  if (accept(TokenKind::at)) {
    predicate.emplace();
    predicate->negated = accept(TokenKind::bang);
    if (!expect_identifier(predicate->name, "a predicate")) return false;
  }
  std::string_view opcode;
  if (!expect_identifier(opcode, "an instruction")) return false;
  if (!predicate && accept(TokenKind::colon)) return parse_labelled(opcode, where, body);

  auto& instruction = std::get<Instruction>(body.emplace_back(std::in_place_type<Instruction>));
  instruction.location = where;
  instruction.predicate = predicate;
  instruction.opcode = opcode;
  return finish_instruction(instruction, begin);
}

/// Modifiers, operands and ';'.
bool ModuleParser::finish_instruction(Instruction& instruction, const char* begin) {
  std::string_view modifiers[kMaxModifiers];
  size_t count = 0;
  for (; at(TokenKind::dotted); advance()) {
    if (count == kMaxModifiers) return fail(token_.location, "too many modifiers");
    modifiers[count++] = token_.text;
  }
  instruction.modifiers.assign(modifiers, modifiers + count);
  if (!at(TokenKind::semicolon)) {
    instruction.operands.reserve(4);
    const bool in_call = instruction.opcode == "call";
    do {
      if (!parse_operand(instruction.operands.emplace_back(), in_call)) return false;
    } while (accept(TokenKind::comma));
  }
  instruction.text = {begin, static_cast<size_t>(previous_end_ - begin)};
  return expect(TokenKind::semicolon, "';'");
}

/// Comma-separated operands up to and including `close`.
bool ModuleParser::parse_operands(std::vector<Operand>& operands, TokenKind close, bool in_call) {
  if (accept(close)) return true;
  do {
    if (!parse_operand(operands.emplace_back(), in_call)) return false;
  } while (accept(TokenKind::comma));
  if (accept(close)) return true;
  return fail_expected(close == TokenKind::right_paren     ? "',' or ')'"
                       : close == TokenKind::right_bracket ? "',' or ']'"
                                                           : "',' or '}'");
}

bool ModuleParser::parse_operand(Operand& operand, bool in_call) {
  const Nesting nesting(depth_);
  if (too_deep()) return false;
  switch (token_.kind) {
    case TokenKind::identifier:
      if (is_plain_name(token_)) return parse_name_operand(operand);
      break;
    case TokenKind::left_bracket:
      operand.kind = Operand::Kind::address;
      return parse_address(operand.address);
    case TokenKind::left_brace:
      operand.kind = Operand::Kind::vector;
      advance();
      return parse_operands(operand.elements, TokenKind::right_brace, false);
    case TokenKind::left_paren:
      if (!in_call) break;
      operand.kind = Operand::Kind::list;
      advance();
      return parse_operands(operand.elements, TokenKind::right_paren, false);
    case TokenKind::bang:
    case TokenKind::minus:
      if (!is_plain_name(peek())) break;
      advance();
      operand.negated = true;
      return parse_name_operand(operand);
    default: break;
  }
  if (at(TokenKind::end) || at(TokenKind::semicolon) || at(TokenKind::dotted)) {
    return fail_expected("an operand");
  }
  Constant constant;
  if (!parse_constant(constant)) return false;
  operand.kind = constant.is_floating() ? Operand::Kind::floating : Operand::Kind::integer;
  operand.bits = constant.bits;
  operand.is_single = constant.type == Constant::Type::f32;
  operand.is_unsigned = constant.type == Constant::Type::u64;
  return true;
}

/// name, name.component, name+offset, name[index], _, and a|b of two of these
bool ModuleParser::parse_name_operand(Operand& operand) {
  const Token name = token_;
  advance();
  if (name.text == "_") {
    operand.kind = Operand::Kind::sink;
  } else {
    operand.kind = Operand::Kind::name;
    operand.name = name.text;
    if (at(TokenKind::dotted)) {
      operand.component = token_.text;
      advance();
    } else if (at(TokenKind::plus) || at(TokenKind::minus)) {
      if (!parse_offset(operand.offset)) return false;
    } else if (at(TokenKind::left_bracket) && !operand.negated) {
      operand.kind = Operand::Kind::address;
      operand.name = {};
      operand.address.base = name.text;
      operand.address.indexed = true;
      return parse_index(operand.address);
    }
  }
  if (!accept(TokenKind::pipe)) return true;

  Operand second;
  const Nesting nesting(depth_);
  if (too_deep()) return false;
  if (at(TokenKind::bang)) {
    advance();
    second.negated = true;
  }
  if (!at(TokenKind::identifier)) return fail_expected("a register");
  if (!parse_name_operand(second)) return false;
  if (second.kind == Operand::Kind::pair) return fail(name.location, "more than two of a|b");
  Operand first = std::move(operand);
  operand = Operand{};
  operand.kind = Operand::Kind::pair;
  operand.elements.reserve(2);
  operand.elements.push_back(std::move(first));
  operand.elements.push_back(std::move(second));
  return true;
}

/// [base + offset {, part}], [immediate {, part}]
bool ModuleParser::parse_address(Address& address) {
  advance();
  if (is_plain_name(token_)) {
    address.base = token_.text;
    advance();
    if (!parse_offset(address.offset)) return false;
  } else {
    uint64_t absolute = 0;
    if (!parse_integer_constant(absolute)) return false;
    address.offset = static_cast<int64_t>(absolute);
  }
  if (!accept(TokenKind::comma)) return expect(TokenKind::right_bracket, "']'");
  return parse_operands(address.parts, TokenKind::right_bracket, false);
}

/// The index of base[5], base[%r1] or base[%r1+1].
bool ModuleParser::parse_index(Address& address) {
  advance();
  if (is_plain_name(token_)) {
    Operand& index = address.parts.emplace_back();
    index.kind = Operand::Kind::name;
    index.name = token_.text;
    advance();
    if (!parse_offset(address.offset)) return false;
  } else {
    uint64_t element = 0;
    if (!parse_integer_constant(element)) return false;
    address.offset = static_cast<int64_t>(element);
  }
  return expect(TokenKind::right_bracket, "']'");
}

/// Any number of "+ term" and "- term", summed up.
bool ModuleParser::parse_offset(int64_t& offset) {
  uint64_t sum = static_cast<uint64_t>(offset);
  while (at(TokenKind::plus) || at(TokenKind::minus)) {
    const bool subtract = at(TokenKind::minus);
    advance();
    const SourceLocation where = token_.location;
    Constant term;
    constexpr int kProductPrecedence = 10;
    if (!parse_binary(term, kProductPrecedence)) return false;
    if (term.is_floating()) return fail(where, "an offset must be an integer");
    sum = subtract ? sum - term.bits : sum + term.bits;
  }
  offset = static_cast<int64_t>(sum);
  return true;
}

}  // namespace guda::ptx
