// The driver API at large; modules, textures and sharing between processes have files of their own.
#include "abi/cuda/driver_test.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace guda::cuda {
namespace {

TEST_F(DriverApi, LaunchesPtxWithEitherFormOfArguments) {
  CUmodule module = load();
  CUfunction scale = function(module, "scale");
  std::vector<float> host(1000);
  std::iota(host.begin(), host.end(), 0.0f);
  CUdeviceptr data = allocate(host.size() * 4);
  ASSERT_EQ(cu("cuMemcpyHtoD_v2", data, static_cast<const void*>(host.data()), host.size() * 4), 0);

  unsigned count = 1000;
  float by = 3.0f;
  void* parameters[] = {&data, &count, &by};
  ASSERT_EQ(launch(scale, 8, 128, parameters), 0);

  struct {
    CUdeviceptr data;
    unsigned count;
    float by;
  } block{data, 1000, 2.0f};
  size_t size = sizeof block;
  void* extra[] = {reinterpret_cast<void*>(1), &block, reinterpret_cast<void*>(2), &size, nullptr};
  ASSERT_EQ(launch(scale, 8, 128, nullptr, extra), 0);
  EXPECT_EQ(launch(scale, 8, 128, parameters, extra), 1);

  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(host.data()), data, host.size() * 4), 0);
  for (size_t i = 0; i < host.size(); ++i) ASSERT_EQ(host[i], 6.0f * static_cast<float>(i));
  EXPECT_EQ(cu("cuMemFree_v2", data), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, ExtendedLaunchTakesAttributesAndAStream) {
  CUmodule module = load();
  CUfunction kernel = function(module, "count_up");
  CUstream stream = nullptr;
  ASSERT_EQ(cu("cuStreamCreate", &stream, 1u), 0);
  struct {
    int id;
    char pad[4];
    union {
      char bytes[64];
      int cooperative;
    } value;
  } attribute{};
  attribute.id = 2;
  attribute.value.cooperative = 1;
  CUlaunchConfig config{1, 1, 1, 32, 1, 1, 0, stream, &attribute, 1};
  ASSERT_EQ(cu("cuLaunchKernelEx", static_cast<const CUlaunchConfig*>(&config), kernel,
               static_cast<void**>(nullptr), static_cast<void**>(nullptr)),
            0);
  ASSERT_EQ(cu("cuStreamSynchronize", stream), 0);
  CUdeviceptr counter = 0;
  size_t size = 0;
  ASSERT_EQ(cu("cuModuleGetGlobal_v2", &counter, &size, module, "counter"), 0);
  EXPECT_EQ(size, 4u);
  unsigned value = 0;
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), counter, size_t{4}), 0);
  EXPECT_EQ(value, 7u + 32u);
  EXPECT_EQ(cu("cuStreamDestroy_v2", stream), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, LookupsOfWhatIsMissingAreNotFound) {
  CUmodule module = load();
  void* found = nullptr;
  CUdeviceptr address = 0;
  EXPECT_EQ(cu("cuModuleGetFunction", &found, module, "absent"), 500);
  EXPECT_EQ(cu("cuModuleGetGlobal_v2", &address, static_cast<size_t*>(nullptr), module, "absent"),
            500);
  EXPECT_EQ(cu("cuModuleGetFunction", &found, module, static_cast<const char*>(nullptr)), 1);
  EXPECT_EQ(cu("cuModuleLoad", &found, "/nonexistent/module.ptx"), 301);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, LibrariesGiveKernelsThatLaunchAsFunctions) {
  void* library = nullptr;
  ASSERT_EQ(cu("cuLibraryLoadData", &library, static_cast<const void*>(kPtx),
               static_cast<int*>(nullptr), static_cast<void**>(nullptr), 0u,
               static_cast<int*>(nullptr), static_cast<void**>(nullptr), 0u),
            0);
  unsigned count = 0;
  EXPECT_EQ(cu("cuLibraryGetKernelCount", &count, library), 0);
  EXPECT_EQ(count, 3u);
  void *kernel = nullptr, *function = nullptr;
  ASSERT_EQ(cu("cuLibraryGetKernel", &kernel, library, "count_up"), 0);
  const char* name = nullptr;
  EXPECT_EQ(cu("cuKernelGetName", &name, kernel), 0);
  EXPECT_STREQ(name, "count_up");
  ASSERT_EQ(cu("cuKernelGetFunction", &function, kernel), 0);
  EXPECT_EQ(launch(function, 1, 1, nullptr), 0);
  EXPECT_EQ(launch(kernel, 1, 1, nullptr), 0);
  CUdeviceptr counter = 0;
  size_t size = 0;
  ASSERT_EQ(cu("cuLibraryGetGlobal", &counter, &size, library, "counter"), 0);
  unsigned value = 0;
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), counter, size_t{4}), 0);
  EXPECT_EQ(value, 9u);
  EXPECT_EQ(cu("cuLibraryUnload", library), 0);
}

TEST_F(DriverApi, FunctionAttributesComeFromThePtx) {
  CUmodule module = load();
  CUfunction scale = function(module, "scale");
  int value = -1;
  EXPECT_EQ(cu("cuFuncGetAttribute", &value, 0, scale), 0);
  EXPECT_EQ(value, 1024);
  EXPECT_EQ(cu("cuFuncGetAttribute", &value, 5, scale), 0);
  EXPECT_EQ(value, 70);
  EXPECT_EQ(cu("cuFuncGetAttribute", &value, 99, scale), 1);
  size_t offset = 0, size = 0;
  EXPECT_EQ(cu("cuFuncGetParamInfo", scale, size_t{2}, &offset, &size), 0);
  EXPECT_EQ(offset, 12u);
  EXPECT_EQ(size, 4u);
  EXPECT_EQ(cu("cuFuncGetParamInfo", scale, size_t{3}, &offset, &size), 1);
  int grid = 0, block = 0;
  EXPECT_EQ(cu("cuOccupancyMaxPotentialBlockSize", &grid, &block, scale,
               static_cast<void*>(nullptr), size_t{0}, 0),
            0);
  EXPECT_GE(block, 32);
  EXPECT_GE(grid, 1);
  void* back = nullptr;
  EXPECT_EQ(cu("cuFuncGetModule", &back, scale), 0);
  EXPECT_EQ(back, module);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, CopiesOfBoxesKeepToTheirPitches) {
  CUdeviceptr data = 0;
  size_t pitch = 0;
  ASSERT_EQ(cu("cuMemAllocPitch_v2", &data, &pitch, size_t{100}, size_t{10}, 4u), 0);
  EXPECT_GE(pitch, 100u);
  ASSERT_EQ(
      cu("cuMemsetD2D8_v2", data, pitch, static_cast<unsigned char>(7), size_t{100}, size_t{10}),
      0);
  std::vector<unsigned char> host(30 * 5, 0);
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = kMemoryDevice;
  copy.srcDevice = data;
  copy.srcPitch = pitch;
  copy.srcXInBytes = 10;
  copy.srcY = 2;
  copy.dstMemoryType = kMemoryHost;
  copy.dstHost = host.data();
  copy.dstPitch = 30;
  copy.WidthInBytes = 20;
  copy.Height = 5;
  ASSERT_EQ(cu("cuMemcpy2D_v2", static_cast<const CUDA_MEMCPY2D*>(&copy)), 0);
  EXPECT_EQ(std::accumulate(host.begin(), host.end(), 0), 7 * 20 * 5);
  EXPECT_EQ(host[19], 7);
  EXPECT_EQ(host[20], 0);
  copy.dstPitch = 10;
  EXPECT_EQ(cu("cuMemcpy2D_v2", static_cast<const CUDA_MEMCPY2D*>(&copy)), 1);
  EXPECT_EQ(cu("cuMemsetD32_v2", data + 1, 0u, size_t{4}), 1);
  EXPECT_EQ(cu("cuMemFree_v2", data), 0);
}

TEST_F(DriverApi, PointerAttributesTellKindsApart) {
  CUdeviceptr device = allocate(4096);
  void* host = nullptr;
  ASSERT_EQ(cu("cuMemHostAlloc", &host, size_t{4096}, 0u), 0);
  int type = 0;
  EXPECT_EQ(cu("cuPointerGetAttribute", static_cast<void*>(&type), 2, device + 100), 0);
  EXPECT_EQ(type, 2);
  EXPECT_EQ(cu("cuPointerGetAttribute", static_cast<void*>(&type), 2,
               reinterpret_cast<CUdeviceptr>(host)),
            0);
  EXPECT_EQ(type, 1);
  int local = 0;
  auto unknown = reinterpret_cast<CUdeviceptr>(&local);
  EXPECT_EQ(cu("cuPointerGetAttribute", static_cast<void*>(&type), 2, unknown), 1);
  int attributes[] = {2, 9};
  int ordinal = 5;
  void* out[] = {&type, &ordinal};
  EXPECT_EQ(cu("cuPointerGetAttributes", 2u, attributes, static_cast<void**>(out), unknown), 0);
  EXPECT_EQ(type, 0);
  EXPECT_EQ(ordinal, -2);
  CUdeviceptr base = 0;
  size_t size = 0;
  EXPECT_EQ(cu("cuMemGetAddressRange_v2", &base, &size, device + 100), 0);
  EXPECT_EQ(base, device);
  EXPECT_EQ(size, 4096u);
  EXPECT_EQ(cu("cuMemAlloc_v2", &base, size_t{0}), 1);
  EXPECT_EQ(cu("cuMemFree_v2", device), 0);
  EXPECT_EQ(cu("cuMemFreeHost", host), 0);
}

TEST_F(DriverApi, ContextsStackPerThread) {
  void *current = nullptr, *made = nullptr, *popped = nullptr;
  EXPECT_EQ(cu("cuCtxGetCurrent", &current), 0);
  EXPECT_EQ(current, context_);
  ASSERT_EQ(cu("cuCtxCreate_v2", &made, 0u, 0), 0);
  EXPECT_NE(made, context_);
  EXPECT_EQ(cu("cuCtxGetCurrent", &current), 0);
  EXPECT_EQ(current, made);
  std::thread([] {
    void* other = &other;
    EXPECT_EQ(cu("cuCtxGetCurrent", &other), 0);
    EXPECT_EQ(other, nullptr);
    CUdeviceptr address = 0;
    EXPECT_EQ(cu("cuMemAlloc_v2", &address, size_t{16}), 201);
    EXPECT_EQ(cu("cuCtxPopCurrent_v2", &other), 201);
  }).join();
  EXPECT_EQ(cu("cuCtxPopCurrent_v2", &popped), 0);
  EXPECT_EQ(popped, made);
  EXPECT_EQ(cu("cuCtxPushCurrent_v2", made), 0);
  EXPECT_EQ(cu("cuCtxDestroy_v2", made), 0);
  EXPECT_EQ(cu("cuCtxGetCurrent", &current), 0);
  EXPECT_EQ(current, context_);
}

TEST_F(DriverApi, StreamsRememberTheirContext) {
  CUstream stream = nullptr;
  ASSERT_EQ(cu("cuStreamCreateWithPriority", &stream, 1u, 0), 0);
  void* popped = nullptr;
  ASSERT_EQ(cu("cuCtxPopCurrent_v2", &popped), 0);
  void* of_stream = nullptr;
  EXPECT_EQ(cu("cuStreamGetCtx", stream, &of_stream), 0);
  EXPECT_EQ(of_stream, context_);
  EXPECT_EQ(cu("cuStreamSynchronize", stream), 0);
  EXPECT_EQ(cu("cuStreamSynchronize", static_cast<CUstream>(nullptr)), 201);
  ASSERT_EQ(cu("cuCtxPushCurrent_v2", popped), 0);
  EXPECT_EQ(cu("cuStreamDestroy_v2", stream), 0);
}

TEST_F(DriverApi, EventsTimeStreams) {
  CUevent first = nullptr, last = nullptr;
  ASSERT_EQ(cu("cuEventCreate", &first, 0u), 0);
  ASSERT_EQ(cu("cuEventCreate", &last, 0u), 0);
  float milliseconds = -1;
  EXPECT_EQ(cu("cuEventElapsedTime_v2", &milliseconds, first, last), 400);
  EXPECT_EQ(cu("cuEventRecord", first, static_cast<CUstream>(nullptr)), 0);
  EXPECT_EQ(cu("cuEventRecord", last, static_cast<CUstream>(nullptr)), 0);
  EXPECT_EQ(cu("cuEventSynchronize", last), 0);
  EXPECT_EQ(cu("cuEventElapsedTime_v2", &milliseconds, first, last), 0);
  EXPECT_GE(milliseconds, 0.0f);
  EXPECT_EQ(cu("cuEventDestroy_v2", first), 0);
  EXPECT_EQ(cu("cuEventDestroy_v2", last), 0);
}

// The same through one function for nodes of any type.
TEST_F(DriverApi, GraphNodesOfAnyTypeAreAddedAndChanged) {
  struct Fill {
    CUdeviceptr dst;
    size_t pitch;
    unsigned value, element;
    size_t width, height;
    void* context;
  };
  struct Copy {
    int flags, reserved;
    void* context;
    CUDA_MEMCPY3D copy;
  };
  struct Node {
    int type, reserved0[3];
    union {
      long long reserved1[29];
      CUDA_KERNEL_NODE_PARAMS kernel;
      Copy copy;
      Fill fill;
    };
    long long reserved2;
  };
  static_assert(sizeof(Node) == 256);
  CUmodule module = load();
  CUdeviceptr data = allocate(400);
  unsigned count = 100;
  float by = 0.5f;
  void* parameters[] = {&data, &count, &by};
  std::vector<float> host(100);
  CUgraph graph = nullptr;
  ASSERT_EQ(cu("cuGraphCreate", &graph, 0u), 0);
  auto add = [&](CUgraphNode* out, const CUgraphNode* after, Node node) {
    return cu("cuGraphAddNode_v2", out, graph, after, static_cast<const void*>(nullptr),
              size_t{after ? 1u : 0u}, &node);
  };
  CUgraphNode filled = nullptr, scaled = nullptr, copied = nullptr, none = nullptr;
  Node fill{};
  fill.type = 2;
  fill.fill = {data, 400, 0x40000000u /* 2.0f */, 4, 100, 1, nullptr};
  ASSERT_EQ(add(&filled, nullptr, fill), 0);
  Node kernel{};
  kernel.type = 0;
  kernel.kernel.kern = function(module, "scale");  // not func
  kernel.kernel.gridDimX = kernel.kernel.gridDimY = kernel.kernel.gridDimZ = 1;
  kernel.kernel.blockDimY = kernel.kernel.blockDimZ = 1;
  kernel.kernel.blockDimX = 128;
  kernel.kernel.kernelParams = parameters;
  ASSERT_EQ(add(&scaled, &filled, kernel), 0);
  Node copy{};
  copy.type = 1;
  copy.copy.copy.srcMemoryType = kMemoryDevice;
  copy.copy.copy.srcDevice = data;
  copy.copy.copy.dstMemoryType = kMemoryHost;
  copy.copy.copy.dstHost = host.data();
  copy.copy.copy.WidthInBytes = 400;
  copy.copy.copy.Height = copy.copy.copy.Depth = 1;
  ASSERT_EQ(add(&copied, &scaled, copy), 0);
  Node unknown{};
  unknown.type = 13;
  EXPECT_EQ(add(&none, nullptr, unknown), 801) << "conditional nodes";
  EXPECT_EQ(cu("cuGraphAddNode_v2", &none, graph, static_cast<const CUgraphNode*>(nullptr),
               static_cast<const void*>(nullptr), size_t{0}, static_cast<Node*>(nullptr)),
            1);
  auto run = [&](CUgraphExec exec) {
    EXPECT_EQ(cu("cuGraphLaunch", exec, CUstream{}), 0);
    EXPECT_EQ(cu("cuCtxSynchronize"), 0);
    return host[99];
  };
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, 0ull), 0);
  EXPECT_EQ(run(exec), 1.0f);
  fill.fill.value = 0x40800000u;  // 4.0f
  EXPECT_EQ(cu("cuGraphExecNodeSetParams", exec, filled, &fill), 0);
  EXPECT_EQ(run(exec), 2.0f);
  by = 4;
  EXPECT_EQ(cu("cuGraphNodeSetParams", scaled, &kernel), 0);
  EXPECT_EQ(cu("cuGraphNodeSetParams", copied, &kernel), 1) << "another type";
  EXPECT_EQ(cu("cuGraphExecDestroy", exec), 0);
  ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, 0ull), 0);
  EXPECT_EQ(run(exec), 8.0f);
  EXPECT_EQ(cu("cuGraphExecDestroy", exec), 0);
  EXPECT_EQ(cu("cuGraphDestroy", graph), 0);
  EXPECT_EQ(cu("cuMemFree_v2", data), 0);
}

TEST_F(DriverApi, GraphsRunCopiesFillsAndKernels) {
  CUmodule module = load();
  CUfunction scale = function(module, "scale");
  CUdeviceptr data = allocate(400);
  unsigned count = 100;
  float by = 0.5f;
  void* parameters[] = {&data, &count, &by};
  CUgraph graph = nullptr;
  ASSERT_EQ(cu("cuGraphCreate", &graph, 0u), 0);
  struct {
    CUdeviceptr dst;
    size_t pitch;
    unsigned value, element;
    size_t width, height;
  } fill{data, 400, 0x40000000u /* 2.0f */, 4, 100, 1};
  CUgraphNode filled = nullptr, scaled = nullptr, copied = nullptr;
  ASSERT_EQ(cu("cuGraphAddMemsetNode", &filled, graph, static_cast<const CUgraphNode*>(nullptr),
               size_t{0}, static_cast<const void*>(&fill), context_),
            0);
  CUDA_KERNEL_NODE_PARAMS kernel{};
  kernel.func = scale;
  kernel.gridDimX = kernel.gridDimY = kernel.gridDimZ = kernel.blockDimY = kernel.blockDimZ = 1;
  kernel.blockDimX = 128;
  kernel.kernelParams = parameters;
  ASSERT_EQ(cu("cuGraphAddKernelNode_v2", &scaled, graph, static_cast<const CUgraphNode*>(&filled),
               size_t{1}, static_cast<const CUDA_KERNEL_NODE_PARAMS*>(&kernel)),
            0);
  std::vector<float> host(100);
  CUDA_MEMCPY3D copy{};
  copy.srcMemoryType = kMemoryDevice;
  copy.srcDevice = data;
  copy.srcPitch = copy.dstPitch = 400;
  copy.srcHeight = copy.dstHeight = 1;
  copy.dstMemoryType = kMemoryHost;
  copy.dstHost = host.data();
  copy.WidthInBytes = 400;
  copy.Height = copy.Depth = 1;
  ASSERT_EQ(cu("cuGraphAddMemcpyNode", &copied, graph, static_cast<const CUgraphNode*>(&scaled),
               size_t{1}, static_cast<const CUDA_MEMCPY3D*>(&copy), context_),
            0);
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, 0ull), 0);
  CUstream stream = nullptr;
  ASSERT_EQ(cu("cuStreamCreate", &stream, 0u), 0);
  ASSERT_EQ(cu("cuGraphLaunch", exec, stream), 0);
  ASSERT_EQ(cu("cuStreamSynchronize", stream), 0);
  EXPECT_EQ(host[0], 1.0f);
  EXPECT_EQ(host[99], 1.0f);
  EXPECT_EQ(cu("cuGraphExecDestroy", exec), 0);
  EXPECT_EQ(cu("cuGraphDestroy", graph), 0);
  EXPECT_EQ(cu("cuStreamDestroy_v2", stream), 0);
  EXPECT_EQ(cu("cuMemFree_v2", data), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, LinkerJoinsTranslationUnits) {
  std::string header = ".version 7.0\n.target sm_70\n.address_size 64\n";
  std::string callee = header +
                       ".visible .func (.param .b32 r) twice(.param .b32 x) {\n .reg .b32 %r<3>;\n "
                       "ld.param.b32 %r1, [x];\n"
                       " add.s32 %r2, %r1, %r1;\n st.param.b32 [r], %r2;\n ret;\n}\n";
  std::string caller = header +
                       ".extern .func (.param .b32 r) twice(.param .b32 x);\n"
                       ".visible .entry k(.param .u64 out) {\n .reg .b32 %r<3>;\n .reg .b64 "
                       "%rd<3>;\n ld.param.u64 %rd1, [out];\n"
                       " cvta.to.global.u64 %rd2, %rd1;\n mov.u32 %r1, 21;\n {\n .param .b32 p;\n "
                       ".param .b32 q;\n st.param.b32 [p], %r1;\n"
                       " call.uni (q), twice, (p);\n ld.param.b32 %r2, [q];\n }\n st.global.u32 "
                       "[%rd2], %r2;\n ret;\n}\n";
  void* state = nullptr;
  ASSERT_EQ(
      cu("cuLinkCreate_v2", 0u, static_cast<int*>(nullptr), static_cast<void**>(nullptr), &state),
      0);
  for (std::string* text : {&callee, &caller}) {
    ASSERT_EQ(cu("cuLinkAddData_v2", state, 1, static_cast<void*>(text->data()), text->size() + 1,
                 "unit", 0u, static_cast<int*>(nullptr), static_cast<void**>(nullptr)),
              0);
  }
  void* image = nullptr;
  size_t size = 0;
  ASSERT_EQ(cu("cuLinkComplete", state, &image, &size), 0);
  CUmodule module = load(static_cast<const char*>(image));
  EXPECT_EQ(cu("cuLinkDestroy", state), 0);
  CUdeviceptr out = allocate(4);
  void* parameters[] = {&out};
  ASSERT_EQ(launch(function(module, "k"), 1, 1, parameters), 0);
  int value = 0;
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), out, size_t{4}), 0);
  EXPECT_EQ(value, 42);
  EXPECT_EQ(cu("cuMemFree_v2", out), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, ImpossibleLaunchesAreInvalidValues) {
  CUmodule module = load();
  CUfunction kernel = function(module, "count_up");
  EXPECT_EQ(launch(kernel, 0, 32, nullptr), 1);
  EXPECT_EQ(launch(kernel, 1, 2048, nullptr), 1);
  EXPECT_EQ(launch(kernel, 1, 32, nullptr), 0);
  EXPECT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(DriverApi, ProcAddressesHaveTheVersionAskedFor) {
  void *address = nullptr, *older = nullptr, *per_thread = nullptr;
  int status = -1;
  auto find = [&](const char* name, void** out, int version, unsigned long long flags) {
    return cu("cuGetProcAddress_v2", name, out, version, flags, &status);
  };
  EXPECT_EQ(find("cuCtxCreate", &address, 12050, 0), 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(find("cuCtxCreate", &older, 3020, 0), 0);
  EXPECT_NE(address, older);
  EXPECT_EQ(find("cuStreamSynchronize", &address, 13000, 0), 0);
  EXPECT_EQ(find("cuStreamSynchronize", &per_thread, 13000, 2), 0);
  EXPECT_NE(address, per_thread);
  EXPECT_EQ(find("cuEventCreate", &address, 13000, 2), 0);
  EXPECT_NE(address, nullptr);
  EXPECT_EQ(find("cuNoSuchFunction", &address, 13000, 0), 0);
  EXPECT_EQ(address, nullptr);
  EXPECT_EQ(status, 1);
  EXPECT_EQ(find("cuLibraryLoadData", &address, 11000, 0), 0);
  EXPECT_EQ(status, 2);
  EXPECT_EQ(find("cuInit", &address, 99000, 0), 1);
  EXPECT_EQ(cu("cuGetProcAddress", "cuNoSuchFunction", &address, 13000, 0ull), 500);
}

TEST_F(DriverApi, ErrorsHaveNamesAndTexts) {
  const char* text = nullptr;
  EXPECT_EQ(cu("cuGetErrorName", 201, &text), 0);
  EXPECT_STREQ(text, "CUDA_ERROR_INVALID_CONTEXT");
  EXPECT_EQ(cu("cuGetErrorString", 700, &text), 0);
  EXPECT_STREQ(text, "an illegal memory access was encountered");
  EXPECT_EQ(cu("cuGetErrorName", 12345, &text), 1);
  EXPECT_EQ(text, nullptr);
}

TEST_F(DriverApi, FaultsDieWithTheirContext) {
  void* made = nullptr;
  ASSERT_EQ(cu("cuCtxCreate_v2", &made, 0u, 0), 0);
  CUmodule module = load();
  ASSERT_EQ(launch(function(module, "wild"), 1, 1, nullptr), 0);
  EXPECT_EQ(cu("cuCtxSynchronize"), 700);
  CUdeviceptr address = 0;
  EXPECT_EQ(cu("cuMemAlloc_v2", &address, size_t{16}), 700);
  cu("cuCtxDestroy_v2", made);
  if (!against_guda()) return;  // there, the process has to end
  EXPECT_EQ(cu("cuMemAlloc_v2", &address, size_t{16}), 0);
  EXPECT_EQ(cu("cuMemFree_v2", address), 0);
}

TEST(DriverExports, EverySymbolOfTheTableIsExported) {
  if (!against_guda()) GTEST_SKIP();
  std::ifstream table(GUDA_DRIVER_TABLE);
  std::string line;
  int symbols = 0;
  while (std::getline(table, line)) {
    std::string symbol = line.substr(0, line.find('\t'));
    if (symbol.rfind("cu", 0) != 0) continue;
    EXPECT_NE(dlsym(library(), symbol.c_str()), nullptr) << symbol;
    ++symbols;
  }
  EXPECT_GT(symbols, 600);
}

TEST(DriverExports, WhatIsMissingSaysSo) {
  if (!against_guda()) GTEST_SKIP();
  EXPECT_EQ(cu("cuMulticastCreate", static_cast<void*>(nullptr), static_cast<void*>(nullptr)), 801);
}

}  // namespace
}  // namespace guda::cuda
