// BLAS level 1: vectors. See types.h for the meaning of increments; an increment of 0 names one element
// n times. x and y must not overlap unless they are the same vector with the same increment.
#pragma once

#include "blas/types.h"

namespace guda::blas {

/// y += alpha x. alpha == 0 reads nothing.
template <class T>
void axpy(int64_t n, T alpha, const T* x, int64_t incx, T* y, int64_t incy);

/// y = alpha x + beta y. beta == 0 does not read y, alpha == 0 does not read x.
template <class T>
void axpby(int64_t n, T alpha, const T* x, int64_t incx, T beta, T* y, int64_t incy);

/// Sum of x_i y_i (no conjugation: dot and dotu). The same bits for any number of threads.
template <class T>
T dot(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy);

/// Sum of conj(x_i) y_i; dot for real types.
template <class T>
T dotc(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy);

/// The dot product of float vectors, accumulated in double: dsdot; sdsdot adds `b` and rounds once.
double dsdot(int64_t n, const float* x, int64_t incx, const float* y, int64_t incy);
float sdsdot(int64_t n, float b, const float* x, int64_t incx, const float* y, int64_t incy);

/// Euclidean norm without undue overflow or underflow. A NaN gives NaN, else an infinity gives infinity.
/// Increments below 1 are allowed.
template <class T>
Real<T> nrm2(int64_t n, const T* x, int64_t incx);

/// Sum of |x_i|, |re| + |im| for complex elements. 0 when incx < 1.
template <class T>
Real<T> asum(int64_t n, const T* x, int64_t incx);

/// 0-based index of the first element with the largest (iamax) or smallest (iamin) |x_i|, |re| + |im|
/// for complex elements. -1 when n < 1 or incx < 1. A NaN at index 0 is the answer, later ones are
/// passed over.
template <class T>
int64_t iamax(int64_t n, const T* x, int64_t incx);
template <class T>
int64_t iamin(int64_t n, const T* x, int64_t incx);

/// x *= alpha; nothing when incx < 1. alpha == 0 multiplies too, so that NaN stays NaN.
template <class T>
void scal(int64_t n, T alpha, T* x, int64_t incx);
/// A complex vector times a real number: csscal, zdscal. For real types the same as scal.
template <class T>
void scal_real(int64_t n, Real<T> alpha, T* x, int64_t incx);

/// y = x.
template <class T>
void copy(int64_t n, const T* x, int64_t incx, T* y, int64_t incy);
/// Exchanges x and y.
template <class T>
void swap(int64_t n, T* x, int64_t incx, T* y, int64_t incy);

/// x' = c x + s y, y' = c y - conj(s) x. S is T, or the real type of T (csrot, zdrot).
template <class T, class S>
void rot(int64_t n, T* x, int64_t incx, T* y, int64_t incy, Real<T> c, S s);

/// The rotation with [c s; -conj(s) c] (a; b) = (r; 0): a becomes r, and b the number z from which real
/// c and s can be found again (b of complex types is not changed). No undue overflow or underflow.
template <class T>
void rotg(T* a, T* b, Real<T>* c, T* s);

/// The modified rotation with the five parameters of `param` (float and double): param[0] is the flag
/// -2 (identity), -1 (all of H), 0 (h11 = h22 = 1) or 1 (h12 = 1, h21 = -1); param[1..4] are h11, h21,
/// h12, h22.
template <class T>
void rotm(int64_t n, T* x, int64_t incx, T* y, int64_t incy, const T* param);
/// Finds such parameters that zero the second component of (sqrt(d1) x1, sqrt(d2) y1).
template <class T>
void rotmg(T* d1, T* d2, T* x1, T y1, T* param);

}  // namespace guda::blas
