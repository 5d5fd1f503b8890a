#include "abi/cudart/unsupported.h"

#include "runtime/error.h"
#include "support/log.h"

#include <mutex>
#include <set>
#include <string_view>

namespace guda::cudart {

int unsupported(const char* name) {
  static std::mutex mutex;
  static auto* logged = new std::set<std::string_view>;
  std::unique_lock lock(mutex);
  if (logged->insert(name).second) {
    log(LogPart::runtime, LogLevel::warn, "{} is not implemented: cudaErrorNotSupported", name);
  }
  return runtime::record_error(static_cast<int>(StatusCode::not_supported));
}

}  // namespace guda::cudart
