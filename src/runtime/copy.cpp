#include "runtime/copy.h"

#include "memory/heap.h"
#include "runtime/error.h"
#include "runtime/submit.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace guda::runtime {
namespace {

/// Asynchronous copies and fills up to this size run at once on an idle stream.
constexpr size_t kInlineBytes = 64 << 10;
/// Pageable sources up to this size are staged when the stream is busy; larger ones wait for it.
constexpr size_t kStageBytes = 1 << 20;

/// Bytes from the first to the last byte touched.
size_t extent(const CopySide& side, const CopyShape& shape) {
  return (shape.depth - 1) * side.slice + (shape.height - 1) * side.pitch + shape.width;
}

bool pageable(const std::byte* pointer) {
  return !memory::Heap::instance().find(pointer).has_value();
}

/// Memory of the program that a copy names as the device's is allowed (unified addressing), but must be there.
bool mapped(const std::byte* pointer, size_t size) {
  constexpr uintptr_t kPage = 4096;
  unsigned char resident;
  for (const std::byte* byte : {pointer, pointer + size - 1}) {
    auto page = reinterpret_cast<uintptr_t>(byte) & ~(kPage - 1);
    if (mincore(reinterpret_cast<void*>(page), kPage, &resident) != 0) return false;
  }
  return true;
}

template <typename Row>
void for_each_row(const CopyShape& shape, Row&& row) {
  for (size_t z = 0; z < shape.depth; ++z) {
    for (size_t y = 0; y < shape.height; ++y) row(y, z);
  }
}

void fill_row(std::byte* to, size_t width, uint32_t value, uint32_t element) {
  if (element == 1) {
    std::memset(to, static_cast<int>(value & 0xff), width);
  } else {
    for (size_t i = 0; i + element <= width; i += element) std::memcpy(to + i, &value, element);
  }
}

}  // namespace

void CopyOperation::stage_source() {
  staged_ = std::make_shared<std::vector<std::byte>>(shape_.bytes());
  std::byte* out = staged_->data();
  for_each_row(shape_, [&](size_t y, size_t z) {
    std::memcpy(out, from_.start + z * from_.slice + y * from_.pitch, shape_.width);
    out += shape_.width;
  });
  from_ = {staged_->data(), shape_.width, shape_.width * shape_.height};
}

Status CopyOperation::execute() {
  if (shape_.bytes() == 0) return Status::ok();
  bool dense_rows = to_.pitch == shape_.width && from_.pitch == shape_.width;
  bool dense_slices =
      dense_rows && to_.slice == shape_.width * shape_.height && from_.slice == to_.slice;
  if ((shape_.height == 1 && shape_.depth == 1) || (dense_rows && shape_.depth == 1) ||
      dense_slices) {
    std::memmove(to_.start, from_.start, shape_.bytes());
    return Status::ok();
  }
  for_each_row(shape_, [&](size_t y, size_t z) {
    std::memmove(to_.start + z * to_.slice + y * to_.pitch,
                 from_.start + z * from_.slice + y * from_.pitch, shape_.width);
  });
  return Status::ok();
}

Status FillOperation::execute() {
  if (shape_.bytes() == 0) return Status::ok();
  if (shape_.height == 1 && shape_.depth == 1) {
    fill_row(to_.start, shape_.width, value_, element_);
    return Status::ok();
  }
  for_each_row(shape_, [&](size_t y, size_t z) {
    fill_row(to_.start + z * to_.slice + y * to_.pitch, shape_.width, value_, element_);
  });
  return Status::ok();
}

Status check_copy(const CopySide& to, const CopySide& from, const CopyShape& shape, CopyKind kind) {
  if (static_cast<unsigned>(kind) > static_cast<unsigned>(CopyKind::unspecified)) {
    return {static_cast<StatusCode>(kErrorInvalidMemcpyDirection), "no such copy kind"};
  }
  if (shape.bytes() == 0) return Status::ok();
  if (!to.start || !from.start) return {StatusCode::invalid_value, "copy with a null pointer"};
  if (shape.height > 1 && (to.pitch < shape.width || from.pitch < shape.width)) {
    return {static_cast<StatusCode>(kErrorInvalidPitchValue), "pitch below the row's width"};
  }
  auto& heap = memory::Heap::instance();
  if (!heap.in_bounds(to.start, extent(to, shape)) ||
      !heap.in_bounds(from.start, extent(from, shape))) {
    return {StatusCode::invalid_value,
            fmt::format("copy of {} bytes beyond an allocation", shape.bytes())};
  }
  if (auto target = heap.find(to.start); target && target->read_only)
    return {StatusCode::invalid_value, "copy into memory that may only be read"};
  auto foreign = [](const CopySide& side, const CopyShape& box) {
    return pageable(side.start) && !mapped(side.start, extent(side, box));
  };
  bool to_device = kind == CopyKind::host_to_device || kind == CopyKind::device_to_device;
  bool from_device = kind == CopyKind::device_to_host || kind == CopyKind::device_to_device;
  if ((to_device && foreign(to, shape)) || (from_device && foreign(from, shape))) {
    return {StatusCode::invalid_value, "not a device pointer"};
  }
  return Status::ok();
}

Status check_fill(const CopySide& to, const CopyShape& shape) {
  if (shape.bytes() == 0) return Status::ok();
  if (!to.start) return {StatusCode::invalid_value, "fill of a null pointer"};
  if (shape.height > 1 && to.pitch < shape.width) {
    return {StatusCode::invalid_value, "pitch below the row's width"};
  }
  auto& heap = memory::Heap::instance();
  auto target = heap.find(to.start);
  if (!target || target->read_only || !heap.in_bounds(to.start, extent(to, shape))) {
    return {StatusCode::invalid_value,
            fmt::format("fill of {} bytes beyond an allocation", shape.bytes())};
  }
  return Status::ok();
}

namespace {

/// With a home device that reads the program's own memory while a copy is handed over: then nobody waits for it.
bool copied_at_once(Stream& stream, CopyOperation& operation) {
  Engines* engines = Engines::with_home();
  if (engines == nullptr || !engines->home_reads_at_once() || !pageable(operation.from().start))
    return false;
  const uint64_t ticket = stream.try_begin();
  return ticket != 0 && run_begun(stream, operation, ticket, true);
}

}  // namespace

Status copy(Stream& stream, CopySide to, CopySide from, CopyShape shape, CopyKind kind,
            bool asynchronous) {
  if (Status status = check_copy(to, from, shape, kind); !status) return status;
  if (shape.bytes() == 0) return Status::ok();
  CopyOperation operation(to, from, shape, kind);
  if (stream.capture()) {
    if (!asynchronous)
      return {StatusCode::stream_capture_unsupported, "synchronous copy while capturing"};
    return submit(stream, std::move(operation), false);
  }
  bool to_host = kind == CopyKind::device_to_host || kind == CopyKind::unspecified;
  if (!asynchronous && to_host && stream.kind() != StreamKind::created) {
    // On a GPU a copy to the host takes longer than a small kernel, and programs that read a non-blocking
    // stream's result without waiting for it get away with it. They shall here.
    StreamTable::instance().settle_non_blocking();
  }
  if (Engines::active() != nullptr) [[unlikely]] {
    if (copied_at_once(stream, operation)) return Status::ok();
  }
  if (!asynchronous || pageable(to.start)) {
    submit_and_wait(stream, std::move(operation));
    return Status::ok();
  }
  if (pageable(from.start)) {
    if (!stream.idle()) {
      if (shape.bytes() > kStageBytes) {
        submit_and_wait(stream, std::move(operation));
        return Status::ok();
      }
      operation.stage_source();
      return submit(stream, std::move(operation), false);
    }
    submit_and_wait(stream, std::move(operation));
    return Status::ok();
  }
  return submit(stream, std::move(operation), shape.bytes() <= kInlineBytes);
}

Status fill(Stream& stream, CopySide to, CopyShape shape, uint32_t value, uint32_t element,
            bool asynchronous) {
  if (Status status = check_fill(to, shape); !status) return status;
  if (shape.bytes() == 0) return Status::ok();
  FillOperation operation(to, shape, value, element);
  if (!asynchronous && !stream.capture()) {
    submit_and_wait(stream, std::move(operation));
    return Status::ok();
  }
  return submit(stream, std::move(operation), shape.bytes() <= kInlineBytes);
}

}  // namespace guda::runtime
