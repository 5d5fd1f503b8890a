// Memory and events shared between processes: the runtime API's, whose handles are the driver's.
#include "abi/cuda/api.h"
#include "abi/cudart/types.h"

namespace guda::cuda {

using cudart::cudaIpcHandle;

GUDA_CU_SHARED(cuIpcGetMemHandle, cudaIpcGetMemHandle, (cudaIpcHandle * out, void* pointer),
               (out, pointer))
GUDA_CU_SHARED(cuIpcOpenMemHandle_v2, cudaIpcOpenMemHandle,
               (void** out, cudaIpcHandle handle, unsigned flags), (out, handle, flags))
GUDA_CU(cuIpcOpenMemHandle)(void** out, cudaIpcHandle handle, unsigned flags) {
  return guda_cuda_cuIpcOpenMemHandle_v2(out, handle, flags);
}
GUDA_CU_SHARED(cuIpcCloseMemHandle, cudaIpcCloseMemHandle, (void* pointer), (pointer))
GUDA_CU_SHARED(cuIpcGetEventHandle, cudaIpcGetEventHandle, (cudaIpcHandle * out, CUevent event),
               (out, event))
GUDA_CU_SHARED(cuIpcOpenEventHandle, cudaIpcOpenEventHandle, (CUevent * out, cudaIpcHandle handle),
               (out, handle))

}  // namespace guda::cuda
