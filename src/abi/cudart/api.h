// How an exported function is written: checks, then one call inward; every error becomes the thread's
// last error.
#pragma once

#include "abi/cudart/types.h"
#include "abi/entry.h"
#include "runtime/context.h"

/// The function behind `name` of functions.tsv. The exported names forward to these.
#define GUDA_API(name) extern "C" __attribute__((visibility("default"))) Error guda_cudart_##name

/// Defines `name` and its per-thread-default-stream twin: see GUDA_ENTRY_TWIN.
#define GUDA_API_PTSZ(name, parameters, arguments) \
  GUDA_ENTRY_TWIN(GUDA_API, name, name##_ptsz, parameters, arguments)
#define GUDA_API_PTDS(name, parameters, arguments) \
  GUDA_ENTRY_TWIN(GUDA_API, name, name##_ptds, parameters, arguments)

/// First line of a function that needs the device.
#define GUDA_ENTER() \
  if (Error entered = runtime::Context::enter()) return runtime::record_error(entered)

/// First line of a function that takes a stream: makes `variable` the Stream behind the handle.
#define GUDA_STREAM(variable, handle) GUDA_ENTRY_STREAM(variable, handle, invalid_handle())

namespace guda::cudart {

using runtime::Error;
using runtime::kSuccess;

inline Error finish(const Status& status) {
  return status.is_ok() ? kSuccess : runtime::record_error(status);
}
inline Error fail(Error error) { return runtime::record_error(error); }
inline Error invalid_value() { return fail(static_cast<Error>(StatusCode::invalid_value)); }
inline Error invalid_handle() { return fail(static_cast<Error>(StatusCode::invalid_handle)); }
inline Error invalid_device() { return fail(static_cast<Error>(StatusCode::invalid_device)); }

}  // namespace guda::cudart
