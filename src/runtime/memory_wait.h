// A stream waits until a value in memory has been set: by the host, by another stream, by another process.
#pragma once

#include "runtime/operation.h"

#include <cstddef>
#include <cstdint>

namespace guda::runtime {

/// Numbers: CUstreamWaitValue_flags.
enum class WaitCondition : uint8_t {
  greater_or_equal = 0,  // cyclic: the difference, with a sign, is not negative
  equal = 1,
  any_bit = 2,  // of the operand's is set in memory
  not_all_ones = 3,  // ~(memory | operand) is not 0
};

class MemoryWaitOperation final : public Operation {
 public:
  /// `bytes` is 4 or 8; the address is aligned to it and stays mapped.
  MemoryWaitOperation(const void* address, size_t bytes, uint64_t operand, WaitCondition condition)
      : address_(address), bytes_(bytes), operand_(operand), condition_(condition) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  std::string_view label() const override { return "wait for a value"; }
  /// Ends early when the context has failed: nobody may be left who sets the value.
  Status execute() override;
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<MemoryWaitOperation>(*this);
  }

 private:
  bool satisfied() const;

  const void* address_;
  size_t bytes_;
  uint64_t operand_;
  WaitCondition condition_;
};

}  // namespace guda::runtime
