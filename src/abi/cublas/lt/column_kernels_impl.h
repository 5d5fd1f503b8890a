// The kernels of column_kernels.h as plain loops that compilers turn into vector code. Each including file is
// compiled with the flags of its instruction set; all is local to it, so that none of it is linked into
// another.
#include "abi/cublas/element.h"
#include "abi/cublas/lt/column_kernels.h"

namespace guda::cublas::lt {
namespace {

/// e^x for x <= 0; 0 below the normal numbers. Relative error below 1e-7.
inline float exp_negative(float x) {
  constexpr float kWhole = 0x1.8p23f;  // added, it leaves no room for a fraction
  float clamped = x < -87.0f ? -87.0f : x;
  float shifted = clamped * 0x1.715476p0f + kWhole;
  float whole = shifted - kWhole;
  float r = clamped - whole * 0x1.62e4p-1f;
  r = r - whole * 0x1.7f7d1cp-20f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // The low bits of `shifted` are the exponent.
  uint32_t scale = (std::bit_cast<uint32_t>(shifted) << 23) + 0x3f800000u;
  float result = p * std::bit_cast<float>(scale);
  return x < -87.0f ? 0.0f : result;
}

constexpr float kInner = 0.7978845608028654f, kCubic = 0.044715f;

/// 1 / (1 + e^-2u) and its complement, both exact near 0 and 1; u is the argument of tanh.
struct Sigmoid {
  float value, rest;
};
inline Sigmoid sigmoid_of_gelu(float x) {
  float u = kInner * (x + kCubic * x * x * x);
  float e = exp_negative(u < 0 ? 2 * u : -2 * u);
  float large = 1 / (1 + e), small = e / (1 + e);
  return u < 0 ? Sigmoid{small, large} : Sigmoid{large, small};
}

template <class E>
void widen_run(const void* elements, int64_t n, float* values) {
  auto* from = static_cast<const E*>(elements);
  for (int64_t i = 0; i < n; ++i) values[i] = guda::cublas::widen(from[i]);
}
template <class E>
void narrow_run(const float* values, int64_t n, void* elements) {
  auto* to = static_cast<E*>(elements);
  for (int64_t i = 0; i < n; ++i) to[i] = guda::cublas::narrow<E>(values[i]);
}

void widen(DataType type, const void* elements, int64_t n, float* values) {
  switch (type) {
    case kR16F: return widen_run<float16>(elements, n, values);
    case kR16BF: return widen_run<bfloat16>(elements, n, values);
    case kR8E4M3: return widen_run<float8_e4m3>(elements, n, values);
    case kR8E5M2: return widen_run<float8_e5m2>(elements, n, values);
    case kR8I: return widen_run<int8_t>(elements, n, values);
    case kR32I: {
      auto* from = static_cast<const int32_t*>(elements);
      for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(from[i]);
      return;
    }
    default: return widen_run<float>(elements, n, values);
  }
}

void narrow(DataType type, const float* values, int64_t n, void* elements) {
  switch (type) {
    case kR16F: return narrow_run<float16>(values, n, elements);
    case kR16BF: return narrow_run<bfloat16>(values, n, elements);
    case kR8E4M3: return narrow_run<float8_e4m3>(values, n, elements);
    case kR8E5M2: return narrow_run<float8_e5m2>(values, n, elements);
    case kR8I: return narrow_run<int8_t>(values, n, elements);
    case kR32I: return narrow_run<int32_t>(values, n, elements);
    default: return narrow_run<float>(values, n, elements);
  }
}

template <class Sum>
void scale(const Sum* sums, float factor, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] = factor * static_cast<float>(sums[i]);
}
template <class Sum>
void scale_each(const Sum* sums, const float* factors, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] = factors[i] * static_cast<float>(sums[i]);
}
void add(const float* x, float factor, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] += factor * x[i];
}
void add_each(const float* x, const float* factors, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] += factors[i] * x[i];
}

void relu(int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] = values[i] <= 0 ? 0.0f : values[i];
}
void not_negative(const float* values, int64_t n, uint8_t* bits) {
  for (int64_t byte = 0; byte < n / 8; ++byte) {
    unsigned all = 0;
    for (unsigned bit = 0; bit < 8; ++bit)
      all |= static_cast<unsigned>(values[byte * 8 + bit] >= 0) << bit;
    bits[byte] = static_cast<uint8_t>(all);
  }
}
void keep(const uint8_t* bits, int64_t n, float* values) {
  for (int64_t byte = 0; byte < (n + 7) / 8; ++byte) {
    uint32_t all = bits[byte];
    int64_t first = byte * 8, count = n - first < 8 ? n - first : 8;
    for (int64_t i = 0; i < count; ++i)
      values[first + i] = all >> i & 1u ? values[first + i] : 0.0f;
  }
}

void gelu(int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] *= sigmoid_of_gelu(values[i]).value;
}
void times_gelu_gradient(const float* x, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) {
    Sigmoid s = sigmoid_of_gelu(x[i]);
    float slope = 2 * x[i] * s.value * s.rest * kInner * (1 + 3 * kCubic * x[i] * x[i]);
    // Far out the curve is a line, and the square above may be infinite.
    slope = s.value * s.rest == 0 ? 0.0f : slope;
    values[i] *= s.value + slope;
  }
}

float largest(const float* values, int64_t n, float least) {
  // Magnitudes are ordered as their bits are.
  auto most = std::bit_cast<uint32_t>(least);
  for (int64_t i = 0; i < n; ++i) {
    uint32_t magnitude = std::bit_cast<uint32_t>(values[i]) & 0x7fffffffu;
    magnitude = magnitude > 0x7f800000u ? 0u : magnitude;
    most = magnitude > most ? magnitude : most;
  }
  return std::bit_cast<float>(most);
}

constexpr ColumnKernels kKernels = {
    widen,
    narrow,
    scale<float>,
    scale_each<float>,
    scale<int32_t>,
    scale_each<int32_t>,
    add,
    add_each,
    relu,
    not_negative,
    keep,
    gelu,
    times_gelu_gradient,
    largest,
};

}  // namespace
}  // namespace guda::cublas::lt
