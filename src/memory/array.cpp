#include "memory/array.h"

#include "memory/heap.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <unordered_map>

namespace guda::memory {
namespace {

struct Tables {
  std::mutex mutex;
  std::unordered_map<const void*, std::unique_ptr<Array>> arrays;
  std::unordered_map<const void*, std::unique_ptr<MipmappedArray>> mipmapped;
};
Tables& tables() {
  static Tables* all = new Tables;
  return *all;
}

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

Status check(const ChannelFormat& format, size_t width, size_t height, size_t depth,
             uint32_t flags) {
  for (int bits : {format.x, format.y, format.z, format.w}) {
    if (bits != 0 && bits != 8 && bits != 16 && bits != 32) {
      return {StatusCode::invalid_value, "channels have 8, 16 or 32 bits"};
    }
  }
  if (format.x == 0 || width == 0) return {StatusCode::invalid_value, "empty array"};
  if (depth != 0 && height == 0 && !(flags & kArrayLayered)) {
    return {StatusCode::invalid_value, "a 3D array has a height"};
  }
  if ((flags & kArrayCubemap) && (width != height || depth % 6 != 0)) {
    return {StatusCode::invalid_value, "a cubemap has six square faces"};
  }
  return Status::ok();
}

Result<std::unique_ptr<Array>> make(const ChannelFormat& format, size_t width, size_t height,
                                    size_t depth, uint32_t flags) {
  auto array = std::make_unique<Array>();
  array->format = format;
  array->width = width;
  array->height = height;
  array->depth = depth;
  array->flags = flags;
  array->pitch = round_up(width * format.element_bytes(), 32);
  array->slice = array->pitch * array->rows();
  size_t bytes = array->slice * array->slices();
  auto memory = Heap::instance().allocate(bytes, AllocationKind::array, flags, nullptr, 512);
  if (!memory) return memory.status();
  array->data = static_cast<std::byte*>(*memory);
  std::memset(array->data, 0, bytes);
  return array;
}

}  // namespace

Result<Array*> create_array(const ChannelFormat& format, size_t width, size_t height, size_t depth,
                            uint32_t flags) {
  if (Status status = check(format, width, height, depth, flags); !status) return status;
  auto array = make(format, width, height, depth, flags);
  if (!array) return array.status();
  Array* handle = array->get();
  std::unique_lock lock(tables().mutex);
  tables().arrays.emplace(handle, std::move(*array));
  return handle;
}

Status destroy_array(Array* array) {
  std::unique_lock lock(tables().mutex);
  auto found = tables().arrays.find(array);
  if (found == tables().arrays.end()) return {StatusCode::invalid_value, "not an array"};
  auto dying = std::move(found->second);
  tables().arrays.erase(found);
  lock.unlock();
  return Heap::instance().release(dying->data, kind_bit(AllocationKind::array));
}

Result<MipmappedArray*> create_mipmapped_array(const ChannelFormat& format, size_t width,
                                               size_t height, size_t depth, unsigned levels,
                                               uint32_t flags) {
  if (Status status = check(format, width, height, depth, flags); !status) return status;
  bool layers = (flags & (kArrayLayered | kArrayCubemap)) != 0;
  size_t largest = std::max({width, height, layers ? size_t{0} : depth});
  auto possible = static_cast<unsigned>(std::bit_width(largest));
  levels = std::clamp(levels, 1u, possible);
  auto mipmapped = std::make_unique<MipmappedArray>();
  auto halve = [](size_t extent) { return extent ? std::max<size_t>(1, extent / 2) : 0; };
  for (unsigned level = 0; level < levels; ++level) {
    auto array = make(format, width, height, depth, flags);
    if (!array) {
      for (auto& made : mipmapped->levels) {
        (void)Heap::instance().release(made->data, kind_bit(AllocationKind::array));
      }
      return array.status();
    }
    (*array)->mipmapped = mipmapped.get();
    (*array)->level = level;
    mipmapped->levels.push_back(std::move(*array));
    width = halve(width);
    height = halve(height);
    if (!layers) depth = halve(depth);
  }
  MipmappedArray* handle = mipmapped.get();
  std::unique_lock lock(tables().mutex);
  tables().mipmapped.emplace(handle, std::move(mipmapped));
  return handle;
}

Status destroy_mipmapped_array(MipmappedArray* array) {
  std::unique_lock lock(tables().mutex);
  auto found = tables().mipmapped.find(array);
  if (found == tables().mipmapped.end())
    return {StatusCode::invalid_value, "not a mipmapped array"};
  auto dying = std::move(found->second);
  tables().mipmapped.erase(found);
  lock.unlock();
  for (auto& level : dying->levels) {
    (void)Heap::instance().release(level->data, kind_bit(AllocationKind::array));
  }
  return Status::ok();
}

Array* find_array(const void* handle) {
  std::unique_lock lock(tables().mutex);
  if (auto found = tables().arrays.find(handle); found != tables().arrays.end())
    return found->second.get();
  for (auto& [key, mipmapped] : tables().mipmapped) {
    for (auto& level : mipmapped->levels) {
      if (level.get() == handle) return level.get();
    }
  }
  return nullptr;
}

MipmappedArray* find_mipmapped_array(const void* handle) {
  std::unique_lock lock(tables().mutex);
  auto found = tables().mipmapped.find(handle);
  return found == tables().mipmapped.end() ? nullptr : found->second.get();
}

}  // namespace guda::memory
