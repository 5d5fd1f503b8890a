// Hints about managed memory, for the driver of the home device that shares it. Elsewhere they need no action: on the CPU
// there is one memory, and what is copied between memories the program may write until a launch begins.
#pragma once

#include "runtime/stream.h"

#include <cstddef>

namespace guda::runtime {

/// In the stream's order: the memory will be used by the host next, or by the device.
void prefetch(Stream& stream, const void* pointer, size_t size, bool to_host);
/// `advice` is a cudaMemoryAdvise, about the host or the device.
void advise(const void* pointer, size_t size, int advice, bool about_host);

}  // namespace guda::runtime
