// What guda doctor finds out about one program.
#pragma once

#include <string>
#include <vector>

#include "support/status.h"

namespace guda::cli {

enum class RuntimeLinkage { none, dynamic, static_visible, static_stripped };

struct CudaLibrary {
  std::string name;
  std::string needed_by;
  std::string plain_path, plain_reason;  // when started as it is; path empty: not found
  std::string guda_path, guda_reason;    // under guda run
  bool from_guda = false;                // guda_path is GUDA's own
};

struct DeviceModule {
  bool relocatable = false;
  bool usable = true;
  std::vector<std::string> entries;      // "PTX for sm_80, zstd"
  std::vector<std::string> kernels;
};

struct Problem {
  std::string what;
  std::string remedy;
  bool fatal = true;                     // the program cannot work before it is solved
};

struct Diagnosis {
  std::string path;
  bool stripped = false;
  RuntimeLinkage runtime = RuntimeLinkage::none;
  std::vector<CudaLibrary> libraries;
  std::vector<std::string> missing;      // other libraries that are not found
  std::vector<DeviceModule> modules;
  std::vector<Problem> problems;

  bool is_healthy() const;
};

const char* to_string(RuntimeLinkage linkage);

/// Reads the program and predicts what the loader will do. Errors: file_not_found, invalid_image.
Result<Diagnosis> diagnose(const std::string& path);

}  // namespace guda::cli
