// Works that combine values into memory which all parts share.
#include "scheduler/co_execution_machine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>

namespace guda::scheduler {
namespace {

using access::Combine;
using access::Reduction;
using backend::FaultKind;
using memory::Range;
using namespace std::chrono_literals;

constexpr uint32_t kBlocks = 64;
constexpr uint32_t kBlock = 500;  // elements
constexpr uint32_t kBins = 100;
constexpr uint32_t kElements = kBlocks * kBlock;

/// Everything lies within few granules, sums beside inputs and outputs.
struct Layout {
  uint64_t largest[kBins];
  uint32_t input[kElements];
  uint32_t bins[kBins];
  uint32_t output[kElements];
};

/// A histogram of remainders, the least and (64 bits, signed) the largest of each, and squares beside them.
void block_function(const TestMachine::Translate& at, std::span<const std::byte> params,
                    uint32_t block) {
  Layout* program = nullptr;
  std::memcpy(&program, params.data(), sizeof program);
  const auto* input = reinterpret_cast<uint32_t*>(at(program->input));
  auto* output = reinterpret_cast<uint32_t*>(at(program->output));
  auto* bins = reinterpret_cast<uint32_t*>(at(program->bins));
  auto* largest = reinterpret_cast<int64_t*>(at(program->largest));
  for (uint32_t i = block * kBlock; i < (block + 1) * kBlock; ++i) {
    const uint32_t bin = input[i] % kBins;
    std::atomic_ref(bins[bin]).fetch_add(1);
    std::atomic_ref<int64_t> most(largest[bin]);
    const auto value = static_cast<int64_t>(input[i]) - 3'000'000'000;
    for (int64_t old = most.load(); old < value && !most.compare_exchange_weak(old, value);) {
    }
    output[i] = input[i] * input[i];
  }
}

class Reducing : public TestMachine {
 public:
  explicit Reducing(size_t devices, CoExecutionOptions options = quick())
      : TestMachine(devices, sizeof(Layout), options), layout(memory<Layout>()) {
    add_kernel("k", block_function);
    fill(*layout);
  }

  static void fill(Layout& layout) {
    std::mt19937 random(3);
    for (uint32_t& value : layout.input) value = static_cast<uint32_t>(random());
    for (uint32_t& value : layout.bins) value = static_cast<uint32_t>(random() % 1000);
    for (uint64_t& value : layout.largest) value = static_cast<uint64_t>(int64_t{-2'900'000'000});
  }

  CoExecutionOutcome launch() {
    const Reduction reductions[] = {
        {{address(layout->bins), address(layout->bins + kBins)}, Combine::add, 4},
        {{address(layout->largest), address(layout->largest + kBins)}, Combine::maximum_signed, 8}};
    Layout* program = layout;
    const auto memory = [program](Chunk chunk) {
      ChunkMemory m;
      const size_t bytes = chunk.units() * kBlock * sizeof(uint32_t);
      m.accessed.push_back(Range::of(program->input + chunk.begin * kBlock, bytes));
      m.written.push_back(Range::of(program->output + chunk.begin * kBlock, bytes));
      m.overwritten = m.written;
      return m;
    };
    return TestMachine::launch("k", std::as_bytes(std::span(&program, 1)), kBlocks, memory,
                               reductions);
  }

  /// The same with plain memory; whether all of it is equal.
  void expect_after(int launches) {
    auto expected = std::make_unique<Layout>();
    fill(*expected);
    const Layout* params = expected.get();
    const auto same = [](const void* address) {
      return static_cast<std::byte*>(const_cast<void*>(address));
    };
    for (int i = 0; i < launches; ++i) {
      for (uint32_t block = 0; block < kBlocks; ++block)
        block_function(same, std::as_bytes(std::span(&params, 1)), block);
    }
    const auto bytes = contents(reinterpret_cast<std::byte*>(layout), sizeof(Layout));
    const auto* got = reinterpret_cast<const Layout*>(bytes.data());
    EXPECT_EQ(std::vector(got->bins, got->bins + kBins),
              std::vector(expected->bins, expected->bins + kBins));
    EXPECT_EQ(std::vector(got->largest, got->largest + kBins),
              std::vector(expected->largest, expected->largest + kBins));
    EXPECT_EQ(std::memcmp(got, expected.get(), sizeof(Layout)), 0);
  }

  Layout* const layout;

 private:
  static uint64_t address(const void* at) { return reinterpret_cast<uintptr_t>(at); }
};

TEST(ReductionExecution, EveryEngineContributesOnce) {
  for (const size_t devices : {1, 2, 3}) {
    for (const bool write_back : {true, false}) {
      CoExecutionOptions options = Reducing::quick();
      options.write_back = write_back;
      Reducing machine(devices, options);
      for (int i = 0; i < 3; ++i) {
        const CoExecutionOutcome outcome = machine.launch();
        ASSERT_TRUE(outcome.status) << outcome.status.message();
        EXPECT_EQ(outcome.repeated_units, 0u);
      }
      machine.expect_after(3);
    }
  }
}

TEST(ReductionExecution, TheOldContentsMayBeOnADevice) {
  Reducing machine(1);
  // Work of another kind has left the bins there.
  const Range bins = Range::of(machine.layout->bins, sizeof machine.layout->bins);
  const Participant& device = machine.participants[1];
  {
    auto lease = machine.pool.acquire(device.space, {&bins, 1});
    ASSERT_TRUE(lease);
    auto* there = reinterpret_cast<uint32_t*>(machine.memory_devices[0]->at(machine.layout->bins));
    for (uint32_t i = 0; i < kBins; ++i) there[i] += 5;
    machine.pool.commit(device.space, {&bins, 1});
  }
  ASSERT_TRUE(machine.launch().status);
  {
    auto lease = machine.pool.acquire(memory::kHostSpace, {&bins, 1});
    for (uint32_t& bin : machine.layout->bins) bin -= 5;
    machine.pool.commit(memory::kHostSpace, {&bins, 1});
  }
  machine.expect_after(1);
  // And a device that goes on with them gets the sums, not its own part.
  auto lease = machine.pool.acquire(device.space, {&bins, 1});
  ASSERT_TRUE(lease);
  EXPECT_EQ(std::memcmp(machine.memory_devices[0]->at(machine.layout->bins), machine.layout->bins,
                        sizeof machine.layout->bins),
            0);
}

TEST(ReductionExecution, ADeviceInHostMemoryTakesNoPart) {
  Reducing machine(2);
  machine.participants[1].space = memory::kHostSpace;
  machine.host_block_time = 50us;
  const CoExecutionOutcome outcome = machine.launch();
  ASSERT_TRUE(outcome.status) << outcome.status.message();
  EXPECT_EQ(outcome.engines[1].units, 0u);
  EXPECT_GT(outcome.engines[2].units, 0u);
  machine.expect_after(1);
}

TEST(ReductionExecution, TheProgramsOwnErrorLeavesNoCopyBehind) {
  Reducing machine(1);
  machine.host_fault = {StatusCode::illegal_address, "kernel k: illegal memory access"};
  EXPECT_EQ(machine.launch().status.code(), StatusCode::illegal_address);
  const Range bins = Range::of(machine.layout->bins, sizeof machine.layout->bins);
  auto lease = machine.pool.acquire(machine.participants[1].space, {&bins, 1});
  ASSERT_TRUE(lease);
  EXPECT_EQ(std::memcmp(machine.memory_devices[0]->at(machine.layout->bins), machine.layout->bins,
                        sizeof machine.layout->bins),
            0);
}

/// Two launches need this many device calls whoever is faster.
constexpr uint64_t kFewestCalls = 20;

TEST(ReductionFaults, NothingCountsTwiceWhateverCallFails) {
  for (const auto& [kind, code] : {std::pair{FaultKind::error, StatusCode::launch_failed},
                                   {FaultKind::error, StatusCode::out_of_memory},
                                   {FaultKind::vanish, StatusCode::unknown}}) {
    const uint64_t failed = fail_every_call([kind = kind, code = code](uint64_t n) {
      Reducing machine(1);
      machine.host_block_time = 2us;
      machine.host_waits = true;
      machine.plans[0]->add({kind, "", n, code});
      for (int i = 0; i < 2; ++i) {
        const Status status = machine.launch().status;
        EXPECT_TRUE(status) << status.message();
      }
      machine.expect_after(2);
      return machine.plans[0]->happened() != 0;
    });
    EXPECT_GE(failed, kFewestCalls) << "kind " << int(kind);
  }
}

TEST(ReductionFaults, OneOfTwoDevicesVanishesAndTheOtherGoesOn) {
  for (uint64_t n = 1; n <= 80; n += 3) {
    Reducing machine(2);
    machine.host_block_time = 20us;
    machine.plans[0]->add({FaultKind::vanish, "", n, StatusCode::unknown});
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(machine.launch().status) << n;
    machine.expect_after(2);
    ASSERT_FALSE(testing::Test::HasFailure()) << "call " << n;
  }
}

TEST(ReductionFaults, ADeviceThatHangsIsGivenUpWithWhatItContributed) {
  for (const char* call : {"launch", "wait", "fill", "download"}) {
    CoExecutionOptions options = Reducing::quick();
    options.least_limit = 50ms;
    options.limit_multiple = 0;
    Reducing& machine = TestMachine::kept<Reducing>(1, options);
    machine.host_block_time = 20us;
    // The pool does not download under its lock before the contributions are asked for.
    machine.plans[0]->add({FaultKind::hang, call, 1, StatusCode::launch_timeout});
    ASSERT_TRUE(machine.launch().status) << call;
    EXPECT_EQ(machine.plans[0]->happened(), 1u) << call;
    EXPECT_TRUE(machine.scheduler.quarantined(1)) << call;
    machine.expect_after(1);
  }
}

}  // namespace
}  // namespace guda::scheduler
