#include "runtime/error.h"

#include "support/log.h"

#include <algorithm>
#include <iterator>

namespace guda::runtime {
namespace {

thread_local Error last_error = kSuccess;

struct ErrorInfo {
  Error code;
  const char* name;
  const char* text;
};

// Codes and names: CUDA runtime API reference, enum cudaError. Sorted by code.
constexpr ErrorInfo kErrors[] = {
#include "runtime/error_table.inc"
};

const ErrorInfo* find(Error error) {
  auto* found =
      std::lower_bound(std::begin(kErrors), std::end(kErrors), error,
                       [](const ErrorInfo& info, Error code) { return info.code < code; });
  return found != std::end(kErrors) && found->code == error ? found : nullptr;
}

}  // namespace

Error record_error(Error error) {
  if (error != kSuccess && error != static_cast<int>(StatusCode::not_ready)) last_error = error;
  return error;
}

Error record_error(const Status& status) {
  if (!status.is_ok()) {
    log(LogPart::runtime, LogLevel::info, "{}: {}", error_name(static_cast<int>(status.code())),
        status.message());
  }
  return record_error(static_cast<Error>(status.code()));
}

Error peek_last_error() { return last_error; }

Error take_last_error() {
  Error error = last_error;
  last_error = kSuccess;
  return error;
}

const char* error_name(Error error) {
  auto* info = find(error);
  return info ? info->name : "unrecognized error code";
}

const char* error_text(Error error) {
  auto* info = find(error);
  return info ? info->text : "unrecognized error code";
}

}  // namespace guda::runtime
