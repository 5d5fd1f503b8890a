// The one symbol of libguda_compiler.so.
#include <cstring>
#include <exception>

#include "compiler/driver/compile.h"
#include "compiler/driver/compiler_api.h"

extern "C" __attribute__((visibility("default"))) int guda_compile_kernel(
    const GudaCompileRequest* request, GudaCompileResult* result) {
  guda::Status status;
  // Nothing below throws on purpose, but the standard library may (out of memory).
  try {
    status = guda::driver::compile_kernel(*request);
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
