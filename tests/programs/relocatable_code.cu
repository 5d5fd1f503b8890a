// Two translation units with relocatable device code: functions, variables and function pointers that
// cross between them, kernels in both, and internal names that are equal in both.
#include "relocatable_code.h"

#include "check.h"

static __device__ int hidden = 10;

__device__ int local_square(int x) { return x * x + hidden; }

__global__ void use_other(float* out, int* indirect, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[i] = transform(i) + settings.base;
  indirect[i] = dispatch(local_square, i);
}

int main() {
  const int n = 300;
  configure(5, 0.5f);
  check::DeviceArray<float> out(n);
  check::DeviceArray<int> indirect(n);
  use_other<<<3, 128>>>(out, indirect, n);
  KERNEL_OK();
  auto r = out.host();
  const auto squares = indirect.host();
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(r[i], i * 0.5f + 5 + 5, "%d", i);
    EXPECT_EQ(squares[i], i * i + 10 + 1000, "%d", i);
  }
  int count = 0;
  CUDA_OK(cudaMemcpyFromSymbol(&count, calls, sizeof(count)));
  EXPECT_EQ(count, 100 + n);
  configure(7, 2.0f);
  launch_in_other_unit(out, n);
  r = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(r[i], i * 2.0f + 7 - 20, "%d", i);
  CUDA_OK(cudaMemcpyFromSymbol(&count, calls, sizeof(count)));
  EXPECT_EQ(count, 100 + 2 * n);
  return check::finish("relocatable_code");
}
