// Memory and events shared with another process, which is this program once more.
#include "abi/cuda/driver_test.h"
#include "abi/cuda/second_process_test.h"

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

}  // namespace
}  // namespace guda::cuda
