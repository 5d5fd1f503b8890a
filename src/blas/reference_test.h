// What the BLAS tests share: operands between guard pages, and matrices as plain definitions in extended
// precision.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "blas/types.h"

namespace guda::blas::test {

using Wide = std::complex<long double>;

template <class T>
Wide widen(T value) {
  if constexpr (is_complex<T>)
    return {value.real(), value.imag()};
  else
    return {value, 0};
}

inline std::mt19937_64& random_bits() {
  static std::mt19937_64 generator(20240229);
  return generator;
}
inline int64_t pick(std::initializer_list<int64_t> values) {
  return values.begin()[random_bits()() % values.size()];
}
inline int64_t pick_below(int64_t end) {
  return static_cast<int64_t>(random_bits()() % static_cast<uint64_t>(end));
}

template <class T>
T random_value() {
  std::uniform_real_distribution<Real<T>> distribution(-1, 1);
  if constexpr (is_complex<T>) {
    const auto re = distribution(random_bits());
    return T(re, distribution(random_bits()));
  } else {
    return distribution(random_bits());
  }
}
/// 0, 1, -1 or something else: the values that routines treat apart.
template <class T>
T random_factor() {
  switch (random_bits()() % 5) {
    case 0: return T(0);
    case 1: return T(1);
    case 2: return T(-1);
    default: return random_value<T>();
  }
}

/// What stands where nothing may be read.
template <class T>
T poison() {
  const auto nan = std::numeric_limits<Real<T>>::quiet_NaN();
  if constexpr (is_complex<T>)
    return T(nan, nan);
  else
    return nan;
}

/// An array that ends (or, every second time, begins) at a page that cannot be touched, poisoned.
template <class T>
class GuardedArray {
 public:
  explicit GuardedArray(int64_t count) : count_(count) {
    static bool at_end = false;
    at_end = !at_end;
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    const size_t room = (bytes + page - 1) / page * page;
    size_ = room + 2 * page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (room > 0) mprotect(base_ + page, room, PROT_READ | PROT_WRITE);
    data_ = reinterpret_cast<T*>(base_ + page + (at_end ? room - bytes : 0));
    for (int64_t i = 0; i < count; ++i) data_[i] = poison<T>();
  }
  ~GuardedArray() { munmap(base_, size_); }
  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;

  T* data() { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  int64_t size() const { return count_; }
  std::vector<T> snapshot() const { return std::vector<T>(data_, data_ + count_); }

 private:
  int64_t count_;
  size_t size_;
  std::byte* base_;
  T* data_;
};

/// Bitwise, since NaNs are expected.
template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

/// n elements with an increment, random.
template <class T>
class TestVector {
 public:
  TestVector(int64_t n, int64_t increment, bool poisoned = false)
      : n_(n), increment_(increment), array_(n == 0 ? 0 : (n - 1) * std::abs(increment) + 1) {
    if (!poisoned)
      for (int64_t i = 0; i < n; ++i) (*this)[i] = random_value<T>();
    before_ = array_.snapshot();
  }
  T* data() { return array_.data(); }
  int64_t increment() const { return increment_; }
  int64_t place(int64_t i) const {
    return increment_ < 0 ? (i - n_ + 1) * increment_ : i * increment_;
  }
  T& operator[](int64_t i) { return array_[place(i)]; }
  Wide wide(int64_t i) { return widen((*this)[i]); }
  Wide before(int64_t i) { return widen(before_[static_cast<size_t>(place(i))]); }
  void remember() { before_ = array_.snapshot(); }

  /// Elements between those of the vector are as they were; all are when `all`.
  void expect_untouched(bool all) {
    for (int64_t i = 0; i < array_.size(); ++i) {
      if (all || (increment_ != 0 && i % std::abs(increment_) != 0)) {
        ASSERT_TRUE(same_bits(array_[i], before_[static_cast<size_t>(i)])) << "at offset " << i;
      }
    }
  }

 private:
  int64_t n_, increment_;
  GuardedArray<T> array_;
  std::vector<T> before_;
};

/// A matrix in extended precision, by definition.
struct WideMatrix {
  int64_t rows, columns;
  std::vector<Wide> values;

  WideMatrix(int64_t m, int64_t n) : rows(m), columns(n), values(static_cast<size_t>(m * n)) {}
  Wide& at(int64_t i, int64_t j) { return values[static_cast<size_t>(i + j * rows)]; }
  const Wide& at(int64_t i, int64_t j) const { return values[static_cast<size_t>(i + j * rows)]; }

  WideMatrix applied(Transpose trans) const {
    if (trans == Transpose::no) return *this;
    WideMatrix result(columns, rows);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        result.at(j, i) = trans == Transpose::conjugate ? std::conj(at(i, j)) : at(i, j);
    return result;
  }
  WideMatrix times(const WideMatrix& other) const {
    WideMatrix result(rows, other.columns);
    for (int64_t j = 0; j < other.columns; ++j)
      for (int64_t k = 0; k < columns; ++k) {
        const Wide factor = other.at(k, j);
        for (int64_t i = 0; i < rows; ++i) {
          const Wide a = at(i, k);
          result.at(i, j) += Wide(a.real() * factor.real() - a.imag() * factor.imag(),
                                  a.real() * factor.imag() + a.imag() * factor.real());
        }
      }
    return result;
  }
};

/// Whether the difference is what rounding of a sum of `terms` products of numbers near 1 can make.
template <class T>
void expect_close(T got, Wide expected, int64_t terms, long double size = 1) {
  const long double bound = (static_cast<long double>(terms) + 8) * size *
                            std::numeric_limits<Real<T>>::epsilon() * (is_complex<T> ? 2 : 1);
  ASSERT_LE(std::abs(widen(got) - expected), bound)
      << "expected " << expected.real() << " + " << expected.imag() << " i";
}

/// A dense m x n matrix with a leading dimension, random; the gap between columns is poisoned.
template <class T>
class TestMatrix {
 public:
  TestMatrix(int64_t m, int64_t n, int64_t ld, bool poisoned = false)
      : rows_(m), columns_(n), ld_(ld), array_(n == 0 || m == 0 ? 0 : (n - 1) * ld + m) {
    if (!poisoned)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) at(i, j) = random_value<T>();
    before_ = array_.snapshot();
  }
  T* data() { return array_.data(); }
  int64_t ld() const { return ld_; }
  T& at(int64_t i, int64_t j) { return array_[i + j * ld_]; }
  T before(int64_t i, int64_t j) const { return before_[static_cast<size_t>(i + j * ld_)]; }
  void remember() { before_ = array_.snapshot(); }

  WideMatrix wide() {
    WideMatrix result(rows_, columns_);
    for (int64_t j = 0; j < columns_; ++j)
      for (int64_t i = 0; i < rows_; ++i) result.at(i, j) = widen(at(i, j));
    return result;
  }
  /// Poisons the triangle that is not stored (and the diagonal, when told to).
  void poison_other_triangle(Triangle uplo, bool diagonal) {
    for (int64_t j = 0; j < columns_; ++j)
      for (int64_t i = 0; i < rows_; ++i)
        if ((uplo == Triangle::lower ? i < j : i > j) || (diagonal && i == j))
          at(i, j) = poison<T>();
    remember();
  }
  /// Everything outside `inside(i, j)` is as it was.
  template <class Inside>
  void expect_untouched(Inside inside) {
    for (int64_t k = 0; k < array_.size(); ++k) {
      const int64_t i = k % ld_, j = k / ld_;
      if (i >= rows_ || !inside(i, j)) {
        ASSERT_TRUE(same_bits(array_[k], before_[static_cast<size_t>(k)])) << i << ", " << j;
      }
    }
  }
  void expect_untouched() {
    expect_untouched([](int64_t, int64_t) { return false; });
  }

 private:
  int64_t rows_, columns_, ld_;
  GuardedArray<T> array_;
  std::vector<T> before_;
};

inline bool stored(Triangle uplo, int64_t i, int64_t j) {
  return uplo == Triangle::lower ? i >= j : i <= j;
}

/// The whole matrix that a stored triangle stands for.
enum class Structure { symmetric, hermitian, triangular };
inline WideMatrix completed(const WideMatrix& a, Triangle uplo, Structure structure,
                            Diagonal diag = Diagonal::stored) {
  WideMatrix result(a.rows, a.columns);
  for (int64_t j = 0; j < a.columns; ++j) {
    for (int64_t i = 0; i < a.rows; ++i) {
      const bool here = stored(uplo, i, j);
      if (structure == Structure::triangular)
        result.at(i, j) = here ? a.at(i, j) : Wide(0);
      else if (here)
        result.at(i, j) = a.at(i, j);
      else
        result.at(i, j) = structure == Structure::hermitian ? std::conj(a.at(j, i)) : a.at(j, i);
      if (i == j && structure == Structure::hermitian) result.at(i, j) = a.at(i, j).real();
      if (i == j && diag == Diagonal::unit) result.at(i, j) = 1;
    }
  }
  return result;
}

inline Triangle random_triangle() { return pick_below(2) == 0 ? Triangle::lower : Triangle::upper; }
inline Transpose random_transpose() { return static_cast<Transpose>(pick_below(3)); }
inline Diagonal random_diagonal() { return pick_below(2) == 0 ? Diagonal::stored : Diagonal::unit; }
inline Side random_side() { return pick_below(2) == 0 ? Side::left : Side::right; }
inline int64_t random_increment() { return pick({1, 1, 1, -1, 2, -3}); }

using ElementTypes = ::testing::Types<float, double, std::complex<float>, std::complex<double>>;

}  // namespace guda::blas::test
