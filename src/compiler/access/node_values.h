// The nodes of an access summary with the numbers of one launch: each an interval and, where it can be, a sum
// of multiples of independent quantities ("atoms": thread and block indices, iteration numbers, results of
// operations that are not linear).
//
// Sums make exact what intervals alone would lose: whether two blocks meet is decided on coefficients.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/access/launch_access.h"

namespace guda::access {

struct Term {
  int32_t atom = -1;  // node
  int64_t coefficient = 0;
};

/// base + sum of coefficient * atom, within [low, high].
struct Value {
  static constexpr size_t kMostTerms = 10;

  bool known = false;  // false: any number
  bool empty = false;  // no thread gets here
  bool exact = true;  // guards on the way are expressed to the last value
  int64_t low = 0, high = 0;
  int64_t base = 0;
  uint32_t count = 0;
  std::array<Term, kMostTerms> terms{};

  static Value constant(int64_t value);
  bool is_constant() const { return known && !empty && count == 0; }
  std::span<const Term> all() const { return {terms.data(), count}; }
  int64_t coefficient_of(int32_t atom) const;
};

struct Interval {
  int64_t low = 0, high = 0;
};

class NodeValues {
 public:
  /// Blocks first <= index < first + count along `axis`, all along the others. `dependence` as from
  /// block_dependence().
  NodeValues(const AccessSummary& summary, std::span<const uint8_t> dependence,
             const LaunchArguments& arguments, int axis, uint32_t first, uint32_t count);

  const Value& operator[](int32_t node) const { return values_[static_cast<size_t>(node)]; }
  /// The node of %ctaid along the axis; -1 when the kernel does not use it.
  int32_t block_index() const { return block_index_; }

  /// The same number with everything that depends on the block index along the axis written out. Empty when it
  /// is not linear in the block index.
  std::optional<Value> expand(const Value& value) const;
  /// Least and largest value, using what loop tests say about iteration numbers.
  std::optional<Interval> bounds(const Value& value) const;
  /// Without the terms for which `drop` holds.
  template <typename Drop>
  Value without(const Value& value, Drop&& drop) const {
    Value rest = value;
    rest.count = 0;
    for (const Term& term : value.all())
      if (!drop(term)) rest.terms[rest.count++] = term;
    return rest;
  }
  /// What a clamp made the atom from; null for others.
  const Value* definition(int32_t atom) const {
    const auto& known = definitions_[static_cast<size_t>(atom)];
    return known ? &*known : nullptr;
  }
  bool is_loop_value(int32_t atom) const { return node(atom).op == Op::loop_value; }
  /// Each number of its range occurs, whatever other atoms are: indices, and iterations whose number is the same
  /// for all threads (or, in a counter of the loop itself, ends where its guard says).
  bool takes_all_values(int32_t atom, bool in_loop_value) const;
  Interval range(int32_t atom) const {
    if (const auto& part = parts_[static_cast<size_t>(atom)]) return part->range;
    const Value& value = (*this)[atom];
    return {value.low, value.high};
  }

 private:
  struct Limit {  // step * k <= bound
    int64_t step = 1;
    Value bound;
  };

  /// The atom of a division stands for the quotient (or remainder) of what is left after multiples of the divisor
  /// have been taken out.
  struct Part {
    Interval range;
    bool depends_on_block = true;
  };

  Value evaluate(int32_t index);
  Value atom(int32_t index, int64_t low, int64_t high) const;
  Value full_range(int32_t index, unsigned bits, bool is_signed) const;
  Value add(int32_t index, const Value& a, const Value& b, int64_t factor) const;
  Value scale(int32_t index, const Value& a, int64_t factor) const;
  Value multiply(int32_t index, const Value& a, const Value& b) const;
  Value divide(int32_t index, const Value& a, const Value& b);
  Value remainder(int32_t index, const Value& a, const Value& b);
  Value bitwise(int32_t index, const Node& node, const Value& a, const Value& b);
  bool depends_on_block(const Term& term) const;
  Value choose(int32_t index, const Node& node) const;
  Value join(int32_t index, const Value& a, const Value& b) const;
  Value clamp(int32_t index, const Node& node);
  Value narrowed(int32_t index, const Value& value, int64_t low, int64_t high);
  Value loop_value(int32_t index, const Node& node);
  Value trip(int32_t index, const Node& node);
  Value iterate(int32_t index, const Node& node) const;
  std::optional<Value> sum(const Value& a, const Value& b, int64_t factor) const;
  std::optional<Value> substitute(const Value& value, const Term& term,
                                  const Value& definition) const;
  std::optional<Interval> plain_bounds(const Value& value) const;
  std::optional<Value> normalized(const Value& value, unsigned bits, bool is_signed) const;
  const Node& node(int32_t index) const { return nodes_[static_cast<size_t>(index)]; }
  void split_by(const Value& value, int64_t divisor, Value& multiple, Value& rest) const;

  std::span<const Node> nodes_;
  std::span<const uint8_t> dependence_;
  const LaunchArguments& arguments_;
  int axis_;
  uint32_t first_, count_;
  int32_t block_index_ = -1;
  std::vector<Value> values_;
  std::vector<std::optional<Value>> definitions_;  // of atoms that a clamp made
  std::vector<std::vector<Limit>> limits_;  // of trips
  std::vector<std::optional<Part>> parts_;
};

/// For each node, which block indices it depends on: bit 0 x, 1 y, 2 z. Iteration numbers count as independent.
std::vector<uint8_t> block_dependence(const AccessSummary& summary);

}  // namespace guda::access
