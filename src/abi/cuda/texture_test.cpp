// Texture and surface objects of the driver API, read and written by kernels.
#include <cstring>
#include <numeric>
#include <vector>

#include "abi/cuda/driver_test.h"
#include "abi/cudart/types.h"

namespace guda::cuda {
namespace {

constexpr const char* kTexturePtx = R"(
.version 7.0
.target sm_70
.address_size 64
.visible .entry fetch(.param .u64 texture, .param .u64 out, .param .f32 x, .param .f32 y) {
  .reg .f32 %f<7>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [texture];
  ld.param.u64 %rd2, [out];
  cvta.to.global.u64 %rd3, %rd2;
  ld.param.f32 %f1, [x];
  ld.param.f32 %f2, [y];
  tex.2d.v4.f32.f32 {%f3, %f4, %f5, %f6}, [%rd1, {%f1, %f2}];
  st.global.f32 [%rd3], %f3;
  ret;
}
.visible .entry fetch_linear(.param .u64 texture, .param .u64 out, .param .u32 x) {
  .reg .b32 %r<6>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [texture];
  ld.param.u64 %rd2, [out];
  cvta.to.global.u64 %rd3, %rd2;
  ld.param.u32 %r1, [x];
  tex.1d.v4.u32.s32 {%r2, %r3, %r4, %r5}, [%rd1, {%r1}];
  st.global.u32 [%rd3], %r2;
  ret;
}
.visible .entry write(.param .u64 surface, .param .u32 value) {
  .reg .b32 %r<5>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [surface];
  ld.param.u32 %r1, [value];
  mov.u32 %r2, %tid.x;
  shl.b32 %r3, %r2, 2;
  mov.u32 %r4, %tid.y;
  sust.b.2d.b32.trap [%rd1, {%r3, %r4}], {%r1};
  ret;
}
)";

class DriverTextures : public DriverApi {
 protected:
  void SetUp() override {
    DriverApi::SetUp();
    module_ = load(kTexturePtx);
    out_ = allocate(16);
  }
  void TearDown() override {
    EXPECT_EQ(cu("cuMemFree_v2", out_), 0);
    EXPECT_EQ(cu("cuModuleUnload", module_), 0);
    DriverApi::TearDown();
  }

  CUresult create(const CUDA_RESOURCE_DESC& resource, const CUDA_TEXTURE_DESC& description) {
    return cu("cuTexObjectCreate", &texture_, &resource, &description,
              static_cast<const cudart::cudaResourceViewDesc*>(nullptr));
  }
  template <typename T>
  T result() {
    T value{};
    EXPECT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), out_, sizeof value), 0);
    return value;
  }
  float fetch(float x, float y) {
    void* parameters[] = {&texture_, &out_, &x, &y};
    EXPECT_EQ(launch(function(module_, "fetch"), 1, 1, parameters), 0);
    return result<float>();
  }
  /// 4 x 2 floats 0 ... 7 in pitched memory.
  CUDA_RESOURCE_DESC pitched(CUdeviceptr memory) {
    float values[2][64] = {{0, 1, 2, 3}, {4, 5, 6, 7}};
    EXPECT_EQ(cu("cuMemcpyHtoD_v2", memory, static_cast<const void*>(values), sizeof values), 0);
    CUDA_RESOURCE_DESC resource{};
    resource.resType = kResourcePitch2D;
    resource.res.pitch2D = {memory, kFormatFloat, 1, 4, 2, 256};
    return resource;
  }

  CUmodule module_ = nullptr;
  CUdeviceptr out_ = 0;
  CUtexObject texture_ = 0;
};

TEST_F(DriverTextures, PitchedMemoryIsSampled) {
  CUdeviceptr memory = allocate(512);
  CUDA_TEXTURE_DESC description{};
  for (int& mode : description.addressMode) mode = 1;  // clamp
  ASSERT_EQ(create(pitched(memory), description), 0);
  EXPECT_EQ(fetch(2.5f, 1.5f), 6.0f);
  EXPECT_EQ(fetch(-3.0f, 9.0f), 4.0f);
  EXPECT_EQ(cu("cuTexObjectDestroy", texture_), 0);

  description.filterMode = 1;  // linear
  description.flags = kTextureNormalizedCoordinates;
  ASSERT_EQ(create(pitched(memory), description), 0);
  EXPECT_EQ(fetch(0.5f, 0.5f), 3.5f);
  EXPECT_EQ(cu("cuTexObjectDestroy", texture_), 0);
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

TEST_F(DriverTextures, DescriptorsComeBackAsTheyWere) {
  CUdeviceptr memory = allocate(512);
  const CUDA_RESOURCE_DESC resource = pitched(memory);
  CUDA_TEXTURE_DESC description{};
  description.addressMode[1] = 1;
  description.flags = kTextureNormalizedCoordinates | kTextureSrgb;
  description.maxAnisotropy = 4;
  description.mipmapLevelBias = 0.5f;
  ASSERT_EQ(create(resource, description), 0);
  CUDA_RESOURCE_DESC found_resource;
  ASSERT_EQ(cu("cuTexObjectGetResourceDesc", &found_resource, texture_), 0);
  EXPECT_EQ(found_resource.resType, kResourcePitch2D);
  EXPECT_EQ(found_resource.res.pitch2D.devPtr, memory);
  EXPECT_EQ(found_resource.res.pitch2D.format, kFormatFloat);
  EXPECT_EQ(found_resource.res.pitch2D.numChannels, 1u);
  EXPECT_EQ(found_resource.res.pitch2D.pitchInBytes, 256u);
  CUDA_TEXTURE_DESC found;
  ASSERT_EQ(cu("cuTexObjectGetTextureDesc", &found, texture_), 0);
  // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): what was given comes back, bit by bit
  EXPECT_EQ(std::memcmp(&found, &description, sizeof found), 0);
  cudart::cudaResourceViewDesc view;
  EXPECT_EQ(cu("cuTexObjectGetResourceViewDesc", &view, texture_), 0);
  EXPECT_EQ(view.format, 0) << "there is none";
  EXPECT_EQ(cu("cuTexObjectDestroy", texture_), 0);
  EXPECT_EQ(cu("cuTexObjectGetTextureDesc", &found, texture_), 1);
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

TEST_F(DriverTextures, LinearMemoryOfIntegersIsRead) {
  std::vector<unsigned short> values(32);
  std::iota(values.begin(), values.end(), static_cast<unsigned short>(1000));
  CUdeviceptr memory = allocate(64);
  ASSERT_EQ(cu("cuMemcpyHtoD_v2", memory, static_cast<const void*>(values.data()), size_t{64}), 0);
  CUDA_RESOURCE_DESC resource{};
  resource.resType = kResourceLinear;
  resource.res.linear = {memory, kFormatUnsigned16, 1, 64};
  CUDA_TEXTURE_DESC description{};
  description.flags = kTextureReadAsInteger;
  ASSERT_EQ(create(resource, description), 0);
  unsigned x = 7;
  void* parameters[] = {&texture_, &out_, &x};
  ASSERT_EQ(launch(function(module_, "fetch_linear"), 1, 1, parameters), 0);
  EXPECT_EQ(result<unsigned>(), 1007u);
  EXPECT_EQ(cu("cuTexObjectDestroy", texture_), 0);
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

TEST_F(DriverTextures, SurfacesAreWrittenAndArraysSampled) {
  CUDA_ARRAY3D_DESCRIPTOR shape{4, 2, 0, kFormatFloat, 1, 2};  // CUDA_ARRAY3D_SURFACE_LDST
  CUarray array = nullptr;
  ASSERT_EQ(cu("cuArray3DCreate_v2", &array, &shape), 0);
  CUDA_RESOURCE_DESC resource{};
  resource.resType = kResourceArray;
  resource.res.array.hArray = array;
  CUsurfObject surface = 0;
  ASSERT_EQ(cu("cuSurfObjectCreate", &surface, &resource), 0);
  CUDA_RESOURCE_DESC found;
  ASSERT_EQ(cu("cuSurfObjectGetResourceDesc", &found, surface), 0);
  EXPECT_EQ(found.res.array.hArray, array);
  float value = 2.75f;
  void* parameters[] = {&surface, &value};
  ASSERT_EQ(cu("cuLaunchKernel", function(module_, "write"), 1u, 1u, 1u, 4u, 2u, 1u, 0u, CUstream{},
               static_cast<void**>(parameters), static_cast<void**>(nullptr)),
            0);
  ASSERT_EQ(create(resource, CUDA_TEXTURE_DESC{}), 0);
  EXPECT_EQ(fetch(3.5f, 1.5f), 2.75f);
  EXPECT_EQ(cu("cuTexObjectDestroy", texture_), 0);
  EXPECT_EQ(cu("cuSurfObjectDestroy", surface), 0);
  EXPECT_EQ(cu("cuArrayDestroy", array), 0);
}

TEST_F(DriverTextures, ImpossibleDescriptorsAreInvalidValues) {
  CUdeviceptr memory = allocate(512);
  CUDA_RESOURCE_DESC resource = pitched(memory);
  CUDA_TEXTURE_DESC description{};
  resource.res.pitch2D.numChannels = 3;
  EXPECT_EQ(create(resource, description), 1);
  resource.res.pitch2D.numChannels = 1;
  resource.res.pitch2D.format = static_cast<CUarray_format>(77);
  EXPECT_EQ(create(resource, description), 1);
  resource.resType = static_cast<CUresourcetype>(9);
  EXPECT_EQ(create(resource, description), 1);
  EXPECT_EQ(cu("cuTexObjectCreate", static_cast<CUtexObject*>(nullptr), &resource, &description,
               static_cast<const cudart::cudaResourceViewDesc*>(nullptr)),
            1);
  CUsurfObject surface = 0;
  const CUDA_RESOURCE_DESC linear = pitched(memory);
  EXPECT_EQ(cu("cuSurfObjectCreate", &surface, &linear), 1) << "surfaces are over arrays";
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

}  // namespace
}  // namespace guda::cuda
