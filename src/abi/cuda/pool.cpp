// Stream-ordered allocation and memory pools.
#include "abi/cuda/api.h"
#include "abi/cudart/types.h"

namespace guda::cuda {

using cudart::cudaMemAccessDesc;
using cudart::cudaMemLocation;
using cudart::cudaMemPoolProps;

GUDA_CU_SHARED_PTSZ(cuMemAllocAsync, cudaMallocAsync, (void** address, size_t size, CUstream stream),
                    (address, size, stream))
GUDA_CU_SHARED_PTSZ(cuMemAllocFromPoolAsync, cudaMallocFromPoolAsync,
                    (void** address, size_t size, CUmemoryPool pool, CUstream stream), (address, size, pool, stream))
GUDA_CU_SHARED_PTSZ(cuMemFreeAsync, cudaFreeAsync, (void* address, CUstream stream), (address, stream))

GUDA_CU_SHARED(cuMemPoolCreate, cudaMemPoolCreate, (CUmemoryPool* out, const cudaMemPoolProps* properties),
               (out, properties))
GUDA_CU_SHARED(cuMemPoolDestroy, cudaMemPoolDestroy, (CUmemoryPool pool), (pool))
GUDA_CU_SHARED(cuMemPoolTrimTo, cudaMemPoolTrimTo, (CUmemoryPool pool, size_t keep), (pool, keep))
GUDA_CU_SHARED(cuMemPoolSetAttribute, cudaMemPoolSetAttribute, (CUmemoryPool pool, int attribute, void* value),
               (pool, attribute, value))
GUDA_CU_SHARED(cuMemPoolGetAttribute, cudaMemPoolGetAttribute, (CUmemoryPool pool, int attribute, void* value),
               (pool, attribute, value))
GUDA_CU_SHARED(cuMemPoolSetAccess, cudaMemPoolSetAccess,
               (CUmemoryPool pool, const cudaMemAccessDesc* list, size_t count), (pool, list, count))
GUDA_CU_SHARED(cuMemPoolGetAccess, cudaMemPoolGetAccess, (int* flags, CUmemoryPool pool, cudaMemLocation* location),
               (flags, pool, location))
GUDA_CU_SHARED(cuMemGetDefaultMemPool, cudaMemGetDefaultMemPool,
               (CUmemoryPool* out, cudaMemLocation* location, int type), (out, location, type))
GUDA_CU_SHARED(cuMemGetMemPool, cudaMemGetMemPool, (CUmemoryPool* out, cudaMemLocation* location, int type),
               (out, location, type))
GUDA_CU_SHARED(cuMemSetMemPool, cudaMemSetMemPool, (cudaMemLocation* location, int type, CUmemoryPool pool),
               (location, type, pool))

// These need no context, only a device.
extern "C" {
Error guda_cudart_cudaDeviceGetDefaultMemPool(void** out, int device);
Error guda_cudart_cudaDeviceGetMemPool(void** out, int device);
Error guda_cudart_cudaDeviceSetMemPool(int device, void* pool);
}
GUDA_CU(cuDeviceGetDefaultMemPool)(CUmemoryPool* out, CUdevice device) {
  GUDA_CU_INITIALIZED();
  return without_runtime_state([&] { return guda_cudart_cudaDeviceGetDefaultMemPool(out, device); });
}
GUDA_CU(cuDeviceGetMemPool)(CUmemoryPool* out, CUdevice device) {
  GUDA_CU_INITIALIZED();
  return without_runtime_state([&] { return guda_cudart_cudaDeviceGetMemPool(out, device); });
}
GUDA_CU(cuDeviceSetMemPool)(CUdevice device, CUmemoryPool pool) {
  GUDA_CU_INITIALIZED();
  return without_runtime_state([&] { return guda_cudart_cudaDeviceSetMemPool(device, pool); });
}

}  // namespace guda::cuda
