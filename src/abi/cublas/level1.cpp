// Level 1 with the element type in the name.
#include "blas/level1.h"

#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/legacy.h"

#include <array>

namespace guda::cublas {
namespace {

using blas::Real;

template <class T, class Int>
Result nrm2(Handle* handle, Int n, const T* x, Int incx, Real<T>* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(result);
  return submit_result(
      handle, vector_ns<T>(n), [&](Uses& use) { use.reads(vector_of(x, n, incx)).result(result); },
      [=] { *result = blas::nrm2<T>(n, x, incx); });
}

template <class T, class Int>
Result asum(Handle* handle, Int n, const T* x, Int incx, Real<T>* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(result);
  return submit_result(
      handle, vector_ns<T>(n), [&](Uses& use) { use.reads(vector_of(x, n, incx)).result(result); },
      [=] { *result = blas::asum<T>(n, x, incx); });
}

template <class T, class Int>
Result dot(Handle* handle, Int n, const T* x, Int incx, const T* y, Int incy, T* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(result);
  return submit_result(
      handle, vector_ns<T>(n),
      [&](Uses& use) {
        use.reads(vector_of(x, n, incx)).reads(vector_of(y, n, incy)).result(result);
      },
      [=] { *result = blas::dot<T>(n, x, incx, y, incy); });
}

template <class T, class Int>
Result dotc(Handle* handle, Int n, const T* x, Int incx, const T* y, Int incy, T* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(result);
  return submit_result(
      handle, vector_ns<T>(n),
      [&](Uses& use) {
        use.reads(vector_of(x, n, incx)).reads(vector_of(y, n, incy)).result(result);
      },
      [=] { *result = blas::dotc<T>(n, x, incx, y, incy); });
}

/// Indices are 1-based here; 0 for an empty vector.
template <class T, class Int>
Result iamax(Handle* handle, Int n, const T* x, Int incx, Int* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(result);
  return submit_result(
      handle, vector_ns<T>(n), [&](Uses& use) { use.reads(vector_of(x, n, incx)).result(result); },
      [=] { *result = static_cast<Int>(blas::iamax<T>(n, x, incx) + 1); });
}

template <class T, class Int>
Result iamin(Handle* handle, Int n, const T* x, Int incx, Int* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(result);
  return submit_result(
      handle, vector_ns<T>(n), [&](Uses& use) { use.reads(vector_of(x, n, incx)).result(result); },
      [=] { *result = static_cast<Int>(blas::iamin<T>(n, x, incx) + 1); });
}

template <class T, class Int>
Result scal(Handle* handle, Int n, const T* alpha, T* x, Int incx) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(alpha);
  if (n <= 0) return kSuccess;
  Scalar<T> factor(handle, alpha);
  return submit(
      handle, vector_ns<T>(n), [&](Uses& use) { use.scalar(alpha).writes(vector_of(x, n, incx)); },
      [=] { blas::scal<T>(n, factor.get(), x, incx); });
}

template <class T, class Int>
Result scal_real(Handle* handle, Int n, const Real<T>* alpha, T* x, Int incx) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(alpha);
  if (n <= 0) return kSuccess;
  Scalar<Real<T>> factor(handle, alpha);
  return submit(
      handle, vector_ns<T>(n), [&](Uses& use) { use.scalar(alpha).writes(vector_of(x, n, incx)); },
      [=] { blas::scal_real<T>(n, factor.get(), x, incx); });
}

template <class T, class Int>
Result axpy(Handle* handle, Int n, const T* alpha, const T* x, Int incx, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(alpha);
  if (n <= 0) return kSuccess;
  Scalar<T> factor(handle, alpha);
  return submit(
      handle, vector_ns<T>(n),
      [&](Uses& use) {
        use.scalar(alpha).reads(vector_of(x, n, incx)).writes(vector_of(y, n, incy));
      },
      [=] { blas::axpy<T>(n, factor.get(), x, incx, y, incy); });
}

template <class T, class Int>
Result copy(Handle* handle, Int n, const T* x, Int incx, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  if (n <= 0) return kSuccess;
  return submit(
      handle, vector_ns<T>(n),
      [&](Uses& use) { use.reads(vector_of(x, n, incx)).writes(vector_of(y, n, incy)); },
      [=] { blas::copy<T>(n, x, incx, y, incy); });
}

template <class T, class Int>
Result swap(Handle* handle, Int n, T* x, Int incx, T* y, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  if (n <= 0) return kSuccess;
  return submit(
      handle, vector_ns<T>(n),
      [&](Uses& use) { use.writes(vector_of(x, n, incx)).writes(vector_of(y, n, incy)); },
      [=] { blas::swap<T>(n, x, incx, y, incy); });
}

/// S: the type of the sine.
template <class T, class S, class Int>
Result rot(Handle* handle, Int n, T* x, Int incx, T* y, Int incy, const Real<T>* c, const S* s) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(c && s);
  if (n <= 0) return kSuccess;
  Scalar<Real<T>> cosine(handle, c);
  Scalar<S> sine(handle, s);
  return submit(
      handle, vector_ns<T>(n),
      [&](Uses& use) {
        use.writes(vector_of(x, n, incx)).writes(vector_of(y, n, incy)).scalar(c).scalar(s);
      },
      [=] { blas::rot<T, S>(n, x, incx, y, incy, cosine.get(), sine.get()); });
}

/// In host pointer mode everything is in host memory, and no stream has a part in it.
template <class T>
Result rotg(Handle* handle, T* a, T* b, Real<T>* c, T* s) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(a && b && c && s);
  if (handle->pointer_mode == kHostPointers) {
    blas::rotg<T>(a, b, c, s);
    return kSuccess;
  }
  return submit(
      handle, 0, [&](Uses& use) { use.result(a).result(b).result(c).result(s); },
      [=] { blas::rotg<T>(a, b, c, s); });
}

template <class T, class Int>
Result rotm(Handle* handle, Int n, T* x, Int incx, T* y, Int incy, const T* param) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(param);
  if (n <= 0) return kSuccess;
  Scalar<std::array<T, 5>> rotation(handle, reinterpret_cast<const std::array<T, 5>*>(param));
  return submit(
      handle, vector_ns<T>(n),
      [&](Uses& use) {
        use.writes(vector_of(x, n, incx)).writes(vector_of(y, n, incy)).scalar(param, 5);
      },
      [=] {
        std::array<T, 5> values = rotation.get();
        blas::rotm<T>(n, x, incx, y, incy, values.data());
      });
}

template <class T>
Result rotmg(Handle* handle, T* d1, T* d2, T* x1, const T* y1, T* param) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(d1 && d2 && x1 && y1 && param);
  if (handle->pointer_mode == kHostPointers) {
    blas::rotmg<T>(d1, d2, x1, *y1, param);
    return kSuccess;
  }
  return submit(
      handle, 0,
      [&](Uses& use) {
        use.result(d1).result(d2).result(x1).scalar(y1).result_bytes(param, 5 * sizeof(T));
      },
      [=] { blas::rotmg<T>(d1, d2, x1, *y1, param); });
}

GUDA_ENTRY_SD(nrm2_v2, nrm2);
GUDA_ENTRY_SIZES(cublasScnrm2_v2, nrm2, ComplexFloat);
GUDA_ENTRY_SIZES(cublasDznrm2_v2, nrm2, ComplexDouble);
GUDA_ENTRY_SD(asum_v2, asum);
GUDA_ENTRY_SIZES(cublasScasum_v2, asum, ComplexFloat);
GUDA_ENTRY_SIZES(cublasDzasum_v2, asum, ComplexDouble);
GUDA_ENTRY_SD(dot_v2, dot);
GUDA_ENTRY_CZ(dotu_v2, dot);
GUDA_ENTRY_CZ(dotc_v2, dotc);
GUDA_ENTRY_SIZES(cublasIsamax_v2, iamax, float);
GUDA_ENTRY_SIZES(cublasIdamax_v2, iamax, double);
GUDA_ENTRY_SIZES(cublasIcamax_v2, iamax, ComplexFloat);
GUDA_ENTRY_SIZES(cublasIzamax_v2, iamax, ComplexDouble);
GUDA_ENTRY_SIZES(cublasIsamin_v2, iamin, float);
GUDA_ENTRY_SIZES(cublasIdamin_v2, iamin, double);
GUDA_ENTRY_SIZES(cublasIcamin_v2, iamin, ComplexFloat);
GUDA_ENTRY_SIZES(cublasIzamin_v2, iamin, ComplexDouble);
GUDA_ENTRY_SDCZ(scal_v2, scal);
GUDA_ENTRY_SIZES(cublasCsscal_v2, scal_real, ComplexFloat);
GUDA_ENTRY_SIZES(cublasZdscal_v2, scal_real, ComplexDouble);
GUDA_ENTRY_SDCZ(axpy_v2, axpy);
GUDA_ENTRY_SDCZ(copy_v2, copy);
GUDA_ENTRY_SDCZ(swap_v2, swap);
GUDA_ENTRY_SIZES(cublasSrot_v2, rot, float, float);
GUDA_ENTRY_SIZES(cublasDrot_v2, rot, double, double);
GUDA_ENTRY_SIZES(cublasCrot_v2, rot, ComplexFloat, ComplexFloat);
GUDA_ENTRY_SIZES(cublasCsrot_v2, rot, ComplexFloat, float);
GUDA_ENTRY_SIZES(cublasZrot_v2, rot, ComplexDouble, ComplexDouble);
GUDA_ENTRY_SIZES(cublasZdrot_v2, rot, ComplexDouble, double);
GUDA_ENTRY_SDCZ_INT(rotg_v2, rotg);
GUDA_ENTRY_SD(rotm_v2, rotm);
GUDA_ENTRY(cublasSrotmg_v2, rotmg<float>);
GUDA_ENTRY(cublasDrotmg_v2, rotmg<double>);

// cublas.h: the position of a scalar counts from the argument after the handle.
GUDA_LEGACY_RESULT(cublasSnrm2, nrm2<float, int>);
GUDA_LEGACY_RESULT(cublasDnrm2, nrm2<double, int>);
GUDA_LEGACY_RESULT(cublasScnrm2, nrm2<ComplexFloat, int>);
GUDA_LEGACY_RESULT(cublasDznrm2, nrm2<ComplexDouble, int>);
GUDA_LEGACY_RESULT(cublasSasum, asum<float, int>);
GUDA_LEGACY_RESULT(cublasDasum, asum<double, int>);
GUDA_LEGACY_RESULT(cublasScasum, asum<ComplexFloat, int>);
GUDA_LEGACY_RESULT(cublasDzasum, asum<ComplexDouble, int>);
GUDA_LEGACY_RESULT(cublasIsamax, iamax<float, int>);
GUDA_LEGACY_RESULT(cublasIdamax, iamax<double, int>);
GUDA_LEGACY_RESULT(cublasIcamax, iamax<ComplexFloat, int>);
GUDA_LEGACY_RESULT(cublasIzamax, iamax<ComplexDouble, int>);
GUDA_LEGACY_RESULT(cublasIsamin, iamin<float, int>);
GUDA_LEGACY_RESULT(cublasIdamin, iamin<double, int>);
GUDA_LEGACY_RESULT(cublasIcamin, iamin<ComplexFloat, int>);
GUDA_LEGACY_RESULT(cublasIzamin, iamin<ComplexDouble, int>);
GUDA_LEGACY_RESULT(cublasSdot, dot<float, int>);
GUDA_LEGACY_RESULT(cublasDdot, dot<double, int>);
GUDA_LEGACY_RESULT(cublasCdotu, dot<ComplexFloat, int>);
GUDA_LEGACY_RESULT(cublasZdotu, dot<ComplexDouble, int>);
GUDA_LEGACY_RESULT(cublasCdotc, dotc<ComplexFloat, int>);
GUDA_LEGACY_RESULT(cublasZdotc, dotc<ComplexDouble, int>);
GUDA_LEGACY_SDCZ(scal, at(1), scal);
GUDA_LEGACY(cublasCsscal, at(1), scal_real<ComplexFloat, int>);
GUDA_LEGACY(cublasZdscal, at(1), scal_real<ComplexDouble, int>);
GUDA_LEGACY_SDCZ(axpy, at(1), axpy);
GUDA_LEGACY_SDCZ(copy, at(), copy);
GUDA_LEGACY_SDCZ(swap, at(), swap);
GUDA_LEGACY(cublasSrot, at(5, 6), rot<float, float, int>);
GUDA_LEGACY(cublasDrot, at(5, 6), rot<double, double, int>);
GUDA_LEGACY(cublasCrot, at(5, 6), rot<ComplexFloat, ComplexFloat, int>);
GUDA_LEGACY(cublasCsrot, at(5, 6), rot<ComplexFloat, float, int>);
GUDA_LEGACY(cublasZrot, at(5, 6), rot<ComplexDouble, ComplexDouble, int>);
GUDA_LEGACY(cublasZdrot, at(5, 6), rot<ComplexDouble, double, int>);
GUDA_LEGACY(cublasSrotg, at(), rotg<float>);
GUDA_LEGACY(cublasDrotg, at(), rotg<double>);
GUDA_LEGACY(cublasCrotg, at(1), rotg<ComplexFloat>);
GUDA_LEGACY(cublasZrotg, at(1), rotg<ComplexDouble>);
GUDA_LEGACY_SD(rotm, at(), rotm);
GUDA_LEGACY(cublasSrotmg, at(), rotmg<float>);
GUDA_LEGACY(cublasDrotmg, at(), rotmg<double>);

}  // namespace
}  // namespace guda::cublas
