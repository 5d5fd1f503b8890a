// bfloat16: conversion to nearest even from f32, arithmetic that rounds once, pairs, and fma.
#include <cuda_bf16.h>

#include "check.h"

constexpr int kResults = 9;

__global__ void run(const float* a, const float* b, const float* c, unsigned short* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const __nv_bfloat16 x = __float2bfloat16(a[i]), y = __float2bfloat16(b[i]);
  const __nv_bfloat16 z = __float2bfloat16(c[i]);
  unsigned short* r = out + i * kResults;
  r[0] = __bfloat16_as_ushort(x);
  r[1] = __bfloat16_as_ushort(__hadd(x, y));
  r[2] = __bfloat16_as_ushort(__hmul(x, y));
  r[3] = __bfloat16_as_ushort(__hfma(x, y, z));
  r[4] = __bfloat16_as_ushort(__hmax(x, y));
  const __nv_bfloat162 p = __hmul2(__halves2bfloat162(x, y), __halves2bfloat162(y, z));
  r[5] = __bfloat16_as_ushort(__low2bfloat16(p));
  r[6] = __bfloat16_as_ushort(__high2bfloat16(p));
  r[7] = __hlt(x, y);
  const __nv_bfloat162 packed = __floats2bfloat162_rn(a[i], b[i]);
  r[8] = __bfloat16_as_ushort(__high2bfloat16(packed));
}

// Round-to-nearest-even of an exact value held in a double.
unsigned short narrow(double x) {
  if (std::isnan(x)) return 0x7fff;
  int exponent;
  const double m = std::frexp(std::fabs(x), &exponent);
  float f = 0;
  if (std::isinf(x) || x == 0) {
    f = static_cast<float>(x);
  } else {
    const int bits = exponent < -125 ? 8 - (-125 - exponent) : 8;
    const double scaled = std::ldexp(m, bits);
    const double rounded = std::ldexp(std::nearbyint(scaled), exponent - bits);
    f = static_cast<float>(std::copysign(rounded, x));
  }
  unsigned word;
  std::memcpy(&word, &f, 4);
  return static_cast<unsigned short>(word >> 16);
}

double widen(unsigned short h) {
  const unsigned word = unsigned(h) << 16;
  float f;
  std::memcpy(&f, &word, 4);
  return f;
}

int main() {
  std::vector<float> a, b, c;
  check::Random random(29);
  const float special[] = {0.0f,      -0.0f, 1.0f,    1.00390625f, 1.01171875f, INFINITY,
                           -INFINITY, NAN,   3.3e38f, 1e-39f,      -2.5f};
  for (const float x : special) {
    for (const float y : special) {
      a.push_back(x);
      b.push_back(y);
      c.push_back(special[random.below(11)]);
    }
  }
  while (a.size() < 1500) {
    a.push_back(random.between(-100, 100));
    b.push_back(random.between(-2, 2));
    c.push_back(random.between(-1000, 1000));
  }
  const int n = static_cast<int>(a.size());
  check::DeviceArray<float> da(a), db(b), dc(c);
  check::DeviceArray<unsigned short> out(n * kResults);
  run<<<(n + 127) / 128, 128>>>(da, db, dc, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    const double x = widen(narrow(a[i])), y = widen(narrow(b[i])), z = widen(narrow(c[i]));
    const unsigned short expected[kResults] = {narrow(a[i]),
                                               narrow(x + y),
                                               narrow(x * y),
                                               narrow(check::sum_to_odd(x * y, z)),
                                               narrow(std::isnan(x)               ? y
                                                      : std::isnan(y)             ? x
                                                      : x == y && std::signbit(x) ? y
                                                      : x >= y                    ? x
                                                                                  : y),
                                               narrow(x * y),
                                               narrow(y * z),
                                               static_cast<unsigned short>(x < y),
                                               narrow(b[i])};
    for (int k = 0; k < kResults; ++k) {
      const unsigned short got = result[i * kResults + k];
      if (k != 7 && (got & 0x7fff) > 0x7f80 && (expected[k] & 0x7fff) > 0x7f80) continue;
      EXPECT_EQ(got, expected[k], "operation %d of %a %a %a", k, a[i], b[i], c[i]);
    }
  }
  return check::finish("bfloat16_arithmetic");
}
