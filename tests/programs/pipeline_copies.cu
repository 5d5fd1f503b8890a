// cp.async (sm_80): copies from global to shared memory in groups, double buffered, of 4, 8 and 16
// bytes, and zero-filled tails.
#include <cuda_pipeline.h>

#include "check.h"

template <typename V>
__global__ void pipelined(const V* in, V* out, int tiles) {
  __shared__ V buffer[2][64];
  const int t = threadIdx.x;
  const V* source = in + blockIdx.x * tiles * 64;
  V* target = out + blockIdx.x * tiles * 64;
  __pipeline_memcpy_async(&buffer[0][t], &source[t], sizeof(V));
  __pipeline_commit();
  for (int i = 0; i < tiles; ++i) {
    if (i + 1 < tiles) {
      __pipeline_memcpy_async(&buffer[(i + 1) & 1][t], &source[(i + 1) * 64 + t], sizeof(V));
      __pipeline_commit();
      __pipeline_wait_prior(1);
    } else {
      __pipeline_wait_prior(0);
    }
    __syncthreads();
    target[i * 64 + t] = buffer[i & 1][63 - t];
    __syncthreads();
  }
}

__global__ void zero_filled(const int4* in, int4* out) {
  __shared__ int4 stage[32];
  stage[threadIdx.x] = make_int4(-1, -1, -1, -1);
  __syncwarp();
  __pipeline_memcpy_async(&stage[threadIdx.x], &in[threadIdx.x], 16, threadIdx.x % 4 * 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  out[threadIdx.x] = stage[threadIdx.x];
}

template <typename V>
void run() {
  const int tiles = 7, blocks = 3, words = sizeof(V) / 4, n = tiles * blocks * 64;
  std::vector<int> in(n * words);
  for (int i = 0; i < n * words; ++i) in[i] = i;
  check::DeviceArray<int> device(in), out(n * words);
  pipelined<V>
      <<<blocks, 64>>>(reinterpret_cast<V*>(device.get()), reinterpret_cast<V*>(out.get()), tiles);
  KERNEL_OK();
  const auto r = out.host();
  for (int i = 0; i < n; ++i) {
    const int from = i / 64 * 64 + 63 - i % 64;
    for (int k = 0; k < words; ++k) EXPECT_EQ(r[i * words + k], from * words + k, "%d", i);
  }
}

int main() {
  run<int>();
  run<int2>();
  run<int4>();
  std::vector<int> in(128);
  for (int i = 0; i < 128; ++i) in[i] = i + 1;
  check::DeviceArray<int> device(in), out(128);
  zero_filled<<<1, 32>>>(reinterpret_cast<int4*>(device.get()), reinterpret_cast<int4*>(out.get()));
  KERNEL_OK();
  const auto r = out.host();
  for (int i = 0; i < 128; ++i) {
    EXPECT_EQ(r[i], i % 4 < 4 - i / 4 % 4 ? i + 1 : 0, "%d", i);
  }
  return check::finish("pipeline_copies");
}
