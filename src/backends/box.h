// Boxes of bytes: rows in slices, as pitched and three-dimensional copies have them.
#pragma once

#include <cstddef>

namespace guda::backend {

/// `width` bytes in each of `height` rows of each of `depth` slices.
struct Box {
  size_t width = 0, height = 1, depth = 1;

  bool empty() const { return width == 0 || height == 0 || depth == 0; }
};

/// Where a box begins, and how far its rows and its slices are apart.
struct BoxSide {
  void* start = nullptr;
  size_t pitch = 0;
  size_t slice = 0;

  std::byte* row(size_t y, size_t z) const {
    return static_cast<std::byte*>(start) + z * slice + y * pitch;
  }
  /// From the first byte of the box to its last.
  size_t extent(const Box& box) const {
    return box.empty() ? 0 : (box.depth - 1) * slice + (box.height - 1) * pitch + box.width;
  }
};

/// Which of the two sides of a copy are the device's memory.
enum class CopyWay : unsigned char { to_device, to_host, within };

}  // namespace guda::backend
