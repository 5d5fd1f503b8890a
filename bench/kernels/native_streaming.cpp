#include "native.h"

namespace bench::native {

void saxpy(size_t n, float a, const float* x, float* y) {
#pragma omp parallel for simd
  for (size_t i = 0; i < n; ++i) y[i] = a * x[i] + y[i];
}

void triad(size_t n, double s, const double* b, const double* c, double* a) {
#pragma omp parallel for simd
  for (size_t i = 0; i < n; ++i) a[i] = b[i] + s * c[i];
}

}  // namespace bench::native
