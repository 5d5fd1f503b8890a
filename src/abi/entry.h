// What exported functions of both APIs are made of.
#pragma once

#include "runtime/error.h"
#include "runtime/stream.h"
#include "support/status.h"

/// Defines `name` and its per-thread-default-stream twin, both declared by the macro `declare`: the body
/// follows, as a template over kPerThread.
#define GUDA_ENTRY_TWIN(declare, name, twin, parameters, arguments) \
  template <bool kPerThread>                                        \
  static Error name##_body parameters;                              \
  declare(name) parameters { return name##_body<false> arguments; } \
  declare(twin) parameters { return name##_body<true> arguments; }  \
  template <bool kPerThread>                                        \
  static Error name##_body parameters

/// Makes `variable` the Stream behind the handle, or returns `error`.
#define GUDA_ENTRY_STREAM(variable, handle, error)                                       \
  runtime::Stream* variable = runtime::StreamTable::instance().find(handle, kPerThread); \
  if (!variable) return error
