#include "runtime/engine_textures.h"

#include "support/log.h"

#include <algorithm>
#include <utility>

namespace guda::runtime {
namespace {

using memory::Range;

Range rows_of(const memory::Array& array) {
  return Range::of(array.data, array.slice * array.slices());
}

const void* key_of(const memory::Array* array, const memory::MipmappedArray* mipmapped) {
  return mipmapped != nullptr ? static_cast<const void*>(mipmapped) : array;
}

/// Of a texture over plain memory.
Range memory_of(const cpu::Texture& texture) {
  const cpu::TextureLevel& level = texture.levels[0];
  const size_t row = level.width * texture.channels * texel_component_bytes(texture.format);
  return Range::of(level.data, (level.height - 1) * level.row_pitch + row);
}

bool overlap(Range a, Range b) { return a.begin < b.end && b.begin < a.end; }

Status wait_for_all(backend::Queue& queue,
                    const std::vector<std::unique_ptr<backend::Mark>>& marks) {
  for (const auto& mark : marks) {
    if (Status status = queue.wait_for(*mark); !status) return status;
  }
  return Status::ok();
}

backend::ArrayRows place_of(const memory::Array& array) {
  return {array.data, array.pitch, array.slice};
}

}  // namespace

Range EngineTextures::Level::range() const { return rows_of(*rows); }

void EngineTextures::set_device(backend::Device& device, memory::Space space) {
  device_ = &device;
  space_ = space;
  cpu::set_host_textures(&tables_);
}

/// The device's array behind one of the program's. `array` may be a level of `mipmapped`.
Result<EngineTextures::DeviceSide*> EngineTextures::device_side(
    const memory::Array* array, const memory::MipmappedArray* mipmapped,
    const cpu::Texture& texture) {
  const void* key = key_of(array, mipmapped);
  if (auto found = arrays_.find(key); found != arrays_.end()) return &found->second;
  const memory::Array& base = mipmapped != nullptr ? *mipmapped->levels.front() : *array;
  backend::ArrayDescription description;
  description.format = texture.format;
  description.channels = texture.channels;
  description.width = base.width;
  description.height = base.height;
  description.depth = base.depth;
  description.flags = base.flags;
  if (mipmapped != nullptr) description.levels = static_cast<uint32_t>(mipmapped->levels.size());
  auto made = device_->create_array(description);
  if (!made) return made.status();
  DeviceSide& side = arrays_[key];
  any_arrays_.store(true, std::memory_order_release);
  arrays_made_.fetch_add(1, std::memory_order_release);
  side.array = std::move(*made);
  if (mipmapped == nullptr) {
    side.levels.push_back({array});
  } else {
    for (auto& level : mipmapped->levels) side.levels.push_back({level.get()});
  }
  return &side;
}

Result<std::unique_ptr<backend::DeviceTexture>> EngineTextures::create(
    const cpu::Texture& texture, const TextureResource& resource, bool surface, Object& object) {
  const memory::MipmappedArray* mipmapped = resource.mipmapped;
  if (resource.array != nullptr && resource.array->mipmapped != nullptr && surface)
    mipmapped = resource.array->mipmapped;
  if (resource.array != nullptr && resource.array->mipmapped != nullptr && !surface)
    return Status(StatusCode::not_supported, "a texture over one level of a mipmapped array");

  backend::TextureDescription description;
  description.format = texture.format;
  description.channels = texture.channels;
  description.sampling = texture;
  description.view = resource.view;
  if (resource.array != nullptr || mipmapped != nullptr) {
    auto side = device_side(resource.array, mipmapped, texture);
    if (!side) return side.status();
    object.array = key_of(resource.array, mipmapped);
    if (surface) {
      object.level = resource.array->level;
      return device_->create_surface((*side)->array, object.level);
    }
    description.array = (*side)->array;
    return device_->create_texture(description);
  }
  const cpu::TextureLevel& memory = texture.levels[0];
  description.address = memory.data;
  description.width = memory.width;
  description.height = texture.plain_memory ? 0 : memory.height;
  description.pitch = memory.row_pitch;
  return device_->create_texture(description);
}

/// Drivers look at the memory when they make a texture over it. Not under the lock: the pool may have to wait for work
/// that is being handed over.
Result<memory::CoherentPool::Lease> EngineTextures::acquire_memory(
    const cpu::Texture& texture, const TextureResource& resource) {
  if (device_ == nullptr || resource.array != nullptr || resource.mipmapped != nullptr)
    return memory::CoherentPool::Lease();
  const Range range = memory_of(texture);
  auto lease = pool_.acquire(space_, {&range, 1});
  // Memory of the program's own.
  if (lease.status().code() == StatusCode::invalid_value)
    return Status(StatusCode::not_supported, lease.status().message());
  return lease;
}

Result<uint64_t> EngineTextures::open(const cpu::Texture& texture, const TextureResource& resource,
                                      bool surface) {
  auto lease = acquire_memory(texture, resource);
  const std::lock_guard lock(mutex_);
  Object object;
  if (resource.mipmapped != nullptr) {
    for (auto& level : resource.mipmapped->levels) object.ranges.push_back(rows_of(*level));
  } else if (resource.array != nullptr) {
    object.ranges.push_back(rows_of(*resource.array));
  } else {
    object.ranges.push_back(memory_of(texture));
  }
  if (device_ != nullptr && device_->usable()) {
    auto made = lease ? create(texture, resource, surface, object)
                      : Result<std::unique_ptr<backend::DeviceTexture>>(lease.status());
    if (made) {
      object.device = std::move(*made);
    } else {
      object.array = nullptr;
      // Where programs see the device's properties they get its refusals, too.
      if (made.status().code() == StatusCode::invalid_value && device_->cuda_attribute(75))
        return made.status();
      log(LogPart::runtime, LogLevel::info,
          "a {} is not on {}, kernels that use any run on the CPU: {}",
          surface ? "surface" : "texture", device_->info().id(), made.status().message());
    }
  }
  const uint64_t handle =
      object.device ? object.device->handle() : reinterpret_cast<uint64_t>(&texture);
  if (!object.device) ++on_host_only_;
  if (object.array != nullptr) {
    DeviceSide& side = arrays_.at(object.array);
    ++side.objects;
    if (surface) ++side.levels[object.level].surfaces;
  }
  (surface ? tables_.surfaces : tables_.textures).insert(handle, &texture);
  objects_.insert_or_assign({handle, surface}, std::move(object));
  return handle;
}

void EngineTextures::close(uint64_t handle, bool surface) {
  const std::lock_guard lock(mutex_);
  auto found = objects_.find({handle, surface});
  if (found == objects_.end()) return;
  Object& object = found->second;
  (surface ? tables_.surfaces : tables_.textures).erase(handle);
  if (!object.device) --on_host_only_;
  if (auto side = arrays_.find(object.array); object.array != nullptr && side != arrays_.end()) {
    --side->second.objects;
    if (surface) --side->second.levels[object.level].surfaces;
  }
  objects_.erase(found);
}

void EngineTextures::forget(const void* array) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, object] : objects_) {
    if (object.array != array) continue;
    object.array = nullptr;
    object.ranges.clear();
  }
  arrays_.erase(array);
  any_arrays_.store(!arrays_.empty(), std::memory_order_release);
}

const char* EngineTextures::refusal(const backend::Device& device) const {
  if (&device != device_)
    return device.info().textures ? "textures are on another device" : "it uses textures";
  const std::lock_guard lock(mutex_);
  return on_host_only_ != 0 ? "it uses textures, and some are on the CPU only" : nullptr;
}

void EngineTextures::append_memory(bool stores, std::vector<Range>& reads,
                                   std::vector<Range>& writes) const {
  const std::lock_guard lock(mutex_);
  std::vector<Range> all;
  for (const auto& [key, object] : objects_) {
    auto& out = stores && key.second ? writes : all;
    out.insert(out.end(), object.ranges.begin(), object.ranges.end());
  }
  // Many objects may share an array.
  auto less = [](Range a, Range b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  };
  std::sort(all.begin(), all.end(), less);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  reads.insert(reads.end(), all.begin(), all.end());
}

/// What the queue is handed from now on sees the changes made so far.
Status EngineTextures::follow_changes(backend::Queue& queue) {
  std::erase_if(used_, [](auto& mark) { return mark->reached(); });
  if (changed_ && changed_->reached()) changed_.reset();
  return changed_ ? queue.wait_for(*changed_) : Status::ok();
}

/// The rows that have changed since into their arrays.
Status EngineTextures::fill(backend::Queue& queue, bool* filled) {
  for (auto& [key, side] : arrays_) {
    if (side.objects == 0) continue;
    for (size_t i = 0; i < side.levels.size(); ++i) {
      Level& level = side.levels[i];
      if (level.filled) continue;
      if (!std::exchange(*filled, true)) {
        if (Status status = wait_for_all(queue, used_); !status) return status;
      }
      if (Status status =
              queue.copy_to_array(*side.array, static_cast<uint32_t>(i), place_of(*level.rows));
          !status)
        return status;
      level.filled = true;
    }
  }
  return Status::ok();
}

Status EngineTextures::copy_back(backend::Queue& queue) {
  for (auto& [key, side] : arrays_) {
    for (size_t i = 0; i < side.levels.size(); ++i) {
      Level& level = side.levels[i];
      if (level.surfaces == 0) continue;
      if (Status status =
              queue.copy_from_array(place_of(*level.rows), *side.array, static_cast<uint32_t>(i));
          !status)
        return status;
    }
  }
  return Status::ok();
}

/// After a failure nobody knows what arrays have.
void EngineTextures::distrust() {
  for (auto& [key, side] : arrays_) {
    for (Level& level : side.levels) level.filled = false;
  }
}

Status EngineTextures::launch(backend::Queue& queue, bool stores,
                              const std::function<Status()>& start) {
  const std::lock_guard lock(mutex_);
  bool changes = false;
  auto hand_over = [&]() -> Status {
    if (Status status = follow_changes(queue); !status) return status;
    if (Status status = fill(queue, &changes); !status) return status;
    if (stores && !changes) {
      if (Status status = wait_for_all(queue, used_); !status) return status;
    }
    if (Status status = start(); !status) return status;
    if (stores) {
      if (Status status = copy_back(queue); !status) return status;
    }
    auto mark = queue.mark_order();
    if (!mark) return mark.status();
    if (changes || stores) {
      used_.clear();
      changed_ = std::move(*mark);
    } else {
      used_.push_back(std::move(*mark));
    }
    return Status::ok();
  };
  Status status = hand_over();
  if (!status) distrust();
  return status;
}

bool EngineTextures::has_rows(Range range) const {
  if (!any_arrays_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(mutex_);
  return std::any_of(arrays_.begin(), arrays_.end(), [&](const auto& each) {
    const auto& levels = each.second.levels;
    return std::any_of(levels.begin(), levels.end(),
                       [&](const Level& level) { return overlap(level.range(), range); });
  });
}

void EngineTextures::rows_written(Range range) {
  if (!any_arrays_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(mutex_);
  for (auto& [key, side] : arrays_) {
    for (Level& level : side.levels) {
      if (overlap(level.range(), range)) level.filled = false;
    }
  }
}

Status EngineTextures::write_rows(backend::Queue& queue, Range range,
                                  const std::function<Status()>& start) {
  Status status;
  {
    const std::lock_guard lock(mutex_);
    status = follow_changes(queue);
    if (status) status = wait_for_all(queue, used_);
    if (status) status = start();
    if (status) {
      auto mark = queue.mark_order();
      status = mark.status();
      used_.clear();
      if (mark) changed_ = std::move(*mark);
    }
  }
  rows_written(range);
  return status;
}

}  // namespace guda::runtime
