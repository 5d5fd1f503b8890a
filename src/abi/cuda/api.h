// How a driver function is written: checks, then one call inward. Errors are only returned: the driver API
// has no last error, and leaves the runtime API's alone.
#pragma once

#include "abi/cuda/context.h"
#include "abi/cuda/types.h"
#include "abi/entry.h"
#include "runtime/context.h"

/// The function behind symbol `name` of functions.tsv. The exports of libcuda.so.1 forward to these.
#define GUDA_CU(name) extern "C" __attribute__((visibility("default"))) Error guda_cuda_##name

/// Defines `name` and its per-thread-default-stream twin: see GUDA_ENTRY_TWIN.
#define GUDA_CU_PTSZ(name, parameters, arguments) \
  GUDA_ENTRY_TWIN(GUDA_CU, name, name##_ptsz, parameters, arguments)
#define GUDA_CU_PTDS(name, parameters, arguments) \
  GUDA_ENTRY_TWIN(GUDA_CU, name, name##_ptds, parameters, arguments)

/// A driver function that means the same as a function of the runtime API: that one does the work.
#define GUDA_CU_SHARED(name, runtime_name, parameters, arguments)                    \
  extern "C" Error guda_cudart_##runtime_name parameters;                            \
  GUDA_CU(name) parameters {                                                         \
    return guda::cuda::shared([&] { return guda_cudart_##runtime_name arguments; }); \
  }
/// The same for what belongs to the device, and needs no context.
#define GUDA_CU_SHARED_DEVICE(name, runtime_name, parameters, arguments) \
  extern "C" Error guda_cudart_##runtime_name parameters;                \
  GUDA_CU(name) parameters {                                             \
    GUDA_CU_INITIALIZED();                                               \
    return guda::cuda::without_runtime_state(                            \
        [&] { return guda_cudart_##runtime_name arguments; });           \
  }
#define GUDA_CU_SHARED_DEVICE_PTSZ(name, runtime_name, parameters, arguments) \
  GUDA_CU_SHARED_DEVICE(name, runtime_name, parameters, arguments)            \
  GUDA_CU_SHARED_DEVICE(name##_ptsz, runtime_name##_ptsz, parameters, arguments)
/// The same for functions of a stream named `stream`.
#define GUDA_CU_SHARED_STREAM_PTSZ(name, runtime_name, parameters, arguments) \
  GUDA_CU_SHARED_STREAM(name, runtime_name, parameters, arguments)            \
  GUDA_CU_SHARED_STREAM(name##_ptsz, runtime_name##_ptsz, parameters, arguments)
#define GUDA_CU_SHARED_STREAM(name, runtime_name, parameters, arguments) \
  extern "C" Error guda_cudart_##runtime_name parameters;                \
  GUDA_CU(name) parameters {                                             \
    GUDA_CU_ENTER_STREAM(stream);                                        \
    return guda::cuda::without_runtime_state(                            \
        [&] { return guda_cudart_##runtime_name arguments; });           \
  }
#define GUDA_CU_SHARED_PTSZ(name, runtime_name, parameters, arguments) \
  GUDA_CU_SHARED(name, runtime_name, parameters, arguments)            \
  GUDA_CU_SHARED(name##_ptsz, runtime_name##_ptsz, parameters, arguments)

/// First line of a function that works without a context, but not before cuInit.
#define GUDA_CU_INITIALIZED() \
  if (!guda::cuda::initialized()) return static_cast<Error>(StatusCode::not_initialized)

/// First line of a function that needs a current context.
#define GUDA_CU_ENTER() \
  if (Error entered = guda::cuda::enter()) return entered

/// First line of a function of a stream: a created one brings its context along.
#define GUDA_CU_ENTER_STREAM(handle) \
  if (Error entered = guda::cuda::enter_stream(handle)) return entered

/// Makes `variable` the Stream behind the handle.
#define GUDA_CU_STREAM(variable, handle) GUDA_ENTRY_STREAM(variable, handle, kInvalidHandle)

namespace guda::cuda {

using runtime::Error;
using runtime::kSuccess;

inline constexpr Error kInvalidValue = static_cast<Error>(StatusCode::invalid_value);
inline constexpr Error kInvalidHandle = static_cast<Error>(StatusCode::invalid_handle);
inline constexpr Error kInvalidDevice = static_cast<Error>(StatusCode::invalid_device);
inline constexpr Error kInvalidContext = static_cast<Error>(StatusCode::invalid_context);
inline constexpr Error kNotFound = static_cast<Error>(StatusCode::not_found);
inline constexpr Error kNotSupported = static_cast<Error>(StatusCode::not_supported);

/// cuInit was called, or the runtime API is in use.
bool initialized();
/// kSuccess; not initialised, no current context, a destroyed one, or the sticky error.
Error enter();
/// The same; any context will do when `stream` is not one of the default streams.
Error enter_stream(void* stream);

/// The CUresult of a runtime code: those that only the runtime API has are translated.
Error to_result(Error error);
/// The same for a Status, whose message is logged at level info.
Error finish(const Status& status);

/// 0 is the only device. Also tells whether there is any.
Error check_device(CUdevice device);

inline void* pointer_of(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
inline CUdeviceptr address_of(const void* pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

/// Runs a runtime API function for the driver API: the context does not become the current one of threads
/// that have none, and the thread's last error stays as it was.
template <typename Call>
Error without_runtime_state(Call&& call) {
  runtime::DriverCall scope;
  Error last = runtime::peek_last_error();
  Error error = call();
  runtime::take_last_error();
  runtime::record_error(last);
  return to_result(error);
}

template <typename Call>
Error shared(Call&& call) {
  GUDA_CU_ENTER();
  return without_runtime_state(call);
}

}  // namespace guda::cuda
