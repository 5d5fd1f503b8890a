// Kernels of BLAS levels 1 and 2 on contiguous vectors, one table per element type and instruction set.
//
// A level-2 kernel works on `count` columns of a matrix at once, each given by its own pointer, so that
// dense, band and packed storage share the kernels. T is float, double or the std::complex of either.
// Kernels touch no element beyond the lengths given, and need no alignment beyond T's.
#pragma once

#include <complex>
#include <cstdint>

namespace guda::kernels {

inline constexpr int64_t kMostSlantedColumns = 16;

/// Which rows columns have of the rectangle that a kernel works on: column c those from
/// top * c + skip_top to m - bottom * (count - 1 - c) - skip_bottom (exclusive). So the diagonal block of a
/// triangle, and both ends of a band, need no code of their own. Elements outside are not touched.
struct Slant {
  bool top = false, bottom = false;
  int8_t skip_top = 0, skip_bottom = 0;

  bool any() const { return top || bottom || skip_top != 0 || skip_bottom != 0; }
};

template <class T>
struct VectorKernels {
  using R = decltype(std::abs(T()));

  /// Columns to take at once where they are slanted; at most kMostSlantedColumns.
  int64_t columns;

  /// y += alpha x
  void (*axpy)(int64_t n, const T* alpha, const T* x, T* y);
  /// y = alpha x + beta y
  void (*axpby)(int64_t n, const T* alpha, const T* x, const T* beta, T* y);
  /// x *= alpha
  void (*scale)(int64_t n, const T* alpha, T* x);
  /// Sum of op(x_i) y_i, op conjugates when told to.
  void (*dot)(bool conjugate, int64_t n, const T* x, const T* y, T* result);
  /// Sums of |re| + |im| and of |.|^2.
  R (*sum_absolute)(int64_t n, const T* x);
  R (*sum_squares)(int64_t n, const T* x);
  /// First index of the largest or smallest |re| + |im|; n > 0. NaNs lose every comparison.
  int64_t (*index_largest)(int64_t n, const T* x);
  int64_t (*index_smallest)(int64_t n, const T* x);
  void (*swap)(int64_t n, T* x, T* y);
  /// x' = h[0] x + h[1] y, y' = h[2] x + h[3] y
  void (*rotate)(int64_t n, T* x, T* y, const R* h);

  /// y += sum over c of a_c t_c
  void (*add_columns)(Slant slant, int64_t m, int64_t count, const T* const* a, const T* t, T* y);
  /// sums_c = sum over i of op(a_c[i]) x[i]
  void (*dot_columns)(Slant slant, bool conjugate, int64_t m, int64_t count, const T* const* a,
                      const T* x, T* sums);
  /// Both in one pass, for symmetric matrices.
  void (*add_and_dot_columns)(Slant slant, bool conjugate, int64_t m, int64_t count,
                              const T* const* a, const T* t, const T* x, T* y, T* sums);
  /// a_c += x t_c
  void (*update_columns)(Slant slant, int64_t m, int64_t count, T* const* a, const T* t,
                         const T* x);
  /// a_c += x t_c + y u_c
  void (*update_columns_twice)(Slant slant, int64_t m, int64_t count, T* const* a, const T* t,
                               const T* x, const T* u, const T* y);

  /// Solves op(A) x = -b for a triangle of order n <= square, column c at a[c]; b is negative because that is
  /// what add_columns makes: b + A x is zero in the end. Null for complex elements.
  int64_t square;
  void (*solve_square)(bool upper, bool transposed, bool unit, int64_t n, const T* const* a,
                       const T* b, T* x);
};

/// A small lower triangle (row-major, order n) times or against a panel of `lanes` right-hand sides;
/// the innermost part of trmm and trsm. The panel has n rows of `lanes` reals, complex ones a row of real and
/// a row of imaginary parts for each. Both overwrite the panel.
template <class T>
struct TrianglePanelKernels {
  using R = decltype(std::abs(T()));

  int64_t lanes;
  /// The diagonal of a complex m holds reciprocals.
  void (*solve)(int64_t n, const T* m, R* panel);
  void (*multiply)(int64_t n, const T* m, R* panel);
};

/// Sum of x_i y_i in double.
struct WideKernels {
  double (*dot)(int64_t n, const float* x, const float* y);
};

/// The best table for this processor, within GUDA_CPU.
template <class T>
const VectorKernels<T>& vector_kernels();
template <class T>
const TrianglePanelKernels<T>& triangle_panel_kernels();
const WideKernels& wide_kernels();

/// The kernels of one instruction set for one element type.
template <class T>
struct ElementKernels {
  const VectorKernels<T>* vectors;
  const TrianglePanelKernels<T>* triangles;
};

/// One instruction set's kernels: for tests, which run all that the machine has.
struct VectorKernelSet {
  const char* name;
  bool (*supported)();
  ElementKernels<float> f32;
  ElementKernels<double> f64;
  ElementKernels<std::complex<float>> c32;
  ElementKernels<std::complex<double>> c64;
  const WideKernels* wide;
};
/// Best first.
extern const VectorKernelSet kAvx512VectorKernels;
extern const VectorKernelSet kAvx2VectorKernels;
extern const VectorKernelSet kPortableVectorKernels;

}  // namespace guda::kernels
