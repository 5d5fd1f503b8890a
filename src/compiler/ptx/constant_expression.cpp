// Constant expressions (PTX ISA 9.0, sections 4.5 and 4.6), folded while parsing.
#include <bit>
#include <cmath>

#include "compiler/ptx/module_parser.h"

namespace guda::ptx {
namespace {

using Type = Constant::Type;

/// Binding strength of a binary operator; 0 for everything else.
int precedence(TokenKind op) {
  switch (op) {
    case TokenKind::pipe_pipe: return 1;
    case TokenKind::ampersand_ampersand: return 2;
    case TokenKind::pipe: return 3;
    case TokenKind::caret: return 4;
    case TokenKind::ampersand: return 5;
    case TokenKind::equal_equal:
    case TokenKind::bang_equal: return 6;
    case TokenKind::less:
    case TokenKind::less_equal:
    case TokenKind::greater:
    case TokenKind::greater_equal: return 7;
    case TokenKind::shift_left:
    case TokenKind::shift_right: return 8;
    case TokenKind::plus:
    case TokenKind::minus: return 9;
    case TokenKind::star:
    case TokenKind::slash:
    case TokenKind::percent: return 10;
    default: return 0;
  }
}

constexpr int kLowestPrecedence = 1;

Constant make_double(double value) { return {Type::f64, std::bit_cast<uint64_t>(value)}; }
Constant make_bool(bool value) { return {Type::s64, value ? 1u : 0u}; }

double to_double(const Constant& c) {
  if (c.type == Type::s64) return static_cast<double>(static_cast<int64_t>(c.bits));
  if (c.type == Type::u64) return static_cast<double>(c.bits);
  return std::bit_cast<double>(c.double_bits());
}

/// Float to integer as the casts (.s64) and (.u64) of a program at run time: saturating, NaN to 0.
uint64_t to_integer(double value, bool is_signed) {
  if (std::isnan(value)) return 0;
  if (is_signed) {
    if (value >= 0x1p63) return static_cast<uint64_t>(INT64_MAX);
    if (value < -0x1p63) return static_cast<uint64_t>(INT64_MIN);
    return static_cast<uint64_t>(static_cast<int64_t>(value));
  }
  if (value >= 0x1p64) return UINT64_MAX;
  return value <= 0 ? 0 : static_cast<uint64_t>(value);
}

bool is_true(const Constant& c) { return c.is_floating() ? to_double(c) != 0 : c.bits != 0; }

/// Comparison by `op`, else nothing.
template <typename T>
std::optional<bool> compare(TokenKind op, T a, T b) {
  switch (op) {
    case TokenKind::equal_equal: return a == b;
    case TokenKind::bang_equal: return a != b;
    case TokenKind::less: return a < b;
    case TokenKind::less_equal: return a <= b;
    case TokenKind::greater: return a > b;
    case TokenKind::greater_equal: return a >= b;
    default: return std::nullopt;
  }
}

uint64_t shift_left(uint64_t value, uint64_t amount) { return amount > 63 ? 0 : value << amount; }

uint64_t shift_right(uint64_t value, uint64_t amount, bool is_signed) {
  if (!is_signed) return amount > 63 ? 0 : value >> amount;
  return static_cast<uint64_t>(static_cast<int64_t>(value) >> (amount > 63 ? 63 : amount));
}

}  // namespace

uint64_t Constant::double_bits() const {
  if (type != Type::f32) return bits;
  const uint32_t pattern = static_cast<uint32_t>(bits);
  const uint64_t sign = uint64_t{pattern >> 31} << 63;
  const uint32_t mantissa = pattern & 0x7FFFFF;
  if ((pattern >> 23 & 0xFF) == 0xFF) {  // a hardware conversion would quiet the NaN
    return sign | uint64_t{0x7FF} << 52 | uint64_t{mantissa} << 29;
  }
  return std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(pattern)));
}

bool ModuleParser::parse_constant(Constant& value) {
  const Nesting nesting(depth_);
  if (too_deep()) return false;
  if (!parse_binary(value, kLowestPrecedence)) return false;
  if (!accept(TokenKind::question)) return true;
  Constant if_true, if_false;
  if (!parse_constant(if_true) || !expect(TokenKind::colon, "':'") || !parse_constant(if_false)) {
    return false;
  }
  value = is_true(value) ? if_true : if_false;
  return true;
}

bool ModuleParser::parse_integer_constant(uint64_t& value) {
  const SourceLocation where = token_.location;
  Constant constant;
  if (!parse_constant(constant)) return false;
  if (constant.is_floating()) return fail(where, "expected an integer");
  value = constant.bits;
  return true;
}

bool ModuleParser::parse_binary(Constant& value, int minimum_precedence) {
  if (!parse_unary(value)) return false;
  for (;;) {
    const TokenKind op = token_.kind;
    const int strength = precedence(op);
    if (strength < minimum_precedence || strength == 0) return true;
    const SourceLocation where = token_.location;
    advance();
    Constant right;
    if (!parse_binary(right, strength + 1) || !apply_binary(op, where, value, right)) return false;
  }
}

bool ModuleParser::parse_unary(Constant& value) {
  const TokenKind op = token_.kind;
  const bool is_cast = op == TokenKind::left_paren && peek().kind == TokenKind::dotted;
  if (op != TokenKind::plus && op != TokenKind::minus && op != TokenKind::bang &&
      op != TokenKind::tilde && !is_cast) {
    return parse_primary(value);
  }
  const Nesting nesting(depth_);
  if (too_deep()) return false;
  const SourceLocation where = token_.location;
  advance();
  if (!is_cast) return parse_unary(value) && apply_unary(op, where, value);

  const std::string_view type = token_.text;
  if (type != "s64" && type != "u64") return fail(where, "only casts to .s64 and .u64 exist");
  advance();
  if (!expect(TokenKind::right_paren, "')'") || !parse_unary(value)) return false;
  if (value.is_floating()) value.bits = to_integer(to_double(value), type == "s64");
  value.type = type == "s64" ? Type::s64 : Type::u64;
  return true;
}

bool ModuleParser::parse_primary(Constant& value) {
  switch (token_.kind) {
    case TokenKind::integer:
      // Section 4.5.1: signed unless marked or too large.
      value.type = token_.is_unsigned || token_.bits >> 63 ? Type::u64 : Type::s64;
      value.bits = token_.bits;
      break;
    case TokenKind::floating:
      value.type = token_.is_single ? Type::f32 : Type::f64;
      value.bits = token_.bits;
      break;
    case TokenKind::identifier:
      if (token_.text != "WARP_SZ") return fail_expected("a constant");
      value = {Type::s64, 32};
      break;
    case TokenKind::left_paren:
      advance();
      return parse_constant(value) && expect(TokenKind::right_paren, "')'");
    default: return fail_expected("a constant");
  }
  advance();
  return true;
}

bool ModuleParser::apply_unary(TokenKind op, SourceLocation where, Constant& value) {
  switch (op) {
    case TokenKind::plus: return true;
    case TokenKind::minus:
      if (value.type == Type::f32)
        value.bits ^= 0x80000000u;
      else if (value.type == Type::f64)
        value.bits ^= uint64_t{1} << 63;
      else
        value.bits = 0 - value.bits;
      return true;
    case TokenKind::bang: value = make_bool(!is_true(value)); return true;
    default:
      if (value.is_floating()) return fail(where, "'~' needs an integer");
      value.bits = ~value.bits;
      return true;
  }
}

bool ModuleParser::apply_binary(TokenKind op, SourceLocation where, Constant& left,
                                const Constant& right) {
  if (op == TokenKind::pipe_pipe || op == TokenKind::ampersand_ampersand) {
    const bool a = is_true(left), b = is_true(right);
    left = make_bool(op == TokenKind::pipe_pipe ? a || b : a && b);
    return true;
  }
  if (left.is_floating() || right.is_floating()) {
    const double a = to_double(left), b = to_double(right);
    if (const auto result = compare(op, a, b)) {
      left = make_bool(*result);
      return true;
    }
    switch (op) {
      case TokenKind::plus: left = make_double(a + b); return true;
      case TokenKind::minus: left = make_double(a - b); return true;
      case TokenKind::star: left = make_double(a * b); return true;
      case TokenKind::slash: left = make_double(a / b); return true;
      default: return fail(where, "operator needs integers");
    }
  }
  const uint64_t a = left.bits, b = right.bits;
  const auto signed_a = static_cast<int64_t>(a), signed_b = static_cast<int64_t>(b);
  if (op == TokenKind::shift_left || op == TokenKind::shift_right) {
    left.bits =
        op == TokenKind::shift_left ? shift_left(a, b) : shift_right(a, b, left.type == Type::s64);
    return true;
  }
  const bool is_signed = left.type == Type::s64 && right.type == Type::s64;
  const auto compared = is_signed ? compare(op, signed_a, signed_b) : compare(op, a, b);
  if (compared) {
    left = make_bool(*compared);
    return true;
  }
  left.type = is_signed ? Type::s64 : Type::u64;
  switch (op) {
    case TokenKind::plus: left.bits = a + b; return true;
    case TokenKind::minus: left.bits = a - b; return true;
    case TokenKind::star: left.bits = a * b; return true;
    case TokenKind::ampersand: left.bits = a & b; return true;
    case TokenKind::caret: left.bits = a ^ b; return true;
    case TokenKind::pipe: left.bits = a | b; return true;
    default: break;
  }
  if (b == 0) return fail(where, "division by zero");
  const bool is_division = op == TokenKind::slash;
  if (!is_signed) {
    left.bits = is_division ? a / b : a % b;
  } else if (signed_b == -1) {  // INT64_MIN / -1 would trap
    left.bits = is_division ? 0 - a : 0;
  } else {
    left.bits = static_cast<uint64_t>(is_division ? signed_a / signed_b : signed_a % signed_b);
  }
  return true;
}

}  // namespace guda::ptx
