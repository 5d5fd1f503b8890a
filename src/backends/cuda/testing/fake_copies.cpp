// Copies and fills of the fake driver.
#include "backends/cuda/testing/fake_state.h"

#include <algorithm>
#include <cstring>

namespace guda::backend::cuda::testing {

namespace {

/// Calls copy(bytes done, bytes) for each mapping of contiguous ones that [address, address + bytes) runs across.
template <typename Copy>
DriverResult across_mappings(uintptr_t address, size_t bytes, Copy&& copy) {
  for (size_t done = 0; done < bytes;) {
    auto next = state().mappings.upper_bound(address + done);
    size_t part = bytes - done;
    if (next != state().mappings.begin()) {
      auto& [base, mapping] = *std::prev(next);
      if (base + mapping.size > address + done)
        part = std::min(part, base + mapping.size - (address + done));
    }
    if (DriverResult result = copy(done, part)) return result;
    done += part;
  }
  return 0;
}

/// How the driver reads host memory: null when it cannot.
std::byte* host(const void* pointer, size_t bytes) {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (in_space(address)) return at(address, bytes);
  bool pinned = false;
  for (auto& [base, size] : state().registered) {
    if (address >= base + size || base >= address + bytes) continue;
    if (address < base || address + bytes > base + size) return nullptr;
    pinned = true;
  }
  ++(pinned ? fake_cuda.pinned_copies : fake_cuda.pageable_copies);
  fake_cuda.largest_copy = std::max<uint64_t>(fake_cuda.largest_copy, bytes);
  return const_cast<std::byte*>(static_cast<const std::byte*>(pointer));
}

DriverResult transfer(std::byte* to, const std::byte* from, size_t bytes) {
  if (to == nullptr || from == nullptr) return kInvalidValue;
  std::memmove(to, from, bytes);
  return 0;
}
template <typename T>
DriverResult fill(DevicePointer address, T value, size_t count) {
  std::byte* to = at(address, count * sizeof(T));
  if (to == nullptr) return kInvalidValue;
  for (size_t i = 0; i < count; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
  return 0;
}

/// As the driver has it: pitches and starts are multiples of the element.
template <typename T>
DriverResult fill_rows(StreamHandle stream, DevicePointer address, size_t pitch, T value,
                       size_t width, size_t height) {
  if (pitch < width * sizeof(T) || pitch % sizeof(T) != 0 || address % sizeof(T) != 0)
    return kInvalidValue;
  ++fake_cuda.pitched_fills;
  return submit(stream, [=](Stream&) {
    DriverResult code = 0;
    for (size_t y = 0; code == 0 && y < height; ++y) code = fill(address + y * pitch, value, width);
    return code;
  });
}

/// Between rows in memory of the host's or the device's.
DriverResult copy_rows(const Copy3D& copy) {
  for (const CopySide3D* side : {&copy.from, &copy.to}) {
    if (side->pitch < copy.width_bytes || (copy.depth > 1 && side->height < copy.height))
      return kInvalidValue;
  }
  auto row = [&](const CopySide3D& side, size_t y, size_t z) -> std::byte* {
    const size_t offset = (z * side.height + y) * side.pitch;
    if (side.memory_type == kMemoryDevice) return at(side.device + offset, copy.width_bytes);
    return side.memory_type != kMemoryHost
               ? nullptr
               : host(static_cast<const std::byte*>(side.host) + offset, copy.width_bytes);
  };
  DriverResult code = 0;
  for (size_t z = 0; code == 0 && z < copy.depth; ++z) {
    for (size_t y = 0; code == 0 && y < copy.height; ++y)
      code = transfer(row(copy.to, y, z), row(copy.from, y, z), copy.width_bytes);
  }
  return code;
}

}  // namespace

EXPORT DriverResult cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes,
                                         StreamHandle stream) {
  CALL("cuMemcpyHtoDAsync_v2");
  return submit(stream, [=](Stream&) {
    return across_mappings(to, bytes, [&](size_t done, size_t part) {
      return transfer(at(to + done, part), host(static_cast<const char*>(from) + done, part), part);
    });
  });
}
EXPORT DriverResult cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes,
                                         StreamHandle stream) {
  CALL("cuMemcpyDtoHAsync_v2");
  return submit(stream, [=](Stream&) {
    return across_mappings(from, bytes, [&](size_t done, size_t part) {
      return transfer(host(static_cast<char*>(to) + done, part), at(from + done, part), part);
    });
  });
}
EXPORT DriverResult cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes,
                                         StreamHandle stream) {
  CALL("cuMemcpyDtoDAsync_v2");
  return submit(stream, [=](Stream&) { return transfer(at(to, bytes), at(from, bytes), bytes); });
}
EXPORT DriverResult cuDeviceCanAccessPeer(int* can, int device, int peer) {
  CALL("cuDeviceCanAccessPeer");
  *can = fake_cuda.peers && device != peer;
  return 0;
}
/// The driver finds a way in any case.
EXPORT DriverResult cuMemcpyPeerAsync(DevicePointer to, ContextHandle to_context,
                                      DevicePointer from, ContextHandle from_context, size_t bytes,
                                      StreamHandle stream) {
  CALL("cuMemcpyPeerAsync");
  if (DriverResult code = spoil(stream_of(stream), kCaptureUnsupported)) return code;
  const int reader = device_of(to_context), owner = device_of(from_context);
  ++(at(from, bytes, reader) != nullptr ? fake_cuda.peer_copies : fake_cuda.staged_peer_copies);
  return transfer(at(to, bytes, reader), at(from, bytes, owner), bytes);
}
EXPORT DriverResult cuMemsetD8Async(DevicePointer address, unsigned char value, size_t count,
                                    StreamHandle stream) {
  CALL("cuMemsetD8Async");
  return submit(stream, [=](Stream&) { return fill(address, value, count); });
}
EXPORT DriverResult cuMemsetD16Async(DevicePointer address, unsigned short value, size_t count,
                                     StreamHandle stream) {
  CALL("cuMemsetD16Async");
  return submit(stream, [=](Stream&) { return fill(address, value, count); });
}
EXPORT DriverResult cuMemsetD32Async(DevicePointer address, unsigned value, size_t count,
                                     StreamHandle stream) {
  CALL("cuMemsetD32Async");
  return submit(stream, [=](Stream&) { return fill(address, value, count); });
}

EXPORT DriverResult cuMemsetD2D8Async(DevicePointer address, size_t pitch, unsigned char value,
                                      size_t width, size_t height, StreamHandle stream) {
  CALL("cuMemsetD2D8Async");
  return fill_rows(stream, address, pitch, value, width, height);
}
EXPORT DriverResult cuMemsetD2D16Async(DevicePointer address, size_t pitch, unsigned short value,
                                       size_t width, size_t height, StreamHandle stream) {
  CALL("cuMemsetD2D16Async");
  return fill_rows(stream, address, pitch, value, width, height);
}
EXPORT DriverResult cuMemsetD2D32Async(DevicePointer address, size_t pitch, unsigned value,
                                       size_t width, size_t height, StreamHandle stream) {
  CALL("cuMemsetD2D32Async");
  return fill_rows(stream, address, pitch, value, width, height);
}

EXPORT DriverResult cuMemcpy3DAsync_v2(const Copy3D* copy, StreamHandle stream) {
  CALL("cuMemcpy3DAsync_v2");
  const bool array = copy->from.memory_type == kMemoryArray || copy->to.memory_type == kMemoryArray;
  if (!array) ++fake_cuda.pitched_copies;
  return submit(stream, [given = *copy, array](Stream&) {
    return array ? textures().copy(given) : copy_rows(given);
  });
}

}  // namespace guda::backend::cuda::testing
