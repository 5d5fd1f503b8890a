// Modules of the fake driver, and launches of their kernels.
#include "backends/cuda/testing/fake_kernels.h"
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
  std::string ptx = static_cast<const char*>(image);
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
  *module = reinterpret_cast<ModuleHandle>(new Module{ptx});
  ++fake_cuda.modules;
  return 0;
}
EXPORT DriverResult cuModuleUnload(ModuleHandle handle) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  auto* module = reinterpret_cast<Module*>(handle);
  std::erase_if(state().functions, [&](auto& each) { return each.first.first == module; });
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
  *value = attribute == kFunctionStaticShared ? 1024 : 0;
  return 0;
}
EXPORT DriverResult cuFuncSetAttribute(FunctionHandle, int attribute, int value) {
  CALL("cuFuncSetAttribute");
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
  if (c->attribute_count != 1 || c->attributes[0].id != kLaunchAttributeCooperative)
    return kInvalidHandle;
  fake_cuda.cooperative_launches += c->attributes[0].value.cooperative;
  return launch(function,
                {{c->grid_x, c->grid_y, c->grid_z},
                 {c->block_x, c->block_y, c->block_z},
                 c->shared_bytes,
                 nullptr,
                 0},
                c->stream, extra);
}

}  // namespace guda::backend::cuda::testing
