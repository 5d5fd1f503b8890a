// bar.sync and bar.arrive with a number and a thread count: producer and consumer warps over a
// double buffer, and groups of two warps that synchronise on their own.
#include "check.h"

__device__ void sync(int id, int count) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory");
}
__device__ void arrive(int id, int count) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(count) : "memory");
}

// Barriers 1, 2: buffer full. Barriers 3, 4: buffer empty.
__global__ void produce_consume(const int* in, int* out, int rounds) {
  __shared__ int buffer[2][64];
  const bool producer = threadIdx.x < 64;
  const int t = threadIdx.x % 64;
  if (producer) {
    for (int r = 0; r < rounds; ++r) {
      const int b = r & 1;
      if (r >= 2) sync(3 + b, 128);
      buffer[b][t] = in[r * 64 + t] * 2;
      __threadfence_block();
      arrive(1 + b, 128);
    }
  } else {
    for (int r = 0; r < rounds; ++r) {
      const int b = r & 1;
      sync(1 + b, 128);
      out[r * 64 + t] = buffer[b][63 - t] + r;
      if (r + 2 < rounds) arrive(3 + b, 128);
    }
  }
}

__global__ void pairs_of_warps(int* out) {
  __shared__ int stage[256];
  const int group = threadIdx.x / 64, t = threadIdx.x % 64;
  int value = threadIdx.x;
  for (int i = 0; i <= group * 2; ++i) {
    stage[threadIdx.x] = value;
    sync(1 + group, 64);
    value = stage[group * 64 + (t + 33) % 64] + 1;
    sync(1 + group, 64);
  }
  out[threadIdx.x] = value;
}

int main() {
  const int rounds = 9;
  std::vector<int> values(rounds * 64);
  for (int i = 0; i < rounds * 64; ++i) values[i] = i * 5 - 100;
  check::DeviceArray<int> in(values), out(rounds * 64);
  produce_consume<<<1, 128>>>(in, out, rounds);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < rounds * 64; ++i) {
    EXPECT_EQ(result[i], values[i / 64 * 64 + 63 - i % 64] * 2 + i / 64, "%d", i);
  }

  check::DeviceArray<int> pairs(256);
  pairs_of_warps<<<1, 256>>>(pairs);
  KERNEL_OK();
  const auto value = pairs.host();
  for (int i = 0; i < 256; ++i) {
    const int group = i / 64, steps = group * 2 + 1;
    EXPECT_EQ(value[i], group * 64 + (i % 64 + 33 * steps) % 64 + steps, "%d", i);
  }
  return check::finish("named_barriers");
}
