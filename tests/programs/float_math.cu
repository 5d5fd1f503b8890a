// f32 mathematical functions against long double on the host, within the bounds that the CUDA
// programming guide states for them.
#include "check.h"

struct Function {
  const char* name;
  int id;
  float low, high;
  double bound;  // ulp
};

__device__ float evaluate(int id, float x) {
  switch (id) {
    case 0: return expf(x);
    case 1: return logf(x);
    case 2: return sinf(x);
    case 3: return cosf(x);
    case 4: return tanf(x);
    case 5: return sqrtf(x);
    case 6: return rsqrtf(x);
    case 7: return exp2f(x);
    case 8: return log2f(x);
    case 9: return log10f(x);
    case 10: return expm1f(x);
    case 11: return log1pf(x);
    case 12: return tanhf(x);
    case 13: return sinhf(x);
    case 14: return asinf(x);
    case 15: return acosf(x);
    case 16: return atanf(x);
    case 17: return erff(x);
    case 18: return erfcf(x);
    case 19: return cbrtf(x);
    case 20: return exp10f(x);
    case 21: return lgammaf(x);
    case 22: return tgammaf(x);
    case 23: return powf(x, 1.7f);
    case 24: return powf(1.3f, x);
    case 25: return atan2f(x, 0.7f);
    case 26: return hypotf(x, 3.0f);
    case 27: return fmodf(x, 0.7f);
    case 28: return 1.0f / x;
    case 29: return normcdff(x);
    default: return 0;
  }
}

long double reference(int id, long double x) {
  switch (id) {
    case 0: return std::exp(x);
    case 1: return std::log(x);
    case 2: return std::sin(x);
    case 3: return std::cos(x);
    case 4: return std::tan(x);
    case 5: return std::sqrt(x);
    case 6: return 1 / std::sqrt(x);
    case 7: return std::exp2(x);
    case 8: return std::log2(x);
    case 9: return std::log10(x);
    case 10: return std::expm1(x);
    case 11: return std::log1p(x);
    case 12: return std::tanh(x);
    case 13: return std::sinh(x);
    case 14: return std::asin(x);
    case 15: return std::acos(x);
    case 16: return std::atan(x);
    case 17: return std::erf(x);
    case 18: return std::erfc(x);
    case 19: return std::cbrt(x);
    case 20: return std::pow(10.0L, x);
    case 21: return std::lgamma(x);
    case 22: return std::tgamma(x);
    case 23: return std::pow(x, static_cast<long double>(1.7f));
    case 24: return std::pow(static_cast<long double>(1.3f), x);
    case 25: return std::atan2(x, static_cast<long double>(0.7f));
    case 26: return std::hypot(x, 3.0L);
    case 27: return std::fmod(x, static_cast<long double>(0.7f));
    case 28: return 1 / x;
    case 29: return std::erfc(-x * 0.70710678118654752440L) / 2;
    default: return 0;
  }
}

__global__ void run(int id, const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = evaluate(id, in[i]);
}

int main() {
  const Function functions[] = {
      {"expf", 0, -100, 88, 2},      {"logf", 1, 0, 1e6f, 1},
      {"sinf", 2, -100, 100, 2},     {"cosf", 3, -100, 100, 2},
      {"tanf", 4, -10, 10, 4},       {"sqrtf", 5, 0, 1e30f, 0.5},
      {"rsqrtf", 6, 1e-3f, 1e6f, 2}, {"exp2f", 7, -140, 127, 2},
      {"log2f", 8, 0, 1e6f, 1},      {"log10f", 9, 0, 1e6f, 2},
      {"expm1f", 10, -20, 80, 1.5},  {"log1pf", 11, -0.99f, 1e5f, 1},
      {"tanhf", 12, -9, 9, 2},       {"sinhf", 13, -80, 80, 3},
      {"asinf", 14, -1, 1, 2},       {"acosf", 15, -1, 1, 2},
      {"atanf", 16, -1e3f, 1e3f, 2}, {"erff", 17, -4, 4, 2},
      {"erfcf", 18, -3, 9, 4},       {"cbrtf", 19, -1e6f, 1e6f, 1},
      {"exp10f", 20, -37, 38, 2},    {"lgammaf", 21, 0.1f, 50, 6},
      {"tgammaf", 22, 0.1f, 30, 5},  {"powf x", 23, 0, 1e6f, 4},
      {"powf e", 24, -100, 100, 4},  {"atan2f", 25, -50, 50, 3},
      {"hypotf", 26, -100, 100, 3},  {"fmodf", 27, -1e4f, 1e4f, 0.5},
      {"1/x", 28, -1e6f, 1e6f, 0.5}, {"normcdff", 29, -5, 5, 5},
  };
  const int n = 2000;
  check::Random random(41);
  for (const Function& f : functions) {
    std::vector<float> in(n);
    for (int i = 0; i < n; ++i) in[i] = random.between(f.low, f.high);
    for (int i = 0; i < n / 4; ++i) {
      in[i] = f.low + (in[i] - f.low) * std::ldexp(1.0f, -static_cast<int>(random.below(20)));
    }
    if (f.low < 0 && f.high > 0) in[5] = 1e-6f, in[6] = -1e-6f, in[7] = 0.0f;
    check::DeviceArray<float> device(in), out(n);
    run<<<(n + 127) / 128, 128>>>(f.id, device, out, n);
    KERNEL_OK();
    const auto result = out.host();
    double worst = 0;
    int at = 0;
    for (int i = 0; i < n; ++i) {
      const long double exact = reference(f.id, in[i]);
      double error = check::ulp_error(result[i], exact);
      // Near lgamma's zeros (1 and 2) the bound is absolute.
      if (f.id == 21 && std::fabs(static_cast<double>(result[i] - exact)) < 1e-6) error = 0;
      if (!(error <= worst)) {
        worst = error;
        at = i;
      }
    }
    if (!(worst <= f.bound + 0.01)) {
      check::fail(__FILE__, __LINE__,
                  std::string(f.name) + check::format("%a", in[at]) + " is " +
                      check::show(result[at]) + ", off by " + check::show(worst) +
                      " ulp, allowed " + check::show(f.bound));
    }
  }

  // Special values.
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f};
  std::vector<float> in(special, special + 7);
  check::DeviceArray<float> device(in), out(7);
  for (const int id : {0, 1, 2, 5, 7, 8, 12, 16, 17, 19}) {
    run<<<1, 7>>>(id, device, out, 7);
    KERNEL_OK();
    const auto result = out.host();
    for (int i = 0; i < 7; ++i) {
      const float exact = static_cast<float>(reference(id, in[i]));
      EXPECT(check::ulp_error(result[i], exact) <= 2);
      if (exact == 0) EXPECT_BITS(result[i], exact, "function %d of %g", id, in[i]);
    }
  }
  return check::finish("float_math");
}
