// cudaLaunchKernelEx and cudaLaunchKernelExC with attributes, cudaLaunchKernel with argument arrays,
// and launches through pointers to template instances.
#include "check.h"

__global__ void axpy(float a, const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}

template <int kFactor>
__global__ void times(float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] *= kFactor;
}

int main() {
  const int n = 700;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    x[i] = i;
    y[i] = -i * 0.5f;
  }
  check::DeviceArray<float> dx(x), dy(y);
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));

  cudaLaunchConfig_t config{};
  config.gridDim = dim3((n + 127) / 128);
  config.blockDim = dim3(128);
  config.stream = stream;
  CUDA_OK(
      cudaLaunchKernelEx(&config, axpy, 2.0f, static_cast<const float*>(dx.get()), dy.get(), n));
  cudaLaunchAttribute attributes[2];
  attributes[0].id = cudaLaunchAttributePriority;
  attributes[0].val.priority = 0;
  attributes[1].id = cudaLaunchAttributeCooperative;
  attributes[1].val.cooperative = 0;
  config.attrs = attributes;
  config.numAttrs = 2;
  float a = 3;
  const float* px = dx;
  float* py = dy;
  int count = n;
  void* arguments[] = {&a, &px, &py, &count};
  CUDA_OK(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(axpy), arguments));

  void (*instances[])(float*, int) = {times<2>, times<3>, times<5>};
  for (auto instance : instances) {
    void* few[] = {&py, &count};
    CUDA_OK(cudaLaunchKernel(reinterpret_cast<const void*>(instance), config.gridDim,
                             config.blockDim, few, 0, stream));
  }
  CUDA_OK(cudaStreamSynchronize(stream));
  const auto result = dy.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], (-i * 0.5f + 5.0f * i) * 30, "%d", i);

  config.numAttrs = 0;
  config.blockDim = dim3(2048);
  EXPECT(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(axpy), arguments) !=
         cudaSuccess);
  cudaGetLastError();
  CUDA_OK(cudaDeviceSynchronize());
  return check::finish("launch_extended");
}
