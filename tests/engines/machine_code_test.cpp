// Modules without PTX: given to the driver of the device that data lives on; nothing else can run them. The machine code is
// the fake driver's (backends/cuda/testing/fake_machine_code.cpp), which keeps variables where the host faults. Without
// such a device (GUDA_DEVICES) loading has to fail.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace {

#define OK(call) ASSERT_EQ(call, cudaSuccess)

const std::string kEntries = R"(
.target sm_90
.global .b8 counter[4];
.global .b8 table[64];
.visible .entry vector_add(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n)
.visible .entry count_up(.param .u32 step)
.visible .entry empty()
)";
const std::string kImage = "\177ELF" + kEntries;

/// A container with one entry of machine code, as nvcc makes it.
std::string fatbin(const std::string& image) {
  std::string payload = image;
  payload.resize((payload.size() + 8) / 8 * 8);
  std::string bytes(16 + 64, '\0');
  auto put = [&](size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
  put(0, uint32_t{0xBA55ED50});
  put(4, uint16_t{1});
  put(6, uint16_t{16});
  put(8, uint64_t{64 + payload.size()});
  put(16, uint16_t{2});  // an ELF image
  put(18, uint16_t{0x101});
  put(20, uint32_t{64});
  put(24, uint64_t{payload.size()});
  put(16 + 28, uint32_t{90});
  put(16 + 40, uint64_t{0x11});
  return bytes + payload;
}

cudaError_t load(cudaLibrary_t* library, const std::string& image) {
  return cudaLibraryLoadData(library, image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0);
}

cudaError_t launch(cudaKernel_t kernel, unsigned blocks, unsigned threads,
                   std::vector<void*> arguments, cudaStream_t stream = nullptr) {
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(blocks), dim3(threads),
                          arguments.data(), 0, stream);
}

bool has_device() {
  const char* devices = std::getenv("GUDA_DEVICES");
  return devices != nullptr && std::strncmp(devices, "cuda", 4) == 0;
}

class MachineCode : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_device()) return;
    OK(load(&library, kImage));
    OK(cudaLibraryGetKernel(&add, library, "vector_add"));
    OK(cudaLibraryGetKernel(&count, library, "count_up"));
  }
  void TearDown() override {
    if (library == nullptr) return;
    OK(cudaLibraryUnload(library));
  }
  void* variable(const char* name, size_t bytes) {
    void* address = nullptr;
    size_t size = 0;
    EXPECT_EQ(cudaLibraryGetGlobal(&address, &size, library, name), cudaSuccess);
    EXPECT_EQ(size, bytes);
    return address;
  }
  cudaLibrary_t library = nullptr;
  cudaKernel_t add = nullptr, count = nullptr;
};

#define NEEDS_DEVICE() \
  if (!has_device()) GTEST_SKIP() << "needs a CUDA device that data lives on"

TEST_F(MachineCode, RefusedWithoutItsDevice) {
  cudaLibrary_t none = nullptr;
  const std::string other = "\177ELF\n.target sm_70\n";  // for another device
  EXPECT_EQ(load(&none, other), cudaErrorNoKernelImageForDevice);
  EXPECT_EQ(load(&none, fatbin(other)), cudaErrorNoKernelImageForDevice);
  if (has_device()) return;
  EXPECT_EQ(load(&none, kImage), cudaErrorNoKernelImageForDevice);
  EXPECT_EQ(load(&none, fatbin(kImage)), cudaErrorNoKernelImageForDevice);
}

TEST_F(MachineCode, KernelsRun) {
  NEEDS_DEVICE();
  constexpr uint32_t kCount = 3000;
  std::vector<float> a(kCount), b(kCount, 0.5f), c(kCount);
  std::iota(a.begin(), a.end(), 1.0f);
  float *da, *db, *dc;
  for (float** each : {&da, &db, &dc})
    OK(cudaMalloc(reinterpret_cast<void**>(each), kCount * sizeof(float)));
  OK(cudaMemcpy(da, a.data(), kCount * sizeof(float), cudaMemcpyHostToDevice));
  OK(cudaMemcpy(db, b.data(), kCount * sizeof(float), cudaMemcpyHostToDevice));
  uint32_t n = kCount;
  for (const auto& image : {kImage, fatbin(kImage)}) {
    cudaLibrary_t other = nullptr;
    cudaKernel_t kernel = nullptr;
    OK(load(&other, image));
    OK(cudaLibraryGetKernel(&kernel, other, "vector_add"));
    OK(cudaMemset(dc, 0, kCount * sizeof(float)));
    OK(launch(kernel, (kCount + 255) / 256, 256, {&da, &db, &dc, &n}));
    OK(cudaMemcpy(c.data(), dc, kCount * sizeof(float), cudaMemcpyDeviceToHost));
    for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(c[i], a[i] + 0.5f);
    unsigned kernels = 0;
    OK(cudaLibraryGetKernelCount(&kernels, other));
    EXPECT_EQ(kernels, 3u);
    EXPECT_EQ(cudaLibraryGetKernel(&kernel, other, "no_such"), cudaErrorSymbolNotFound);
    OK(cudaLibraryUnload(other));
  }
  // With memory that the program uses itself, and in a graph.
  float* pinned;
  OK(cudaMallocHost(reinterpret_cast<void**>(&pinned), kCount * sizeof(float)));
  std::fill_n(pinned, kCount, 2.0f);
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  OK(cudaStreamCreate(&stream));
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  OK(launch(add, (kCount + 255) / 256, 256, {&da, &pinned, &dc, &n}, stream));
  OK(launch(add, (kCount + 255) / 256, 256, {&dc, &pinned, &dc, &n}, stream));
  OK(cudaStreamEndCapture(stream, &graph));
  OK(cudaGraphInstantiate(&executable, graph, 0));
  for (int round = 0; round < 3; ++round) OK(cudaGraphLaunch(executable, stream));
  OK(cudaStreamSynchronize(stream));
  OK(cudaMemcpy(c.data(), dc, kCount * sizeof(float), cudaMemcpyDeviceToHost));
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(c[i], a[i] + 4.0f);
  OK(cudaGraphExecDestroy(executable));
  OK(cudaGraphDestroy(graph));
  OK(cudaStreamDestroy(stream));
  OK(cudaFreeHost(pinned));
  for (float* each : {da, db, dc}) OK(cudaFree(each));
}

TEST_F(MachineCode, LimitsAreThoseOfTheCode) {
  NEEDS_DEVICE();
  cudaFuncAttributes attributes{};
  OK(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(add)));
  EXPECT_EQ(attributes.sharedSizeBytes, 1024u);  // what the driver says of every kernel
  EXPECT_EQ(attributes.numRegs, 40);
  EXPECT_EQ(attributes.maxThreadsPerBlock, 768);
  uint32_t step = 1;
  EXPECT_EQ(launch(count, 1, 800, {&step}), cudaErrorInvalidValue);
  OK(launch(count, 1, 768, {&step}));
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

TEST_F(MachineCode, VariablesAreTheDevices) {
  NEEDS_DEVICE();
  void* counter = variable("counter", 4);
  uint32_t value = 5, step = 2;
  OK(cudaMemcpy(counter, &value, sizeof value, cudaMemcpyHostToDevice));
  for (int round = 0; round < 4; ++round) OK(launch(count, 2, 8, {&step}));
  OK(cudaMemcpy(&value, counter, sizeof value, cudaMemcpyDeviceToHost));
  EXPECT_EQ(value, 5u + 4 * 2 * 16);

  // To and from memory of every kind, whole and in rows.
  auto* table = static_cast<std::byte*>(variable("table", 64));
  std::byte *device, *pinned, *managed;
  OK(cudaMalloc(reinterpret_cast<void**>(&device), 64));
  OK(cudaMallocHost(reinterpret_cast<void**>(&pinned), 64));
  OK(cudaMallocManaged(reinterpret_cast<void**>(&managed), 64));
  OK(cudaMemset(table, 7, 64));
  OK(cudaMemcpy(device, table, 64, cudaMemcpyDeviceToDevice));
  OK(cudaMemset(device, 9, 8));
  OK(cudaMemcpy2D(table + 4, 16, device, 8, 4, 2, cudaMemcpyDeviceToDevice));
  OK(cudaMemcpy(pinned, table, 64, cudaMemcpyDefault));
  OK(cudaMemcpy(managed, table, 64, cudaMemcpyDefault));
  for (size_t i = 0; i < 64; ++i) {
    const auto expected = static_cast<std::byte>(i >= 4 && i < 8 ? 9 : 7);
    EXPECT_EQ(pinned[i], expected) << i;
    EXPECT_EQ(managed[i], expected) << i;
  }
  EXPECT_EQ(cudaMemcpy(pinned, table + 32, 64, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  cudaPointerAttributes attributes{};
  OK(cudaPointerGetAttributes(&attributes, table + 8));
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  EXPECT_EQ(cudaFree(table), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  OK(cudaFree(managed));
  OK(cudaFreeHost(pinned));
  OK(cudaFree(device));

  void* address = nullptr;
  size_t size = 0;
  EXPECT_EQ(cudaLibraryGetGlobal(&address, &size, library, "no_such"), cudaErrorSymbolNotFound);
  // They go with the module.
  OK(cudaLibraryUnload(library));
  library = nullptr;
  OK(cudaPointerGetAttributes(&attributes, table));
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
}

/// A kernel that works in clusters runs where there are clusters, and nowhere without.
TEST_F(MachineCode, KernelsInClusters) {
  const std::string ptx = R"(.version 8.0
.target sm_90
.address_size 64
.visible .entry empty() .reqnctapercluster 2, 1, 1
{
  ret;
}
)";
  cudaLibrary_t other = nullptr;
  cudaKernel_t kernel = nullptr;
  OK(load(&other, ptx));
  OK(cudaLibraryGetKernel(&kernel, other, "empty"));
  EXPECT_EQ(launch(kernel, 4, 32, {}), has_device() ? cudaSuccess : cudaErrorNotSupported);
  (void)cudaGetLastError();
  OK(cudaDeviceSynchronize());
  OK(cudaLibraryUnload(other));
}

TEST_F(MachineCode, Clusters) {
  NEEDS_DEVICE();
  uint32_t step = 1, value = 0;
  void* arguments[] = {&step};
  void* counter = variable("counter", 4);
  OK(cudaMemset(counter, 0, 4));
  auto launch_clusters = [&](unsigned blocks, unsigned cluster) {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {cluster, 1, 1};
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = dim3(blocks);
    configuration.blockDim = dim3(32);
    configuration.attrs = &attribute;
    configuration.numAttrs = 1;
    return cudaLaunchKernelExC(&configuration, reinterpret_cast<const void*>(count), arguments);
  };
  OK(launch_clusters(8, 4));
  EXPECT_EQ(launch_clusters(8, 3), cudaErrorInvalidClusterSize);
  EXPECT_EQ(launch_clusters(16, 16), cudaErrorInvalidClusterSize);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidClusterSize);
  OK(cudaFuncSetAttribute(reinterpret_cast<const void*>(count),
                          cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  OK(launch_clusters(16, 16));
  OK(cudaMemcpy(&value, counter, sizeof value, cudaMemcpyDeviceToHost));
  EXPECT_EQ(value, (8u + 16) * 32);
}

/// PTX beyond our compiler, which the device's driver knows.
TEST_F(MachineCode, KernelsThatOnlyTheDriverCompiles) {
  const std::string newer = R"(.version 9.0
.target sm_90
.address_size 64
.visible .entry vector_add(.param .u64 pa, .param .u64 pb, .param .u64 pc, .param .u32 pn)
{
  instruction.of.tomorrow.u32;
  ret;
}
)";
  cudaLibrary_t other = nullptr;
  cudaKernel_t kernel = nullptr;
  OK(load(&other, newer));  // a library is looked at when somebody asks for something in it
  if (!has_device()) {
    EXPECT_EQ(cudaLibraryGetKernel(&kernel, other, "vector_add"), cudaErrorInvalidPtx);
    OK(cudaLibraryUnload(other));
    return;
  }
  OK(cudaLibraryGetKernel(&kernel, other, "vector_add"));
  float *values, host[64];
  OK(cudaMalloc(reinterpret_cast<void**>(&values), sizeof host));
  std::iota(host, host + 64, 0.0f);
  OK(cudaMemcpy(values, host, sizeof host, cudaMemcpyHostToDevice));
  uint32_t n = 64;
  for (unsigned threads : {32u, 64u})
    OK(launch(kernel, 64 / threads, threads, {&values, &values, &values, &n}));
  OK(cudaMemcpy(host, values, sizeof host, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 64; ++i) EXPECT_EQ(host[i], 4.0f * static_cast<float>(i));
  OK(cudaFree(values));
  OK(cudaLibraryUnload(other));
}

}  // namespace
