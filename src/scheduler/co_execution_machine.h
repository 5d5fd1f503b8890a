// A machine for tests of co-execution: the CPU engine, devices with memory of their own that any call of can be made
// to fail, one pool, one piece of memory.
#pragma once

#include "scheduler/co_execution.h"

#include "backends/faulty_device.h"
#include "tests/backends/memory_device.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace guda::scheduler {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kInstrumented = true;  // and several times slower
#else
inline constexpr bool kInstrumented = false;
#endif

class TestMachine {
 public:
  /// Called for each block: `at` translates the program's addresses.
  using Translate = std::function<std::byte*(const void*)>;
  using Block =
      std::function<void(const Translate& at, std::span<const std::byte> params, uint32_t block)>;

  TestMachine(size_t devices, size_t bytes, CoExecutionOptions options)
      : executor_(scheduler, pool, options), bytes_((bytes + 4095) / 4096 * 4096) {
    base_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EngineDescription cpu;
    cpu.identity = {"cpu", "host", "1", 1};
    cpu.host_memory = true;
    cpu.model.launch_ns = 1'000;
    EXPECT_TRUE(scheduler.add_engine(cpu));
    participants.push_back({0, nullptr, memory::kHostSpace});
    for (uint32_t d = 0; d < devices; ++d) {
      auto device = std::make_unique<backend::MemoryDevice>(uint64_t{1} << 30, d);
      memory_devices.push_back(device.get());
      plans.push_back(std::make_shared<backend::FaultPlan>());
      this->devices.push_back(
          std::make_unique<backend::FaultyDevice>(std::move(device), plans.back()));
      EngineDescription description = cpu;
      description.identity.id = this->devices.back()->info().id();
      description.host_memory = false;
      EXPECT_TRUE(scheduler.add_engine(description));
      participants.push_back(
          {d + 1, this->devices.back().get(), pool.add_device(*this->devices.back())});
    }
    pool.add_region(base_, bytes_, -1);
    scheduler.set_split_mode(SplitMode::always);
  }
  ~TestMachine() {
    for (const auto& plan : plans) plan->release();
    pool.remove_region(base_);
    munmap(base_, bytes_);
  }
  TestMachine(const TestMachine&) = delete;
  TestMachine& operator=(const TestMachine&) = delete;

  /// One that is never destroyed: for tests whose devices hang, since nothing says when their threads have woken up.
  template <typename Machine, typename... Arguments>
  static Machine& kept(Arguments&&... arguments) {
    static auto* const machines = new std::vector<std::unique_ptr<Machine>>;
    return *machines->emplace_back(
        std::make_unique<Machine>(std::forward<Arguments>(arguments)...));
  }

  /// Patient, and with results on the host.
  static CoExecutionOptions quick() {
    CoExecutionOptions options;
    options.least_limit = std::chrono::seconds(10);
    options.write_back = true;
    return options;
  }

  template <typename T>
  T* memory() const {
    return static_cast<T*>(base_);
  }

  void add_kernel(const std::string& name, const Block& block) {
    kernels_.emplace_back(name, block);
    for (backend::MemoryDevice* device : memory_devices) {
      device->add_kernel(name, [this, block](backend::MemoryDevice& self,
                                             const backend::Launch& launch, backend::Dim3 index) {
        device_blocks_.fetch_add(1);
        block([&self](const void* address) { return self.at(address); }, launch.params, index.x);
      });
    }
  }

  static Work description(uint64_t blocks) {
    Work work;
    work.name = "k";
    work.key = 1;
    work.units = blocks;
    work.amount = static_cast<double>(blocks);
    work.divisible = true;
    return work;
  }

  /// As the runtime would: plans, splits, takes lost devices out of service.
  CoExecutionOutcome launch(const std::string& name, std::span<const std::byte> params,
                            uint32_t blocks, const DivisibleLaunch::Memory& memory,
                            std::span<const access::Reduction> reductions = {}) {
    backend::Launch launch;
    launch.params = params;
    launch.grid = launch.count = {blocks, 1, 1};
    Block block;
    for (const auto& [known, function] : kernels_) {
      if (known == name) block = function;
    }
    const std::vector<std::byte> copied(params.begin(), params.end());
    auto host_time = host_block_time;
    auto& fault = host_fault;
    const uint64_t before = device_blocks_.load();
    const auto on_host = [this, before, copied, block, host_time,
                          &fault](const backend::Launch& slice) {
      if (!fault.is_ok()) return fault;
      if (host_waits) wait_for_device(before);
      auto end = std::chrono::steady_clock::now();
      const auto same = [](const void* address) {
        return static_cast<std::byte*>(const_cast<void*>(address));
      };
      for (uint32_t x = slice.first.x; x < slice.first.x + slice.count.x; ++x) {
        block(same, copied, x);
        end += host_time;
      }
      if (host_time.count() > 0) std::this_thread::sleep_until(end);
      return Status::ok();
    };
    auto work = std::make_shared<DivisibleLaunch>(launch, 0, memory, on_host);
    work->set_reductions(reductions);
    Work described = description(blocks);
    for (const Participant& p : participants) {
      if (p.device == nullptr || scheduler.quarantined(p.engine)) continue;
      backend::KernelSource source;
      source.kernel = name;
      auto kernel = p.device->load(source);
      if (kernel) {
        work->set_kernel(p.engine, *kernel);
      } else {
        described.engines &= ~(1u << p.engine);
      }
    }
    const Decision decision = scheduler.plan(described);
    CoExecutionOutcome outcome = executor_.run(work, described, decision, participants);
    for (const EngineOutcome& engine : outcome.engines) {
      if (engine.failure.is_ok() || !scheduler.quarantined(engine.engine)) continue;
      static_cast<void>(pool.lose(participants[engine.engine].space));
    }
    return outcome;
  }

  /// What the program reads in the end.
  template <typename T>
  std::vector<T> contents(const T* array, size_t count) {
    const memory::Range range = memory::Range::of(array, count * sizeof(T));
    const Status status = pool.bring_to_host({&range, 1});
    EXPECT_TRUE(status) << status.message();
    return {array, array + count};
  }

  Scheduler scheduler;
  std::vector<std::unique_ptr<backend::FaultyDevice>> devices;
  std::vector<backend::MemoryDevice*> memory_devices;
  std::vector<std::shared_ptr<backend::FaultPlan>> plans;
  memory::CoherentPool pool;
  std::vector<Participant> participants;
  std::chrono::nanoseconds host_block_time{0};
  /// The CPU begins with a launch when a device has computed some of it, or has failed. On a busy machine it would
  /// otherwise have done everything before the device's thread is scheduled.
  bool host_waits = false;
  Status host_fault;

 private:
  void wait_for_device(uint64_t before) const {
    const auto failed = [](const auto& plan) { return plan->happened() != 0; };
    // Counted rather than timed: the process may be stopped meanwhile.
    for (int polls = 0; device_blocks_.load() == before; ++polls) {
      if (std::any_of(plans.begin(), plans.end(), failed)) return;
      ASSERT_LT(polls, 200'000) << "no device takes part";
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  std::atomic<uint64_t> device_blocks_{0};
  CoExecutor executor_;
  std::vector<std::pair<std::string, Block>> kernels_;
  size_t bytes_;
  void* base_ = nullptr;
};

/// Lets device call 1, 2, 3, ... of a program fail, until it makes no more of them. `attempt(n)` runs the program with
/// a fault at call n and says whether that call was made: how often a device is called depends on who is faster, so a
/// call that was not made is tried again. Returns how many calls failed.
template <typename Attempt>
uint64_t fail_every_call(Attempt attempt) {
  constexpr int kAttempts = 8;
  for (uint64_t n = 1;; ++n) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, "fault at call " + std::to_string(n));
    bool made = false;
    for (int i = 0; i < kAttempts && !made; ++i) {
      made = attempt(n);
      if (testing::Test::HasFailure()) return n;
    }
    if (!made) return n - 1;
  }
}

}  // namespace guda::scheduler
