#include <algorithm>

#include "native.h"

namespace bench::native {

constexpr int kTile = 32;

void transpose(int width, int height, const float* in, float* out) {
#pragma omp parallel for collapse(2)
  for (int by = 0; by < height; by += kTile) {
    for (int bx = 0; bx < width; bx += kTile) {
      float tile[kTile][kTile + 1];
      for (int y = 0; y < kTile; ++y) {
        for (int x = 0; x < kTile; ++x) tile[y][x] = in[(by + y) * width + bx + x];
      }
      for (int x = 0; x < kTile; ++x) {
        for (int y = 0; y < kTile; ++y) out[(bx + x) * height + by + y] = tile[y][x];
      }
    }
  }
}

void matmul(int n, const float* a, const float* b, float* c) {
#pragma omp parallel for collapse(2)
  for (int by = 0; by < n; by += kTile) {
    for (int bx = 0; bx < n; bx += kTile) {
      float sum[kTile][kTile] = {};
      for (int t = 0; t < n; t += kTile) {
        for (int y = 0; y < kTile; ++y) {
          for (int k = 0; k < kTile; ++k) {
            const float left = a[(by + y) * n + t + k];
#pragma omp simd
            for (int x = 0; x < kTile; ++x) sum[y][x] += left * b[(t + k) * n + bx + x];
          }
        }
      }
      for (int y = 0; y < kTile; ++y) {
        for (int x = 0; x < kTile; ++x) c[(by + y) * n + bx + x] = sum[y][x];
      }
    }
  }
}

namespace {

constexpr int kChunk = 1024;

// One step over elements [first, first + count); groups of 2 * distance lie inside.
inline void step(unsigned* data, int first, int count, int size, int distance) {
  for (int group = first; group < first + count; group += 2 * distance) {
    const bool ascending = (group & size) == 0;
    unsigned *low = data + group, *high = low + distance;
#pragma omp simd
    for (int i = 0; i < distance; ++i) {
      const unsigned a = low[i], b = high[i];
      const unsigned less = std::min(a, b), more = std::max(a, b);
      low[i] = ascending ? less : more;
      high[i] = ascending ? more : less;
    }
  }
}

}  // namespace

void bitonic_sort(int n, unsigned* data) {
#pragma omp parallel for
  for (int chunk = 0; chunk < n; chunk += kChunk) {
    for (int size = 2; size <= kChunk; size *= 2) {
      for (int distance = size / 2; distance > 0; distance /= 2) {
        step(data, chunk, kChunk, size, distance);
      }
    }
  }
  for (int size = 2 * kChunk; size <= n; size *= 2) {
    for (int distance = size / 2; distance >= kChunk; distance /= 2) {
#pragma omp parallel for
      for (int part = 0; part < n / 2; part += kChunk / 2) {
        const int group = part / distance * 2 * distance, offset = part % distance;
        const bool ascending = (group & size) == 0;
        unsigned *low = data + group + offset, *high = low + distance;
#pragma omp simd
        for (int i = 0; i < kChunk / 2; ++i) {
          const unsigned a = low[i], b = high[i];
          const unsigned less = std::min(a, b), more = std::max(a, b);
          low[i] = ascending ? less : more;
          high[i] = ascending ? more : less;
        }
      }
    }
#pragma omp parallel for
    for (int chunk = 0; chunk < n; chunk += kChunk) {
      for (int distance = kChunk / 2; distance > 0; distance /= 2) {
        step(data, chunk, kChunk, size, distance);
      }
    }
  }
}

}  // namespace bench::native
