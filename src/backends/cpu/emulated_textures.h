// Arrays, textures and surfaces of an emulated device: the CPU engine's textures over memory of the device's own, under
// numbers that are no addresses, as on a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/cpu/texture_table.h"
#include "backends/device.h"

namespace guda::backend {

/// Where `bytes` at a program's address are in the device's memory; null: nowhere.
using FindMemory = std::function<std::byte*(const void* address, size_t bytes)>;

class EmulatedArray final : public DeviceArray {
 public:
  explicit EmulatedArray(const ArrayDescription& description);

  const ArrayDescription& description() const { return description_; }
  uint32_t levels() const { return static_cast<uint32_t>(levels_.size()); }
  cpu::TextureLevel level(uint32_t level) const;

 private:
  ArrayDescription description_;
  std::vector<std::unique_ptr<std::byte[]>> levels_;
};

/// Thread safe. Outlives its objects.
class EmulatedTextures {
 public:
  explicit EmulatedTextures(FindMemory find) : find_(std::move(find)) {}

  Result<std::shared_ptr<DeviceArray>> create_array(const ArrayDescription& description);
  Result<std::unique_ptr<DeviceTexture>> create_texture(const TextureDescription& description);
  Result<std::unique_ptr<DeviceTexture>> create_surface(std::shared_ptr<const DeviceArray> array,
                                                        uint32_t level);
  Status copy(const EmulatedArray& array, uint32_t level, const ArrayRows& rows, bool to_array);

  /// For a launch: textures over plain memory follow what is mapped where.
  const cpu::TextureTables& tables();

 private:
  class Object;
  Result<std::unique_ptr<DeviceTexture>> add(const cpu::Texture& texture,
                                             std::shared_ptr<const DeviceArray> array,
                                             bool surface);
  void remove(Object& object);

  FindMemory find_;
  cpu::TextureTables tables_;
  std::mutex mutex_;
  std::vector<uint32_t> free_numbers_;
  uint32_t next_number_ = 1;
  std::map<Object*, TextureDescription> over_memory_;
};

}  // namespace guda::backend
