#include "backends/cpu/texture_table.h"

namespace guda::cpu {
namespace {

constexpr size_t kFirstSize = 64;
std::atomic<const TextureTables*> tables_of_host{nullptr};

size_t scatter(uint64_t handle) { return static_cast<size_t>(handle * 0x9e3779b97f4a7c15u >> 32); }

}  // namespace

/// Open addressing. A slot whose texture has gone is used again; slots never become free.
struct TextureTable::Slots {
  struct Slot {
    std::atomic<uint64_t> handle{0};
    std::atomic<const Texture*> texture{nullptr};
  };
  explicit Slots(size_t size) : mask(size - 1), slots(std::make_unique<Slot[]>(size)) {}

  /// The first slot from the handle's place on for which `wanted` answers yes. There is always a free one.
  template <typename Wanted>
  Slot& first(uint64_t handle, Wanted wanted) const {
    for (size_t i = scatter(handle);; ++i) {
      if (wanted(slots[i & mask])) return slots[i & mask];
    }
  }
  /// The handle's slot, or a free one.
  Slot& slot(uint64_t handle) const {
    return first(handle, [handle](const Slot& each) {
      const uint64_t found = each.handle.load(std::memory_order_acquire);
      return found == handle || found == 0;
    });
  }

  size_t mask;
  size_t used = 0;
  std::unique_ptr<Slot[]> slots;
};

TextureTable::TextureTable() {
  all_.push_back(std::make_unique<Slots>(kFirstSize));
  current_.store(all_.back().get(), std::memory_order_release);
}

TextureTable::~TextureTable() = default;

void TextureTable::place(Slots& slots, uint64_t handle, const Texture* texture) {
  Slots::Slot& slot =
      slots.first(handle, [](const Slots::Slot& each) { return each.texture.load() == nullptr; });
  if (slot.handle.load() == 0) ++slots.used;
  slot.texture.store(texture, std::memory_order_release);
  slot.handle.store(handle, std::memory_order_release);
}

void TextureTable::insert(uint64_t handle, const Texture* texture) {
  const std::lock_guard lock(mutex_);
  Slots& old = *all_.back();
  if (old.used * 2 <= old.mask) return place(old, handle, texture);
  size_t alive = 1;
  for (size_t i = 0; i <= old.mask; ++i) alive += old.slots[i].texture.load() != nullptr ? 1 : 0;
  size_t size = old.mask + 1;
  while (size < 4 * alive) size *= 2;
  auto larger = std::make_unique<Slots>(size);
  for (size_t i = 0; i <= old.mask; ++i) {
    if (const Texture* each = old.slots[i].texture.load())
      place(*larger, old.slots[i].handle.load(), each);
  }
  place(*larger, handle, texture);
  current_.store(larger.get(), std::memory_order_release);
  all_.push_back(std::move(larger));
}

void TextureTable::erase(uint64_t handle) {
  const std::lock_guard lock(mutex_);
  Slots::Slot& slot = all_.back()->slot(handle);
  if (slot.handle.load() == handle) slot.texture.store(nullptr, std::memory_order_release);
}

const Texture* TextureTable::find(uint64_t handle) const {
  if (handle == 0) return nullptr;
  const Slots::Slot& slot = current_.load(std::memory_order_acquire)->slot(handle);
  return slot.handle.load(std::memory_order_acquire) == handle
             ? slot.texture.load(std::memory_order_acquire)
             : nullptr;
}

const TextureTables* host_textures() { return tables_of_host.load(std::memory_order_acquire); }
void set_host_textures(const TextureTables* tables) {
  tables_of_host.store(tables, std::memory_order_release);
}

}  // namespace guda::cpu
