// Instructions of compute capability 9.0 for warp groups and bulk copies, which only such a GPU has. Elsewhere the
// launch of the kernel that uses them fails, and the other kernels of the module run.
#include <cstdint>

#include "check.h"

__device__ int launches = 0;

/// Doubles 256 floats, brought by a bulk copy; fences of warp group products stand around.
__global__ void warp_group(float* out, const float* in) {
  __shared__ alignas(16) float staged[256];
  __shared__ alignas(8) uint64_t barrier;
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(&barrier));
  const auto target = static_cast<uint32_t>(__cvta_generic_to_shared(staged));
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(address));
    asm volatile("fence.mbarrier_init.release.cluster;");
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], 1024;" ::"r"(address));
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], 1024, [%2];"
        ::"r"(target), "l"(in), "r"(address) : "memory");
    ++launches;
  }
  asm volatile(
      "{\n.reg .pred p;\nwait:\nmbarrier.try_wait.parity.shared.b64 p, [%0], 0;\n@!p bra wait;\n}"
      ::"r"(address) : "memory");
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  for (int i = threadIdx.x; i < 256; i += blockDim.x) out[i] = staged[i] * 2;
}

__global__ void plain(float* out) { out[threadIdx.x] = static_cast<float>(threadIdx.x + launches); }

int main() {
  float *in, *out;
  float host[256];
  for (int i = 0; i < 256; ++i) host[i] = static_cast<float>(i);
  CUDA_OK(cudaMalloc(&in, sizeof host));
  CUDA_OK(cudaMalloc(&out, sizeof host));
  CUDA_OK(cudaMemcpy(in, host, sizeof host, cudaMemcpyHostToDevice));
  cudaDeviceProp properties;
  CUDA_OK(cudaGetDeviceProperties(&properties, 0));
  const bool has_them = properties.major == 9;
  warp_group<<<1, 128>>>(out, in);
  const cudaError_t launched = cudaGetLastError();
  EXPECT_EQ(launched == cudaSuccess, has_them);
  if (has_them) {
    CUDA_OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 256; ++i) EXPECT_EQ(host[i], 2.0f * static_cast<float>(i));
  }
  plain<<<1, 256>>>(out);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 256; ++i) EXPECT_EQ(host[i], static_cast<float>(i + has_them));
  return check::finish("newer_ptx");
}
