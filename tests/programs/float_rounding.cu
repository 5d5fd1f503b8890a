// Directed rounding of add, mul, fma, div, sqrt and reciprocal in f32 and f64 is exact: the host
// computes the same under fesetround. Subnormals are kept, and .ftz forms flush.
#include <cfenv>

#include "check.h"

constexpr int kModes = 4;
constexpr int kOps = 6;

template <int kMode>
__device__ void single(float a, float b, float c, float* r) {
  if constexpr (kMode == 0) {
    r[0] = __fadd_rn(a, b);
    r[1] = __fmul_rn(a, b);
    r[2] = __fmaf_rn(a, b, c);
    r[3] = __fdiv_rn(a, b);
    r[4] = __fsqrt_rn(fabsf(a));
    r[5] = __frcp_rn(b);
  } else if constexpr (kMode == 1) {
    r[0] = __fadd_rz(a, b);
    r[1] = __fmul_rz(a, b);
    r[2] = __fmaf_rz(a, b, c);
    r[3] = __fdiv_rz(a, b);
    r[4] = __fsqrt_rz(fabsf(a));
    r[5] = __frcp_rz(b);
  } else if constexpr (kMode == 2) {
    r[0] = __fadd_ru(a, b);
    r[1] = __fmul_ru(a, b);
    r[2] = __fmaf_ru(a, b, c);
    r[3] = __fdiv_ru(a, b);
    r[4] = __fsqrt_ru(fabsf(a));
    r[5] = __frcp_ru(b);
  } else {
    r[0] = __fadd_rd(a, b);
    r[1] = __fmul_rd(a, b);
    r[2] = __fmaf_rd(a, b, c);
    r[3] = __fdiv_rd(a, b);
    r[4] = __fsqrt_rd(fabsf(a));
    r[5] = __frcp_rd(b);
  }
}

template <int kMode>
__device__ void twice(double a, double b, double c, double* r) {
  if constexpr (kMode == 0) {
    r[0] = __dadd_rn(a, b);
    r[1] = __dmul_rn(a, b);
    r[2] = __fma_rn(a, b, c);
    r[3] = __ddiv_rn(a, b);
    r[4] = __dsqrt_rn(fabs(a));
    r[5] = __drcp_rn(b);
  } else if constexpr (kMode == 1) {
    r[0] = __dadd_rz(a, b);
    r[1] = __dmul_rz(a, b);
    r[2] = __fma_rz(a, b, c);
    r[3] = __ddiv_rz(a, b);
    r[4] = __dsqrt_rz(fabs(a));
    r[5] = __drcp_rz(b);
  } else if constexpr (kMode == 2) {
    r[0] = __dadd_ru(a, b);
    r[1] = __dmul_ru(a, b);
    r[2] = __fma_ru(a, b, c);
    r[3] = __ddiv_ru(a, b);
    r[4] = __dsqrt_ru(fabs(a));
    r[5] = __drcp_ru(b);
  } else {
    r[0] = __dadd_rd(a, b);
    r[1] = __dmul_rd(a, b);
    r[2] = __fma_rd(a, b, c);
    r[3] = __ddiv_rd(a, b);
    r[4] = __dsqrt_rd(fabs(a));
    r[5] = __drcp_rd(b);
  }
}

__global__ void run(const float* a, const float* b, const float* c, float* f, const double* p,
                    const double* q, const double* s, double* d, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float* r = f + i * kModes * kOps;
  single<0>(a[i], b[i], c[i], r);
  single<1>(a[i], b[i], c[i], r + kOps);
  single<2>(a[i], b[i], c[i], r + 2 * kOps);
  single<3>(a[i], b[i], c[i], r + 3 * kOps);
  double* w = d + i * kModes * kOps;
  twice<0>(p[i], q[i], s[i], w);
  twice<1>(p[i], q[i], s[i], w + kOps);
  twice<2>(p[i], q[i], s[i], w + 2 * kOps);
  twice<3>(p[i], q[i], s[i], w + 3 * kOps);
}

template <typename T>
__attribute__((noinline)) void reference(volatile T a, volatile T b, volatile T c, volatile T* r) {
  r[0] = a + b;
  r[1] = a * b;
  r[2] = std::fma(T(a), T(b), T(c));
  r[3] = a / b;
  r[4] = std::sqrt(std::fabs(T(a)));
  volatile T one = 1;
  r[5] = one / b;
}

__global__ void flushed(const float* a, const float* b, float* out) {
  const int i = threadIdx.x;
  asm("add.ftz.f32 %0, %1, %2;" : "=f"(out[i * 3]) : "f"(a[i]), "f"(b[i]));
  asm("mul.ftz.f32 %0, %1, %2;" : "=f"(out[i * 3 + 1]) : "f"(a[i]), "f"(b[i]));
  asm("add.f32 %0, %1, %2;" : "=f"(out[i * 3 + 2]) : "f"(a[i]), "f"(b[i]));
}

template <typename T>
void verify(const std::vector<T>& a, const std::vector<T>& b, const std::vector<T>& c,
            const std::vector<T>& result) {
  const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};
  for (size_t i = 0; i < a.size(); ++i) {
    for (int m = 0; m < kModes; ++m) {
      volatile T expected[kOps];
      std::fesetround(modes[m]);
      reference<T>(a[i], b[i], c[i], expected);
      std::fesetround(FE_TONEAREST);
      for (int k = 0; k < kOps; ++k) {
        EXPECT_BITS(result[(i * kModes + m) * kOps + k], T(expected[k]),
                    "mode %d operation %d of %a %a %a", m, k, double(a[i]), double(b[i]),
                    double(c[i]));
      }
    }
  }
}

int main() {
  const float specials[] = {0.0f,      -0.0f,      1.0f,          -1.0f,
                            0x1p-149f, -0x1p-149f, 0x1p-126f,     0x1.fffffep-127f,
                            3.4e38f,   -3.4e38f,   INFINITY,      -INFINITY,
                            NAN,       1.0f / 3,   0x1.000002p0f, 1e-20f,
                            0x1p-75f,  7.0f};
  std::vector<float> a, b, c;
  check::Random random(17);
  for (const float x : specials) {
    for (const float y : specials) {
      a.push_back(x);
      b.push_back(y);
      c.push_back(specials[random.below(18)]);
    }
  }
  const auto any_float = [&] {
    const unsigned bits = random.bits();
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
  };
  while (a.size() < 1200) {
    const bool near_one = random.below(2);
    a.push_back(near_one ? random.between(-4, 4) : any_float());
    b.push_back(near_one ? random.between(-4, 4) : any_float());
    c.push_back(near_one ? random.between(-4, 4) : any_float());
  }
  const int n = static_cast<int>(a.size());
  std::vector<double> p(n), q(n), s(n);
  for (int i = 0; i < n; ++i) {
    p[i] = i % 7 == 0 ? a[i] * 0x1p-900 * 0x1p-100 : a[i] * (1 + random.bits() * 0x1p-50);
    q[i] = b[i] * (1 + random.bits() * 0x1p-50);
    s[i] = c[i];
  }
  check::DeviceArray<float> da(a), db(b), dc(c), f(n * kModes * kOps);
  check::DeviceArray<double> dp(p), dq(q), ds(s), d(n * kModes * kOps);
  run<<<(n + 63) / 64, 64>>>(da, db, dc, f, dp, dq, ds, d, n);
  KERNEL_OK();
  verify(a, b, c, f.host());
  verify(p, q, s, d.host());

  const std::vector<float> tiny = {0x1p-149f, 0x1p-127f, -0x1p-130f, 0x1p-126f, 0x1p-100f, 1.0f};
  const std::vector<float> other = {0x1p-126f, 0x1p-127f, 0.0f, -0x1.8p-126f, 0x1p-40f, 0x1p-140f};
  check::DeviceArray<float> dt(tiny), dother(other), out(18);
  flushed<<<1, 6>>>(dt, dother, out);
  KERNEL_OK();
  const auto r = out.host();
  const auto flush = [](float x) {
    return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
  };
  for (int i = 0; i < 6; ++i) {
    const float x = flush(tiny[i]), y = flush(other[i]);
    EXPECT_BITS(r[i * 3], flush(x + y), "%d", i);
    EXPECT_BITS(r[i * 3 + 1], flush(x * y), "%d", i);
    EXPECT_BITS(r[i * 3 + 2], tiny[i] + other[i], "%d", i);
  }
  return check::finish("float_rounding");
}
