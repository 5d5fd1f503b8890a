// Short-lived working memory of BLAS routines: a few KiB on the stack, more from the heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace guda::blas {

/// `count` elements of T, not initialised, aligned for any vector.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (bytes > sizeof(inline_)) {
      heap_.reset(::operator new(bytes, kAlignment));
      data_ = static_cast<T*>(heap_.get());
    } else {
      data_ = reinterpret_cast<T*>(inline_);
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() { return data_; }
  T& operator[](int64_t i) { return data_[i]; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(void* memory) const { ::operator delete(memory, kAlignment); }
  };
  alignas(64) std::byte inline_[4096];
  std::unique_ptr<void, Release> heap_;
  T* data_;
};

}  // namespace guda::blas
