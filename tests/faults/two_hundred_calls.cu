// About two hundred CUDA calls whose end result depends on each of them. Exits with 0 when it is right.
#include <cuda_runtime.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr int kElements = 40000;
constexpr int kBlock = 160;

__global__ void mix(uint32_t* data, uint32_t factor, int n) {  // in place: not to be done twice
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] = data[i] * factor + static_cast<uint32_t>(i);
}

__global__ void combine(const uint32_t* a, const uint32_t* b, uint32_t* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] ^ (b[i] >> 3);
}

__global__ void reverse_blocks(uint32_t* data) {
  __shared__ uint32_t tile[kBlock];
  tile[threadIdx.x] = data[blockIdx.x * kBlock + threadIdx.x];
  __syncthreads();
  data[blockIdx.x * kBlock + threadIdx.x] = tile[kBlock - 1 - threadIdx.x];
}

void must(cudaError_t error, int line) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "line %d: %s\n", line, cudaGetErrorString(error));
  std::exit(2);
}
#define MUST(call) must(call, __LINE__)

}  // namespace

int main() {
  const size_t bytes = kElements * sizeof(uint32_t);
  std::vector<uint32_t> a(kElements), b(kElements), c(kElements);
  for (int i = 0; i < kElements; ++i) a[i] = i * 2654435761u, b[i] = i * 40503u + 7;
  uint32_t *da, *db, *dc;
  MUST(cudaMalloc(&da, bytes));
  MUST(cudaMalloc(&db, bytes));
  MUST(cudaMalloc(&dc, bytes));
  MUST(cudaMemcpy(da, a.data(), bytes, cudaMemcpyHostToDevice));
  MUST(cudaMemcpy(db, b.data(), bytes, cudaMemcpyHostToDevice));
  cudaStream_t streams[2];
  MUST(cudaStreamCreate(&streams[0]));
  MUST(cudaStreamCreate(&streams[1]));
  for (int round = 0; round < 20; ++round) {
    const uint32_t factor = 2 * round + 3;
    mix<<<kElements / kBlock, kBlock, 0, streams[0]>>>(da, factor, kElements);
    mix<<<kElements / kBlock, kBlock, 0, streams[1]>>>(db, factor + 2, kElements);
    MUST(cudaStreamSynchronize(streams[1]));
    MUST(cudaStreamSynchronize(streams[0]));
    combine<<<kElements / kBlock, kBlock>>>(da, db, dc, kElements);
    reverse_blocks<<<kElements / kBlock, kBlock>>>(dc);
    MUST(cudaMemcpy(db + 100, dc, bytes / 2, cudaMemcpyDeviceToDevice));
    if (round % 4 == 0) {
      MUST(cudaMemcpy(c.data(), dc, bytes, cudaMemcpyDeviceToHost));
      MUST(cudaMemset(dc, round, bytes));
    }
    MUST(cudaGetLastError());

    for (int i = 0; i < kElements; ++i) a[i] = a[i] * factor + i, b[i] = b[i] * (factor + 2) + i;
    std::vector<uint32_t> expected(kElements);
    for (int i = 0; i < kElements; ++i) {
      const int from = i / kBlock * kBlock + kBlock - 1 - i % kBlock;
      expected[i] = a[from] ^ (b[from] >> 3);
    }
    for (int i = 0; i < kElements / 2; ++i) b[100 + i] = expected[i];
    if (round % 4 == 0 && c != expected) {
      std::fprintf(stderr, "round %d differs\n", round);
      return 1;
    }
  }
  MUST(cudaDeviceSynchronize());
  MUST(cudaMemcpy(c.data(), da, bytes, cudaMemcpyDeviceToHost));
  if (c != a) return 1;
  MUST(cudaMemcpy(c.data(), db, bytes, cudaMemcpyDeviceToHost));
  if (c != b) return 1;
  for (auto stream : streams) MUST(cudaStreamDestroy(stream));
  for (auto* memory : {da, db, dc}) MUST(cudaFree(memory));
  return 0;
}
