// Device count, properties and attributes are there and agree with each other; versions, limits,
// memory information and flags answer.
#include "check.h"

int main() {
  int count = 0;
  CUDA_OK(cudaGetDeviceCount(&count));
  EXPECT(count >= 1);
  cudaDeviceProp p;
  CUDA_OK(cudaGetDeviceProperties(&p, 0));
  EXPECT(p.name[0] != 0);
  EXPECT(p.major >= 7);
  EXPECT_EQ(p.warpSize, 32);
  EXPECT_EQ(p.maxThreadsPerBlock, 1024);
  EXPECT_EQ(p.maxThreadsDim[0], 1024);
  EXPECT_EQ(p.maxThreadsDim[1], 1024);
  EXPECT_EQ(p.maxThreadsDim[2], 64);
  EXPECT_EQ(p.maxGridSize[0], 2147483647);
  EXPECT_EQ(p.maxGridSize[1], 65535);
  EXPECT_EQ(p.maxGridSize[2], 65535);
  EXPECT(p.multiProcessorCount >= 1);
  EXPECT(p.sharedMemPerBlock >= 48 * 1024);
  EXPECT(p.sharedMemPerBlockOptin >= p.sharedMemPerBlock);
  EXPECT(p.regsPerBlock >= 32768);
  EXPECT_EQ(p.totalConstMem, size_t{65536});
  EXPECT(p.totalGlobalMem > (size_t{1} << 28));
  EXPECT_EQ(p.unifiedAddressing, 1);
  EXPECT_EQ(p.managedMemory, 1);
  EXPECT_EQ(p.canMapHostMemory, 1);

  const auto attribute = [](cudaDeviceAttr which) {
    int value = -1;
    CUDA_OK(cudaDeviceGetAttribute(&value, which, 0));
    return value;
  };
  EXPECT_EQ(attribute(cudaDevAttrMaxThreadsPerBlock), p.maxThreadsPerBlock);
  EXPECT_EQ(attribute(cudaDevAttrWarpSize), p.warpSize);
  EXPECT_EQ(attribute(cudaDevAttrMultiProcessorCount), p.multiProcessorCount);
  EXPECT_EQ(attribute(cudaDevAttrComputeCapabilityMajor), p.major);
  EXPECT_EQ(attribute(cudaDevAttrComputeCapabilityMinor), p.minor);
  EXPECT_EQ(size_t(attribute(cudaDevAttrMaxSharedMemoryPerBlock)), p.sharedMemPerBlock);
  EXPECT_EQ(size_t(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)), p.sharedMemPerBlockOptin);
  EXPECT_EQ(attribute(cudaDevAttrMaxThreadsPerMultiProcessor), p.maxThreadsPerMultiProcessor);
  EXPECT_EQ(attribute(cudaDevAttrMaxBlocksPerMultiprocessor), p.maxBlocksPerMultiProcessor);
  EXPECT(attribute(cudaDevAttrClockRate) > 0);
  EXPECT_EQ(attribute(cudaDevAttrConcurrentKernels), p.concurrentKernels);
  EXPECT_EQ(attribute(cudaDevAttrCooperativeLaunch), 1);

  int version = 0;
  CUDA_OK(cudaRuntimeGetVersion(&version));
  EXPECT(version >= 13000 && version < 14000);
  CUDA_OK(cudaDriverGetVersion(&version));
  EXPECT(version >= 13000);

  size_t free_bytes = 0, total = 0;
  CUDA_OK(cudaMemGetInfo(&free_bytes, &total));
  EXPECT(free_bytes > 0 && free_bytes <= total);

  size_t limit = 0;
  CUDA_OK(cudaDeviceGetLimit(&limit, cudaLimitStackSize));
  EXPECT(limit > 0);
  CUDA_OK(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 32 << 20));
  CUDA_OK(cudaDeviceGetLimit(&limit, cudaLimitMallocHeapSize));
  EXPECT(limit >= 32 << 20);
  CUDA_OK(cudaDeviceGetLimit(&limit, cudaLimitPrintfFifoSize));
  EXPECT(limit > 0);

  int device = -1;
  CUDA_OK(cudaSetDevice(0));
  CUDA_OK(cudaGetDevice(&device));
  EXPECT_EQ(device, 0);
  char bus[32];
  CUDA_OK(cudaDeviceGetPCIBusId(bus, sizeof(bus), 0));
  int by_bus = -1;
  CUDA_OK(cudaDeviceGetByPCIBusId(&by_bus, bus));
  EXPECT_EQ(by_bus, 0);
  int peer = -1;
  CUDA_OK(cudaDeviceCanAccessPeer(&peer, 0, 0));
  EXPECT_EQ(peer, 0);
  int chosen = -1;
  CUDA_OK(cudaChooseDevice(&chosen, &p));
  EXPECT(chosen >= 0 && chosen < count);
  unsigned flags = 0;
  CUDA_OK(cudaGetDeviceFlags(&flags));
  CUDA_OK(cudaDeviceReset());
  return check::finish("device_properties");
}
