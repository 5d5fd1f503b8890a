// f64 arithmetic is exact to the bit, and f64 mathematical functions stay within a few ulp.
#include "check.h"

__device__ double evaluate(int id, double x) {
  switch (id) {
    case 0: return exp(x);
    case 1: return log(x);
    case 2: return sin(x);
    case 3: return cos(x);
    case 4: return tan(x);
    case 5: return sqrt(x);
    case 6: return rsqrt(x);
    case 7: return pow(x, 2.3);
    case 8: return tanh(x);
    case 9: return atan(x);
    case 10: return erf(x);
    case 11: return cbrt(x);
    case 12: return log2(x);
    case 13: return exp2(x);
    case 14: return atan2(x, -0.3);
    case 15: return fmod(x, 0.37);
    case 16: return 1 / x;
    case 17: return floor(x * 3) + trunc(x) * 10 + round(x) * 100 + rint(x) * 1000;
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
    case 7: return std::pow(x, static_cast<long double>(2.3));
    case 8: return std::tanh(x);
    case 9: return std::atan(x);
    case 10: return std::erf(x);
    case 11: return std::cbrt(x);
    case 12: return std::log2(x);
    case 13: return std::exp2(x);
    case 14: return std::atan2(x, static_cast<long double>(-0.3));
    case 15: return std::fmod(x, static_cast<long double>(0.37));
    case 16: return 1 / x;
    case 17:
      return std::floor(double(x) * 3) + std::trunc(x) * 10 + std::round(x) * 100 +
             std::rint(x) * 1000;
    default: return 0;
  }
}

__global__ void run(int id, const double* in, double* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = evaluate(id, in[i]);
}

__global__ void logistic_map(double* x, int steps, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double v = x[i];
  for (int s = 0; s < steps; ++s) v = __dmul_rn(__dmul_rn(3.9, v), __dsub_rn(1.0, v));
  x[i] = v;
}

int main() {
  struct {
    const char* name;
    double low, high, bound;
  } const functions[] = {
      {"exp", -700, 700, 1},    {"log", 1e-9, 1e9, 1},    {"sin", -1000, 1000, 2},
      {"cos", -1000, 1000, 2},  {"tan", -10, 10, 2},      {"sqrt", 0, 1e200, 0.5},
      {"rsqrt", 1e-9, 1e9, 1},  {"pow", 0, 1e6, 2},       {"tanh", -5, 5, 2},
      {"atan", -100, 100, 2},   {"erf", -4, 4, 2},        {"cbrt", -1e9, 1e9, 1},
      {"log2", 1e-9, 1e9, 1.5}, {"exp2", -1000, 1000, 1}, {"atan2", -5, 5, 2},
      {"fmod", -1e6, 1e6, 0.5}, {"1/x", -1e9, 1e9, 0.5},  {"rounding", -1e6, 1e6, 0.5}};
  const int n = 1500;
  check::Random random(43);
  int id = 0;
  for (const auto& f : functions) {
    std::vector<double> in(n);
    for (double& x : in) {
      x = f.low + (f.high - f.low) * static_cast<double>(random.bits64() >> 11) * 0x1p-53;
      if (random.below(3) == 0) x = f.low + (x - f.low) * std::ldexp(1.0, -int(random.below(20)));
    }
    check::DeviceArray<double> device(in), out(n);
    run<<<(n + 127) / 128, 128>>>(id, device, out, n);
    KERNEL_OK();
    const auto result = out.host();
    double worst = 0;
    int at = 0;
    for (int i = 0; i < n; ++i) {
      const double error = check::ulp_error(result[i], reference(id, in[i]));
      if (!(error <= worst)) {
        worst = error;
        at = i;
      }
    }
    if (!(worst <= f.bound + 0.05)) {
      check::fail(__FILE__, __LINE__,
                  std::string(f.name) + check::format("%a", in[at]) + " is " +
                      check::show(result[at]) + ", off by " + check::show(worst) + " ulp");
    }
    ++id;
  }

  std::vector<double> x(256);
  for (int i = 0; i < 256; ++i) x[i] = (i + 0.5) / 256;
  check::DeviceArray<double> device(x);
  logistic_map<<<2, 128>>>(device, 1000, 256);
  KERNEL_OK();
  const auto result = device.host();
  for (int i = 0; i < 256; ++i) {
    volatile double v = x[i];
    for (int s = 0; s < 1000; ++s) {
      volatile double a = 3.9 * v, b = 1.0 - v;
      v = a * b;
    }
    EXPECT_BITS(result[i], double(v), "%d", i);
  }
  return check::finish("double_math");
}
