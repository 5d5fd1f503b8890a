// Memory and events shared with another process, which is this program once more.
#include "abi/cuda/driver_test.h"
#include "abi/cuda/second_process_test.h"
#include "abi/cudart/types.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace guda::cuda {
namespace {

struct Handle {
  unsigned char bytes[64];
};

constexpr const char* kVariable = "GUDA_TEST_IPC_HANDLES";

std::string to_text(const Handle& handle) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : handle.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Handle from_text(std::string_view text) {
  Handle handle{};
  for (size_t i = 0; i < sizeof handle.bytes && 2 * i + 1 < text.size(); ++i) {
    handle.bytes[i] = static_cast<unsigned char>(
        std::strtoul(std::string(text.substr(2 * i, 2)).c_str(), nullptr, 16));
  }
  return handle;
}

class DriverIpc : public DriverApi {};

TEST_F(DriverIpc, AnotherProcessSeesTheSameMemoryAndEvents) {
  CUdeviceptr memory = allocate(64);
  const std::vector<int> values(16, 41);
  ASSERT_EQ(cu("cuMemcpyHtoD_v2", memory, static_cast<const void*>(values.data()), size_t{64}), 0);
  Handle memory_handle{}, event_handle{};
  ASSERT_EQ(cu("cuIpcGetMemHandle", &memory_handle, memory), 0);
  CUevent event = nullptr;
  ASSERT_EQ(cu("cuEventCreate", &event, 2u | 4u), 0);  // no timing, between processes
  ASSERT_EQ(cu("cuIpcGetEventHandle", &event_handle, event), 0);
  ASSERT_EQ(cu("cuEventRecord", event, CUstream{}), 0);
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(run_again("DriverIpc.Peer", kVariable, to_text(memory_handle) + to_text(event_handle)),
            0);
  int value = 0;
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), memory + 60, size_t{4}), 0);
  EXPECT_EQ(value, 42);
  EXPECT_EQ(cu("cuEventDestroy_v2", event), 0);
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

TEST_F(DriverIpc, Peer) {
  const char* handles = std::getenv(kVariable);
  if (handles == nullptr) GTEST_SKIP() << "only as the second process";
  CUdeviceptr memory = 0;
  ASSERT_EQ(cu("cuIpcOpenMemHandle_v2", &memory, from_text(handles), 1u), 0);
  int value = 0;
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), memory + 60, size_t{4}), 0);
  EXPECT_EQ(value, 41);
  ASSERT_EQ(cu("cuMemsetD32_v2", memory, 42u, size_t{16}), 0);
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(cu("cuIpcCloseMemHandle", memory), 0);
  CUevent event = nullptr;
  ASSERT_EQ(cu("cuIpcOpenEventHandle", &event, from_text(handles + 128)), 0);
  EXPECT_EQ(cu("cuEventSynchronize", event), 0);
  EXPECT_EQ(cu("cuEventDestroy_v2", event), 0);
}

// Kernels of both, one after the other; whatever a device held of the memory, the other process must see.
TEST_F(DriverIpc, KernelsOfTwoProcessesWorkOnTheSameMemory) {
  CUfunction kernel = function(load(), "scale");
  constexpr unsigned kFew = 64, kMany = 1 << 20;
  for (unsigned count : {kFew, kMany}) {
    CUdeviceptr memory = allocate(count * sizeof(float));
    CUdeviceptr neighbour = allocate(count * sizeof(float));
    auto scale = [&](CUdeviceptr address, float by) {
      void* parameters[] = {&address, &count, &by};
      EXPECT_EQ(launch(kernel, (count + 255) / 256, 256, parameters), 0);
    };
    auto last = [&](CUdeviceptr address) {
      float value = -1;
      EXPECT_EQ(
          cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), address + (count - 1) * 4, size_t{4}),
          0);
      return value;
    };
    for (CUdeviceptr each : {memory, neighbour})
      ASSERT_EQ(cu("cuMemsetD32_v2", each, 0x3f800000u, size_t{count}), 0);  // 1.0f
    scale(memory, 2);
    scale(neighbour, 2);
    Handle handle{};
    ASSERT_EQ(cu("cuIpcGetMemHandle", &handle, memory), 0);
    scale(memory, 3);
    scale(neighbour, 3);
    ASSERT_EQ(cu("cuCtxSynchronize"), 0);
    EXPECT_EQ(run_again("DriverIpc.KernelPeer", kVariable, to_text(handle) + std::to_string(count)),
              0);
    scale(neighbour, 5);
    EXPECT_EQ(last(memory), 42.0f);
    scale(memory, 5);
    EXPECT_EQ(last(memory), 210.0f);
    EXPECT_EQ(last(neighbour), 30.0f);
    EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
    EXPECT_EQ(cu("cuMemFree_v2", neighbour), 0);
  }
}

TEST_F(DriverIpc, KernelPeer) {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) GTEST_SKIP() << "only as the second process";
  CUdeviceptr memory = 0;
  unsigned count = static_cast<unsigned>(std::atoi(text + 2 * sizeof(Handle)));
  ASSERT_EQ(cu("cuIpcOpenMemHandle_v2", &memory, from_text(std::string_view(text, 128)), 1u), 0);
  std::vector<float> values(count);
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(values.data()), memory, count * sizeof(float)),
            0);
  for (float value : values) ASSERT_EQ(value, 6.0f);
  float by = 7;
  void* parameters[] = {&memory, &count, &by};
  ASSERT_EQ(launch(function(load(), "scale"), (count + 255) / 256, 256, parameters), 0);
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(cu("cuIpcCloseMemHandle", memory), 0);
}

TEST_F(DriverIpc, WhatIsNoHandleIsInvalid) {
  Handle nothing{};
  CUdeviceptr memory = 0;
  EXPECT_EQ(cu("cuIpcOpenMemHandle_v2", &memory, nothing, 1u), 1);
  EXPECT_EQ(cu("cuIpcGetMemHandle", static_cast<Handle*>(nullptr), memory), 1);
  EXPECT_NE(cu("cuIpcCloseMemHandle", CUdeviceptr{64}), 0);
  CUevent event = nullptr;
  ASSERT_EQ(cu("cuEventCreate", &event, 0u), 0);
  EXPECT_NE(cu("cuIpcGetEventHandle", &nothing, event), 0) << "not made for sharing";
  EXPECT_EQ(cu("cuEventDestroy_v2", event), 0);
}

using cudart::cudaMemPoolProps;
using cudart::cudaMemPoolPtrExportData;

class DriverPools : public DriverApi {
 protected:
  CUmemoryPool create(int handles = 1) {
    cudaMemPoolProps properties{};
    properties.allocType = 1;
    properties.handleTypes = handles;
    properties.location = {1, 0};
    CUmemoryPool pool = nullptr;
    EXPECT_EQ(cu("cuMemPoolCreate", &pool, &properties), 0);
    return pool;
  }
  CUdeviceptr allocate_from(CUmemoryPool pool, size_t size) {
    CUdeviceptr memory = 0;
    EXPECT_EQ(cu("cuMemAllocFromPoolAsync", &memory, size, pool, CUstream{}), 0);
    return memory;
  }
  CUresult free_async(CUdeviceptr memory) { return cu("cuMemFreeAsync", memory, CUstream{}); }
  void put(CUdeviceptr to, int value) {
    EXPECT_EQ(cu("cuMemcpyHtoD_v2", to, static_cast<const void*>(&value), sizeof value), 0);
  }
  int get(CUdeviceptr from) {
    int value = -1;
    EXPECT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), from, sizeof value), 0);
    return value;
  }
};

TEST_F(DriverPools, AnotherProcessSeesWhatItIsToldOf) {
  CUmemoryPool pool = create();
  CUdeviceptr before = allocate_from(pool, 100), memory = allocate_from(pool, 3 << 20);
  const CUdeviceptr last = memory + (3 << 20) - 4;
  put(before, 1);
  put(last, 41);
  int file = -1;
  ASSERT_EQ(cu("cuMemPoolExportToShareableHandle", static_cast<void*>(&file), pool, 1, 0ull), 0);
  cudaMemPoolPtrExportData data{};
  ASSERT_EQ(cu("cuMemPoolExportPointer", &data, memory), 0);
  Handle bytes{};
  std::memcpy(&bytes, &data, sizeof bytes);
  EXPECT_EQ(run_again("DriverPools.Peer", kVariable, to_text(bytes) + std::to_string(file)), 0);
  close(file);
  EXPECT_EQ(get(last), 42);
  EXPECT_EQ(get(before), 1);
  unsigned long long types = 0;
  EXPECT_EQ(cu("cuPointerGetAttribute", static_cast<void*>(&types), 14, memory), 0);
  EXPECT_EQ(types, 1u);
  EXPECT_EQ(free_async(memory), 0);
  EXPECT_EQ(free_async(before), 0);
  EXPECT_EQ(cu("cuCtxSynchronize"), 0);
  // Freed memory comes back.
  memory = allocate_from(pool, 3 << 20);
  put(memory, 5);
  EXPECT_EQ(get(memory), 5);
  EXPECT_EQ(free_async(memory), 0);
  EXPECT_EQ(cu("cuMemPoolTrimTo", pool, size_t{0}), 0);
  unsigned long long reserved = 1;
  EXPECT_EQ(cu("cuMemPoolGetAttribute", pool, 5, static_cast<void*>(&reserved)), 0);
  EXPECT_EQ(reserved, 0u);
  EXPECT_EQ(cu("cuMemPoolDestroy", pool), 0);
}

TEST_F(DriverPools, Peer) {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) GTEST_SKIP() << "only as the second process";
  void* file = reinterpret_cast<void*>(static_cast<intptr_t>(std::atoi(text + 128)));
  CUmemoryPool pool = nullptr;
  ASSERT_EQ(cu("cuMemPoolImportFromShareableHandle", &pool, file, 1, 0ull), 0);
  const Handle bytes = from_text(std::string_view(text, 128));
  cudaMemPoolPtrExportData data{};
  std::memcpy(&data, &bytes, sizeof data);
  CUdeviceptr memory = 0, none = 0;
  ASSERT_EQ(cu("cuMemPoolImportPointer", &memory, pool, &data), 0);
  const CUdeviceptr last = memory + (3 << 20) - 4;
  EXPECT_EQ(get(last), 41);
  put(last, 42);
  EXPECT_EQ(cu("cuMemAllocFromPoolAsync", &none, size_t{16}, pool, CUstream{}), 1);
  EXPECT_EQ(cu("cuDeviceSetMemPool", 0, pool), 1);
  EXPECT_EQ(free_async(memory), 0);
  EXPECT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_NE(cu("cuMemFree_v2", memory), 0);
  EXPECT_EQ(cu("cuMemPoolDestroy", pool), 0);
}

TEST_F(DriverPools, WhatIsNotForSharingIsNotShared) {
  CUmemoryPool own = create(0), shared = create();
  CUdeviceptr memory = allocate_from(own, 64), other = allocate(64);
  int file = -1;
  auto export_pool = [&](CUmemoryPool pool, int type, unsigned long long flags) {
    return cu("cuMemPoolExportToShareableHandle", static_cast<void*>(&file), pool, type, flags);
  };
  EXPECT_EQ(export_pool(own, 1, 0), 1);
  EXPECT_EQ(export_pool(shared, 2, 0), 1);
  EXPECT_EQ(export_pool(shared, 1, 1ull << 32), 1);
  EXPECT_EQ(export_pool(nullptr, 1, 0), 1);
  cudaMemPoolPtrExportData data{};
  EXPECT_EQ(cu("cuMemPoolExportPointer", &data, memory), 1);
  EXPECT_EQ(cu("cuMemPoolExportPointer", &data, other), 1);
  EXPECT_EQ(cu("cuMemPoolExportPointer", &data, CUdeviceptr{0}), 1);
  EXPECT_EQ(cu("cuMemPoolImportPointer", &memory, shared, &data), 1);
  CUmemoryPool pool = nullptr;
  auto import = [&](intptr_t handle, int type) {
    return cu("cuMemPoolImportFromShareableHandle", &pool, reinterpret_cast<void*>(handle), type,
              0ull);
  };
  EXPECT_EQ(import(0, 1), 1);
  EXPECT_EQ(import(12345, 1), 1);
  ASSERT_EQ(export_pool(shared, 1, 0), 0);
  EXPECT_EQ(import(file, 0), 1);
  ASSERT_EQ(import(file, 1), 0);
  close(file);
  // Beyond the pool's file.
  CUdeviceptr exported = allocate_from(shared, 64);
  ASSERT_EQ(cu("cuMemPoolExportPointer", &data, exported), 0);
  data.reserved[14] = 0xff;
  EXPECT_EQ(cu("cuMemPoolImportPointer", &memory, pool, &data), 1);
  for (CUmemoryPool each : {own, shared, pool}) EXPECT_EQ(cu("cuMemPoolDestroy", each), 0);
  cudaMemPoolProps fabric{};
  fabric.allocType = 1;
  fabric.handleTypes = 8;
  fabric.location = {1, 0};
  EXPECT_EQ(cu("cuMemPoolCreate", &pool, &fabric), 801);
  fabric.handleTypes = 1;
  fabric.location = {2, 0};
  EXPECT_EQ(cu("cuMemPoolCreate", &pool, &fabric), 1) << "host memory is not shared";
  int types = 0;
  EXPECT_EQ(cu("cuDeviceGetAttribute", &types, 119, 0), 0);
  EXPECT_EQ(types & 1, 1);
  EXPECT_EQ(cu("cuMemFree_v2", other), 0);
}

}  // namespace
}  // namespace guda::cuda
