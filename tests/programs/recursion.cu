// Recursive device functions: direct, mutual, with local arrays, and deep enough to need a stack.
#include "check.h"

__host__ __device__ __noinline__ int fibonacci(int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__host__ __device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

__host__ __device__ bool is_odd(int n);
__host__ __device__ __noinline__ bool is_even(int n) { return n == 0 ? true : is_odd(n - 1); }
__host__ __device__ __noinline__ bool is_odd(int n) { return n == 0 ? false : is_even(n - 1); }

__host__ __device__ __noinline__ void quicksort(int* values, int low, int high) {
  if (low >= high) return;
  const int pivot = values[(low + high) / 2];
  int i = low, j = high;
  while (i <= j) {
    while (values[i] < pivot) ++i;
    while (values[j] > pivot) --j;
    if (i <= j) {
      const int swap = values[i];
      values[i++] = values[j];
      values[j--] = swap;
    }
  }
  quicksort(values, low, j);
  quicksort(values, i, high);
}

__global__ void run(int* out, int* arrays, int length) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i * 3] = fibonacci(i % 13);
  out[i * 3 + 1] = ackermann(i % 3, i % 7);
  out[i * 3 + 2] = is_even(i % 50);
  quicksort(arrays + i * length, 0, length - 1);
}

int main() {
  const int n = 96, length = 40;
  CUDA_OK(cudaDeviceSetLimit(cudaLimitStackSize, 16384));
  std::vector<int> values(n * length);
  check::Random random(9);
  for (int& v : values) v = random.below(500);
  check::DeviceArray<int> out(n * 3), arrays(values);
  run<<<3, 32>>>(out, arrays, length);
  KERNEL_OK();
  const auto result = out.host(), sorted = arrays.host();
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(result[i * 3], fibonacci(i % 13), "%d", i);
    EXPECT_EQ(result[i * 3 + 1], int(ackermann(i % 3, i % 7)), "%d", i);
    EXPECT_EQ(result[i * 3 + 2], int(is_even(i % 50)), "%d", i);
    quicksort(values.data() + i * length, 0, length - 1);
    for (int k = 0; k < length; ++k) {
      EXPECT_EQ(sorted[i * length + k], values[i * length + k], "%d,%d", i, k);
    }
  }
  return check::finish("recursion");
}
