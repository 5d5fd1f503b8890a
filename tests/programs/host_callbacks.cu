// cudaLaunchHostFunc and cudaStreamAddCallback run in stream order after the call has returned, and
// hold back what follows them in the stream.
#include <atomic>
#include <chrono>
#include <thread>

#include "check.h"

__global__ void add(int* p, int v) { *p += v; }

struct Record {
  int* value;
  std::vector<int> seen;
};

void CUDART_CB observe(void* data) {
  auto* record = static_cast<Record*>(data);
  record->seen.push_back(*record->value);
}

void CUDART_CB slow_set(void* data) {
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  static_cast<std::atomic<int>*>(data)->store(1);
}

void CUDART_CB callback(cudaStream_t stream, cudaError_t status, void* data) {
  *static_cast<int*>(data) = status == cudaSuccess && stream != nullptr ? 7 : -1;
}

int main() {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  int* value;
  CUDA_OK(cudaMallocHost(&value, sizeof(int)));
  *value = 0;
  Record record{value, {}};
  for (int i = 1; i <= 10; ++i) {
    add<<<1, 1, 0, stream>>>(value, i);
    CUDA_OK(cudaLaunchHostFunc(stream, observe, &record));
  }
  CUDA_OK(cudaStreamSynchronize(stream));
  EXPECT_EQ(record.seen.size(), size_t{10});
  for (size_t i = 0; i < record.seen.size(); ++i) {
    EXPECT_EQ(record.seen[i], int((i + 1) * (i + 2) / 2), "%d", int(i));
  }

  std::atomic<int> flag{0};
  int status = 0;
  CUDA_OK(cudaLaunchHostFunc(stream, slow_set, &flag));
  EXPECT_EQ(flag.load(), 0);
  cudaEvent_t event;
  CUDA_OK(cudaEventCreate(&event));
  CUDA_OK(cudaEventRecord(event, stream));
  CUDA_OK(cudaStreamAddCallback(stream, callback, &status, 0));
  CUDA_OK(cudaEventSynchronize(event));
  EXPECT_EQ(flag.load(), 1);
  CUDA_OK(cudaStreamSynchronize(stream));
  EXPECT_EQ(status, 7);
  CUDA_OK(cudaFreeHost(value));
  return check::finish("host_callbacks");
}
