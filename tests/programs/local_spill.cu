// Two hundred values live across a barrier and across divergent code: far more than any register
// file holds.
#include "check.h"

template <int kValues>
__global__ void spill(const int* in, int* out, int n) {
  __shared__ int exchange[128];
  const int t = threadIdx.x;
  int v[kValues];
#pragma unroll
  for (int k = 0; k < kValues; ++k) v[k] = in[(t * 31 + k * 7) % n];
  exchange[t] = v[t & 1 ? 3 : 5];
  __syncthreads();
  const int other = exchange[127 - t];
#pragma unroll
  for (int k = 0; k < kValues; ++k) v[k] = v[k] * 3 + (other ^ k);
  if (t % 3 == 0) {
#pragma unroll
    for (int k = 1; k < kValues; ++k) v[k] += v[k - 1] >> 1;
  }
  __syncthreads();
  exchange[t] = v[kValues - 1];
  __syncthreads();
  int sum = exchange[(t + 64) % 128];
#pragma unroll
  for (int k = 0; k < kValues; ++k) sum = sum * 5 + v[k];
  out[t] = sum;
}

template <int kValues>
void run() {
  const int n = 997;
  std::vector<int> in(n);
  check::Random random(kValues);
  for (int& x : in) x = random.below(1 << 20);
  check::DeviceArray<int> device(in), out(128);
  spill<kValues><<<1, 128>>>(device, out, n);
  KERNEL_OK();
  std::vector<std::vector<unsigned>> v(128, std::vector<unsigned>(kValues));
  std::vector<unsigned> exchange(128), last(128);
  for (int t = 0; t < 128; ++t) {
    for (int k = 0; k < kValues; ++k) v[t][k] = in[(t * 31 + k * 7) % n];
    exchange[t] = v[t][t & 1 ? 3 : 5];
  }
  for (int t = 0; t < 128; ++t) {
    for (int k = 0; k < kValues; ++k) v[t][k] = v[t][k] * 3 + (exchange[127 - t] ^ k);
    if (t % 3 == 0) {
      for (int k = 1; k < kValues; ++k) v[t][k] += unsigned(int(v[t][k - 1]) >> 1);
    }
    last[t] = v[t][kValues - 1];
  }
  const auto result = out.host();
  for (int t = 0; t < 128; ++t) {
    unsigned sum = last[(t + 64) % 128];
    for (int k = 0; k < kValues; ++k) sum = sum * 5 + v[t][k];
    EXPECT_EQ(result[t], int(sum), "thread %d with %d values", t, kValues);
  }
}

int main() {
  run<8>();
  run<64>();
  run<200>();
  return check::finish("local_spill");
}
