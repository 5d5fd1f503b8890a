// Memory that the program and kernels reach at one address.
#include "tests/backends/conformance_bench.h"

namespace guda::backend::conformance {
namespace {

/// Shared memory of one kind, or registered memory of the suite's own.
class SharedBlock {
 public:
  SharedBlock(Device& device, size_t bytes, SharedKind kind) : device_(device) {
    data_ = static_cast<std::byte*>(must(device.allocate_shared(bytes, kind), "allocate_shared"));
    expect(reinterpret_cast<uintptr_t>(data_) % 4096 == 0, "alignment");
  }
  SharedBlock(Device& device, size_t bytes) : device_(device), own_(bytes + 20000) {
    data_ = own_.data() + 9004;  // not on a page
    must(device.register_host(data_, bytes), "register_host");
  }
  ~SharedBlock() {
    (void)(own_.empty() ? device_.free_shared(data_) : device_.unregister_host(data_));
  }
  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;

  template <typename T>
  T* as(size_t offset = 0) const {
    return reinterpret_cast<T*>(data_ + offset);
  }
  uint64_t address(size_t offset = 0) const { return reinterpret_cast<uint64_t>(data_ + offset); }

 private:
  Device& device_;
  std::vector<std::byte> own_;
  std::byte* data_;
};

/// Nothing but launches: what the host writes kernels find, and the other way round.
void kernels_reach(Bench& bench, const SharedBlock& a, const SharedBlock& b) {
  constexpr uint32_t kCount = 5000;
  for (uint32_t i = 0; i < kCount; ++i) {
    a.as<float>()[i] = static_cast<float>(i);
    b.as<float>()[i] = 0.25f;
  }
  auto kernel = bench.load("vector_add", {128, 1, 1}, kThreePointers);
  Region device(bench.device, kCount * 4);
  for (int round = 1; round <= 3; ++round) {
    // Through the device's own memory, there and back.
    Parameters there, back;
    there.add(a.address()).add(b.address()).add(device.address()).add(kCount);
    back.add(device.address()).add(b.address()).add(a.address()).add(kCount);
    must(bench.queue->launch(whole(kernel, there, {40, 1, 1}, {128, 1, 1})), "launch");
    must(bench.queue->launch(whole(kernel, back, {40, 1, 1}, {128, 1, 1})), "launch");
    must(bench.queue->synchronize(), "synchronize");
    for (uint32_t i = 0; i < kCount; ++i) {
      expect(a.as<float>()[i] == static_cast<float>(i) + static_cast<float>(round) * 1.5f - 1,
             fmt::format("element {} in round {}", i, round));
      a.as<float>()[i] += 1;
    }
  }
}

/// Queues take its addresses as the device's and as the host's.
void queues_reach(Bench& bench, const SharedBlock& shared) {
  constexpr size_t kBytes = 3 << 20, kPart = 1000003;
  Region device(bench.device, kBytes);
  Queue& queue = *bench.queue;
  for (size_t i = 0; i < kBytes; ++i) shared.as<uint8_t>()[i] = static_cast<uint8_t>(i * 7 >> 3);
  std::vector<uint8_t> before(shared.as<uint8_t>(), shared.as<uint8_t>() + kBytes);
  if (bench.device.info().host_memory)
    must(queue.copy(device.data(), shared.as<void>(), kBytes), "copy");
  else
    must(queue.upload(device.data(), shared.as<void>(), kBytes), "upload");
  must(queue.fill(shared.as<void>(), 0x11223344, 4, kPart - 3), "fill");
  must(queue.synchronize(), "synchronize");
  expect(shared.as<uint32_t>()[1] == 0x11223344 && shared.as<uint8_t>()[kPart] == before[kPart],
         "filled where it is");
  must(queue.copy(shared.as<void>(5), device.as<void>(17), kPart), "copy");
  must(queue.synchronize(), "synchronize");
  expect(std::memcmp(shared.as<void>(5), before.data() + 17, kPart) == 0, "copied from the device");
  shared.as<uint8_t>()[100] = 99;
  must(queue.copy(device.as<void>(1), shared.as<void>(3), kPart), "copy");
  if (!bench.device.info().host_memory)
    must(queue.download(shared.as<void>(kPart + 100), device.as<void>(1), kPart), "download");
  else
    must(queue.copy(shared.as<void>(kPart + 100), device.as<void>(1), kPart), "copy");
  must(queue.synchronize(), "synchronize");
  expect(std::memcmp(shared.as<void>(kPart + 100), shared.as<void>(3), kPart) == 0 &&
             shared.as<uint8_t>()[kPart + 197] == 99,
         "and back again");
}

void reaches_pinned_memory(Bench& bench) {
  constexpr SharedKind kKind = SharedKind::pinned;
  SharedBlock a(bench.device, 4 << 20, kKind), b(bench.device, 1 << 20, kKind);
  queues_reach(bench, a);
  kernels_reach(bench, a, b);
}
void reaches_managed_memory(Bench& bench) {
  constexpr SharedKind kKind = SharedKind::managed;
  SharedBlock a(bench.device, 4 << 20, kKind), b(bench.device, 1 << 20, SharedKind::pinned);
  queues_reach(bench, a);
  kernels_reach(bench, a, b);
}
void reaches_registered_memory(Bench& bench) {
  SharedBlock a(bench.device, 4 << 20), b(bench.device, 1 << 20);
  queues_reach(bench, a);
  kernels_reach(bench, a, b);
}

void gives_back_shared_memory_once(Bench& bench) {
  void* memory = must(bench.device.allocate_shared(1 << 20, SharedKind::pinned), "allocate_shared");
  std::vector<std::byte> own(1 << 20);
  must(bench.device.register_host(own.data(), own.size()), "register_host");
  expect(bench.device.free_shared(own.data()).code() == StatusCode::invalid_value,
         "registered memory is not freed");
  expect(bench.device.unregister_host(memory).code() == StatusCode::invalid_value,
         "allocated memory is not unregistered");
  must(bench.device.free_shared(memory), "free_shared");
  must(bench.device.unregister_host(own.data()), "unregister_host");
  expect(bench.device.free_shared(memory).code() == StatusCode::invalid_value, "freed twice");
  expect(bench.device.unregister_host(own.data()).code() == StatusCode::invalid_value,
         "unregistered twice");
}

constexpr Case kCases[] = {
    {"reaches_pinned_memory", reaches_pinned_memory},
    {"reaches_managed_memory", reaches_managed_memory},
    {"reaches_registered_memory", reaches_registered_memory},
    {"gives_back_shared_memory_once", gives_back_shared_memory_once},
};

}  // namespace

std::span<const Case> shared_memory_cases() { return kCases; }

}  // namespace guda::backend::conformance
