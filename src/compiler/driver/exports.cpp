// The symbols of libguda_compiler.so.
#include <cstring>
#include <exception>

#include "compiler/driver/compile.h"
#include "compiler/driver/compile_opencl.h"
#include "compiler/driver/compiler_api.h"

namespace {

/// Nothing throws on purpose, but the standard library may (out of memory).
template <typename Request>
int answer(guda::Status (*work)(const Request&), const Request* request,
           GudaCompileResult* result) {
  guda::Status status;
  try {
    status = work(*request);
  } catch (const std::exception& error) {
    status = guda::Status(guda::StatusCode::out_of_memory, error.what());
  }
  if (result) {
    result->status = static_cast<int>(status.code());
    std::strncpy(result->message, status.message().c_str(), sizeof result->message - 1);
    result->message[sizeof result->message - 1] = '\0';
  }
  return static_cast<int>(status.code());
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int guda_compile_kernel(const GudaCompileRequest* request,
                                                               GudaCompileResult* result) {
  return answer(guda::driver::compile_kernel, request, result);
}

__attribute__((visibility("default"))) int guda_analyze_kernel(const GudaCompileRequest* request,
                                                               GudaCompileResult* result) {
  return answer(guda::driver::analyze_kernel, request, result);
}

__attribute__((visibility("default"))) int guda_compile_opencl(const GudaOpenclRequest* request,
                                                               GudaCompileResult* result) {
  return answer(guda::driver::compile_opencl, request, result);
}
}
