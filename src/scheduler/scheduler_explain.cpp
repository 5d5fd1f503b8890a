#include "scheduler/scheduler.h"

#include <fmt/format.h>

#include <cmath>

namespace guda::scheduler {
namespace {

std::string time_text(double ns) {
  if (ns < 1e4) return fmt::format("{:.2f} us", ns / 1e3);
  if (ns < 1e7) return fmt::format("{:.1f} us", ns / 1e3);
  return fmt::format("{:.1f} ms", ns / 1e6);
}

std::string experience_text(const Decision& decision) {
  if (std::abs(decision.split_factor - 1) < 0.05) return {};
  return fmt::format(" (earlier splits took {:.2f} times what was expected)",
                     decision.split_factor);
}

}  // namespace

std::string Scheduler::describe(const Decision& decision, uint64_t units,
                                std::string_view indivisible_because) const {
  const auto id = [&](EngineIndex e) -> std::string_view { return engine(e).identity.id; };
  if (decision.verdict == Verdict::none) return "no engine may run it";
  std::string text;
  switch (decision.verdict) {
    case Verdict::split: {
      text = "split: ";
      for (const Part& part : decision.all_parts()) {
        text += fmt::format("{}{} {:.1f} %", part.begin == 0 ? "" : ", ", id(part.engine),
                            100 * static_cast<double>(part.count) / static_cast<double>(units));
      }
      text += fmt::format(
          " of {} units, {} predicted; {} alone {}, gain {:.1f} % (needed {:.1f} %)", units,
          time_text(decision.predicted_ns), id(decision.fastest), time_text(decision.fastest_ns),
          100 * decision.gain, 100 * decision.needed_gain);
      if (decision.exploring) text += ", to learn how fast they are";
      text += experience_text(decision);
      if (decision.discouraged) text += ", a try";
      return text;
    }
    case Verdict::only:
      return fmt::format("{}, the only engine that may run it", id(decision.parts[0].engine));
    case Verdict::forced:
      return fmt::format("{}, as the program wishes", id(decision.parts[0].engine));
    default: break;
  }
  text = fmt::format("{}, {} predicted", id(decision.parts[0].engine),
                     time_text(decision.predicted_ns));
  if (decision.verdict == Verdict::explored) text += ", to learn how fast it is";
  for (EngineIndex e = 0; e < engine_count(); ++e) {
    if (decision.alone_ns[e] > 0 && e != decision.parts[0].engine) {
      text += fmt::format("; {} {}", id(e), time_text(decision.alone_ns[e]));
    }
  }
  switch (decision.refusal) {
    case Refusal::none: break;
    case Refusal::forbidden: text += "; not split: GUDA_SPLIT=never"; break;
    case Refusal::indivisible: text += fmt::format("; not split: {}", indivisible_because); break;
    case Refusal::small: text += "; not split: fewer than two tiles"; break;
    case Refusal::little_gain:
      text += fmt::format("; not split: gain {:.1f} %, needed {:.1f} %", 100 * decision.gain,
                          100 * decision.needed_gain) +
              experience_text(decision);
      break;
    case Refusal::uncertain:
      text += fmt::format("; not split: gain {:.1f} % is within the uncertainty, {:.1f} %",
                          100 * decision.gain, 100 * decision.needed_gain) +
              experience_text(decision);
      break;
  }
  return text;
}

}  // namespace guda::scheduler
