// Copies and fills: linear, pitched and three-dimensional; all memory is host memory.
#pragma once

#include "runtime/operation.h"
#include "runtime/stream.h"
#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace guda::runtime {

enum class CopyKind : int {
  host_to_host = 0,
  host_to_device,
  device_to_host,
  device_to_device,
  unspecified
};

/// A box of bytes: `width` bytes per row, `height` rows `pitch` bytes apart, `depth` slices `slice` bytes
/// apart.
struct CopyShape {
  size_t width = 0, height = 1, depth = 1;
  size_t bytes() const { return width * height * depth; }
};

struct CopySide {
  std::byte* start = nullptr;
  size_t pitch = 0;
  size_t slice = 0;
};

class CopyOperation final : public Operation {
 public:
  CopyOperation(CopySide to, CopySide from, CopyShape shape, CopyKind kind)
      : to_(to), from_(from), shape_(shape), kind_(kind) {}

  /// Copies the source now, so that the caller may reuse it (pageable memory).
  void stage_source();
  Status execute() override;
  OperationKind operation_kind() const override { return OperationKind::copy; }
  std::string_view label() const override { return "copy"; }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<CopyOperation>(*this);
  }
  uint64_t expected_ns() const override { return shape_.bytes() / 8; }

  const CopySide& to() const { return to_; }
  const CopySide& from() const { return from_; }
  const CopyShape& shape() const { return shape_; }
  CopyKind kind() const { return kind_; }

 private:
  CopySide to_, from_;
  CopyShape shape_;
  CopyKind kind_;
  std::shared_ptr<std::vector<std::byte>> staged_;
};

/// Fills with `element` of 1, 2 or 4 bytes.
class FillOperation final : public Operation {
 public:
  FillOperation(CopySide to, CopyShape shape, uint32_t value, uint32_t element)
      : to_(to), shape_(shape), value_(value), element_(element) {}
  Status execute() override;
  OperationKind operation_kind() const override { return OperationKind::fill; }
  std::string_view label() const override { return "fill"; }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<FillOperation>(*this);
  }
  uint64_t expected_ns() const override { return shape_.bytes() / 8; }

  const CopySide& to() const { return to_; }
  const CopyShape& shape() const { return shape_; }
  uint32_t value() const { return value_; }
  uint32_t element() const { return element_; }

 private:
  CopySide to_;
  CopyShape shape_;
  uint32_t value_;
  uint32_t element_;
};

/// Bounds of both sides against the allocations that hold them. invalid_value; 21 for a bad kind.
Status check_copy(const CopySide& to, const CopySide& from, const CopyShape& shape, CopyKind kind);
Status check_fill(const CopySide& to, const CopyShape& shape);

/// Copies on the stream. `asynchronous` false: returns when done. With pageable memory an asynchronous
/// copy behaves as CUDA documents: the source may be reused, and a pageable destination is complete,
/// when this returns.
Status copy(Stream& stream, CopySide to, CopySide from, CopyShape shape, CopyKind kind,
            bool asynchronous);
Status fill(Stream& stream, CopySide to, CopyShape shape, uint32_t value, uint32_t element,
            bool asynchronous);

}  // namespace guda::runtime
