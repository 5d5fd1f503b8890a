#include "prefetch_kernels.h"

namespace {

__global__ void busy(float* result, unsigned steps) {
  float x = result[0];
  for (unsigned i = 0; i < steps; ++i) x = x * 0.999f + 1.0f;
  result[0] = x;
}

__global__ void scale(unsigned* values, unsigned factor, size_t count) {
  size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) values[i] = values[i] * factor + static_cast<unsigned>(i);
}

}  // namespace

void launch_busy(float* result, unsigned steps, cudaStream_t stream) {
  busy<<<1, 1, 0, stream>>>(result, steps);
}

void launch_scale(unsigned* values, unsigned factor, size_t count, cudaStream_t stream) {
  scale<<<static_cast<unsigned>((count + 255) / 256), 256, 0, stream>>>(values, factor, count);
}
