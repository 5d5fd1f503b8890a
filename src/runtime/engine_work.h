// What Engines' source files share.
#pragma once

#include "runtime/engines.h"

#include "backends/device.h"
#include "compiler/access/launch_access.h"
#include "runtime/copy.h"
#include "runtime/module/kernel.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

namespace guda::runtime {

/// What an operation may touch.
struct Engines::Operands {
  std::vector<memory::Range> reads, writes;
  std::vector<memory::Range> all;           // both
  std::vector<memory::Range>
      host_visible;  // of all: memory that the program writes without telling
  /// Memory that devices of one backend reach where it is stands in none of the lists: nothing is sent, nothing
  /// fetched, nobody takes turns. That backend; empty: there is no such memory among the operands.
  std::string_view shared_with;
  std::vector<memory::Range> shared_writes;  // of it, what may be written
  bool outside = false;  // some of it is memory that devices cannot have
  /// The device that alone reaches some of it (variables of machine code), in host memory's stead too.
  const backend::Device* only = nullptr;
  bool several_regions = false;  // one pointer may lead to several mappings (cuMemMap)
  bool known = true;  // false: everything that there is
  bool textures = false;  // or surfaces
  // Of a launch whose kernel could be analysed.
  access::AccessEvaluator* evaluator = nullptr;
  std::shared_ptr<const access::LaunchAccess> access;
  std::vector<void*> variables;  // addresses of the summary's

  /// Enters bytes of an allocation that the operation uses, into `uses` (reads or writes).
  void enter(const memory::Allocation& allocation, memory::Range range,
             std::vector<memory::Range>& uses);
  /// The device gets at all of it, what is shared included.
  bool reached_by(const backend::Device& device) const {
    const backend::DeviceInfo& info = device.info();
    return !outside && (only == nullptr || only == &device) &&
           (shared_with.empty() || info.host_memory || info.backend == shared_with);
  }
  /// Some of it the program uses itself, at any time.
  bool with_program() const { return !host_visible.empty() || !shared_with.empty(); }

  uint32_t flags() const { return evaluator ? evaluator->summary().flags : 0; }
  bool stores_surfaces() const { return (flags() & access::kSurfaceStores) != 0; }
};

/// An idle queue of an engine, which goes back at the end of its life.
class Engines::QueueLoan {
 public:
  explicit QueueLoan(Engine& engine) : engine_(engine) {
    std::unique_lock lock(engine.queues_mutex);
    if (engine.idle_queues.empty()) {
      work_.queue = std::make_shared<std::unique_ptr<backend::Queue>>();
      work_.calls = std::make_unique<TimedCalls>("guda-work");
    } else {
      work_ = std::move(engine.idle_queues.back());
      engine.idle_queues.pop_back();
    }
  }
  ~QueueLoan() {
    // A queue behind a thread that hangs is that thread's: not even looked at.
    if (work_.calls->hung() || !*work_.queue || !engine_.device->usable()) return;
    std::unique_lock lock(engine_.queues_mutex);
    engine_.idle_queues.push_back(std::move(work_));
  }
  QueueLoan(const QueueLoan&) = delete;
  QueueLoan& operator=(const QueueLoan&) = delete;

  /// Runs `work` with the queue, on this thread.
  Status run(const std::function<Status(backend::Queue&)>& work) {
    return run(*engine_.device, *work_.queue, work);
  }
  /// The same on a thread of the queue's that is given up when it takes longer; `work` owns what it uses.
  Status run_timed(std::chrono::nanoseconds limit, std::function<Status(backend::Queue&)> work,
                   const std::function<bool()>& excused) {
    Status status = work_.calls->run(
        limit,
        [device = engine_.device.get(), queue = work_.queue, work = std::move(work)] {
          return run(*device, *queue, work);
        },
        excused);
    if (work_.calls->hung()) engine_.hung.store(true);
    return status;
  }

 private:
  static Status run(backend::Device& device, std::unique_ptr<backend::Queue>& queue,
                    const std::function<Status(backend::Queue&)>& work) {
    if (!queue) {
      auto made = device.create_queue();
      if (!made) return made.status();
      queue = std::move(*made);
    }
    return work(*queue);
  }

  Engine& engine_;
  WorkQueue work_;
};

/// Who can do a piece of work, what it costs, and the decision.
struct Engines::LaunchPlan {
  scheduler::Work work;
  std::vector<scheduler::MemoryUse> memory;
  scheduler::Decision decision;
  std::array<std::shared_ptr<backend::DeviceKernel>, scheduler::kMaxEngines> code;
};

/// So often work of one kind is done as it was before the scheduler is asked again, and the device's time taken; more and
/// more often while the answer stays.
inline constexpr uint32_t kHomeUses = 64, kMostUses = 4096;
/// The same at first for launches that stay on the CPU, where there is more to learn of other engines.
inline constexpr uint32_t kHostUses = 16;

/// Uses of an answer of the scheduler's.
struct AnswerUses {
  uint64_t epoch = 0;  // of the scheduler
  uint32_t left = 0, granted = 0;

  static AnswerUses first(uint64_t epoch, uint32_t uses) { return {epoch, uses, uses}; }
  /// It was the same as `before`.
  void follow(const AnswerUses& before) {
    if (before.epoch == epoch) left = granted = std::min(2 * before.granted, kMostUses);
  }
  bool valid(uint64_t now) const { return left > 0 && epoch == now; }
};

/// A launch whose place is the home device, or the CPU where there is none, until the scheduler is asked again.
struct Engines::HomeLaunch {
  kernel::Dim3 grid, block;
  size_t dynamic_shared = 0;
  std::shared_ptr<backend::DeviceKernel> code;  // null: the CPU's
  AnswerUses uses = {};
  bool textures = false, stores_surfaces = false;
};

/// The same for matrix products of one shape.
struct Engines::HomeProduct {
  backend::ElementType input{};
  backend::Transpose transpose_a{}, transpose_b{};
  int64_t m = 0, n = 0, k = 0;
  AnswerUses uses = {};
  double predicted_ns = 0;

  static HomeProduct shape_of(const backend::GemmProblem& p) {
    return {p.input, p.transpose_a, p.transpose_b, p.m, p.n, p.k};
  }
  bool same_shape(const HomeProduct& other) const {
    return input == other.input && transpose_a == other.transpose_a &&
           transpose_b == other.transpose_b && m == other.m && n == other.n && k == other.k;
  }
};

/// Where a piece of work ran: which engine did which units; the CPU engine's are left out.
struct Engines::Place {
  struct Part {
    memory::Space space;
    scheduler::Chunk units;
  };
  std::vector<Part> parts;
  bool whole = false;  // on one device
};

struct Engines::LaunchPlace {
  kernel::Dim3 grid, block;
  Place place;
};

struct Engines::ProductPlace {
  HomeProduct shape;
  Place place;
};

/// A copy with a side on the home device.
struct Engines::HomeCopy {
  memory::Range from, to;  // from the first byte to the last
  bool from_pool = false, to_pool = false;  // the coherent pool keeps that side
  bool from_device = false, to_device = false;
  bool dense = false;  // both sides are without holes
  backend::BoxSide to_side, from_side;
  backend::Box box;

  Status start(backend::Queue& queue) const;
};

/// The same of fills.
struct Engines::HomeFill {
  memory::Range to;
  bool to_pool = false;
  bool dense = false;
  backend::BoxSide side;
  backend::Box box;
  uint32_t value = 0, element = 1;

  Status start(backend::Queue& queue) const;
};

/// A kernel on the devices: per engine and block dimensions the code, or why there is none.
struct Engines::KernelOnEngines {
  struct Entry {
    const Engine* engine;
    BlockDim block;
    Result<std::shared_ptr<backend::DeviceKernel>> code;
  };
  std::vector<Entry> entries;
  std::vector<HomeLaunch> home;
  size_t next_home = 0;  // the one to be replaced
  std::vector<LaunchPlace> places;  // a few, the newest last
};

/// Bytes from the first to the last that a copy touches.
memory::Range box(const CopySide& side, const CopyShape& shape);
/// They are one run without holes.
bool dense(const CopySide& side, const CopyShape& shape);

}  // namespace guda::runtime
