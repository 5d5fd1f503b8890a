// Many instances of templated kernels with long mangled names, lambdas as kernel arguments, and
// kernels in anonymous namespaces.
#include "check.h"

namespace {

template <typename T>
struct Plus {
  T amount;
  __device__ T operator()(T x) const { return x + amount; }
};

template <typename T>
struct Scale {
  T factor;
  __device__ T operator()(T x) const { return x * factor; }
};

template <typename T, int kUnroll, typename... Operations>
__global__ void apply(T* data, int n, Operations... operations) {
  const int first = (blockIdx.x * blockDim.x + threadIdx.x) * kUnroll;
#pragma unroll
  for (int k = 0; k < kUnroll; ++k) {
    if (first + k < n) {
      T x = data[first + k];
      ((x = operations(x)), ...);
      data[first + k] = x;
    }
  }
}

template <typename F>
__global__ void for_each(int n, F f) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) f(i);
}

template <typename T, int kUnroll>
void run() {
  const int n = 1000;
  std::vector<T> in(n);
  for (int i = 0; i < n; ++i) in[i] = T(i % 50);
  check::DeviceArray<T> data(in);
  const int per_block = 64 * kUnroll;
  apply<T, kUnroll><<<(n + per_block - 1) / per_block, 64>>>(data.get(), n, Plus<T>{T(2)},
                                                             Scale<T>{T(3)}, Plus<T>{T(1)});
  KERNEL_OK();
  const auto r = data.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(r[i], T((in[i] + T(2)) * T(3) + T(1)), "%d", i);
}

}  // namespace

int main() {
  run<int, 1>();
  run<int, 4>();
  run<float, 2>();
  run<double, 3>();
  run<short, 8>();
  run<unsigned long long, 1>();
  const int n = 500;
  check::DeviceArray<int> out(n);
  int* p = out;
  const int offset = 42;
  for_each<<<4, 128>>>(n, [p, offset] __device__(int i) { p[i] = i * i + offset; });
  KERNEL_OK();
  const auto r = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(r[i], i * i + 42, "%d", i);
  return check::finish("template_kernels");
}
