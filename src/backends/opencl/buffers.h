// A device's buffers by the program's addresses.
#pragma once

#include "backends/opencl/opencl_api.h"

#include <map>
#include <shared_mutex>
#include <span>
#include <vector>

namespace guda::backend::opencl {

/// A part of a mapped range.
struct BufferPart {
  Memory buffer = nullptr;
  size_t offset = 0;
  size_t bytes = 0;
};

/// Thread safe.
class Buffers {
 public:
  Buffers(const Api& api, Context context) : api_(api), context_(context) {}
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers();

  Status map(void* address, size_t bytes);
  Status unmap(void* address, size_t bytes);

  /// The parts that cover a range, in order. Error: invalid_value when some of it is not mapped.
  Result<std::vector<BufferPart>> parts(const void* address, size_t bytes) const;
  /// The buffer that contains the address, or ends there when none does; `bytes` is what follows. Null
  /// buffer when there is none.
  BufferPart find(uint64_t address) const;

 private:
  struct Range {
    size_t bytes = 0;
    Memory buffer = nullptr;
  };

  const Api& api_;
  Context context_;
  mutable std::shared_mutex mutex_;
  std::map<uint64_t, Range> ranges_;
};

}  // namespace guda::backend::opencl
