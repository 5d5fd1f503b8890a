// trmm and trsm: recursion on gemm down to small triangles, which kernels apply to panels of B.
//
// Right-hand sides are columns of B (left) or its rows (right), and for the right side the matrix counts
// transposed: B op(A) = (op(A)^T B^T)^T. So there is one kind of problem: a matrix M, lower or upper, and
// right-hand sides; the small triangle is packed as lower, an upper one with both orders reversed.
#include <algorithm>

#include "blas/level3.h"
#include "blas/parallel.h"
#include "blas/scratch.h"
#include "kernels/vector/vector_kernels.h"

namespace guda::blas {
namespace {

constexpr int64_t kSmallTriangle = 64;

template <class T>
class TriangularMatrix {
 public:
  TriangularMatrix(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t sides,
                   int64_t lda, int64_t ldb)
      : left_(side == Side::left),
        stored_upper_(uplo == Triangle::upper),
        trans_(trans),
        diag_(diag),
        sides_(sides),
        lda_(lda),
        ldb_(ldb),
        lower_(left_ == (stored_upper_ == (trans != Transpose::no))) {}

  /// B = alpha M B.
  void multiply(int64_t n, T alpha, const T* a, T* b) const {
    if (n <= kSmallTriangle) {
      apply_small<false>(n, alpha, a, b);
      return;
    }
    const Split split = split_at_half(n, a, b);
    const Half& target = lower_ ? split.second : split.first;
    const Half& source = lower_ ? split.first : split.second;
    multiply(target.n, alpha, target.a, target.b);
    add_product(split, target, source, alpha, T(1));
    multiply(source.n, alpha, source.a, source.b);
  }

  /// M X = alpha B.
  void solve(int64_t n, T alpha, const T* a, T* b) const {
    if (n <= kSmallTriangle) {
      apply_small<true>(n, alpha, a, b);
      return;
    }
    const Split split = split_at_half(n, a, b);
    const Half& target = lower_ ? split.second : split.first;
    const Half& source = lower_ ? split.first : split.second;
    solve(source.n, alpha, source.a, source.b);
    add_product(split, target, source, T(-1), alpha);
    solve(target.n, T(1), target.a, target.b);
  }

 private:
  struct Half {
    int64_t n;
    const T* a;  // its diagonal block
    T* b;
  };
  struct Split {
    Half first, second;
    const T* between;  // the stored block off the diagonal
  };

  T* rows_of_b(T* b, int64_t i) const { return left_ ? b + i : b + i * ldb_; }

  Split split_at_half(int64_t n, const T* a, T* b) const {
    const int64_t half = (n / 2 + kSmallTriangle - 1) / kSmallTriangle * kSmallTriangle;
    return {{half, a, b},
            {n - half, a + half + half * lda_, rows_of_b(b, half)},
            stored_upper_ ? a + half * lda_ : a + half};
  }

  // target = alpha M(target, source) source + beta target
  void add_product(const Split& split, const Half& target, const Half& source, T alpha,
                   T beta) const {
    if (left_)
      gemm(trans_, Transpose::no, target.n, sides_, source.n, alpha, split.between, lda_, source.b,
           ldb_, beta, target.b, ldb_);
    else
      gemm(Transpose::no, trans_, sides_, target.n, source.n, alpha, source.b, ldb_, split.between,
           lda_, beta, target.b, ldb_);
  }

  // Element (i, j) of M.
  T element(const T* a, int64_t i, int64_t j) const {
    const bool swap = left_ == (trans_ != Transpose::no);
    const T value = swap ? a[j + i * lda_] : a[i + j * lda_];
    return trans_ == Transpose::conjugate ? conjugate(value) : value;
  }

  // The triangle as kernels want it: lower, by rows.
  template <bool reciprocal>
  void pack_triangle(int64_t n, const T* a, T* m) const {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = lower_ ? i : n - 1 - i;
      for (int64_t k = 0; k < i; ++k) m[i * n + k] = element(a, row, lower_ ? k : n - 1 - k);
      T diagonal(1);
      if (diag_ == Diagonal::stored) {
        diagonal = element(a, row, row);
        if constexpr (reciprocal && is_complex<T>) diagonal = T(1) / diagonal;
      }
      m[i * n + i] = diagonal;
    }
  }

  template <bool solving>
  void apply_small(int64_t n, T alpha, const T* a, T* b) const {
    using R = Real<T>;
    const auto& kernel = kernels::triangle_panel_kernels<T>();
    Scratch<T> m(n * n);
    pack_triangle<solving>(n, a, m.data());
    const int64_t lanes = kernel.lanes;
    const int64_t panels = (sides_ + lanes - 1) / lanes;
    const size_t bytes = static_cast<size_t>(n * n * lanes) * sizeof(T) / 4;
    for_each_task(panels, bytes, [&](int64_t p) {
      Scratch<R> panel(n * lanes * static_cast<int64_t>(sizeof(T) / sizeof(R)));
      const int64_t first = p * lanes, count = std::min(lanes, sides_ - first);
      T* sides = left_ ? b + first * ldb_ : b + first;
      load_panel(n, alpha, sides, count, lanes, panel.data());
      (solving ? kernel.solve : kernel.multiply)(n, m.data(), panel.data());
      store_panel(n, panel.data(), sides, count, lanes);
    });
  }

  // Calls body(row of the panel, lane, place in B) in B's memory order.
  template <class Body>
  void for_panel(int64_t n, int64_t count, Body body) const {
    const auto panel_row = [&](int64_t k) { return lower_ ? k : n - 1 - k; };
    if (left_) {
      for (int64_t lane = 0; lane < count; ++lane)
        for (int64_t k = 0; k < n; ++k) body(panel_row(k), lane, k + lane * ldb_);
    } else {
      for (int64_t k = 0; k < n; ++k)
        for (int64_t lane = 0; lane < count; ++lane) body(panel_row(k), lane, lane + k * ldb_);
    }
  }
  void load_panel(int64_t n, T alpha, const T* b, int64_t count, int64_t lanes,
                  Real<T>* panel) const {
    constexpr int64_t parts = sizeof(T) / sizeof(Real<T>);
    if (count < lanes) std::fill_n(panel, n * lanes * parts, Real<T>(0));
    const bool scaled = alpha != T(1);
    for_panel(n, count, [&](int64_t row, int64_t lane, int64_t place) {
      const T value = scaled ? product(alpha, b[place]) : b[place];
      panel[row * parts * lanes + lane] = real_part(value);
      if constexpr (is_complex<T>) panel[(row * parts + 1) * lanes + lane] = value.imag();
    });
  }
  void store_panel(int64_t n, const Real<T>* panel, T* b, int64_t count, int64_t lanes) const {
    constexpr int64_t parts = sizeof(T) / sizeof(Real<T>);
    for_panel(n, count, [&](int64_t row, int64_t lane, int64_t place) {
      if constexpr (is_complex<T>)
        b[place] = T(panel[row * parts * lanes + lane], panel[(row * parts + 1) * lanes + lane]);
      else
        b[place] = panel[row * lanes + lane];
    });
  }

  bool left_, stored_upper_;
  Transpose trans_;
  Diagonal diag_;
  int64_t sides_, lda_, ldb_;
  bool lower_;  // M
};

template <class T>
void set_zero(int64_t m, int64_t n, T* b, int64_t ldb) {
  for (int64_t j = 0; j < n; ++j) std::fill_n(b + j * ldb, m, T(0));
}

}  // namespace

template <class T>
void trmm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, T* b, int64_t ldb) {
  if (m <= 0 || n <= 0) return;
  if (alpha == T(0)) return set_zero(m, n, b, ldb);
  const bool left = side == Side::left;
  TriangularMatrix<T>(side, uplo, trans, diag, left ? n : m, lda, ldb)
      .multiply(left ? m : n, alpha, a, b);
}

template <class T>
void trmm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (c != b && alpha != T(0))
    for (int64_t j = 0; j < n; ++j) std::copy_n(b + j * ldb, m, c + j * ldc);
  trmm(side, uplo, trans, diag, m, n, alpha, a, lda, c, ldc);
}

template <class T>
void trsm(Side side, Triangle uplo, Transpose trans, Diagonal diag, int64_t m, int64_t n, T alpha,
          const T* a, int64_t lda, T* b, int64_t ldb) {
  if (m <= 0 || n <= 0) return;
  if (alpha == T(0)) return set_zero(m, n, b, ldb);
  const bool left = side == Side::left;
  TriangularMatrix<T>(side, uplo, trans, diag, left ? n : m, lda, ldb)
      .solve(left ? m : n, alpha, a, b);
}

#define GUDA_INSTANTIATE(T)                                                                       \
  template void trmm(Side, Triangle, Transpose, Diagonal, int64_t, int64_t, T, const T*, int64_t, \
                     T*, int64_t);                                                                \
  template void trmm(Side, Triangle, Transpose, Diagonal, int64_t, int64_t, T, const T*, int64_t, \
                     const T*, int64_t, T*, int64_t);                                             \
  template void trsm(Side, Triangle, Transpose, Diagonal, int64_t, int64_t, T, const T*, int64_t, \
                     T*, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
