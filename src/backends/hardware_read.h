#pragma once

#include <cstddef>
#include <vector>

namespace guda::backend {

/// The source of an upload, read as hardware does it: unseen by ThreadSanitizer. Of a granule that parts of a split share
/// an upload reads bytes that another part is writing; on the device they count for nobody.
class HardwareRead {
 public:
  HardwareRead(const void* host, size_t bytes) : data_(host) {
#if defined(__SANITIZE_THREAD__)
    if (host == nullptr) return;
    copy_.resize(bytes);
    read(copy_.data(), host, bytes);
    data_ = copy_.data();
#else
    (void)bytes;
#endif
  }
  HardwareRead(const HardwareRead&) = delete;
  HardwareRead& operator=(const HardwareRead&) = delete;
  const void* data() const { return data_; }

 private:
  __attribute__((no_sanitize("thread"), noinline)) static void read(std::byte* to, const void* from,
                                                                    size_t bytes) {
    const auto* source = static_cast<const volatile std::byte*>(from);
    for (size_t i = 0; i < bytes; ++i) to[i] = source[i];
  }

  const void* data_;
  std::vector<std::byte> copy_;
};

}  // namespace guda::backend
