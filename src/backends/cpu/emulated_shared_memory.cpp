#include "backends/cpu/emulated_shared_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <mutex>

namespace guda::backend {

EmulatedSharedMemory& EmulatedSharedMemory::instance() {
  static EmulatedSharedMemory* memory = new EmulatedSharedMemory;  // kernels outlive static objects
  return *memory;
}

Status EmulatedSharedMemory::insert(uintptr_t start, Piece piece) {
  std::unique_lock lock(mutex_);
  auto next = pieces_.lower_bound(start + piece.bytes);
  if (next != pieces_.begin() && std::prev(next)->first + std::prev(next)->second.bytes > start)
    return {StatusCode::invalid_value, "the range is shared already"};
  pieces_.emplace(start, piece);
  return Status::ok();
}

Status EmulatedSharedMemory::erase(void* address, bool registered) {
  std::unique_lock lock(mutex_);
  auto found = pieces_.find(reinterpret_cast<uintptr_t>(address));
  if (found == pieces_.end() || found->second.registered != registered)
    return {StatusCode::invalid_value, fmt::format("{} is not shared memory", address)};
  if (!registered) munmap(address, found->second.bytes);
  pieces_.erase(found);
  return Status::ok();
}

Result<void*> EmulatedSharedMemory::allocate(size_t bytes) {
  if (bytes == 0) return Status(StatusCode::invalid_value, "no bytes");
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return Status(StatusCode::out_of_memory, fmt::format("the system refuses {} bytes", bytes));
  Status status = insert(reinterpret_cast<uintptr_t>(memory), {bytes, false});
  if (!status) {
    munmap(memory, bytes);
    return status;
  }
  return memory;
}

Status EmulatedSharedMemory::free(void* address) { return erase(address, false); }

Status EmulatedSharedMemory::add_registered(void* address, size_t bytes) {
  if (address == nullptr || bytes == 0) return {StatusCode::invalid_value, "no bytes"};
  return insert(reinterpret_cast<uintptr_t>(address), {bytes, true});
}

Status EmulatedSharedMemory::remove_registered(void* address) { return erase(address, true); }

bool EmulatedSharedMemory::holds(const void* address, size_t bytes) const {
  auto start = reinterpret_cast<uintptr_t>(address);
  std::shared_lock lock(mutex_);
  auto next = pieces_.upper_bound(start);
  if (next == pieces_.begin()) return false;
  auto& [base, piece] = *std::prev(next);
  const size_t offset = start - base;
  return offset < piece.bytes && bytes <= piece.bytes - offset;
}

}  // namespace guda::backend
