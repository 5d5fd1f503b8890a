// guda trace: guda run with a trace.
#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "tools/guda/command.h"

namespace guda::cli {

int trace_command(Arguments arguments) {
  std::string file = "guda_trace.json";
  if (arguments.size() > 1 && std::string_view(arguments[0]) == "-o") {
    file = arguments[1];
    arguments = arguments.subspan(2);
  }
  if (arguments.empty() || (arguments[0][0] == '-' && std::string_view(arguments[0]) != "--"))
    return usage_error("trace", "no program given");
  setenv("GUDA_TRACE", file.c_str(), 1);
  fmt::print(stderr, "guda trace: writing {}; open it with ui.perfetto.dev or chrome://tracing\n",
             file);
  return run_command(arguments);
}

}  // namespace guda::cli
