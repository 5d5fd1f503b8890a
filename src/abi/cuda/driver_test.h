// Tests of the driver API as a program sees it, through libcuda.so.1 alone. GUDA_TEST_LIBCUDA names
// another library to run the same promises against, such as a vendor's driver.
#pragma once

#include "abi/cuda/types.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <cstdlib>

namespace guda::cuda {

inline bool against_guda() { return std::getenv("GUDA_TEST_LIBCUDA") == nullptr; }

inline void* library() {
  static void* opened = [] {
    const char* other = std::getenv("GUDA_TEST_LIBCUDA");
    void* handle = dlopen(other ? other : GUDA_LIBRARIES "/libcuda.so.1", RTLD_NOW);
    if (!handle) std::fprintf(stderr, "%s\n", dlerror());
    return handle;
  }();
  return opened;
}

/// Calls an exported function by name.
template <typename... Arguments>
CUresult cu(const char* name, Arguments... arguments) {
  auto* function = reinterpret_cast<CUresult (*)(Arguments...)>(dlsym(library(), name));
  if (!function) {
    ADD_FAILURE() << name << " is not exported";
    return -1;
  }
  return function(arguments...);
}

inline constexpr const char* kPtx = R"(
.version 7.0
.target sm_70
.address_size 64
.global .align 4 .u32 counter = 7;
.const .align 4 .f32 factor = 0f40000000;
.visible .entry scale(.param .u64 data, .param .u32 count, .param .f32 by) {
  .reg .pred %p;
  .reg .b32 %r<8>;
  .reg .b64 %rd<5>;
  .reg .f32 %f<4>;
  ld.param.u64 %rd1, [data];
  ld.param.u32 %r1, [count];
  ld.param.f32 %f1, [by];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p, %r5, %r1;
  @%p bra DONE;
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.f32 %f2, [%rd4];
  mul.f32 %f3, %f2, %f1;
  st.global.f32 [%rd4], %f3;
DONE:
  ret;
}
.visible .entry count_up() {
  .reg .b32 %r<2>;
  atom.global.add.u32 %r1, [counter], 1;
  ret;
}
.visible .entry wild() {
  .reg .b64 %rd<2>;
  .reg .b32 %r<2>;
  mov.u64 %rd1, 16;
  mov.u32 %r1, 1;
  st.global.u32 [%rd1], %r1;
  ret;
}
)";

class DriverApi : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(library(), nullptr);
    ASSERT_EQ(cu("cuInit", 0u), 0);
    ASSERT_EQ(cu("cuDevicePrimaryCtxRetain", &context_, 0), 0);
    ASSERT_EQ(cu("cuCtxSetCurrent", context_), 0);
  }
  void TearDown() override {
    cu("cuCtxSetCurrent", static_cast<void*>(nullptr));
    cu("cuDevicePrimaryCtxRelease_v2", 0);
  }
  CUmodule load(const char* ptx = kPtx) {
    CUmodule module = nullptr;
    EXPECT_EQ(cu("cuModuleLoadData", &module, static_cast<const void*>(ptx)), 0);
    return module;
  }
  CUfunction function(CUmodule module, const char* name) {
    CUfunction found = nullptr;
    EXPECT_EQ(cu("cuModuleGetFunction", &found, module, name), 0);
    return found;
  }
  CUresult launch(CUfunction kernel, unsigned grid, unsigned block, void** parameters,
                  void** extra = nullptr, CUstream stream = nullptr) {
    return cu("cuLaunchKernel", kernel, grid, 1u, 1u, block, 1u, 1u, 0u, stream, parameters, extra);
  }
  CUdeviceptr allocate(size_t size) {
    CUdeviceptr address = 0;
    EXPECT_EQ(cu("cuMemAlloc_v2", &address, size), 0);
    return address;
  }

  void* context_ = nullptr;
};

}  // namespace guda::cuda
