// What happens to the columns of a product before they become columns of D.
#pragma once

#include "abi/cublas/lt/layout.h"
#include "abi/cublas/lt/matmul.h"

#include <cmath>
#include <vector>

namespace guda::cublas::lt {

/// GELU in its tanh form, as cuBLASLt has it, and its derivative.
template <class T>
T gelu(T x) {
  constexpr T kFactor = T(0.7978845608028654), kCubic = T(0.044715);
  return T(0.5) * x * (1 + std::tanh(kFactor * (x + kCubic * x * x * x)));
}
template <class T>
T gelu_gradient(T x) {
  constexpr T kFactor = T(0.7978845608028654), kCubic = T(0.044715);
  T tangent = std::tanh(kFactor * (x + kCubic * x * x * x));
  T inner = kFactor * (1 + 3 * kCubic * x * x);
  return T(0.5) * (1 + tangent) + T(0.5) * x * (1 - tangent * tangent) * inner;
}

/// The epilogue of one matrix. T: float or double; columns come in order.
template <class T>
class Epilogue {
 public:
  Epilogue(const Problem& problem, int64_t batch_index)
      : problem_(problem),
        parts_(static_cast<unsigned>(problem.operation.epilogue)),
        batch_(batch_index) {
    if (parts_ & kBias) {
      bias_.resize(problem.m);
      for (int64_t i = 0; i < problem.m; ++i)
        bias_[i] = load_element<T>(problem.bias_type, problem.operation.bias, bias_start() + i);
    }
    if (parts_ & kBiasGradient) sums_.resize(problem.m);
  }

  /// Changes column j of the scaled product to the values of D, and writes the auxiliary output.
  void apply(int64_t j, T* values) {
    int64_t m = problem_.m;
    if (parts_ & kBias) {
      for (int64_t i = 0; i < m; ++i) values[i] += bias_[i];
    }
    if (parts_ & kRelu) {
      for (int64_t i = 0; i < m; ++i) {
        bool positive = values[i] > 0;
        // Zero passes its gradient on, as in cuBLAS.
        if (parts_ & kAuxiliary) set_mask(i, j, values[i] >= 0);
        // A NaN passes.
        if (!positive && !(values[i] != values[i])) values[i] = 0;
      }
    } else if (parts_ & kReluGradient) {
      for (int64_t i = 0; i < m; ++i) values[i] = mask(i, j) ? values[i] : T(0);
    } else if (parts_ & kGelu) {
      for (int64_t i = 0; i < m; ++i) {
        if (parts_ & kAuxiliary) store_auxiliary(i, j, values[i]);
        values[i] = gelu(values[i]);
      }
    } else if (parts_ & kGeluGradient) {
      for (int64_t i = 0; i < m; ++i) values[i] *= gelu_gradient(load_auxiliary(i, j));
    }
    if (parts_ & kBiasGradient) {
      for (int64_t i = 0; i < m; ++i) sums_[i] += values[i];
    }
    if (problem_.operation.d_amax) {
      for (int64_t i = 0; i < m; ++i) largest_ = std::fmax(largest_, std::fabs(values[i]));
    }
    if (const float* scale = problem_.operation.d_scale) {
      for (int64_t i = 0; i < m; ++i) values[i] *= T(*scale);
    }
  }

  /// After the last column.
  void finish() {
    for (int64_t i = 0; i < static_cast<int64_t>(sums_.size()); ++i) store_bias(i, sums_[i]);
    // The maxima cover the whole batch.
    if (float* out = problem_.operation.d_amax) raise(out, largest_);
    if (float* out = problem_.operation.auxiliary_amax; out && (parts_ & kAuxiliary))
      raise(out, largest_auxiliary_);
  }

  void store_bias(int64_t i, T value) const {
    store_element<T>(problem_.bias_type, const_cast<void*>(problem_.operation.bias),
                     bias_start() + i, value);
  }

 private:
  int64_t bias_start() const { return batch_ * problem_.operation.bias_stride; }
  int64_t auxiliary_position(int64_t i, int64_t j) const {
    return batch_ * problem_.operation.auxiliary_stride + j * problem_.operation.auxiliary_ld + i;
  }
  bool mask(int64_t i, int64_t j) const {
    int64_t bit = auxiliary_position(i, j);
    return static_cast<const uint8_t*>(problem_.operation.auxiliary)[bit / 8] >> (bit % 8) & 1;
  }
  void set_mask(int64_t i, int64_t j, bool value) const {
    int64_t bit = auxiliary_position(i, j);
    uint8_t& byte = static_cast<uint8_t*>(problem_.operation.auxiliary)[bit / 8];
    auto one = static_cast<uint8_t>(1u << (bit % 8));
    byte = static_cast<uint8_t>(value ? byte | one : byte & ~one);
  }
  T load_auxiliary(int64_t i, int64_t j) const {
    return load_element<T>(problem_.auxiliary_type, problem_.operation.auxiliary,
                           auxiliary_position(i, j));
  }
  void store_auxiliary(int64_t i, int64_t j, T value) {
    largest_auxiliary_ = std::fmax(largest_auxiliary_, std::fabs(value));
    if (const float* scale = problem_.operation.auxiliary_scale) value *= T(*scale);
    store_element<T>(problem_.auxiliary_type, problem_.operation.auxiliary,
                     auxiliary_position(i, j), value);
  }
  void raise(float* out, T value) const {
    float before = batch_ == 0 ? 0.0f : *out;
    *out = std::fmax(before, static_cast<float>(value));
  }

  const Problem& problem_;
  const unsigned parts_;
  const int64_t batch_;
  std::vector<T> bias_, sums_;
  T largest_ = 0, largest_auxiliary_ = 0;
};

}  // namespace guda::cublas::lt
