// The fast intrinsics (__expf, __logf, __sinf, __cosf, __powf, __fdividef, __frsqrt_rn, __tanf) and
// the approximate PTX instructions under them stay within the documented absolute or relative error.
#include "check.h"

constexpr int kResults = 12;

__global__ void run(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float x = in[i], p = fabsf(x) + 1e-3f;
  float* r = out + i * kResults;
  r[0] = __expf(x);
  r[1] = __logf(p);
  r[2] = __sinf(x);
  r[3] = __cosf(x);
  r[4] = __powf(p, 1.5f);
  r[5] = __fdividef(x, p);
  r[6] = __frsqrt_rn(p);
  r[7] = __log2f(p);
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r[8]) : "f"(x));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r[9]) : "f"(p));
  asm("sqrt.approx.f32 %0, %1;" : "=f"(r[10]) : "f"(p));
  asm("tanh.approx.f32 %0, %1;" : "=f"(r[11]) : "f"(x));
}

__global__ void edges(float* out) {
  const float inputs[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN};
  const float x = inputs[threadIdx.x];
  asm("ex2.approx.f32 %0, %1;" : "=f"(out[threadIdx.x * 4]) : "f"(x));
  asm("lg2.approx.f32 %0, %1;" : "=f"(out[threadIdx.x * 4 + 1]) : "f"(x));
  asm("rcp.approx.f32 %0, %1;" : "=f"(out[threadIdx.x * 4 + 2]) : "f"(x));
  asm("rsqrt.approx.f32 %0, %1;" : "=f"(out[threadIdx.x * 4 + 3]) : "f"(x));
}

int main() {
  const int n = 3000;
  check::Random random(51);
  std::vector<float> in(n);
  for (float& x : in) x = random.between(-3.1f, 3.1f);
  check::DeviceArray<float> device(in), out(n * kResults);
  run<<<(n + 127) / 128, 128>>>(device, out, n);
  KERNEL_OK();
  const auto r = out.host();
  for (int i = 0; i < n; ++i) {
    const double x = in[i], p = std::fabs(in[i]) + 1e-3f;
    const float* v = &r[i * kResults];
    EXPECT_NEAR(v[0], std::exp(x), 4e-7, "%g", x);
    EXPECT(std::fabs(v[1] - std::log(p)) < 3e-7 * (1 + std::fabs(std::log(p))));
    EXPECT(std::fabs(v[2] - std::sin(x)) < 0x1p-20);
    EXPECT(std::fabs(v[3] - std::cos(x)) < 0x1p-20);
    EXPECT_NEAR(v[4], std::pow(p, 1.5), 2e-6, "%g", p);
    EXPECT_NEAR(v[5], x / p, 3e-7, "%g", x);
    EXPECT_NEAR(v[6], 1 / std::sqrt(p), 2e-7, "%g", p);
    EXPECT(std::fabs(v[7] - std::log2(p)) < 5e-7 * (1 + std::fabs(std::log2(p))));
    EXPECT_NEAR(v[8], std::exp2(x), 3e-7, "%g", x);
    EXPECT_NEAR(v[9], 1 / p, 2e-7, "%g", p);
    EXPECT_NEAR(v[10], std::sqrt(p), 3e-7, "%g", p);
    EXPECT_NEAR(v[11], std::tanh(x), 6e-4, "%g", x);
  }
  check::DeviceArray<float> special(20);
  edges<<<1, 5>>>(special);
  KERNEL_OK();
  const auto s = special.host();
  const float expected[20] = {1,        -INFINITY, INFINITY,  INFINITY,  // +0
                              1,        -INFINITY, -INFINITY, -INFINITY,  // -0
                              INFINITY, INFINITY,  0.0f,      0.0f,  // +inf
                              0.0f,     NAN,       -0.0f,     NAN,  // -inf
                              NAN,      NAN,       NAN,       NAN};
  for (int i = 0; i < 20; ++i) EXPECT_BITS(s[i], expected[i], "%d", i);
  return check::finish("approximate_math");
}
