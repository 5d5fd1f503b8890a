#pragma once

#include <cuda_runtime.h>

#include <cstddef>

/// Keeps one thread busy for so many steps, each of which depends on the one before, and leaves what came of it.
void launch_busy(float* result, unsigned steps, cudaStream_t stream);
/// values[i] = values[i] * factor + i
void launch_scale(unsigned* values, unsigned factor, size_t count, cudaStream_t stream);
