#include "support/options.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>

namespace guda {
namespace {

constexpr std::array kOptions = {
    OptionInfo{Option::devices, "GUDA_DEVICES", "", "list, such as cpu,cuda:0",
               "Engines to use, in order of preference; empty means all."},
    OptionInfo{Option::emulated_devices, "GUDA_EMULATED_DEVICES", "1", "number",
               "Devices that the engine \"emulated\" has: the CPU engine with memory of its own, "
               "for tests."},
    OptionInfo{Option::emulated_fault, "GUDA_EMULATED_FAULT", "", "[call]:number:error|vanish|hang",
               "Makes that call of emulated devices fail, such as launch:3:error, for tests."},
    OptionInfo{
        Option::emulated_link, "GUDA_EMULATED_LINK", "0", "megabytes per second",
        "How fast emulated devices get and give memory; 0 means as fast as it is. For tests."},
    OptionInfo{Option::emulated_shared_memory, "GUDA_EMULATED_SHARED_MEMORY", "1", "0|1",
               "Whether emulated devices reach pinned and managed memory where it is; for tests."},
    OptionInfo{Option::num_threads, "GUDA_NUM_THREADS", "0", "number",
               "Worker threads of the CPU engine; 0 means one per core."},
    OptionInfo{Option::cpu, "GUDA_CPU", "native", "native|x86-64-v3|x86-64-v4|sapphirerapids",
               "Instruction set that kernels are compiled for."},
    OptionInfo{Option::compute_capability, "GUDA_COMPUTE_CAPABILITY", "8.9", "major.minor",
               "Compute capability that the CPU device reports."},
    OptionInfo{Option::log, "GUDA_LOG", "warn", "error|warn|info|debug|trace[,part=level...]",
               "What is written to standard error."},
    OptionInfo{Option::cache_dir, "GUDA_CACHE_DIR", "", "directory",
               "Where compiled kernels are kept; overrides CUDA_CACHE_PATH."},
    OptionInfo{Option::trace, "GUDA_TRACE", "", "file", "Writes a trace of launches and copies."},
    OptionInfo{Option::split, "GUDA_SPLIT", "auto", "auto|never|always",
               "Whether work may be split across engines."},
    OptionInfo{
        Option::write_back, "GUDA_WRITE_BACK", "auto", "auto|never|always",
        "Whether results of devices are copied to the host at once, so that nothing is lost "
        "with a device; auto: unless the first engine is a GPU that runs nearly everything."},
    OptionInfo{
        Option::device_limit, "GUDA_DEVICE_LIMIT", "5000", "milliseconds",
        "A device that takes longer than this, and longer than 20 times the prediction, for a "
        "transfer or for work that others could do is out of service."},
    OptionInfo{
        Option::prefetch, "GUDA_PREFETCH", "1", "0|1",
        "Whether operands of queued work are sent to devices while earlier work of the stream "
        "runs."},
    OptionInfo{Option::slice_check, "GUDA_SLICE_CHECK", "0", "0|1",
               "For tests: runs splittable launches again in slices and compares."},
    OptionInfo{Option::tier, "GUDA_TIER", "auto", "auto|c",
               "c compiles every kernel for lane-by-lane execution, the slow reference."},
    OptionInfo{Option::dump, "GUDA_DUMP", "", "directory",
               "Keeps the compiler's intermediate files there."},
    OptionInfo{Option::cuda_driver, "GUDA_CUDA_DRIVER", "", "file",
               "NVIDIA's libcuda.so.1; empty means to look for it."},
    OptionInfo{Option::cublas, "GUDA_CUBLAS", "", "file|none",
               "NVIDIA's libcublas.so for products on its GPUs; empty means to look for it."},
    OptionInfo{
        Option::onednn, "GUDA_ONEDNN", "auto", "auto|never|always",
        "Whether f32 matrix products go to oneDNN; auto: on CPUs without AVX-512, where it is "
        "faster."},
    OptionInfo{Option::cuda_cache_path, "CUDA_CACHE_PATH", "", "directory", "As in CUDA."},
    OptionInfo{Option::cuda_cache_disable, "CUDA_CACHE_DISABLE", "0", "0|1", "As in CUDA."},
    OptionInfo{Option::cuda_cache_maxsize, "CUDA_CACHE_MAXSIZE", "1073741824", "bytes",
               "As in CUDA."},
    OptionInfo{Option::cuda_visible_devices, "CUDA_VISIBLE_DEVICES", "", "list", "As in CUDA."},
    OptionInfo{Option::cuda_launch_blocking, "CUDA_LAUNCH_BLOCKING", "0", "0|1", "As in CUDA."},
    OptionInfo{Option::cuda_module_loading, "CUDA_MODULE_LOADING", "LAZY", "LAZY|EAGER",
               "As in CUDA."},
    OptionInfo{Option::cuda_device_order, "CUDA_DEVICE_ORDER", "FASTEST_FIRST",
               "FASTEST_FIRST|PCI_BUS_ID", "As in CUDA."},
};

const OptionInfo& info(Option option) { return kOptions[static_cast<size_t>(option)]; }

}  // namespace

std::span<const OptionInfo> option_table() { return kOptions; }

std::string option_value(Option option) {
  const OptionInfo& entry = info(option);
  const char* value = std::getenv(entry.variable);
  return value != nullptr ? value : entry.default_value;
}

int64_t option_integer(Option option) {
  const auto parse = [](std::string_view text, int64_t& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
  };
  int64_t value = 0;
  if (!parse(option_value(option), value)) parse(info(option).default_value, value);
  return value;
}

bool option_flag(Option option) { return option_integer(option) != 0; }

namespace {

/// A directory for temporary files belongs to everyone: another user may have made ours first.
std::string private_temporary_directory() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) return {};
  std::string path = (parent / fmt::format("guda-{}", geteuid())).string();
  mkdir(path.c_str(), S_IRWXU);
  struct stat status{};
  const bool ours = lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                    status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  return ours ? path : std::string();
}

}  // namespace

std::string cache_directory() {
  for (const Option option : {Option::cache_dir, Option::cuda_cache_path}) {
    if (std::string path = option_value(option); !path.empty()) return path;
  }
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') {
    return fmt::format("{}/guda", xdg);
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return fmt::format("{}/.cache/guda", home);
  }
  return private_temporary_directory();
}

}  // namespace guda
