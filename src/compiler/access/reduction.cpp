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
void fill_words(Combine operation, std::span<std::byte> copy) {
  const T value = identity<T>(operation);
  for (size_t at = 0; at + sizeof(T) <= copy.size(); at += sizeof(T))
    std::memcpy(copy.data() + at, &value, sizeof value);
}

template <typename T, typename Operation>
void combine_words(std::span<std::byte> into, const std::byte* from, Operation operation) {
  for (size_t at = 0; at + sizeof(T) <= into.size(); at += sizeof(T)) {
    T a, b;
    std::memcpy(&a, into.data() + at, sizeof a);
    std::memcpy(&b, from + at, sizeof b);
    a = static_cast<T>(operation(a, b));
    std::memcpy(into.data() + at, &a, sizeof a);
  }
}

/// One loop per operation, which the compiler makes SIMD code of: ranges may have gigabytes.
template <typename T>
void combine_words(Combine operation, std::span<std::byte> into, const std::byte* from) {
  using S = std::make_signed_t<T>;
  const auto with = [&](auto function) { combine_words<T>(into, from, function); };
  switch (operation) {
    case Combine::none: return;
    case Combine::add: return with([](T a, T b) { return a + b; });
    case Combine::minimum_signed:
      return with([](T a, T b) { return std::min(static_cast<S>(a), static_cast<S>(b)); });
    case Combine::maximum_signed:
      return with([](T a, T b) { return std::max(static_cast<S>(a), static_cast<S>(b)); });
    case Combine::minimum_unsigned: return with([](T a, T b) { return std::min(a, b); });
    case Combine::maximum_unsigned: return with([](T a, T b) { return std::max(a, b); });
    case Combine::bit_and: return with([](T a, T b) { return a & b; });
    case Combine::bit_or: return with([](T a, T b) { return a | b; });
    case Combine::bit_xor: return with([](T a, T b) { return a ^ b; });
  }
}

}  // namespace

std::optional<uint32_t> identity_word(const Reduction& reduction) {
  if (reduction.element_bytes != 8) return identity<uint32_t>(reduction.combine);
  const auto value = identity<uint64_t>(reduction.combine);
  if (value >> 32 != (value & 0xffffffffu)) return std::nullopt;
  return static_cast<uint32_t>(value);
}

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
