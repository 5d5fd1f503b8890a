// min and max return the number when one operand is NaN, order -0 below +0, and comparisons with NaN
// are false; fmin/fmax in f64, sign and classification functions, and setp's unordered forms.
#include "check.h"

constexpr int kResults = 14;

__global__ void run(const float* a, const float* b, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = a[i], y = b[i];
  float* r = out + i * kResults;
  r[0] = fminf(x, y);
  r[1] = fmaxf(x, y);
  r[2] = float(fmin(double(x), double(y)));
  r[3] = float(fmax(double(x), double(y)));
  r[4] = x < y;
  r[5] = x <= y;
  r[6] = x == y;
  r[7] = x != y;
  r[8] = !(x >= y);
  r[9] = copysignf(x, y);
  r[10] = isnan(x) + 2 * isinf(x) + 4 * isfinite(x) + 8 * (signbit(x) != 0);
  int p;
  asm("{ .reg .pred q; setp.ltu.f32 q, %1, %2; selp.s32 %0, 1, 0, q; }" : "=r"(p) : "f"(x), "f"(y));
  r[11] = p;
  asm("{ .reg .pred q; setp.num.f32 q, %1, %2; selp.s32 %0, 1, 0, q; }" : "=r"(p) : "f"(x), "f"(y));
  r[12] = p;
  asm("{ .reg .pred q; setp.nan.f32 q, %1, %2; selp.s32 %0, 1, 0, q; }" : "=r"(p) : "f"(x), "f"(y));
  r[13] = p;
}

int main() {
  const float values[] = {0.0f, -0.0f, 1.0f,   -1.0f,   INFINITY, -INFINITY,
                          NAN,  -NAN,  1e-45f, -1e-45f, 3e38f};
  std::vector<float> a, b;
  for (const float x : values) {
    for (const float y : values) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  const int n = static_cast<int>(a.size());
  check::DeviceArray<float> da(a), db(b), out(n * kResults);
  run<<<(n + 63) / 64, 64>>>(da, db, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    const float x = a[i], y = b[i];
    float low = x < y ? x : y, high = x > y ? x : y;
    if (x == 0 && y == 0) {
      low = std::signbit(x) ? x : y;
      high = std::signbit(x) ? y : x;
    }
    if (std::isnan(x)) low = high = y;
    if (std::isnan(y)) low = high = x;
    const float expected[kResults] = {
        low,
        high,
        low,
        high,
        float(x < y),
        float(x <= y),
        float(x == y),
        float(x != y),
        float(!(x >= y)),
        std::copysign(x, y),
        float(std::isnan(x) + 2 * std::isinf(x) + 4 * std::isfinite(x) + 8 * std::signbit(x)),
        float(!(x >= y)),
        float(!std::isnan(x) && !std::isnan(y)),
        float(std::isnan(x) || std::isnan(y))};
    for (int k = 0; k < kResults; ++k) {
      EXPECT_BITS(result[i * kResults + k], expected[k], "operation %d of %g %g", k, x, y);
    }
  }
  return check::finish("nan_minmax");
}
