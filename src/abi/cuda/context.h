// Contexts of the driver API. All stand for the one device's state, which runtime::Context holds; what
// differs is who is current on which thread, flags, and what goes away with a context.
//
// A Context is never freed, so that stale handles can be told from live ones.
#pragma once

#include "runtime/error.h"

#include <atomic>
#include <vector>

namespace guda::runtime {
class Module;
}

namespace guda::cuda {

struct Context {
  explicit Context(bool is_primary) : primary(is_primary) {}
  const bool primary;
  std::atomic<bool> alive{false};
  unsigned flags = 0;
  unsigned long long id = 0;
  int attached = 1;  // cuCtxAttach
  std::vector<void*> streams;  // made while it was current; guarded by context_mutex
  std::vector<runtime::Module*> modules;
};

/// The primary context's handle; alive while it is retained or the runtime API is in use.
Context* primary_context();
/// The calling thread's context; null when it has none. The runtime API makes the primary context that of
/// every thread.
Context* current_context();
/// Null when the handle is not that of a context.
Context* find_context(void* handle);

/// Resources that go away with the current context.
void own_stream(void* stream);
void disown_stream(void* stream);
void own_module(runtime::Module* module);
void disown_module(runtime::Module* module);
/// Context in which a stream was made; the current or primary one when that is not known.
Context* context_of_stream(void* stream);

}  // namespace guda::cuda
