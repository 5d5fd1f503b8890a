#include "abi/cublas/unsupported.h"

#include "abi/cublas/entry.h"

#include <cstring>

extern "C" {
// Bounds of the section that GUDA_ENTRY writes to; the linker defines them.
extern const guda::cublas::EntryRecord __start_guda_cublas_entries[];
extern const guda::cublas::EntryRecord __stop_guda_cublas_entries[];

/// The signature of an entry (entry.h), or null.
__attribute__((visibility("default"))) const char* guda_cublas_signature(const char* name) {
  for (auto* record = __start_guda_cublas_entries; record < __stop_guda_cublas_entries; ++record) {
    if (std::strcmp(record->name, name) == 0) return record->signature;
  }
  return nullptr;
}
}

namespace guda::cublas {

int unsupported(const char* name) {
  log_failure(name, kNotSupported);
  return kNotSupported;
}

}  // namespace guda::cublas
