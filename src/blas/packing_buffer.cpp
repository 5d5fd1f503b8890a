#include "blas/packing_buffer.h"

#include <sys/mman.h>

#include <mutex>

namespace guda::blas {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

class Region {
 public:
  ~Region() { release(); }

  void* reserve(size_t bytes) {
    if (bytes <= bytes_) return data_;
    release();
    // A huge page has to start on its own boundary, which mmap does not promise.
    const size_t size = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    void* mapped = mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    mapping_ = mapped;
    mapped_bytes_ = size + kHugePage;
    const auto address = reinterpret_cast<size_t>(mapped);
    data_ = static_cast<char*>(mapped) + (kHugePage - address % kHugePage) % kHugePage;
    bytes_ = size;
    madvise(data_, size, MADV_HUGEPAGE);
    return data_;
  }

 private:
  void release() {
    if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
    mapping_ = nullptr;
    data_ = nullptr;
    bytes_ = 0;
  }

  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

thread_local Region t_packing;
thread_local Region t_tiles;
thread_local Region t_shared;
thread_local Region t_accumulators;

std::mutex g_last_resort_mutex;
alignas(64) char g_last_resort[kLastResortBytes];

}  // namespace

void* packing_buffer(size_t bytes) { return t_packing.reserve(bytes); }
void* tile_buffer(size_t bytes) { return t_tiles.reserve(bytes); }
void* shared_buffer(size_t bytes) { return t_shared.reserve(bytes); }
void* accumulator_buffer(size_t bytes) { return t_accumulators.reserve(bytes); }

LastResortBuffer::LastResortBuffer() { g_last_resort_mutex.lock(); }
LastResortBuffer::~LastResortBuffer() { g_last_resort_mutex.unlock(); }
void* LastResortBuffer::data() const { return g_last_resort; }

}  // namespace guda::blas
