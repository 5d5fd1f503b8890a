// Primary contexts, contexts, and which of them is current.
#include "abi/cuda/context.h"

#include "abi/cuda/api.h"
#include "backends/cpu/executor.h"
#include "runtime/registry.h"

#include <algorithm>
#include <mutex>

namespace guda::cuda {
namespace {

using RuntimeContext = runtime::Context;

struct Contexts {
  std::mutex mutex;
  Context primary{true};
  int retained = 0;
  std::vector<Context*> created;          // also the destroyed ones
  unsigned long long next_id = 1;
};

Contexts& contexts() {
  static Contexts* all = [] {
    auto* made = new Contexts;
    made->primary.id = made->next_id++;
    return made;
  }();
  return *all;
}

thread_local std::vector<Context*> context_stack;

bool is_alive(const Context& context) {
  return context.alive.load(std::memory_order_acquire) ||
         (context.primary && RuntimeContext::current_by_default());
}

constexpr Error kDestroyed = static_cast<Error>(StatusCode::context_is_destroyed);
constexpr unsigned kFlags = 0xff;

Error create(void** out, unsigned flags, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!out || (flags & ~kFlags)) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  if (Error error = RuntimeContext::create_for_driver()) return error;
  auto* context = new Context(false);     // freed never: see context.h
  context->flags = flags;
  context->alive.store(true, std::memory_order_release);
  {
    std::unique_lock lock(contexts().mutex);
    context->id = contexts().next_id++;
    contexts().created.push_back(context);
  }
  context_stack.push_back(context);
  *out = context;
  return kSuccess;
}

/// What was made in a context goes with it.
void release_resources(Context& context) {
  std::vector<void*> streams;
  std::vector<runtime::Module*> modules;
  {
    std::unique_lock lock(contexts().mutex);
    streams.swap(context.streams);
    modules.swap(context.modules);
  }
  for (void* stream : streams) {
    runtime::StreamTable::instance().destroy(static_cast<runtime::Stream*>(stream));
  }
  for (runtime::Module* module : modules) runtime::Registry::instance().remove(module);
}

Error destroy(Context& context) {
  RuntimeContext& device = RuntimeContext::instance();
  device.synchronize();
  cpu::flush_printf();
  context.alive.store(false, std::memory_order_release);
  if (!context_stack.empty() && context_stack.back() == &context) context_stack.pop_back();
  release_resources(context);
  // A fault dies with its context.
  if (device.sticky_error()) device.reset();
  return kSuccess;
}

Error reset_primary() {
  RuntimeContext& device = RuntimeContext::instance();
  device.reset();
  cpu::flush_printf();
  release_resources(contexts().primary);
  return kSuccess;
}

}  // namespace

Context* primary_context() { return &contexts().primary; }

Context* current_context() {
  if (!context_stack.empty()) return context_stack.back();
  return RuntimeContext::current_by_default() ? primary_context() : nullptr;
}

Context* find_context(void* handle) {
  if (handle == primary_context()) return primary_context();
  std::unique_lock lock(contexts().mutex);
  auto& created = contexts().created;
  auto found = std::find(created.begin(), created.end(), handle);
  return found == created.end() ? nullptr : *found;
}

void own_stream(void* stream) {
  if (Context* context = current_context()) {
    std::unique_lock lock(contexts().mutex);
    context->streams.push_back(stream);
  }
}

void own_module(runtime::Module* module) {
  if (Context* context = current_context()) {
    std::unique_lock lock(contexts().mutex);
    context->modules.push_back(module);
  }
}

void disown_stream(void* stream) {
  std::unique_lock lock(contexts().mutex);
  std::erase(contexts().primary.streams, stream);
  for (Context* context : contexts().created) std::erase(context->streams, stream);
}

void disown_module(runtime::Module* module) {
  std::unique_lock lock(contexts().mutex);
  std::erase(contexts().primary.modules, module);
  for (Context* context : contexts().created) std::erase(context->modules, module);
}

Context* context_of_stream(void* stream) {
  {
    std::unique_lock lock(contexts().mutex);
    for (Context* context : contexts().created) {
      if (std::find(context->streams.begin(), context->streams.end(), stream) !=
          context->streams.end()) {
        return context;
      }
    }
    auto& streams = contexts().primary.streams;
    if (std::find(streams.begin(), streams.end(), stream) != streams.end())
      return &contexts().primary;
  }
  Context* current = current_context();
  return current ? current : primary_context();
}

Error enter() {
  GUDA_CU_INITIALIZED();
  Context* context = current_context();
  if (!context) return kInvalidContext;
  if (!is_alive(*context)) return kDestroyed;
  if (Error error = RuntimeContext::create_for_driver()) return error;
  return RuntimeContext::instance().sticky_error();
}

Error enter_stream(void* stream) {
  if (reinterpret_cast<uintptr_t>(stream) <= runtime::kPerThreadStreamHandle) return enter();
  GUDA_CU_INITIALIZED();
  if (Error error = RuntimeContext::create_for_driver()) return error;
  return RuntimeContext::instance().sticky_error();
}

// Primary context --------------------------------------------------------------------------------------

GUDA_CU(cuDevicePrimaryCtxRetain)(void** out, CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (!out) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  if (Error error = RuntimeContext::create_for_driver()) return error;
  std::unique_lock lock(contexts().mutex);
  ++contexts().retained;
  contexts().primary.alive.store(true, std::memory_order_release);
  *out = &contexts().primary;
  return kSuccess;
}

GUDA_CU(cuDevicePrimaryCtxRelease_v2)(CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (Error error = check_device(device)) return error;
  {
    std::unique_lock lock(contexts().mutex);
    if (contexts().retained == 0) return kInvalidContext;
    if (--contexts().retained != 0) return kSuccess;
    contexts().primary.alive.store(false, std::memory_order_release);
  }
  return RuntimeContext::current_by_default() ? kSuccess : reset_primary();
}

GUDA_CU(cuDevicePrimaryCtxReset_v2)(CUdevice device) {
  GUDA_CU_INITIALIZED();
  if (Error error = check_device(device)) return error;
  if (!is_alive(contexts().primary)) return kSuccess;
  return reset_primary();
}

GUDA_CU(cuDevicePrimaryCtxSetFlags_v2)(CUdevice device, unsigned flags) {
  GUDA_CU_INITIALIZED();
  if (Error error = check_device(device)) return error;
  if (flags & ~kFlags) return kInvalidValue;
  contexts().primary.flags = flags;
  return kSuccess;
}

GUDA_CU(cuDevicePrimaryCtxGetState)(CUdevice device, unsigned* flags, int* active) {
  GUDA_CU_INITIALIZED();
  if (!flags || !active) return kInvalidValue;
  if (Error error = check_device(device)) return error;
  *flags = contexts().primary.flags;
  *active = is_alive(contexts().primary);
  return kSuccess;
}

// Contexts ---------------------------------------------------------------------------------------------

GUDA_CU(cuCtxCreate_v2)(void** out, unsigned flags, CUdevice device) {
  return create(out, flags, device);
}
GUDA_CU(cuCtxCreate_v3)(void** out, void*, int affinities, unsigned flags, CUdevice device) {
  return affinities ? finish({static_cast<StatusCode>(224), "execution affinity"})
                    : create(out, flags, device);
}
GUDA_CU(cuCtxCreate_v4)(void** out, const CUctxCreateParams* parameters, unsigned flags,
                        CUdevice device) {
  if (parameters && (parameters->numExecAffinityParams || parameters->cigParams)) {
    return finish({static_cast<StatusCode>(224), "execution affinity and graphics contexts"});
  }
  return create(out, flags, device);
}

GUDA_CU(cuCtxDestroy_v2)(void* handle) {
  GUDA_CU_INITIALIZED();
  Context* context = find_context(handle);
  if (!context || context->primary) return kInvalidContext;
  if (!is_alive(*context)) return kDestroyed;
  return destroy(*context);
}

GUDA_CU(cuCtxAttach)(void** out, unsigned flags) {
  GUDA_CU_INITIALIZED();
  Context* context = current_context();
  if (!out || flags != 0) return kInvalidValue;
  if (!context) return kInvalidContext;
  ++context->attached;
  *out = context;
  return kSuccess;
}
GUDA_CU(cuCtxDetach)(void* handle) {
  GUDA_CU_INITIALIZED();
  Context* context = find_context(handle);
  if (!context || context->primary) return kInvalidContext;
  return --context->attached == 0 ? destroy(*context) : kSuccess;
}

GUDA_CU(cuCtxPushCurrent_v2)(void* handle) {
  GUDA_CU_INITIALIZED();
  if (!handle) return kInvalidValue;
  Context* context = find_context(handle);
  if (!context) return kInvalidContext;
  context_stack.push_back(context);
  return kSuccess;
}

GUDA_CU(cuCtxPopCurrent_v2)(void** out) {
  GUDA_CU_INITIALIZED();
  if (context_stack.empty()) return kInvalidContext;
  if (out) *out = context_stack.back();
  context_stack.pop_back();
  return kSuccess;
}

GUDA_CU(cuCtxSetCurrent)(void* handle) {
  GUDA_CU_INITIALIZED();
  if (!handle) {
    if (!context_stack.empty()) context_stack.pop_back();
    return kSuccess;
  }
  Context* context = find_context(handle);
  if (!context) return kInvalidContext;
  if (context_stack.empty()) {
    context_stack.push_back(context);
  } else {
    context_stack.back() = context;
  }
  return kSuccess;
}

GUDA_CU(cuCtxGetCurrent)(void** out) {
  GUDA_CU_INITIALIZED();
  if (!out) return kInvalidValue;
  *out = current_context();
  return kSuccess;
}

GUDA_CU(cuCtxGetDevice)(CUdevice* device) {
  GUDA_CU_INITIALIZED();
  if (!device) return kInvalidValue;
  if (!current_context()) return kInvalidContext;
  *device = 0;
  return kSuccess;
}
GUDA_CU(cuCtxGetDevice_v2)(CUdevice* device, void* handle) {
  GUDA_CU_INITIALIZED();
  if (!device) return kInvalidValue;
  if (handle ? !find_context(handle) : !current_context()) return kInvalidContext;
  *device = 0;
  return kSuccess;
}

GUDA_CU(cuCtxGetFlags)(unsigned* flags) {
  GUDA_CU_ENTER();
  if (!flags) return kInvalidValue;
  constexpr unsigned kMapHost = 8;  // always so, with unified addresses
  *flags = current_context()->flags | kMapHost;
  return kSuccess;
}
GUDA_CU(cuCtxSetFlags)(unsigned flags) {
  GUDA_CU_ENTER();
  if (flags & ~kFlags) return kInvalidValue;
  current_context()->flags = flags;
  return kSuccess;
}

GUDA_CU(cuCtxGetId)(void* handle, unsigned long long* id) {
  GUDA_CU_INITIALIZED();
  Context* context = handle ? find_context(handle) : current_context();
  if (!context) return kInvalidContext;
  if (!id) return kInvalidValue;
  *id = context->id;
  return kSuccess;
}

GUDA_CU(cuCtxGetApiVersion)(void* handle, unsigned* version) {
  GUDA_CU_INITIALIZED();
  Context* context = handle ? find_context(handle) : current_context();
  if (!context) return kInvalidContext;
  if (!version) return kInvalidValue;
  *version = 3020;  // the version of cuCtxCreate whose contexts they are
  return kSuccess;
}

GUDA_CU_SHARED(cuCtxSynchronize, cudaDeviceSynchronize, (), ())
GUDA_CU(cuCtxSynchronize_v2)(void* handle) {
  if (handle && !find_context(handle)) return kInvalidContext;
  return guda_cuda_cuCtxSynchronize();
}

GUDA_CU_SHARED(cuCtxSetLimit, cudaDeviceSetLimit, (int limit, size_t value), (limit, value))
GUDA_CU_SHARED(cuCtxGetLimit, cudaDeviceGetLimit, (size_t* value, int limit), (value, limit))
GUDA_CU_SHARED(cuCtxSetCacheConfig, cudaDeviceSetCacheConfig, (int config), (config))
GUDA_CU_SHARED(cuCtxGetCacheConfig, cudaDeviceGetCacheConfig, (int* config), (config))
GUDA_CU_SHARED(cuCtxSetSharedMemConfig, cudaDeviceSetSharedMemConfig, (int config), (config))
GUDA_CU_SHARED(cuCtxGetSharedMemConfig, cudaDeviceGetSharedMemConfig, (int* config), (config))
GUDA_CU_SHARED(cuCtxGetStreamPriorityRange, cudaDeviceGetStreamPriorityRange,
               (int* least, int* greatest), (least, greatest))
GUDA_CU_SHARED(cuCtxResetPersistingL2Cache, cudaCtxResetPersistingL2Cache, (), ())

// Peers: there is one device.
GUDA_CU(cuCtxEnablePeerAccess)(void* peer, unsigned flags) {
  GUDA_CU_ENTER();
  if (flags != 0) return kInvalidValue;
  if (!find_context(peer) || peer == current_context()) return kInvalidContext;
  return static_cast<Error>(StatusCode::peer_access_unsupported);
}
GUDA_CU(cuCtxDisablePeerAccess)(void* peer) {
  GUDA_CU_ENTER();
  return find_context(peer) ? static_cast<Error>(StatusCode::peer_access_not_enabled)
                            : kInvalidContext;
}

}  // namespace guda::cuda
