#include "abi/cuda/function.h"

#include "abi/cudart/types.h"
#include "runtime/device.h"
#include "runtime/occupancy.h"
#include "runtime/registry.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>

extern "C" {
int guda_cudart_cudaFuncGetAttributes(guda::cudart::cudaFuncAttributes* out, const void* function);
int guda_cudart_cudaFuncSetAttribute(const void* function, int attribute, int value);
}

namespace guda::cuda {
namespace {

using runtime::Kernel;
using runtime::Registry;

constexpr int kAttributeCount = 16;

/// A kernel's name as C text, for as long as the process lives.
const char* interned(std::string_view name) {
  static std::mutex mutex;
  static auto* names = new std::set<std::string, std::less<>>;
  std::unique_lock lock(mutex);
  auto found = names->find(name);
  if (found == names->end()) found = names->emplace(name).first;
  return found->c_str();
}

}  // namespace

Kernel* find_function(void* handle) { return Registry::instance().kernel(handle); }

Error function_name(const char** name, void* handle) {
  if (!name) return kInvalidValue;
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  *name = interned(kernel->name());
  return kSuccess;
}

Error function_attribute(int* value, int attribute, void* handle) {
  if (!value || attribute < 0 || attribute >= kAttributeCount) return kInvalidValue;
  if (!find_function(handle)) return kInvalidHandle;
  cudart::cudaFuncAttributes all{};
  Error error =
      without_runtime_state([&] { return guda_cudart_cudaFuncGetAttributes(&all, handle); });
  if (error) return error;
  const int values[kAttributeCount] = {all.maxThreadsPerBlock,
                                       static_cast<int>(all.sharedSizeBytes),
                                       static_cast<int>(all.constSizeBytes),
                                       static_cast<int>(all.localSizeBytes),
                                       all.numRegs,
                                       all.ptxVersion,
                                       all.binaryVersion,
                                       all.cacheModeCA,
                                       all.maxDynamicSharedSizeBytes,
                                       all.preferredShmemCarveout,
                                       all.clusterDimMustBeSet,
                                       all.requiredClusterWidth,
                                       all.requiredClusterHeight,
                                       all.requiredClusterDepth,
                                       all.nonPortableClusterSizeAllowed,
                                       all.clusterSchedulingPolicyPreference};
  *value = values[attribute];
  return kSuccess;
}

Error set_function_attribute(void* handle, int attribute, int value) {
  if (!find_function(handle)) return kInvalidHandle;
  return without_runtime_state(
      [&] { return guda_cudart_cudaFuncSetAttribute(handle, attribute, value); });
}

Error set_cache_config(void* handle, int config) {
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  if (config < 0 || config > 3) return kInvalidValue;
  Registry::instance().change_settings(kernel,
                                       [&](auto& settings) { settings.cache_config = config; });
  return kSuccess;
}

Error parameter_info(void* handle, size_t index, size_t* offset, size_t* size) {
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  auto layout = kernel->layout();
  if (!layout) return finish(layout.status());
  if (!offset || index >= (*layout)->parameters.size()) return kInvalidValue;
  *offset = (*layout)->parameters[index].offset;
  if (size) *size = (*layout)->parameters[index].size;
  return kSuccess;
}

GUDA_CU(cuFuncGetAttribute)(int* value, int attribute, CUfunction handle) {
  GUDA_CU_ENTER();
  return function_attribute(value, attribute, handle);
}
GUDA_CU(cuFuncSetAttribute)(CUfunction handle, int attribute, int value) {
  GUDA_CU_ENTER();
  return set_function_attribute(handle, attribute, value);
}
GUDA_CU(cuFuncSetCacheConfig)(CUfunction handle, int config) {
  GUDA_CU_ENTER();
  return set_cache_config(handle, config);
}
GUDA_CU(cuFuncSetSharedMemConfig)(CUfunction handle, int) {
  GUDA_CU_ENTER();
  return find_function(handle) ? kSuccess : kInvalidHandle;
}

GUDA_CU(cuFuncGetModule)(CUmodule* out, CUfunction handle) {
  GUDA_CU_ENTER();
  if (!out) return kInvalidValue;
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  *out = &kernel->module();
  return kSuccess;
}
GUDA_CU(cuFuncGetName)(const char** name, CUfunction handle) {
  GUDA_CU_ENTER();
  return function_name(name, handle);
}
GUDA_CU(cuFuncGetParamInfo)(CUfunction handle, size_t index, size_t* offset, size_t* size) {
  GUDA_CU_ENTER();
  return parameter_info(handle, index, offset, size);
}

// A function counts as loaded when its parameters are known; its code comes with the first launch, when
// the block's dimensions are.
GUDA_CU(cuFuncIsLoaded)(int* state, CUfunction handle) {
  GUDA_CU_ENTER();
  if (!state) return kInvalidValue;
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  *state = kernel->module().is_loaded() ? 1 : 0;
  return kSuccess;
}
GUDA_CU(cuFuncLoad)(CUfunction handle) {
  GUDA_CU_INITIALIZED();
  Kernel* kernel = find_function(handle);
  return kernel ? finish(kernel->layout().status()) : kInvalidHandle;
}

// Occupancy --------------------------------------------------------------------------------------------

namespace {

using BlockToShared = size_t (*)(int);

Error blocks_that_fit(int* blocks, CUfunction handle, int threads, size_t dynamic_shared) {
  GUDA_CU_ENTER();
  if (!blocks || threads <= 0) return kInvalidValue;
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  auto footprint = kernel->footprint();
  if (!footprint) return finish(footprint.status());
  *blocks = runtime::blocks_per_multiprocessor(*kernel, (*footprint)->static_shared_bytes, threads,
                                               dynamic_shared);
  return kSuccess;
}

/// The block size, a multiple of the warp, that keeps most threads resident; of equals the largest.
Error best_block(int* grid, int* block, CUfunction handle, BlockToShared shared_of,
                 size_t dynamic_shared, int limit) {
  GUDA_CU_ENTER();
  if (!grid || !block || limit < 0) return kInvalidValue;
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  auto layout = kernel->layout();
  if (!layout) return finish(layout.status());
  auto footprint = kernel->footprint();
  if (!footprint) return finish(footprint.status());
  const auto& device = runtime::device_properties();
  int most =
      std::min(device.max_threads_per_block, static_cast<int>((*layout)->max_threads_per_block()));
  if (limit != 0) most = std::min(most, limit);
  int best_threads = 0, best_blocks = 0;
  *grid = *block = 0;
  int warp = device.warp_size;
  for (int threads = (most + warp - 1) / warp * warp; threads > 0; threads -= warp) {
    int size = std::min(threads, most);
    size_t dynamic = shared_of ? shared_of(size) : dynamic_shared;
    int blocks = runtime::blocks_per_multiprocessor(*kernel, (*footprint)->static_shared_bytes,
                                                    size, dynamic);
    if (blocks * size <= best_threads) continue;
    best_threads = blocks * size;
    best_blocks = blocks;
    *block = size;
  }
  *grid = best_blocks * device.multiprocessors;
  return kSuccess;
}

}  // namespace

GUDA_CU(cuOccupancyMaxActiveBlocksPerMultiprocessor)(int* blocks, CUfunction handle, int threads,
                                                     size_t shared) {
  return blocks_that_fit(blocks, handle, threads, shared);
}
GUDA_CU(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags)(int* blocks, CUfunction handle,
                                                              int threads, size_t shared,
                                                              unsigned flags) {
  return flags > 1 ? kInvalidValue : blocks_that_fit(blocks, handle, threads, shared);
}
GUDA_CU(cuOccupancyMaxPotentialBlockSize)(int* grid, int* block, CUfunction handle,
                                          BlockToShared shared_of, size_t shared, int limit) {
  return best_block(grid, block, handle, shared_of, shared, limit);
}
GUDA_CU(cuOccupancyMaxPotentialBlockSizeWithFlags)(int* grid, int* block, CUfunction handle,
                                                   BlockToShared shared_of, size_t shared,
                                                   int limit, unsigned flags) {
  return flags > 1 ? kInvalidValue : best_block(grid, block, handle, shared_of, shared, limit);
}
GUDA_CU(cuOccupancyAvailableDynamicSMemPerBlock)(size_t* bytes, CUfunction handle, int blocks,
                                                 int threads) {
  GUDA_CU_ENTER();
  if (!bytes || blocks <= 0 || threads <= 0) return kInvalidValue;
  Kernel* kernel = find_function(handle);
  if (!kernel) return kInvalidHandle;
  auto footprint = kernel->footprint();
  if (!footprint) return finish(footprint.status());
  *bytes = runtime::available_dynamic_shared(*kernel, (*footprint)->static_shared_bytes, blocks,
                                             threads);
  return kSuccess;
}

}  // namespace guda::cuda
