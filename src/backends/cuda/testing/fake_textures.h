// Arrays, textures and surfaces of the fake driver. As NVIDIA's does, it refuses textures over memory that is not mapped
// or not aligned and surfaces over arrays that were not made for them; textures and surfaces have numbers of their own.
#pragma once

#include "backends/cuda/driver_api.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace guda::backend::cuda::testing {

class FakeTextures {
 public:
  /// Device memory behind an address; null where it is not mapped.
  using Memory = std::byte* (*)(uintptr_t address, size_t bytes);
  explicit FakeTextures(Memory memory) : memory_(memory) {}

  /// `levels` 0: a plain array.
  DriverResult create_array(void** handle, const ArrayDescriptor& descriptor, unsigned levels);
  DriverResult level_of(ArrayHandle* level_array, void* handle, unsigned level);
  DriverResult destroy_array(void* handle);
  DriverResult copy(const Copy3D& copy);
  DriverResult create(TextureHandle* handle, const ResourceDescriptor& resource, bool surface);
  DriverResult destroy(TextureHandle handle, bool surface);

  /// The nth texel, row by row, of level 0; null when there is none or no such handle.
  std::byte* texel(TextureHandle handle, bool surface, size_t n);

 private:
  struct Level {
    size_t row_bytes, rows, slices;
    std::vector<std::byte> bytes;
  };
  struct Array {
    ArrayDescriptor descriptor;
    std::vector<std::unique_ptr<Level>> levels;
  };
  Array* array_with(const void* level);

  Memory memory_;
  std::map<void*, std::unique_ptr<Array>> arrays_;
  std::map<TextureHandle, ResourceDescriptor> objects_[2];  // textures, surfaces
};

}  // namespace guda::backend::cuda::testing
