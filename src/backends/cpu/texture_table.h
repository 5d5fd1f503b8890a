// What texture handles stand for when they are not addresses: a device's numbers, which programs see when a device is
// there, and which kernels on the CPU meet in parameters and in memory as well.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/cpu/texture.h"

namespace guda::cpu {

/// Handles of one kind. Looking up takes no lock: all lanes of all workers do it.
class TextureTable {
 public:
  TextureTable();
  ~TextureTable();
  TextureTable(const TextureTable&) = delete;
  TextureTable& operator=(const TextureTable&) = delete;

  /// `texture` lives until it is erased; no kernel uses the handle then. `handle` is not 0.
  void insert(uint64_t handle, const Texture* texture);
  void erase(uint64_t handle);
  /// Null when there is none.
  const Texture* find(uint64_t handle) const;

 private:
  struct Slots;
  static void place(Slots& slots, uint64_t handle, const Texture* texture);

  std::mutex mutex_;  // held by writers
  std::atomic<const Slots*> current_;
  std::vector<std::unique_ptr<Slots>> all_;  // readers may still be in the older, smaller ones
};

struct TextureTables {
  TextureTable textures, surfaces;
};

/// For launches that name no tables of their own. Null: handles are addresses.
const TextureTables* host_textures();
void set_host_textures(const TextureTables* tables);

}  // namespace guda::cpu
