// The log of cublasLt: cublasLtLogger* and the variables CUBLASLT_LOG_LEVEL, _MASK and _FILE.
#include "abi/cublas/lt/logger.h"

#include "abi/cublas/entry.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace guda::cublas::lt {
namespace {

using Callback = void (*)(int level, const char* function, const char* message);

struct Log {
  std::mutex mutex;
  int level = 0;
  int mask = 0;
  bool disabled = false;
  std::FILE* file = nullptr;
  bool own_file = false;
  Callback callback = nullptr;

  bool wants(int message_level) const {
    return !disabled && (level >= message_level || (mask >> (message_level - 1) & 1));
  }
  void update() {
    log_on.store(!disabled && (level > 0 || mask != 0));
    update_call_log();
  }
  bool open(const char* path) {
    if (own_file) std::fclose(file);
    file = std::fopen(path, "w");
    own_file = file != nullptr;
    return own_file;
  }
};

Log& the_log() {
  static auto* log = new Log;
  return *log;
}

[[maybe_unused]] const bool configured_by_environment = [] {
  auto number = [](const char* name) {
    const char* text = std::getenv(name);
    return text ? std::atoi(text) : 0;
  };
  Log& log = the_log();
  log.level = number("CUBLASLT_LOG_LEVEL");
  log.mask = number("CUBLASLT_LOG_MASK");
  if (const char* path = std::getenv("CUBLASLT_LOG_FILE")) log.open(path);
  log.update();
  return true;
}();

Result set_callback(Callback callback) {
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  log.callback = callback;
  return kSuccess;
}

Result set_file(std::FILE* file) {
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  if (log.own_file) std::fclose(log.file);
  log.own_file = false;
  log.file = file;
  return kSuccess;
}

Result open_file(const char* path) {
  if (!path) return kInvalidValue;
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  return log.open(path) ? kSuccess : kInvalidValue;
}

Result set_level(int level) {
  if (level < 0) return kInvalidValue;
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  log.level = level;
  log.update();
  return kSuccess;
}

Result set_mask(int mask) {
  if (mask < 0 || mask >= 1 << kApiTrace) return kInvalidValue;
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  log.mask = mask;
  log.update();
  return kSuccess;
}

Result force_disable() {
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  log.disabled = true;
  log.update();
  return kSuccess;
}

GUDA_ENTRY(cublasLtLoggerSetCallback, set_callback);
GUDA_ENTRY(cublasLtLoggerSetFile, set_file);
GUDA_ENTRY(cublasLtLoggerOpenFile, open_file);
GUDA_ENTRY(cublasLtLoggerSetLevel, set_level);
GUDA_ENTRY(cublasLtLoggerSetMask, set_mask);
GUDA_ENTRY(cublasLtLoggerForceDisable, force_disable);

}  // namespace

std::atomic<bool> log_on{false};

void write_log(Level level, const char* function, const std::string& text) {
  Log& log = the_log();
  std::unique_lock lock(log.mutex);
  if (!log.wants(level)) return;
  constexpr const char* kNames[] = {"", "Error", "Trace", "Hint", "Info", "Api"};
  std::FILE* file = log.file ? log.file : log.callback ? nullptr : stdout;
  if (file) {
    std::fprintf(file, "[cublasLt][%d][%s][%s] %s\n", getpid(), kNames[level], function,
                 text.c_str());
    std::fflush(file);
  }
  Callback callback = log.callback;
  lock.unlock();
  if (callback) callback(level, function, text.c_str());
}

}  // namespace guda::cublas::lt
