#include "scheduler/scheduler.h"

#include "support/log.h"
#include "support/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace guda::scheduler {
namespace {

/// Copies of reduced memory are combined at this rate, by one thread that reads two and writes one.
constexpr double kCombinedBytesPerNs = 4;
/// Preferred engines win when they are within this of the fastest.
constexpr double kTie = 0.05;
/// What data lives on does the work unless another engine saves more than this: streams have to wait there and back, which
/// they need not do for the keeper, and the prediction sees neither.
constexpr double kLeavingNs = 1e4;
/// Decisions are made anew when what they rest on has changed by this much.
constexpr double kPublished = 0.02;
/// And after so long when they rest on what is soon forgotten.
constexpr std::chrono::seconds kPassing{1};

/// In about so many chunks an engine gets its part of a split: as long as little is known of it, and later.
constexpr double kChunks = 7;
constexpr double kChunksWhereKnown = 3;

thread_local EngineIndex t_forced = kNoEngine;

struct LastDecision {
  const Scheduler* scheduler = nullptr;
  Decision decision;
  uint64_t units = 0;
  std::array<char, 128> name{};
  std::array<char, 96> indivisible_because{};
};
/// Not itself thread-local: a library that is opened at run time has little room for that.
thread_local constinit std::unique_ptr<LastDecision> t_last;

template <size_t N>
void copy_text(std::string_view from, std::array<char, N>& to) {
  to[from.copy(to.data(), N - 1)] = 0;  // memcpy must not see an empty view's null pointer
}

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 32);
}

}  // namespace

struct Scheduler::Engine {
  explicit Engine(EngineDescription d) : description(std::move(d)), times(description.model) {
    times.restore(description.learnt);
  }

  EngineDescription description;
  TimeModel times;
  std::atomic<bool> quarantined{false};
  std::atomic<int> rank{0};  // in the device list; -1: not allowed
  std::string reason;  // guarded by the scheduler's mutex
  std::atomic<bool> measured{false};
  std::atomic<uint64_t> placed{0};
  std::atomic<uint64_t> split_parts{0};
  std::atomic<uint64_t> failures{0};
};

/// Everything that a decision depends on.
struct Scheduler::Question {
  uint64_t key;
  uint64_t units;
  uint64_t state;  // residency, backlog, engines, divisibility, policy
  uint64_t epoch;
  uint64_t generation;  // of what is known about the key
  bool operator==(const Question&) const = default;
};

/// Direct mapped; a slot is locked for the time of a copy. A thread that finds it locked decides anew.
struct Scheduler::DecisionCache {
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kSlots = 512;
  static constexpr size_t kGenerations = 4096;

  struct Slot {
    std::atomic_flag busy;
    bool valid = false;
    Question question{};
    Decision decision;
    Clock::time_point kept{};
  };
  std::array<Slot, kSlots> slots;
  /// Changes when predictions for a key (by its hash) did.
  std::array<std::atomic<uint32_t>, kGenerations> generations{};

  Slot& slot(const Question& q) { return slots[mix(mix(q.key, q.units), q.state) % kSlots]; }
  std::atomic<uint32_t>& generation(uint64_t key) {
    return generations[mix(key, 7) % kGenerations];
  }

  bool find(const Question& question, Decision& decision) {
    Slot& s = slot(question);
    if (s.busy.test_and_set(std::memory_order_acquire)) return false;
    const bool found = s.valid && s.question == question &&
                       (!s.decision.passing || Clock::now() - s.kept < kPassing);
    if (found) decision = s.decision;
    s.busy.clear(std::memory_order_release);
    return found;
  }

  void keep(const Question& question, const Decision& decision) {
    Slot& s = slot(question);
    if (s.busy.test_and_set(std::memory_order_acquire)) return;
    s.valid = true;
    s.question = question;
    s.decision = decision;
    if (decision.passing) s.kept = Clock::now();
    s.busy.clear(std::memory_order_release);
  }
};

struct Scheduler::AtomicCounters {
  std::atomic<uint64_t> decisions{0};
  std::atomic<uint64_t> repeated{0};
  std::atomic<uint64_t> splits{0};
  std::atomic<uint64_t> explored{0};
  std::array<std::atomic<uint64_t>, 6> refusals{};
  /// Errors of predictions, in steps of 10 % of their logarithm from 0.1 % on.
  static constexpr size_t kSteps = 128;
  std::array<std::atomic<uint64_t>, kSteps> errors{};
};

Scheduler::Scheduler()
    : cache_(std::make_unique<DecisionCache>()), counters_(std::make_unique<AtomicCounters>()) {}
Scheduler::~Scheduler() = default;

Scheduler& Scheduler::process() {
  static auto* scheduler = [] {
    auto* made = new Scheduler;
    if (auto mode = parse_split_mode(option_value(Option::split))) {
      made->set_split_mode(*mode);
    } else {
      log(LogPart::scheduler, LogLevel::error, "{}; auto is taken", mode.status().message());
    }
    if (auto devices = DeviceList::parse(option_value(Option::devices))) {
      made->devices_ = std::move(*devices);
    } else {
      log(LogPart::scheduler, LogLevel::error, "GUDA_DEVICES: {}; all are taken",
          devices.status().message());
    }
    std::atexit([] { process().keep_learnt(ModelStore::of_process()); });
    return made;
  }();
  return *scheduler;
}

Result<EngineIndex> Scheduler::add_engine(EngineDescription description) {
  const std::lock_guard lock(mutex_);
  const size_t index = engine_count_.load(std::memory_order_relaxed);
  if (index >= kMaxEngines) {
    return Status(StatusCode::out_of_memory,
                  fmt::format("{}: more than {} engines", description.identity.id, kMaxEngines));
  }
  engines_[index] = std::make_unique<Engine>(std::move(description));
  engines_[index]->rank = devices_.rank(engines_[index]->description.identity.id);
  if (engines_[index]->description.host_cores &&
      !devices_.names(engines_[index]->description.identity.id)) {
    engines_[index]->rank = -1;
  }
  engine_count_.store(index + 1, std::memory_order_release);
  forget_decisions();
  return static_cast<EngineIndex>(index);
}

const EngineDescription& Scheduler::engine(EngineIndex index) const {
  return engines_[index]->description;
}
const TimeModel& Scheduler::time_model(EngineIndex index) const { return engines_[index]->times; }

Decision Scheduler::plan(const Work& work, const Residency* residency,
                         std::span<const double> backlog_ns) {
  Question question{};
  question.key = work.key;
  question.units = work.units;
  uint64_t state = mix(std::bit_cast<uint64_t>(work.amount), work.engines);
  state = mix(state, work.tile * 2 + (work.divisible ? 1 : 0));
  if (work.part_engines != ~0u) state = mix(state, work.part_engines);
  if (residency != nullptr) {
    state = mix(state, residency->signature(work.memory));
    for (const MemoryUse& use : work.memory)
      state = mix(state, use.bytes * 2 + (use.reduced ? 1 : 0));
  }
  for (const double backlog : backlog_ns) {
    state = mix(state, static_cast<uint64_t>(std::bit_width(static_cast<uint64_t>(backlog / 500))));
  }
  question.state = mix(state, t_forced);
  question.epoch = epoch_.load(std::memory_order_relaxed);
  question.generation = cache_->generation(work.key).load(std::memory_order_relaxed);

  Decision decision;
  counters_->decisions.fetch_add(1, std::memory_order_relaxed);
  if (cache_->find(question, decision)) {
    counters_->repeated.fetch_add(1, std::memory_order_relaxed);
  } else {
    decision = decide(work, residency, backlog_ns);
    if (log_enabled(LogPart::scheduler, LogLevel::debug))
      log(LogPart::scheduler, LogLevel::debug, "{}", explain(work, decision));
    // What is tried is asked for each time anew: the answer ends it.
    if (!decision.exploring && !(decision.discouraged && decision.is_split()))
      cache_->keep(question, decision);
  }
  if (decision.exploring) counters_->explored.fetch_add(1, std::memory_order_relaxed);
  if (decision.is_split()) {
    counters_->splits.fetch_add(1, std::memory_order_relaxed);
    for (const Part& part : decision.all_parts()) {
      engines_[part.engine]->split_parts.fetch_add(1, std::memory_order_relaxed);
    }
  } else {
    if (decision.part_count == 1) {
      engines_[decision.parts[0].engine]->placed.fetch_add(1, std::memory_order_relaxed);
    }
    counters_->refusals[static_cast<size_t>(decision.refusal)].fetch_add(1,
                                                                         std::memory_order_relaxed);
  }
  if (t_last == nullptr) t_last = std::make_unique<LastDecision>();
  t_last->scheduler = this;
  t_last->decision = decision;
  t_last->units = work.units;
  copy_text(work.name, t_last->name);
  copy_text(work.indivisible_because, t_last->indivisible_because);
  return decision;
}

namespace {

/// Transfers that an engine needs: those of the whole work, and those that its parts share.
struct Transfers {
  double fixed_ns = 0;
  double divided_ns = 0;
  double reduced_ns = 0;  // of fixed_ns: contents that a part of a split does without
  double copies_ns = 0;  // that it has instead: filled, brought back, combined
  double results_ns = 0;  // back to the host, of all that is written in parts
  double all_results_ns = 0;  // and of all that is written
};

}  // namespace

/// Until the engine has what it lacks.
double Scheduler::moving_ns(const Engine& engine, const Missing& missing) const {
  if (missing.bytes <= 0) return 0;
  const bool from_device = missing.source < engine_count();
  const Link& in = engine.description.model.upload;
  if (missing.direct && from_device && !engine.description.host_memory) {
    // As long as nobody has seen one: devices that are made to work together have links of a tenth to a fortieth of
    // their memory's bandwidth (NVLink, PCIe).
    constexpr double kOfMemory = 1.0 / 32;
    double rate = missing.direct_bytes_per_ns;
    if (rate <= 0)
      rate = std::max(in.bytes_per_ns, kOfMemory * engine.description.model.memory_rate);
    return Link{in.latency_ns, rate}.ns(missing.bytes);
  }
  double ns = engine.description.host_memory ? 0 : in.ns(missing.bytes);
  if (from_device && engines_[missing.source].get() != &engine)
    ns += engines_[missing.source]->description.model.download.ns(missing.bytes);
  return ns;
}

Decision Scheduler::decide(const Work& work, const Residency* residency,
                           std::span<const double> backlog_ns) {
  Decision decision;
  const size_t count = engine_count();
  std::array<Estimate, kMaxEngines> estimates{};
  std::array<CostLine, kMaxEngines> hopeful{};
  const auto units = static_cast<double>(std::max<uint64_t>(work.units, 1));
  uint32_t candidates = 0;
  for (EngineIndex e = 0; e < count; ++e) {
    Engine& engine = *engines_[e];
    const bool wanted = t_forced == e || (t_forced == kNoEngine && engine.rank >= 0);
    if ((work.engines >> e & 1) == 0 || !wanted || engine.quarantined) continue;
    estimates[e] = engine.times.estimate(work);
    Transfers transfers;
    if (residency != nullptr) {
      for (const MemoryUse& use : work.memory) {
        if (use.read) {
          const double ns = moving_ns(engine, residency->missing(e, use));
          (use.divided ? transfers.divided_ns : transfers.fixed_ns) += ns;
          if (use.reduced && !engine.description.host_memory) {
            const auto bytes = static_cast<double>(use.bytes);
            transfers.reduced_ns += ns;
            transfers.copies_ns += engine.description.model.upload.ns(bytes) +
                                   engine.description.model.download.ns(bytes) +
                                   bytes / kCombinedBytesPerNs;
          }
        }
        if (use.written && !engine.description.host_memory) {
          const double ns = engine.description.model.download.ns(static_cast<double>(use.bytes));
          if (work.results_to_host || work.keeper != e) transfers.all_results_ns += ns;
          if (work.results_to_host && use.divided) transfers.results_ns += ns;
        }
      }
    }
    const double backlog = e < backlog_ns.size() ? std::max(backlog_ns[e], 0.0) : 0;
    const Estimate& estimate = estimates[e];
    const double start = backlog + estimate.fixed_ns + transfers.fixed_ns;
    decision.alone_ns[e] = std::max(
        start + transfers.divided_ns + transfers.all_results_ns + estimate.ns_per_unit * units,
        1.0);
    // Parts of a split overlap bringing the next chunk's operands with computing this one; the first chunk, an eighth,
    // has nothing to hide behind, and results come back when all is done. Each chunk has to be started.
    if (transfers.divided_ns > 0) decision.moving |= 1u << e;
    const double chunks = estimate.mean_sigma <= kKnownSigma ? kChunksWhereKnown : kChunks;
    decision.chunk_ns[e] = estimate.fixed_ns;
    const double around = backlog + transfers.fixed_ns + transfers.copies_ns -
                          transfers.reduced_ns + transfers.divided_ns / 8;
    const auto line = [&](double fixed_ns) {
      const double ns_per_unit = (estimate.ns(units) - fixed_ns) / units;
      return CostLine{around + chunks * fixed_ns,
                      std::max({ns_per_unit, transfers.divided_ns / units, 1e-6}) +
                          transfers.results_ns / units};
    };
    decision.lines[e] = line(estimate.fixed_ns);
    hopeful[e] = line(estimate.least_fixed_ns);
    ++candidates;
  }
  if (candidates == 0) return decision;

  const bool keeper_can = work.keeper != kNoEngine && decision.alone_ns[work.keeper] > 0;
  // Streams hide what starting costs there, and nobody would see the end of a spell in which it is slow.
  double uncounted_ns = 0;
  if (keeper_can) {
    const Estimate& keeper = estimates[work.keeper];
    uncounted_ns =
        keeper.ns(units) - (keeper.ns(units) - keeper.fixed_ns) / std::max(keeper.drift, 1.0);
  }
  auto cost = [&](EngineIndex e) {
    if (!keeper_can) return decision.alone_ns[e];
    return decision.alone_ns[e] + (e == work.keeper ? -uncounted_ns : kLeavingNs);
  };
  for (EngineIndex e = 0; e < count; ++e) {
    if (decision.alone_ns[e] <= 0) continue;
    if (decision.fastest == kNoEngine || cost(e) < cost(decision.fastest)) decision.fastest = e;
  }
  // Among equals the one that the user named first.
  const double best = cost(decision.fastest);
  for (EngineIndex e = 0; e < count; ++e) {
    if (decision.alone_ns[e] > 0 && cost(e) <= best * (1 + kTie) &&
        engines_[e]->rank < engines_[decision.fastest]->rank) {
      decision.fastest = e;
    }
  }
  const EngineIndex fastest = decision.fastest;
  decision.fastest_ns = decision.alone_ns[fastest];
  decision.part_count = 1;
  decision.parts[0] = {fastest, 0, work.units};
  decision.predicted_ns = decision.fastest_ns;
  decision.sigma = estimates[fastest].sigma;
  decision.verdict = candidates > 1          ? Verdict::placed
                     : t_forced != kNoEngine ? Verdict::forced
                                             : Verdict::only;
  if (candidates == 1) return decision;

  split(work, std::span(estimates).first(count), hopeful, decision);
  for (EngineIndex e = 0; e < count; ++e) {
    const auto parts = decision.all_parts();
    const bool runs =
        std::any_of(parts.begin(), parts.end(), [e](const Part& part) { return part.engine == e; });
    if (decision.alone_ns[e] > 0 && !runs)
      decision.passing |= std::abs(estimates[e].drift - 1) > kPublished;
  }
  if (decision.is_split() || !backlog_ns.empty() || !work.explore) return decision;
  if (const EngineIndex other = worth_exploring(std::span(estimates).first(count), decision);
      other != kNoEngine) {
    decision.verdict = Verdict::explored;
    decision.exploring = true;
    decision.parts[0].engine = other;
    decision.predicted_ns = decision.alone_ns[other];
    decision.sigma = estimates[other].sigma;
  }
  return decision;
}

void Scheduler::observe(EngineIndex engine, const Work& work, double units, double ns) {
  if (engine >= engine_count()) return;
  engines_[engine]->measured.store(true, std::memory_order_relaxed);
  if (engines_[engine]->times.observe(work, units, ns)) {
    cache_->generation(work.key).fetch_add(1, std::memory_order_relaxed);
  }
}

void Scheduler::record_outcome(const Work& work, const Decision& decision, double ns) {
  const auto decide_anew = [&] {
    cache_->generation(work.key).fetch_add(1, std::memory_order_relaxed);
  };
  const bool a_try = decision.discouraged && decision.is_split();
  if (a_try) split_experience_.count_try(work);
  if (decision.discouraged && !a_try && split_experience_.count_refusal(work)) decide_anew();
  if (!(ns > 0) || decision.predicted_ns <= 0) return;
  if (decision.is_split() && !decision.exploring && split_mode() == SplitMode::automatic) {
    const double measured = ns * decision.split_factor / decision.predicted_ns;
    const double factor = split_experience_.observe(work, measured, a_try);
    if (std::abs(factor / decision.split_factor - 1) > kPublished) decide_anew();
  }
  const double error = std::abs(decision.predicted_ns / ns - 1);
  const double step = std::log(std::max(error, 0.001) / 0.001) / std::log(1.1);
  const size_t index = std::min(static_cast<size_t>(step), AtomicCounters::kSteps - 1);
  counters_->errors[index].fetch_add(1, std::memory_order_relaxed);
}

void Scheduler::keep_learnt(const ModelStore& store) const {
  constexpr size_t kKept = 512;
  for (size_t e = 0; e < engine_count(); ++e) {
    const Engine& engine = *engines_[e];
    if (!engine.measured || engine.description.model.launch_ns <= 0) continue;
    const EngineRecord record{engine.description.model, engine.times.learnt(kKept)};
    if (const Status status = store.save(engine.description.identity, record);
        !status && status.code() != StatusCode::not_found) {
      log(LogPart::scheduler, LogLevel::info, "{}", status.message());
    }
  }
}

void Scheduler::quarantine(EngineIndex engine, std::string why) {
  if (engine >= engine_count()) return;
  Engine& e = *engines_[engine];
  const std::lock_guard lock(mutex_);
  e.failures.fetch_add(1, std::memory_order_relaxed);
  if (e.quarantined) return;
  log(LogPart::scheduler, LogLevel::warn, "{}: gets no more work: {}", e.description.identity.id,
      why);
  e.reason = std::move(why);
  e.quarantined = true;
  forget_decisions();
}

void Scheduler::release(EngineIndex engine) {
  if (engine >= engine_count()) return;
  const std::lock_guard lock(mutex_);
  engines_[engine]->reason.clear();
  engines_[engine]->quarantined = false;
  forget_decisions();
}

bool Scheduler::quarantined(EngineIndex engine) const {
  return engine < engine_count() && engines_[engine]->quarantined;
}

std::string Scheduler::quarantine_reason(EngineIndex engine) const {
  const std::lock_guard lock(mutex_);
  return engine < engine_count() ? engines_[engine]->reason : std::string();
}

void Scheduler::set_split_mode(SplitMode mode) {
  split_mode_.store(mode, std::memory_order_relaxed);
  forget_decisions();
}

void Scheduler::set_devices(DeviceList devices) {
  const std::lock_guard lock(mutex_);
  devices_ = std::move(devices);
  for (size_t e = 0; e < engine_count(); ++e) {
    const EngineDescription& description = engines_[e]->description;
    const bool left_out = description.host_cores && !devices_.names(description.identity.id);
    engines_[e]->rank = left_out ? -1 : devices_.rank(description.identity.id);
  }
  for (const std::string& entry : devices_.entries()) {
    DeviceList one = *DeviceList::parse(entry);
    bool known = false;
    for (size_t e = 0; e < engine_count(); ++e) {
      known |= one.names(engines_[e]->description.identity.id);
    }
    if (!known) log(LogPart::scheduler, LogLevel::warn, "device list: there is no {}", entry);
  }
  forget_decisions();
}

void Scheduler::force_engine(EngineIndex engine) { t_forced = engine; }
EngineIndex Scheduler::forced_engine() { return t_forced; }

Counters Scheduler::counters() const {
  Counters c;
  c.decisions = counters_->decisions.load(std::memory_order_relaxed);
  c.repeated = counters_->repeated.load(std::memory_order_relaxed);
  c.splits = counters_->splits.load(std::memory_order_relaxed);
  c.explored = counters_->explored.load(std::memory_order_relaxed);
  for (size_t i = 0; i < c.refusals.size(); ++i) {
    c.refusals[i] = counters_->refusals[i].load(std::memory_order_relaxed);
  }
  for (const auto& count : counters_->errors)
    c.predictions += count.load(std::memory_order_relaxed);
  uint64_t below = 0;
  for (size_t i = 0; i < AtomicCounters::kSteps && c.predictions != 0; ++i) {
    below += counters_->errors[i].load(std::memory_order_relaxed);
    if (2 * below >= c.predictions) {
      c.median_error = 0.001 * std::pow(1.1, static_cast<double>(i) + 0.5);
      break;
    }
  }
  return c;
}

EngineCounters Scheduler::engine_counters(EngineIndex engine) const {
  EngineCounters c;
  if (engine >= engine_count()) return c;
  const Engine& e = *engines_[engine];
  c.placed = e.placed.load(std::memory_order_relaxed);
  c.split_parts = e.split_parts.load(std::memory_order_relaxed);
  c.failures = e.failures.load(std::memory_order_relaxed);
  c.quarantined = e.quarantined;
  return c;
}

std::string Scheduler::explain(const Work& work, const Decision& decision) const {
  return fmt::format("{}: {}", work.name, describe(decision, work.units, work.indivisible_because));
}

std::string Scheduler::explain_last() const {
  if (t_last == nullptr || t_last->scheduler != this) return {};
  return fmt::format("{}: {}", t_last->name.data(),
                     describe(t_last->decision, t_last->units, t_last->indivisible_because.data()));
}

}  // namespace guda::scheduler
