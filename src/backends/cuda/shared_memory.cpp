#include "backends/cuda/shared_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace guda::backend::cuda {
namespace {

constexpr uintptr_t kPage = 4096;

/// Where what the driver says of host memory changes: it may take the pages around a registered piece for a part of it.
std::array<uintptr_t, 4> edges_of(uintptr_t start, size_t bytes) {
  const uintptr_t end = start + bytes;
  return {start / kPage * kPage, start, end, (end + kPage - 1) / kPage * kPage};
}

bool has(const Driver& driver, int device, int attribute) {
  int value = 0;
  return driver.api().device_attribute(&value, attribute, device) == 0 && value != 0;
}

}  // namespace

bool SharedMemory::offered_by(const Driver& driver, int device) {
  return driver.api().host_device_pointer != nullptr &&
         has(driver, device, kAttributeUnifiedAddressing) &&
         has(driver, device, kAttributeMapsHostMemory);
}

SharedMemory::~SharedMemory() {
  for (auto& [address, piece] : pieces_) (void)give_back(address, piece);
}

Result<void*> SharedMemory::allocate(const std::shared_ptr<Context>& context, size_t bytes,
                                     SharedKind kind) {
  context->enter();
  const DriverApi& api = context->api();
  void* memory = nullptr;
  Piece piece{bytes, Origin::pinned, context};
  if (kind == SharedKind::managed) {
    if (!managed_ || api.managed_allocate == nullptr || api.memory_free == nullptr)
      return Status(StatusCode::not_supported, "the devices have no managed memory");
    piece.origin = Origin::managed;
    DevicePointer address = 0;
    if (Status status = context->check(api.managed_allocate(&address, bytes, kManagedGlobal),
                                       fmt::format("cuMemAllocManaged of {} bytes", bytes));
        !status)
      return status;
    memory = reinterpret_cast<void*>(address);
  } else {
    if (Status status =
            context->check(api.host_allocate(&memory, bytes, kHostPortable | kHostDeviceMap),
                           fmt::format("cuMemHostAlloc of {} bytes", bytes));
        !status)
      return status;
  }
  if (Status status = keep(memory, piece); !status) {
    (void)give_back(reinterpret_cast<uintptr_t>(memory), piece);
    return status;
  }
  return memory;
}

Status SharedMemory::register_host(const std::shared_ptr<Context>& context, void* address,
                                   size_t bytes) {
  context->enter();
  const Piece piece{bytes, Origin::registered, context};
  DriverResult code = context->api().host_register(address, bytes, kHostPortable | kHostDeviceMap);
  // What the driver does not take (files, devices, read-only pages) is no fault of the device's.
  if (Status status = context->check(code, "cuMemHostRegister"); !status)
    return context->lost() ? status : Status(StatusCode::not_supported, status.message());
  Status status = keep(address, piece);
  if (!status) (void)give_back(reinterpret_cast<uintptr_t>(address), piece);
  return status;
}

/// Enters a piece, if devices reach it where the host does.
Status SharedMemory::keep(void* address, Piece piece) {
  if (piece.origin != Origin::managed) {
    DevicePointer there = 0;
    if (Status status =
            piece.context->check(piece.context->api().host_device_pointer(&there, address, 0),
                                 "cuMemHostGetDevicePointer");
        !status)
      return {StatusCode::not_supported, status.message()};
    if (there != reinterpret_cast<DevicePointer>(address))
      return {StatusCode::not_supported, "devices see host memory at other addresses"};
  }
  const auto start = reinterpret_cast<uintptr_t>(address);
  std::unique_lock lock(mutex_);
  if (piece.origin == Origin::registered) {
    for (uintptr_t edge : edges_of(start, piece.bytes)) edges_.insert(edge);
  }
  pieces_.emplace(start, std::move(piece));
  return Status::ok();
}

Status SharedMemory::give_back(uintptr_t address, const Piece& piece) {
  piece.context->enter();
  const DriverApi& api = piece.context->api();
  void* pointer = reinterpret_cast<void*>(address);
  switch (piece.origin) {
    case Origin::pinned: return piece.context->check(api.host_free(pointer), "cuMemFreeHost");
    case Origin::managed: return piece.context->check(api.memory_free(address), "cuMemFree");
    case Origin::registered: break;
  }
  return piece.context->check(api.host_unregister(pointer), "cuMemHostUnregister");
}

Result<SharedMemory::Piece> SharedMemory::take_out(void* address, bool registered) {
  const auto start = reinterpret_cast<uintptr_t>(address);
  std::unique_lock lock(mutex_);
  auto found = pieces_.find(start);
  if (found == pieces_.end() || (found->second.origin == Origin::registered) != registered)
    return Status(StatusCode::invalid_value, fmt::format("{} is not shared memory", address));
  Piece piece = std::move(found->second);
  pieces_.erase(found);
  if (registered) {
    for (uintptr_t edge : edges_of(start, piece.bytes)) edges_.erase(edges_.find(edge));
  }
  return piece;
}

Status SharedMemory::free(void* address) {
  auto piece = take_out(address, false);
  return piece ? give_back(reinterpret_cast<uintptr_t>(address), *piece) : piece.status();
}

Status SharedMemory::unregister_host(void* address) {
  auto piece = take_out(address, true);
  return piece ? give_back(reinterpret_cast<uintptr_t>(address), *piece) : piece.status();
}

size_t SharedMemory::before_edge(const void* start, size_t bytes) const {
  const auto address = reinterpret_cast<uintptr_t>(start);
  std::shared_lock lock(mutex_);
  auto next = edges_.upper_bound(address);
  return next == edges_.end() ? bytes : std::min<size_t>(bytes, *next - address);
}

}  // namespace guda::backend::cuda
