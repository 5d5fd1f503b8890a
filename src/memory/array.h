// CUDA arrays: textures' storage. Rows of elements, pitched, in ordinary memory.
#pragma once

#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace guda::memory {

/// Bits per channel and cudaChannelFormatKind.
struct ChannelFormat {
  int x = 0, y = 0, z = 0, w = 0;
  int kind = 0;
  size_t element_bytes() const { return static_cast<size_t>(x + y + z + w) / 8; }
};

enum ArrayFlags : uint32_t {
  kArrayLayered = 1,
  kArraySurface = 2,
  kArrayCubemap = 4,
  kArrayGather = 8
};

struct MipmappedArray;

/// Extents are in elements; 0 in height or depth means that the array has no such dimension.
struct Array {
  ChannelFormat format;
  size_t width = 0, height = 0, depth = 0;
  uint32_t flags = 0;
  size_t pitch = 0;                // bytes from row to row
  size_t slice = 0;                // bytes from slice (or layer) to slice
  std::byte* data = nullptr;
  const MipmappedArray* mipmapped = nullptr;  // whose level it is
  uint32_t level = 0;

  size_t rows() const { return height ? height : 1; }
  size_t slices() const { return depth ? depth : 1; }
};

struct MipmappedArray {
  std::vector<std::unique_ptr<Array>> levels;
};

/// Allocates a zeroed array; invalid_value for an impossible format or extent, out_of_memory.
Result<Array*> create_array(const ChannelFormat& format, size_t width, size_t height, size_t depth,
                            uint32_t flags);
Status destroy_array(Array* array);
/// Levels halve each extent (not layers) down to 1; `levels` is clamped to what there can be.
Result<MipmappedArray*> create_mipmapped_array(const ChannelFormat& format, size_t width,
                                               size_t height, size_t depth, unsigned levels,
                                               uint32_t flags);
Status destroy_mipmapped_array(MipmappedArray* array);

/// Null when the handle is not a live array.
Array* find_array(const void* handle);
MipmappedArray* find_mipmapped_array(const void* handle);

}  // namespace guda::memory
