// The subcommands of the guda program: one table, from which dispatch and --help follow.
#pragma once

#include <span>
#include <string_view>

namespace guda::cli {

using Arguments = std::span<char* const>;

struct Command {
  const char* name;
  const char* synopsis;   // arguments, as --help shows them
  const char* help;       // one line
  int (*run)(Arguments arguments);  // arguments after the command's name; the exit status
};

std::span<const Command> command_table();

/// Wrong usage: says why and shows the command's synopsis; returns exit status 2.
int usage_error(const char* command, std::string_view message);

int run_command(Arguments arguments);
int trace_command(Arguments arguments);
int top_command(Arguments arguments);
int info_command(Arguments arguments);
int doctor_command(Arguments arguments);
int compile_command(Arguments arguments);
int explain_command(Arguments arguments);
int calibrate_command(Arguments arguments);
int cache_command(Arguments arguments);
int options_command(Arguments arguments);

}  // namespace guda::cli
