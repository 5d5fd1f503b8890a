// The C functions of include/guda/scheduler.h.
#include "scheduler/scheduler.h"

#include <guda/scheduler.h>

#include <cstdio>
#include <cstring>
#include <string>

#define GUDA_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace guda;
using scheduler::EngineIndex;
using scheduler::Refusal;
using scheduler::Scheduler;
using scheduler::SplitMode;

constexpr int kInvalidValue = static_cast<int>(StatusCode::invalid_value);
constexpr int kNoSuchEngine = static_cast<int>(StatusCode::invalid_device);

bool has_engine(int index) {
  return index >= 0 && static_cast<size_t>(index) < Scheduler::process().engine_count();
}

template <size_t N>
void copy_text(const std::string& from, char (&to)[N]) {
  const size_t length = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), length);
  to[length] = 0;
}

}  // namespace

GUDA_EXPORT int guda_scheduler_engine_count(int* count) {
  if (count == nullptr) return kInvalidValue;
  // Engines are entered when there is a choice between them.
  *count = std::max(1, static_cast<int>(Scheduler::process().engine_count()));
  return 0;
}

GUDA_EXPORT int guda_scheduler_engine(int index, guda_engine* engine) {
  if (engine == nullptr) return kInvalidValue;
  const Scheduler& scheduler = Scheduler::process();
  *engine = {};
  if (index == 0 && scheduler.engine_count() == 0) {
    copy_text("cpu", engine->id);
    return 0;
  }
  if (!has_engine(index)) return kNoSuchEngine;
  const auto e = static_cast<EngineIndex>(index);
  copy_text(scheduler.engine(e).identity.id, engine->id);
  copy_text(scheduler.engine(e).identity.name, engine->name);
  const scheduler::EngineCounters counters = scheduler.engine_counters(e);
  engine->quarantined = counters.quarantined ? 1 : 0;
  engine->placed = counters.placed;
  engine->split_parts = counters.split_parts;
  engine->failures = counters.failures;
  return 0;
}

GUDA_EXPORT int guda_scheduler_set_split(guda_split_mode mode) {
  switch (mode) {
    case GUDA_SPLIT_AUTO: Scheduler::process().set_split_mode(SplitMode::automatic); return 0;
    case GUDA_SPLIT_NEVER: Scheduler::process().set_split_mode(SplitMode::never); return 0;
    case GUDA_SPLIT_ALWAYS: Scheduler::process().set_split_mode(SplitMode::always); return 0;
  }
  return kInvalidValue;
}

GUDA_EXPORT int guda_scheduler_get_split(guda_split_mode* mode) {
  if (mode == nullptr) return kInvalidValue;
  switch (Scheduler::process().split_mode()) {
    case SplitMode::automatic: *mode = GUDA_SPLIT_AUTO; break;
    case SplitMode::never: *mode = GUDA_SPLIT_NEVER; break;
    case SplitMode::always: *mode = GUDA_SPLIT_ALWAYS; break;
  }
  return 0;
}

GUDA_EXPORT int guda_scheduler_set_devices(const char* list) {
  auto devices = scheduler::DeviceList::parse(list != nullptr ? list : "");
  if (!devices) return kInvalidValue;
  Scheduler::process().set_devices(std::move(*devices));
  return 0;
}

GUDA_EXPORT int guda_scheduler_force_engine(int index) {
  if (index != -1 && !has_engine(index) && index != 0) return kNoSuchEngine;
  Scheduler::force_engine(index == -1 ? scheduler::kNoEngine : static_cast<EngineIndex>(index));
  return 0;
}

GUDA_EXPORT int guda_scheduler_release_engine(int index) {
  if (!has_engine(index)) return kNoSuchEngine;
  Scheduler::process().release(static_cast<EngineIndex>(index));
  return 0;
}

GUDA_EXPORT int guda_scheduler_get_counters(guda_scheduler_counters* counters) {
  if (counters == nullptr) return kInvalidValue;
  const scheduler::Counters c = Scheduler::process().counters();
  const auto refused = [&](Refusal refusal) { return c.refusals[static_cast<size_t>(refusal)]; };
  *counters = {};
  counters->decisions = c.decisions;
  counters->repeated = c.repeated;
  counters->splits = c.splits;
  counters->explored = c.explored;
  counters->refused_indivisible = refused(Refusal::indivisible);
  counters->refused_forbidden = refused(Refusal::forbidden);
  counters->refused_small = refused(Refusal::small);
  counters->refused_gain = refused(Refusal::little_gain);
  counters->refused_uncertain = refused(Refusal::uncertain);
  counters->predictions = c.predictions;
  counters->median_error = c.median_error;
  return 0;
}

GUDA_EXPORT int guda_scheduler_explain_last(char* text, size_t bytes) {
  if (text == nullptr || bytes == 0) return kInvalidValue;
  std::snprintf(text, bytes, "%s", Scheduler::process().explain_last().c_str());
  return 0;
}
