#include "runtime/device.h"

#include "memory/heap.h"
#include "runtime/engines.h"
#include "runtime/module/fatbin.h"
#include "support/options.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <type_traits>
#include <unordered_map>

namespace guda::runtime {
namespace {

struct ProcessorInfo {
  std::string model = "unknown processor";
  int clock_khz = 0;
};

ProcessorInfo read_processor() {
  ProcessorInfo info;
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.empty()) {
    auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) info.model = value;
    if (line.starts_with("cpu MHz"))
      info.clock_khz = static_cast<int>(std::strtod(value.c_str(), nullptr) * 1000);
  }
  std::ifstream maximum("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
  int khz = 0;
  if (maximum >> khz) info.clock_khz = khz;
  if (info.clock_khz == 0) info.clock_khz = 2000000;
  return info;
}

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1l, sysconf(_SC_NPROCESSORS_ONLN)));
}

/// A GPU behind us is what programs see.
void describe(const backend::Device& device, DeviceProperties& p) {
  auto take = [&](int attribute, auto& field) {
    if (auto value = device.cuda_attribute(attribute))
      field = static_cast<std::remove_reference_t<decltype(field)>>(*value);
  };
  p.name = device.info().name;
  p.total_memory = device.info().memory_bytes;
  take(1, p.max_threads_per_block);
  for (size_t axis = 0; axis < 3; ++axis) {
    take(2 + static_cast<int>(axis), p.max_block[axis]);
    take(5 + static_cast<int>(axis), p.max_grid[axis]);
  }
  take(8, p.shared_per_block);
  take(9, p.constant_memory);
  take(10, p.warp_size);
  take(12, p.registers_per_block);
  take(13, p.clock_khz);
  take(16, p.multiprocessors);
  take(36, p.memory_clock_khz);
  take(37, p.memory_bus_bits);
  take(38, p.l2_bytes);
  take(39, p.max_threads_per_multiprocessor);
  take(75, p.major);
  take(76, p.minor);
  take(81, p.shared_per_multiprocessor);
  take(82, p.registers_per_multiprocessor);
  take(97, p.shared_per_block_optin);
  take(106, p.max_blocks_per_multiprocessor);
  take(111, p.shared_reserved_per_block);
}

DeviceProperties read_properties() {
  Engines::start();
  DeviceProperties p;
  ProcessorInfo processor = read_processor();
  p.name = fmt::format("GUDA CPU ({})", processor.model).substr(0, 255);
  uint32_t capability = device_capability();
  p.major = static_cast<int>(capability / 10);
  p.minor = static_cast<int>(capability % 10);
  auto threads = option_integer(Option::num_threads);
  p.multiprocessors = threads > 0 ? static_cast<int>(threads) : usable_processors();
  p.total_memory = memory::machine_memory_bytes();
  p.clock_khz = processor.clock_khz;
  p.memory_clock_khz = 2400000;
  long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (cache <= 0) cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  p.l2_bytes = static_cast<int>(std::clamp(cache, 1l << 20, 1l << 30));
  // The same on every run of this machine: FNV-1a of the name, twice with different starts.
  for (size_t half = 0; half < 2; ++half) {
    uint64_t hash = 0xcbf29ce484222325ull + half;
    for (char c : p.name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    for (size_t i = 0; i < 8; ++i)
      p.uuid[half * 8 + i] = static_cast<unsigned char>(hash >> (8 * i));
  }
  if (Engines* engines = Engines::active()) {
    if (const backend::Device* visible = engines->visible_device()) describe(*visible, p);
  }
  return p;
}

/// Attribute numbers: enum cudaDeviceAttr. Texture and surface limits are those of capability 8.9.
std::unordered_map<int, int> make_attributes() {
  const DeviceProperties& p = device_properties();
  std::unordered_map<int, int> a = {
      {1, p.max_threads_per_block},
      {2, p.max_block[0]},
      {3, p.max_block[1]},
      {4, p.max_block[2]},
      {5, p.max_grid[0]},
      {6, p.max_grid[1]},
      {7, p.max_grid[2]},
      {8, static_cast<int>(p.shared_per_block)},
      {9, static_cast<int>(p.constant_memory)},
      {10, p.warp_size},
      {11, 2147483647} /* max pitch */,
      {12, p.registers_per_block},
      {13, p.clock_khz},
      {14, 512} /* texture alignment */,
      {15, 1} /* copy overlaps kernels */,
      {16, p.multiprocessors},
      {17, 0} /* no run time limit */,
      {18, 0} /* integrated */,
      {19, 1} /* maps host memory */,
      {20, 0} /* compute mode default */,
      {21, 131072},
      {22, 131072},
      {23, 65536},
      {24, 16384},
      {25, 16384},
      {26, 16384},
      {27, 32768},
      {28, 32768},
      {29, 2048},
      {30, 512} /* surface alignment */,
      {31, 1} /* concurrent kernels */,
      {32, 0} /* ECC */,
      {33, 0},
      {34, 0},
      {35, 0},
      {36, p.memory_clock_khz},
      {37, p.memory_bus_bits},
      {38, p.l2_bytes},
      {39, p.max_threads_per_multiprocessor},
      {40, 2} /* copy engines */,
      {41, 1} /* unified addressing */,
      {42, 32768},
      {43, 2048},
      {45, 32768},
      {46, 32768},
      {47, 8192},
      {48, 8192},
      {49, 32768},
      {50, 0},
      {51, 32} /* texture pitch alignment */,
      {52, 32768},
      {53, 32768},
      {54, 2046},
      {55, 32768},
      {56, 131072},
      {57, 65536},
      {58, 16384},
      {59, 16384},
      {60, 16384},
      {61, 32768},
      {62, 2048},
      {63, 32768},
      {64, 32768},
      {65, 2048},
      {66, 32768},
      {67, 32768},
      {68, 2046},
      {69, 268435456},
      {70, 131072},
      {71, 65000},
      {72, 2097120},
      {73, 32768},
      {74, 32768},
      {75, p.major},
      {76, p.minor},
      {77, 32768},
      {78, 1} /* stream priorities */,
      {79, 1},
      {80, 1},
      {81, static_cast<int>(p.shared_per_multiprocessor)},
      {82, p.registers_per_multiprocessor},
      {83, 1} /* managed memory */,
      {84, 0},
      {85, 0},
      {86, 1} /* native atomics between host and device */,
      {87, 2} /* f32 : f64 speed */,
      {88, 1} /* pageable memory */,
      {89, 1} /* concurrent managed access */,
      {90, 1},
      {91, 1},
      {95, 1} /* cooperative launch */,
      {97, static_cast<int>(p.shared_per_block_optin)},
      {98, 0},
      {99, 1} /* host register */,
      {100, 1} /* pageable memory through the host's page tables */,
      {101, 1},
      {106, p.max_blocks_per_multiprocessor},
      {108, 0},
      {109, 0},
      {111, static_cast<int>(p.shared_reserved_per_block)},
      {112, 0},
      {113, 1},
      {114, 0},
      {115, 1} /* memory pools */,
      {116, 0},
      {117, 0},
      {118, 0},
      {119, 0},
      {120, 0} /* clusters */,
      {121, 0},
      {125, 0},
      {126, 1},
      {130, 0},
      {131, -1},
      {133, 0},
      {134, p.numa_node},
      {135, 0},
      {138, 0},
      {139, 0},
      {140, 0},
      {142, 0},
      {143, 0},
      {144, 0},
      {147, 0},
  };
  for (int reserved : {92, 93, 94, 96, 122, 123, 124, 127, 128, 129, 132, 141, 145})
    a[reserved] = 0;
  return a;
}

}  // namespace

const DeviceProperties& device_properties() {
  static const DeviceProperties properties = read_properties();
  return properties;
}

int device_count() {
  // CUDA's rule: indices up to the first invalid one; an identifier may be a (prefix of a) UUID.
  static const int count = [] {
    const char* text = std::getenv("CUDA_VISIBLE_DEVICES");
    if (!text) return 1;
    std::string_view list = text;
    std::string_view first = list.substr(0, list.find(','));
    while (first.starts_with(' ')) first.remove_prefix(1);
    while (first.ends_with(' ')) first.remove_suffix(1);
    return first == "0" || first.starts_with("GPU-") ? 1 : 0;
  }();
  return count;
}

std::optional<int> device_attribute(int attribute) {
  static const std::unordered_map<int, int> attributes = make_attributes();
  // Which calls there are is not the device's to say.
  static const std::unordered_map<int, int> own = {
      {102, 1} /* virtual memory management */,
      {103, 1} /* memory handles: POSIX files */,
      {104, 0} /* Windows */,
      {105, 0},
      {107, 0} /* compression */,
      {110, 0} /* RDMA */,
      {112, 0} /* sparse arrays */,
      {114, 0} /* timeline semaphores */,
      {116, 0},
      {119, 1} /* memory pools: POSIX files */,
      {121, 0} /* deferred mapping */,
      {98, 0} /* flushing remote writes */,
      {122, 1} /* 64 bit values in streams' memory operations */,
      {123, 1} /* all conditions of them */,
      {124, 0} /* dma-buf */,
      {125, 1} /* events between processes */,
      {128, 0} /* fabric handles */,
      {132, 0} /* multicast */,
      {135, 0},
      {136, 0} /* decompression */,
      {137, 0},
      {138, 0},
      {141, 1} /* virtual memory management of host nodes */,
      {143, 0},
      {145, 1} /* and of host memory */,
      {146, 0},
  };
  if (auto found = own.find(attribute); found != own.end()) return found->second;
  if (Engines* engines = Engines::active(); engines && engines->visible_device()) {
    if (auto value = engines->visible_device()->cuda_attribute(attribute)) return value;
  }
  auto found = attributes.find(attribute);
  if (found == attributes.end()) return std::nullopt;
  return found->second;
}

}  // namespace guda::runtime
