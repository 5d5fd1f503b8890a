// Streams that wait for values in memory and write them, peers, and batches of copies.
#include "abi/cuda/driver_test.h"
#include "abi/cudart/types.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace guda::cuda {
namespace {

constexpr unsigned kGeq = 0, kEq = 1, kAnd = 2, kNor = 3, kFlush = 1u << 30;
constexpr CUresult kNotReady = 600;

class StreamMemory : public DriverApi {
 protected:
  void SetUp() override {
    DriverApi::SetUp();
    ASSERT_EQ(cu("cuStreamCreate", &waiter_, 1u), 0);
    ASSERT_EQ(cu("cuStreamCreate", &writer_, 1u), 0);
    void* pinned = nullptr;
    ASSERT_EQ(cu("cuMemHostAlloc", &pinned, size_t{64}, 0u), 0);
    pinned_ = static_cast<uint64_t*>(pinned);
    std::memset(pinned_, 0, 64);
    result_ = allocate(4);
    ASSERT_EQ(cu("cuMemsetD32_v2", result_, 0u, size_t{1}), 0);
  }
  void TearDown() override {
    EXPECT_EQ(cu("cuStreamDestroy_v2", waiter_), 0);
    EXPECT_EQ(cu("cuStreamDestroy_v2", writer_), 0);
    EXPECT_EQ(cu("cuMemFreeHost", static_cast<void*>(pinned_)), 0);
    EXPECT_EQ(cu("cuMemFree_v2", result_), 0);
    DriverApi::TearDown();
  }
  CUdeviceptr flag() const { return reinterpret_cast<CUdeviceptr>(pinned_); }
  /// What follows the wait is not done before `release`, and is afterwards.
  template <typename Release>
  void expect_held_until(unsigned mark, Release&& release) {
    ASSERT_EQ(cu("cuMemsetD32Async", result_, mark, size_t{1}, waiter_), 0);
    EXPECT_EQ(cu("cuStreamQuery", waiter_), kNotReady);
    release();
    ASSERT_EQ(cu("cuStreamSynchronize", waiter_), 0);
    unsigned value = 0;
    ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&value), result_, size_t{4}), 0);
    EXPECT_EQ(value, mark);
  }
  CUresult wait32(CUdeviceptr address, uint32_t value, unsigned flags) {
    return cu("cuStreamWaitValue32_v2", waiter_, address, value, flags);
  }
  CUresult write32(CUdeviceptr address, uint32_t value, unsigned flags = 0) {
    return cu("cuStreamWriteValue32_v2", writer_, address, value, flags);
  }

  CUstream waiter_ = nullptr, writer_ = nullptr;
  uint64_t* pinned_ = nullptr;
  CUdeviceptr result_ = 0;
};

TEST_F(StreamMemory, AStreamWaitsForTheHost) {
  ASSERT_EQ(wait32(flag(), 5, kGeq), 0);
  expect_held_until(1, [&] { *reinterpret_cast<volatile uint32_t*>(pinned_) = 6; });
}

TEST_F(StreamMemory, AStreamWaitsForAnother) {
  CUdeviceptr memory = allocate(64);
  ASSERT_EQ(cu("cuMemsetD8_v2", memory, static_cast<unsigned char>(0), size_t{64}), 0);
  for (CUdeviceptr address : {flag(), memory}) {
    ASSERT_EQ(wait32(address + 4, 7, kEq), 0);
    expect_held_until(2, [&] {
      ASSERT_EQ(write32(address, 7), 0) << "the neighbour";
      ASSERT_EQ(cu("cuStreamSynchronize", writer_), 0);
      EXPECT_EQ(cu("cuStreamQuery", waiter_), kNotReady);
      ASSERT_EQ(write32(address + 4, 7), 0);
    });
    ASSERT_EQ(cu("cuStreamWaitValue64_v2", waiter_, address + 8, uint64_t{1} << 40, kGeq), 0);
    expect_held_until(3, [&] {
      ASSERT_EQ(cu("cuStreamWriteValue64_v2", writer_, address + 8, (uint64_t{1} << 40) + 1, 0u),
                0);
    });
  }
  EXPECT_EQ(cu("cuMemFree_v2", memory), 0);
}

TEST_F(StreamMemory, ConditionsAreCudas) {
  auto* value = reinterpret_cast<volatile uint32_t*>(pinned_);
  *value = 0xfffffff0u;  // cyclic: 3 is five more than 0xfffffffe
  ASSERT_EQ(wait32(flag(), 0xfffffffeu, kGeq), 0);
  expect_held_until(1, [&] { *value = 3; });
  *value = 0xf0;
  ASSERT_EQ(wait32(flag(), 0x0f, kAnd), 0);
  expect_held_until(2, [&] { *value = 0xf8; });
  *value = 0xffffff00u;
  ASSERT_EQ(wait32(flag(), 0xff, kNor), 0);
  expect_held_until(3, [&] { *value = 0xfffffe00u; });
}

TEST_F(StreamMemory, ListsAreDoneInOrder) {
  // struct CUstreamBatchMemOpParams without its unions.
  struct Operation {
    int operation;
    CUdeviceptr address;
    uint64_t value;
    unsigned flags;
    uint64_t rest[2];
  };
  static_assert(sizeof(Operation) == 48);
  std::vector<Operation> list = {{1, flag(), 1, kGeq, {}},
                                 {2, flag() + 8, 2, 0, {}},
                                 {6, 0, 0, 0, {}},
                                 {5, flag() + 16, 3, 0, {}}};
  auto batch = [&](unsigned count, unsigned flags) {
    return cu("cuStreamBatchMemOp_v2", waiter_, count, list.data(), flags);
  };
  ASSERT_EQ(batch(4, 0), 0);
  expect_held_until(4, [&] {
    EXPECT_EQ(pinned_[1], 0u);
    ASSERT_EQ(write32(flag(), 1), 0);
  });
  EXPECT_EQ(pinned_[1], 2u);
  EXPECT_EQ(pinned_[2], 3u);
  EXPECT_EQ(batch(4, 1), 1);
  EXPECT_EQ(batch(256, 0), 1);
  list[3].operation = 3;  // a flush
  EXPECT_EQ(batch(4, 0), 801);
  list[3].operation = 9;
  list[1].value = 77;
  EXPECT_EQ(batch(4, 0), 1);
  ASSERT_EQ(cu("cuStreamSynchronize", waiter_), 0);
  EXPECT_EQ(pinned_[1], 2u) << "nothing of a wrong list is done";
}

TEST_F(StreamMemory, WrongArgumentsAreRefused) {
  EXPECT_EQ(wait32(flag() + 2, 0, kEq), 1);
  EXPECT_EQ(wait32(0, 0, kEq), 1);
  EXPECT_EQ(wait32(flag(), 0, 4), 1);
  EXPECT_EQ(wait32(flag(), 0, kFlush), 801);
  EXPECT_EQ(write32(flag() + 1, 0), 1);
  EXPECT_EQ(write32(flag(), 0, 2), 1);
  uint32_t own = 0;
  EXPECT_EQ(write32(reinterpret_cast<CUdeviceptr>(&own), 0), 1);
  for (auto [number, expected] : {std::pair{122, 1}, {123, 1}, {98, 0}}) {
    int value = -1;
    EXPECT_EQ(cu("cuDeviceGetAttribute", &value, number, 0), 0);
    EXPECT_EQ(value, expected) << number;
  }
}

TEST_F(DriverApi, ADeviceIsNotItsOwnPeer) {
  EXPECT_EQ(cu("cuCtxEnablePeerAccess", context_, 0u), 201);
  EXPECT_EQ(cu("cuCtxEnablePeerAccess", context_, 1u), 1);
  EXPECT_EQ(cu("cuCtxEnablePeerAccess", static_cast<void*>(nullptr), 0u), 201);
  EXPECT_EQ(cu("cuCtxDisablePeerAccess", context_), 705);
  int value = 1;
  EXPECT_EQ(cu("cuDeviceCanAccessPeer", &value, 0, 0), 0);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(cu("cuDeviceCanAccessPeer", &value, 0, 99), 101);
  EXPECT_EQ(cu("cuDeviceGetP2PAttribute", &value, 1, 0, 0), 101);
  EXPECT_EQ(cu("cuDeviceGetP2PAttribute", &value, 99, 0, 0), 1);
  CUdeviceptr from = allocate(64), to = allocate(64);
  ASSERT_EQ(cu("cuMemsetD32_v2", from, 9u, size_t{16}), 0);
  EXPECT_EQ(cu("cuMemcpyPeer", to, context_, from, context_, size_t{64}), 0);
  EXPECT_EQ(cu("cuMemcpyPeer", to, static_cast<void*>(nullptr), from, context_, size_t{64}), 201);
  unsigned copied = 0;
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(&copied), to + 60, size_t{4}), 0);
  EXPECT_EQ(copied, 9u);
  EXPECT_EQ(cu("cuMemFree_v2", from), 0);
  EXPECT_EQ(cu("cuMemFree_v2", to), 0);
}

TEST_F(DriverApi, BatchesOfBoxesAreCopied) {
  CUdeviceptr from = allocate(1024), to = allocate(1024);
  std::vector<unsigned char> bytes(1024), back(1024);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 7);
  ASSERT_EQ(cu("cuMemcpyHtoD_v2", from, static_cast<const void*>(bytes.data()), size_t{1024}), 0);
  ASSERT_EQ(cu("cuMemsetD8_v2", to, static_cast<unsigned char>(0), size_t{1024}), 0);
  CUstream stream = nullptr;
  ASSERT_EQ(cu("cuStreamCreate", &stream, 1u), 0);
  cudart::cudaMemcpy3DBatchOp box{};
  box.src.type = box.dst.type = 1;
  box.src.op.ptr.ptr = reinterpret_cast<void*>(from);
  box.src.op.ptr.rowLength = 64;
  box.src.op.ptr.layerHeight = 4;
  box.dst.op.ptr.ptr = reinterpret_cast<void*>(to);  // dense
  box.extent = {16, 2, 2};
  ASSERT_EQ(cu("cuMemcpy3DBatchAsync_v2", size_t{1}, &box, 0ull, stream), 0);
  size_t failed = 5;
  EXPECT_EQ(cu("cuMemcpy3DBatchAsync", size_t{1}, &box, &failed, 1ull, stream), 1);
  ASSERT_EQ(cu("cuStreamSynchronize", stream), 0);
  ASSERT_EQ(cu("cuMemcpyDtoH_v2", static_cast<void*>(back.data()), to, size_t{1024}), 0);
  for (size_t z = 0; z < 2; ++z)
    for (size_t y = 0; y < 2; ++y)
      for (size_t x = 0; x < 16; ++x)
        EXPECT_EQ(back[(z * 2 + y) * 16 + x], bytes[(z * 4 + y) * 64 + x]);
  EXPECT_EQ(back[64], 0);
  EXPECT_EQ(cu("cuStreamDestroy_v2", stream), 0);
  EXPECT_EQ(cu("cuMemFree_v2", from), 0);
  EXPECT_EQ(cu("cuMemFree_v2", to), 0);
}

}  // namespace
}  // namespace guda::cuda
