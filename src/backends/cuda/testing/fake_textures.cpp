#include "backends/cuda/testing/fake_textures.h"

#include "backends/cuda/testing/fake_state.h"

#include <algorithm>
#include <cstring>

namespace guda::backend::cuda::testing {
namespace {

constexpr size_t kTextureAlignment = 512;

size_t component_bytes(int format) {
  switch (format) {
    case kFormatU8:
    case kFormatS8: return 1;
    case kFormatU16:
    case kFormatS16:
    case kFormatF16: return 2;
    case kFormatU32:
    case kFormatS32:
    case kFormatF32: return 4;
    default: return 0;
  }
}

size_t halved(size_t extent, unsigned times) { return std::max<size_t>(extent >> times, 1); }

}  // namespace

DriverResult FakeTextures::create_array(void** handle, const ArrayDescriptor& descriptor,
                                        unsigned levels) {
  const size_t element = component_bytes(descriptor.format) * descriptor.channels;
  if (element == 0 || descriptor.width == 0 || descriptor.channels == 3) return kInvalidValue;
  const bool layers = (descriptor.flags & 5) != 0;
  auto array = std::make_unique<Array>();
  array->descriptor = descriptor;
  for (unsigned i = 0; i < std::max(levels, 1u); ++i) {
    auto level = std::make_unique<Level>();
    level->row_bytes = halved(descriptor.width, i) * element;
    level->rows = halved(descriptor.height, i);
    level->slices = layers ? std::max<size_t>(descriptor.depth, 1) : halved(descriptor.depth, i);
    level->bytes.assign(level->row_bytes * level->rows * level->slices, std::byte{0xcd});
    array->levels.push_back(std::move(level));
  }
  // A plain array is known by its only level.
  *handle = levels == 0 ? static_cast<void*>(array->levels.front().get()) : array.get();
  arrays_[*handle] = std::move(array);
  return 0;
}

DriverResult FakeTextures::level_of(ArrayHandle* level_array, void* handle, unsigned level) {
  auto found = arrays_.find(handle);
  if (found == arrays_.end()) return kInvalidHandle;
  if (level >= found->second->levels.size()) return kInvalidValue;
  *level_array = reinterpret_cast<ArrayHandle>(found->second->levels[level].get());
  return 0;
}

DriverResult FakeTextures::destroy_array(void* handle) {
  return arrays_.erase(handle) == 1 ? 0 : kInvalidHandle;
}

FakeTextures::Array* FakeTextures::array_with(const void* level) {
  for (auto& [handle, array] : arrays_) {
    for (auto& each : array->levels) {
      if (each.get() == level) return array.get();
    }
  }
  return nullptr;
}

DriverResult FakeTextures::copy(const Copy3D& copy) {
  const bool to_array = copy.to.memory_type == kMemoryArray;
  const CopySide3D& array_side = to_array ? copy.to : copy.from;
  const CopySide3D& memory_side = to_array ? copy.from : copy.to;
  if (array_side.memory_type != kMemoryArray || memory_side.memory_type != kMemoryDevice ||
      memory_side.pitch < copy.width_bytes || memory_side.height < copy.height)
    return kInvalidValue;
  auto* level = reinterpret_cast<Level*>(array_side.array);
  if (array_with(level) == nullptr) return kInvalidHandle;
  if (copy.width_bytes > level->row_bytes || copy.height > level->rows ||
      copy.depth > level->slices)
    return kInvalidValue;
  for (size_t z = 0; z < copy.depth; ++z) {
    for (size_t y = 0; y < copy.height; ++y) {
      std::byte* row = level->bytes.data() + (z * level->rows + y) * level->row_bytes;
      std::byte* memory = memory_(
          memory_side.device + (z * memory_side.height + y) * memory_side.pitch, copy.width_bytes);
      if (memory == nullptr) return kInvalidValue;
      std::memcpy(to_array ? row : memory, to_array ? memory : row, copy.width_bytes);
    }
  }
  return 0;
}

DriverResult FakeTextures::create(TextureHandle* handle, const ResourceDescriptor& resource,
                                  bool surface) {
  switch (resource.type) {
    case kResourceArray: {
      Array* array = array_with(resource.of.array.handle);
      if (array == nullptr) return kInvalidHandle;
      if (surface && (array->descriptor.flags & 2) == 0) return kInvalidValue;
      break;
    }
    case kResourceMipmapped:
      if (!arrays_.contains(resource.of.mipmapped.handle)) return kInvalidHandle;
      break;
    case kResourceLinear:
    case kResourcePitched: {
      const auto& linear = resource.of.linear;
      const auto& pitched = resource.of.pitched;
      const bool is_linear = resource.type == kResourceLinear;
      const DevicePointer address = is_linear ? linear.address : pitched.address;
      const size_t bytes = is_linear ? linear.bytes : pitched.pitch * (pitched.height - 1);
      if (surface || address % kTextureAlignment != 0 || memory_(address, bytes) == nullptr)
        return kInvalidValue;
      break;
    }
    default: return kInvalidValue;
  }
  auto& objects = objects_[surface ? 1 : 0];
  *handle = 1;
  while (objects.contains(*handle)) ++*handle;
  objects[*handle] = resource;
  return 0;
}

DriverResult FakeTextures::destroy(TextureHandle handle, bool surface) {
  return objects_[surface ? 1 : 0].erase(handle) == 1 ? 0 : kInvalidValue;
}

std::byte* FakeTextures::texel(TextureHandle handle, bool surface, size_t n) {
  auto& objects = objects_[surface ? 1 : 0];
  auto found = objects.find(handle);
  if (found == objects.end()) return nullptr;
  const ResourceDescriptor& resource = found->second;
  if (resource.type == kResourceLinear) {
    const size_t element = component_bytes(resource.of.linear.format) * resource.of.linear.channels;
    return (n + 1) * element > resource.of.linear.bytes
               ? nullptr
               : memory_(resource.of.linear.address + n * element, element);
  }
  if (resource.type == kResourcePitched) {
    const auto& pitched = resource.of.pitched;
    const size_t element = component_bytes(pitched.format) * pitched.channels;
    return n >= pitched.width * pitched.height
               ? nullptr
               : memory_(pitched.address + n / pitched.width * pitched.pitch +
                             n % pitched.width * element,
                         element);
  }
  Level* level = resource.type == kResourceMipmapped
                     ? arrays_.at(resource.of.mipmapped.handle)->levels.front().get()
                     : reinterpret_cast<Level*>(resource.of.array.handle);
  Array* array = array_with(level);
  if (array == nullptr) return nullptr;
  const size_t element = component_bytes(array->descriptor.format) * array->descriptor.channels;
  return (n + 1) * element > level->bytes.size() ? nullptr : level->bytes.data() + n * element;
}

FakeTextures& textures() {
  static auto* textures =
      new FakeTextures([](uintptr_t address, size_t bytes) { return at(address, bytes); });
  return *textures;
}

EXPORT DriverResult cuArray3DCreate_v2(ArrayHandle* array, const ArrayDescriptor* descriptor) {
  CALL("cuArray3DCreate_v2");
  void* handle = nullptr;
  DriverResult code = textures().create_array(&handle, *descriptor, 0);
  *array = static_cast<ArrayHandle>(handle);
  fake_cuda.arrays += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuArrayDestroy(ArrayHandle array) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy_array(array); code != 0) return code;
  --fake_cuda.arrays;
  return enter("cuArrayDestroy", false);
}
EXPORT DriverResult cuMipmappedArrayCreate(MipmappedArrayHandle* array,
                                           const ArrayDescriptor* descriptor, unsigned levels) {
  CALL("cuMipmappedArrayCreate");
  void* handle = nullptr;
  DriverResult code =
      levels == 0 ? kInvalidValue : textures().create_array(&handle, *descriptor, levels);
  *array = static_cast<MipmappedArrayHandle>(handle);
  fake_cuda.arrays += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuMipmappedArrayGetLevel(ArrayHandle* level_array, MipmappedArrayHandle array,
                                             unsigned level) {
  CALL("cuMipmappedArrayGetLevel");
  return textures().level_of(level_array, array, level);
}
EXPORT DriverResult cuMipmappedArrayDestroy(MipmappedArrayHandle array) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy_array(array); code != 0) return code;
  --fake_cuda.arrays;
  return enter("cuMipmappedArrayDestroy", false);
}
EXPORT DriverResult cuTexObjectCreate(TextureHandle* texture, const ResourceDescriptor* resource,
                                      const TextureDescriptor*, const ResourceViewDescriptor*) {
  CALL("cuTexObjectCreate");
  DriverResult code = textures().create(texture, *resource, false);
  fake_cuda.textures += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuTexObjectDestroy(TextureHandle texture) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy(texture, false); code != 0) return code;
  --fake_cuda.textures;
  return enter("cuTexObjectDestroy", false);
}
EXPORT DriverResult cuSurfObjectCreate(TextureHandle* surface, const ResourceDescriptor* resource) {
  CALL("cuSurfObjectCreate");
  DriverResult code = textures().create(surface, *resource, true);
  fake_cuda.textures += code == 0 ? 1 : 0;
  return code;
}
EXPORT DriverResult cuSurfObjectDestroy(TextureHandle surface) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  if (DriverResult code = textures().destroy(surface, true); code != 0) return code;
  --fake_cuda.textures;
  return enter("cuSurfObjectDestroy", false);
}

}  // namespace guda::backend::cuda::testing
