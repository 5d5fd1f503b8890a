#include "blas/onednn.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "support/log.h"
#include "support/options.h"

namespace guda::blas {
namespace {

/// What dnnl_version() points to, in versions 2 and 3.
struct Version {
  int major, minor, patch;
  const char* hash;
  unsigned cpu_runtime, gpu_runtime;
};
constexpr unsigned kSequential = 1, kOpenMp = 2;
constexpr int kIsaAvx2 = 0x7;

struct Loaded {
  OneDnn functions{};
  bool usable = false;
  std::string state;
};

template <class F>
bool bind(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
  return function != nullptr;
}

Loaded load() {
  Loaded result;
  if (option_value(Option::onednn) == "never") {
    result.state = "not used (GUDA_ONEDNN=never)";
    return result;
  }
  const char* file = nullptr;
  void* library = nullptr;
  for (const char* name : {"libdnnl.so.3", "libdnnl.so.2"}) {
    library = dlopen(file = name, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    result.state =
        "not installed (libdnnl.so.3 or .2; Debian: libdnnl2); only CPUs without AVX-512 would "
        "gain";
    return result;
  }
  OneDnn& f = result.functions;
  const Version* (*version)() = nullptr;
  if (!bind(library, "dnnl_sgemm", f.sgemm) || !bind(library, "dnnl_version", version)) {
    result.state = fmt::format("{} lacks dnnl_sgemm or dnnl_version", file);
    return result;
  }
  bind(library, "dnnl_gemm_s8s8s32", f.gemm_s8s8s32);
  bind(library, "dnnl_gemm_u8s8s32", f.gemm_u8s8s32);
  bind(library, "dnnl_gemm_bf16bf16f32", f.gemm_bf16bf16f32);
  const Version& v = *version();
  const std::string name = fmt::format("{} {}.{}.{}", file, v.major, v.minor, v.patch);
  // Its OpenMP is a dependency, in whose functions dlsym looks too.
  const bool limited = v.cpu_runtime == kOpenMp &&
                       bind(library, "omp_set_num_threads", f.set_threads) &&
                       bind(library, "omp_get_max_threads", f.threads);
  if (v.cpu_runtime != kSequential && !limited) {
    result.state = fmt::format("{}: not used, its threads cannot be limited", name);
    return result;
  }
  // Where GUDA_CPU asks for less than the machine has, that holds for oneDNN, too.
  const std::string cpu = option_value(Option::cpu);
  int (*set_max_cpu_isa)(int) = nullptr;
  if (cpu == "x86-64-v3" && bind(library, "dnnl_set_max_cpu_isa", set_max_cpu_isa))
    set_max_cpu_isa(kIsaAvx2);
  result.usable = true;
  result.state = name;
  return result;
}

const Loaded& loaded() {
  static const Loaded instance = [] {
    Loaded result = load();
    log(LogPart::cpu, LogLevel::debug, "oneDNN: {}", result.state);
    return result;
  }();
  return instance;
}

}  // namespace

const OneDnn* onednn() { return loaded().usable ? &loaded().functions : nullptr; }

std::string onednn_state() { return loaded().state; }

}  // namespace guda::blas
