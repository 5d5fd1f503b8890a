// What happens to the tiles of a scaled product before they become tiles of D.
#pragma once

#include "abi/cublas/element.h"
#include "abi/cublas/lt/column_kernels.h"
#include "abi/cublas/lt/layout.h"
#include "abi/cublas/lt/matmul.h"

#include <cmath>
#include <vector>

namespace guda::cublas::lt {

/// The kernels of column_kernels.h for both types: single precision runs those, double precision is rare.
template <class T>
struct Columns;

template <>
struct Columns<float> {
  static void relu(int64_t n, float* values) { column_kernels().relu(n, values); }
  static void not_negative(const float* values, int64_t n, uint8_t* bits) {
    column_kernels().not_negative(values, n, bits);
  }
  static void keep(const uint8_t* bits, int64_t n, float* values) {
    column_kernels().keep(bits, n, values);
  }
  static void gelu(int64_t n, float* values) { column_kernels().gelu(n, values); }
  static void times_gelu_gradient(const float* x, int64_t n, float* values) {
    column_kernels().times_gelu_gradient(x, n, values);
  }
  static float largest(const float* values, int64_t n, float least) {
    return column_kernels().largest(values, n, least);
  }
};

template <>
struct Columns<double> {
  static void relu(int64_t n, double* values) {
    for (int64_t i = 0; i < n; ++i) values[i] = values[i] <= 0 ? 0 : values[i];
  }
  static void not_negative(const double* values, int64_t n, uint8_t* bits) {
    for (int64_t i = 0; i < n; ++i) {
      uint8_t before = i % 8 == 0 ? uint8_t{0} : bits[i / 8];
      bits[i / 8] = static_cast<uint8_t>(before | (values[i] >= 0) << (i % 8));
    }
  }
  static void keep(const uint8_t* bits, int64_t n, double* values) {
    for (int64_t i = 0; i < n; ++i) values[i] = bits[i / 8] >> (i % 8) & 1 ? values[i] : 0;
  }
  static constexpr double kInner = 0.7978845608028654, kCubic = 0.044715;
  static void gelu(int64_t n, double* values) {
    for (int64_t i = 0; i < n; ++i) {
      double x = values[i];
      values[i] = 0.5 * x * (1 + std::tanh(kInner * (x + kCubic * x * x * x)));
    }
  }
  static void times_gelu_gradient(const double* x, int64_t n, double* values) {
    for (int64_t i = 0; i < n; ++i) {
      double tangent = std::tanh(kInner * (x[i] + kCubic * x[i] * x[i] * x[i]));
      double inner = kInner * (1 + 3 * kCubic * x[i] * x[i]);
      values[i] *= 0.5 * (1 + tangent) + 0.5 * x[i] * (1 - tangent * tangent) * inner;
    }
  }
  static double largest(const double* values, int64_t n, double least) {
    for (int64_t i = 0; i < n; ++i) least = std::fmax(least, std::fabs(values[i]));
    return least;
  }
};

/// The epilogue of one matrix. T: float or double. apply() may run on several tiles at once.
template <class T>
class Epilogue {
 public:
  /// `group`: columns whose sums belong together, those of a tile.
  Epilogue(const Problem& problem, int64_t batch_index, int64_t group)
      : problem_(problem),
        parts_(static_cast<unsigned>(problem.operation.epilogue)),
        batch_(batch_index),
        group_(group) {
    if (parts_ & kBias) {
      bias_.resize(problem.m);
      for (int64_t i = 0; i < problem.m; ++i)
        bias_[i] = load_element<T>(problem.bias_type, problem.operation.bias, bias_start() + i);
    }
    if (parts_ & kBiasGradient) row_sums_.resize(problem.m * ((problem.n + group - 1) / group));
  }

  /// Changes a tile of the scaled product to the values of D, and writes the auxiliary output.
  void apply(const Tile& tile, T* values, int64_t ld, Maxima& maxima) {
    for (int64_t j = 0; j < tile.columns; ++j)
      apply_to_column(tile.row, tile.rows, tile.column + j, values + j * ld, maxima);
  }

  /// After the last tile.
  void finish() const {
    if (!(parts_ & kBiasGradient)) return;
    int64_t groups = static_cast<int64_t>(row_sums_.size()) / problem_.m;
    for (int64_t i = 0; i < problem_.m; ++i) {
      T sum = 0;
      for (int64_t group = 0; group < groups; ++group) sum += row_sums_[i + group * problem_.m];
      store_bias(i, sum);
    }
  }

  void store_bias(int64_t i, T value) const {
    store_element<T>(problem_.bias_type, const_cast<void*>(problem_.operation.bias),
                     bias_start() + i, value);
  }

 private:
  void apply_to_column(int64_t row, int64_t rows, int64_t j, T* values, Maxima& maxima) {
    const MatmulDescriptor& operation = problem_.operation;
    int64_t position = batch_ * operation.auxiliary_stride + j * operation.auxiliary_ld + row;
    if (parts_ & kBias) {
      for (int64_t i = 0; i < rows; ++i) values[i] += bias_[row + i];
    }
    if (parts_ & kRelu) {
      // Zero passes its gradient on, as in cuBLAS.
      if (parts_ & kAuxiliary) write_mask(position / 8, rows, values);
      Columns<T>::relu(rows, values);
    } else if (parts_ & kReluGradient) {
      Columns<T>::keep(static_cast<const uint8_t*>(operation.auxiliary) + position / 8, rows,
                       values);
    } else if (parts_ & kGelu) {
      if (parts_ & kAuxiliary) store_auxiliary(position, rows, values, maxima);
      Columns<T>::gelu(rows, values);
    } else if (parts_ & kGeluGradient) {
      T x[kMostTileRows];
      load_tile<T>(auxiliary_run(rows), auxiliary_at(position), {0, rows, 0, 1}, x, rows);
      Columns<T>::times_gelu_gradient(x, rows, values);
    }
    if (parts_ & kBiasGradient) {
      T* sums = row_sums_.data() + j / group_ * problem_.m + row;
      for (int64_t i = 0; i < rows; ++i) sums[i] += values[i];
    }
    if (operation.d_amax)
      maxima.d = static_cast<float>(Columns<T>::largest(values, rows, static_cast<T>(maxima.d)));
    if (const float* scale = operation.d_scale) {
      for (int64_t i = 0; i < rows; ++i) values[i] *= T(*scale);
    }
  }

  int64_t bias_start() const { return batch_ * problem_.operation.bias_stride; }

  /// Bits of whole bytes, the last of which keeps those beyond the matrix.
  void write_mask(int64_t byte, int64_t rows, const T* values) const {
    auto* bits = static_cast<uint8_t*>(problem_.operation.auxiliary) + byte;
    int64_t whole = rows / 8 * 8;
    Columns<T>::not_negative(values, whole, bits);
    for (int64_t i = whole; i < rows; ++i) {
      auto bit = static_cast<uint8_t>(1u << (i % 8));
      uint8_t& last = bits[i / 8];
      last = static_cast<uint8_t>(values[i] >= 0 ? last | bit : last & ~bit);
    }
  }

  Layout auxiliary_run(int64_t rows) const {
    Layout run{};
    run.rows = run.ld = rows;
    run.columns = 1;
    run.type = problem_.auxiliary_type;
    return run;
  }
  std::byte* auxiliary_at(int64_t position) const {
    return static_cast<std::byte*>(problem_.operation.auxiliary) +
           position * static_cast<int64_t>(element_bytes(problem_.auxiliary_type));
  }
  void store_auxiliary(int64_t position, int64_t rows, const T* values, Maxima& maxima) const {
    const MatmulDescriptor& operation = problem_.operation;
    if (operation.auxiliary_amax)
      maxima.auxiliary =
          static_cast<float>(Columns<T>::largest(values, rows, static_cast<T>(maxima.auxiliary)));
    T scaled[kMostTileRows];
    if (const float* scale = operation.auxiliary_scale) {
      for (int64_t i = 0; i < rows; ++i) scaled[i] = values[i] * T(*scale);
      values = scaled;
    }
    store_tile<T>(auxiliary_run(rows), auxiliary_at(position), {0, rows, 0, 1}, values, rows);
  }

  const Problem& problem_;
  const unsigned parts_;
  const int64_t batch_, group_;
  std::vector<T> bias_;
  std::vector<T> row_sums_;  // of each group of columns: added up in the same order always
};

}  // namespace guda::cublas::lt
