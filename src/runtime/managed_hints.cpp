#include "runtime/managed_hints.h"

#include "memory/heap.h"
#include "runtime/submit.h"
#include "support/log.h"

namespace guda::runtime {
namespace {

/// The device that shares the managed memory; null: nobody does.
backend::Device* sharing_device(const void* pointer) {
  const auto found = memory::Heap::instance().find(pointer);
  if (!found || found->kind != memory::AllocationKind::managed) return nullptr;
  return found->shared_by;
}

void note(const char* hint, const Status& status) {
  if (!status) log(LogPart::memory, LogLevel::info, "{}: {}", hint, status.message());
}

class PrefetchOperation final : public Operation {
 public:
  PrefetchOperation(const void* pointer, size_t size, bool to_host)
      : pointer_(pointer), size_(size), to_host_(to_host) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  std::string_view label() const override { return "prefetch"; }
  Status execute() override { return Status::ok(); }
  uint64_t expected_ns() const override { return 0; }
  bool follow_device_work(Stream& stream, uint64_t ticket) override {
    Engines* engines = Engines::with_home();
    DeviceTail* tail = engines != nullptr ? engines->open_tail(stream) : nullptr;
    if (tail == nullptr) return false;
    DeviceTail::Turn turn = tail->announce(ticket);
    note("prefetch", turn.hand_over([&](backend::Queue& queue) {
      return queue.prefetch(pointer_, size_, to_host_);
    }));
    return true;
  }

 private:
  const void* pointer_;
  size_t size_;
  bool to_host_;
};

}  // namespace

void prefetch(Stream& stream, const void* pointer, size_t size, bool to_host) {
  // In a graph it would be a hint that is given too often.
  if (stream.capture() || Engines::with_home() == nullptr || sharing_device(pointer) == nullptr)
    return;
  (void)submit(stream, PrefetchOperation(pointer, size, to_host), true);
}

void advise(const void* pointer, size_t size, int advice, bool about_host) {
  if (backend::Device* device = sharing_device(pointer))
    note("advice", device->advise(pointer, size, advice, about_host));
}

}  // namespace guda::runtime
