// What the conformance suite's cases are written with, and the lists of cases by subject.
#pragma once

#include "support/status.h"
#include "tests/backends/conformance.h"
#include "tests/backends/kernels.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace guda::backend::conformance {

/// How a case ended, thrown from wherever that shows.
struct Unsupported {
  std::string why;
};
/// It takes two devices, and there is one.
struct Alone {};
struct Failed {
  std::string why;
};

inline void must(const Status& status, std::string_view what) {
  if (status) return;
  if (status.code() == StatusCode::not_supported) throw Unsupported{status.message()};
  throw Failed{fmt::format("{}: {} ({})", what, status.message(), static_cast<int>(status.code()))};
}

template <typename T>
T must(Result<T> result, std::string_view what) {
  must(result.status(), what);
  return std::move(result).value();
}

inline void expect(bool condition, std::string_view what) {
  if (!condition) throw Failed{std::string(what)};
}

/// Address space for `bytes` where the device can map memory; inaccessible.
class Reservation {
 public:
  Reservation(Device& device, size_t bytes) : space_(!device.address_space().empty()) {
    size_t alignment = std::max<size_t>(device.info().map_alignment, 4096);
    size_ = (bytes + alignment - 1) / alignment * alignment;
    length_ = size_ + alignment;
    if (space_) {
      static std::atomic<size_t> used{0};  // addresses are not used twice
      size_t offset = used.fetch_add(length_);
      if (offset + length_ > device.address_space().size()) throw Failed{"address space used up"};
      start_ = device.address_space().data() + offset;
    } else {
      start_ =
          mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (start_ == MAP_FAILED) throw Failed{"no address space"};
    }
    auto address = (reinterpret_cast<uintptr_t>(start_) + alignment - 1) / alignment * alignment;
    data_ = reinterpret_cast<std::byte*>(address);
  }
  ~Reservation() {
    if (space_)
      mmap(start_, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
           0);
    else
      munmap(start_, length_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  bool space_;
  void* start_ = nullptr;
  size_t length_ = 0;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Memory of the program that the device has mapped (or works in, when it has none of its own).
class Region {
 public:
  /// `peer`, when there is one, maps the same range.
  Region(Device& device, size_t bytes, Device* peer = nullptr)
      : device_(device),
        peer_(peer),
        reservation_(device, bytes),
        data_(reservation_.data()),
        size_(reservation_.size()) {
    file_ = memfd_create("conformance", MFD_CLOEXEC);
    if (ftruncate(file_, static_cast<off_t>(size_)) != 0 || !map_file()) throw Failed{"no memory"};
    if (device.info().host_memory) return;
    must(device.map(data_, size_, file_), "map");
    mapped_ = true;
    if (peer_ == nullptr) return;
    if (Status status = peer_->map(data_, size_, file_); !status) {
      (void)device.unmap(data_, size_);
      must(status, "map on the other device");
    }
  }
  ~Region() {
    if (peer_) (void)peer_->unmap(data_, size_);
    if (mapped_) (void)device_.unmap(data_, size_);
    close(file_);
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  bool map_file() {
    return mmap(data_, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, 0) !=
           MAP_FAILED;
  }
  void* data() const { return data_; }
  size_t size() const { return size_; }
  template <typename T>
  T* as(size_t offset = 0) const {
    return reinterpret_cast<T*>(data_ + offset);
  }
  uint64_t address(size_t offset = 0) const { return reinterpret_cast<uint64_t>(data_ + offset); }
  void forget_mapping() { mapped_ = false; }
  void remember_mapping() { mapped_ = true; }

 private:
  Device& device_;
  Device* peer_;
  Reservation reservation_;
  std::byte* data_;
  size_t size_;
  int file_ = -1;
  bool mapped_ = false;
};

/// What a case works with.
struct Bench {
  explicit Bench(Device& given, Device* other = nullptr)
      : device(given), peer(other), queue(must(given.create_queue(), "create_queue")) {}

  /// Between the host's copy and the device's; nothing to do where there is one memory.
  void upload(const Region& region, size_t offset, size_t bytes) {
    if (device.info().host_memory) return;
    must(queue->upload(region.as<void>(offset), region.as<void>(offset), bytes), "upload");
  }
  void download(const Region& region, size_t offset, size_t bytes) {
    must(queue->synchronize(), "synchronize");
    if (device.info().host_memory) return;
    must(queue->download(region.as<void>(offset), region.as<void>(offset), bytes), "download");
    must(queue->synchronize(), "synchronize");
  }
  void upload(const Region& region) { upload(region, 0, region.size()); }
  void download(const Region& region) { download(region, 0, region.size()); }

  std::shared_ptr<DeviceKernel> load(std::string_view name, Dim3 block,
                                     std::span<const uint32_t> pointers,
                                     std::span<const Variable> variables = {}) {
    KernelSource source;
    source.ptx = kKernels;
    source.ptx_hash = {0x636f6e666f726d, 1};
    source.module_name = "conformance";
    source.kernel = name;
    source.block = block;
    source.pointer_offsets = pointers;
    source.variables = variables;
    return must(device.load(source), name);
  }

  Device& device;
  Device* peer;  // another one of the backend's
  std::unique_ptr<Queue> queue;
};

/// A parameter block, each parameter at its own alignment.
class Parameters {
 public:
  template <typename T>
  Parameters& add(const T& value, size_t alignment = alignof(T)) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
    return *this;
  }
  std::span<const std::byte> block() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

inline Launch whole(const std::shared_ptr<DeviceKernel>& kernel, const Parameters& parameters,
                    Dim3 grid, Dim3 block) {
  Launch launch;
  launch.kernel = kernel.get();
  launch.params = parameters.block();
  launch.grid = launch.count = grid;
  launch.block = block;
  return launch;
}

inline constexpr uint32_t kOnePointer[] = {0};
inline constexpr uint32_t kTwoPointers[] = {0, 8};
inline constexpr uint32_t kThreePointers[] = {0, 8, 16};

struct Case {
  const char* name;
  void (*run)(Bench&);
};

std::span<const Case> queue_cases();
std::span<const Case> shared_memory_cases();
std::span<const Case> texture_cases();

}  // namespace guda::backend::conformance
