// guda info: devices as a CUDA program sees them, and what stands behind them.
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/module/cache.h"
#include "runtime/module/compiler_client.h"
#include "support/options.h"
#include "tools/guda/command.h"
#include "tools/guda/install.h"
#include "tools/guda/json.h"

namespace guda::cli {
namespace {

/// The few functions of the CUDA runtime API that are asked, opened as a program's loader would.
class CudaRuntime {
 public:
  /// False, with error() set, when GUDA's runtime cannot be opened.
  bool open() {
    for (const char* name : {"libguda.so", "libcudart.so.13"}) {
      const std::string path = fmt::format("{}/{}", library_directory(), name);
      void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) {
        error_ = dlerror();
        continue;
      }
      if (bind(library, "cudaGetDeviceCount", get_device_count) &&
          bind(library, "cudaDeviceGetAttribute", get_attribute) &&
          bind(library, "cudaRuntimeGetVersion", runtime_version) &&
          bind(library, "cudaDriverGetVersion", driver_version) &&
          bind(library, "cudaMemGetInfo", memory_info) &&
          bind(library, "cudaSetDevice", set_device) &&
          (bind(library, "cudaGetDeviceProperties", get_properties) ||
           bind(library, "cudaGetDeviceProperties_v2", get_properties))) {
        return true;
      }
      error_ = fmt::format("{} lacks functions of the CUDA runtime API", path);
    }
    return false;
  }
  const std::string& error() const { return error_; }

  int (*get_device_count)(int*) = nullptr;
  int (*get_attribute)(int*, int, int) = nullptr;
  int (*runtime_version)(int*) = nullptr;
  int (*driver_version)(int*) = nullptr;
  int (*memory_info)(size_t*, size_t*) = nullptr;
  int (*set_device)(int) = nullptr;
  int (*get_properties)(void*, int) = nullptr;

 private:
  template <typename F>
  static bool bind(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    return function != nullptr;
  }
  std::string error_;
};

struct AttributeRow {
  const char* key;
  int attribute;     // cudaDeviceAttr
  const char* label;
};

/// What deviceQuery shows, in its order.
constexpr std::array kAttributes = {
    AttributeRow{"compute_capability_major", 75, "Compute capability, major"},
    AttributeRow{"compute_capability_minor", 76, "Compute capability, minor"},
    AttributeRow{"multiprocessors", 16, "Multiprocessors"},
    AttributeRow{"clock_khz", 13, "Clock rate (kHz)"},
    AttributeRow{"memory_clock_khz", 36, "Memory clock rate (kHz)"},
    AttributeRow{"memory_bus_bits", 37, "Memory bus width (bits)"},
    AttributeRow{"l2_cache_bytes", 38, "L2 cache (bytes)"},
    AttributeRow{"constant_memory_bytes", 9, "Constant memory (bytes)"},
    AttributeRow{"shared_memory_per_block", 8, "Shared memory per block (bytes)"},
    AttributeRow{"shared_memory_per_block_optin", 97, "Shared memory per block, opt-in (bytes)"},
    AttributeRow{"shared_memory_per_multiprocessor", 81,
                 "Shared memory per multiprocessor (bytes)"},
    AttributeRow{"registers_per_block", 12, "Registers per block"},
    AttributeRow{"warp_size", 10, "Warp size"},
    AttributeRow{"threads_per_multiprocessor", 39, "Threads per multiprocessor"},
    AttributeRow{"threads_per_block", 1, "Threads per block"},
    AttributeRow{"block_dim_x", 2, "Block size, x"},
    AttributeRow{"block_dim_y", 3, "Block size, y"},
    AttributeRow{"block_dim_z", 4, "Block size, z"},
    AttributeRow{"grid_dim_x", 5, "Grid size, x"},
    AttributeRow{"grid_dim_y", 6, "Grid size, y"},
    AttributeRow{"grid_dim_z", 7, "Grid size, z"},
    AttributeRow{"async_engines", 40, "Copy engines"},
    AttributeRow{"concurrent_kernels", 31, "Concurrent kernels"},
    AttributeRow{"integrated", 18, "Integrated, shares host memory"},
    AttributeRow{"can_map_host_memory", 19, "Host page-locked memory mapping"},
    AttributeRow{"unified_addressing", 41, "Unified addressing"},
    AttributeRow{"managed_memory", 83, "Managed memory"},
    AttributeRow{"pageable_memory_access", 88, "Pageable memory access"},
    AttributeRow{"cooperative_launch", 95, "Cooperative launch"},
    AttributeRow{"memory_pools", 115, "Memory pools"},
};

struct DeviceInfo {
  std::string name;
  size_t free_bytes = 0, total_bytes = 0;
  std::array<std::optional<int>, kAttributes.size()> attributes;
};

struct Info {
  std::string error;  // why there are no devices
  int runtime_version = 0, driver_version = 0;
  std::vector<DeviceInfo> devices;
  std::vector<std::string> instruction_sets;
  std::string processor;
  unsigned threads = 0;
};

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
#if defined(__x86_64__)
  __builtin_cpu_init();
#define GUDA_ISA(feature) \
  if (__builtin_cpu_supports(feature)) names.emplace_back(feature)
  GUDA_ISA("avx2");
  GUDA_ISA("fma");
  GUDA_ISA("avx512f");
  GUDA_ISA("avx512bw");
  GUDA_ISA("avx512vl");
  GUDA_ISA("avx512vbmi");
  GUDA_ISA("avx512vnni");
  GUDA_ISA("avx512bf16");
#undef GUDA_ISA
#endif
  return names;
}

/// A value of the first processor in /proc/cpuinfo.
std::string processor_field(std::string_view name) {
  std::string value;
  std::FILE* file = std::fopen("/proc/cpuinfo", "r");
  if (file == nullptr) return value;
  char line[4096];
  while (value.empty() && std::fgets(line, sizeof line, file) != nullptr) {
    const std::string_view text = line;
    const size_t colon = text.find(": ");
    if (!text.starts_with(name) || colon == std::string_view::npos) continue;
    value = text.substr(colon + 2, text.find('\n') - colon - 2);
  }
  std::fclose(file);
  return value;
}

Info gather() {
  Info info;
  info.instruction_sets = instruction_sets();
  const std::string flags = " " + processor_field("flags") + " ";
  for (const char* extra : {"avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}) {
    if (flags.find(fmt::format(" {} ", extra)) != std::string::npos) {
      info.instruction_sets.emplace_back(extra);
    }
  }
  info.processor = processor_field("model name");
  info.threads = std::thread::hardware_concurrency();
  CudaRuntime cuda;
  if (!cuda.open()) {
    info.error = cuda.error();
    return info;
  }
  cuda.runtime_version(&info.runtime_version);
  cuda.driver_version(&info.driver_version);
  int count = 0;
  if (const int code = cuda.get_device_count(&count); code != 0) {
    info.error = fmt::format("cudaGetDeviceCount returned {}", code);
    return info;
  }
  for (int device = 0; device < count; ++device) {
    DeviceInfo entry;
    // cudaDeviceProp begins with the name in every version; it has never been near this size.
    alignas(16) std::array<char, 8192> properties{};
    if (cuda.get_properties(properties.data(), device) == 0) {
      entry.name.assign(properties.data(), strnlen(properties.data(), 256));
    }
    for (size_t i = 0; i < kAttributes.size(); ++i) {
      int value = 0;
      if (cuda.get_attribute(&value, kAttributes[i].attribute, device) == 0) {
        entry.attributes[i] = value;
      }
    }
    if (cuda.set_device(device) == 0) cuda.memory_info(&entry.free_bytes, &entry.total_bytes);
    info.devices.push_back(std::move(entry));
  }
  return info;
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void print_text(const Info& info) {
  fmt::print("GUDA {}\n", GUDA_VERSION);
  if (!info.error.empty()) fmt::print("No CUDA devices: {}\n", info.error);
  if (info.runtime_version != 0) {
    fmt::print("CUDA runtime {}, driver {}\n", version_text(info.runtime_version),
               version_text(info.driver_version));
  }
  for (size_t d = 0; d < info.devices.size(); ++d) {
    const DeviceInfo& device = info.devices[d];
    fmt::print("\nDevice {}: {}\n", d, device.name);
    fmt::print("  {:<42}{} MiB, {} MiB free\n", "Memory", device.total_bytes >> 20,
               device.free_bytes >> 20);
    for (size_t i = 0; i < kAttributes.size(); ++i) {
      if (device.attributes[i]) {
        fmt::print("  {:<42}{}\n", kAttributes[i].label, *device.attributes[i]);
      }
    }
  }
  runtime::CompilerClient& compiler = runtime::CompilerClient::process_compiler();
  runtime::KernelCache& cache = runtime::KernelCache::process_cache();
  const auto usage = cache.usage();
  fmt::print("\nEngine cpu: {}\n", info.processor);
  fmt::print("  {:<42}{}\n", "Hardware threads", info.threads);
  fmt::print("  {:<42}{}\n", "Instruction sets", join(info.instruction_sets));
  fmt::print("  {:<42}{}\n", "Kernels are compiled for", option_value(Option::cpu));
  fmt::print("\nCompiler: {} ({})\n", compiler.path(), compiler.identity());
  fmt::print("Kernel cache: {}: {} kernels, {:.1f} of {:.0f} MiB{}\n", cache.directory(),
             usage.files, static_cast<double>(usage.bytes) / (1 << 20),
             static_cast<double>(cache.max_bytes()) / (1 << 20),
             cache.enabled() ? "" : " (disabled)");
  fmt::print("Libraries: {}\n", library_directory());
}

void print_json(const Info& info) {
  JsonWriter json;
  json.begin_object();
  json.field("version", GUDA_VERSION).field("error", info.error);
  json.field("cuda_runtime_version", info.runtime_version);
  json.field("cuda_driver_version", info.driver_version);
  json.key("devices").begin_array();
  for (const DeviceInfo& device : info.devices) {
    json.begin_object().field("name", device.name);
    json.field("total_memory", device.total_bytes).field("free_memory", device.free_bytes);
    for (size_t i = 0; i < kAttributes.size(); ++i) {
      if (device.attributes[i]) json.field(kAttributes[i].key, *device.attributes[i]);
    }
    json.end_object();
  }
  json.end_array();
  json.key("engines").begin_array().begin_object();
  json.field("name", "cpu").field("processor", info.processor).field("threads", info.threads);
  json.key("instruction_sets").begin_array();
  for (const std::string& name : info.instruction_sets) json.value(name);
  json.end_array().field("target", option_value(Option::cpu)).end_object().end_array();
  runtime::CompilerClient& compiler = runtime::CompilerClient::process_compiler();
  runtime::KernelCache& cache = runtime::KernelCache::process_cache();
  const auto usage = cache.usage();
  json.key("compiler").begin_object();
  json.field("path", compiler.path()).field("identity", compiler.identity()).end_object();
  json.key("cache").begin_object();
  json.field("directory", cache.directory()).field("enabled", cache.enabled());
  json.field("kernels", usage.files).field("bytes", usage.bytes);
  json.field("max_bytes", cache.max_bytes()).end_object();
  json.field("libraries", library_directory()).end_object();
  fmt::print("{}", json.take());
}

}  // namespace

int info_command(Arguments arguments) {
  bool as_json = false;
  for (const char* argument : arguments) {
    if (std::string_view(argument) != "--json") return usage_error("info", "unknown argument");
    as_json = true;
  }
  const Info info = gather();
  if (as_json) {
    print_json(info);
  } else {
    print_text(info);
  }
  return info.error.empty() ? 0 : 1;
}

}  // namespace guda::cli
