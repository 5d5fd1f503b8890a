// Atomics on shared memory, on generic pointers into it, and block-scope variants.
#include "check.h"

__device__ __noinline__ void add_through(int* anywhere, int v) { atomicAdd(anywhere, v); }

__global__ void contend(unsigned* out, float* floats, int* scopes, int* global) {
  __shared__ unsigned cells[8];
  __shared__ float sum;
  __shared__ unsigned long long wide;
  __shared__ int generic;
  const unsigned t = threadIdx.x;
  if (t < 8) cells[t] = t == 1 || t == 4 ? ~0u : 0;
  if (t == 0) {
    sum = 0;
    wide = 0;
    generic = 0;
  }
  __syncthreads();
  atomicAdd(&cells[0], t);
  atomicMin(&cells[1], 1000 - t);
  atomicMax(&cells[2], t * 3);
  atomicOr(&cells[3], 1u << t % 32);
  atomicAnd(&cells[4], ~(1u << t % 16));
  atomicXor(&cells[5], t);
  atomicInc(&cells[6], 16);
  atomicCAS(&cells[7], 0u, t + 1);
  atomicAdd(&sum, 0.5f);
  atomicAdd(&wide, 1ull << 32);
  add_through(t & 1 ? &generic : global, 2);
  atomicAdd_block(&cells[0], 1u);
  if (t < 4) atomicAdd_system(scopes, 1);
  __syncthreads();
  if (t < 8) out[blockIdx.x * 12 + t] = cells[t];
  if (t == 0) {
    out[blockIdx.x * 12 + 8] = unsigned(wide >> 32);
    out[blockIdx.x * 12 + 9] = generic;
    floats[blockIdx.x] = sum;
  }
}

int main() {
  const int blocks = 5, threads = 160;
  check::DeviceArray<unsigned> out(blocks * 12);
  check::DeviceArray<float> floats(blocks);
  check::DeviceArray<int> scopes(1), global(1);
  contend<<<blocks, threads>>>(out, floats, scopes, global);
  KERNEL_OK();
  const auto r = out.host();
  const auto f = floats.host();
  unsigned sum = 0, parity = 0, inc = 0;
  for (unsigned t = 0; t < threads; ++t) {
    sum += t + 1;
    parity ^= t;
    inc = inc >= 16 ? 0 : inc + 1;
  }
  for (int b = 0; b < blocks; ++b) {
    const unsigned expected[] = {sum, 1000 - 159, 159 * 3, ~0u, 0xffff0000u, parity, inc};
    for (int i = 0; i < 7; ++i) EXPECT_EQ(r[b * 12 + i], expected[i], "block %d cell %d", b, i);
    EXPECT(r[b * 12 + 7] >= 1 && r[b * 12 + 7] <= threads);
    EXPECT_EQ(r[b * 12 + 8], unsigned(threads), "block %d", b);
    EXPECT_EQ(r[b * 12 + 9], unsigned(threads), "block %d", b);
    EXPECT_EQ(f[b], threads * 0.5f, "block %d", b);
  }
  EXPECT_EQ(scopes.host()[0], blocks * 4);
  EXPECT_EQ(global.host()[0], blocks * threads);
  return check::finish("atomics_shared");
}
