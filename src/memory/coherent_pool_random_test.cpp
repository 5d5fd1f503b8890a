// Random work on random engines, whose calls fail at random, against plain memory. GUDA_POOL_TEST_SECONDS: how long; a
// round that went wrong names its seed, GUDA_POOL_TEST_SEED starts with it.
#include "memory/coherent_pool.h"

#include "tests/backends/memory_device.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <thread>

namespace guda::memory {
namespace {

using backend::Device;
using backend::DeviceInfo;
using backend::Mark;
using backend::MemoryDevice;
using backend::Queue;

constexpr size_t kGranule = CoherentPool::kGranule;
constexpr Space kDevices = 3;

/// A device whose transfers happen at synchronize(), as late as the interface admits; one that fails drops those under way.
class LateDevice final : public Device {
 public:
  LateDevice(uint64_t memory_bytes, uint32_t ordinal) : memory(memory_bytes, ordinal) {}
  const DeviceInfo& info() const override { return memory.info(); }
  bool usable() const override { return memory.usable(); }
  Status map(void* address, size_t bytes, int file) override {
    return memory.map(address, bytes, file);
  }
  Status unmap(void* address, size_t bytes) override { return memory.unmap(address, bytes); }
  uint64_t free_bytes() const override { return memory.free_bytes(); }
  bool can_copy_from(const Device& peer) const override {
    const auto* late = dynamic_cast<const LateDevice*>(&peer);
    return late != nullptr && memory.can_copy_from(late->memory);
  }
  Result<std::shared_ptr<backend::DeviceKernel>> load(const backend::KernelSource& s) override {
    return memory.load(s);
  }
  Result<std::unique_ptr<Queue>> create_queue() override {
    auto queue = memory.create_queue();
    if (!queue) return queue.status();
    return std::unique_ptr<Queue>(std::make_unique<LateQueue>(std::move(*queue)));
  }

  MemoryDevice memory;

 private:
  class LateQueue final : public Queue {
   public:
    explicit LateQueue(std::unique_ptr<Queue> queue) : queue_(std::move(queue)) {}
    ~LateQueue() override { (void)synchronize(); }
    Status launch(const backend::Launch& launch) override {
      return add([this, launch] { return queue_->launch(launch); });
    }
    Status upload(void* address, const void* host, size_t bytes) override {
      return add([=, this] { return queue_->upload(address, host, bytes); });
    }
    Status download(void* host, const void* address, size_t bytes) override {
      return add([=, this] { return queue_->download(host, address, bytes); });
    }
    Status copy(void* to, const void* from, size_t bytes) override {
      return add([=, this] { return queue_->copy(to, from, bytes); });
    }
    Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) override {
      return add([=, this, &device] {
        return queue_->copy_from_peer(static_cast<const LateDevice&>(device).memory, to, from,
                                      bytes);
      });
    }
    Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override {
      return add([=, this] { return queue_->fill(address, value, element, bytes); });
    }
    Result<std::unique_ptr<Mark>> mark() override { return queue_->mark(); }
    Status wait_for(const Mark& mark) override { return queue_->wait_for(mark); }
    Status synchronize() override {
      Status status;
      for (auto& each : late_) {
        if (status) status = each();
      }
      late_.clear();
      const Status ended = queue_->synchronize();
      return status ? ended : status;
    }

   private:
    Status add(std::function<Status()> work) {
      late_.push_back(std::move(work));
      return Status::ok();
    }
    std::unique_ptr<Queue> queue_;
    std::vector<std::function<Status()>> late_;
  };
};

/// A region, and what it must hold.
struct Memory {
  explicit Memory(size_t granules) : size(granules * kGranule), expected(size), versions(granules) {
    data = static_cast<std::byte*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~Memory() { munmap(data, size); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Range bytes(size_t offset, size_t count) const { return Range::of(data + offset, count); }
  size_t offset(Range range) const { return range.begin - reinterpret_cast<uintptr_t>(data); }
  size_t granules() const { return size / kGranule; }
  size_t hash(size_t granule) const {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(expected.data()) + granule * kGranule, kGranule});
  }
  /// `expected` has changed there, by work of `space`.
  void written(Range range, Space space) {
    const size_t begin = offset(range);
    for (size_t g = begin / kGranule; g * kGranule < begin + range.bytes(); ++g) {
      versions[g].seen.insert(hash(g));
      versions[g].writer = space;
      versions[g].on_host = space == kHostSpace;
    }
  }
  void brought_to_host(Range range) {
    const size_t begin = offset(range);
    for (size_t g = begin / kGranule; g * kGranule < begin + range.bytes(); ++g)
      versions[g].on_host = true;
  }

  struct Version {
    std::set<size_t> seen;  // hashes of all contents that it ever had
    Space writer = kHostSpace;
    bool on_host = true;
    bool was_undefined = false;  // a device may still hold what was there before anybody wrote
  };
  std::byte* data;
  size_t size;
  std::vector<std::byte> expected;
  std::vector<Version> versions;  // of granules
};

/// One pool, three devices, a few regions, some hundred pieces of work.
class Round {
 public:
  explicit Round(uint64_t seed, size_t room = 12) : random_(seed) {
    for (Space space = 1; space <= kDevices; ++space) {
      devices_.push_back(std::make_unique<LateDevice>((room + 2 * space) * kGranule, space));
      devices_.back()->memory.fault = [this](const char*) {
        return fault_in_ > 0 && --fault_in_ == 0 ? Status(StatusCode::launch_failed, "injected")
                                                 : Status::ok();
      };
    }
    pool_ = std::make_unique<CoherentPool>();
    for (auto& device : devices_) EXPECT_LE(pool_->add_device(*device), kDevices);
    if (chance(2)) home_ = 1;
    pool_->set_home(home_);
  }

  void run(int steps) {
    for (int i = 0; i < 3; ++i) add_region();
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      if (chance(10)) fault_in_ = below(12);
      for (auto& device : devices_) device->memory.peers = chance(2);
      switch (below(20)) {
        case 0: add_region(); break;
        case 1: remove_region(); break;
        case 2: discard(); break;
        case 3:
        case 4:
        case 5: parts(); break;
        case 6: scratch(); break;
        case 7: to_host(); break;
        case 8:
          if (chance(25)) vanish();
          break;
        default: work(); break;
      }
    }
    fault_in_ = 0;
    for (auto& memory : memories_) check(kHostSpace, *memory, memory->bytes(0, memory->size));
  }

 private:
  size_t below(size_t limit) { return random_() % limit; }
  bool chance(size_t one_in) { return below(one_in) == 0; }
  std::byte value() { return std::byte(random_()); }

  void add_region() {
    if (memories_.size() == 5) return;
    auto memory = std::make_unique<Memory>(1 + below(6));
    const bool fresh = chance(2);
    for (std::byte& byte : memory->expected) byte = std::byte(0x11);
    std::memcpy(memory->data, memory->expected.data(), memory->size);
    pool_->add_region(memory->data, memory->size, -1, fresh);
    Memory& added = *memories_.emplace_back(std::move(memory));
    added.written(added.bytes(0, added.size), kHostSpace);
    if (!fresh) return;
    for (Memory::Version& version : added.versions) version.was_undefined = true;
    define(added, added.bytes(0, added.size));
  }
  void remove_region() {
    if (memories_.size() < 2) return;
    const size_t which = below(memories_.size());
    fault_in_ =
        0;  // what a device does not give back stays taken there: other memory cannot have these addresses
    pool_->remove_region(memories_[which]->data);
    memories_.erase(memories_.begin() + static_cast<ptrdiff_t>(which));
  }
  /// Contents that do not matter get some, by the host.
  void define(Memory& memory, Range range) {
    fault_in_ = 0;
    auto lease = pool_->acquire(kHostSpace, {&range, 1});
    ASSERT_TRUE(lease) << lease.status().message();
    set(kHostSpace, memory, range);
    pool_->commit(kHostSpace, {&range, 1});
    memory.written(range, kHostSpace);
  }

  std::byte* at(Space space, const Memory& memory, Range range) {
    std::byte* host = memory.data + memory.offset(range);
    return space == kHostSpace ? host : devices_[space - 1]->memory.at(host);
  }
  void set(Space space, Memory& memory, Range range) {
    const auto set_to = static_cast<int>(value());
    std::memset(at(space, memory, range), set_to, range.bytes());
    std::memset(memory.expected.data() + memory.offset(range), set_to, range.bytes());
  }
  /// What is there is what must be there.
  void check(Space space, Memory& memory, Range range) {
    auto lease = pool_->acquire(space, {&range, 1});
    ASSERT_TRUE(lease) << lease.status().message();
    compare(space, memory, range);
  }
  void compare(Space space, const Memory& memory, Range range) {
    const std::byte* bytes = at(space, memory, range);
    ASSERT_NE(bytes, nullptr);
    const std::byte* expected = memory.expected.data() + memory.offset(range);
    const auto differ = std::mismatch(bytes, bytes + range.bytes(), expected);
    ASSERT_EQ(differ.first - bytes, static_cast<ptrdiff_t>(range.bytes()))
        << "wrong in space " << space << " at " << memory.offset(range) + (differ.first - bytes)
        << " of " << memory.size;
  }

  Memory& any_memory() { return *memories_[below(memories_.size())]; }
  Range any_range(const Memory& memory) {
    if (chance(4)) {  // whole granules
      const size_t first = below(memory.granules());
      return memory.bytes(first * kGranule, (1 + below(memory.granules() - first)) * kGranule);
    }
    const size_t from = below(memory.size);
    return memory.bytes(from, 1 + below(std::min<size_t>(memory.size - from, 3 * kGranule)));
  }
  Space any_space() {
    const auto space = static_cast<Space>(below(kDevices + 1));
    return space == kHostSpace || devices_[space - 1]->usable() ? space : kHostSpace;
  }
  /// A call was refused: because one was made to, or the memory is in use.
  void refused(const Status& status, bool may_be_full = false) {
    const bool full = status.code() == StatusCode::out_of_memory;
    EXPECT_TRUE((full && may_be_full) || status.message() == "injected") << status.message();
  }

  void work() {
    Memory& memory = any_memory();
    const Range range = any_range(memory);
    const Space space = any_space();
    const bool overwrites = chance(3);
    const std::span<const Range> ranges(&range, 1), none;
    auto lease = pool_->acquire(space, overwrites ? none : ranges, overwrites ? ranges : none);
    if (!lease) return refused(lease.status());
    if (space == kHostSpace && !overwrites) memory.brought_to_host(range);
    if (!overwrites) compare(space, memory, range);
    if (!overwrites && chance(2)) return;
    set(space, memory, range);
    memory.written(range, space);
    if (space != kHostSpace && chance(3) && pool_->missing_bytes(kHostSpace, ranges) == 0) {
      std::memcpy(memory.data + memory.offset(range), at(space, memory, range), range.bytes());
      pool_->commit_copied(space, ranges);
      memory.brought_to_host(range);
      return;
    }
    pool_->commit(space, ranges);
  }

  void to_host() {
    Memory& memory = any_memory();
    const Range range = any_range(memory);
    const std::span<const Range> ranges(&range, 1);
    if (Status status = pool_->bring_to_host(ranges); !status) return refused(status);
    EXPECT_EQ(pool_->missing_bytes(kHostSpace, ranges), 0u);
    memory.brought_to_host(range);
    compare(kHostSpace, memory, range);
  }

  void discard() {
    Memory& memory = any_memory();
    const Range range = any_range(memory);
    pool_->discard(range);
    for (Memory::Version& version : memory.versions) version.was_undefined = true;
    define(memory, range);
  }

  /// One piece of work on several engines; each writes pieces of any size.
  void parts() {
    Memory& memory = any_memory();
    const Range range = any_range(memory);
    const std::span<const Range> ranges(&range, 1);
    if (Status status = pool_->bring_to_host(ranges); !status) return refused(status);
    memory.brought_to_host(range);
    std::vector<Space> spaces{kHostSpace};
    std::vector<CoherentPool::Lease> leases;
    for (Space space = 1; space <= kDevices; ++space) {
      if (!devices_[space - 1]->usable() || chance(3)) continue;
      auto lease = pool_->acquire(space, ranges);
      if (!lease) return refused(lease.status(), true);
      leases.push_back(std::move(*lease));
      spaces.push_back(space);
    }
    std::vector<CoherentPool::Part> parts;
    for (Space space : spaces) parts.push_back({space, {}});
    const size_t longest = chance(2) ? 700 : 2 * kGranule;
    const size_t end = memory.offset(range) + range.bytes();
    std::vector<std::pair<Range, Space>> written;
    for (size_t from = memory.offset(range); from < end;) {
      const size_t count = std::min(1 + below(longest), end - from);
      const Range piece = memory.bytes(from, count);
      from += count;
      if (chance(4)) continue;
      const size_t who = below(spaces.size());
      set(spaces[who], memory, piece);
      parts[who].written.push_back(piece);
      written.emplace_back(piece, spaces[who]);
    }
    for (auto& part : parts) std::shuffle(part.written.begin(), part.written.end(), random_);
    if (Status status = pool_->commit_parts(parts); !status) {
      refused(status);
      // The work has failed; what it has begun to write is written again.
      for (auto& [piece, space] : written) define(memory, piece);
      return;
    }
    for (auto& [piece, space] : written) memory.written(piece, space);
    // Who has what of granules that several have written is the host.
    for (auto& [piece, space] : written) {
      for (size_t at : {memory.offset(piece), memory.offset(piece) + piece.bytes() - 1}) {
        const Range granule = memory.bytes(at / kGranule * kGranule, kGranule);
        if (pool_->missing_bytes(kHostSpace, {&granule, 1}) == 0) memory.brought_to_host(granule);
      }
    }
  }

  /// A device's room for contents of its own, while others work on the memory.
  void scratch() {
    Memory& memory = any_memory();
    const Range own = any_range(memory);
    const Space space = any_space();
    if (space == kHostSpace) return;
    auto lease = pool_->acquire_scratch(space, {&own, 1});
    if (!lease) return refused(lease.status());
    memory.brought_to_host(own);
    std::memset(at(space, memory, own), 0x77, own.bytes());
    for (int i = 0; i < 3; ++i) {
      Memory& other = any_memory();
      const Range range = any_range(other);
      const Space reader = any_space();
      auto reading = pool_->acquire(reader, {&range, 1});
      if (!reading) {
        refused(reading.status(), true);
      } else if (reader != space || &other != &memory) {
        if (reader == kHostSpace) other.brought_to_host(range);
        compare(reader, other, range);
      }
    }
    const std::byte* bytes = at(space, memory, own);
    ASSERT_TRUE(std::all_of(bytes, bytes + own.bytes(), [](std::byte b) {
      return b == std::byte{0x77};
    })) << "scratch was overwritten";
  }

  void vanish() {
    const auto space = static_cast<Space>(1 + below(kDevices));
    LateDevice& device = *devices_[space - 1];
    if (!device.usable()) return;
    device.memory.vanish();
    for (const Range& lost : pool_->lose(space)) {
      Memory* memory = nullptr;
      for (auto& each : memories_) {
        const Range all = each->bytes(0, each->size);
        if (all.begin <= lost.begin && lost.end <= all.end) memory = each.get();
      }
      ASSERT_NE(memory, nullptr) << "lost what is no region";
      fault_in_ = 0;
      ASSERT_TRUE(pool_->bring_to_host({&lost, 1}));
      for (size_t g = memory->offset(lost) / kGranule;
           g * kGranule < memory->offset(lost) + lost.bytes(); ++g) {
        Memory::Version& version = memory->versions[g];
        if (version.writer != kNoSpace && space != home_) {
          EXPECT_EQ(version.writer, space) << "lost what another has written";
        }
        EXPECT_FALSE(version.on_host) << "lost what the host has";
        std::memcpy(memory->expected.data() + g * kGranule, memory->data + g * kGranule, kGranule);
        EXPECT_TRUE(version.was_undefined || version.seen.count(memory->hash(g)))
            << "contents that never were, granule " << g;
        version.on_host = true;
        version.writer = kHostSpace;
      }
    }
    // Copies of what it wrote may be anywhere, also where the next ones vanish.
    for (auto& memory : memories_) {
      for (Memory::Version& version : memory->versions) {
        if (version.writer == space) version.writer = kNoSpace;
      }
    }
  }

  std::mt19937_64 random_;
  Space home_ = kHostSpace;
  size_t fault_in_ = 0;  // the call so many from now fails; 0: none
  std::vector<std::unique_ptr<LateDevice>> devices_;
  std::vector<std::unique_ptr<Memory>> memories_;
  std::unique_ptr<CoherentPool> pool_;
};

uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(CoherentPoolRandomTest, WorkThatFailsAtAnyCallLosesNothing) {
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(number_from("GUDA_POOL_TEST_SECONDS", 0));
  const uint64_t first = number_from("GUDA_POOL_TEST_SEED", 1);
  uint64_t seed = first;
  do {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Round(seed).run(300);
    if (HasFailure()) return;
    ++seed;
  } while (seed < first + 20 || std::chrono::steady_clock::now() < end);
  RecordProperty("rounds", std::to_string(seed - first));
}

// Each thread has regions of its own; the devices' memory is what they compete for.
TEST(CoherentPoolRandomTest, ThreadsGetWhatTheyWroteHoweverFullTheDevices) {
  constexpr int kThreads = 3;
  LateDevice a(9 * kGranule, 1), b(12 * kGranule, 2);
  b.memory.peers = true;
  CoherentPool pool;
  LateDevice* devices[] = {&a, &b};
  for (LateDevice* device : devices) ASSERT_NE(pool.add_device(*device), kHostSpace);
  std::atomic<int> done{0};
  auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    Memory memories[2]{Memory(3), Memory(4)};
    for (Memory& memory : memories) pool.add_region(memory.data, memory.size, -1);
    for (int step = 0; step < 400; ++step) {
      Memory& memory = memories[random() % 2];
      const size_t from = random() % memory.size, count = 1 + random() % (memory.size - from);
      const Range range = memory.bytes(from, count);
      const auto space = static_cast<Space>(random() % 3);
      auto lease = pool.acquire(space, {&range, 1});
      if (!lease) {
        ASSERT_EQ(lease.status().code(), StatusCode::out_of_memory) << lease.status().message();
        continue;
      }
      std::byte* bytes = space == kHostSpace ? memory.data + from
                                             : devices[space - 1]->memory.at(memory.data + from);
      ASSERT_EQ(std::memcmp(bytes, memory.expected.data() + from, count), 0);
      ++done;
      if (random() % 2) continue;
      std::memset(bytes, step, count);
      std::memset(memory.expected.data() + from, step, count);
      pool.commit(space, {&range, 1});
    }
    for (Memory& memory : memories) pool.remove_region(memory.data);
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (auto& thread : threads) thread.join();
  EXPECT_GT(done, 400);
}

}  // namespace
}  // namespace guda::memory
