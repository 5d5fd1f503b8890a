#include "backends/cpu/device_heap.h"

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdint>
#include <mutex>

#include "backends/cpu/executor.h"

namespace guda::cpu {
namespace {

// CUDA's default is 8 MiB; its allocator packs small blocks more tightly than this one.
constexpr size_t kDefaultLimit = 64u << 20;
constexpr size_t kClasses = 160;
constexpr uint64_t kLive = 0x6465766865617000;  // in the header of allocated blocks
constexpr uint64_t kFree = 0x6672656568656100;

struct Header {
  uint64_t tag;  // kLive or kFree, size class in the low byte
  Header* next;  // while free
};
static_assert(sizeof(Header) == 16);

// Four sizes per power of two, from 16 bytes: waste stays below a quarter.
size_t class_of(size_t bytes) {
  if (bytes <= 64) return (bytes + 15) / 16 - 1;
  const auto log =
      static_cast<size_t>(std::bit_width(bytes - 1) - 1);  // bytes in (2^log, 2^(log+1)]
  const size_t quarter = (bytes - 1 - (size_t{1} << log)) >> (log - 2);
  return 4 + (log - 6) * 4 + quarter;
}

size_t class_bytes(size_t number) {
  if (number < 4) return (number + 1) * 16;
  const size_t log = (number - 4) / 4 + 6;
  return (size_t{1} << log) + ((number - 4) % 4 + 1) * (size_t{1} << (log - 2));
}

struct Heap {
  std::mutex mutex;
  size_t requested = 8u << 20;  // what the program asked for: CUDA's default
  size_t limit = kDefaultLimit;
  std::byte* base = nullptr;
  size_t used = 0;
  std::array<Header*, kClasses> free{};
};

// Free lists stand in memory that kernels can overwrite: follow only links that can be ours.
bool is_header(const Heap& h, const Header* header) {
  const auto* byte = reinterpret_cast<const std::byte*>(header);
  return byte >= h.base && byte + sizeof(Header) <= h.base + h.used &&
         static_cast<size_t>(byte - h.base) % 16 == 0;
}

Heap& heap() {
  static auto* instance = new Heap;
  return *instance;
}

}  // namespace

void* device_malloc(size_t bytes) {
  if (bytes == 0) return nullptr;
  Heap& h = heap();
  const std::lock_guard lock(h.mutex);
  if (bytes > h.limit) return nullptr;
  if (h.base == nullptr) {
    void* memory = mmap(nullptr, h.limit, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    h.base = static_cast<std::byte*>(memory);
  }
  const size_t number = class_of(bytes);
  Header* header = h.free[number];
  if (is_header(h, header) && header->tag == (kFree | number)) {
    h.free[number] = header->next;
  } else {
    const size_t size = class_bytes(number) + sizeof(Header);
    if (size > h.limit - h.used) return nullptr;
    header = reinterpret_cast<Header*>(h.base + h.used);
    h.used += size;
  }
  header->tag = kLive | number;
  header->next = nullptr;
  return header + 1;
}

bool device_free(void* pointer) {
  if (pointer == nullptr) return true;
  Heap& h = heap();
  const std::lock_guard lock(h.mutex);
  auto* byte = static_cast<std::byte*>(pointer);
  if (h.base == nullptr || byte < h.base + sizeof(Header) || byte >= h.base + h.used ||
      static_cast<size_t>(byte - h.base) % 16 != 0) {
    return false;
  }
  Header* header = static_cast<Header*>(pointer) - 1;
  const size_t number = header->tag & 0xff;
  if ((header->tag & ~uint64_t{0xff}) != kLive || number >= kClasses) return false;
  header->tag = kFree | number;
  header->next = h.free[number];
  h.free[number] = header;
  return true;
}

Status set_malloc_heap_limit(size_t bytes) {
  Heap& h = heap();
  const std::lock_guard lock(h.mutex);
  if (h.base != nullptr) {
    return {StatusCode::illegal_state,
            "the device heap is in use: its size cannot change any more"};
  }
  h.requested = bytes;
  h.limit = bytes < kDefaultLimit ? kDefaultLimit : (bytes + bytes / 2 + 4095) / 4096 * 4096;
  return Status::ok();
}

size_t malloc_heap_limit() {
  Heap& h = heap();
  const std::lock_guard lock(h.mutex);
  return h.requested;
}

}  // namespace guda::cpu
