#include <algorithm>

#include "native.h"

namespace bench::native {

float sum(size_t n, const float* in) {
  float total = 0;
#pragma omp parallel for simd reduction(+ : total)
  for (size_t i = 0; i < n; ++i) total += in[i];
  return total;
}

void histogram(size_t n, const uint32_t* words, uint32_t* bins) {
  std::fill(bins, bins + 256, 0u);
#pragma omp parallel
  {
    uint32_t local[256] = {};
#pragma omp for
    for (size_t i = 0; i < n; ++i) {
      const uint32_t w = words[i];
      ++local[w & 255];
      ++local[w >> 8 & 255];
      ++local[w >> 16 & 255];
      ++local[w >> 24];
    }
#pragma omp critical
    for (int b = 0; b < 256; ++b) bins[b] += local[b];
  }
}

}  // namespace bench::native
