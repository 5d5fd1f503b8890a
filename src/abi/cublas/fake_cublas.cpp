// A libcublas for tests without a GPU, behind the fake driver (backends/cuda/testing): GUDA's own cuBLAS, whose
// operations run at once, on what the driver's device has at the program's addresses.
//
// FAKE_CUBLAS_LOG names a file that receives a line for each operation. Functions whose names contain FAKE_CUBLAS_FAILS
// fail instead, with the cudaError_t FAKE_CUBLAS_ERROR.
#include "abi/cublas/call_log.h"
#include "abi/cublas/library_stream.h"
#include "abi/cublas/types.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

/// Of the driver: swaps the contents of the device's memory and of what the host has at the same addresses.
extern "C" void fake_cuda_exchange();

namespace {

void write_line(const std::string& text) {
  const char* file = std::getenv("FAKE_CUBLAS_LOG");
  const int log = file != nullptr ? open(file, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
  if (log < 0) return;
  const std::string line = text + '\n';
  if (write(log, line.data(), line.size()) < 0) std::abort();
  close(log);
}

}  // namespace

namespace guda::library {

extern "C" {

int guda_library_enter() { return 0; }
bool guda_library_has_devices() { return false; }
bool guda_library_is_stream(void*) { return true; }
int guda_library_multiprocessors() { return 1; }
bool guda_library_is_device_memory(const void*) { return true; }
void guda_library_provide_gemm(backend::CpuGemm) {}
bool guda_library_run_trapped(void (*function)(void*), void* argument, uintptr_t*) {
  function(argument);
  return true;
}
bool guda_library_in_trap() { return false; }
void guda_library_leave_trap(uintptr_t) { std::abort(); }

int guda_library_submit(void*, runtime::Operation* operation, Return) {
  const char* fails = std::getenv("FAKE_CUBLAS_FAILS");
  const char* error = std::getenv("FAKE_CUBLAS_ERROR");
  if (fails != nullptr && error != nullptr &&
      std::strstr(cublas::current_entry, fails) != nullptr) {
    write_line(std::string(cublas::current_entry) + " refused");
    return std::atoi(error);
  }
  write_line(cublas::current_entry);
  fake_cuda_exchange();
  const Status result = operation->execute();
  fake_cuda_exchange();
  return result ? 0 : 719;
}

}  // extern "C"

}  // namespace guda::library

// Copies of the runtime, which operations on device memory do not use.
extern "C" {
int cudaMemcpy2D(void*, size_t, const void*, size_t, size_t, size_t, int) { return 801; }
int cudaMemcpy2DAsync(void*, size_t, const void*, size_t, size_t, size_t, int, void*) {
  return 801;
}
int cudaMalloc(void**, size_t) { return 801; }
int cudaFree(void*) { return 801; }
int cudaGetDeviceCount(int* count) {
  *count = 1;
  return 0;
}
}
