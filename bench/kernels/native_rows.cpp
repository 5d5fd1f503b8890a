#include <algorithm>
#include <cmath>

#include "native.h"

namespace bench::native {

void softmax(int rows, int columns, const float* in, float* out) {
#pragma omp parallel for
  for (int r = 0; r < rows; ++r) {
    const float* row = in + static_cast<size_t>(r) * columns;
    float* to = out + static_cast<size_t>(r) * columns;
    float largest = row[0];
#pragma omp simd reduction(max : largest)
    for (int c = 0; c < columns; ++c) largest = std::max(largest, row[c]);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int c = 0; c < columns; ++c) {
      const float e = std::exp(row[c] - largest);
      to[c] = e;
      total += e;
    }
    const float scale = 1.0f / total;
#pragma omp simd
    for (int c = 0; c < columns; ++c) to[c] *= scale;
  }
}

void layer_norm(int rows, int columns, const float* in, const float* gain, const float* bias,
                float* out) {
#pragma omp parallel for
  for (int r = 0; r < rows; ++r) {
    const float* row = in + static_cast<size_t>(r) * columns;
    float* to = out + static_cast<size_t>(r) * columns;
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int c = 0; c < columns; ++c) total += row[c];
    const float mean = total / static_cast<float>(columns);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int c = 0; c < columns; ++c) {
      const float d = row[c] - mean;
      squares += d * d;
    }
    const float scale = 1.0f / std::sqrt(squares / static_cast<float>(columns) + 1e-5f);
#pragma omp simd
    for (int c = 0; c < columns; ++c) to[c] = (row[c] - mean) * scale * gain[c] + bias[c];
  }
}

}  // namespace bench::native
