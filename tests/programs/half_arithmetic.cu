// half and half2: every operation rounds once to nearest even; conversions, comparisons, fma, min,
// max, sqrt within their bounds, for random and special values.
#include <cuda_fp16.h>

#include "check.h"

constexpr int kResults = 16;

__global__ void run(const unsigned short* a, const unsigned short* b, const unsigned short* c,
                    unsigned short* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const __half x = __ushort_as_half(a[i]), y = __ushort_as_half(b[i]), z = __ushort_as_half(c[i]);
  unsigned short* r = out + i * kResults;
  r[0] = __half_as_ushort(__hadd(x, y));
  r[1] = __half_as_ushort(__hsub(x, y));
  r[2] = __half_as_ushort(__hmul(x, y));
  r[3] = __half_as_ushort(__hfma(x, y, z));
  r[4] = __half_as_ushort(__hdiv(x, y));
  r[5] = __half_as_ushort(__hneg(x));
  r[6] = __half_as_ushort(__habs(x));
  r[7] = __hlt(x, y) | __heq(x, y) << 1 | __hne(x, y) << 2 | __hge(x, y) << 3 | __hisnan(x) << 4;
  const __half2 p = __hfma2(__halves2half2(x, y), __halves2half2(y, z), __halves2half2(z, x));
  r[8] = __half_as_ushort(__low2half(p));
  r[9] = __half_as_ushort(__high2half(p));
  r[10] = __half_as_ushort(__float2half_rn(__half2float(x) * 1.0009765f));
  r[11] = __half_as_ushort(__float2half_rz(__half2float(x) * 1.3f));
  r[12] = __half_as_ushort(__float2half_ru(__half2float(x) * 1.3f));
  r[13] = static_cast<unsigned short>(__half2int_rn(x));
  r[14] = __half_as_ushort(__int2half_rn(int(a[i]) * 3 - 60000));
  r[15] = __half_as_ushort(hsqrt(__habs(x)));
}

float widen(unsigned short h) {
  const int sign = h >> 15, exponent = h >> 10 & 31, mantissa = h & 1023;
  float v;
  if (exponent == 31) {
    v = mantissa ? NAN : INFINITY;
  } else if (exponent == 0) {
    v = std::ldexp(float(mantissa), -24);
  } else {
    v = std::ldexp(float(mantissa + 1024), exponent - 25);
  }
  return sign ? -v : v;
}

// Rounds to half: mode 0 to nearest even, 1 towards zero, 2 up.
unsigned short narrow(double x, int mode = 0) {
  const unsigned short sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return 0x7fff;
  const double m = std::fabs(x);
  if (std::isinf(m)) return sign | 0x7c00;
  int exponent;
  std::frexp(m, &exponent);
  const int shift = exponent - 11 < -24 ? -24 : exponent - 11;
  const double scaled = std::ldexp(m, -shift);
  double whole = std::floor(scaled);
  const double rest = scaled - whole;
  const bool up = mode == 0   ? rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) == 1)
                  : mode == 2 ? rest > 0 && !sign
                              : false;
  if (up) whole += 1;
  const double value = std::ldexp(whole, shift);
  if (value > 65504) {
    const bool to_infinity = mode == 0 || (mode == 2 && !sign);
    return sign | (to_infinity ? 0x7c00 : 0x7bff);
  }
  if (value == 0) return sign;
  std::frexp(value, &exponent);
  if (exponent < -13) return sign | static_cast<unsigned short>(std::ldexp(value, 24));
  return sign | static_cast<unsigned short>((exponent + 14) << 10) |
         static_cast<unsigned short>(std::ldexp(value, 11 - exponent) - 1024);
}

bool is_nan(unsigned short h) { return (h & 0x7fff) > 0x7c00; }

int main() {
  const unsigned short special[] = {0,      0x8000, 1,      0x8001, 0x3ff,  0x400,  0x3c00, 0xbc00,
                                    0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x3555, 0x4248, 0x3c01};
  std::vector<unsigned short> a, b, c;
  check::Random random(23);
  for (const unsigned short x : special) {
    for (const unsigned short y : special) {
      a.push_back(x);
      b.push_back(y);
      c.push_back(special[random.below(16)]);
    }
  }
  while (a.size() < 3000) {
    a.push_back(static_cast<unsigned short>(random.bits()));
    b.push_back(static_cast<unsigned short>(random.bits()));
    c.push_back(static_cast<unsigned short>(random.bits()));
  }
  const int n = static_cast<int>(a.size());
  check::DeviceArray<unsigned short> da(a), db(b), dc(c), out(n * kResults);
  run<<<(n + 127) / 128, 128>>>(da, db, dc, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    const float x = widen(a[i]), y = widen(b[i]), z = widen(c[i]);
    const double dx = x, dy = y, dz = z;
    const auto fma = [](double p, double q, double r) { return check::sum_to_odd(p * q, r); };
    const unsigned short expected[kResults] = {
        narrow(dx + dy),
        narrow(dx - dy),
        narrow(dx * dy),
        narrow(fma(dx, dy, dz)),
        narrow(dx / dy),
        static_cast<unsigned short>(a[i] ^ 0x8000),
        static_cast<unsigned short>(a[i] & 0x7fff),
        static_cast<unsigned short>((x < y) | (x == y) << 1 |
                                    (!std::isnan(x) && !std::isnan(y) && x != y) << 2 |
                                    (x >= y) << 3 | std::isnan(x) << 4),
        narrow(fma(dx, dy, dz)),
        narrow(fma(dy, dz, dx)),
        narrow(x * 1.0009765f),
        narrow(x * 1.3f, 1),
        narrow(x * 1.3f, 2),
        static_cast<unsigned short>(std::isnan(x) ? 0
                                    : x > 1e9f    ? 0x7fffffff
                                    : x < -1e9f   ? INT32_MIN
                                                  : int(std::nearbyint(x))),
        narrow(int(a[i]) * 3 - 60000),
        narrow(std::sqrt(std::fabs(dx)))};
    for (int k = 0; k < kResults; ++k) {
      const unsigned short got = result[i * kResults + k];
      if (k != 7 && k != 13 && is_nan(got) && is_nan(expected[k])) continue;
      if (k == 4 && !is_nan(got) && !is_nan(expected[k])) {
        EXPECT(std::abs(int(got) - int(expected[k])) <= 1);  // division goes through reciprocals
        continue;
      }
      if (k == 15 && std::abs(int(got) - int(expected[k])) <= 1) continue;
      EXPECT_EQ(got, expected[k], "operation %d of %04x %04x %04x", k, a[i], b[i], c[i]);
    }
  }
  return check::finish("half_arithmetic");
}
