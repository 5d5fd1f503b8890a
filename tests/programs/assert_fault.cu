// A failed assert ends the kernel with cudaErrorAssert (710), prints where, and sticks.
#include <unistd.h>

#include <cassert>

#include "check.h"

__global__ void checked(const int* values) {
  const int v = values[threadIdx.x];
  assert(v >= 0 && "value must not be negative");
}

int main() {
  std::vector<int> values(64, 1);
  check::DeviceArray<int> data(values);
  checked<<<1, 64>>>(data);
  KERNEL_OK();

  values[37] = -5;
  data.set(values);
  std::FILE* file = std::tmpfile();
  const int saved = dup(2);
  dup2(fileno(file), 2);
  checked<<<1, 64>>>(data);
  EXPECT_ERROR(cudaGetLastError(), cudaSuccess);
  const cudaError_t code = cudaDeviceSynchronize();
  dup2(saved, 2);
  EXPECT_ERROR(code, cudaErrorAssert);
  EXPECT_EQ(std::string(cudaGetErrorName(code)), std::string("cudaErrorAssert"));

  std::rewind(file);
  char text[4096];
  const size_t n = std::fread(text, 1, sizeof(text) - 1, file);
  text[n] = 0;
  EXPECT(std::strstr(text, "assert_fault.cu:") != nullptr);
  EXPECT(std::strstr(text, ": checked: block: [0,0,0], thread: [37,0,0] Assertion `") != nullptr ||
         std::strstr(text, "block: [0,0,0], thread: [37,0,0] Assertion `") != nullptr);
  EXPECT(std::strstr(text, "value must not be negative") != nullptr);
  EXPECT(std::strstr(text, "` failed.") != nullptr);
  EXPECT(std::strstr(text, "thread: [36,0,0]") == nullptr);

  void* p;
  EXPECT_ERROR(cudaMalloc(&p, 16), cudaErrorAssert);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorAssert);
  return check::finish("assert_fault");
}
