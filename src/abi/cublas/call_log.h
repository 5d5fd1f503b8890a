// What cuBLAS says about its calls: the log of cublasLoggerConfigure, and one line in GUDA's own log for
// every call that is refused.
#pragma once

#include "abi/cublas/types.h"

#include <fmt/format.h>

#include <atomic>
#include <complex>
#include <string>
#include <type_traits>

namespace guda::cublas {

/// The exported function that the calling thread is in, or was in last.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local const char* current_entry;

extern std::atomic<bool> call_log_on;
inline bool call_log_enabled() { return call_log_on.load(std::memory_order_relaxed); }

const char* result_name(int result);
const char* result_text(int result);

/// After a change of either log's settings: cuBLAS's here, cublasLt's in lt/logger.h.
void update_call_log();
/// Writes a call to wherever the program asked for it.
void write_call_log(const char* name, const std::string& arguments);
/// Level warn of GUDA_LOG=blas; once for each function and result.
void log_failure(const char* name, Result result);
/// For results that need an explanation.
void log_reason(const std::string& text);

template <typename T>
void append_argument(std::string& out, const T& argument) {
  if constexpr (std::is_pointer_v<T>) {
    out += fmt::format("{}", reinterpret_cast<const void*>(argument));
  } else if constexpr (std::is_enum_v<T>) {
    out += fmt::format("{}", static_cast<int>(argument));
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += fmt::format("{}", argument);
  } else {
    out += fmt::format("({},{})", argument.real(), argument.imag());
  }
}

template <typename... Args>
void log_call(const char* name, const Args&... args) {
  std::string text;
  bool first = true;
  (((first ? void(first = false) : void(text += ", ")), append_argument(text, args)), ...);
  write_call_log(name, text);
}

}  // namespace guda::cublas
