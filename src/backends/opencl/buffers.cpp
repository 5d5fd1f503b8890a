#include "backends/opencl/buffers.h"

#include <fmt/format.h>

#include <mutex>

namespace guda::backend::opencl {

Buffers::~Buffers() {
  for (const auto& [address, range] : ranges_) api_.clReleaseMemObject(range.buffer);
}

Status Buffers::map(void* address, size_t bytes) {
  const auto start = reinterpret_cast<uint64_t>(address);
  if (bytes == 0) return {StatusCode::invalid_value, "an empty range"};
  const std::unique_lock lock(mutex_);
  const auto after = ranges_.lower_bound(start);
  const bool overlaps = (after != ranges_.end() && after->first < start + bytes) ||
                        (after != ranges_.begin() &&
                         std::prev(after)->first + std::prev(after)->second.bytes > start);
  if (overlaps)
    return {StatusCode::invalid_value, fmt::format("{} overlaps a mapped range", address)};
  cl_int code = kSuccess;
  Memory buffer = api_.clCreateBuffer(context_, kMemReadWrite, bytes, nullptr, &code);
  if (code != kSuccess) return to_status(code, "clCreateBuffer");
  ranges_[start] = {bytes, buffer};
  return Status::ok();
}

Status Buffers::unmap(void* address, size_t bytes) {
  const std::unique_lock lock(mutex_);
  const auto known = ranges_.find(reinterpret_cast<uint64_t>(address));
  if (known == ranges_.end() || known->second.bytes != bytes)
    return {StatusCode::invalid_value,
            fmt::format("{} is not the start of a mapped range", address)};
  api_.clReleaseMemObject(known->second.buffer);
  ranges_.erase(known);
  return Status::ok();
}

BufferPart Buffers::find(uint64_t address) const {
  const std::shared_lock lock(mutex_);
  auto range = ranges_.upper_bound(address);
  if (range == ranges_.begin()) return {};
  --range;
  const uint64_t offset = address - range->first;
  if (offset > range->second.bytes) return {};
  return {range->second.buffer, offset, range->second.bytes - offset};
}

Result<std::vector<BufferPart>> Buffers::parts(const void* address, size_t bytes) const {
  std::vector<BufferPart> result;
  auto at = reinterpret_cast<uint64_t>(address);
  while (bytes != 0) {
    BufferPart part = find(at);
    if (!part.buffer || part.bytes == 0)
      return Status(StatusCode::invalid_value,
                    fmt::format("{:#x} is not in the device's memory", at));
    part.bytes = std::min(part.bytes, bytes);
    at += part.bytes;
    bytes -= part.bytes;
    result.push_back(part);
  }
  return result;
}

}  // namespace guda::backend::opencl
