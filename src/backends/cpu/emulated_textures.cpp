#include "backends/cpu/emulated_textures.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace guda::backend {
namespace {

/// Makes a handle that was taken for an address stand out.
constexpr uint64_t kHandleBits = uint64_t{0xe7} << 56;

cpu::Texture texture_of(const EmulatedArray& array) {
  cpu::Texture texture;
  texture.format = array.description().format;
  texture.channels = array.description().channels;
  texture.level_count = std::min<uint32_t>(array.levels(), cpu::Texture::kMaxLevels);
  for (uint32_t i = 0; i < texture.level_count; ++i) texture.levels[i] = array.level(i);
  return texture;
}

}  // namespace

EmulatedArray::EmulatedArray(const ArrayDescription& description) : description_(description) {
  for (uint32_t i = 0; i < std::max(description.levels, 1u); ++i) {
    const size_t bytes = description.level_width(i) * description.level_rows(i) *
                         description.level_slices(i) * description.element_bytes();
    levels_.push_back(std::make_unique<std::byte[]>(bytes));
  }
}

cpu::TextureLevel EmulatedArray::level(uint32_t index) const {
  cpu::TextureLevel level;
  level.data = levels_[index].get();
  level.width = static_cast<uint32_t>(description_.level_width(index));
  level.height = static_cast<uint32_t>(description_.level_rows(index));
  level.depth = static_cast<uint32_t>(description_.level_slices(index));
  level.row_pitch = level.width * description_.element_bytes();
  level.slice_pitch = level.row_pitch * level.height;
  return level;
}

class EmulatedTextures::Object final : public DeviceTexture {
 public:
  Object(EmulatedTextures& owner, const cpu::Texture& texture,
         std::shared_ptr<const DeviceArray> array, uint32_t number, bool surface)
      : texture(texture),
        number(number),
        surface(surface),
        owner_(owner),
        array_(std::move(array)) {}
  ~Object() override { owner_.remove(*this); }
  uint64_t handle() const override { return kHandleBits | number; }

  cpu::Texture texture;
  const uint32_t number;
  const bool surface;

 private:
  EmulatedTextures& owner_;
  std::shared_ptr<const DeviceArray> array_;
};

Result<std::shared_ptr<DeviceArray>> EmulatedTextures::create_array(
    const ArrayDescription& description) {
  if (description.width == 0 ||
      (description.channels != 1 && description.channels != 2 && description.channels != 4))
    return Status(StatusCode::invalid_value, "an impossible array");
  return std::shared_ptr<DeviceArray>(std::make_shared<EmulatedArray>(description));
}

Result<std::unique_ptr<DeviceTexture>> EmulatedTextures::add(
    const cpu::Texture& texture, std::shared_ptr<const DeviceArray> array, bool surface) {
  uint32_t number = 0;
  if (free_numbers_.empty()) {
    number = next_number_++;
  } else {
    number = free_numbers_.back();
    free_numbers_.pop_back();
  }
  auto object = std::make_unique<Object>(*this, texture, std::move(array), number, surface);
  (surface ? tables_.surfaces : tables_.textures).insert(object->handle(), &object->texture);
  return std::unique_ptr<DeviceTexture>(std::move(object));
}

void EmulatedTextures::remove(Object& object) {
  const std::lock_guard lock(mutex_);
  (object.surface ? tables_.surfaces : tables_.textures).erase(object.handle());
  over_memory_.erase(&object);
  free_numbers_.push_back(object.number);
}

Result<std::unique_ptr<DeviceTexture>> EmulatedTextures::create_texture(
    const TextureDescription& description) {
  cpu::Texture texture;
  if (description.array != nullptr) {
    texture = texture_of(static_cast<const EmulatedArray&>(*description.array));
  } else {
    if (find_(description.address, description.memory_bytes()) == nullptr)
      return Status(StatusCode::invalid_value, "a texture over memory that is not mapped");
    texture.format = description.format;
    texture.channels = description.channels;
    texture.levels[0].width = static_cast<uint32_t>(description.width);
    texture.levels[0].height = static_cast<uint32_t>(std::max<size_t>(description.height, 1));
    texture.levels[0].row_pitch = description.pitch;
    texture.levels[0].slice_pitch = description.pitch * description.height;
    texture.plain_memory = description.height == 0;
  }
  static_cast<Sampling&>(texture) = description.sampling;
  if (description.view)
    keep_levels(texture, description.view->first_level, description.view->last_level);
  const std::lock_guard lock(mutex_);
  auto object = add(texture, description.array, false);
  if (object && description.array == nullptr)
    over_memory_.emplace(static_cast<Object*>(object->get()), description);
  return object;
}

Result<std::unique_ptr<DeviceTexture>> EmulatedTextures::create_surface(
    std::shared_ptr<const DeviceArray> array, uint32_t level) {
  cpu::Texture texture = texture_of(static_cast<const EmulatedArray&>(*array));
  if (level >= texture.level_count)
    return Status(StatusCode::invalid_value, "a surface over a level that is not there");
  keep_levels(texture, level, level);
  const std::lock_guard lock(mutex_);
  return add(texture, std::move(array), true);
}

Status EmulatedTextures::copy(const EmulatedArray& array, uint32_t level, const ArrayRows& rows,
                              bool to_array) {
  if (level >= array.levels()) return {StatusCode::invalid_value, "no such level"};
  const cpu::TextureLevel there = array.level(level);
  for (size_t z = 0; z < there.depth; ++z) {
    for (size_t y = 0; y < there.height; ++y) {
      std::byte* row = there.data + z * there.slice_pitch + y * there.row_pitch;
      std::byte* memory = find_(
          static_cast<std::byte*>(rows.address) + z * rows.slice + y * rows.pitch, there.row_pitch);
      if (memory == nullptr)
        return {StatusCode::illegal_address, "rows of an array outside of the device's memory"};
      std::memcpy(to_array ? row : memory, to_array ? memory : row, there.row_pitch);
    }
  }
  return Status::ok();
}

const cpu::TextureTables& EmulatedTextures::tables() {
  const std::lock_guard lock(mutex_);
  for (auto& [object, description] : over_memory_) {
    std::byte* memory = find_(description.address, description.memory_bytes());
    // Unchanged while launches use it: who uses memory keeps it mapped.
    if (object->texture.levels[0].data != memory) object->texture.levels[0].data = memory;
  }
  return tables_;
}

}  // namespace guda::backend
