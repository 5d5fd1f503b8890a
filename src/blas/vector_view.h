// Vectors with increments as the contiguous ones that kernels take.
#pragma once

#include "blas/scratch.h"
#include "blas/types.h"

namespace guda::blas {

/// x as contiguous elements in index order: itself when it is, else a copy. An optional factor forces a
/// copy, too.
template <class T>
class InputVector {
 public:
  InputVector(int64_t n, const T* x, int64_t incx) : data_(x), copy_(incx == 1 ? 0 : n) {
    if (incx == 1 || n <= 0) return;
    T* copy = copy_.data();
    x = first_element(x, n, incx);
    for (int64_t i = 0; i < n; ++i) copy[i] = x[i * incx];
    data_ = copy;
  }
  const T* data() const { return data_; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  const T* data_;
  Scratch<T> copy_;
};

/// y, multiplied by beta (0 does not read it), as contiguous elements to add to; written back by
/// the destructor.
template <class T>
class OutputVector {
 public:
  OutputVector(int64_t n, T beta, T* y, int64_t incy)
      : n_(n), increment_(incy), original_(y), data_(y), copy_(incy == 1 ? 0 : n) {
    if (incy != 1 && n > 0) {
      original_ = first_element(y, n, incy);
      data_ = copy_.data();
    }
    if (beta == T(0)) {
      for (int64_t i = 0; i < n; ++i) data_[i] = T(0);
    } else if (beta != T(1)) {
      for (int64_t i = 0; i < n; ++i) data_[i] = product(beta, original_[i * incy]);
    } else if (data_ != original_) {
      for (int64_t i = 0; i < n; ++i) data_[i] = original_[i * incy];
    }
  }
  ~OutputVector() {
    if (data_ == original_) return;
    for (int64_t i = 0; i < n_; ++i) original_[i * increment_] = data_[i];
  }
  OutputVector(const OutputVector&) = delete;
  OutputVector& operator=(const OutputVector&) = delete;

  T* data() { return data_; }
  T& operator[](int64_t i) { return data_[i]; }

 private:
  int64_t n_, increment_;
  T* original_;
  T* data_;
  Scratch<T> copy_;
};

}  // namespace guda::blas
