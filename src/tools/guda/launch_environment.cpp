#include "tools/guda/launch_environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "tools/guda/install.h"

namespace guda::cli {
namespace {

std::string join(const std::string& front, const char* variable) {
  const char* rest = std::getenv(variable);
  if (rest == nullptr || *rest == '\0') return front;
  return front.empty() ? rest : fmt::format("{}:{}", front, rest);
}

std::vector<std::string> split_colons(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(": ", at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace

LoaderEnvironment loader_environment(const LoaderVariables& variables) {
  return {split_colons(variables.library_path), split_colons(variables.preload)};
}

LoaderVariables launch_environment(const std::string& program_path) {
  const std::string directory = library_directory();
  LoaderVariables variables;
  variables.library_path = join(directory, "LD_LIBRARY_PATH");
  std::string preloads;
  const std::string preload = directory + "/libguda_preload.so";
  if (access(preload.c_str(), R_OK) == 0) preloads = preload;

  // A script's interpreter is not looked at; it rarely links CUDA itself.
  if (const auto image = ElfImage::open(program_path)) {
    const LoaderEnvironment environment = loader_environment(variables);
    for (const FoundLibrary& library : search_libraries(program_path, *image, environment)) {
      const std::string own = fmt::format("{}/{}", directory, library.name);
      if (!provides(library.name) || library.path == own) continue;
      preloads += (preloads.empty() ? "" : ":") + own;
    }
  }
  variables.preload = preloads.empty() ? "" : join(preloads, "LD_PRELOAD");
  return variables;
}

}  // namespace guda::cli
