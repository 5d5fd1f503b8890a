// The option table: environment variables, their defaults and their documentation. `guda --help`
// and docs/options.md are printed from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace guda {

enum class Option {
  devices,
  emulated_devices,
  emulated_fault,
  emulated_link,
  emulated_shared_memory,
  num_threads,
  cpu,
  compute_capability,
  log,
  cache_dir,
  trace,
  split,
  write_back,
  device_limit,
  prefetch,
  slice_check,
  tier,
  dump,
  cuda_driver,
  cublas,
  onednn,
  cuda_cache_path,
  cuda_cache_disable,
  cuda_cache_maxsize,
  cuda_visible_devices,
  cuda_launch_blocking,
  cuda_module_loading,
  cuda_device_order,
};

struct OptionInfo {
  Option option;
  const char* variable;       // environment variable
  const char* default_value;
  const char* values;         // syntax
  const char* help;           // one sentence
};

std::span<const OptionInfo> option_table();

/// Value of the option: the environment's, else the default. Read each time: callers keep it.
std::string option_value(Option option);
/// Same, as an integer; the default when the text is not a number.
int64_t option_integer(Option option);
bool option_flag(Option option);

/// Directory of compiled kernels: GUDA_CACHE_DIR, else CUDA_CACHE_PATH, else XDG_CACHE_HOME/guda, else
/// HOME/.cache/guda, else guda-<uid> in the directory for temporary files, which is made if need be. Code
/// is loaded from there, so that one has to be a directory of this user that nobody else can write to:
/// empty when it is not.
std::string cache_directory();

}  // namespace guda
