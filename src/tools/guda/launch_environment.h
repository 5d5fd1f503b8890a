// The loader variables under which a program gets GUDA's libraries.
#pragma once

#include <string>

#include "tools/guda/library_search.h"

namespace guda::cli {

struct LoaderVariables {
  std::string library_path;  // LD_LIBRARY_PATH
  std::string preload;       // LD_PRELOAD; may be empty
};

/// LD_LIBRARY_PATH with GUDA's directory in front; LD_PRELOAD with libguda_preload.so when it is there,
/// and with the CUDA libraries of GUDA by path where the program's own RPATH would beat LD_LIBRARY_PATH.
LoaderVariables launch_environment(const std::string& program_path);

/// The same as the loader would see it.
LoaderEnvironment loader_environment(const LoaderVariables& variables);

}  // namespace guda::cli
