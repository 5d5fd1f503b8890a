// malloc and free of kernels: a heap of its own, so that a kernel that corrupts it does not take
// the process along.
#pragma once

#include <cstddef>

namespace guda::cpu {

/// 16-byte aligned memory of the device heap; null when it is full or bytes is 0. Thread safe.
void* device_malloc(size_t bytes);

/// Null is ignored; false when the pointer is not an allocation of the heap.
bool device_free(void* pointer);

}  // namespace guda::cpu
