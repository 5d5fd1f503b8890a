// Stream-ordered allocation and memory pools.
#include "abi/cuda/api.h"
#include "abi/cudart/types.h"

namespace guda::cuda {

using cudart::cudaMemAccessDesc;
using cudart::cudaMemLocation;
using cudart::cudaMemPoolProps;
using cudart::cudaMemPoolPtrExportData;

GUDA_CU_SHARED_STREAM_PTSZ(cuMemAllocAsync, cudaMallocAsync,
                           (void** address, size_t size, CUstream stream), (address, size, stream))
GUDA_CU_SHARED_STREAM_PTSZ(cuMemAllocFromPoolAsync, cudaMallocFromPoolAsync,
                           (void** address, size_t size, CUmemoryPool pool, CUstream stream),
                           (address, size, pool, stream))
GUDA_CU_SHARED_STREAM_PTSZ(cuMemFreeAsync, cudaFreeAsync, (void* address, CUstream stream),
                           (address, stream))

GUDA_CU_SHARED_DEVICE(cuMemPoolCreate, cudaMemPoolCreate,
                      (CUmemoryPool * out, const cudaMemPoolProps* properties), (out, properties))
GUDA_CU_SHARED_DEVICE(cuMemPoolDestroy, cudaMemPoolDestroy, (CUmemoryPool pool), (pool))
GUDA_CU_SHARED_DEVICE(cuMemPoolTrimTo, cudaMemPoolTrimTo, (CUmemoryPool pool, size_t keep),
                      (pool, keep))
GUDA_CU_SHARED_DEVICE(cuMemPoolSetAttribute, cudaMemPoolSetAttribute,
                      (CUmemoryPool pool, int attribute, void* value), (pool, attribute, value))
GUDA_CU_SHARED_DEVICE(cuMemPoolGetAttribute, cudaMemPoolGetAttribute,
                      (CUmemoryPool pool, int attribute, void* value), (pool, attribute, value))
GUDA_CU_SHARED_DEVICE(cuMemPoolSetAccess, cudaMemPoolSetAccess,
                      (CUmemoryPool pool, const cudaMemAccessDesc* list, size_t count),
                      (pool, list, count))
GUDA_CU_SHARED_DEVICE(cuMemPoolGetAccess, cudaMemPoolGetAccess,
                      (int* flags, CUmemoryPool pool, cudaMemLocation* location),
                      (flags, pool, location))
// Flags have other widths in the two interfaces.
extern "C" Error guda_cudart_cudaMemPoolExportToShareableHandle(void*, CUmemoryPool, int, unsigned);
extern "C" Error guda_cudart_cudaMemPoolImportFromShareableHandle(CUmemoryPool*, void*, int,
                                                                  unsigned);
GUDA_CU(cuMemPoolExportToShareableHandle)(void* out, CUmemoryPool pool, int type,
                                          unsigned long long flags) {
  GUDA_CU_INITIALIZED();
  if (flags != 0) return kInvalidValue;
  return without_runtime_state(
      [&] { return guda_cudart_cudaMemPoolExportToShareableHandle(out, pool, type, 0); });
}
GUDA_CU(cuMemPoolImportFromShareableHandle)(CUmemoryPool* out, void* handle, int type,
                                            unsigned long long flags) {
  GUDA_CU_INITIALIZED();
  if (flags != 0) return kInvalidValue;
  return without_runtime_state(
      [&] { return guda_cudart_cudaMemPoolImportFromShareableHandle(out, handle, type, 0); });
}
GUDA_CU_SHARED_DEVICE(cuMemPoolExportPointer, cudaMemPoolExportPointer,
                      (cudaMemPoolPtrExportData * out, void* address), (out, address))
GUDA_CU_SHARED_DEVICE(cuMemPoolImportPointer, cudaMemPoolImportPointer,
                      (void** out, CUmemoryPool pool, cudaMemPoolPtrExportData* data),
                      (out, pool, data))
GUDA_CU_SHARED_DEVICE(cuMemGetDefaultMemPool, cudaMemGetDefaultMemPool,
                      (CUmemoryPool * out, cudaMemLocation* location, int type),
                      (out, location, type))
GUDA_CU_SHARED_DEVICE(cuMemGetMemPool, cudaMemGetMemPool,
                      (CUmemoryPool * out, cudaMemLocation* location, int type),
                      (out, location, type))
GUDA_CU_SHARED_DEVICE(cuMemSetMemPool, cudaMemSetMemPool,
                      (cudaMemLocation * location, int type, CUmemoryPool pool),
                      (location, type, pool))

GUDA_CU_SHARED_DEVICE(cuDeviceGetDefaultMemPool, cudaDeviceGetDefaultMemPool,
                      (CUmemoryPool * out, CUdevice device), (out, device))
GUDA_CU_SHARED_DEVICE(cuDeviceGetMemPool, cudaDeviceGetMemPool,
                      (CUmemoryPool * out, CUdevice device), (out, device))
GUDA_CU_SHARED_DEVICE(cuDeviceSetMemPool, cudaDeviceSetMemPool,
                      (CUdevice device, CUmemoryPool pool), (device, pool))

}  // namespace guda::cuda
