#include "runtime/memory_wait.h"

#include "memory/heap.h"
#include "runtime/context.h"
#include "runtime/engines.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace guda::runtime {
namespace {

template <typename Unsigned, typename Signed>
bool holds(const void* address, uint64_t operand, WaitCondition condition) {
  const auto wanted = static_cast<Unsigned>(operand);
  // The program's memory, which others change.
  auto& memory = *static_cast<Unsigned*>(const_cast<void*>(address));
  const Unsigned value = std::atomic_ref<Unsigned>(memory).load(std::memory_order_acquire);
  switch (condition) {
    case WaitCondition::greater_or_equal:
      return static_cast<Signed>(static_cast<Unsigned>(value - wanted)) >= 0;
    case WaitCondition::equal: return value == wanted;
    case WaitCondition::any_bit: return (value & wanted) != 0;
    case WaitCondition::not_all_ones: return static_cast<Unsigned>(~(value | wanted)) != 0;
  }
  return true;
}

}  // namespace

bool MemoryWaitOperation::satisfied() const {
  return bytes_ == 4 ? holds<uint32_t, int32_t>(address_, operand_, condition_)
                     : holds<uint64_t, int64_t>(address_, operand_, condition_);
}

Status MemoryWaitOperation::execute() {
  const auto allocation = memory::Heap::instance().find(address_);
  Engines* engines = Engines::active();
  const bool on_devices = engines != nullptr && allocation &&
                          !memory::host_visible(allocation->kind) && !allocation->host_only;
  auto pause = std::chrono::microseconds(1);
  for (unsigned round = 0;; ++round) {
    if (on_devices) {
      if (Status status = engines->host_will_write(address_, bytes_); !status) return status;
    }
    if (satisfied() || Context::instance().sticky_error() != kSuccess) return Status::ok();
    if (round < 100) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(200));
    }
  }
}

}  // namespace guda::runtime
