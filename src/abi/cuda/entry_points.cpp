// cuInit, versions and cuGetProcAddress.
#include "abi/cuda/api.h"
#include "abi/cuda/unsupported.h"

#include <dlfcn.h>
#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>

namespace guda::cuda {
namespace {

std::atomic<bool> initialised{false};

enum class Variant : uint8_t { plain, per_thread };

struct EntryPoint {
  char name[56];       // what programs ask for
  char symbol[72];     // the function of this library
  int since;
  Variant variant;
};

// Sorted by name, then version.
constexpr EntryPoint kEntryPoints[] = {
#include "entry_points.inc"
};

enum QueryResult : int { kFound = 0, kSymbolNotFound = 1, kVersionNotSufficient = 2 };
constexpr unsigned long long kPerThreadDefaultStream = 2;
constexpr int kDriverVersion = 13000;

/// This library, however it was loaded.
void* own_library() {
  static void* library = [] {
    Dl_info info{};
    dladdr(reinterpret_cast<const void*>(&kEntryPoints), &info);
    return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }();
  return library;
}

const EntryPoint* find(std::string_view name, int version, bool per_thread, QueryResult& result) {
  auto first = std::lower_bound(
      std::begin(kEntryPoints), std::end(kEntryPoints), name,
      [](const EntryPoint& entry, std::string_view wanted) { return entry.name < wanted; });
  const EntryPoint* best = nullptr;
  result = kSymbolNotFound;
  for (; first != std::end(kEntryPoints) && first->name == name; ++first) {
    if (result == kSymbolNotFound) result = kVersionNotSufficient;
    if (first->since > version) continue;
    bool suits = per_thread || first->variant == Variant::plain;
    // The newest; of one version the per-thread variant where that is wanted.
    if (suits && (!best || first->since > best->since ||
                  (first->since == best->since && first->variant == Variant::per_thread) ||
                  (per_thread && first->variant == Variant::per_thread &&
                   best->variant == Variant::plain))) {
      if (!(per_thread && best && best->variant == Variant::per_thread &&
            first->variant == Variant::plain)) {
        best = first;
      }
    }
  }
  if (best) result = kFound;
  return best;
}

/// As a driver answers: versions that it does not know yet are invalid.
bool valid_query(const char* name, void** function, int version, unsigned long long flags) {
  return name && function && !(flags & ~3ull) && version <= kDriverVersion;
}

}  // namespace

bool initialized() {
  return initialised.load(std::memory_order_acquire) || runtime::Context::exists();
}

GUDA_CU(cuInit)(unsigned flags) {
  if (flags != 0) return kInvalidValue;
  // The first thing that notices that no device is visible.
  if (Error error = runtime::Context::create_for_driver()) return error;
  initialised.store(true, std::memory_order_release);
  return kSuccess;
}

GUDA_CU(cuDriverGetVersion)(int* version) {
  if (!version) return kInvalidValue;
  *version = kDriverVersion;
  return kSuccess;
}

GUDA_CU(cuGetProcAddress)(const char* name, void** function, int version,
                          unsigned long long flags) {
  if (!valid_query(name, function, version, flags)) return kInvalidValue;
  QueryResult result = kSymbolNotFound;
  const EntryPoint* entry = find(name, version, (flags & kPerThreadDefaultStream) != 0, result);
  if (!entry) return kNotFound;
  *function = dlsym(own_library(), entry->symbol);
  return kSuccess;
}

// What is not found is no error here: the status says so.
GUDA_CU(cuGetProcAddress_v2)(const char* name, void** function, int version,
                             unsigned long long flags, int* status) {
  if (!valid_query(name, function, version, flags)) return kInvalidValue;
  QueryResult result = kSymbolNotFound;
  const EntryPoint* entry = find(name, version, (flags & kPerThreadDefaultStream) != 0, result);
  *function = entry ? dlsym(own_library(), entry->symbol) : nullptr;
  if (status) *status = result;
  return kSuccess;
}

// Tables of functions that no document describes: there are none here.
GUDA_CU(cuGetExportTable)(const void** table, const CUuuid* id) {
  if (!table || !id) return kInvalidValue;
  *table = nullptr;
  return kNotFound;
}

// Profiling tools look at the process from outside; these only mark regions.
GUDA_CU(cuProfilerInitialize)(const char*, const char*, int) { return kSuccess; }
GUDA_CU(cuProfilerStart)() {
  GUDA_CU_ENTER();
  return kSuccess;
}
GUDA_CU(cuProfilerStop)() {
  GUDA_CU_ENTER();
  return kSuccess;
}

}  // namespace guda::cuda
