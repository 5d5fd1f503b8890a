// Part of libguda.so.
#include "abi/cublas/library_stream.h"

#include "backends/cpu/fault_trap.h"
#include "memory/heap.h"
#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/engines.h"
#include "runtime/submit.h"

namespace guda::library {
namespace {

/// As for kernels (runtime/launch.cpp): waking another thread costs about this much.
constexpr uint64_t kInlineNanoseconds = 10000;

}  // namespace

#define GUDA_LIBRARY_API extern "C" __attribute__((visibility("default")))

GUDA_LIBRARY_API int guda_library_enter() { return runtime::Context::enter(); }

GUDA_LIBRARY_API void guda_library_provide_gemm(backend::CpuGemm gemm) {
  backend::set_cpu_gemm(gemm);
}

GUDA_LIBRARY_API bool guda_library_has_devices() { return runtime::Engines::active() != nullptr; }

GUDA_LIBRARY_API bool guda_library_is_stream(void* stream) {
  return runtime::StreamTable::instance().find(stream) != nullptr;
}

GUDA_LIBRARY_API int guda_library_multiprocessors() {
  return runtime::device_properties().multiprocessors;
}

GUDA_LIBRARY_API bool guda_library_is_device_memory(const void* pointer) {
  return memory::Heap::instance().find(pointer).has_value();
}

GUDA_LIBRARY_API bool guda_library_run_trapped(void (*function)(void*), void* argument,
                                               uintptr_t* address) {
  return cpu::run_trapped(function, argument, address);
}
GUDA_LIBRARY_API bool guda_library_in_trap() { return cpu::current_trap() != nullptr; }
GUDA_LIBRARY_API void guda_library_leave_trap(uintptr_t address) { cpu::leave_trap(address); }

GUDA_LIBRARY_API int guda_library_submit(void* handle, runtime::Operation* operation, Return when) {
  if (runtime::Error error = runtime::Context::enter()) return error;
  runtime::Stream* stream = runtime::StreamTable::instance().find(handle);
  if (!stream) return static_cast<int>(StatusCode::invalid_handle);
  if (stream->capture()) {
    if (when == Return::complete) {
      stream->capture()->invalidated = true;
      return static_cast<int>(StatusCode::stream_capture_unsupported);
    }
    return static_cast<int>(
        runtime::capture_operation(*stream, operation->clone(), runtime::NodeType::kernel).code());
  }
  const bool here = when == Return::complete || operation->expected_ns() <= kInlineNanoseconds;
  uint64_t ticket = here || runtime::Engines::with_home() != nullptr ? stream->try_begin() : 0;
  if (ticket == 0) {
    ticket = stream->enqueue(operation->clone());
  } else if (!runtime::run_begun(*stream, *operation, ticket, here)) {
    stream->defer(ticket, operation->clone());
  }
  if (when == Return::complete) stream->wait(ticket);
  return when == Return::complete ? -runtime::Context::instance().sticky_error() : 0;
}

}  // namespace guda::library
