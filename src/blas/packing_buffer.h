// Memory for packed panels, one region per thread, kept until the thread ends.
#pragma once

#include <cstddef>

namespace guda::blas {

/// At least `bytes` of memory, page aligned, on huge pages where the system gives them; the same
/// region again for each call on this thread, larger when need be. Its content is undefined. Null
/// when there is no memory.
void* packing_buffer(size_t bytes);

/// The same, a second region: for sums that are converted before they are stored.
void* accumulator_buffer(size_t bytes);

}  // namespace guda::blas
