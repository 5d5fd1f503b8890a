#include "scheduler/co_execution.h"

#include "scheduler/reduction_copy.h"
#include "support/log.h"
#include "support/merge_ranges.h"
#include "support/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>

namespace guda::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
using memory::Range;

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

/// What is in both lists; sorts them.
std::vector<Range> intersection(std::vector<Range> a, std::vector<Range> b) {
  const auto before = [](const Range& x, const Range& y) { return x.begin < y.begin; };
  std::sort(a.begin(), a.end(), before);
  std::sort(b.begin(), b.end(), before);
  std::vector<Range> both;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const Range common{std::max(a[i].begin, b[j].begin), std::min(a[i].end, b[j].end)};
    if (!common.empty()) both.push_back(common);
    (a[i].end < b[j].end ? i : j) += 1;
  }
  return both;
}

/// Host memory as it was, for work that fails half-way after it has changed what it reads.
class SavedMemory {
 public:
  void save(std::span<const Range> ranges) {
    for (const Range& range : ranges) {
      const auto* bytes = reinterpret_cast<const std::byte*>(range.begin);
      saved_.emplace_back(range, std::vector<std::byte>(bytes, bytes + range.bytes()));
    }
  }
  void restore() const {
    for (const auto& [range, bytes] : saved_) {
      std::memcpy(reinterpret_cast<void*>(range.begin), bytes.data(), bytes.size());
    }
  }

 private:
  std::vector<std::pair<Range, std::vector<std::byte>>> saved_;
};

/// The clock is that of traces.
int64_t ns_of(Clock::time_point time) {
  return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

/// When the chunk's operands were brought, and when it was computed.
void trace_chunk(const std::string& track, Chunk chunk, Clock::time_point asked,
                 Clock::time_point started, Clock::time_point ended) {
  trace::span(track, "operands", "transfer", ns_of(asked), ns_of(started));
  trace::span(track, fmt::format("units {} to {}", chunk.begin, chunk.end), "chunk", ns_of(started),
              ns_of(ended), fmt::format("\"units\": {}", chunk.units()));
}

/// The device may not have it, or not now; that is no fault of its.
bool is_refusal(const Status& status) {
  return status.code() == StatusCode::out_of_memory || status.code() == StatusCode::not_supported;
}

struct Finished {
  Chunk chunk;
  ChunkMemory memory;
  memory::CoherentPool::Lease lease;
  SavedMemory inputs;
  double compute_ns = 0;
};

struct InFlight {
  Finished result;
  std::unique_ptr<backend::Mark> start;
  std::unique_ptr<backend::Mark> end;
  Clock::time_point asked;  // for its operands
  Clock::time_point handed_over;
  bool may_have_run = false;
};

}  // namespace

struct CoExecutor::Slot {
  Participant participant;
  std::string name;  // the engine's
  std::shared_ptr<backend::Queue> queue;

  // Guarded by the run's mutex.
  std::vector<Chunk> held;  // handed out, not completed
  std::vector<Finished> finished;
  std::vector<std::byte>
      contributions;  // of finished chunks to what is reduced; valid unless unchecked
  Clock::time_point deadline = Clock::time_point::max();
  Status failure;
  bool overdue = false;    // the limit has passed once
  bool serving = false;    // its thread uses the run
  bool abandoned = false;  // its thread hangs; whatever it says no longer counts
  bool unchecked =
      false;  // errors of finished chunks may still show up, and contributions are missing

  bool is_host() const { return participant.device == nullptr; }
};

struct CoExecutor::Run {
  Run(std::span<const PlannedPart> parts, uint64_t tile, const Cuts& cuts, memory::CoherentPool& p,
      const CoExecutionOptions& o)
      : handout(parts, tile, cuts), pool(p), options(o) {}

  std::mutex mutex;
  std::condition_variable changed;
  ChunkHandout handout;  // index: slot
  std::vector<Slot> slots;
  bool over = false;  // nothing more will be handed out
  uint64_t chunks = 0;
  uint64_t repeated_units = 0;

  std::shared_ptr<const DivisibleWork> work;
  std::span<const access::Reduction> reductions;  // the work's
  memory::CoherentPool& pool;
  const CoExecutionOptions options;

  void serve(size_t index);
  Status begin(const Slot& slot, Chunk chunk, InFlight& flight, ReductionCopy& copy) const;
  Status check(const Slot& slot, const ReductionCopy& copy,
               std::vector<std::byte>& contributions) const;
  Status compute_on_host(const Slot& slot, Chunk chunk, Finished& result) const;
  void fail(size_t index, Status status);
  void set_deadline(size_t index);
  void watch();
  bool settled() const;
  bool devices_are_out() const;
  void wait(std::unique_lock<std::mutex>& lock);
};

void CoExecutor::Run::set_deadline(size_t index) {
  Slot& slot = slots[index];
  slot.overdue = false;
  if (slot.held.empty() && !slot.unchecked) {
    slot.deadline = Clock::time_point::max();
    return;
  }
  double expected = 0;
  for (const Chunk& chunk : slot.held) expected += handout.expected_ns(index, chunk.units());
  const auto limit =
      std::max(options.least_limit, std::chrono::nanoseconds(static_cast<int64_t>(
                                        std::min(options.limit_multiple * expected, 1e18))));
  slot.deadline = Clock::now() + limit;
}

/// Locked. What the engine had, and what it did, is somebody else's.
void CoExecutor::Run::fail(size_t index, Status status) {
  Slot& slot = slots[index];
  handout.retire(index);
  if (slot.failure.is_ok()) slot.failure = std::move(status);
  for (const Finished& finished : slot.finished) {
    finished.inputs.restore();
    handout.revoke(finished.chunk);
    repeated_units += finished.chunk.units();
  }
  slot.finished.clear();
  slot.contributions.clear();
  for (const Chunk& chunk : slot.held) {
    handout.give_back(chunk);
    repeated_units += chunk.units();
  }
  slot.held.clear();
  slot.unchecked = false;
  slot.deadline = Clock::time_point::max();
  changed.notify_all();
}

/// Unlocked.
Status CoExecutor::Run::begin(const Slot& slot, Chunk chunk, InFlight& flight,
                              ReductionCopy& copy) const {
  flight.asked = Clock::now();
  flight.result.chunk = chunk;
  flight.result.memory = work->memory(chunk);
  const ChunkMemory& memory = flight.result.memory;
  const std::vector<Range> in_place = intersection(memory.accessed, memory.written);
  if (slot.participant.space == memory::kHostSpace) {
    auto lease = pool.acquire(memory::kHostSpace, memory.accessed, memory.overwritten);
    if (!lease) return lease.status();
    flight.result.inputs.save(in_place);
  } else {
    // What is changed in place must have another copy, and what shares a granule with another part is put together
    // on the host.
    std::vector<Range> on_host = in_place;
    for (const Range& range : memory.written) {
      if (range.empty()) continue;
      if (!pool.at_granule(range.begin)) on_host.push_back({range.begin, range.begin + 1});
      if (!pool.at_granule(range.end)) on_host.push_back({range.end - 1, range.end});
    }
    if (Status status = pool.bring_to_host(on_host); !status) return status;
    // What the host has, first: others use the pool meanwhile. Failures are acquire()'s to report.
    for (const Range& range : memory.accessed)
      for (bool more = true; more;) {
        const auto brought = pool.prefetch(slot.participant.space, range);
        more = brought && *brought > 0;
      }
    auto lease = pool.acquire(slot.participant.space, memory.accessed, memory.overwritten);
    if (!lease) return lease.status();
    flight.result.lease = std::move(*lease);
  }
  if (!reductions.empty() && !copy.exists()) {
    if (Status status = copy.create(pool, slot.participant.space, *slot.queue, reductions); !status)
      return status;
  }
  if (auto mark = slot.queue->mark()) {
    flight.start = std::move(*mark);
  } else {
    return mark.status();
  }
  flight.handed_over = Clock::now();
  flight.may_have_run = true;
  if (Status status = work->start(slot.participant.engine, *slot.queue, chunk); !status) {
    flight.result.inputs.restore();
    return status;
  }
  if (auto mark = slot.queue->mark()) {
    flight.end = std::move(*mark);
  } else {
    return mark.status();
  }
  return slot.queue->flush();
}

/// Unlocked, when all chunks have been waited for: whether they really succeeded, and what they contributed.
Status CoExecutor::Run::check(const Slot& slot, const ReductionCopy& copy,
                              std::vector<std::byte>& contributions) const {
  if (Status status = slot.queue->synchronize(); !status || !copy.exists()) return status;
  auto gathered = copy.contributions(*slot.queue);
  if (!gathered) return gathered.status();
  contributions = std::move(*gathered);
  return Status::ok();
}

/// One device's thread.
void CoExecutor::Run::serve(size_t index) {
  std::unique_lock lock(mutex);
  Slot& slot = slots[index];
  std::deque<InFlight> flights;
  ReductionCopy copy;
  Clock::time_point free_since = Clock::now();
  bool accepting = true;
  bool first = true;
  const auto give_up = [&](Status status) {
    for (const InFlight& flight : flights) flight.result.inputs.restore();
    fail(index, std::move(status));
  };
  while (!slot.abandoned && slot.failure.is_ok()) {
    // One chunk computes while the next one's operands are brought.
    if (accepting && !over && flights.size() < 2) {
      if (const auto chunk = handout.next(index)) {
        ++chunks;
        slot.held.push_back(*chunk);
        set_deadline(index);
        lock.unlock();
        InFlight flight;
        Status status = begin(slot, *chunk, flight, copy);
        lock.lock();
        if (slot.abandoned) break;
        if (status) {
          flights.push_back(std::move(flight));
          slot.unchecked = true;
        } else if (is_refusal(status) && slot.participant.device->usable() &&
                   !(copy.exists() && flight.may_have_run)) {
          // What it has done so far is good.
          accepting = false;
          handout.retire(index);
          std::erase(slot.held, *chunk);
          handout.give_back(*chunk);
          log(LogPart::scheduler, LogLevel::info, "{}: takes no part any more: {}",
              slot.participant.device->info().id(), status.message());
          changed.notify_all();
        } else {
          if (copy.exists() && slot.participant.device->usable()) {
            // The copy's memory is the pool's again soon.
            lock.unlock();
            static_cast<void>(slot.queue->synchronize());
            lock.lock();
            if (slot.abandoned) break;
          }
          give_up(std::move(status));
        }
        continue;
      }
    }
    if (!flights.empty()) {
      InFlight& flight = flights.front();
      lock.unlock();
      Status status = flight.end->wait();
      lock.lock();
      if (slot.abandoned) break;
      if (!status) {
        give_up(std::move(status));
        break;
      }
      const Clock::time_point now = Clock::now();
      const Clock::time_point started = std::max(flight.handed_over, free_since);
      const double wall = std::chrono::duration<double, std::nano>(now - started).count();
      if (trace::enabled())
        trace_chunk(slot.name, flight.result.chunk, flight.asked, flight.handed_over, now);
      const auto own = flight.end->since(*flight.start);
      flight.result.compute_ns = own && *own > 0 ? static_cast<double>(*own) : wall;
      // The first chunk has brought what all need.
      const double pace = first
                              ? flight.result.compute_ns
                              : std::chrono::duration<double, std::nano>(now - free_since).count();
      handout.completed(index, flight.result.chunk, pace);
      first = false;
      free_since = now;
      std::erase(slot.held, flight.result.chunk);
      slot.finished.push_back(std::move(flight.result));
      flights.pop_front();
      set_deadline(index);
      changed.notify_all();
      continue;
    }
    if (slot.unchecked) {
      set_deadline(index);
      lock.unlock();
      std::vector<std::byte> contributions;
      Status status = check(slot, copy, contributions);
      lock.lock();
      if (slot.abandoned) break;
      if (!status) {
        fail(index, std::move(status));
        break;
      }
      slot.contributions = std::move(contributions);
      slot.unchecked = false;
      slot.deadline = Clock::time_point::max();
      changed.notify_all();
      continue;
    }
    if (over || !accepting) break;
    changed.wait(lock);
    free_since = Clock::now();
  }
  if (slot.abandoned) {
    // Nobody waits; leases and marks end here, without the lock that others need.
    lock.unlock();
    flights.clear();
    return;
  }
  flights.clear();
  slot.serving = false;
  changed.notify_all();
}

/// Locked. Gives up on devices that are past their limit.
void CoExecutor::Run::watch() {
  const auto now = Clock::now();
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = slots[i];
    if (slot.abandoned || slot.deadline > now) continue;
    if (!slot.overdue) {
      // The whole process may have been stopped meanwhile: its threads get a little time to say so.
      slot.overdue = true;
      slot.deadline = now + options.least_limit / 4;
      continue;
    }
    slot.abandoned = true;
    fail(i, {StatusCode::launch_timeout, fmt::format("{}: no answer within its time limit",
                                                     slot.participant.device->info().id())});
    slot.serving = false;
  }
}

/// Until something changes; looks up now and then, since a device may get a deadline meanwhile.
void CoExecutor::Run::wait(std::unique_lock<std::mutex>& lock) {
  Clock::time_point until = Clock::now() + options.least_limit / 4;
  for (const Slot& slot : slots) {
    if (!slot.abandoned) until = std::min(until, slot.deadline);
  }
  changed.wait_until(lock, until);
}

bool CoExecutor::Run::settled() const {
  return handout.finished() &&
         std::none_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.unchecked; });
}

bool CoExecutor::Run::devices_are_out() const {
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].is_host() && handout.active(i)) return false;
  }
  return true;
}

/// Unlocked.
Status CoExecutor::Run::compute_on_host(const Slot& slot, Chunk chunk, Finished& result) const {
  const auto asked = Clock::now();
  result.chunk = chunk;
  result.memory = work->memory(chunk);
  auto lease = pool.acquire(memory::kHostSpace, result.memory.accessed, result.memory.overwritten);
  if (!lease) return lease.status();
  const auto start = Clock::now();
  Status status = work->run_on_host(chunk);
  result.compute_ns = ns_since(start);
  if (trace::enabled()) trace_chunk(slot.name, chunk, asked, start, Clock::now());
  return status;
}

CoExecutor::CoExecutor(Scheduler& scheduler, memory::CoherentPool& pool, CoExecutionOptions options)
    : scheduler_(scheduler), pool_(pool), options_(options) {}

CoExecutor::~CoExecutor() = default;

/// The devices' threads; the calling thread is the CPU engine's and watches.
void CoExecutor::compute(const std::shared_ptr<Run>& run) {
  std::unique_lock lock(run->mutex);
  size_t host = 0;
  for (size_t i = 0; i < run->slots.size(); ++i) {
    if (run->slots[i].is_host()) host = i;
  }
  Slot& slot = run->slots[host];
  while (slot.failure.is_ok() && !run->settled()) {
    run->watch();
    // Not planned for, it steps in when nobody else is left.
    if (run->devices_are_out()) run->handout.rejoin(host);
    if (const auto chunk = run->handout.next(host)) {
      ++run->chunks;
      lock.unlock();
      Finished result;
      Status status = run->compute_on_host(slot, *chunk, result);
      lock.lock();
      if (!status) {
        slot.failure = std::move(status);
        break;
      }
      run->handout.completed(host, *chunk, result.compute_ns);
      slot.finished.push_back(std::move(result));
      run->changed.notify_all();
      continue;
    }
    run->wait(lock);
  }
  run->over = true;
  run->changed.notify_all();
  // Threads that still hold chunks of a failed run are waited for, too, within their limits.
  for (;;) {
    run->watch();
    if (std::none_of(run->slots.begin(), run->slots.end(), [](const Slot& s) { return s.serving; }))
      break;
    run->wait(lock);
  }
}

bool CoExecutor::start_threads(const std::shared_ptr<Run>& run) {
  bool any = false;
  for (size_t i = 0; i < run->slots.size(); ++i) {
    Slot& slot = run->slots[i];
    if (slot.is_host() || !run->handout.active(i)) continue;
    const EngineIndex e = slot.participant.engine;
    if (!queues_[e]) {
      auto queue = slot.participant.device->create_queue();
      if (!queue) {
        run->fail(i, queue.status());
        continue;
      }
      queues_[e] = std::move(*queue);
    }
    slot.queue = queues_[e];
    if (!threads_[e]) {
      threads_[e] = std::make_unique<EngineThread>(
          fmt::format("guda-{}", slot.participant.device->info().id()).c_str());
    }
    slot.serving = true;
    if (!threads_[e]->run([run, i] { run->serve(i); })) {
      slot.serving = false;
      run->fail(i, {StatusCode::not_supported, "no thread for the engine"});
      continue;
    }
    any = true;
  }
  return any;
}

namespace {

/// What commit() may overwrite on the host of a chunk that a device changed in place. Granules that parts share
/// are put together there; with write-back everything is.
void save_inputs(const ChunkMemory& memory, bool write_back, SavedMemory& saved) {
  constexpr size_t kEdge = 2 * memory::CoherentPool::kGranule;
  for (const Range& range : intersection(memory.accessed, memory.written)) {
    if (write_back || range.bytes() <= 2 * kEdge) {
      saved.save({&range, 1});
    } else {
      const Range edges[] = {{range.begin, range.begin + kEdge}, {range.end - kEdge, range.end}};
      saved.save(edges);
    }
  }
}

}  // namespace

/// After all threads have left. When it fails, inputs are as they were.
Status CoExecutor::commit(Run& run) {
  const auto start = Clock::now();
  std::vector<memory::CoherentPool::Part> parts;
  std::vector<Range> on_devices;
  SavedMemory inputs;
  if (!run.reductions.empty()) parts.push_back({memory::kHostSpace, ranges_of(run.reductions)});
  for (const Slot& slot : run.slots) {
    memory::CoherentPool::Part part{slot.participant.space, {}};
    for (const Finished& finished : slot.finished) {
      const std::vector<Range>& written = finished.memory.written;
      part.written.insert(part.written.end(), written.begin(), written.end());
      if (slot.participant.space == memory::kHostSpace) continue;
      on_devices.insert(on_devices.end(), written.begin(), written.end());
      save_inputs(finished.memory, options_.write_back, inputs);
    }
    if (!part.written.empty()) parts.push_back(std::move(part));
  }
  Status status = pool_.commit_parts(parts);
  if (status && options_.write_back) {
    // Each range of its own costs a transfer and waiting for it.
    status = pool_.bring_to_host(merge_ranges(std::move(on_devices)));
    if (!status) {
      // The new versions are where they cannot be read.
      for (const auto& part : parts) {
        if (part.space != memory::kHostSpace) static_cast<void>(pool_.lose(part.space));
      }
    }
  }
  if (!status) {
    inputs.restore();
    return status;
  }
  // Nothing can fail any more.
  for (const Slot& slot : run.slots) {
    if (!slot.contributions.empty()) combine_on_host(run.reductions, slot.contributions);
  }
  if (trace::enabled())
    trace::span(trace::thread_track(), "results", "transfer", ns_of(start), ns_of(Clock::now()));
  return status;
}

namespace {

/// Devices whose times are known have nobody to wait for; the host's cores always may be somebody else's.
Cuts cuts_for(const Decision& decision, std::span<const Participant> participants) {
  constexpr double kSure = 0.02;
  if (decision.exploring || decision.sigma > kKnownSigma) return {};
  Cuts cuts = decision.sigma > kSure ? kWhereKnown : kWhereSure;
  for (const Participant& participant : participants) {
    for (const Part& part : decision.all_parts()) {
      if (part.engine != participant.engine) continue;
      if ((decision.moving >> part.engine & 1) != 0) return {};
      if (participant.device == nullptr) cuts = kWhereKnown;
    }
  }
  return cuts;
}

}  // namespace

CoExecutionOutcome CoExecutor::run(const std::shared_ptr<const DivisibleWork>& work,
                                   const Work& description, const Decision& decision,
                                   std::span<const Participant> participants) {
  const std::lock_guard one_at_a_time(mutex_);
  const auto start = Clock::now();
  std::vector<PlannedPart> parts;
  for (const Participant& participant : participants) {
    PlannedPart planned{
        {},
        {decision.chunk_ns[participant.engine], decision.lines[participant.engine].ns_per_unit}};
    planned.cost.ns_per_unit = std::max(planned.cost.ns_per_unit, 1e-6);
    for (const Part& part : decision.all_parts()) {
      if (part.engine == participant.engine) planned.part = {part.begin, part.begin + part.count};
    }
    parts.push_back(planned);
  }
  auto shared = std::make_shared<Run>(parts, description.tile, cuts_for(decision, participants),
                                      pool_, options_);
  Run& run = *shared;
  run.work = work;
  run.reductions = work->reductions();
  run.slots.resize(participants.size());
  for (size_t i = 0; i < participants.size(); ++i) {
    run.slots[i].participant = participants[i];
    run.slots[i].name = scheduler_.engine(participants[i].engine).identity.id;
    // Who was not planned for stays out: its time model says that it does not help.
    if (parts[i].part.units() == 0) run.handout.retire(i);
    if (!run.reductions.empty() && !run.slots[i].is_host() &&
        participants[i].space == memory::kHostSpace)
      run.handout.retire(i);
  }

  CoExecutionOutcome outcome;
  // The CPU engine's chunks work there, and all contributions end there.
  outcome.status = pool_.bring_to_host(ranges_of(run.reductions));
  if (!outcome.status) return outcome;
  {
    const std::lock_guard lock(run.mutex);
    start_threads(shared);
  }
  compute(shared);
  const auto host =
      std::find_if(run.slots.begin(), run.slots.end(), [](const Slot& s) { return s.is_host(); });
  outcome.status = host->failure;
  while (outcome.status) {
    Status status = commit(run);
    if (status) break;
    // A device did not give its results back. Without them the CPU engine does what devices did.
    log(LogPart::scheduler, LogLevel::warn, "{}: {}; computed again", description.name,
        status.message());
    bool any = false;
    {
      const std::lock_guard lock(run.mutex);
      for (size_t i = 0; i < run.slots.size(); ++i) {
        Slot& slot = run.slots[i];
        if (!slot.is_host()) run.handout.retire(i);  // their threads have left
        if (slot.participant.space == memory::kHostSpace || slot.finished.empty()) continue;
        run.fail(i, status);
        any = true;
      }
      run.over = false;
    }
    if (!any) {
      outcome.status = status;
      break;
    }
    compute(shared);
    outcome.status = host->failure;
  }

  for (Slot& slot : run.slots) {
    EngineOutcome engine;
    engine.engine = slot.participant.engine;
    for (const Finished& finished : slot.finished) {
      engine.units += finished.chunk.units();
      engine.compute_ns += finished.compute_ns;
      scheduler_.observe(engine.engine, description, static_cast<double>(finished.chunk.units()),
                         finished.compute_ns);
    }
    engine.failure = slot.failure;
    if (!slot.is_host() && !slot.failure.is_ok()) {
      queues_[engine.engine].reset();
      if (slot.abandoned) {
        threads_[engine.engine]->abandon();
        threads_[engine.engine].reset();
      }
      // When the CPU engine failed as well it may have been the program's fault.
      const bool to_blame =
          outcome.status.is_ok() || slot.abandoned || !slot.participant.device->usable();
      if (to_blame && !is_refusal(slot.failure)) {
        scheduler_.quarantine(engine.engine, slot.failure.message());
      }
    }
    outcome.engines.push_back(std::move(engine));
  }
  {
    // Threads may hold the run a little longer; the pool's regions must not be.
    const std::lock_guard lock(run.mutex);
    for (Slot& slot : run.slots) slot.finished.clear();
  }
  outcome.chunks = run.chunks;
  outcome.repeated_units = run.repeated_units;
  outcome.ns = ns_since(start);
  return outcome;
}

}  // namespace guda::scheduler
