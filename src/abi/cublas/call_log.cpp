#include "abi/cublas/call_log.h"

#include "abi/cublas/entry.h"
#include "abi/cublas/lt/logger.h"
#include "support/log.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

namespace guda::cublas {

std::atomic<bool> call_log_on{false};

namespace {

using LogCallback = void (*)(const char*);

struct Destinations {
  std::mutex mutex;
  bool on = false;
  bool standard_output = false;
  bool standard_error = false;
  std::FILE* file = nullptr;
  LogCallback callback = nullptr;

  bool active() const { return (on && (standard_output || standard_error || file)) || callback; }
};

Destinations& destinations() {
  static auto* result = new Destinations;  // calls at exit are logged too
  return *result;
}

bool open_file(Destinations& to, const char* path) {
  if (to.file) std::fclose(to.file);
  to.file = path ? std::fopen(path, "w") : nullptr;
  return !path || to.file;
}

// cublasLoggerConfigure's environment variables.
[[maybe_unused]] const bool configured_by_environment = [] {
  const char* on = std::getenv("CUBLAS_LOGINFO_DBG");
  const char* where = std::getenv("CUBLAS_LOGDEST_DBG");
  if (!on || std::strcmp(on, "1") != 0 || !where) return false;
  Destinations& to = destinations();
  to.on = true;
  if (std::strcmp(where, "stdout") == 0)
    to.standard_output = true;
  else if (std::strcmp(where, "stderr") == 0)
    to.standard_error = true;
  else
    open_file(to, where);
  update_call_log();
  return true;
}();

Result logger_configure(int on, int to_stdout, int to_stderr, const char* file) {
  Destinations& to = destinations();
  std::unique_lock lock(to.mutex);
  to.on = on != 0;
  to.standard_output = to_stdout != 0;
  to.standard_error = to_stderr != 0;
  bool opened = open_file(to, file);
  update_call_log();
  return opened ? kSuccess : kInvalidValue;
}

Result set_logger_callback(LogCallback callback) {
  Destinations& to = destinations();
  std::unique_lock lock(to.mutex);
  to.callback = callback;
  update_call_log();
  return kSuccess;
}

Result get_logger_callback(LogCallback* callback) {
  if (!callback) return kInvalidValue;
  Destinations& to = destinations();
  std::unique_lock lock(to.mutex);
  *callback = to.callback;
  return kSuccess;
}

struct ResultInfo {
  Result result;
  const char* name;
  const char* text;
};
constexpr ResultInfo kResults[] = {
    {kSuccess, "CUBLAS_STATUS_SUCCESS", "success"},
    {kNotInitialized, "CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {kAllocFailed, "CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {kInvalidValue, "CUBLAS_STATUS_INVALID_VALUE",
     "an unsupported value or parameter was passed to the function"},
    {kArchMismatch, "CUBLAS_STATUS_ARCH_MISMATCH",
     "the function requires an architectural feature absent from the current device"},
    {kMappingError, "CUBLAS_STATUS_MAPPING_ERROR", "an access to GPU memory space failed"},
    {kExecutionFailed, "CUBLAS_STATUS_EXECUTION_FAILED", "the GPU program failed to execute"},
    {kInternalError, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"},
    {kNotSupported, "CUBLAS_STATUS_NOT_SUPPORTED", "the functionality requested is not supported"},
    {kLicenseError, "CUBLAS_STATUS_LICENSE_ERROR",
     "the functionality requested requires some license and an error was detected"},
};

bool is_lt(const char* name) { return std::string_view(name).starts_with("cublasLt"); }

const char* status_name(Result result) { return result_name(result); }
const char* status_text(Result result) { return result_text(result); }

}  // namespace

const char* result_name(int result) {
  for (auto& info : kResults) {
    if (info.result == result) return info.name;
  }
  return "CUBLAS_STATUS_UNKNOWN";
}

const char* result_text(int result) {
  for (auto& info : kResults) {
    if (info.result == result) return info.text;
  }
  return "unknown error";
}

void update_call_log() { call_log_on.store(destinations().active() || lt::log_on.load()); }

void write_call_log(const char* name, const std::string& arguments) {
  if (is_lt(name)) {
    if (lt::log_on.load()) lt::write_log(lt::kApiTrace, name, arguments);
    return;
  }
  Destinations& to = destinations();
  std::unique_lock lock(to.mutex);
  if (!to.active()) return;
  std::string line = fmt::format("I! cuBLAS (v{}.{}) function {}({}) called\n", kVersion / 10000,
                                 kVersion / 100 % 100, name, arguments);
  if (to.on) {
    if (to.standard_output) std::fputs(line.c_str(), stdout);
    if (to.standard_error) std::fputs(line.c_str(), stderr);
    if (to.file) {
      std::fputs(line.c_str(), to.file);
      std::fflush(to.file);
    }
  }
  LogCallback callback = to.callback;
  lock.unlock();
  if (callback) callback(line.c_str());
}

void log_failure(const char* name, Result result) {
  if (is_lt(name) && lt::log_on.load()) lt::write_log(lt::kError, name, result_name(result));
  static std::mutex mutex;
  static auto* seen = new std::set<std::pair<const char*, int>>;
  std::unique_lock lock(mutex);
  if (!seen->insert({name, result}).second) return;
  lock.unlock();
  log(LogPart::blas, LogLevel::warn, "{}: {}", name, result_name(result));
}

void log_reason(const std::string& text) { log(LogPart::blas, LogLevel::warn, "{}", text); }

GUDA_ENTRY(cublasLoggerConfigure, logger_configure);
GUDA_ENTRY(cublasSetLoggerCallback, set_logger_callback);
GUDA_ENTRY(cublasGetLoggerCallback, get_logger_callback);
GUDA_ENTRY(cublasGetStatusName, status_name);
GUDA_ENTRY(cublasGetStatusString, status_text);
GUDA_ENTRY(cublasLtGetStatusName, status_name);
GUDA_ENTRY(cublasLtGetStatusString, status_text);

}  // namespace guda::cublas
