#include <algorithm>

#include "native.h"

namespace bench::native {

void spmv(int rows, const int* offsets, const int* columns, const float* values, const float* x,
          float* y) {
#pragma omp parallel for
  for (int row = 0; row < rows; ++row) {
    float sum = 0;
    const int end = offsets[row + 1];
#pragma omp simd reduction(+ : sum)
    for (int k = offsets[row]; k < end; ++k) sum += values[k] * x[columns[k]];
    y[row] = sum;
  }
}

int bfs(int nodes, const int* offsets, const int* edges, int source, int* level) {
#pragma omp parallel for simd
  for (int node = 0; node < nodes; ++node) level[node] = -1;
  level[source] = 0;
  int depth = 0;
  for (int changed = 1; changed; ++depth) {
    changed = 0;
#pragma omp parallel for reduction(| : changed)
    for (int node = 0; node < nodes; ++node) {
      if (level[node] != depth) continue;
      for (int k = offsets[node]; k < offsets[node + 1]; ++k) {
        const int other = edges[k];
        if (level[other] < 0) {
          level[other] = depth + 1;  // every writer writes the same
          changed = 1;
        }
      }
    }
  }
  return depth;
}

}  // namespace bench::native
