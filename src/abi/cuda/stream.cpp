// Streams and events. Handles are those of the runtime API, which has the functions.
#include "abi/cuda/api.h"
#include "abi/cudart/types.h"

extern "C" {
int guda_cudart_cudaStreamCreateWithPriority(void** out, unsigned flags, int priority);
int guda_cudart_cudaStreamDestroy(void* handle);
}

namespace guda::cuda {

GUDA_CU(cuStreamCreateWithPriority)(CUstream* out, unsigned flags, int priority) {
  Error error =
      shared([&] { return guda_cudart_cudaStreamCreateWithPriority(out, flags, priority); });
  if (error == kSuccess) own_stream(*out);
  return error;
}
GUDA_CU(cuStreamCreate)(CUstream* out, unsigned flags) {
  return guda_cuda_cuStreamCreateWithPriority(out, flags, 0);
}

GUDA_CU(cuStreamDestroy_v2)(CUstream handle) {
  GUDA_CU_ENTER_STREAM(handle);
  Error error = without_runtime_state([&] { return guda_cudart_cudaStreamDestroy(handle); });
  if (error == kSuccess) disown_stream(handle);
  return error;
}

GUDA_CU_SHARED_STREAM_PTSZ(cuStreamSynchronize, cudaStreamSynchronize, (CUstream stream), (stream))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamQuery, cudaStreamQuery, (CUstream stream), (stream))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetPriority, cudaStreamGetPriority,
                           (CUstream stream, int* priority), (stream, priority))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetFlags, cudaStreamGetFlags, (CUstream stream, unsigned* flags),
                           (stream, flags))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetId, cudaStreamGetId,
                           (CUstream stream, unsigned long long* id), (stream, id))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetDevice, cudaStreamGetDevice, (CUstream stream, int* device),
                           (stream, device))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamWaitEvent, cudaStreamWaitEvent,
                           (CUstream stream, CUevent event, unsigned flags), (stream, event, flags))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamAddCallback, cudaStreamAddCallback,
                           (CUstream stream, void (*callback)(void*, int, void*), void* data,
                            unsigned flags),
                           (stream, callback, data, flags))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamAttachMemAsync, cudaStreamAttachMemAsync,
                           (CUstream stream, void* address, size_t length, unsigned flags),
                           (stream, address, length, flags))
GUDA_CU_SHARED_PTSZ(cuStreamCopyAttributes, cudaStreamCopyAttributes, (CUstream to, CUstream from),
                    (to, from))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetAttribute, cudaStreamGetAttribute,
                           (CUstream stream, int attribute,
                            cudart::cudaLaunchAttributeValue* value),
                           (stream, attribute, value))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamSetAttribute, cudaStreamSetAttribute,
                           (CUstream stream, int attribute,
                            const cudart::cudaLaunchAttributeValue* value),
                           (stream, attribute, value))

GUDA_CU_PTSZ(cuStreamGetCtx, (CUstream handle, void** context), (handle, context)) {
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  if (!context) return kInvalidValue;
  *context = context_of_stream(handle);
  return kSuccess;
}
GUDA_CU_PTSZ(cuStreamGetCtx_v2, (CUstream handle, void** context, void** green),
             (handle, context, green)) {
  if (green) *green = nullptr;
  return cuStreamGetCtx_body<kPerThread>(handle, context);
}
GUDA_CU(cuStreamGetGreenCtx)(CUstream handle, void** green) {
  constexpr bool kPerThread = false;
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  if (!green) return kInvalidValue;
  *green = nullptr;
  return kSuccess;
}

// Capture ----------------------------------------------------------------------------------------------

GUDA_CU_SHARED_STREAM_PTSZ(cuStreamBeginCapture_v2, cudaStreamBeginCapture,
                           (CUstream stream, int mode), (stream, mode))
GUDA_CU_PTSZ(cuStreamBeginCapture, (CUstream stream), (stream)) {
  return kPerThread ? guda_cuda_cuStreamBeginCapture_v2_ptsz(stream, 0)
                    : guda_cuda_cuStreamBeginCapture_v2(stream, 0);
}
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamBeginCaptureToGraph, cudaStreamBeginCaptureToGraph,
                           (CUstream stream, CUgraph graph, const CUgraphNode* dependencies,
                            const cudart::cudaGraphEdgeData* edges, size_t count, int mode),
                           (stream, graph, dependencies, edges, count, mode))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamEndCapture, cudaStreamEndCapture,
                           (CUstream stream, CUgraph* graph), (stream, graph))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamIsCapturing, cudaStreamIsCapturing,
                           (CUstream stream, int* status), (stream, status))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetCaptureInfo, cudaStreamGetCaptureInfo_v1,
                           (CUstream stream, int* status, unsigned long long* id),
                           (stream, status, id))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetCaptureInfo_v2, cudaStreamGetCaptureInfo_v2,
                           (CUstream stream, int* status, unsigned long long* id, CUgraph* graph,
                            const CUgraphNode** dependencies, size_t* count),
                           (stream, status, id, graph, dependencies, count))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamGetCaptureInfo_v3, cudaStreamGetCaptureInfo_v3,
                           (CUstream stream, int* status, unsigned long long* id, CUgraph* graph,
                            const CUgraphNode** dependencies,
                            const cudart::cudaGraphEdgeData** edges, size_t* count),
                           (stream, status, id, graph, dependencies, edges, count))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamUpdateCaptureDependencies,
                           cudaStreamUpdateCaptureDependencies_v1,
                           (CUstream stream, CUgraphNode* dependencies, size_t count,
                            unsigned flags),
                           (stream, dependencies, count, flags))
GUDA_CU_SHARED_STREAM_PTSZ(cuStreamUpdateCaptureDependencies_v2,
                           cudaStreamUpdateCaptureDependencies_v2,
                           (CUstream stream, CUgraphNode* dependencies,
                            const cudart::cudaGraphEdgeData* edges, size_t count, unsigned flags),
                           (stream, dependencies, edges, count, flags))
GUDA_CU_SHARED(cuThreadExchangeStreamCaptureMode, cudaThreadExchangeStreamCaptureMode, (int* mode),
               (mode))

// Events -----------------------------------------------------------------------------------------------

GUDA_CU_SHARED(cuEventCreate, cudaEventCreateWithFlags, (CUevent * out, unsigned flags),
               (out, flags))
GUDA_CU_SHARED_DEVICE(cuEventDestroy_v2, cudaEventDestroy, (CUevent event), (event))
GUDA_CU_SHARED_STREAM_PTSZ(cuEventRecord, cudaEventRecord, (CUevent event, CUstream stream),
                           (event, stream))
GUDA_CU_SHARED_STREAM_PTSZ(cuEventRecordWithFlags, cudaEventRecordWithFlags,
                           (CUevent event, CUstream stream, unsigned flags), (event, stream, flags))
GUDA_CU_SHARED_DEVICE(cuEventQuery, cudaEventQuery, (CUevent event), (event))
GUDA_CU_SHARED_DEVICE(cuEventSynchronize, cudaEventSynchronize, (CUevent event), (event))
GUDA_CU_SHARED_DEVICE(cuEventElapsedTime_v2, cudaEventElapsedTime,
                      (float* milliseconds, CUevent start, CUevent end), (milliseconds, start, end))

}  // namespace guda::cuda
