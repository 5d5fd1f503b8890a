// The state behind the interface of cublas.h.
#include "abi/cublas/legacy.h"

#include <atomic>

// libguda's own runtime API.
extern "C" int cudaMalloc(void** pointer, size_t bytes);
extern "C" int cudaFree(void* pointer);

namespace guda::cublas {
namespace {

std::atomic<Result> kept{kSuccess};

Result init() {
  if (Result result = enter_library()) return result;
  kept.store(kSuccess);
  return kSuccess;
}

Result shutdown() {
  *legacy_handle() = Handle();
  return kSuccess;
}

// An int: what it returns is no failure of its own.
int get_error() { return kept.exchange(kSuccess); }

Result get_version(int* version) {
  GUDA_CUBLAS_CHECK(version);
  *version = kVersion;
  return kSuccess;
}

Result set_kernel_stream(void* stream) {
  legacy_handle()->stream = stream;
  return kSuccess;
}

Result alloc(int n, int element_size, void** out) {
  GUDA_CUBLAS_CHECK(n > 0 && element_size > 0 && out);
  return cudaMalloc(out, static_cast<size_t>(n) * static_cast<size_t>(element_size)) == 0
             ? kSuccess
             : kAllocFailed;
}

Result free(void* pointer) { return cudaFree(pointer) == 0 ? kSuccess : kInternalError; }

GUDA_ENTRY(cublasInit, init);
GUDA_ENTRY(cublasShutdown, shutdown);
GUDA_ENTRY(cublasGetError, get_error);
GUDA_ENTRY(cublasGetVersion, get_version);
GUDA_ENTRY(cublasSetKernelStream, set_kernel_stream);
GUDA_ENTRY(cublasAlloc, alloc);
GUDA_ENTRY(cublasFree, free);

}  // namespace

Handle* legacy_handle() {
  static auto* handle = new Handle;
  return handle;
}

void keep_legacy_result(Result result) {
  if (result == kSuccess) return;
  Result none = kSuccess;
  kept.compare_exchange_strong(none, result);
  log_failure(current_entry, result);
}

}  // namespace guda::cublas
