// What a routine reads and writes of the device's memory, for engines that have memory of their own: of the CPU's way
// only this is brought to the host.
//
// Each routine says it once, beside its work (submit() in handle.h), and is asked only where there are such engines.
// operand_check.cpp compares it with what the routine does. What stands behind pointers in arrays is not known:
// such a routine uses everything().
#pragma once

#include "abi/cublas/element.h"
#include "abi/cublas/types.h"
#include "runtime/operation.h"

#include <algorithm>
#include <array>
#include <span>

namespace guda::cublas {

/// For sizes of 64 bits times strides of 64 bits.
__extension__ typedef __int128 Wide128;

/// Bytes from the first to the last that are used. Sizes that no memory has end at the end of the address space.
struct Extent {
  const void* start = nullptr;
  size_t bytes = 0;
};

/// `elements` may be anything that sizes of 64 bits multiply to.
inline Extent extent_of(const void* start, Wide128 elements, size_t element) {
  if (start == nullptr || elements <= 0) return {};
  constexpr Wide128 kMost = Wide128{1} << 46;  // more than there is memory
  return {start, static_cast<size_t>(std::min(elements, kMost)) * element};
}
/// n elements, of which one begins each `increment`; a negative one starts at the other end.
template <class T>
Extent vector_of(const T* x, int64_t n, int64_t increment) {
  const Wide128 step = increment < 0 ? -Wide128{increment} : increment;
  return n <= 0 ? Extent() : extent_of(x, (n - 1) * step + 1, sizeof(T));
}
inline Extent matrix_of(const void* a, size_t element, int64_t rows, int64_t columns, int64_t ld) {
  if (rows <= 0 || columns <= 0) return {};
  return extent_of(a, Wide128{columns - 1} * ld + rows, element);
}
template <class T>
Extent matrix_of(const T* a, int64_t rows, int64_t columns, int64_t ld) {
  return matrix_of(a, sizeof(T), rows, columns, ld);
}
/// A triangle without gaps.
template <class T>
Extent packed_of(const T* ap, int64_t n) {
  return extent_of(ap, Wide128{n} * (n + 1) / 2, sizeof(T));
}
/// `count` members, `stride` bytes apart.
inline Extent batch_of(Extent member, Wide128 stride, int64_t count) {
  if (member.bytes == 0 || count <= 0) return {};
  const Wide128 last = stride * (count - 1);
  auto* start = static_cast<const std::byte*>(member.start);
  if (last < 0) start += static_cast<int64_t>(last);
  return extent_of(start, (last < 0 ? -last : last) + static_cast<int64_t>(member.bytes), 1);
}

class EntryCall;

class Uses {
 public:
  /// `call`: the vendor's function, which is told of arguments in host memory; may be null.
  Uses(PointerMode mode, EntryCall* call) : call_(call), mode_(mode) {}

  Uses& reads(Extent extent) { return add(extent, false); }
  /// Perhaps not all of it, and perhaps it is read before.
  Uses& writes(Extent extent) { return add(extent, true); }
  /// Follows pointers that are stored in memory.
  Uses& everything() {
    everything_ = true;
    return *this;
  }
  /// Where the handle's pointer mode says.
  template <class T>
  Uses& scalar(const T* value, size_t count = 1) {
    return scalar_bytes(value, count * sizeof(T));
  }
  Uses& scalar_bytes(const void* value, size_t bytes) {
    return mode_ == kHostPointers ? host_argument(value, bytes) : reads({value, bytes});
  }
  template <class T>
  Uses& result(T* place) {
    return result_bytes(place, sizeof(T));
  }
  Uses& result_bytes(void* place, size_t bytes) {
    return mode_ == kHostPointers ? *this : writes({place, bytes});
  }
  /// C from alpha A B and beta C, or from alpha A B alone, whatever shapes these have.
  template <class Alpha, class Beta>
  Uses& product(const Alpha* alpha, Extent a, Extent b, const Beta* beta, Extent c) {
    return scalar(alpha).reads(a).reads(b).scalar(beta).writes(c);
  }
  template <class Alpha>
  Uses& product(const Alpha* alpha, Extent a, Extent b, Extent c) {
    return scalar(alpha).reads(a).reads(b).writes(c);
  }
  /// Host memory that the caller may change once the call has returned.
  Uses& host_argument(const void* start, size_t bytes);

  bool known() const { return !everything_; }
  std::span<const runtime::MemoryUse> list() const { return {list_.data(), count_}; }

 private:
  Uses& add(Extent extent, bool written) {
    if (extent.bytes == 0) return *this;
    if (count_ == list_.size()) return everything();
    list_[count_++] = {extent.start, extent.bytes, written};
    return *this;
  }

  EntryCall* call_;
  PointerMode mode_;
  bool everything_ = false;
  size_t count_ = 0;
  std::array<runtime::MemoryUse, 20> list_;
};

}  // namespace guda::cublas
