// What libguda.so offers the libraries beside it that put work on its streams. C functions, because
// libguda exports no C++ names; both sides are built from the same sources.
#pragma once

#include "backends/cpu/cpu_device.h"
#include "runtime/operation.h"

namespace guda::library {

/// When the caller of submit() comes back.
enum class Return : int {
  early,  // once the work is on the stream; short work on an idle stream has then been done already
  complete,  // when the work is done (results in host memory)
};

extern "C" {

/// Makes sure that there is a device to work on. A cudaError_t.
int guda_library_enter();

/// Puts `operation` on the stream behind the cudaStream_t, or into its capture; it is cloned unless it
/// runs at once, so it may live on the caller's stack. A cudaError_t: 400 for a bad stream, 900 when
/// a capturing stream would have to be waited for, the context's sticky error; its negative when the work
/// itself, which was waited for, made it.
int guda_library_submit(void* stream, runtime::Operation* operation, Return when);

/// How matrix products run on the CPU, for parts of products that several engines share.
void guda_library_provide_gemm(backend::CpuGemm gemm);

/// Whether there are engines besides the CPU. After guda_library_enter().
bool guda_library_has_devices();

/// Whether the cudaStream_t is a stream.
bool guda_library_is_stream(void* stream);

/// Multiprocessors of the device.
int guda_library_multiprocessors();

/// Whether the program got this memory from CUDA (or registered it), so that copies know it as the device's.
bool guda_library_is_device_memory(const void* pointer);

/// backends/cpu/fault_trap.h: false when a bad address ended function(argument).
bool guda_library_run_trapped(void (*function)(void*), void* argument, uintptr_t* address);
bool guda_library_in_trap();
[[noreturn]] void guda_library_leave_trap(uintptr_t address);
}

}  // namespace guda::library
