// guda: runs CUDA programs on GUDA, and answers questions about them.
#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "support/options.h"
#include "tools/guda/command.h"

namespace guda::cli {
namespace {

constexpr std::array kCommands = {
    Command{"run", "[--] <program> [arguments...]",
            "Runs a CUDA program with GUDA in the place of NVIDIA's libraries.", run_command},
    Command{"trace", "[-o <file>] [--] <program> [arguments...]",
            "Runs a program and writes what ran where and when, for Perfetto.", trace_command},
    Command{"top", "[--once] [--json]", "Shows what the engines are doing, live.", top_command},
    Command{"info", "[--json]", "Shows devices, engines, instruction sets, caches and versions.",
            info_command},
    Command{"doctor", "[--json] <program>...",
            "Says which CUDA libraries a program would get and why, and what to do about problems.",
            doctor_command},
    Command{"compile", "[--jobs <n>] <program or library or .ptx or .fatbin>...",
            "Compiles every kernel of the files into the cache ahead of time.", compile_command},
    Command{"explain", "[--json] <program or library or .ptx or .fatbin>...",
            "Says which kernels may be divided among engines and why others may not.",
            explain_command},
    Command{"cache", "[--clear] [--json]", "Shows or clears the cache of compiled kernels.",
            cache_command},
    Command{"calibrate", "[--json]",
            "Measures what the engines of this machine can do and keeps it for the scheduler.",
            calibrate_command},
    Command{"options", "[--markdown]", "Lists the environment variables.", options_command},
};

void print_help() {
  fmt::print("Usage: guda <command> [arguments]\n\nCommands:\n");
  for (const Command& command : kCommands) {
    fmt::print("  guda {} {}\n      {}\n", command.name, command.synopsis, command.help);
  }
  fmt::print("  guda --help | --version\n\nEnvironment variables:\n");
  for (const OptionInfo& option : option_table()) {
    fmt::print("  {}={}\n      {} Default: {}\n", option.variable, option.values, option.help,
               *option.default_value != '\0' ? option.default_value : "none");
  }
}

}  // namespace

std::span<const Command> command_table() { return kCommands; }

int usage_error(const char* command, std::string_view message) {
  fmt::print(stderr, "guda {}: {}\n", command, message);
  for (const Command& known : kCommands) {
    if (std::string_view(known.name) == command) {
      fmt::print(stderr, "Usage: guda {} {}\n", known.name, known.synopsis);
    }
  }
  return 2;
}

int run_main(Arguments arguments) {
  const std::string_view name = arguments.size() > 1 ? arguments[1] : "";
  if (name == "--help" || name == "-h" || name == "help") {
    print_help();
    return 0;
  }
  if (name == "--version") {
    fmt::print("guda {}\n", GUDA_VERSION);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(arguments.subspan(2));
  }
  if (name.empty()) {
    print_help();
  } else {
    fmt::print(stderr, "guda: no command {}; see guda --help\n", name);
  }
  return 2;
}

}  // namespace guda::cli

int main(int argc, char** argv) { return guda::cli::run_main({argv, static_cast<size_t>(argc)}); }
