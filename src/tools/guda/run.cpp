// guda run: the program with GUDA's libraries in front of all others.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tools/guda/command.h"
#include "tools/guda/install.h"
#include "tools/guda/launch_environment.h"

namespace guda::cli {

int run_command(Arguments arguments) {
  if (!arguments.empty() && std::string_view(arguments[0]) == "--")
    arguments = arguments.subspan(1);
  if (arguments.empty()) return usage_error("run", "no program given");
  const std::string name = arguments[0];
  if (name.starts_with('-')) return usage_error("run", "unknown option " + name);
  const std::string path = find_program(name);
  if (path.empty()) {
    fmt::print(stderr, "guda run: {}: no such program\n", name);
    return 127;
  }
  if (access((library_directory() + "/libguda.so").c_str(), R_OK) != 0) {
    fmt::print(stderr, "guda run: no libguda.so in {}; is the installation complete?\n",
               library_directory());
    return 127;
  }
  const LoaderVariables variables = launch_environment(path);
  setenv("LD_LIBRARY_PATH", variables.library_path.c_str(), 1);
  if (!variables.preload.empty()) setenv("LD_PRELOAD", variables.preload.c_str(), 1);

  // The strings live in the process's argument vector, which ends with a null pointer.
  execvp(path.c_str(), arguments.data());
  fmt::print(stderr, "guda run: {}: {}\n", path, std::strerror(errno));
  return errno == ENOENT ? 127 : 126;
}

}  // namespace guda::cli
