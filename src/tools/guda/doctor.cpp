// guda doctor: prints the diagnosis of programs.
#include <fmt/format.h>

#include <cstdio>

#include "backends/discovery.h"
#include "blas/onednn.h"
#include "tools/guda/command.h"
#include "tools/guda/diagnosis.h"
#include "tools/guda/install.h"
#include "tools/guda/json.h"

namespace guda::cli {
namespace {

void print_text(const Diagnosis& d) {
  fmt::print("{}\n", d.path);
  fmt::print("  CUDA runtime: {}{}\n", to_string(d.runtime),
             d.stripped ? " (no symbol table)" : "");
  if (d.libraries.empty()) fmt::print("  CUDA libraries: none linked\n");
  for (const CudaLibrary& library : d.libraries) {
    fmt::print("  {} (needed by {})\n", library.name, library.needed_by);
    if (library.plain_path.empty()) {
      fmt::print("    started directly: not found\n");
    } else {
      fmt::print("    started directly: {} ({})\n", library.plain_path, library.plain_reason);
    }
    if (library.guda_path.empty()) {
      fmt::print("    under guda run:   not found\n");
    } else {
      fmt::print("    under guda run:   {} ({}{})\n", library.guda_path,
                 library.from_guda ? "GUDA, " : "", library.guda_reason);
    }
  }
  if (d.modules.empty()) fmt::print("  Device code: none in this file\n");
  for (size_t i = 0; i < d.modules.size(); ++i) {
    const DeviceModule& module = d.modules[i];
    fmt::print("  Device module {}{}: {} kernel{}\n", i, module.relocatable ? " (relocatable)" : "",
               module.kernels.size(), module.kernels.size() == 1 ? "" : "s");
    for (const std::string& entry : module.entries) fmt::print("    {}\n", entry);
  }
  for (const Problem& problem : d.problems) {
    fmt::print("  {}: {}\n    Remedy: {}\n", problem.fatal ? "Problem" : "Note", problem.what,
               problem.remedy);
  }
  if (d.is_healthy()) fmt::print("  Ready: guda run {}\n", d.path);
}

void write_strings(JsonWriter& json, std::string_view name, const std::vector<std::string>& all) {
  json.key(name).begin_array();
  for (const std::string& text : all) json.value(text);
  json.end_array();
}

void write_json(JsonWriter& json, const Diagnosis& d) {
  json.begin_object();
  json.field("path", d.path).field("ready", d.is_healthy());
  json.field("cuda_runtime", to_string(d.runtime)).field("stripped", d.stripped);
  json.key("libraries").begin_array();
  for (const CudaLibrary& library : d.libraries) {
    json.begin_object();
    json.field("name", library.name).field("needed_by", library.needed_by);
    json.field("direct_path", library.plain_path).field("direct_reason", library.plain_reason);
    json.field("guda_path", library.guda_path).field("guda_reason", library.guda_reason);
    json.field("from_guda", library.from_guda).end_object();
  }
  json.end_array();
  write_strings(json, "missing", d.missing);
  json.key("device_modules").begin_array();
  for (const DeviceModule& module : d.modules) {
    json.begin_object();
    json.field("relocatable", module.relocatable).field("usable", module.usable);
    write_strings(json, "entries", module.entries);
    write_strings(json, "kernels", module.kernels);
    json.end_object();
  }
  json.end_array();
  json.key("problems").begin_array();
  for (const Problem& problem : d.problems) {
    json.begin_object();
    json.field("what", problem.what).field("remedy", problem.remedy);
    json.field("fatal", problem.fatal).end_object();
  }
  json.end_array().end_object();
}

/// Which devices there are beside the CPU, and why there are no others.
void print_engines() {
  for (const backend::Backend& backend : backend::backends()) {
    if (backend.name == "emulated") continue;
    const backend::Discovery found = backend.discover();
    if (found.devices.empty()) {
      fmt::print("{}: no devices{}{}\n", backend.name, found.note.empty() ? "" : ": ", found.note);
    }
    for (const auto& device : found.devices) {
      fmt::print("{}: {}{}\n", device->info().id(), device->info().name,
                 device->info().host_cores ? " (used when GUDA_DEVICES names it)" : "");
    }
  }
}

}  // namespace

int doctor_command(Arguments arguments) {
  bool as_json = false;
  std::vector<std::string> programs;
  for (const char* argument : arguments) {
    const std::string_view text = argument;
    if (text == "--json") {
      as_json = true;
    } else if (text.starts_with("--")) {
      return usage_error("doctor", fmt::format("unknown option {}", text));
    } else {
      programs.emplace_back(text);
    }
  }
  if (programs.empty()) return usage_error("doctor", "no program given");

  int status = 0;
  JsonWriter json;
  json.begin_array();
  for (const std::string& program : programs) {
    const std::string path = find_program(program);
    const auto diagnosis = diagnose(path.empty() ? program : path);
    if (!diagnosis) {
      fmt::print(stderr, "guda doctor: {}\n", diagnosis.status().message());
      status = 2;
      continue;
    }
    if (!diagnosis->is_healthy() && status == 0) status = 1;
    if (as_json) {
      write_json(json, *diagnosis);
    } else {
      print_text(*diagnosis);
    }
  }
  json.end_array();
  if (as_json) {
    fmt::print("{}", json.take());
  } else {
    fmt::print("oneDNN: {}\n", blas::onednn_state());
    print_engines();
  }
  return status;
}

}  // namespace guda::cli
