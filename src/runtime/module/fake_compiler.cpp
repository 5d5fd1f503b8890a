// A stand-in for libguda_compiler.so in tests: "compiles" every kernel by copying a prebuilt object whose
// path is in GUDA_TEST_KERNEL_OBJECT. The kernel name "broken" fails; GUDA_TEST_COMPILE_COUNT names a file
// that grows by one byte per compilation.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "compiler/driver/compiler_api.h"

extern "C" __attribute__((visibility("default"))) int guda_compile_kernel(
    const GudaCompileRequest* request, GudaCompileResult* result) {
  if (std::string_view(request->kernel) == "broken") {
    result->status = 218;
    std::strcpy(result->message, "line 1: frobnicate: no such instruction");
    return result->status;
  }
  const char* object = std::getenv("GUDA_TEST_KERNEL_OBJECT");
  std::ifstream in(object, std::ios::binary);
  std::ofstream out(request->output_path, std::ios::binary);
  out << in.rdbuf();
  out.flush();
  if (const char* count = std::getenv("GUDA_TEST_COMPILE_COUNT")) {
    std::ofstream(count, std::ios::app) << 'x';
  }
  result->status = in && out ? 0 : 304;
  return result->status;
}
