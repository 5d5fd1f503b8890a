// One triangle of a product (gemmt), and the rank-k and rank-2k updates made of it.
#include <algorithm>

#include "blas/level3.h"
#include "blas/scratch.h"

namespace guda::blas {
namespace {

// Diagonal blocks of this order are computed as squares of which half is used.
constexpr int64_t kSquare = 64;

// C = element + beta C for one triangle.
template <class T, class Element>
void add_triangle(Triangle uplo, int64_t n, T beta, T* c, int64_t ldc, Element element) {
  for (int64_t j = 0; j < n; ++j) {
    const int64_t first = uplo == Triangle::upper ? 0 : j;
    const int64_t last = uplo == Triangle::upper ? j + 1 : n;
    T* to = c + j * ldc;
    if (beta == T(0)) {
      for (int64_t i = first; i < last; ++i) to[i] = element(i, j);
    } else if (beta == T(1)) {
      for (int64_t i = first; i < last; ++i) to[i] += element(i, j);
    } else {
      for (int64_t i = first; i < last; ++i) to[i] = element(i, j) + product(beta, to[i]);
    }
  }
}

// op(A) op(B)^T or op(A) op(B)^H as gemm sees it.
struct Operations {
  Transpose a, b;
};
Operations symmetric(Transpose trans) {
  if (trans == Transpose::no) return {Transpose::no, Transpose::yes};
  return {Transpose::yes, Transpose::no};
}
Operations hermitian(Transpose trans) {
  if (trans == Transpose::no) return {Transpose::no, Transpose::conjugate};
  return {Transpose::conjugate, Transpose::no};
}

template <class T>
struct TriangleProduct {
  Triangle uplo;
  Transpose transa, transb;
  int64_t k;
  T alpha;
  int64_t lda, ldb;
  T beta;
  int64_t ldc;

  const T* rows_of_a(const T* a, int64_t i) const {
    return transa == Transpose::no ? a + i : a + i * lda;
  }
  const T* columns_of_b(const T* b, int64_t j) const {
    return transb == Transpose::no ? b + j * ldb : b + j;
  }

  void run(int64_t n, const T* a, const T* b, T* c) const {
    if (n <= kSquare) {
      square(n, a, b, c);
      return;
    }
    const int64_t half = (n / 2 + kSquare - 1) / kSquare * kSquare;
    const int64_t rest = n - half;
    const T* a2 = rows_of_a(a, half);
    const T* b2 = columns_of_b(b, half);
    run(half, a, b, c);
    if (uplo == Triangle::upper)
      gemm(transa, transb, half, rest, k, alpha, a, lda, b2, ldb, beta, c + half * ldc, ldc);
    else
      gemm(transa, transb, rest, half, k, alpha, a2, lda, b, ldb, beta, c + half, ldc);
    run(rest, a2, b2, c + half + half * ldc);
  }

  void square(int64_t n, const T* a, const T* b, T* c) const {
    Scratch<T> full(n * n);
    gemm(transa, transb, n, n, k, alpha, a, lda, b, ldb, T(0), full.data(), n);
    add_triangle(uplo, n, beta, c, ldc, [&](int64_t i, int64_t j) { return full[i + j * n]; });
  }
};

// C = alpha op(A) op(B)' + conj(alpha) op(B) op(A)' + beta C for one triangle, ' the transpose or the
// adjoint. On the diagonal the second product is the first one's mirror image.
template <bool hermitian_form, class T>
struct TwoTriangleProducts {
  Triangle uplo;
  Operations op;
  int64_t k;
  T alpha;
  int64_t lda, ldb;
  T beta;
  int64_t ldc;

  void run(int64_t n, const T* a, const T* b, T* c) const {
    if (n <= kSquare) {
      Scratch<T> full(n * n);
      gemm(op.a, op.b, n, n, k, alpha, a, lda, b, ldb, T(0), full.data(), n);
      add_triangle(uplo, n, beta, c, ldc, [&](int64_t i, int64_t j) {
        const T mirror = full[j + i * n];
        return full[i + j * n] + (hermitian_form ? conjugate(mirror) : mirror);
      });
      return;
    }
    const int64_t half = (n / 2 + kSquare - 1) / kSquare * kSquare;
    const int64_t rest = n - half;
    const bool plain = op.a == Transpose::no;
    const T* a2 = plain ? a + half : a + half * lda;
    const T* b2 = plain ? b + half : b + half * ldb;
    const T second = hermitian_form ? conjugate(alpha) : alpha;
    run(half, a, b, c);
    if (uplo == Triangle::upper) {
      T* c12 = c + half * ldc;
      gemm(op.a, op.b, half, rest, k, alpha, a, lda, b2, ldb, beta, c12, ldc);
      gemm(op.a, op.b, half, rest, k, second, b, ldb, a2, lda, T(1), c12, ldc);
    } else {
      T* c21 = c + half;
      gemm(op.a, op.b, rest, half, k, alpha, a2, lda, b, ldb, beta, c21, ldc);
      gemm(op.a, op.b, rest, half, k, second, b2, ldb, a, lda, T(1), c21, ldc);
    }
    run(rest, a2, b2, c + half + half * ldc);
  }
};

template <class T>
void scale_triangle(Triangle uplo, int64_t n, T beta, T* c, int64_t ldc) {
  for (int64_t j = 0; j < n; ++j) {
    const int64_t first = uplo == Triangle::upper ? 0 : j;
    const int64_t last = uplo == Triangle::upper ? j + 1 : n;
    for (int64_t i = first; i < last; ++i)
      c[i + j * ldc] = beta == T(0) ? T(0) : product(beta, c[i + j * ldc]);
  }
}

// What Hermitian updates do to C before: a real factor (so that infinities stay what they are), and no
// imaginary parts on the diagonal.
template <class T>
void scale_hermitian(Triangle uplo, int64_t n, Real<T> beta, T* c, int64_t ldc) {
  for (int64_t j = 0; j < n; ++j) {
    const int64_t first = uplo == Triangle::upper ? 0 : j;
    const int64_t last = uplo == Triangle::upper ? j + 1 : n;
    if (beta != Real<T>(1)) {
      for (int64_t i = first; i < last; ++i)
        c[i + j * ldc] = beta == Real<T>(0) ? T(0) : c[i + j * ldc] * beta;
    }
    c[j + j * ldc] = T(real_part(c[j + j * ldc]));
  }
}

template <class T>
void make_diagonal_real(int64_t n, T* c, int64_t ldc) {
  for (int64_t j = 0; j < n; ++j) c[j + j * ldc] = T(real_part(c[j + j * ldc]));
}

}  // namespace

template <class T>
void gemmt(Triangle uplo, Transpose transa, Transpose transb, int64_t n, int64_t k, T alpha,
           const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (n <= 0) return;
  if (alpha == T(0) || k <= 0) {
    if (beta != T(1)) scale_triangle(uplo, n, beta, c, ldc);
    return;
  }
  TriangleProduct<T>{uplo, transa, transb, k, alpha, lda, ldb, beta, ldc}.run(n, a, b, c);
}

template <class T>
void syrk(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          T beta, T* c, int64_t ldc) {
  syrkx(uplo, trans, n, k, alpha, a, lda, a, lda, beta, c, ldc);
}

template <class T>
void syrkx(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  const Operations op = symmetric(trans);
  gemmt(uplo, op.a, op.b, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

template <class T>
void herk(Triangle uplo, Transpose trans, int64_t n, int64_t k, Real<T> alpha, const T* a,
          int64_t lda, Real<T> beta, T* c, int64_t ldc) {
  herkx(uplo, trans, n, k, T(alpha), a, lda, a, lda, beta, c, ldc);
}

template <class T>
void herkx(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, Real<T> beta, T* c, int64_t ldc) {
  const bool nothing = alpha == T(0) || k <= 0;
  if (n <= 0 || (nothing && beta == Real<T>(1))) return;
  const Operations op = hermitian(trans);
  const bool fresh = beta == Real<T>(0) && !nothing;
  if (!fresh) scale_hermitian(uplo, n, beta, c, ldc);
  gemmt(uplo, op.a, op.b, n, k, alpha, a, lda, b, ldb, fresh ? T(0) : T(1), c, ldc);
  make_diagonal_real(n, c, ldc);
}

template <class T>
void syr2k(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (n <= 0) return;
  if (alpha == T(0) || k <= 0) {
    if (beta != T(1)) scale_triangle(uplo, n, beta, c, ldc);
    return;
  }
  TwoTriangleProducts<false, T>{uplo, symmetric(trans), k, alpha, lda, ldb, beta, ldc}.run(n, a, b,
                                                                                           c);
}

template <class T>
void her2k(Triangle uplo, Transpose trans, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
           const T* b, int64_t ldb, Real<T> beta, T* c, int64_t ldc) {
  const bool nothing = alpha == T(0) || k <= 0;
  if (n <= 0 || (nothing && beta == Real<T>(1))) return;
  const bool fresh = beta == Real<T>(0) && !nothing;
  if (!fresh) scale_hermitian(uplo, n, beta, c, ldc);
  if (nothing) return;
  TwoTriangleProducts<true, T>{uplo, hermitian(trans), k, alpha, lda, ldb, T(fresh ? 0 : 1), ldc}
      .run(n, a, b, c);
  make_diagonal_real(n, c, ldc);
}

#define GUDA_INSTANTIATE(T)                                                                        \
  template void gemmt(Triangle, Transpose, Transpose, int64_t, int64_t, T, const T*, int64_t,      \
                      const T*, int64_t, T, T*, int64_t);                                          \
  template void syrk(Triangle, Transpose, int64_t, int64_t, T, const T*, int64_t, T, T*, int64_t); \
  template void syrkx(Triangle, Transpose, int64_t, int64_t, T, const T*, int64_t, const T*,       \
                      int64_t, T, T*, int64_t);                                                    \
  template void herk(Triangle, Transpose, int64_t, int64_t, Real<T>, const T*, int64_t, Real<T>,   \
                     T*, int64_t);                                                                 \
  template void herkx(Triangle, Transpose, int64_t, int64_t, T, const T*, int64_t, const T*,       \
                      int64_t, Real<T>, T*, int64_t);                                              \
  template void syr2k(Triangle, Transpose, int64_t, int64_t, T, const T*, int64_t, const T*,       \
                      int64_t, T, T*, int64_t);                                                    \
  template void her2k(Triangle, Transpose, int64_t, int64_t, T, const T*, int64_t, const T*,       \
                      int64_t, Real<T>, T*, int64_t);
GUDA_INSTANTIATE(float)
GUDA_INSTANTIATE(double)
GUDA_INSTANTIATE(std::complex<float>)
GUDA_INSTANTIATE(std::complex<double>)
#undef GUDA_INSTANTIATE

}  // namespace guda::blas
