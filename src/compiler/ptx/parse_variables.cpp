// Variables, parameters and initialisers (PTX ISA 9.0, chapters 5 and 11.6).
#include <algorithm>

#include "compiler/ptx/module_parser.h"

namespace guda::ptx {
namespace {

std::optional<StateSpace> parse_state_space(std::string_view name) {
  static constexpr std::pair<std::string_view, StateSpace> kSpaces[] = {
      {"reg", StateSpace::reg},       {"param", StateSpace::param},
      {"local", StateSpace::local},   {"shared", StateSpace::shared},
      {"global", StateSpace::global}, {"const", StateSpace::constant},
      {"sreg", StateSpace::sreg},     {"tex", StateSpace::tex},
  };
  for (const auto& [text, space] : kSpaces) {
    if (text == name) return space;
  }
  return std::nullopt;
}

bool is_opaque(ScalarType type) {
  return type == ScalarType::texref || type == ScalarType::samplerref ||
         type == ScalarType::surfref;
}

// Zeros written out between the rows of one initialiser; real compilers emit flat arrays, so this
// only bounds what a few hostile bytes can allocate.
constexpr uint64_t kMaxPadding = 1 << 20;

}  // namespace

bool ModuleParser::parse_variables(Linkage linkage, std::vector<Variable>& out) {
  Variable head;
  head.linkage = linkage;
  if (!parse_declaration_head(head)) return false;
  for (;;) {
    Variable variable = head;
    if (!parse_declarator(variable)) return false;
    if (accept(TokenKind::equal) && !parse_initialiser(variable)) return false;
    out.push_back(std::move(variable));
    if (!accept(TokenKind::comma)) break;
  }
  return expect(TokenKind::semicolon, "';'");
}

bool ModuleParser::parse_declaration_head(Variable& variable) {
  if (!at(TokenKind::dotted)) return fail_expected("a declaration");
  const auto space = parse_state_space(token_.text);
  if (!space) return fail(token_.location, "unknown directive '.{}'", token_.text);
  variable.space = *space;
  advance();
  if (variable.space == StateSpace::constant && accept(TokenKind::left_bracket)) {
    uint64_t bank = 0;  // .const[bank] of PTX before 2.2
    if (!expect_integer(bank, "a bank") || !expect(TokenKind::right_bracket, "']'")) return false;
  }
  while (at(TokenKind::dotted)) {
    const std::string_view name = token_.text;
    const SourceLocation where = token_.location;
    if (const auto type = parse_scalar_type(name)) {
      variable.type = *type;
      advance();
      continue;
    }
    advance();
    if (name == "align") {
      uint32_t value = 0;
      if (!expect_uint32(value, "an alignment")) return false;
      if (value == 0 || (value & (value - 1)) != 0) {
        return fail(where, "alignment {} is not a power of two", value);
      }
      (variable.is_pointer ? variable.pointer_alignment : variable.alignment) = value;
    } else if (name == "attribute") {
      if (!parse_attributes(&variable)) return false;
    } else if (name == "ptr") {
      variable.is_pointer = true;
    } else if (name == "v2" || name == "v4" || name == "v8") {
      variable.vector_width = static_cast<uint8_t>(name[1] - '0');
    } else if (const auto pointee = parse_state_space(name); pointee && variable.is_pointer) {
      variable.pointer_space = *pointee;
    } else {
      return fail(where, "unexpected '.{}' in a declaration", name);
    }
  }
  if (variable.type == ScalarType::none) return fail_expected("a type");
  return true;
}

bool ModuleParser::parse_declarator(Variable& variable) {
  variable.location = token_.location;
  if (!expect_identifier(variable.name, "a variable name")) return false;
  if (accept(TokenKind::less)) {
    uint32_t count = 0;
    if (!expect_uint32(count, "a register count") || !expect(TokenKind::greater, "'>'")) {
      return false;
    }
    variable.range = count;
  }
  while (accept(TokenKind::left_bracket)) {
    uint64_t extent = 0;
    if (!at(TokenKind::right_bracket) && !parse_integer_constant(extent)) return false;
    if (!expect(TokenKind::right_bracket, "']'")) return false;
    variable.dimensions.push_back(extent);
  }
  return true;
}

/// .attribute(.managed, .unified(a, b)); `variable` is null for functions.
bool ModuleParser::parse_attributes(Variable* variable) {
  if (!expect(TokenKind::left_paren, "'('")) return false;
  do {
    if (!at(TokenKind::dotted)) return fail_expected("an attribute");
    if (variable && token_.text == "managed") variable->managed = true;
    advance();
    if (accept(TokenKind::left_paren)) {
      uint64_t ignored = 0;
      do {
        if (!parse_integer_constant(ignored)) return false;
      } while (accept(TokenKind::comma));
      if (!expect(TokenKind::right_paren, "')'")) return false;
    }
  } while (accept(TokenKind::comma));
  return expect(TokenKind::right_paren, "')'");
}

bool ModuleParser::parse_initialiser(Variable& variable) {
  if (is_opaque(variable.type)) return parse_reference_attributes(variable);
  if (!at(TokenKind::left_brace)) {
    if (!variable.dimensions.empty() || variable.vector_width > 1) return fail_expected("'{'");
    return parse_initial_value(variable.initial.emplace_back());
  }

  const SourceLocation where = token_.location;
  // strides[k]: scalars in one element of a list at nesting level k.
  std::vector<uint64_t> extents = variable.dimensions;
  if (variable.vector_width > 1) extents.push_back(variable.vector_width);
  std::vector<uint64_t> strides(extents.size(), 1);
  for (size_t k = extents.size(); k-- > 1;) {
    if (__builtin_mul_overflow(strides[k], extents[k], &strides[k - 1])) {
      return fail(where, "array too large to be initialised");
    }
  }
  if (!parse_initial_list(variable, strides, 0)) return false;

  const uint64_t count = variable.initial.size();
  if (extents.empty()) {
    return count <= 1 || fail(where, "{} initial values for one scalar", count);
  }
  if (!variable.dimensions.empty() && variable.dimensions[0] == 0) {
    // `[]`: the initialiser says how many.
    if (strides[0] == 0) return fail(where, "initialiser of an array without elements");
    variable.dimensions[0] = (count + strides[0] - 1) / strides[0];
    return true;
  }
  uint64_t total = 0;
  if (__builtin_mul_overflow(strides[0], extents[0], &total)) total = UINT64_MAX;
  return count <= total || fail(where, "{} initial values for an array of {}", count, total);
}

/// { addr_mode_0 = clamp_to_border, filter_mode = nearest }
bool ModuleParser::parse_reference_attributes(Variable& variable) {
  if (!expect(TokenKind::left_brace, "'{'")) return false;
  if (accept(TokenKind::right_brace)) return true;
  do {
    std::string_view name;
    if (!expect_identifier(name, "an attribute") || !expect(TokenKind::equal, "'='")) return false;
    if (!at(TokenKind::identifier) && !at(TokenKind::integer)) return fail_expected("a value");
    variable.attributes.emplace_back(name, token_.text);
    advance();
  } while (accept(TokenKind::comma));
  return expect(TokenKind::right_brace, "'}'");
}

bool ModuleParser::parse_initial_list(Variable& variable, const std::vector<uint64_t>& strides,
                                      size_t level) {
  const Nesting nesting(depth_);
  if (too_deep()) return false;
  if (!expect(TokenKind::left_brace, "'{'")) return false;
  const size_t begin = variable.initial.size();
  if (!at(TokenKind::right_brace)) {
    do {
      if (at(TokenKind::left_brace)) {
        if (!parse_initial_list(variable, strides, level + 1)) return false;
      } else if (!parse_initial_value(variable.initial.emplace_back())) {
        return false;
      }
    } while (accept(TokenKind::comma) && !at(TokenKind::right_brace));
  }
  const SourceLocation where = token_.location;
  if (!expect(TokenKind::right_brace, "'}'")) return false;
  // An inner row that is shorter than its extent is filled up with zeros.
  if (level == 0 || level > strides.size()) return true;
  const uint64_t row = strides[level - 1];
  const uint64_t present = variable.initial.size() - begin;
  if (present > row) return fail(where, "{} initial values for a row of {}", present, row);
  if (row - present > kMaxPadding) return fail(where, "initialiser too sparse");
  variable.initial.resize(begin + row);
  return true;
}

bool ModuleParser::parse_initial_value(InitialValue& value) {
  if (at(TokenKind::identifier) && token_.text != "WARP_SZ") {
    return parse_symbol_value(value, false);
  }
  if (at(TokenKind::integer)) {  // fast path: large tables are plain numbers
    const Token next = peek();
    if (next.kind == TokenKind::comma || next.kind == TokenKind::right_brace) {
      value.bits = token_.bits;
      advance();
      return true;
    }
  }
  Constant constant;
  if (!parse_constant(constant)) return false;
  if (at(TokenKind::left_paren)) {  // 0xFF00(symbol)
    if (constant.is_floating() || constant.bits == 0) {
      return fail(token_.location, "a mask such as 0xFF must precede '('");
    }
    value.mask = constant.bits;
    advance();
    return parse_symbol_value(value, false) && expect(TokenKind::right_paren, "')'");
  }
  if (constant.is_floating()) {
    value.kind = InitialValue::Kind::floating;
    value.bits = constant.double_bits();
  } else {
    value.bits = constant.bits;
  }
  return true;
}

/// symbol, symbol+offset, generic(symbol), generic(symbol)+offset, generic(symbol+offset)
bool ModuleParser::parse_symbol_value(InitialValue& value, bool inside_generic) {
  value.kind = InitialValue::Kind::symbol;
  std::string_view name;
  if (!expect_identifier(name, "a symbol")) return false;
  if (!inside_generic && name == "generic" && accept(TokenKind::left_paren)) {
    value.generic = true;
    if (!parse_symbol_value(value, true) || !expect(TokenKind::right_paren, "')'")) return false;
  } else {
    value.symbol = name;
  }
  return parse_offset(value.offset);
}

}  // namespace guda::ptx
