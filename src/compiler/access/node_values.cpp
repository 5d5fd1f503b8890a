#include "compiler/access/node_values.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace guda::access {
namespace {

__extension__ using Wide = __int128;

/// Numbers beyond this are not followed; sums of a few of them still fit.
constexpr int64_t kFar = int64_t{1} << 60;
constexpr int64_t kFarNegative = -kFar;

bool fits(Wide value) { return value <= kFar && value >= kFarNegative; }

int64_t floor_divide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

int64_t type_low(unsigned bits, bool is_signed) {
  if (!is_signed) return 0;
  return bits >= 64 ? kFarNegative : -(int64_t{1} << (bits - 1));
}
int64_t type_high(unsigned bits, bool is_signed) {
  if (bits >= 62) return kFar;
  return (int64_t{1} << (is_signed ? bits - 1 : bits)) - 1;
}

bool is_signed(Relation relation) {
  switch (relation) {
    case Relation::less_signed:
    case Relation::less_equal_signed:
    case Relation::greater_signed:
    case Relation::greater_equal_signed: return true;
    default: return false;
  }
}

bool same_form(const Value& a, const Value& b) {
  if (a.base != b.base || a.count != b.count) return false;
  return std::all_of(a.all().begin(), a.all().end(), [&](const Term& term) {
    return b.coefficient_of(term.atom) == term.coefficient;
  });
}

uint32_t component(const kernel::Dim3& dim, int64_t axis) {
  return axis == 0 ? dim.x : axis == 1 ? dim.y : dim.z;
}

}  // namespace

Value Value::constant(int64_t value) {
  Value result;
  result.known = fits(value);
  result.low = result.high = result.base = value;
  return result;
}

int64_t Value::coefficient_of(int32_t atom) const {
  for (const Term& term : all())
    if (term.atom == atom) return term.coefficient;
  return 0;
}

std::vector<uint8_t> block_dependence(const AccessSummary& summary) {
  std::vector<uint8_t> result(summary.nodes.size(), 0);
  for (size_t i = 0; i < summary.nodes.size(); ++i) {
    const Node& node = summary.nodes[i];
    if (node.op == Op::ctaid) {
      result[i] = static_cast<uint8_t>(1u << node.value);
    } else if (node.op != Op::iterate && node.op != Op::trip) {
      // A clamp's bound narrows the interval over all blocks; it makes nothing depend on the block.
      const bool two_sided = node.op != Op::clamp && node.op != Op::loop_value;
      for (const int32_t operand : {node.a, two_sided ? node.b : -1})
        if (operand >= 0) result[i] |= result[static_cast<size_t>(operand)];
    }
  }
  return result;
}

NodeValues::NodeValues(const AccessSummary& summary, std::span<const uint8_t> dependence,
                       const LaunchArguments& arguments, int axis, uint32_t first, uint32_t count)
    : nodes_(summary.nodes),
      dependence_(dependence),
      arguments_(arguments),
      axis_(axis),
      first_(first),
      count_(count),
      values_(summary.nodes.size()),
      definitions_(summary.nodes.size()),
      limits_(summary.nodes.size()),
      parts_(summary.nodes.size()) {
  for (size_t i = 0; i < nodes_.size(); ++i) values_[i] = evaluate(static_cast<int32_t>(i));
}

// --- sums -----------------------------------------------------------------------------------------

Value NodeValues::atom(int32_t index, int64_t low, int64_t high) const {
  Value result;
  if (low > high) {
    result.known = result.empty = true;
    return result;
  }
  if (low == high && index != block_index_) return Value::constant(low);
  result.known = low >= kFarNegative && high <= kFar;
  result.low = low;
  result.high = high;
  result.count = 1;
  result.terms[0] = {index, 1};
  return result;
}

Value NodeValues::full_range(int32_t index, unsigned bits, bool is_signed) const {
  if (bits >= 62) return {};
  return atom(index, type_low(bits, is_signed), type_high(bits, is_signed));
}

/// a + factor * b; empty when it has too many terms or numbers are too large. Bounds are not set.
std::optional<Value> NodeValues::sum(const Value& a, const Value& b, int64_t factor) const {
  Value result = a;
  const Wide base = Wide{a.base} + Wide{b.base} * factor;
  if (!fits(base)) return std::nullopt;
  result.base = static_cast<int64_t>(base);
  for (const Term& term : b.all()) {
    const Wide added = Wide{term.coefficient} * factor;
    auto* found = std::find_if(result.terms.data(), result.terms.data() + result.count,
                               [&](const Term& t) { return t.atom == term.atom; });
    if (found != result.terms.data() + result.count) {
      const Wide total = added + found->coefficient;
      if (!fits(total)) return std::nullopt;
      found->coefficient = static_cast<int64_t>(total);
      if (total == 0) *found = result.terms[--result.count];
      continue;
    }
    if (result.count == Value::kMostTerms || !fits(added)) return std::nullopt;
    if (added != 0) result.terms[result.count++] = {term.atom, static_cast<int64_t>(added)};
  }
  // x / n * n + x % n is x.
  for (uint32_t i = 0; i < result.count; ++i) {
    const Node& rest = node(result.terms[i].atom);
    if (rest.op != Op::remainder_unsigned && rest.op != Op::remainder_signed) continue;
    if (parts_[static_cast<size_t>(result.terms[i].atom)]) continue;
    const Value& divisor = (*this)[rest.b];
    if (!divisor.is_constant()) continue;
    for (uint32_t j = 0; j < result.count; ++j) {
      const Node& quotient = node(result.terms[j].atom);
      const bool matches =
          (rest.op == Op::remainder_unsigned && quotient.op == Op::divide_unsigned) ||
          (rest.op == Op::remainder_signed && quotient.op == Op::divide_signed);
      if (parts_[static_cast<size_t>(result.terms[j].atom)]) continue;
      if (!matches || quotient.a != rest.a || !same_form((*this)[quotient.b], divisor)) continue;
      const int64_t factor_of_rest = result.terms[i].coefficient;
      if (Wide{factor_of_rest} * divisor.base != result.terms[j].coefficient) continue;
      const auto whole = normalized((*this)[rest.a], rest.bits, rest.op == Op::remainder_signed);
      if (!whole) continue;
      Value others = result;
      others.count = 0;
      for (uint32_t k = 0; k < result.count; ++k)
        if (k != i && k != j) others.terms[others.count++] = result.terms[k];
      return sum(others, *whole, factor_of_rest);
    }
  }
  return result;
}

std::optional<Interval> NodeValues::plain_bounds(const Value& value) const {
  Wide low = value.base, high = value.base;
  for (const Term& term : value.all()) {
    // While a node is evaluated its own atom has no value yet.
    if (!(*this)[term.atom].known && !parts_[static_cast<size_t>(term.atom)]) return std::nullopt;
    const Interval atom = range(term.atom);
    const Wide at_low = Wide{term.coefficient} * atom.low;
    const Wide at_high = Wide{term.coefficient} * atom.high;
    low += std::min(at_low, at_high);
    high += std::max(at_low, at_high);
  }
  if (!fits(low) || !fits(high)) return std::nullopt;
  return Interval{static_cast<int64_t>(low), static_cast<int64_t>(high)};
}

std::optional<Value> NodeValues::substitute(const Value& value, const Term& term,
                                            const Value& definition) const {
  return sum(without(value, [&](const Term& t) { return t.atom == term.atom; }), definition,
             term.coefficient);
}

std::optional<Interval> NodeValues::bounds(const Value& value) const {
  std::optional<Interval> result = plain_bounds(value);
  if (!result) return result;
  // An iteration number k with step * k <= bound: where k >= 1, coefficient * k may be replaced.
  for (const Term& term : value.all()) {
    const Node& iteration = node(term.atom);
    if (iteration.op != Op::iterate) continue;
    const Value rest = without(value, [&](const Term& t) { return t.atom == term.atom; });
    const auto at_zero = bounds(rest);
    if (!at_zero) continue;
    for (const int32_t trip : {iteration.a, iteration.b, iteration.c}) {
      if (trip < 0) continue;
      for (const Limit& limit : limits_[static_cast<size_t>(trip)]) {
        if (term.coefficient % limit.step != 0) continue;
        const auto replaced = sum(rest, limit.bound, term.coefficient / limit.step);
        const auto later = replaced ? plain_bounds(*replaced) : std::nullopt;
        if (!later) continue;
        if (term.coefficient > 0) {
          result->high = std::min(result->high, std::max(at_zero->high, later->high));
        } else {
          result->low = std::max(result->low, std::min(at_zero->low, later->low));
        }
      }
    }
  }
  if (result->low > result->high) return plain_bounds(value);
  return result;
}

Value NodeValues::add(int32_t index, const Value& a, const Value& b, int64_t factor) const {
  if (a.empty || b.empty) return a.empty ? a : b;
  if (!a.known || !b.known) return {};
  const Wide low = Wide{a.low} + Wide{factor} * (factor > 0 ? b.low : b.high);
  const Wide high = Wide{a.high} + Wide{factor} * (factor > 0 ? b.high : b.low);
  if (!fits(low) || !fits(high)) return {};
  auto form = sum(a, b, factor);
  if (!form) return atom(index, static_cast<int64_t>(low), static_cast<int64_t>(high));
  form->known = true;
  form->low = static_cast<int64_t>(low);
  form->high = static_cast<int64_t>(high);
  form->exact = a.exact && b.exact;
  if (const auto exact = bounds(*form)) {
    form->low = std::max(form->low, exact->low);
    form->high = std::min(form->high, exact->high);
  }
  return *form;
}

Value NodeValues::scale(int32_t index, const Value& a, int64_t factor) const {
  if (factor == 0) return Value::constant(0);
  return add(index, Value::constant(0), a, factor);
}

Value NodeValues::multiply(int32_t index, const Value& a, const Value& b) const {
  if (a.empty || b.empty) return a.empty ? a : b;
  if (a.is_constant() && a.base == 0) return a;
  if (b.is_constant() && b.base == 0) return b;
  if (!a.known || !b.known) return {};
  if (b.is_constant()) return scale(index, a, b.base);
  if (a.is_constant()) return scale(index, b, a.base);
  const Wide corners[] = {Wide{a.low} * b.low, Wide{a.low} * b.high, Wide{a.high} * b.low,
                          Wide{a.high} * b.high};
  const Wide low = *std::min_element(std::begin(corners), std::end(corners));
  const Wide high = *std::max_element(std::begin(corners), std::end(corners));
  if (!fits(low) || !fits(high)) return {};
  return atom(index, static_cast<int64_t>(low), static_cast<int64_t>(high));
}

/// value = multiple + rest, where every number in `multiple` is one of `divisor`.
void NodeValues::split_by(const Value& value, int64_t divisor, Value& multiple, Value& rest) const {
  multiple = rest = value;
  multiple.count = rest.count = 0;
  rest.base = value.base % divisor;
  if (rest.base < 0) rest.base += divisor;
  multiple.base = value.base - rest.base;
  for (const Term& term : value.all()) {
    Value& part = term.coefficient % divisor == 0 ? multiple : rest;
    part.terms[part.count++] = term;
  }
}

bool NodeValues::depends_on_block(const Term& term) const {
  const auto atom = static_cast<size_t>(term.atom);
  if (term.atom == block_index_) return true;
  if (parts_[atom]) return parts_[atom]->depends_on_block;
  return (dependence_[atom] & (1u << axis_)) != 0;
}

/// a >= 0 and b > 0, or the result is not followed.
Value NodeValues::divide(int32_t index, const Value& a, const Value& b) {
  if (a.empty || b.empty) return a.empty ? a : b;
  if (!a.known || !b.known || a.low < 0 || b.low <= 0) return {};
  if (b.is_constant()) {
    Value multiple, rest;
    split_by(expand(a).value_or(a), b.base, multiple, rest);
    const auto within = bounds(rest);
    if (within && within->low >= 0 && multiple.count < Value::kMostTerms &&
        (multiple.count != 0 || within->high < b.base)) {
      const Interval quotient{within->low / b.base, within->high / b.base};
      multiple.base = multiple.base / b.base + quotient.low;
      for (uint32_t i = 0; i < multiple.count; ++i) multiple.terms[i].coefficient /= b.base;
      if (quotient.low != quotient.high) {
        Part part{{0, quotient.high - quotient.low}, false};
        for (const Term& term : rest.all())
          part.depends_on_block = part.depends_on_block || depends_on_block(term);
        parts_[static_cast<size_t>(index)] = part;
        multiple.terms[multiple.count++] = {index, 1};
      }
      multiple.low = a.low / b.base;
      multiple.high = a.high / b.base;
      multiple.known = true;
      multiple.empty = multiple.exact = false;
      return multiple;
    }
  }
  return atom(index, a.low / b.high, a.high / b.low);
}

Value NodeValues::remainder(int32_t index, const Value& a, const Value& b) {
  if (a.empty || b.empty) return a.empty ? a : b;
  if (!b.known || b.low <= 0) return {};
  if (!a.known || a.low < 0) return atom(index, 0, b.high - 1);
  if (b.is_constant()) {
    Value multiple, rest;
    split_by(expand(a).value_or(a), b.base, multiple, rest);
    const auto within = bounds(rest);
    if (within && within->low >= 0 && within->high < b.base) {
      rest.known = true;
      rest.empty = rest.exact = false;
      rest.low = within->low;
      rest.high = within->high;
      return rest;
    }
    if (within && within->low >= 0 && multiple.count != 0) {
      Part part{{0, b.base - 1}, false};
      for (const Term& term : rest.all())
        part.depends_on_block = part.depends_on_block || depends_on_block(term);
      parts_[static_cast<size_t>(index)] = part;
    }
  }
  return atom(index, 0, std::min(a.high, b.high - 1));
}

Value NodeValues::bitwise(int32_t index, const Node& operation, const Value& a, const Value& b) {
  if (a.empty || b.empty) return a.empty ? a : b;
  const auto left = normalized(a, operation.bits, false);
  const auto right = normalized(b, operation.bits, false);
  if (operation.op == Op::bit_and) {
    if (!left && !right) return full_range(index, operation.bits, false);
    // Masks of low bits that only the launch knows.
    for (const auto& [value, mask] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
      if (!*value || !*mask || !(*mask)->is_constant()) continue;
      const int64_t size = (*mask)->base + 1;
      if (size > 0 && (size & (size - 1)) == 0)
        return remainder(index, **value, Value::constant(size));
    }
    const int64_t high = std::min(left ? left->high : kFar, right ? right->high : kFar);
    return atom(index, 0, high);
  }
  if (!left || !right) return full_range(index, operation.bits, false);
  if (left->is_constant() && left->base == 0) return *right;
  if (right->is_constant() && right->base == 0) return *left;
  int64_t high = 1;
  while (high <= std::max(left->high, right->high)) high *= 2;
  return atom(index, 0, high - 1);
}

/// The number of this class modulo 2^bits that a signed or unsigned reading gives, when it is one shift for the
/// whole interval.
std::optional<Value> NodeValues::normalized(const Value& value, unsigned bits,
                                            bool is_signed) const {
  if (value.empty) return value;
  if (!value.known) return std::nullopt;
  if (bits >= 62) {
    if (!is_signed && value.low < 0) return std::nullopt;
    return value;
  }
  const int64_t size = int64_t{1} << bits;
  const int64_t from = type_low(bits, is_signed);
  const int64_t wraps = floor_divide(value.low - from, size);
  if (floor_divide(value.high - from, size) != wraps) return std::nullopt;
  Value result = value;
  result.base -= wraps * size;
  result.low -= wraps * size;
  result.high -= wraps * size;
  return result;
}

// --- choices --------------------------------------------------------------------------------------

Value NodeValues::join(int32_t index, const Value& a, const Value& b) const {
  if (a.empty) return b;
  if (b.empty) return a;
  if (!a.known || !b.known) return {};
  if (same_form(a, b)) {
    Value result = a;
    result.low = std::min(a.low, b.low);
    result.high = std::max(a.high, b.high);
    return result;
  }
  return atom(index, std::min(a.low, b.low), std::max(a.high, b.high));
}

Value NodeValues::choose(int32_t index, const Node& operation) const {
  const bool with_sign = operation.op == Op::minimum_signed || operation.op == Op::maximum_signed;
  const bool least = operation.op == Op::minimum_signed || operation.op == Op::minimum_unsigned;
  if ((*this)[operation.a].empty) return (*this)[operation.a];
  if ((*this)[operation.b].empty) return (*this)[operation.b];
  const auto a = normalized((*this)[operation.a], operation.bits, with_sign);
  const auto b = normalized((*this)[operation.b], operation.bits, with_sign);
  if (!a && !b) return full_range(index, operation.bits, with_sign);
  if (!a || !b) {
    // One side still bounds the result.
    const Value& side = a ? *a : *b;
    const unsigned bits = operation.bits;
    if (bits >= 62) return {};
    return least ? atom(index, type_low(bits, with_sign), side.high)
                 : atom(index, side.low, type_high(bits, with_sign));
  }
  if (a->high <= b->low) return least ? *a : *b;
  if (b->high <= a->low) return least ? *b : *a;
  return least ? atom(index, std::min(a->low, b->low), std::min(a->high, b->high))
               : atom(index, std::max(a->low, b->low), std::max(a->high, b->high));
}

/// `value` known to lie in [low, high]: itself when that is no news, else an atom defined by it.
Value NodeValues::narrowed(int32_t index, const Value& value, int64_t low, int64_t high) {
  if (low <= value.low && high >= value.high) return value;
  Value result = atom(index, std::max(low, value.low), std::min(high, value.high));
  result.exact = value.exact;
  if (!result.empty && result.count != 0) definitions_[static_cast<size_t>(index)] = value;
  return result;
}

Value NodeValues::clamp(int32_t index, const Node& operation) {
  const Value& original = (*this)[operation.a];
  if (original.empty) return original;
  const bool with_sign = is_signed(operation.relation);
  const unsigned bits = node(operation.a).bits;
  const auto bound = normalized((*this)[operation.b], bits, with_sign);
  if (!bound || bound->empty) {
    Value unguarded = original;
    unguarded.exact = false;
    return unguarded;
  }
  auto value = normalized(original, bits, with_sign);
  const bool followed = value.has_value();
  if (!value) {
    if (bits >= 62) return original;
    value = full_range(index, bits, with_sign);
    value->terms[0].atom = index;
  }
  int64_t low = value->low, high = value->high;
  value->exact = value->exact && bound->is_constant();
  switch (operation.relation) {
    case Relation::equal:
      if (bound->is_constant() && bound->base >= low && bound->base <= high)
        return Value::constant(bound->base);
      low = std::max(low, bound->low);
      high = std::min(high, bound->high);
      break;
    case Relation::not_equal:
      if (!bound->is_constant()) break;
      if (low == bound->base) ++low;
      if (high == bound->base) --high;
      if (low < bound->base && bound->base < high) value->exact = false;  // a hole
      break;
    case Relation::less_signed:
    case Relation::less_unsigned: high = std::min(high, bound->high - 1); break;
    case Relation::less_equal_signed:
    case Relation::less_equal_unsigned: high = std::min(high, bound->high); break;
    case Relation::greater_signed:
    case Relation::greater_unsigned: low = std::max(low, bound->low + 1); break;
    case Relation::greater_equal_signed:
    case Relation::greater_equal_unsigned: low = std::max(low, bound->low); break;
  }
  if (!followed) return atom(index, low, high);
  return narrowed(index, *value, low, high);
}

// --- loops ----------------------------------------------------------------------------------------

/// Largest k of a loop test, in `high`; also keeps step * k <= bound as sums.
Value NodeValues::trip(int32_t index, const Node& test) {
  const Value& start_value = (*this)[test.a];
  const Value& step_value = (*this)[test.b];
  if (start_value.empty || step_value.empty) return Value::constant(0);
  if (!step_value.is_constant()) return {};
  const unsigned bits = node(test.a).bits;
  const bool with_sign = is_signed(test.relation);
  const auto step = normalized(step_value, bits, true);
  const auto start = normalized(start_value, bits, with_sign);
  if (!step || !start || step->base == 0) return {};
  const bool passed = (test.detail & kPassed) != 0;
  const int64_t size = std::abs(step->base);
  const bool upward = step->base > 0;

  // min(a, b) bounds from above with either, max from below.
  std::vector<int32_t> bounds_to_try{test.c};
  const Op helpful = with_sign ? (upward ? Op::minimum_signed : Op::maximum_signed)
                               : (upward ? Op::minimum_unsigned : Op::maximum_unsigned);
  if (node(test.c).op == helpful) bounds_to_try = {node(test.c).a, node(test.c).b};

  std::optional<int64_t> most;
  for (const int32_t candidate : bounds_to_try) {
    const auto bound = normalized((*this)[candidate], bits, with_sign);
    if (!bound || bound->empty) continue;
    // Numbers that pass the test: at most bound + slack going up, at least bound - slack going down.
    int64_t slack = 0;
    switch (test.relation) {
      case Relation::less_signed:
      case Relation::less_unsigned:
        if (!upward) continue;
        slack = -1;
        break;
      case Relation::greater_signed:
      case Relation::greater_unsigned:
        if (upward) continue;
        slack = -1;
        break;
      case Relation::less_equal_signed:
      case Relation::less_equal_unsigned:
        if (!upward) continue;
        break;
      case Relation::greater_equal_signed:
      case Relation::greater_equal_unsigned:
        if (upward) continue;
        break;
      case Relation::not_equal: slack = -size; break;
      case Relation::equal: continue;
    }
    // What the test looks at in iteration 0.
    const int64_t ahead = test.value + ((test.detail & kTestsNext) != 0 ? step->base : 0);
    auto tested = sum(*start, Value::constant(ahead), 1);
    if (!tested) continue;
    const auto tested_bounds = this->bounds(*tested);
    if (!tested_bounds) continue;
    // The counter must not wrap before the test fails.
    if (tested_bounds->low < type_low(bits, with_sign) ||
        tested_bounds->high > type_high(bits, with_sign))
      continue;
    if (test.relation != Relation::not_equal) {
      if (upward && bound->high + slack + size > type_high(bits, with_sign)) continue;
      if (!upward && bound->low - slack - size < type_low(bits, with_sign)) continue;
    }
    auto distance = upward ? sum(*bound, *tested, -1) : sum(*tested, *bound, -1);
    if (!distance) continue;
    if (test.relation == Relation::not_equal) {
      // Must meet the bound exactly, and not have passed it already.
      const bool meets = distance->base % size == 0 &&
                         std::all_of(distance->all().begin(), distance->all().end(),
                                     [&](const Term& t) { return t.coefficient % size == 0; });
      const auto range = this->bounds(*distance);
      if (!meets || !range || range->low < 0) continue;
    }
    distance->base += slack + (passed ? 0 : size);
    const auto range = this->bounds(*distance);
    if (!range) continue;
    const int64_t iterations = range->high < 0 ? 0 : range->high / size;
    most = most ? std::min(*most, iterations) : iterations;
    limits_[static_cast<size_t>(index)].push_back({size, *distance});
  }
  if (!most) return {};
  Value result = Value::constant(*most);
  result.low = 0;
  return result;
}

Value NodeValues::iterate(int32_t index, const Node& iteration) const {
  std::optional<int64_t> most;
  for (const int32_t trip : {iteration.a, iteration.b, iteration.c}) {
    if (trip < 0 || !(*this)[trip].known) continue;
    const int64_t high = (*this)[trip].high;
    most = most ? std::min(*most, high) : high;
  }
  if (!most) return {};
  return atom(index, 0, *most);
}

/// The counter that trip c tests: beyond its start only as far as the test lets it.
Value NodeValues::loop_value(int32_t index, const Node& operation) {
  const Value& value = (*this)[operation.a];
  const Value& start_value = (*this)[operation.b];
  const Node& test = node(operation.c);
  if (value.empty || !(*this)[operation.c].known) return value;
  const unsigned bits = node(operation.a).bits;
  const bool with_sign = is_signed(test.relation);
  const auto counter = normalized(value, bits, with_sign);
  const auto start = normalized(start_value, bits, with_sign);
  const auto step = normalized((*this)[test.b], bits, true);
  const auto bound = normalized((*this)[test.c], bits, with_sign);
  if (!counter || !start || start->empty || !step || !bound || bound->empty) {
    Value unguarded = value;
    unguarded.exact = false;
    return unguarded;
  }
  // The counter was a step behind what passed, and what was tested stood `ahead` of it.
  const int64_t ahead = test.value + ((test.detail & kTestsNext) != 0 ? step->base : 0);
  const int64_t beyond = step->base - ahead;
  Value limited = *counter;
  limited.exact = counter->exact && bound->is_constant();
  int64_t low = limited.low, high = limited.high;
  switch (test.relation) {
    case Relation::less_signed:
    case Relation::less_unsigned:
      high = std::min(high, std::max(start->high, bound->high - 1 + beyond));
      break;
    case Relation::less_equal_signed:
    case Relation::less_equal_unsigned:
      high = std::min(high, std::max(start->high, bound->high + beyond));
      break;
    case Relation::greater_signed:
    case Relation::greater_unsigned:
      low = std::max(low, std::min(start->low, bound->low + 1 + beyond));
      break;
    case Relation::greater_equal_signed:
    case Relation::greater_equal_unsigned:
      low = std::max(low, std::min(start->low, bound->low + beyond));
      break;
    case Relation::equal:
    case Relation::not_equal: return value;
  }
  // Bounds may know the test already; the counter's sum alone does not show it.
  if (const auto alone = plain_bounds(limited)) {
    limited.low = std::min(limited.low, alone->low);
    limited.high = std::max(limited.high, alone->high);
  }
  return narrowed(index, limited, low, high);
}

// --- all of them ----------------------------------------------------------------------------------

Value NodeValues::evaluate(int32_t index) {
  const Node& n = node(index);
  const auto a = [&]() -> const Value& { return (*this)[n.a]; };
  const auto b = [&]() -> const Value& { return (*this)[n.b]; };
  switch (n.op) {
    case Op::constant: return Value::constant(n.value);
    case Op::parameter: {
      uint64_t bits = 0;
      const size_t bytes = n.bits / 8;
      if (static_cast<size_t>(n.value) + bytes > arguments_.params.size()) return {};
      std::memcpy(&bits, arguments_.params.data() + n.value, bytes);
      return Value::constant(static_cast<int64_t>(bits));
    }
    case Op::variable: {
      const auto number = static_cast<size_t>(n.value);
      if (number >= arguments_.variables.size()) return {};
      return Value::constant(
          static_cast<int64_t>(reinterpret_cast<uintptr_t>(arguments_.variables[number])));
    }
    case Op::tid: return atom(index, 0, int64_t{component(arguments_.block, n.value)} - 1);
    case Op::ctaid:
      if (n.value == axis_) {
        block_index_ = index;
        return atom(index, first_, int64_t{first_} + count_ - 1);
      }
      return atom(index, 0, int64_t{component(arguments_.grid, n.value)} - 1);
    case Op::ntid: return Value::constant(component(arguments_.block, n.value));
    case Op::nctaid: return Value::constant(component(arguments_.grid, n.value));
    case Op::unknown: return full_range(index, n.bits, false);
    case Op::bounded: return n.value > kFar ? Value{} : atom(index, 0, n.value);
    case Op::own_memory: return {};
    case Op::add: return add(index, a(), b(), 1);
    case Op::subtract: return add(index, a(), b(), -1);
    case Op::multiply: return multiply(index, a(), b());
    case Op::sign_extend:
    case Op::zero_extend: {
      const bool with_sign = n.op == Op::sign_extend;
      const unsigned from = node(n.a).bits;
      if (const auto value = normalized(a(), from, with_sign)) return *value;
      return full_range(index, from, with_sign);
    }
    case Op::truncate: return a();
    case Op::divide_unsigned:
    case Op::divide_signed:
    case Op::remainder_unsigned:
    case Op::remainder_signed: {
      const bool with_sign = n.op == Op::divide_signed || n.op == Op::remainder_signed;
      const bool quotient = n.op == Op::divide_unsigned || n.op == Op::divide_signed;
      const auto left = normalized(a(), n.bits, with_sign);
      const auto right = normalized(b(), n.bits, with_sign);
      if (right && right->is_constant() && right->base > 0 && !left && !with_sign && n.bits < 62)
        return atom(index, 0, quotient ? type_high(n.bits, false) / right->base : right->base - 1);
      if (!left || !right) return full_range(index, n.bits, with_sign);
      const Value result =
          quotient ? divide(index, *left, *right) : remainder(index, *left, *right);
      return result.known ? result : full_range(index, n.bits, with_sign);
    }
    case Op::shift_right_signed: {
      const auto value = normalized(a(), n.bits, true);
      if (!value || value->empty) return value ? *value : full_range(index, n.bits, true);
      const auto divisor = n.value < 60 ? int64_t{1} << n.value : kFar;
      if (value->low >= 0) return divide(index, *value, Value::constant(divisor));
      return atom(index, value->low >> n.value, value->high >> n.value);
    }
    case Op::bit_and:
    case Op::bit_or:
    case Op::bit_xor: return bitwise(index, n, a(), b());
    case Op::minimum_signed:
    case Op::maximum_signed:
    case Op::minimum_unsigned:
    case Op::maximum_unsigned: return choose(index, n);
    case Op::join: return join(index, a(), b());
    case Op::clamp: return clamp(index, n);
    case Op::trip: return trip(index, n);
    case Op::iterate: return iterate(index, n);
    case Op::loop_value: return loop_value(index, n);
  }
  return {};
}

bool NodeValues::takes_all_values(int32_t atom, bool in_loop_value) const {
  const Node& n = node(atom);
  if (n.op == Op::tid || n.op == Op::ctaid) return true;
  if (n.op != Op::iterate || n.a < 0 || n.b >= 0) return false;
  if (in_loop_value) return true;
  const auto& limits = limits_[static_cast<size_t>(n.a)];
  const auto range = limits.size() == 1 ? bounds(limits[0].bound) : std::nullopt;
  return range && range->low >= 0 && range->low / limits[0].step == range->high / limits[0].step;
}

std::optional<Value> NodeValues::expand(const Value& value) const {
  Value result = value;
  for (int rounds = 0; rounds < 16; ++rounds) {
    const Term* inner = nullptr;
    for (const Term& term : result.all()) {
      if (term.atom != block_index_ && depends_on_block(term)) inner = &term;
    }
    if (inner == nullptr) return result;
    const auto& definition = definitions_[static_cast<size_t>(inner->atom)];
    if (!definition) return std::nullopt;
    const Term term = *inner;
    auto next = substitute(result, term, *definition);
    if (!next) return std::nullopt;
    result = *next;
  }
  return std::nullopt;
}

}  // namespace guda::access
