// Error state of the CUDA API: the calling thread's last error, and names and texts of codes.
#pragma once

#include "support/status.h"

namespace guda::runtime {

/// A cudaError_t by value; StatusCode has the same numbers.
using Error = int;

inline constexpr Error kSuccess = 0;

/// Codes that the driver API does not share, so StatusCode lacks them.
enum RuntimeError : int {
  kErrorInvalidConfiguration = 9,
  kErrorInvalidPitchValue = 12,
  kErrorInvalidSymbol = 13,
  kErrorInvalidMemcpyDirection = 21,
  kErrorInvalidDeviceFunction = 98,
  kErrorUnsupportedLimit = 215,
};

/// Makes `error` the calling thread's last error (success and "not ready" leave it alone) and
/// returns it.
Error record_error(Error error);
/// Same for a Status; logs the message at level info.
Error record_error(const Status& status);

/// cudaPeekAtLastError and cudaGetLastError.
Error peek_last_error();
Error take_last_error();

/// "cudaErrorInvalidValue"; "unrecognized error code" for unknown numbers. Never null.
const char* error_name(Error error);
/// "invalid argument". Never null.
const char* error_text(Error error);

}  // namespace guda::runtime
