// Predicts which file the dynamic loader takes for each library that a program needs, and why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/status.h"
#include "tools/guda/elf_image.h"

namespace guda::cli {

/// What the loader looks at besides the files.
struct LoaderEnvironment {
  std::vector<std::string> library_path;  // LD_LIBRARY_PATH
  std::vector<std::string> preloads;      // LD_PRELOAD
  static LoaderEnvironment current();
};

struct FoundLibrary {
  std::string name;       // as DT_NEEDED says
  std::string path;       // empty: not found
  std::string reason;  // "RUNPATH of app", "LD_LIBRARY_PATH", "ld.so cache", "default directory"
  std::string needed_by;  // file name of the first that asks for it
};

/// All libraries that the loader would load at start, in its order (breadth first). Libraries that a
/// program opens later are not in it.
std::vector<FoundLibrary> search_libraries(const std::string& program_path, const ElfImage& program,
                                           const LoaderEnvironment& environment);

}  // namespace guda::cli
