// guda explain: whether the launches of a program's kernels may be divided among engines, and why not; what each
// kernel reads and writes. Nothing is run.
#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compiler/access/symbolic_form.h"
#include "runtime/module/module.h"
#include "tools/guda/command.h"
#include "tools/guda/json.h"
#include "tools/guda/kernel_files.h"

namespace guda::cli {
namespace {

using access::Access;
using access::AccessKind;
using access::AccessSummary;

/// The C++ name without its parameters' types; the symbol itself when it is not mangled.
std::string readable(std::string_view symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(std::string(symbol).c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 && text != nullptr ? text.get() : std::string(symbol);
}

struct Explanation {
  std::string symbol;
  Status status;
  access::StaticVerdict verdict;
  std::vector<std::string> reads, writes, atomics;
  std::vector<std::string> variables;
};

std::string_view name_of(access::Combine combine) {
  switch (combine) {
    case access::Combine::none: return "other";
    case access::Combine::add: return "add";
    case access::Combine::minimum_signed:
    case access::Combine::minimum_unsigned: return "min";
    case access::Combine::maximum_signed:
    case access::Combine::maximum_unsigned: return "max";
    case access::Combine::bit_and: return "and";
    case access::Combine::bit_or: return "or";
    case access::Combine::bit_xor: return "xor";
  }
  return "other";
}

Explanation explain(runtime::Kernel& kernel) {
  Explanation result;
  result.symbol = kernel.name();
  auto layout = kernel.layout();
  if (!layout) {
    result.status = layout.status();
    return result;
  }
  auto evaluator = kernel.access();
  if (!evaluator) {
    result.status = evaluator.status();
    return result;
  }
  const AccessSummary& summary = (*evaluator)->summary();
  result.verdict = access::static_verdict(summary);
  result.variables = summary.variables;
  const auto name = [&](uint32_t offset) {
    const auto& parameters = (*layout)->parameters;
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (offset < parameters[i].offset || offset >= parameters[i].offset + parameters[i].size)
        continue;
      const uint32_t inside = offset - parameters[i].offset;
      return inside == 0 ? fmt::format("arg{}", i) : fmt::format("arg{}[{}]", i, inside);
    }
    return fmt::format("param[{}]", offset);
  };
  std::set<std::string> seen;
  for (const Access& access : summary.accesses) {
    std::string text = fmt::format("{}{}{}: {} bytes",
                                   access.kind == AccessKind::atomic ? name_of(access.combine) : "",
                                   access.kind == AccessKind::atomic ? " " : "",
                                   access::describe(summary, access, name), access.bytes);
    auto& list = access.kind == AccessKind::read    ? result.reads
                 : access.kind == AccessKind::write ? result.writes
                                                    : result.atomics;
    if (seen.insert(fmt::format("{} {}", static_cast<int>(access.kind), text)).second)
      list.push_back(std::move(text));
  }
  return result;
}

std::string sentence(const access::StaticVerdict& verdict) {
  const auto axis = "xyz"[verdict.axis];
  switch (verdict.rung) {
    case access::Rung::disjoint:
      return fmt::format("may be split along {}: blocks write disjoint memory", axis);
    case access::Rung::bounds:
      return fmt::format("may be split along {}, depending on the arguments: {}", axis,
                         verdict.reason);
    case access::Rung::reduction:
      return fmt::format("may be split along {}: what blocks share is an integer reduction", axis);
    case access::Rung::refused: return "is not split: " + verdict.reason;
  }
  return {};
}

void print_text(const Explanation& kernel) {
  fmt::print("{}\n", readable(kernel.symbol));
  if (!kernel.status) {
    fmt::print("  is not split: {}\n", kernel.status.message());
    return;
  }
  fmt::print("  {}\n", sentence(kernel.verdict));
  const auto list = [](std::string_view verb, const std::vector<std::string>& sets) {
    constexpr size_t kMostShown = 12;
    for (size_t i = 0; i < std::min(sets.size(), kMostShown); ++i)
      fmt::print("  {} {}\n", verb, sets[i]);
    if (sets.size() > kMostShown)
      fmt::print("  {} ... ({} more, see --json)\n", verb, sets.size() - kMostShown);
  };
  list("reads ", kernel.reads);
  list("writes", kernel.writes);
  list("atomic", kernel.atomics);
}

void write_json(JsonWriter& json, const Explanation& kernel) {
  const auto list = [&](std::string_view key, const std::vector<std::string>& texts) {
    json.key(key).begin_array();
    for (const std::string& text : texts) json.value(std::string_view(text));
    json.end_array();
  };
  json.begin_object();
  json.field("kernel", std::string_view(kernel.symbol));
  if (!kernel.status) {
    json.field("error", std::string_view(kernel.status.message()));
    json.end_object();
    return;
  }
  json.field("may_be_split", kernel.verdict.rung != access::Rung::refused);
  json.field("rung", access::to_string(kernel.verdict.rung));
  if (!kernel.verdict.reason.empty()) json.field("reason", std::string_view(kernel.verdict.reason));
  json.field("axis", std::string_view(&"xyz"[kernel.verdict.axis], 1));
  list("reads", kernel.reads);
  list("writes", kernel.writes);
  list("atomics", kernel.atomics);
  list("variables", kernel.variables);
  json.end_object();
}

}  // namespace

int explain_command(Arguments arguments) {
  bool as_json = false;
  std::vector<std::string> files;
  for (const char* argument : arguments) {
    const std::string_view text = argument;
    if (text == "--json") {
      as_json = true;
    } else if (text.starts_with("-")) {
      return usage_error("explain", fmt::format("unknown option {}", text));
    } else {
      files.emplace_back(text);
    }
  }
  if (files.empty()) return usage_error("explain", "no file given");
  KernelFiles sources;
  bool failed = false;
  for (const std::string& file : files) {
    if (Status status = sources.read(file); !status) {
      fmt::print(stderr, "guda explain: {}\n", status.message());
      failed = true;
    }
  }
  JsonWriter json;
  json.begin_object();
  json.key("kernels").begin_array();
  bool first = true;
  for (runtime::Kernel* kernel : sources.kernels()) {
    const Explanation explanation = explain(*kernel);
    failed = failed || !explanation.status;
    if (as_json) {
      write_json(json, explanation);
    } else {
      if (!first) fmt::print("\n");
      print_text(explanation);
    }
    first = false;
  }
  json.end_array();
  json.end_object();
  if (as_json) fmt::print("{}", json.take());
  return failed ? 1 : 0;
}

}  // namespace guda::cli
