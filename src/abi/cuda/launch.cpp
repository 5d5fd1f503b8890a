// Launches of kernels and host functions.
#include "runtime/launch.h"

#include "abi/cuda/function.h"
#include "abi/cuda/launch_arguments.h"
#include "abi/cudart/types.h"
#include "runtime/event.h"

namespace guda::cuda {

std::optional<LaunchArguments> launch_arguments(void** parameters, void** extra) {
  LaunchArguments arguments;
  arguments.parameters = parameters;
  if (!extra) return arguments;
  if (parameters) return std::nullopt;  // one form or the other
  size_t* size = nullptr;
  for (; *extra; extra += 2) {
    switch (reinterpret_cast<uintptr_t>(*extra)) {
      case kLaunchParamBuffer: arguments.block = extra[1]; break;
      case kLaunchParamBufferSize: size = static_cast<size_t*>(extra[1]); break;
      default: return std::nullopt;
    }
  }
  if ((arguments.block == nullptr) != (size == nullptr)) return std::nullopt;
  if (size) arguments.block_size = *size;
  return arguments;
}

namespace {

Error launch_kernel(CUfunction function, const runtime::LaunchConfiguration& configuration,
                    void* stream_handle, bool per_thread, void** parameters, void** extra) {
  GUDA_CU_ENTER();
  runtime::Kernel* kernel = find_function(function);
  runtime::Stream* stream = runtime::StreamTable::instance().find(stream_handle, per_thread);
  if (!kernel || !stream) return kInvalidHandle;
  auto arguments = launch_arguments(parameters, extra);
  if (!arguments) return kInvalidValue;
  if (!arguments->block)
    return finish(runtime::launch(*stream, *kernel, configuration, parameters));
  return finish(runtime::launch_block(*stream, *kernel, configuration, arguments->block,
                                      arguments->block_size));
}

Error launch_extended(const CUlaunchConfig* config, CUfunction function, bool per_thread,
                      void** parameters, void** extra) {
  GUDA_CU_ENTER();
  if (!config || (config->numAttrs != 0 && !config->attrs)) return kInvalidValue;
  runtime::LaunchConfiguration configuration{
      {config->gridDimX, config->gridDimY, config->gridDimZ},
      {config->blockDimX, config->blockDimY, config->blockDimZ},
      config->sharedMemBytes};
  void* completion = nullptr;
  auto* attributes = static_cast<const cudart::cudaLaunchAttribute*>(config->attrs);
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const cudart::cudaLaunchAttribute& attribute = attributes[i];
    switch (attribute.id) {
      case cudart::cudaLaunchAttributeCooperative:
        configuration.cooperative = attribute.val.cooperative != 0;
        break;
      case cudart::cudaLaunchAttributeProgrammaticEvent:
        completion = attribute.val.programmaticEvent.event;
        break;
      case cudart::cudaLaunchAttributeLaunchCompletionEvent:
        completion = attribute.val.launchCompletionEvent.event;
        break;
      case cudart::cudaLaunchAttributeClusterDimension: {
        const auto& cluster = attribute.val.clusterDim;
        configuration.cluster = {cluster.x, cluster.y, cluster.z};
        break;
      }
      default: break;  // hints
    }
  }
  Error error =
      launch_kernel(function, configuration, config->hStream, per_thread, parameters, extra);
  if (error == kSuccess && completion) {
    auto event = runtime::EventTable::instance().find(completion);
    if (!event) return kInvalidHandle;
    event->record(*runtime::StreamTable::instance().find(config->hStream, per_thread));
  }
  return error;
}

}  // namespace

#define SHAPE_PARAMETERS                                                                    \
  CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, \
      unsigned block_y, unsigned block_z, unsigned shared, CUstream stream
#define SHAPE function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream

GUDA_CU_PTSZ(cuLaunchKernel, (SHAPE_PARAMETERS, void** parameters, void** extra),
             (SHAPE, parameters, extra)) {
  return launch_kernel(function,
                       {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, false},
                       stream, kPerThread, parameters, extra);
}

GUDA_CU_PTSZ(cuLaunchCooperativeKernel, (SHAPE_PARAMETERS, void** parameters),
             (SHAPE, parameters)) {
  return launch_kernel(function,
                       {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, true},
                       stream, kPerThread, parameters, nullptr);
}

GUDA_CU_PTSZ(cuLaunchKernelEx,
             (const CUlaunchConfig* config, CUfunction function, void** parameters, void** extra),
             (config, function, parameters, extra)) {
  return launch_extended(config, function, kPerThread, parameters, extra);
}

GUDA_CU_SHARED_STREAM_PTSZ(cuLaunchHostFunc, cudaLaunchHostFunc,
                           (CUstream stream, void (*function)(void*), void* data),
                           (stream, function, data))

}  // namespace guda::cuda
