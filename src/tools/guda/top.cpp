// guda top: what the engines of all processes that run on GUDA are doing.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "support/live_counters.h"
#include "tools/guda/command.h"
#include "tools/guda/json.h"

namespace guda::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Snapshot {
  Clock::time_point time = Clock::now();
  std::vector<LiveReading> processes = read_live_pages();
};

const LiveReading::Engine* engine_before(const Snapshot& before, const LiveReading& process,
                                         size_t index) {
  for (const LiveReading& other : before.processes) {
    if (other.process == process.process && index < other.engines.size())
      return &other.engines[index];
  }
  return nullptr;
}

std::string table(const Snapshot& before, const Snapshot& now) {
  const double seconds = std::chrono::duration<double>(now.time - before.time).count();
  std::string text = fmt::format("{:>8} {:<20} {:<12} {:>6} {:>12} {:>10} {:>12}\n", "PID",
                                 "PROGRAM", "ENGINE", "BUSY%", "LAUNCHES/S", "MB/S", "LAUNCHES");
  for (const LiveReading& process : now.processes) {
    for (size_t i = 0; i < process.engines.size(); ++i) {
      const LiveReading::Engine& engine = process.engines[i];
      const LiveReading::Engine* old = engine_before(before, process, i);
      const auto per_second = [&](uint64_t LiveReading::Engine::* field) {
        return old == nullptr || seconds <= 0
                   ? 0.0
                   : static_cast<double>(engine.*field - old->*field) / seconds;
      };
      text += fmt::format("{:>8} {:<20.20} {:<12} {:>6.1f} {:>12.0f} {:>10.1f} {:>12}{}\n",
                          process.process, process.program, engine.id,
                          per_second(&LiveReading::Engine::busy_ns) * 1e-7,
                          per_second(&LiveReading::Engine::launches),
                          per_second(&LiveReading::Engine::moved_bytes) * 1e-6, engine.launches,
                          engine.out_of_service ? "  out of service" : "");
    }
  }
  if (now.processes.empty()) text += "No process of yours runs on GUDA.\n";
  return text;
}

std::string json(const Snapshot& now) {
  JsonWriter out;
  out.begin_object().key("processes").begin_array();
  for (const LiveReading& process : now.processes) {
    out.begin_object();
    out.field("pid", process.process);
    out.field("program", process.program);
    out.key("engines").begin_array();
    for (const LiveReading::Engine& engine : process.engines) {
      out.begin_object();
      out.field("id", engine.id);
      out.field("launches", engine.launches);
      out.field("busy_ns", engine.busy_ns);
      out.field("moved_bytes", engine.moved_bytes);
      out.field("out_of_service", engine.out_of_service);
      out.end_object();
    }
    out.end_array().end_object();
  }
  out.end_array().end_object();
  return out.take();
}

}  // namespace

int top_command(Arguments arguments) {
  bool once = false, as_json = false;
  for (const char* argument : arguments) {
    const std::string_view name = argument;
    if (name == "--once") {
      once = true;
    } else if (name == "--json") {
      as_json = true;
    } else {
      return usage_error("top", fmt::format("unknown option {}", name));
    }
  }
  Snapshot before;
  if (as_json) {
    fmt::print("{}", json(before));
    return 0;
  }
  constexpr auto kInterval = std::chrono::milliseconds(500);
  for (;;) {
    std::this_thread::sleep_for(kInterval);
    Snapshot now;
    // Home, and clear what is below.
    fmt::print("{}{}", once ? "" : "\x1b[H\x1b[J", table(before, now));
    std::fflush(stdout);
    if (once) return 0;
    before = std::move(now);
  }
}

}  // namespace guda::cli
