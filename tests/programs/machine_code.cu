// A program without PTX: its kernels and variables are machine code for GPUs of capability 9.0. Where there is no such GPU every launch has to say so, with the code that CUDA has for it.
#include "check.h"

__device__ int counter = 40;
__constant__ float factors[4] = {1, 2, 3, 4};
__managed__ int shared_count = 7;
__device__ float table[256];

struct Parameters {
  char first;
  double scale;
  const float* in;
  float* out;
  int count;
};

__global__ void scale(Parameters p, short offset) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= p.count) return;
  p.out[i] = static_cast<float>(p.in[i] * p.scale) * factors[i % 4] + p.first + offset;
  table[i % 256] = 1;
  atomicAdd(&counter, 1);
  if (i == 0) shared_count += 1;
}

__global__ void sum_in_blocks(int* out) {
  extern __shared__ int values[];
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) {
    int sum = 0;
    for (int i = 0; i < blockDim.x; ++i) sum += values[i];
    out[blockIdx.x] = sum;
  }
}

int main() {
  float* in;
  float* out;
  const int n = 1000;
  CUDA_OK(cudaMalloc(&in, n * sizeof(float)));
  CUDA_OK(cudaMalloc(&out, n * sizeof(float)));
  float host[n];
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i);
  CUDA_OK(cudaMemcpy(in, host, sizeof host, cudaMemcpyHostToDevice));
  cudaDeviceProp properties;
  CUDA_OK(cudaGetDeviceProperties(&properties, 0));
  const bool fits = properties.major == 9 && properties.minor == 0;
  Parameters p{3, 0.5, in, out, n};
  scale<<<(n + 127) / 128, 128>>>(p, -2);
  const cudaError_t launched = cudaGetLastError();
  if (!fits || launched == cudaErrorNoKernelImageForDevice) {
    EXPECT(launched == cudaErrorNoKernelImageForDevice);
    int value;
    EXPECT(cudaMemcpyFromSymbol(&value, counter, sizeof value) == cudaErrorNoKernelImageForDevice);
    cudaFuncAttributes attributes;
    EXPECT(cudaFuncGetAttributes(&attributes, scale) == cudaErrorNoKernelImageForDevice);
    std::printf("refused\n");
    return check::finish("machine_code");
  }
  EXPECT(launched == cudaSuccess);
  CUDA_OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i)
    EXPECT(host[i] == static_cast<float>(i * 0.5) * static_cast<float>(1 + i % 4) + 1);
  int value = 0;
  CUDA_OK(cudaMemcpyFromSymbol(&value, counter, sizeof value));
  EXPECT(value == 40 + n);
  EXPECT(shared_count == 8);
  float tabled[256];
  CUDA_OK(cudaMemcpyFromSymbol(tabled, table, sizeof tabled));
  for (float each : tabled) EXPECT(each == 1);

  const float other[4] = {-1, -1, -1, -1};
  CUDA_OK(cudaMemcpyToSymbol(factors, other, sizeof other));
  shared_count = 100;
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  scale<<<(n + 127) / 128, 128, 0, stream>>>(p, 0);
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) EXPECT(host[i] == static_cast<float>(i * -0.5) + 3);
  EXPECT(shared_count == 101);
  void* address;
  size_t size;
  CUDA_OK(cudaGetSymbolAddress(&address, counter));
  CUDA_OK(cudaGetSymbolSize(&size, table));
  EXPECT(size == sizeof tabled);
  CUDA_OK(cudaMemset(address, 0, sizeof(int)));
  CUDA_OK(cudaMemcpyFromSymbol(&value, counter, sizeof value));
  EXPECT(value == 0);

  // More shared memory than a kernel gets without asking.
  int* sums;
  CUDA_OK(cudaMallocManaged(&sums, 8 * sizeof(int)));
  CUDA_OK(
      cudaFuncSetAttribute(sum_in_blocks, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10));
  sum_in_blocks<<<8, 256, 100 << 10, stream>>>(sums);
  CUDA_OK(cudaStreamSynchronize(stream));
  for (int i = 0; i < 8; ++i) EXPECT(sums[i] == 255 * 128);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = 4;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = dim3(8);
  configuration.blockDim = dim3(128);
  configuration.dynamicSmemBytes = 512;
  configuration.stream = stream;
  configuration.attrs = &attribute;
  configuration.numAttrs = 1;
  CUDA_OK(cudaLaunchKernelEx(&configuration, sum_in_blocks, sums));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (int i = 0; i < 8; ++i) EXPECT(sums[i] == 127 * 64);

  // In a graph.
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  CUDA_OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  scale<<<(n + 127) / 128, 128, 0, stream>>>(p, 5);
  CUDA_OK(cudaMemcpyAsync(&value, address, sizeof value, cudaMemcpyDeviceToHost, stream));
  CUDA_OK(cudaStreamEndCapture(stream, &graph));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  for (int i = 0; i < 3; ++i) CUDA_OK(cudaGraphLaunch(executable, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  EXPECT(value == 3 * n);
  cudaFuncAttributes attributes;
  CUDA_OK(cudaFuncGetAttributes(&attributes, scale));
  EXPECT(attributes.numRegs > 0 && attributes.maxThreadsPerBlock == 1024);
  int blocks = 0;
  CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale, 256, 0));
  EXPECT(blocks == 8);
  std::printf("ran\n");
  return check::finish("machine_code");
}
