// Indirect calls: through a table in memory, a parameter, a pointer chosen per lane, and a pointer
// read back by the host with cudaMemcpyFromSymbol.
#include "check.h"

using Operation = float (*)(float, float);

__device__ __noinline__ float add(float a, float b) { return a + b; }
__device__ __noinline__ float subtract(float a, float b) { return a - b; }
__device__ __noinline__ float multiply(float a, float b) { return a * b; }
__device__ __noinline__ float larger(float a, float b) { return a > b ? a : b; }

__device__ Operation operations[] = {add, subtract, multiply, larger};
__device__ Operation chosen = multiply;

float reference(int op, float a, float b) {
  switch (op) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    default: return a > b ? a : b;
  }
}

__global__ void per_lane(const int* which, const float* a, const float* b, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = operations[which[i]](a[i], b[i]);
}

__global__ void by_parameter(Operation operation, const float* a, const float* b, float* out,
                             int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = operation(a[i], b[i]);
}

template <typename F>
__device__ __noinline__ int apply(F f, int x) {
  return f(f(x));
}

__global__ void lambdas(int* out, int k) {
  auto plus = [=](int x) { return x + k; };
  auto times = [=](int x) { return x * k; };
  out[threadIdx.x] = threadIdx.x & 1 ? apply(plus, threadIdx.x) : apply(times, threadIdx.x);
}

int main() {
  const int n = 500;
  std::vector<int> which(n);
  std::vector<float> a(n), b(n);
  for (int i = 0; i < n; ++i) {
    which[i] = i * 7 % 4;
    a[i] = i * 0.5f;
    b[i] = 100 - i;
  }
  check::DeviceArray<int> device_which(which);
  check::DeviceArray<float> device_a(a), device_b(b), out(n);
  per_lane<<<(n + 127) / 128, 128>>>(device_which, device_a, device_b, out, n);
  KERNEL_OK();
  auto result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], reference(which[i], a[i], b[i]), "%d", i);

  Operation on_device;
  CUDA_OK(cudaMemcpyFromSymbol(&on_device, chosen, sizeof(on_device)));
  by_parameter<<<(n + 127) / 128, 128>>>(on_device, device_a, device_b, out, n);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], a[i] * b[i], "%d", i);

  check::DeviceArray<int> numbers(64);
  lambdas<<<1, 64>>>(numbers, 5);
  KERNEL_OK();
  const auto number = numbers.host();
  for (int i = 0; i < 64; ++i) EXPECT_EQ(number[i], i & 1 ? i + 10 : i * 25, "%d", i);
  return check::finish("function_pointers");
}
