#include <cmath>

#include "native.h"

namespace bench::native {

void n_body(int n, const float* px, const float* py, const float* pz, const float* mass, float* ax,
            float* ay, float* az) {
#pragma omp parallel for
  for (int i = 0; i < n; ++i) {
    float x = 0, y = 0, z = 0;
#pragma omp simd reduction(+ : x, y, z)
    for (int j = 0; j < n; ++j) {
      const float dx = px[j] - px[i], dy = py[j] - py[i], dz = pz[j] - pz[i];
      const float squared = dx * dx + dy * dy + dz * dz + 1e-3f;
      const float inverse = 1.0f / std::sqrt(squared);
      const float weight = mass[j] * inverse * inverse * inverse;
      x += dx * weight;
      y += dy * weight;
      z += dz * weight;
    }
    ax[i] = x;
    ay[i] = y;
    az[i] = z;
  }
}

namespace {

inline float normal_distribution(float d) {
  const float k = 1.0f / (1.0f + 0.2316419f * std::fabs(d));
  const float tail =
      0.39894228f * std::exp(-0.5f * d * d) *
      (k * (0.31938153f +
            k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f)))));
  return d > 0 ? 1.0f - tail : tail;
}

}  // namespace

void black_scholes(int n, const float* price, const float* strike, const float* years, float* call,
                   float* put) {
  constexpr float kRate = 0.02f, kVolatility = 0.3f;
#pragma omp parallel for simd
  for (int i = 0; i < n; ++i) {
    const float s = price[i], x = strike[i], t = years[i];
    const float root = std::sqrt(t);
    const float d1 =
        (std::log(s / x) + (kRate + 0.5f * kVolatility * kVolatility) * t) / (kVolatility * root);
    const float d2 = d1 - kVolatility * root;
    const float n1 = normal_distribution(d1), n2 = normal_distribution(d2);
    const float discounted = x * std::exp(-kRate * t);
    call[i] = s * n1 - discounted * n2;
    put[i] = discounted * (1.0f - n2) - s * (1.0f - n1);
  }
}

void mandelbrot(int width, int height, int limit, int* out) {
#pragma omp parallel for schedule(dynamic, 4)
  for (int py = 0; py < height; ++py) {
    for (int px = 0; px < width; ++px) {
      const float cx = -2.2f + 3.0f * px / width, cy = -1.2f + 2.4f * py / height;
      float x = 0, y = 0;
      int i = 0;
      for (; i < limit; ++i) {
        const float xx = x * x, yy = y * y;
        if (xx + yy > 4.0f) break;
        y = 2.0f * x * y + cy;
        x = xx - yy + cx;
      }
      out[py * width + px] = i;
    }
  }
}

void monte_carlo(int streams, int samples, unsigned* inside) {
#pragma omp parallel for
  for (int i = 0; i < streams; ++i) {
    unsigned count = 0;
#pragma omp simd reduction(+ : count)
    for (int s = 0; s < samples; s += 2) {
      uint32_t c0 = static_cast<uint32_t>(s), c1 = static_cast<uint32_t>(i), c2 = 0, c3 = 0;
      uint32_t k0 = 17, k1 = 42;
      for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
        const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
        const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<uint32_t>(p1);
        c3 = static_cast<uint32_t>(p0);
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
      }
      const float x0 = static_cast<float>(c0) * 0x1p-32f, y0 = static_cast<float>(c1) * 0x1p-32f;
      const float x1 = static_cast<float>(c2) * 0x1p-32f, y1 = static_cast<float>(c3) * 0x1p-32f;
      count += x0 * x0 + y0 * y0 < 1.0f;
      count += x1 * x1 + y1 * y1 < 1.0f;
    }
    inside[i] = count;
  }
}

}  // namespace bench::native
