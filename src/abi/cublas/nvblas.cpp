// nvblas: the level 3 of the Fortran BLAS, put before a program's own BLAS (LD_PRELOAD), with a
// configuration file. What the file disables goes to the library it names.
#include "abi/cublas/entry.h"
#include "abi/cublas/legacy.h"
#include "abi/cublas/xt.h"
#include "support/log.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace guda::cublas::nvblas {
namespace {

using namespace xt;

/// Lines of a keyword and its value; # starts a comment.
struct Configuration {
  std::string cpu_blas;
  std::set<std::string> disabled;  // routine names such as SGEMM
  std::FILE* trace = nullptr;

  Configuration() {
    const char* named = std::getenv("NVBLAS_CONFIG_FILE");
    std::ifstream file(named ? named : "nvblas.conf");
    if (!file) {
      if (named) log(LogPart::blas, LogLevel::warn, "nvblas: cannot read {}", named);
      return;
    }
    std::string line, path;
    bool traced = false;
    while (std::getline(file, line)) {
      std::istringstream words(line.substr(0, line.find('#')));
      std::string key, value;
      if (!(words >> key)) continue;
      words >> value;
      constexpr std::string_view kDisabled = "NVBLAS_GPU_DISABLED_";
      if (key == "NVBLAS_CPU_BLAS_LIB")
        cpu_blas = value;
      else if (key == "NVBLAS_LOGFILE")
        path = value;
      else if (key == "NVBLAS_TRACE_LOG_ENABLED")
        traced = true;
      else if (key.starts_with(kDisabled))
        disabled.insert(key.substr(kDisabled.size()));
      // The list of devices, tile sizes, pinning and ratios say how to divide work between a CPU and
      // GPUs.
    }
    if (traced) trace = path.empty() ? stderr : std::fopen(path.c_str(), "w");
  }
};

const Configuration& configuration() {
  static const auto* result = new Configuration;
  return *result;
}

/// The routine in the program's own BLAS, when the configuration wants that. Its name as exported.
void* other_routine(const char* name) {
  const Configuration& config = configuration();
  if (config.disabled.empty()) return nullptr;
  std::string upper;
  for (const char* c = name; *c && *c != '_'; ++c) upper += static_cast<char>(std::toupper(*c));
  if (!config.disabled.contains(upper)) return nullptr;
  void* library = config.cpu_blas.empty() ? nullptr : dlopen(config.cpu_blas.c_str(), RTLD_NOW);
  if (void* routine = library ? dlsym(library, name) : nullptr) return routine;
  log(LogPart::blas, LogLevel::warn, "nvblas: {} is disabled, but not found in \"{}\"", name,
      config.cpu_blas);
  return nullptr;
}

XtHandle* handle() {
  static auto* result = [] {
    auto* made = new XtHandle;
    made->devices.push_back(0);
    return made;
  }();
  return result;
}

/// How Fortran passes an argument: everything by reference, enumerations as characters.
template <typename Argument>
struct Reference {
  using type = Argument;
  static Argument pass(type value) { return value; }
};
template <typename Argument>
  requires std::is_enum_v<Argument>
struct Reference<Argument> {
  using type = const char*;
  static Argument pass(type value) {
    return from_character(*value, static_cast<Argument*>(nullptr));
  }
};
template <>
struct Reference<size_t> {
  using type = const int*;
  // A negative size becomes one that no leading dimension fits.
  static size_t pass(type value) { return static_cast<size_t>(*value); }
};

template <EntryName kName, auto* kFunction>
struct Fortran;
template <EntryName kName, typename... Args, Result (*kFunction)(XtHandle*, Args...)>
struct Fortran<kName, kFunction> {
  static void call(typename Reference<Args>::type... args) {
    using Routine = void (*)(typename Reference<Args>::type...);
    static const auto other = reinterpret_cast<Routine>(other_routine(kName.text));
    if (other) return other(args...);
    if (std::FILE* trace = configuration().trace) std::fprintf(trace, "[NVBLAS] %s\n", kName.text);
    if (Result result = kFunction(handle(), Reference<Args>::pass(args)...))
      log_failure(kName.text, result);
  }
};

/// Fortran's trmm works in place.
template <class T>
Result trmm_in_place(XtHandle* xt, SideMode side, Fill uplo, Op trans, Diag diag, size_t m,
                     size_t n, const T* alpha, const T* a, size_t lda, T* b, size_t ldb) {
  return trmm<T>(xt, side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb, b, ldb);
}

#define GUDA_NVBLAS(name, ...)                          \
  GUDA_ENTRY(name, Fortran<#name, &__VA_ARGS__>::call); \
  GUDA_ENTRY(name##_, Fortran<#name "_", &__VA_ARGS__>::call)
#define GUDA_NVBLAS_SD(routine, function, ...)                         \
  GUDA_NVBLAS(s##routine, function<float __VA_OPT__(, ) __VA_ARGS__>); \
  GUDA_NVBLAS(d##routine, function<double __VA_OPT__(, ) __VA_ARGS__>)
#define GUDA_NVBLAS_CZ(routine, function, ...)                                \
  GUDA_NVBLAS(c##routine, function<ComplexFloat __VA_OPT__(, ) __VA_ARGS__>); \
  GUDA_NVBLAS(z##routine, function<ComplexDouble __VA_OPT__(, ) __VA_ARGS__>)
#define GUDA_NVBLAS_SDCZ(routine, function, ...)                \
  GUDA_NVBLAS_SD(routine, function __VA_OPT__(, ) __VA_ARGS__); \
  GUDA_NVBLAS_CZ(routine, function __VA_OPT__(, ) __VA_ARGS__)

GUDA_NVBLAS_SDCZ(gemm, gemm);
GUDA_NVBLAS_SDCZ(syrk, syrk, Kind::symmetric);
GUDA_NVBLAS_CZ(herk, syrk, Kind::hermitian);
GUDA_NVBLAS_SDCZ(syr2k, syr2k, Kind::symmetric, TwoMatrices::both_ways);
GUDA_NVBLAS_CZ(her2k, syr2k, Kind::hermitian, TwoMatrices::both_ways);
GUDA_NVBLAS_SDCZ(symm, symm, Kind::symmetric);
GUDA_NVBLAS_CZ(hemm, symm, Kind::hermitian);
GUDA_NVBLAS_SDCZ(trsm, trsm);
GUDA_NVBLAS_SDCZ(trmm, trmm_in_place);

}  // namespace
}  // namespace guda::cublas::nvblas
