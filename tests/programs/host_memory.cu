// Pinned, mapped, write-combined and registered host memory: kernels read and write it, and flags and
// device pointers are reported.
#include "check.h"

__global__ void twice(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i] * 2 + 1;
}

int main() {
  const int n = 3000, blocks = (n + 127) / 128;
  int *in, *out;
  CUDA_OK(cudaHostAlloc(&in, n * sizeof(int), cudaHostAllocMapped | cudaHostAllocWriteCombined));
  CUDA_OK(cudaHostAlloc(&out, n * sizeof(int), cudaHostAllocMapped | cudaHostAllocPortable));
  for (int i = 0; i < n; ++i) in[i] = i;
  int *device_in, *device_out;
  CUDA_OK(cudaHostGetDevicePointer(&device_in, in, 0));
  CUDA_OK(cudaHostGetDevicePointer(&device_out, out, 0));
  twice<<<blocks, 128>>>(device_in, device_out, n);
  KERNEL_OK();
  for (int i = 0; i < n; ++i) EXPECT_EQ(out[i], i * 2 + 1, "%d", i);
  unsigned flags = 0;
  CUDA_OK(cudaHostGetFlags(&flags, out));
  EXPECT((flags & cudaHostAllocMapped) != 0);

  // Registered memory of the program, at an odd offset within its pages.
  std::vector<int> own(n + 5);
  int* registered = own.data() + 3;
  CUDA_OK(cudaHostRegister(registered, n * sizeof(int), cudaHostRegisterMapped));
  for (int i = 0; i < n; ++i) registered[i] = -i;
  int* device_registered;
  CUDA_OK(cudaHostGetDevicePointer(&device_registered, registered, 0));
  twice<<<blocks, 128>>>(device_registered, device_out, n);
  KERNEL_OK();
  for (int i = 0; i < n; ++i) EXPECT_EQ(out[i], -i * 2 + 1, "%d", i);
  twice<<<blocks, 128>>>(device_in, device_registered, n);
  KERNEL_OK();
  for (int i = 0; i < n; ++i) EXPECT_EQ(registered[i], i * 2 + 1, "%d", i);
  EXPECT_EQ(own[2], 0);
  EXPECT_EQ(own[n + 3], 0);
  EXPECT_ERROR(cudaHostRegister(registered, n * sizeof(int), cudaHostRegisterMapped),
               cudaErrorHostMemoryAlreadyRegistered);
  CUDA_OK(cudaHostUnregister(registered));
  EXPECT_ERROR(cudaHostUnregister(registered), cudaErrorHostMemoryNotRegistered);
  cudaGetLastError();
  CUDA_OK(cudaFreeHost(in));
  CUDA_OK(cudaFreeHost(out));
  EXPECT(cudaFreeHost(out) != cudaSuccess);
  cudaGetLastError();
  return check::finish("host_memory");
}
