// What a device has of the program's textures, surfaces and arrays.
//
// An array is on a device twice: its rows, which are memory of the coherent pool like any other, and the device's own
// array, which textures read. The pool knows who has the latest rows; here is known whether the array was filled from
// them. Before a launch that uses textures, arrays whose rows were written since are filled, within the device; after
// surface stores they are copied back to the rows, which count as written by the launch.
//
// A handle is the device's own number, so that it means the same in parameters and in memory; a table tells the CPU
// engine what it stands for. Objects that the device refuses exist on the CPU only; while there are any, kernels with
// textures run there.
#pragma once

#include "backends/cpu/texture_table.h"
#include "backends/device.h"
#include "memory/array.h"
#include "memory/coherent_pool.h"
#include "runtime/texture.h"
#include "support/status.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace guda::runtime {

/// Thread safe.
class EngineTextures {
 public:
  explicit EngineTextures(memory::CoherentPool& pool) : pool_(pool) {}

  /// The one device that gets textures; before the first object. Without it handles are addresses.
  void set_device(backend::Device& device, memory::Space space);

  /// As open_texture() says.
  Result<uint64_t> open(const cpu::Texture& texture, const TextureResource& resource, bool surface);
  void close(uint64_t handle, bool surface);
  /// An array or mipmapped array that is about to be freed.
  void forget(const void* array);

  /// Why a launch with textures must not run there; null: it may.
  const char* refusal(const backend::Device& device) const;
  /// Adds the memory behind all textures and surfaces, and behind surfaces that are stored to: a kernel's code does not
  /// say which of them it uses.
  void append_memory(bool stores, std::vector<memory::Range>& reads,
                     std::vector<memory::Range>& writes) const;

  /// Runs `start`, which hands a launch over to the queue, with arrays up to date around it. The memory of
  /// append_memory() has been acquired for the device.
  Status launch(backend::Queue& queue, bool stores, const std::function<Status()>& start);
  /// Some of the range may be rows of an array on the device. One load when there are none.
  bool has_rows(memory::Range range) const;
  /// How many arrays have come to the device so far: an earlier answer that there are no such rows holds no longer than
  /// this stays the same.
  uint64_t arrays_made() const { return arrays_made_.load(std::memory_order_acquire); }
  /// Runs `start`, which hands over something that writes such rows, in order with the launches of other queues: stores
  /// copy the rows of all surfaces.
  Status write_rows(backend::Queue& queue, memory::Range range,
                    const std::function<Status()>& start);
  /// Rows have been written by the host.
  void rows_written(memory::Range range);

 private:
  struct Level {
    const memory::Array* rows = nullptr;
    bool filled = false;  // the array has what the rows have
    uint32_t surfaces = 0;
    memory::Range range() const;
  };
  struct DeviceSide {
    std::shared_ptr<backend::DeviceArray> array;
    std::vector<Level> levels;
    uint32_t objects = 0;
  };
  struct Object {
    std::unique_ptr<backend::DeviceTexture> device;  // null: on the CPU only
    const void* array = nullptr;  // key of arrays_; null: plain memory
    uint32_t level = 0;  // of a surface
    std::vector<memory::Range> ranges;
  };
  using Key = std::pair<uint64_t, bool>;  // handle, surface

  Result<DeviceSide*> device_side(const memory::Array* array,
                                  const memory::MipmappedArray* mipmapped,
                                  const cpu::Texture& texture);
  Result<memory::CoherentPool::Lease> acquire_memory(const cpu::Texture& texture,
                                                     const TextureResource& resource);
  Result<std::unique_ptr<backend::DeviceTexture>> create(const cpu::Texture& texture,
                                                         const TextureResource& resource,
                                                         bool surface, Object& object);
  Status follow_changes(backend::Queue& queue);
  Status fill(backend::Queue& queue, bool* filled);
  Status copy_back(backend::Queue& queue);
  void distrust();

  memory::CoherentPool& pool_;
  backend::Device* device_ = nullptr;
  memory::Space space_ = memory::kHostSpace;
  cpu::TextureTables tables_;

  mutable std::mutex mutex_;  // all of the below; held while launches are handed over
  std::map<Key, Object> objects_;
  std::map<const void*, DeviceSide> arrays_;
  size_t on_host_only_ = 0;
  std::atomic<bool> any_arrays_{false};
  std::atomic<uint64_t> arrays_made_{0};
  /// The order of different queues: work that changes arrays or rows waits for all that uses them, and the other way
  /// round.
  std::unique_ptr<backend::Mark> changed_;
  std::vector<std::unique_ptr<backend::Mark>> used_;
};

}  // namespace guda::runtime
