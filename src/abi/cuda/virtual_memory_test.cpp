// Addresses, memory and access of their own, as programs use them.
#include "abi/cuda/driver_test.h"
#include "abi/cuda/second_process_test.h"
#include "abi/cudart/types.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace guda::cuda {
namespace {

using cudart::cudaMemAccessDesc;
using cudart::cudaMemLocation;
using Handle = CUmemGenericAllocationHandle;

constexpr unsigned long long kNoFlags = 0;
constexpr const char* kVariable = "GUDA_TEST_MEMORY_FILE";

CUmemAllocationProp device_memory(int handles = 0) {
  CUmemAllocationProp properties{};
  properties.type = 1;
  properties.requestedHandleTypes = handles;
  properties.location = {kLocationDevice, 0};
  return properties;
}

class VirtualMemoryApi : public DriverApi {
 protected:
  void SetUp() override {
    DriverApi::SetUp();
    const CUmemAllocationProp properties = device_memory();
    ASSERT_EQ(cu("cuMemGetAllocationGranularity", &unit_, &properties, 0), 0);
    ASSERT_GT(unit_, 0u);
  }
  CUdeviceptr reserve(size_t units, CUdeviceptr hint = 0) {
    CUdeviceptr address = 0;
    EXPECT_EQ(cu("cuMemAddressReserve", &address, units * unit_, size_t{0}, hint, kNoFlags), 0);
    return address;
  }
  Handle create(size_t units, int handles = 0) {
    const CUmemAllocationProp properties = device_memory(handles);
    Handle handle = 0;
    EXPECT_EQ(cu("cuMemCreate", &handle, units * unit_, &properties, kNoFlags), 0);
    return handle;
  }
  CUresult map(CUdeviceptr address, size_t units, Handle handle, size_t offset = 0) {
    return cu("cuMemMap", address, units * unit_, offset * unit_, handle, kNoFlags);
  }
  CUresult set_access(CUdeviceptr address, size_t units, int flags = 3, int device = 0) {
    const cudaMemAccessDesc wanted{{kLocationDevice, device}, flags};
    return cu("cuMemSetAccess", address, units * unit_, &wanted, size_t{1});
  }
  CUresult unmap(CUdeviceptr address, size_t units) {
    return cu("cuMemUnmap", address, units * unit_);
  }
  CUresult free(CUdeviceptr address, size_t units) {
    return cu("cuMemAddressFree", address, units * unit_);
  }
  void fill(CUdeviceptr address, size_t count, float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    EXPECT_EQ(cu("cuMemsetD32_v2", address, bits, count), 0);
  }
  void scale(CUfunction kernel, CUdeviceptr address, unsigned count, float by) {
    void* parameters[] = {&address, &count, &by};
    EXPECT_EQ(launch(kernel, (count + 255) / 256, 256, parameters), 0);
  }
  float value(CUdeviceptr address) {
    float read = -1;
    EXPECT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&read), address, sizeof read), 0);
    return read;
  }
  template <typename T>
  CUresult attribute(T* out, int number, CUdeviceptr address) {
    return cu("cuPointerGetAttribute", static_cast<void*>(out), number, address);
  }

  size_t unit_ = 0;
};

TEST_F(VirtualMemoryApi, TheDeviceSaysThatItCan) {
  for (int number : {102, 103}) {  // virtual memory, POSIX file descriptors
    int supported = 0;
    EXPECT_EQ(cu("cuDeviceGetAttribute", &supported, number, 0), 0);
    EXPECT_EQ(supported, 1) << number;
  }
}

// How vectors grow without copying.
TEST_F(VirtualMemoryApi, AVectorGrowsByMappingMore) {
  CUmodule module = load();
  CUfunction kernel = function(module, "scale");
  constexpr size_t kMost = 6;
  CUdeviceptr vector = reserve(kMost);
  std::vector<Handle> parts;
  const size_t floats = unit_ / sizeof(float);
  for (size_t units = 1; units <= kMost; ++units) {
    parts.push_back(create(1));
    ASSERT_EQ(map(vector + (units - 1) * unit_, 1, parts.back()), 0);
    ASSERT_EQ(set_access(vector + (units - 1) * unit_, 1), 0);
    fill(vector + (units - 1) * unit_, floats, 1.0f);
    // One kernel, one copy and one fill over all the parts.
    scale(kernel, vector, static_cast<unsigned>(units * floats), 2.0f);
  }
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  std::vector<float> host(kMost * floats);
  ASSERT_EQ(
      cu("cuMemcpyDtoH_v2", static_cast<void*>(host.data()), vector, host.size() * sizeof(float)),
      0);
  for (size_t unit = 0; unit < kMost; ++unit) {
    EXPECT_EQ(host[unit * floats], static_cast<float>(1 << (kMost - unit))) << unit;
    EXPECT_EQ(host[(unit + 1) * floats - 1], static_cast<float>(1 << (kMost - unit))) << unit;
  }
  EXPECT_EQ(cu("cuMemsetD8_v2", vector, static_cast<unsigned char>(0), kMost * unit_), 0);
  EXPECT_EQ(value(vector + 3 * unit_ - 2), 0.0f);
  EXPECT_EQ(cu("cuMemsetD8_v2", vector, static_cast<unsigned char>(0), kMost * unit_ + 1), 1);

  // To a larger place: the same memory at other addresses.
  fill(vector + unit_, floats, 5.0f);
  scale(kernel, vector + unit_, static_cast<unsigned>(floats), 2.0f);
  CUdeviceptr larger = reserve(2 * kMost);
  ASSERT_EQ(unmap(vector, kMost), 0);
  for (size_t unit = 0; unit < kMost; ++unit)
    ASSERT_EQ(map(larger + unit * unit_, 1, parts[unit]), 0);
  ASSERT_EQ(set_access(larger, kMost), 0);
  EXPECT_EQ(value(larger + 2 * unit_ - 4), 10.0f);
  scale(kernel, larger, static_cast<unsigned>(kMost * floats), 0.5f);
  EXPECT_EQ(value(larger + unit_), 5.0f);
  EXPECT_EQ(free(vector, kMost), 0);
  for (Handle part : parts) EXPECT_EQ(cu("cuMemRelease", part), 0);
  EXPECT_EQ(unmap(larger, kMost), 0);
  EXPECT_EQ(free(larger, 2 * kMost), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

// Without kernels, so that a driver of our own making will do for the device: copies alone put the latest contents
// there.
TEST_F(VirtualMemoryApi, ContentsGoWithTheMemory) {
  const size_t words = 2 * unit_ / 4;
  std::vector<unsigned> out(words), in(words);
  auto put = [&](CUdeviceptr to, unsigned seed) {
    for (size_t i = 0; i < words; ++i) out[i] = static_cast<unsigned>(i) * 2654435761u + seed;
    ASSERT_EQ(cu("cuMemcpyHtoD_v2", to, static_cast<const void*>(out.data()), 2 * unit_), 0);
  };
  auto get = [&](CUdeviceptr from) {
    std::fill(in.begin(), in.end(), 0u);
    EXPECT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(in.data()), from, 2 * unit_), 0);
    return in == out;
  };
  CUdeviceptr one = reserve(2), two = reserve(4);
  Handle first = create(1, kHandlePosixFile), second = create(1);
  auto both_at = [&](CUdeviceptr address) {
    ASSERT_EQ(map(address, 1, first), 0);
    ASSERT_EQ(map(address + unit_, 1, second), 0);
    ASSERT_EQ(set_access(address, 2), 0);
  };
  both_at(one);
  put(one, 1);
  EXPECT_TRUE(get(one));
  ASSERT_EQ(unmap(one, 2), 0);
  both_at(two + unit_);
  EXPECT_TRUE(get(two + unit_));
  put(two + unit_, 2);
  ASSERT_EQ(set_access(two + unit_, 2, 1), 0) << "to the host: read only";
  EXPECT_TRUE(get(two + unit_));
  ASSERT_EQ(set_access(two + unit_, 2), 0);
  put(two + unit_, 3);
  both_at(one);
  EXPECT_TRUE(get(one)) << "the same memory once more";
  put(one, 4);
  EXPECT_TRUE(get(two + unit_));
  ASSERT_EQ(unmap(two + unit_, 2), 0);
  put(one, 5);
  EXPECT_TRUE(get(one));
  int file = -1;
  ASSERT_EQ(cu("cuMemExportToShareableHandle", static_cast<void*>(&file), first,
               static_cast<int>(kHandlePosixFile), kNoFlags),
            0);
  Handle imported = 0;
  ASSERT_EQ(
      cu("cuMemImportFromShareableHandle", &imported,
         reinterpret_cast<void*>(static_cast<intptr_t>(file)), static_cast<int>(kHandlePosixFile)),
      0);
  close(file);
  ASSERT_EQ(map(two, 1, imported), 0);
  ASSERT_EQ(map(two + unit_, 1, second), 0);
  ASSERT_EQ(set_access(two, 2), 0);
  EXPECT_TRUE(get(two));
  put(two, 6);
  EXPECT_TRUE(get(one));
  EXPECT_EQ(unmap(one, 2), 0);
  EXPECT_EQ(unmap(two, 2), 0);
  for (Handle handle : {first, second, imported}) EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(one, 2), 0);
  EXPECT_EQ(free(two, 4), 0);
}

TEST_F(VirtualMemoryApi, OneMemoryAtTwoAddressesIsTheSameMemory) {
  CUmodule module = load();
  CUfunction kernel = function(module, "scale");
  CUdeviceptr one = reserve(1), two = reserve(1);
  Handle handle = create(1);
  const unsigned floats = static_cast<unsigned>(unit_ / sizeof(float));
  ASSERT_EQ(map(one, 1, handle), 0);
  ASSERT_EQ(set_access(one, 1), 0);
  fill(one, floats, 1.0f);
  scale(kernel, one, floats, 2.0f);
  ASSERT_EQ(map(two, 1, handle), 0);
  ASSERT_EQ(set_access(two, 1), 0);
  scale(kernel, two, floats, 3.0f);
  scale(kernel, one, floats, 5.0f);
  EXPECT_EQ(value(one + 4), 30.0f);
  EXPECT_EQ(value(two + 4), 30.0f);
  ASSERT_EQ(unmap(one, 1), 0);
  scale(kernel, two, floats, 7.0f);
  EXPECT_EQ(value(two + unit_ - 4), 210.0f);
  EXPECT_EQ(unmap(two, 1), 0);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(one, 1), 0);
  EXPECT_EQ(free(two, 1), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(VirtualMemoryApi, MemoryNobodyMayUseIsAnIllegalAddress) {
  enum class Case { no_access, read_only, unmapped };
  for (Case which : {Case::no_access, Case::read_only, Case::unmapped}) {
    void* made = nullptr;
    ASSERT_EQ(cu("cuCtxCreate_v2", &made, 0u, 0), 0);
    CUmodule module = load();
    CUdeviceptr address = reserve(2);
    Handle handle = create(1);
    ASSERT_EQ(map(address, 1, handle), 0);
    if (which != Case::no_access) {
      ASSERT_EQ(set_access(address, 1, which == Case::read_only ? 1 : 3), 0);
    }
    CUdeviceptr used = which == Case::unmapped ? address + unit_ : address;
    scale(function(module, "scale"), used, 16, 2.0f);
    EXPECT_EQ(cu("cuCtxSynchronize"), 700) << static_cast<int>(which);
    cu("cuCtxDestroy_v2", made);
    if (!against_guda()) return;
    EXPECT_EQ(unmap(address, 1), 0);
    EXPECT_EQ(free(address, 2), 0);
    EXPECT_EQ(cu("cuMemRelease", handle), 0);
    ASSERT_EQ(cu("cuCtxSetCurrent", context_), 0);
  }
}

TEST_F(VirtualMemoryApi, CopiesStayWithinWhatMayBeUsed) {
  CUdeviceptr address = reserve(3);
  Handle handle = create(2);
  float number = 4;
  void* host = &number;
  auto up = [&](CUdeviceptr to) { return cu("cuMemcpyHtoD_v2", to, host, sizeof number); };
  auto down = [&](CUdeviceptr from) { return cu("cuMemcpyDtoH_v2", host, from, sizeof number); };
  EXPECT_EQ(up(address), 1) << "only reserved";
  EXPECT_EQ(down(address), 1);
  ASSERT_EQ(map(address, 2, handle), 0);
  EXPECT_EQ(up(address), 1) << "no access yet";
  EXPECT_EQ(down(address), 1);
  ASSERT_EQ(set_access(address, 2), 0);
  EXPECT_EQ(up(address + 2 * unit_ - 4), 0);
  EXPECT_EQ(down(address + 2 * unit_ - 4), 0);
  EXPECT_EQ(up(address + 2 * unit_ - 2), 1) << "beyond";
  EXPECT_EQ(down(address + 2 * unit_), 1);
  ASSERT_EQ(set_access(address, 2, 1), 0);
  EXPECT_EQ(down(address), 0);
  EXPECT_EQ(up(address), 1) << "read only";
  EXPECT_EQ(cu("cuMemsetD32_v2", address, 1u, size_t{1}), 1);
  EXPECT_EQ(unmap(address, 2), 0);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(address, 3), 0);
}

TEST_F(VirtualMemoryApi, AccessIsWhatWasSet) {
  CUdeviceptr address = reserve(2);
  Handle one = create(1), two = create(1);
  ASSERT_EQ(map(address, 1, one), 0);
  ASSERT_EQ(map(address + unit_, 1, two), 0);
  const cudaMemLocation here{kLocationDevice, 0}, nowhere{kLocationDevice, 7}, wrong{9, 0};
  unsigned long long flags = 9;
  EXPECT_EQ(cu("cuMemGetAccess", &flags, &here, address), 0);
  EXPECT_EQ(flags, 0u);
  ASSERT_EQ(set_access(address, 2), 0) << "both at once";
  EXPECT_EQ(cu("cuMemGetAccess", &flags, &here, address + 2 * unit_ - 1), 0);
  EXPECT_EQ(flags, 3u);
  ASSERT_EQ(set_access(address, 1, 1), 0);
  EXPECT_EQ(cu("cuMemGetAccess", &flags, &here, address + 5), 0);
  EXPECT_EQ(flags, 1u);
  EXPECT_EQ(cu("cuMemGetAccess", &flags, &nowhere, address), 101);
  EXPECT_EQ(cu("cuMemGetAccess", &flags, &wrong, address), 1);
  EXPECT_EQ(cu("cuMemGetAccess", &flags, &here, CUdeviceptr{4096}), 1);
  EXPECT_EQ(set_access(address, 1, 3, 7), 101);
  EXPECT_EQ(set_access(address, 1, 2), 1) << "write only";
  EXPECT_EQ(
      cu("cuMemSetAccess", address, unit_, static_cast<cudaMemAccessDesc*>(nullptr), size_t{1}), 1);
  ASSERT_EQ(unmap(address, 2), 0) << "both at once";
  EXPECT_EQ(set_access(address, 1), 1);
  for (Handle handle : {one, two}) EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(address, 2), 0);
}

TEST_F(VirtualMemoryApi, WrongArgumentsAreInvalidValues) {
  const CUmemAllocationProp good = device_memory();
  CUdeviceptr address = 0;
  Handle handle = 0;
  size_t size = 0;
  auto reserve_with = [&](size_t bytes, size_t alignment, CUdeviceptr hint,
                          unsigned long long flags) {
    return cu("cuMemAddressReserve", &address, bytes, alignment, hint, flags);
  };
  EXPECT_EQ(reserve_with(0, 0, 0, 0), 1);
  EXPECT_EQ(reserve_with(unit_, 0, 0, 1), 1);
  EXPECT_EQ(reserve_with(unit_, 3, 0, 0), 1);
  EXPECT_EQ(reserve_with(unit_ + 1, 0, 0, 0), 1);
  EXPECT_EQ(reserve_with(unit_, 0, 12345, 0), 1);
  EXPECT_EQ(cu("cuMemAddressReserve", static_cast<CUdeviceptr*>(nullptr), unit_, size_t{0},
               CUdeviceptr{0}, kNoFlags),
            1);
  auto create_with = [&](const CUmemAllocationProp& properties, size_t bytes,
                         unsigned long long flags = 0) {
    return cu("cuMemCreate", &handle, bytes, &properties, flags);
  };
  EXPECT_EQ(create_with(good, 0), 1);
  EXPECT_EQ(create_with(good, unit_ + 4096), 1);
  EXPECT_EQ(create_with(good, unit_, 1), 1);
  EXPECT_EQ(create_with(good, size_t{1} << 60), 2);
  EXPECT_EQ(cu("cuMemCreate", &handle, unit_, static_cast<CUmemAllocationProp*>(nullptr), kNoFlags),
            1);
  CUmemAllocationProp bad = good;
  bad.location.id = 64;
  EXPECT_EQ(create_with(bad, unit_), 101);
  bad = good;
  bad.type = 0;
  EXPECT_EQ(create_with(bad, unit_), 1);
  bad = good;
  bad.location.type = 0;
  EXPECT_EQ(create_with(bad, unit_), 1);
  bad.location.type = kLocationHostNumaCurrent;
  EXPECT_EQ(create_with(bad, unit_), 1);
  bad.location.type = kLocationHost;
  bad.requestedHandleTypes = kHandlePosixFile;
  EXPECT_EQ(create_with(bad, unit_), 1);
  EXPECT_EQ(cu("cuMemGetAllocationGranularity", &size, &good, 2), 1);
  EXPECT_EQ(cu("cuMemGetAllocationGranularity", static_cast<size_t*>(nullptr), &good, 0), 1);
  EXPECT_EQ(cu("cuMemGetAllocationGranularity", &size, &good, 1), 0);
  EXPECT_EQ(size % unit_, 0u);

  CUdeviceptr range = reserve(2);
  Handle memory = create(2);
  EXPECT_EQ(cu("cuMemMap", range, unit_, size_t{0}, memory, 1ull), 1);
  EXPECT_EQ(map(range, 3, memory), 1);
  EXPECT_EQ(map(range, 0, memory), 1);
  EXPECT_EQ(map(range + 4096, 1, memory), 1);
  EXPECT_EQ(map(range + unit_, 2, memory), 1);
  ASSERT_EQ(map(range, 2, memory), 0);
  EXPECT_EQ(map(range, 1, memory), 1) << "mapped already";
  EXPECT_EQ(unmap(range, 1), 1) << "half of it";
  EXPECT_EQ(free(range, 2), 1) << "mapped";
  EXPECT_EQ(free(range, 1), 1);
  EXPECT_EQ(cu("cuMemFree_v2", range), 1) << "not from cuMemAlloc";
  EXPECT_EQ(unmap(range, 2), 0);
  EXPECT_EQ(unmap(range, 2), 1);
  EXPECT_EQ(cu("cuMemRelease", memory), 0);
  EXPECT_EQ(free(range, 2), 0);
  EXPECT_EQ(free(range, 2), 1);
  if (!against_guda()) return;  // undefined there
  EXPECT_EQ(cu("cuMemRelease", memory), 1);
  EXPECT_EQ(map(range, 2, memory), 1);
}

TEST_F(VirtualMemoryApi, PropertiesAndHandlesComeBack) {
  CUdeviceptr address = reserve(1);
  Handle handle = create(1, kHandlePosixFile), again = 0;
  CUmemAllocationProp properties{};
  EXPECT_EQ(cu("cuMemGetAllocationPropertiesFromHandle", &properties, handle), 0);
  EXPECT_EQ(properties.type, 1);
  EXPECT_EQ(properties.requestedHandleTypes, kHandlePosixFile);
  EXPECT_EQ(properties.location.type, kLocationDevice);
  EXPECT_EQ(properties.location.id, 0);
  EXPECT_EQ(cu("cuMemRetainAllocationHandle", &again, reinterpret_cast<void*>(address)), 1);
  ASSERT_EQ(map(address, 1, handle), 0);
  EXPECT_EQ(cu("cuMemRetainAllocationHandle", &again, reinterpret_cast<void*>(address + 99)), 0);
  EXPECT_EQ(again, handle);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(cu("cuMemGetAllocationPropertiesFromHandle", &properties, again), 0);
  EXPECT_EQ(cu("cuMemRelease", again), 0);
  EXPECT_EQ(unmap(address, 1), 0);
  EXPECT_EQ(free(address, 1), 0);
}

TEST_F(VirtualMemoryApi, PointersTellWhatTheyPointTo) {
  CUdeviceptr address = reserve(3);
  Handle handle = create(2, kHandlePosixFile);
  unsigned mapped = 9;
  EXPECT_EQ(attribute(&mapped, 13, address), 0);
  EXPECT_EQ(mapped, 0u);
  ASSERT_EQ(map(address, 2, handle), 0);
  unsigned access = 9;
  EXPECT_EQ(attribute(&access, 16, address), 0);
  EXPECT_EQ(access, 0u);
  ASSERT_EQ(set_access(address, 2), 0);
  int type = 0;
  EXPECT_EQ(attribute(&type, 2, address + 5), 0);
  EXPECT_EQ(type, kMemoryDevice);
  EXPECT_EQ(attribute(&mapped, 13, address + 5), 0);
  EXPECT_EQ(mapped, 1u);
  EXPECT_EQ(attribute(&access, 16, address + 5), 0);
  EXPECT_EQ(access, 3u);
  CUdeviceptr device = 0;
  EXPECT_EQ(attribute(&device, 3, address + 5), 0);
  EXPECT_EQ(device, address + 5);
  unsigned long long types = 0;
  EXPECT_EQ(attribute(&types, 14, address + 5), 0);
  EXPECT_EQ(types, 1u);
  unsigned legacy = 9;
  EXPECT_EQ(attribute(&legacy, 10, address + 5), 0);
  EXPECT_EQ(legacy, 0u) << "cuIpcGetMemHandle is for other memory";
  CUdeviceptr base = 0;
  size_t size = 0;
  EXPECT_EQ(cu("cuMemGetAddressRange_v2", &base, &size, address + 5), 0);
  EXPECT_EQ(base, address);
  EXPECT_EQ(size, 2 * unit_);
  unsigned char ipc[64];
  EXPECT_EQ(cu("cuIpcGetMemHandle", ipc, address), 1);
  EXPECT_EQ(unmap(address, 2), 0);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(address, 3), 0);
  EXPECT_NE(attribute(&type, 2, address), 0);
}

TEST_F(VirtualMemoryApi, AnotherProcessMapsTheSameMemory) {
  CUmodule module = load();
  CUfunction kernel = function(module, "scale");
  CUdeviceptr address = reserve(1);
  Handle handle = create(1, kHandlePosixFile);
  const unsigned floats = static_cast<unsigned>(unit_ / sizeof(float));
  ASSERT_EQ(map(address, 1, handle), 0);
  ASSERT_EQ(set_access(address, 1), 0);
  fill(address, floats, 1.0f);
  scale(kernel, address, floats, 2.0f);  // maybe on a device
  int file = -1;
  EXPECT_EQ(
      cu("cuMemExportToShareableHandle", static_cast<void*>(&file), handle, kHandleWin32, kNoFlags),
      1);
  ASSERT_EQ(cu("cuMemExportToShareableHandle", static_cast<void*>(&file), handle, kHandlePosixFile,
               kNoFlags),
            0);
  EXPECT_EQ(run_again("VirtualMemoryApi.Peer", kVariable, std::to_string(file)), 0);
  close(file);
  scale(kernel, address, floats, 5.0f);
  EXPECT_EQ(value(address + unit_ - 4), 30.0f);
  EXPECT_EQ(unmap(address, 1), 0);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(address, 1), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(VirtualMemoryApi, Peer) {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) GTEST_SKIP() << "only as the second process";
  Handle handle = 0;
  void* file = reinterpret_cast<void*>(static_cast<intptr_t>(std::atoi(text)));
  ASSERT_EQ(cu("cuMemImportFromShareableHandle", &handle, file, static_cast<int>(kHandlePosixFile)),
            0);
  CUdeviceptr address = reserve(1);
  ASSERT_EQ(map(address, 1, handle), 0);
  ASSERT_EQ(set_access(address, 1), 0);
  EXPECT_EQ(value(address), 2.0f);
  CUmodule module = load();
  scale(function(module, "scale"), address, static_cast<unsigned>(unit_ / sizeof(float)), 3.0f);
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(unmap(address, 1), 0);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(address, 1), 0);
}

TEST_F(VirtualMemoryApi, OnlyMemoryOfTheKindIsImported) {
  Handle handle = 0;
  auto import = [&](intptr_t file, int type) {
    return cu("cuMemImportFromShareableHandle", &handle, reinterpret_cast<void*>(file), type);
  };
  EXPECT_EQ(import(0, kHandlePosixFile), 1);
  EXPECT_EQ(import(100000, kHandlePosixFile), 1);
  EXPECT_EQ(import(0, 77), 1);
}

TEST_F(VirtualMemoryApi, HostMemoryIsTheProgramsToo) {
  CUmemAllocationProp properties = device_memory();
  properties.location = {kLocationHostNuma, 0};
  CUdeviceptr address = reserve(1);
  Handle handle = 0;
  ASSERT_EQ(cu("cuMemCreate", &handle, unit_, &properties, kNoFlags), 0);
  ASSERT_EQ(map(address, 1, handle), 0);
  const cudaMemAccessDesc both[] = {{{kLocationDevice, 0}, 3}, {{kLocationHostNuma, 0}, 3}};
  ASSERT_EQ(cu("cuMemSetAccess", address, unit_, &both[0], size_t{2}), 0);
  auto* host = reinterpret_cast<float*>(address);
  host[3] = 2.0f;
  CUmodule module = load();
  scale(function(module, "scale"), address, 16, 4.0f);
  ASSERT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_EQ(host[3], 8.0f);
  EXPECT_EQ(unmap(address, 1), 0);
  EXPECT_EQ(cu("cuMemRelease", handle), 0);
  EXPECT_EQ(free(address, 1), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

TEST_F(VirtualMemoryApi, HandlesForDmaAreRefusedAsTheAttributeSays) {
  int supported = 1, file = -1;
  ASSERT_EQ(cu("cuDeviceGetAttribute", &supported, 124, 0), 0);
  if (supported) GTEST_SKIP();
  CUdeviceptr memory = allocate(1 << 20);
  auto handle_for = [&](CUdeviceptr address, size_t size, int type) {
    return cu("cuMemGetHandleForAddressRange", static_cast<void*>(&file), address, size, type,
              kNoFlags);
  };
  EXPECT_EQ(handle_for(memory, 1 << 20, 1), 801);
  EXPECT_EQ(handle_for(memory, 100, 1), 1);
  EXPECT_EQ(handle_for(memory, 1 << 20, 5), 1);
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

}  // namespace
}  // namespace guda::cuda
