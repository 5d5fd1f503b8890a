// Priority range, streams created with priorities (clamped), and reading flags, priority and id back.
#include "check.h"

__global__ void mark(int* p, int v) { p[threadIdx.x] = v; }

int main() {
  int least = 1, greatest = 1;
  CUDA_OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  EXPECT(least >= greatest);
  EXPECT_EQ(least, 0);
  check::DeviceArray<int> data(32);
  for (int p = greatest - 2; p <= least + 2; ++p) {
    cudaStream_t stream;
    CUDA_OK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, p));
    int priority = 99;
    CUDA_OK(cudaStreamGetPriority(stream, &priority));
    EXPECT_EQ(priority, p < greatest ? greatest : p > least ? least : p);
    unsigned flags = 99;
    CUDA_OK(cudaStreamGetFlags(stream, &flags));
    EXPECT_EQ(flags, unsigned(cudaStreamNonBlocking));
    mark<<<1, 32, 0, stream>>>(data, p);
    CUDA_OK(cudaStreamSynchronize(stream));
    for (const int v : data.host()) EXPECT_EQ(v, p);
    CUDA_OK(cudaStreamDestroy(stream));
  }
  cudaStream_t plain, other;
  CUDA_OK(cudaStreamCreate(&plain));
  CUDA_OK(cudaStreamCreate(&other));
  unsigned flags = 99;
  CUDA_OK(cudaStreamGetFlags(plain, &flags));
  EXPECT_EQ(flags, unsigned(cudaStreamDefault));
  unsigned long long id = 0, other_id = 0;
  CUDA_OK(cudaStreamGetId(plain, &id));
  CUDA_OK(cudaStreamGetId(other, &other_id));
  EXPECT(id != other_id);
  int priority = 99;
  CUDA_OK(cudaStreamGetPriority(nullptr, &priority));
  EXPECT_EQ(priority, 0);
  return check::finish("stream_priorities");
}
