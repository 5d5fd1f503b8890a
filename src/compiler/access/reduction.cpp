#include "compiler/access/reduction.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace guda::access {
namespace {

template <typename T>
T identity(Combine operation) {
  using S = std::make_signed_t<T>;
  switch (operation) {
    case Combine::bit_and:
    case Combine::minimum_unsigned: return std::numeric_limits<T>::max();
    case Combine::minimum_signed: return static_cast<T>(std::numeric_limits<S>::max());
    case Combine::maximum_signed: return static_cast<T>(std::numeric_limits<S>::min());
    default: return 0;
  }
}

template <typename T>
T combined(Combine operation, T a, T b) {
  using S = std::make_signed_t<T>;
  const auto x = static_cast<S>(a), y = static_cast<S>(b);
  switch (operation) {
    case Combine::add: return static_cast<T>(a + b);
    case Combine::minimum_signed: return static_cast<T>(std::min(x, y));
    case Combine::maximum_signed: return static_cast<T>(std::max(x, y));
    case Combine::minimum_unsigned: return std::min(a, b);
    case Combine::maximum_unsigned: return std::max(a, b);
    case Combine::bit_and: return a & b;
    case Combine::bit_or: return a | b;
    case Combine::bit_xor: return a ^ b;
    case Combine::none: return a;
  }
  return a;
}

template <typename T>
void fill_words(Combine operation, std::span<std::byte> copy) {
  const T value = identity<T>(operation);
  for (size_t at = 0; at + sizeof(T) <= copy.size(); at += sizeof(T))
    std::memcpy(copy.data() + at, &value, sizeof value);
}

template <typename T>
void combine_words(Combine operation, std::span<std::byte> into, const std::byte* from) {
  for (size_t at = 0; at + sizeof(T) <= into.size(); at += sizeof(T)) {
    T a, b;
    std::memcpy(&a, into.data() + at, sizeof a);
    std::memcpy(&b, from + at, sizeof b);
    a = combined(operation, a, b);
    std::memcpy(into.data() + at, &a, sizeof a);
  }
}

}  // namespace

void fill_identity(const Reduction& reduction, std::span<std::byte> copy) {
  if (reduction.element_bytes == 8) {
    fill_words<uint64_t>(reduction.combine, copy);
  } else {
    fill_words<uint32_t>(reduction.combine, copy);
  }
}

void combine(const Reduction& reduction, std::span<std::byte> into, const std::byte* from) {
  if (reduction.element_bytes == 8) {
    combine_words<uint64_t>(reduction.combine, into, from);
  } else {
    combine_words<uint32_t>(reduction.combine, into, from);
  }
}

}  // namespace guda::access
