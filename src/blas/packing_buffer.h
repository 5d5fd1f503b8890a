// Memory for packed panels, regions of each thread, kept until the thread ends.
#pragma once

#include <cstddef>

namespace guda::blas {

/// At least `bytes` of memory, page aligned, on huge pages where the system gives them; the same
/// region again for each call on this thread, larger when need be. Its content is undefined. Null
/// when there is no memory.
void* packing_buffer(size_t bytes);

/// The same, further regions: for what the calling thread packs for other threads too, in products on
/// tiles (which may contain others) and in others, and for sums that are converted before they are stored.
void* tile_buffer(size_t bytes);
void* shared_buffer(size_t bytes);
void* accumulator_buffer(size_t bytes);

/// For a thread that has work to finish and no memory: the one small buffer of the process, as long as
/// this object lives.
inline constexpr size_t kLastResortBytes = size_t{512} << 10;
class LastResortBuffer {
 public:
  LastResortBuffer();
  ~LastResortBuffer();
  LastResortBuffer(const LastResortBuffer&) = delete;
  LastResortBuffer& operator=(const LastResortBuffer&) = delete;
  void* data() const;
};

}  // namespace guda::blas
