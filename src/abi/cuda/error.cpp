// Names and texts of CUresult, and what runtime codes are here.
#include "abi/cuda/api.h"
#include "support/log.h"

#include <algorithm>
#include <iterator>

namespace guda::cuda {
namespace {

struct ResultName {
  int code;
  const char* name;
};

// Codes and names: CUDA driver API reference, enum CUresult.
constexpr ResultName kResults[] = {
#include "abi/cuda/result_names.inc"
};

const ResultName* find(int code) {
  auto* found =
      std::lower_bound(std::begin(kResults), std::end(kResults), code,
                       [](const ResultName& result, int wanted) { return result.code < wanted; });
  return found != std::end(kResults) && found->code == code ? found : nullptr;
}

/// Codes whose texts the runtime API does not have or puts otherwise.
const char* text(int code) {
  switch (code) {
    case 202: return "context already current";
    case 709: return "context is destroyed";
    case 916: return "key rotation";
    default: return runtime::error_text(code);
  }
}

}  // namespace

Error to_result(Error error) {
  switch (error) {
    case runtime::kErrorInvalidConfiguration:
    case runtime::kErrorInvalidPitchValue:
    case runtime::kErrorInvalidMemcpyDirection:
    case 26:  // cudaErrorInvalidFilterSetting
    case 27:  // cudaErrorInvalidNormSetting
    case 52: return kInvalidValue;
    case runtime::kErrorInvalidSymbol: return kNotFound;
    case runtime::kErrorInvalidDeviceFunction: return kInvalidHandle;
    default: return error;
  }
}

Error finish(const Status& status) {
  if (status.is_ok()) return kSuccess;
  Error result = to_result(static_cast<Error>(status.code()));
  auto* known = find(result);
  log(LogPart::runtime, LogLevel::info, "{}: {}", known ? known->name : "CUresult",
      status.message());
  return result;
}

GUDA_CU(cuGetErrorName)(CUresult error, const char** name) {
  if (!name) return kInvalidValue;
  auto* found = find(error);
  *name = found ? found->name : nullptr;
  return found ? kSuccess : kInvalidValue;
}

GUDA_CU(cuGetErrorString)(CUresult error, const char** out) {
  if (!out) return kInvalidValue;
  *out = find(error) ? text(error) : nullptr;
  return *out ? kSuccess : kInvalidValue;
}

}  // namespace guda::cuda
