// Modules of the fake driver, and launches of their kernels.
#include "backends/cuda/testing/fake_kernels.h"
#include "backends/cuda/testing/fake_machine_code.h"
#include "backends/cuda/testing/fake_state.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace guda::backend::cuda::testing {

namespace {

DriverResult launch(FunctionHandle handle, Grid g, StreamHandle stream, void** extra) {
  auto* function = reinterpret_cast<Function*>(handle);
  if (g.shared > 48 << 10 && g.shared > static_cast<unsigned>(fake_cuda.dynamic_shared_allowed))
    return kInvalidValue;
  std::vector<std::byte> params;
  if (extra != nullptr && extra[0] == reinterpret_cast<void*>(kLaunchParamBuffer)) {
    auto* from = static_cast<std::byte*>(extra[1]);
    params.assign(from, from + *static_cast<size_t*>(extra[3]));
  }
  g.param_bytes = params.size();
  params.resize(params.size() + 256);
  return submit(stream, [function, g, params = std::move(params)](Stream& on) mutable {
    g.params = params.data();
    return run_kernel(*function, g, on);
  });
}

}  // namespace

EXPORT DriverResult cuModuleLoadDataEx(ModuleHandle* module, const void* image, unsigned count,
                                       int* options, void** values) {
  CALL("cuModuleLoadDataEx");
  size_t listed = 0;
  const char* listing = listing_of(image, listed);
  uint32_t magic = 0;
  std::memcpy(&magic, image, sizeof magic);
  if (listing == nullptr && (magic & 0x80808080) != 0) return kNoBinary;  // no text either
  std::string ptx =
      listing != nullptr ? std::string(listing, listed) : static_cast<const char*>(image);
  if (listing != nullptr && ptx.find("sm_90") == std::string::npos) return kNoBinary;
  // As compilers do; in a thread that the C library here does not know it crashes.
  fake_cuda.blanks_seen =
      std::count_if(ptx.begin(), ptx.end(), [](char c) { return std::isspace(c); });
  std::strncpy(fake_cuda.last_module, ptx.c_str(), sizeof fake_cuda.last_module - 1);
  size_t target = ptx.find("sm_");
  bool too_new = target != std::string::npos && std::atoi(ptx.c_str() + target + 3) > 90;
  if (too_new || ptx.find("bogus") != std::string::npos) {
    for (unsigned i = 0; i < count; ++i) {
      if (options[i] == kJitErrorLogBuffer)
        std::strcpy(static_cast<char*>(values[i]),
                    "ptxas error: Not a name of any known instruction: 'bogus'\n");
    }
    return kInvalidPtx;
  }
  *module = reinterpret_cast<ModuleHandle>(new Module{ptx, {}});
  ++fake_cuda.modules;
  return 0;
}
EXPORT DriverResult cuModuleUnload(ModuleHandle handle) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto* module = reinterpret_cast<Module*>(handle);
  std::erase_if(state().functions, [&](auto& each) { return each.first.first == module; });
  drop_variables(*module);
  delete module;
  --fake_cuda.modules;
  return enter("cuModuleUnload", false);
}
EXPORT DriverResult cuModuleGetFunction(FunctionHandle* function, ModuleHandle handle,
                                        const char* name) {
  CALL("cuModuleGetFunction");
  auto* module = reinterpret_cast<Module*>(handle);
  size_t at = module->ptx.find(std::string(".entry ") + name + "(");
  if (at == std::string::npos) return kNotFound;
  Function& entry = state().functions[{module, name}];
  entry = {name, module};
  *function = reinterpret_cast<FunctionHandle>(&entry);
  return 0;
}
EXPORT DriverResult cuFuncGetAttribute(int* value, int attribute, FunctionHandle) {
  CALL("cuFuncGetAttribute");
  *value = attribute == kFunctionStaticShared ? 1024
           : attribute == kFunctionRegisters  ? 40
           : attribute == kFunctionMaxThreads ? 768
           : attribute == kFunctionPtxVersion ? 90
                                              : 0;
  return 0;
}
EXPORT DriverResult cuFuncSetAttribute(FunctionHandle, int attribute, int value) {
  CALL("cuFuncSetAttribute");
  if (attribute == kFunctionNonPortableCluster) {
    fake_cuda.large_clusters = value != 0;
    return 0;
  }
  if (attribute != kFunctionMaxDynamicShared || value > 227 << 10) return kInvalidValue;
  fake_cuda.dynamic_shared_allowed = value;
  return 0;
}
EXPORT DriverResult cuLaunchKernel(FunctionHandle function, unsigned gx, unsigned gy, unsigned gz,
                                   unsigned bx, unsigned by, unsigned bz, unsigned shared,
                                   StreamHandle stream, void**, void** extra) {
  CALL("cuLaunchKernel");
  if (gx == 0 || bx == 0 || bx * by * bz > 1024) return kInvalidValue;
  return launch(function, {{gx, gy, gz}, {bx, by, bz}, shared, nullptr, 0}, stream, extra);
}
EXPORT DriverResult cuLaunchKernelEx(const LaunchConfig* c, FunctionHandle function, void**,
                                     void** extra) {
  CALL("cuLaunchKernelEx");
  for (unsigned i = 0; i < c->attribute_count; ++i) {
    const LaunchAttribute& attribute = c->attributes[i];
    if (attribute.id == kLaunchAttributeCooperative) {
      fake_cuda.cooperative_launches += attribute.value.cooperative;
    } else if (attribute.id == kLaunchAttributeCluster) {
      const auto& cluster = attribute.value.cluster;
      const unsigned blocks = cluster[0] * cluster[1] * cluster[2];
      if (blocks == 0 || c->grid_x % cluster[0] != 0 || c->grid_y % cluster[1] != 0 ||
          c->grid_z % cluster[2] != 0 || (blocks > 8 && !fake_cuda.large_clusters))
        return kInvalidValue;
      fake_cuda.cluster_blocks = static_cast<int>(blocks);
    } else {
      return kInvalidHandle;
    }
  }
  return launch(function,
                {{c->grid_x, c->grid_y, c->grid_z},
                 {c->block_x, c->block_y, c->block_z},
                 c->shared_bytes,
                 nullptr,
                 0},
                c->stream, extra);
}

}  // namespace guda::backend::cuda::testing
