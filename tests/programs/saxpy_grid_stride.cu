// A grid-stride loop covers any length from any grid, and a*x+y contracts to one fma on request.
#include "check.h"

__global__ void saxpy(int n, float a, const float* __restrict__ x, float* __restrict__ y) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    y[i] = fmaf(a, x[i], y[i]);
  }
}

__global__ void saxpy_size_t(size_t n, float a, const float* x, float* y) {
  const size_t stride = size_t{blockDim.x} * gridDim.x;
  for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) {
    y[i] = __fadd_rn(__fmul_rn(a, x[i]), y[i]);
  }
}

int main() {
  const int n = 50021;
  const float a = 1.0f / 3.0f;
  check::Random random(7);
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    x[i] = random.between(-10, 10);
    y[i] = random.between(-10, 10);
  }
  for (const int blocks : {1, 3, 64}) {
    for (const int threads : {32, 96, 256, 1024}) {
      check::DeviceArray<float> device_x(x), device_y(y);
      saxpy<<<blocks, threads>>>(n, a, device_x, device_y);
      KERNEL_OK();
      const auto fused = device_y.host();
      device_y.set(y);
      saxpy_size_t<<<blocks, threads>>>(n, a, device_x, device_y);
      KERNEL_OK();
      const auto separate = device_y.host();
      for (int i = 0; i < n; ++i) {
        EXPECT_BITS(fused[i], std::fma(a, x[i], y[i]), "%d (%d x %d)", i, blocks, threads);
        volatile float product = a * x[i];
        EXPECT_BITS(separate[i], product + y[i], "%d (%d x %d)", i, blocks, threads);
      }
    }
  }
  return check::finish("saxpy_grid_stride");
}
