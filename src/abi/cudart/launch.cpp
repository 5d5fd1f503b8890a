// Kernel launches, function attributes, occupancy.
#include "runtime/launch.h"
#include "abi/cudart/api.h"
#include "runtime/device.h"
#include "runtime/event.h"
#include "runtime/occupancy.h"
#include "runtime/registry.h"

#include <algorithm>
#include <climits>

namespace guda::cudart {
namespace {

using runtime::Kernel;

/// What a real driver answers for a function that nobody registered.
constexpr Error kInvalidFunction = static_cast<Error>(StatusCode::invalid_handle);

kernel::Dim3 to_dim3(dim3 value) { return {value.x, value.y, value.z}; }

/// Before CUDA 13 an impossible configuration had a code of its own.
Error configuration_error(const Status& status, bool before13) {
  if (before13 && status.code() == StatusCode::invalid_value)
    return fail(runtime::kErrorInvalidConfiguration);
  return finish(status);
}

Error launch_kernel(void* stream_handle, bool per_thread, Kernel* kernel,
                    const runtime::LaunchConfiguration& configuration, void** arguments,
                    bool before13) {
  if (!kernel) return invalid_handle();
  runtime::Stream* stream = runtime::StreamTable::instance().find(stream_handle, per_thread);
  if (!stream) return invalid_handle();
  return configuration_error(runtime::launch(*stream, *kernel, configuration, arguments), before13);
}

Error launch_function(const void* function, dim3 grid, dim3 block, void** arguments, size_t shared,
                      void* stream, bool per_thread, bool cooperative, bool before13) {
  GUDA_ENTER();
  return launch_kernel(stream, per_thread, runtime::Registry::instance().kernel(function),
                       {to_dim3(grid), to_dim3(block), shared, cooperative}, arguments, before13);
}

Error launch_extended(const cudaLaunchConfig_t* config, const void* function, void** arguments,
                      bool per_thread, bool before13) {
  GUDA_ENTER();
  if (!config) return invalid_value();
  runtime::LaunchConfiguration configuration{to_dim3(config->gridDim), to_dim3(config->blockDim),
                                             config->dynamicSmemBytes};
  cudaEvent_t completion = nullptr;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const cudaLaunchAttribute& attribute = config->attrs[i];
    if (attribute.id == cudaLaunchAttributeCooperative)
      configuration.cooperative = attribute.val.cooperative != 0;
    if (attribute.id == cudaLaunchAttributeProgrammaticEvent)
      completion = attribute.val.programmaticEvent.event;
    if (attribute.id == cudaLaunchAttributeLaunchCompletionEvent) {
      completion = attribute.val.launchCompletionEvent.event;
    }
    if (attribute.id == cudaLaunchAttributeClusterDimension) {
      const auto& cluster = attribute.val.clusterDim;
      configuration.cluster = {cluster.x, cluster.y, cluster.z};
    }
  }
  Error error =
      launch_kernel(config->stream, per_thread, runtime::Registry::instance().kernel(function),
                    configuration, arguments, before13);
  if (error == kSuccess && completion) {
    auto event = runtime::EventTable::instance().find(completion);
    if (!event) return invalid_handle();
    event->record(*runtime::StreamTable::instance().find(config->stream, per_thread));
  }
  return error;
}

/// Static memory that the PTX declares.
struct StaticMemory {
  size_t shared = 0, local = 0, constant = 0;
};
Result<StaticMemory> static_memory(Kernel& kernel) {
  auto footprint = kernel.footprint();
  if (!footprint) return footprint.status();
  StaticMemory memory{(*footprint)->static_shared_bytes, (*footprint)->local_bytes,
                      (*footprint)->const_bytes};
  return memory;
}

Kernel* kernel_of(const void* function) { return runtime::Registry::instance().kernel(function); }

Error occupancy(int* blocks, const void* function, int block_size, size_t dynamic_shared) {
  GUDA_ENTER();
  if (!blocks || block_size <= 0) return invalid_value();
  Kernel* kernel = kernel_of(function);
  if (!kernel) return fail(kInvalidFunction);
  auto memory = static_memory(*kernel);
  if (!memory) return finish(memory.status());
  *blocks = runtime::blocks_per_multiprocessor(*kernel, memory->shared, block_size, dynamic_shared);
  return kSuccess;
}

Error set_attribute(Kernel* kernel, int attribute, int value) {
  auto& registry = runtime::Registry::instance();
  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize: {
      auto memory = static_memory(*kernel);
      if (!memory) return finish(memory.status());
      size_t limit = runtime::device_properties().shared_per_block_optin;
      if (value < 0 || memory->shared + static_cast<size_t>(value) > limit) return invalid_value();
      registry.change_settings(kernel,
                               [&](auto& settings) { settings.max_dynamic_shared = value; });
      return kSuccess;
    }
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      if (value < -1 || value > 100) return invalid_value();
      registry.change_settings(kernel,
                               [&](auto& settings) { settings.preferred_carveout = value; });
      return kSuccess;
    case cudaFuncAttributeNonPortableClusterSizeAllowed:
      registry.change_settings(kernel,
                               [&](auto& settings) { settings.non_portable_cluster = value != 0; });
      return kSuccess;
    default:
      // The other cluster attributes are accepted: launches say themselves what they need.
      if (attribute < cudaFuncAttributeClusterDimMustBeSet ||
          attribute > cudaFuncAttributeClusterSchedulingPolicyPreference) {
        return invalid_value();
      }
      return kSuccess;
  }
}

}  // namespace

// Both halves of kernel<<<...>>>; a mismatch is the caller's missing configuration.
GUDA_API(__cudaPushCallConfiguration)(dim3 grid, dim3 block, size_t shared, void* stream) {
  runtime::push_call_configuration({to_dim3(grid), to_dim3(block), shared, stream});
  return kSuccess;
}

GUDA_API(__cudaPopCallConfiguration)(dim3* grid, dim3* block, size_t* shared, void** stream) {
  runtime::CallConfiguration configuration{};
  if (!runtime::pop_call_configuration(configuration))
    return fail(52);  // cudaErrorMissingConfiguration
  *grid = {configuration.grid.x, configuration.grid.y, configuration.grid.z};
  *block = {configuration.block.x, configuration.block.y, configuration.block.z};
  *shared = configuration.dynamic_shared;
  *stream = configuration.stream;
  return kSuccess;
}

GUDA_API(__cudaGetKernel)(cudaKernel_t* kernel, const void* function) {
  if (!kernel) return invalid_value();
  *kernel = kernel_of(function);
  return *kernel ? kSuccess : fail(kInvalidFunction);
}

GUDA_API(cudaGetKernel)(cudaKernel_t* kernel, const void* function) {
  return guda_cudart___cudaGetKernel(kernel, function);
}

GUDA_API(cudaGetFuncBySymbol)(cudaFunction_t* result, const void* function) {
  return guda_cudart___cudaGetKernel(result, function);
}

GUDA_API(__cudaLaunchKernel)(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                             size_t shared, cudaStream_t stream) {
  GUDA_ENTER();
  return launch_kernel(stream, false, static_cast<Kernel*>(kernel),
                       {to_dim3(grid), to_dim3(block), shared, false}, arguments, false);
}
GUDA_API(__cudaLaunchKernel_ptsz)(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                  size_t shared, cudaStream_t stream) {
  GUDA_ENTER();
  return launch_kernel(stream, true, static_cast<Kernel*>(kernel),
                       {to_dim3(grid), to_dim3(block), shared, false}, arguments, false);
}
GUDA_API(__cudaLaunchKernel_v12)(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                 size_t shared, cudaStream_t stream) {
  GUDA_ENTER();
  return launch_kernel(stream, false, static_cast<Kernel*>(kernel),
                       {to_dim3(grid), to_dim3(block), shared, false}, arguments, true);
}
GUDA_API(__cudaLaunchKernel_v12_ptsz)(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                      size_t shared, cudaStream_t stream) {
  GUDA_ENTER();
  return launch_kernel(stream, true, static_cast<Kernel*>(kernel),
                       {to_dim3(grid), to_dim3(block), shared, false}, arguments, true);
}

#define LAUNCH_PARAMETERS                                                        \
  (const void* function, dim3 grid, dim3 block, void** arguments, size_t shared, \
   cudaStream_t stream)
#define LAUNCH_ARGUMENTS (function, grid, block, arguments, shared, stream)

GUDA_API_PTSZ(cudaLaunchKernel, LAUNCH_PARAMETERS, LAUNCH_ARGUMENTS) {
  return launch_function(function, grid, block, arguments, shared, stream, kPerThread, false,
                         false);
}
GUDA_API_PTSZ(cudaLaunchKernel_v12, LAUNCH_PARAMETERS, LAUNCH_ARGUMENTS) {
  return launch_function(function, grid, block, arguments, shared, stream, kPerThread, false, true);
}
GUDA_API_PTSZ(cudaLaunchCooperativeKernel, LAUNCH_PARAMETERS, LAUNCH_ARGUMENTS) {
  return launch_function(function, grid, block, arguments, shared, stream, kPerThread, true, false);
}
GUDA_API_PTSZ(cudaLaunchCooperativeKernel_v12, LAUNCH_PARAMETERS, LAUNCH_ARGUMENTS) {
  return launch_function(function, grid, block, arguments, shared, stream, kPerThread, true, true);
}

GUDA_API_PTSZ(cudaLaunchKernelExC,
              (const cudaLaunchConfig_t* config, const void* function, void** arguments),
              (config, function, arguments)) {
  return launch_extended(config, function, arguments, kPerThread, false);
}
GUDA_API_PTSZ(cudaLaunchKernelExC_v12,
              (const cudaLaunchConfig_t* config, const void* function, void** arguments),
              (config, function, arguments)) {
  return launch_extended(config, function, arguments, kPerThread, true);
}

GUDA_API(cudaFuncGetAttributes)(cudaFuncAttributes* out, const void* function) {
  GUDA_ENTER();
  if (!out) return invalid_value();
  Kernel* kernel = kernel_of(function);
  if (!kernel) return fail(kInvalidFunction);
  auto layout = kernel->layout();
  if (!layout) return finish(layout.status());
  auto memory = static_memory(*kernel);
  if (!memory) return finish(memory.status());
  const auto& device = runtime::device_properties();
  auto settings = runtime::Registry::instance().settings(kernel);
  // CUDA 11 ends after preferredShmemCarveout; the rest is zero anyway and not written.
  out->sharedSizeBytes = memory->shared;
  out->constSizeBytes = memory->constant;
  out->localSizeBytes = memory->local;
  out->maxThreadsPerBlock = static_cast<int>((*layout)->max_threads_per_block());
  out->numRegs = runtime::registers_per_thread(*kernel);
  out->ptxVersion = static_cast<int>((*layout)->ptx_version);
  out->binaryVersion = device.major * 10 + device.minor;
  out->cacheModeCA = 0;
  out->maxDynamicSharedSizeBytes =
      settings.max_dynamic_shared >= 0
          ? settings.max_dynamic_shared
          : static_cast<int>(device.shared_per_block -
                             std::min(device.shared_per_block, memory->shared));
  out->preferredShmemCarveout = settings.preferred_carveout;
  return kSuccess;
}

GUDA_API(cudaFuncSetAttribute)(const void* function, int attribute, int value) {
  GUDA_ENTER();
  Kernel* kernel = kernel_of(function);
  return kernel ? set_attribute(kernel, attribute, value) : fail(kInvalidFunction);
}

GUDA_API(cudaKernelSetAttributeForDevice)(cudaKernel_t handle, int attribute, int value,
                                          int device) {
  GUDA_ENTER();
  if (device != 0) return invalid_device();
  Kernel* kernel = kernel_of(handle);
  return kernel ? set_attribute(kernel, attribute, value) : invalid_handle();
}

GUDA_API(cudaFuncSetCacheConfig)(const void* function, int config) {
  GUDA_ENTER();
  Kernel* kernel = kernel_of(function);
  if (!kernel) return fail(kInvalidFunction);
  if (config < 0 || config > 3) return invalid_value();
  runtime::Registry::instance().change_settings(
      kernel, [&](auto& settings) { settings.cache_config = config; });
  return kSuccess;
}

GUDA_API(cudaFuncSetSharedMemConfig)(const void* function, int) {
  GUDA_ENTER();
  return kernel_of(function) ? kSuccess : fail(kInvalidFunction);
}

GUDA_API(cudaFuncGetName)(const char** name, const void* function) {
  GUDA_ENTER();
  if (!name) return invalid_value();
  Kernel* kernel = kernel_of(function);
  if (!kernel) return fail(kInvalidFunction);
  *name = kernel->name().data();  // a literal of the program: null-terminated
  return kSuccess;
}

GUDA_API(cudaFuncGetParamInfo)(const void* function, size_t index, size_t* offset, size_t* size) {
  GUDA_ENTER();
  Kernel* kernel = kernel_of(function);
  if (!kernel) return fail(kInvalidFunction);
  auto layout = kernel->layout();
  if (!layout) return finish(layout.status());
  if (!offset || index >= (*layout)->parameters.size()) return invalid_value();
  *offset = (*layout)->parameters[index].offset;
  if (size) *size = (*layout)->parameters[index].size;
  return kSuccess;
}

GUDA_API(cudaOccupancyMaxActiveBlocksPerMultiprocessor)(int* blocks, const void* function,
                                                        int block_size, size_t dynamic_shared) {
  return occupancy(blocks, function, block_size, dynamic_shared);
}

GUDA_API(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags)(int* blocks, const void* function,
                                                                 int block_size,
                                                                 size_t dynamic_shared,
                                                                 unsigned flags) {
  if (flags > 1) return invalid_value();
  return occupancy(blocks, function, block_size, dynamic_shared);
}

GUDA_API(cudaOccupancyAvailableDynamicSMemPerBlock)(size_t* bytes, const void* function, int blocks,
                                                    int block_size) {
  GUDA_ENTER();
  if (!bytes) return invalid_value();
  Kernel* kernel = kernel_of(function);
  if (!kernel) return fail(kInvalidFunction);
  auto memory = static_memory(*kernel);
  if (!memory) return finish(memory.status());
  *bytes = runtime::available_dynamic_shared(*kernel, memory->shared, blocks, block_size);
  return kSuccess;
}

GUDA_API(cudaSetDoubleForDevice)(double*) { return kSuccess; }
GUDA_API(cudaSetDoubleForHost)(double*) { return kSuccess; }

}  // namespace guda::cudart
