// Streams run in order; events order streams among each other and measure time; queries say
// "not ready" without failing; the legacy default stream waits for blocking streams and not for
// non-blocking ones.
#include "check.h"

__global__ void add(int* p, int n, int v) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i] += v;
}

__global__ void multiply(int* p, int n, int v) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i] *= v;
}

__global__ void wait_for(volatile int* flag) {
  while (*flag == 0) {
  }
}

__global__ void spin(long long ns) {
  unsigned long long start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (static_cast<long long>(now - start) < ns);
}

int main() {
  const int n = 5000, blocks = (n + 255) / 256;
  check::DeviceArray<int> data(n);
  cudaStream_t a, b, c;
  CUDA_OK(cudaStreamCreate(&a));
  CUDA_OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreate(&c));

  // In order within a stream.
  for (int i = 0; i < 30; ++i) {
    add<<<blocks, 256, 0, a>>>(data, n, 1);
    multiply<<<blocks, 256, 0, a>>>(data, n, i % 3 ? 1 : 2);
  }
  CUDA_OK(cudaStreamSynchronize(a));
  int expected = 0;
  for (int i = 0; i < 30; ++i) expected = (expected + 1) * (i % 3 ? 1 : 2);
  for (const int v : data.host()) EXPECT_EQ(v, expected);

  // Ordered across streams by events, back and forth.
  CUDA_OK(cudaMemset(data, 0, n * sizeof(int)));
  CUDA_OK(cudaDeviceSynchronize());
  cudaEvent_t first, second;
  CUDA_OK(cudaEventCreateWithFlags(&first, cudaEventDisableTiming));
  CUDA_OK(cudaEventCreate(&second));
  for (int i = 0; i < 20; ++i) {
    add<<<blocks, 256, 0, a>>>(data, n, 3);
    CUDA_OK(cudaEventRecord(first, a));
    CUDA_OK(cudaStreamWaitEvent(b, first, 0));
    multiply<<<blocks, 256, 0, b>>>(data, n, -1);
    CUDA_OK(cudaEventRecord(second, b));
    CUDA_OK(cudaStreamWaitEvent(a, second, 0));
  }
  CUDA_OK(cudaStreamSynchronize(a));
  CUDA_OK(cudaStreamSynchronize(b));
  expected = 0;
  for (int i = 0; i < 20; ++i) expected = -(expected + 3);
  for (const int v : data.host()) EXPECT_EQ(v, expected);

  // A kernel that waits for the host: not ready, then ready.
  int* flag;
  CUDA_OK(cudaHostAlloc(&flag, sizeof(int), cudaHostAllocMapped));
  *flag = 0;
  int* device_flag;
  CUDA_OK(cudaHostGetDevicePointer(&device_flag, flag, 0));
  wait_for<<<1, 1, 0, b>>>(device_flag);
  CUDA_OK(cudaEventRecord(second, b));
  EXPECT_ERROR(cudaStreamQuery(b), cudaErrorNotReady);
  EXPECT_ERROR(cudaEventQuery(second), cudaErrorNotReady);
  EXPECT_ERROR(cudaGetLastError(), cudaSuccess);  // not ready is no error
  // b is non-blocking: the default stream does not wait for it.
  add<<<blocks, 256>>>(data, n, 1);
  CUDA_OK(cudaStreamSynchronize(nullptr));
  *reinterpret_cast<volatile int*>(flag) = 1;
  CUDA_OK(cudaEventSynchronize(second));
  EXPECT_ERROR(cudaEventQuery(second), cudaSuccess);
  EXPECT_ERROR(cudaStreamQuery(b), cudaSuccess);

  // The default stream waits for blocking streams, and they for it.
  CUDA_OK(cudaMemset(data, 0, n * sizeof(int)));
  for (int i = 0; i < 10; ++i) {
    add<<<blocks, 256, 0, a>>>(data, n, 5);
    multiply<<<blocks, 256>>>(data, n, 3);
    add<<<blocks, 256, 0, c>>>(data, n, -1);
    multiply<<<blocks, 256>>>(data, n, 2);
  }
  CUDA_OK(cudaDeviceSynchronize());
  expected = 0;
  for (int i = 0; i < 10; ++i) expected = ((expected + 5) * 3 - 1) * 2;
  for (const int v : data.host()) EXPECT_EQ(v, expected);

  // Elapsed time.
  cudaEvent_t begin, end;
  CUDA_OK(cudaEventCreate(&begin));
  CUDA_OK(cudaEventCreate(&end));
  CUDA_OK(cudaEventRecord(begin, a));
  spin<<<1, 1, 0, a>>>(20 * 1000 * 1000);
  CUDA_OK(cudaEventRecord(end, a));
  CUDA_OK(cudaEventSynchronize(end));
  float ms = 0;
  CUDA_OK(cudaEventElapsedTime(&ms, begin, end));
  EXPECT(ms > 19.0f && ms < 2000.0f);
  EXPECT_ERROR(cudaEventElapsedTime(&ms, begin, first), cudaErrorInvalidResourceHandle);

  // Destroying a stream with work in it lets the work finish.
  CUDA_OK(cudaMemset(data, 0, n * sizeof(int)));
  CUDA_OK(cudaDeviceSynchronize());
  add<<<blocks, 256, 0, c>>>(data, n, 9);
  CUDA_OK(cudaStreamDestroy(c));
  CUDA_OK(cudaDeviceSynchronize());
  for (const int v : data.host()) EXPECT_EQ(v, 9);
  CUDA_OK(cudaEventDestroy(begin));
  CUDA_OK(cudaStreamDestroy(a));
  CUDA_OK(cudaStreamDestroy(b));
  CUDA_OK(cudaFreeHost(flag));
  return check::finish("streams_events");
}
