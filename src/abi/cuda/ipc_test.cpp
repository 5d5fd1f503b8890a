// Memory and events shared with another process, which is this program once more.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "abi/cuda/driver_test.h"

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

/// Runs one test of this program in a new process.
int run_again(const char* test, const std::string& handles) {
  const pid_t child = fork();
  if (child == 0) {
    setenv(kVariable, handles.c_str(), 1);
    const std::string filter = std::string("--gtest_filter=") + test;
    execl("/proc/self/exe", "driver_api_test", filter.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class DriverIpc : public DriverApi {};

TEST_F(DriverIpc, AnotherProcessSeesTheSameMemoryAndEvents) {
  CUdeviceptr memory = allocate(64);
  ASSERT_EQ(cu("cuMemsetD32_v2", memory, 41u, size_t{16}), 0);
  Handle memory_handle{}, event_handle{};
  ASSERT_EQ(cu("cuIpcGetMemHandle", &memory_handle, memory), 0);
  CUevent event = nullptr;
  ASSERT_EQ(cu("cuEventCreate", &event, 2u | 4u), 0);  // no timing, between processes
  ASSERT_EQ(cu("cuIpcGetEventHandle", &event_handle, event), 0);
  ASSERT_EQ(cu("cuEventRecord", event, CUstream{}), 0);
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(run_again("DriverIpc.Peer", to_text(memory_handle) + to_text(event_handle)), 0);
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
