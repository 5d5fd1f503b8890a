#include "backends/cuda/device_memory.h"

#include "support/log.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

namespace guda::backend::cuda {

DeviceMemory::DeviceMemory(std::shared_ptr<Context> context, const AddressSpace& space,
                           size_t granularity, const SharedMemory& shared)
    : context_(std::move(context)), space_(space), granularity_(granularity), shared_(shared) {}

DeviceMemory::~DeviceMemory() {
  for (auto& [base, mapped] : ranges_) release(base, mapped);
}

Status DeviceMemory::map(void* address, size_t bytes, int host_file) {
  auto base = reinterpret_cast<uintptr_t>(address);
  auto space = reinterpret_cast<uintptr_t>(space_.program.data());
  if (bytes == 0 || base % granularity_ != 0 || bytes % granularity_ != 0)
    return {StatusCode::invalid_value, fmt::format("map of {} bytes at {}: not multiples of {}",
                                                   bytes, address, granularity_)};
  if (base < space || bytes > space_.program.size() || base - space > space_.program.size() - bytes)
    return {
        StatusCode::invalid_value,
        fmt::format("map of {} bytes at {}: outside the device's address space", bytes, address)};
  if (struct stat status{}; host_file >= 0 && (fstat(host_file, &status) != 0 ||
                                               static_cast<size_t>(status.st_size) < bytes))
    return {StatusCode::invalid_value, "the host's file is shorter than the range"};

  std::unique_lock lock(ranges_mutex_);
  auto next = ranges_.lower_bound(base);
  if ((next != ranges_.end() && next->first < base + bytes) ||
      (next != ranges_.begin() && std::prev(next)->first + std::prev(next)->second.size > base))
    return {StatusCode::invalid_value,
            fmt::format("map of {} bytes at {}: overlaps a mapped range", bytes, address)};

  context_->enter();
  const DriverApi& api = context_->api();
  AllocationProperties properties;
  properties.location.id = context_->device();
  MemoryHandle handle = 0;
  if (Status status = context_->check(api.memory_create(&handle, bytes, &properties, 0),
                                      fmt::format("cuMemCreate of {} bytes", bytes));
      !status)
    return status;
  const DevicePointer here = space_.of(base);
  Status status = context_->check(api.memory_map(here, bytes, 0, handle, 0), "cuMemMap");
  if (status) {
    AccessDescription access{properties.location};
    status = context_->check(api.memory_set_access(here, bytes, &access, 1), "cuMemSetAccess");
    if (!status) (void)api.memory_unmap(here, bytes);
  }
  (void)api.memory_release(handle);  // the mapping keeps it
  if (!status) return status;

  Mapped mapped;
  mapped.size = bytes;
  if (host_file >= 0) {
    void* view = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, host_file, 0);
    if (view != MAP_FAILED) {
      mapped.view = static_cast<std::byte*>(view);
      mapped.pieces.resize((bytes + kPiece - 1) / kPiece);
    }
  }
  ranges_.emplace(base, std::move(mapped));
  return Status::ok();
}

void DeviceMemory::release(uintptr_t base, Mapped& mapped) {
  context_->enter();
  const DriverApi& api = context_->api();
  for (size_t i = 0; i < mapped.pieces.size(); ++i) {
    if (mapped.pieces[i].state == Piece::State::pinned)
      (void)api.host_unregister(mapped.view + i * kPiece);
  }
  if (mapped.view != nullptr) munmap(mapped.view, mapped.size);
  // A lost device has no memory any more: nothing to be done about a failure.
  (void)api.memory_unmap(space_.of(base), mapped.size);
}

Status DeviceMemory::unmap(void* address, size_t bytes) {
  std::unique_lock lock(ranges_mutex_);
  auto found = ranges_.find(reinterpret_cast<uintptr_t>(address));
  if (found == ranges_.end() || found->second.size != bytes)
    return {StatusCode::invalid_value,
            fmt::format("unmap of {} bytes at {}: not a mapped range", bytes, address)};
  release(found->first, found->second);
  ranges_.erase(found);
  return Status::ok();
}

void DeviceMemory::allow(const void* address, int device) {
  auto wanted = reinterpret_cast<uintptr_t>(address);
  std::unique_lock lock(ranges_mutex_);
  auto next = ranges_.upper_bound(wanted);
  if (next == ranges_.begin()) return;
  auto& [base, mapped] = *std::prev(next);
  if (wanted >= base + mapped.size || std::count(mapped.asked.begin(), mapped.asked.end(), device))
    return;
  mapped.asked.push_back(device);
  context_->enter();
  const DriverApi& api = context_->api();
  int can = 0;
  if (api.can_access_peer == nullptr ||
      api.can_access_peer(&can, device, context_->device()) != 0 || can == 0)
    return;
  AccessDescription access;
  access.location.id = device;
  if (DriverResult code = api.memory_set_access(space_.of(base), mapped.size, &access, 1);
      code != 0)
    log(LogPart::memory, LogLevel::debug, "cuda:{}: {} bytes are not opened to device {}: error {}",
        context_->device(), mapped.size, device, code);
}

DeviceMemory::HostPart DeviceMemory::host_part(const void* host, size_t bytes) {
  auto start = reinterpret_cast<uintptr_t>(host);
  auto space = reinterpret_cast<uintptr_t>(space_.program.data());
  const size_t space_size = space_.program.size();
  auto pageable = const_cast<std::byte*>(static_cast<const std::byte*>(host));
  if (start >= space + space_size) return {pageable, shared_.before_edge(host, bytes)};
  if (start < space)
    return {pageable, shared_.before_edge(host, std::min<size_t>(bytes, space - start))};
  size_t left = space + space_size - start;
  if (left < bytes) bytes = left;

  std::shared_lock lock(ranges_mutex_);
  auto next = ranges_.upper_bound(start);
  if (next != ranges_.end()) bytes = std::min(bytes, next->first - start);
  if (next == ranges_.begin()) return {nullptr, bytes};
  auto& [base, mapped] = *std::prev(next);
  if (start >= base + mapped.size) return {nullptr, bytes};
  size_t offset = start - base;
  bytes = std::min(bytes, mapped.size - offset);
  if (mapped.view == nullptr) return {nullptr, bytes};

  size_t index = offset / kPiece;
  bytes = std::min(bytes, (index + 1) * kPiece - offset);
  std::unique_lock pieces_lock(pieces_mutex_);
  Piece& piece = mapped.pieces[index];
  piece.transferred += bytes;
  size_t size = std::min(kPiece, mapped.size - index * kPiece);
  // Pinning takes about as long as one pageable transfer of the whole piece (both read on an H200).
  if (piece.state == Piece::State::pageable && piece.transferred >= size / 2) {
    context_->enter();
    DriverResult code = context_->api().host_register(mapped.view + index * kPiece, size, 0);
    piece.state = code == 0 ? Piece::State::pinned : Piece::State::refused;
    if (code != 0)
      log(LogPart::memory, LogLevel::debug, "cuda:{}: {} bytes are not pinned: error {}",
          context_->device(), size, code);
  }
  return {mapped.view + offset, bytes};
}

}  // namespace guda::backend::cuda
