// Level 1 with types as arguments. Vectors of 16-bit floats are calculated with in single precision.
#include "abi/cublas/element.h"
#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "blas/level1.h"

#include <array>
#include <vector>

namespace guda::cublas {
namespace {

using blas::Real;

template <class T>
inline constexpr bool kIsNarrow = !std::is_same_v<T, Wide<T>>;

/// A vector in the type that is calculated with: the program's own, or a copy of it. first() and increment()
/// are what the BLAS takes.
template <class T>
class WideVector {
 public:
  WideVector(const T* x, int64_t n, int64_t increment) : x_(x), n_(n), increment_(increment) {
    if constexpr (kIsNarrow<T>) {
      if (n <= 0) return;
      copy_.resize(n);
      const T* first = blas::first_element(x, n, increment);
      for (int64_t i = 0; i < n; ++i) copy_[i] = widen(first[i * increment]);
    }
  }
  Wide<T>* first() {
    if constexpr (kIsNarrow<T>)
      return copy_.data();
    else
      return const_cast<T*>(x_);
  }
  int64_t increment() const { return kIsNarrow<T> ? 1 : increment_; }
  /// Writes the copy back.
  void store() {
    if constexpr (kIsNarrow<T>) {
      T* first = const_cast<T*>(blas::first_element(x_, n_, increment_));
      for (int64_t i = 0; i < n_; ++i) first[i * increment_] = narrow<T>(copy_[i]);
    }
  }

 private:
  const T* x_;
  int64_t n_, increment_;
  std::vector<Wide<T>> copy_;
};

/// Calls step(first, m) for pieces of a narrow vector, widened; long vectors would need as much memory again.
constexpr int64_t kPiece = 2048;
template <class T, class Step>
void for_pieces(int64_t n, Step step) {
  for (int64_t first = 0; first < n; first += kPiece) step(first, std::min(kPiece, n - first));
}
template <class T>
void widen_piece(const T* x, int64_t increment, int64_t first, int64_t m, Wide<T>* out) {
  const T* from = x + first * increment;
  if (increment == 1) {
    for (int64_t i = 0; i < m; ++i) out[i] = widen(from[i]);
  } else {
    for (int64_t i = 0; i < m; ++i) out[i] = widen(from[i * increment]);
  }
}

/// Sums over narrow vectors: pieces in float, their sums in double.
template <class T>
double dot_of_pieces(int64_t n, const T* x, int64_t incx, const T* y, int64_t incy) {
  const T* left = blas::first_element(x, n, incx);
  const T* right = blas::first_element(y, n, incy);
  std::array<float, kPiece> a, b;
  double sum = 0;
  for_pieces<T>(n, [&](int64_t first, int64_t m) {
    widen_piece(left, incx, first, m, a.data());
    widen_piece(right, incy, first, m, b.data());
    sum += blas::dot<float>(m, a.data(), 1, b.data(), 1);
  });
  return sum;
}
/// Of magnitudes, or of squares: which do not overflow in double.
template <class T, bool kSquares>
double sum_of_pieces(int64_t n, const T* x, int64_t incx) {
  const T* from = blas::first_element(x, n, incx);
  std::array<float, kPiece> a;
  double sum = 0;
  for_pieces<T>(n, [&](int64_t first, int64_t m) {
    widen_piece(from, incx, first, m, a.data());
    for (int64_t i = 0; i < m; ++i) {
      double value = a[i];
      sum += kSquares ? value * value : std::fabs(value);
    }
  });
  return sum;
}

/// Results of nrm2 and asum.
template <class T>
using NormOf = std::conditional_t<kIsNarrow<T>, T, Real<T>>;

/// A real number that a vector has: `of(tag, n, x, incx)` gives it in the type of the result.
template <class Int, class Norm>
Result norm_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, void* result,
               DataType result_type, DataType execution, Norm of) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T> tag) {
    if (result_type != kTypeOf<NormOf<T>> || execution != kTypeOf<Real<Wide<T>>>)
      return kNotSupported;
    GUDA_CUBLAS_CHECK(result);
    auto* from = static_cast<const T*>(x);
    return submit_result(
        handle, vector_ns<T>(n),
        [&](Uses& use) {
          use.reads(vector_of(from, n, incx)).result_bytes(result, sizeof(NormOf<T>));
        },
        [=] { *static_cast<NormOf<T>*>(result) = of(tag, n, from, incx); });
  });
}

template <class Int>
Result nrm2_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, void* result,
               DataType result_type, DataType execution) {
  return norm_ex(handle, n, x, x_type, incx, result, result_type, execution,
                 []<class T>(TypeTag<T>, Int count, const T* from, Int stride) {
                   if constexpr (kIsNarrow<T>)
                     return narrow<T>(static_cast<float>(
                         std::sqrt(sum_of_pieces<T, true>(count, from, stride))));
                   else
                     return blas::nrm2<T>(count, from, stride);
                 });
}

template <class Int>
Result asum_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, void* result,
               DataType result_type, DataType execution) {
  return norm_ex(handle, n, x, x_type, incx, result, result_type, execution,
                 []<class T>(TypeTag<T>, Int count, const T* from, Int stride) {
                   if constexpr (kIsNarrow<T>)
                     return narrow<T>(static_cast<float>(
                         stride < 1 ? 0 : sum_of_pieces<T, false>(count, from, stride)));
                   else
                     return blas::asum<T>(count, from, stride);
                 });
}

template <class Int, bool kConjugated>
Result dot_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, const void* y,
              DataType y_type, Int incy, void* result, DataType result_type, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T>) {
    if (y_type != x_type || result_type != x_type || execution != kTypeOf<Wide<T>>)
      return kNotSupported;
    GUDA_CUBLAS_CHECK(result);
    return submit_result(
        handle, vector_ns<T>(n),
        [&](Uses& use) {
          use.reads(vector_of(static_cast<const T*>(x), n, incx))
              .reads(vector_of(static_cast<const T*>(y), n, incy))
              .result_bytes(result, sizeof(T));
        },
        [=] {
          auto* left = static_cast<const T*>(x);
          auto* right = static_cast<const T*>(y);
          auto* out = static_cast<T*>(result);
          if constexpr (kIsNarrow<T>)
            *out = narrow<T>(static_cast<float>(dot_of_pieces(n, left, incx, right, incy)));
          else if constexpr (kConjugated)
            *out = blas::dotc<T>(n, left, incx, right, incy);
          else
            *out = blas::dot<T>(n, left, incx, right, incy);
        });
  });
}
template <class Int>
Result dotu_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, const void* y,
               DataType y_type, Int incy, void* result, DataType result_type, DataType execution) {
  return dot_ex<Int, false>(handle, n, x, x_type, incx, y, y_type, incy, result, result_type,
                            execution);
}
template <class Int>
Result dotc_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, const void* y,
               DataType y_type, Int incy, void* result, DataType result_type, DataType execution) {
  return dot_ex<Int, true>(handle, n, x, x_type, incx, y, y_type, incy, result, result_type,
                           execution);
}

/// Scalars of vectors of 16-bit floats are floats.
template <class Int>
Result scal_ex(Handle* handle, Int n, const void* alpha, DataType alpha_type, void* x,
               DataType x_type, Int incx, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T>) {
    if (alpha_type != kTypeOf<Wide<T>> || execution != kTypeOf<Wide<T>>) return kNotSupported;
    GUDA_CUBLAS_CHECK(alpha);
    if (n <= 0 || incx < 1) return kSuccess;
    Scalar<Wide<T>> factor(handle, static_cast<const Wide<T>*>(alpha));
    return submit(
        handle, vector_ns<T>(n),
        [&](Uses& use) {
          use.scalar_bytes(alpha, sizeof(Wide<T>))
              .writes(vector_of(static_cast<const T*>(x), n, incx));
        },
        [=] {
          WideVector<T> wide(static_cast<const T*>(x), n, incx);
          blas::scal<Wide<T>>(n, factor.get(), wide.first(), wide.increment());
          wide.store();
        });
  });
}

template <class Int>
Result axpy_ex(Handle* handle, Int n, const void* alpha, DataType alpha_type, const void* x,
               DataType x_type, Int incx, void* y, DataType y_type, Int incy, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T>) {
    if (alpha_type != kTypeOf<Wide<T>> || y_type != x_type || execution != kTypeOf<Wide<T>>)
      return kNotSupported;
    GUDA_CUBLAS_CHECK(alpha);
    if (n <= 0) return kSuccess;
    Scalar<Wide<T>> factor(handle, static_cast<const Wide<T>*>(alpha));
    return submit(
        handle, vector_ns<T>(n),
        [&](Uses& use) {
          use.scalar_bytes(alpha, sizeof(Wide<T>))
              .reads(vector_of(static_cast<const T*>(x), n, incx))
              .writes(vector_of(static_cast<const T*>(y), n, incy));
        },
        [=] {
          WideVector<T> from(static_cast<const T*>(x), n, incx);
          WideVector<T> to(static_cast<const T*>(y), n, incy);
          blas::axpy<Wide<T>>(n, factor.get(), from.first(), from.increment(), to.first(),
                              to.increment());
          to.store();
        });
  });
}

/// Copying and swapping look at the size of elements only.
struct alignas(16) Bytes16 {
  uint64_t halves[2];
};
template <class Function>
Result with_size(DataType type, Function function) {
  switch (element_bytes(type)) {
    case 1: return function(TypeTag<uint8_t>());
    case 2: return function(TypeTag<uint16_t>());
    case 4: return function(TypeTag<uint32_t>());
    case 8: return function(TypeTag<uint64_t>());
    case 16: return function(TypeTag<Bytes16>());
    default: return kNotSupported;
  }
}

template <class Int>
Result copy_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, void* y,
               DataType y_type, Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  if (x_type != y_type) return kNotSupported;
  return with_size(x_type, [&]<class T>(TypeTag<T>) {
    if (n <= 0) return kSuccess;
    return submit(
        handle, vector_ns<T>(n),
        [&](Uses& use) {
          use.reads(vector_of(static_cast<const T*>(x), n, incx))
              .writes(vector_of(static_cast<const T*>(y), n, incy));
        },
        [=] {
          const T* from = blas::first_element(static_cast<const T*>(x), n, incx);
          T* to = blas::first_element(static_cast<T*>(y), n, incy);
          for (int64_t i = 0; i < n; ++i) to[i * incy] = from[i * incx];
        });
  });
}

template <class Int>
Result swap_ex(Handle* handle, Int n, void* x, DataType x_type, Int incx, void* y, DataType y_type,
               Int incy) {
  GUDA_CUBLAS_HANDLE(handle);
  if (x_type != y_type) return kNotSupported;
  return with_size(x_type, [&]<class T>(TypeTag<T>) {
    if (n <= 0) return kSuccess;
    return submit(
        handle, vector_ns<T>(n),
        [&](Uses& use) {
          use.writes(vector_of(static_cast<const T*>(x), n, incx))
              .writes(vector_of(static_cast<const T*>(y), n, incy));
        },
        [=] {
          T* first = blas::first_element(static_cast<T*>(x), n, incx);
          T* second = blas::first_element(static_cast<T*>(y), n, incy);
          for (int64_t i = 0; i < n; ++i) std::swap(first[i * incx], second[i * incy]);
        });
  });
}

template <class Int, bool kLargest>
Result extreme_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, Int* result) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T>) {
    GUDA_CUBLAS_CHECK(result);
    return submit_result(
        handle, vector_ns<T>(n),
        [&](Uses& use) { use.reads(vector_of(static_cast<const T*>(x), n, incx)).result(result); },
        [=] {
          if (n < 1 || incx < 1) {
            *result = 0;
            return;
          }
          WideVector<T> wide(static_cast<const T*>(x), n, incx);
          int64_t index = kLargest ? blas::iamax<Wide<T>>(n, wide.first(), wide.increment())
                                   : blas::iamin<Wide<T>>(n, wide.first(), wide.increment());
          *result = static_cast<Int>(index + 1);
        });
  });
}
template <class Int>
Result iamax_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, Int* result) {
  return extreme_ex<Int, true>(handle, n, x, x_type, incx, result);
}
template <class Int>
Result iamin_ex(Handle* handle, Int n, const void* x, DataType x_type, Int incx, Int* result) {
  return extreme_ex<Int, false>(handle, n, x, x_type, incx, result);
}

/// Rotates by a cosine and sine of type Cs; for complex vectors the sine may be complex: the cosine's
/// imaginary part is then not looked at.
template <class T, class Cs, class Int>
Result rotate(Handle* handle, Int n, void* x, Int incx, void* y, Int incy, const void* c,
              const void* s) {
  GUDA_CUBLAS_CHECK(c && s);
  if (n <= 0) return kSuccess;
  Scalar<Cs> cosine(handle, static_cast<const Cs*>(c)), sine(handle, static_cast<const Cs*>(s));
  return submit(
      handle, vector_ns<T>(n),
      [&](Uses& use) {
        use.writes(vector_of(static_cast<const T*>(x), n, incx))
            .writes(vector_of(static_cast<const T*>(y), n, incy))
            .scalar_bytes(c, sizeof(Cs))
            .scalar_bytes(s, sizeof(Cs));
      },
      [=] {
        WideVector<T> left(static_cast<const T*>(x), n, incx);
        WideVector<T> right(static_cast<const T*>(y), n, incy);
        blas::rot<Wide<T>, Wide<Cs>>(n, left.first(), left.increment(), right.first(),
                                     right.increment(), blas::real_part(widen(cosine.get())),
                                     widen(sine.get()));
        left.store();
        right.store();
      });
}

template <class Int>
Result rot_ex(Handle* handle, Int n, void* x, DataType x_type, Int incx, void* y, DataType y_type,
              Int incy, const void* c, const void* s, DataType cs_type, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T>) -> Result {
    if (y_type != x_type || execution != kTypeOf<Wide<T>>) return kNotSupported;
    if (cs_type == x_type) return rotate<T, T, Int>(handle, n, x, incx, y, incy, c, s);
    if constexpr (blas::is_complex<Wide<T>>) {
      if (cs_type == kTypeOf<Real<T>>)
        return rotate<T, Real<T>, Int>(handle, n, x, incx, y, incy, c, s);
    }
    return kNotSupported;
  });
}

template <class Int>
Result rotm_ex(Handle* handle, Int n, void* x, DataType x_type, Int incx, void* y, DataType y_type,
               Int incy, const void* param, DataType param_type, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(x_type, [&]<class T>(TypeTag<T>) -> Result {
    if constexpr (blas::is_complex<Wide<T>>) {
      return kNotSupported;
    } else {
      if (y_type != x_type || param_type != x_type || execution != kTypeOf<Wide<T>>)
        return kNotSupported;
      GUDA_CUBLAS_CHECK(param);
      if (n <= 0) return kSuccess;
      Scalar<std::array<T, 5>> rotation(handle, static_cast<const std::array<T, 5>*>(param));
      return submit(
          handle, vector_ns<T>(n),
          [&](Uses& use) {
            use.writes(vector_of(static_cast<const T*>(x), n, incx))
                .writes(vector_of(static_cast<const T*>(y), n, incy))
                .scalar_bytes(param, 5 * sizeof(T));
          },
          [=] {
            std::array<Wide<T>, 5> values;
            std::array<T, 5> given = rotation.get();
            for (size_t i = 0; i < 5; ++i) values[i] = widen(given[i]);
            WideVector<T> left(static_cast<const T*>(x), n, incx);
            WideVector<T> right(static_cast<const T*>(y), n, incy);
            blas::rotm<Wide<T>>(n, left.first(), left.increment(), right.first(), right.increment(),
                                values.data());
            left.store();
            right.store();
          });
    }
  });
}

/// Runs now when the pointers are the host's (rotg and rotmg work on scalars only).
template <class Tell, class Work>
Result with_scalars(Handle* handle, Tell tell, Work work) {
  if (handle->pointer_mode == kDevicePointers) return submit(handle, 0, tell, work);
  work();
  return kSuccess;
}

Result rotg_ex(Handle* handle, void* a, void* b, DataType ab_type, void* c, void* s,
               DataType cs_type, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(ab_type, [&]<class T>(TypeTag<T>) -> Result {
    if (cs_type != ab_type || execution != kTypeOf<Wide<T>>) return kNotSupported;
    GUDA_CUBLAS_CHECK(a && b && c && s);
    return with_scalars(
        handle,
        [&](Uses& use) {
          use.result_bytes(a, sizeof(T))
              .result_bytes(b, sizeof(T))
              .result_bytes(c, sizeof(T))
              .result_bytes(s, sizeof(T));
        },
        [=] {
          Wide<T> a_value = widen(*static_cast<T*>(a)), b_value = widen(*static_cast<T*>(b));
          Real<Wide<T>> cosine;
          Wide<T> sine;
          blas::rotg<Wide<T>>(&a_value, &b_value, &cosine, &sine);
          *static_cast<T*>(a) = narrow<T>(a_value);
          *static_cast<T*>(b) = narrow<T>(b_value);
          *static_cast<T*>(c) = narrow<T>(Wide<T>(cosine));
          *static_cast<T*>(s) = narrow<T>(sine);
        });
  });
}

Result rotmg_ex(Handle* handle, void* d1, DataType d1_type, void* d2, DataType d2_type, void* x1,
                DataType x1_type, const void* y1, DataType y1_type, void* param,
                DataType param_type, DataType execution) {
  GUDA_CUBLAS_HANDLE(handle);
  return with_float_type(d1_type, [&]<class T>(TypeTag<T>) -> Result {
    if constexpr (blas::is_complex<Wide<T>>) {
      return kNotSupported;
    } else {
      if (d2_type != d1_type || x1_type != d1_type || y1_type != d1_type || param_type != d1_type ||
          execution != kTypeOf<Wide<T>>)
        return kNotSupported;
      GUDA_CUBLAS_CHECK(d1 && d2 && x1 && y1 && param);
      return with_scalars(
          handle,
          [&](Uses& use) {
            use.result_bytes(d1, sizeof(T))
                .result_bytes(d2, sizeof(T))
                .result_bytes(x1, sizeof(T))
                .scalar_bytes(y1, sizeof(T))
                .result_bytes(param, 5 * sizeof(T));
          },
          [=] {
            auto get = [](const void* p) { return widen(*static_cast<const T*>(p)); };
            Wide<T> first = get(d1), second = get(d2), x = get(x1), values[5];
            // Elements that the flag leaves undefined keep their value.
            for (int i = 0; i < 5; ++i) values[i] = get(static_cast<T*>(param) + i);
            blas::rotmg<Wide<T>>(&first, &second, &x, get(y1), values);
            *static_cast<T*>(d1) = narrow<T>(first);
            *static_cast<T*>(d2) = narrow<T>(second);
            *static_cast<T*>(x1) = narrow<T>(x);
            for (int i = 0; i < 5; ++i) static_cast<T*>(param)[i] = narrow<T>(values[i]);
          });
    }
  });
}

GUDA_ENTRY_PLAIN_SIZES(cublasNrm2Ex, nrm2_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasAsumEx, asum_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasDotEx, dotu_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasDotcEx, dotc_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasScalEx, scal_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasAxpyEx, axpy_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasCopyEx, copy_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasSwapEx, swap_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasIamaxEx, iamax_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasIaminEx, iamin_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasRotEx, rot_ex);
GUDA_ENTRY_PLAIN_SIZES(cublasRotmEx, rotm_ex);
GUDA_ENTRY(cublasRotgEx, rotg_ex);
GUDA_ENTRY(cublasRotmgEx, rotmg_ex);

}  // namespace
}  // namespace guda::cublas
