// Kernels beyond the conformance suite: two dimensions, slices, warps that work alone, and what is refused.
// Skipped where there is no OpenCL device.
#include "backends/opencl/opencl_device.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

namespace guda::backend {
namespace {

constexpr std::string_view kKernels = R"ptx(
.version 7.5
.target sm_70
.address_size 64

// out[y][x] = (left + right + up + down of in) * 0.25, rows of `width`, inside only; blocks of 16 x 4
.visible .entry stencil(.param .u64 pout, .param .u64 pin, .param .u32 pwidth, .param .u32 pheight)
{
  .reg .pred %p<3>;
  .reg .b32 %r<20>;
  .reg .b64 %rd<10>;
  .reg .f32 %f<10>;
  ld.param.u64 %rd1, [pout];
  ld.param.u64 %rd2, [pin];
  ld.param.u32 %r1, [pwidth];
  ld.param.u32 %r2, [pheight];
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ctaid.y;
  mov.u32 %r5, %tid.x;
  mov.u32 %r6, %tid.y;
  mad.lo.s32 %r7, %r3, 16, %r5;
  mad.lo.s32 %r8, %r4, 4, %r6;
  add.s32 %r9, %r7, -1;
  add.s32 %r10, %r8, -1;
  add.s32 %r11, %r1, -2;
  add.s32 %r12, %r2, -2;
  setp.ge.u32 %p1, %r9, %r11;
  setp.ge.u32 %p2, %r10, %r12;
  or.pred %p1, %p1, %p2;
  @%p1 bra DONE;
  mad.lo.s32 %r13, %r8, %r1, %r7;
  mul.wide.s32 %rd3, %r13, 4;
  add.s64 %rd4, %rd2, %rd3;
  mul.wide.s32 %rd5, %r1, 4;
  sub.s64 %rd6, %rd4, %rd5;
  add.s64 %rd7, %rd4, %rd5;
  ld.global.f32 %f1, [%rd4+-4];
  ld.global.f32 %f2, [%rd4+4];
  ld.global.f32 %f3, [%rd6];
  ld.global.f32 %f4, [%rd7];
  add.f32 %f5, %f1, %f2;
  add.f32 %f6, %f5, %f3;
  add.f32 %f7, %f6, %f4;
  mul.f32 %f8, %f7, 0f3E800000;
  add.s64 %rd8, %rd1, %rd3;
  st.global.f32 [%rd8], %f8;
DONE:
  ret;
}

// out[block] = sum of in over a block of 64; the threads from `pcount` on have left, and the first warp adds the
// sums of both, alone.
.visible .entry reduce(.param .u64 pout, .param .u64 pin, .param .u32 pcount)
{
  .reg .pred %p<4>;
  .reg .b32 %r<20>;
  .reg .b64 %rd<8>;
  .shared .align 4 .b32 partial[2];
  ld.param.u64 %rd1, [pout];
  ld.param.u64 %rd2, [pin];
  ld.param.u32 %r1, [pcount];
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, %ctaid.x;
  setp.ge.u32 %p1, %r2, %r1;
  @%p1 ret;
  mad.lo.s32 %r4, %r3, 64, %r2;
  mul.wide.u32 %rd3, %r4, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.u32 %r5, [%rd4];
  mov.u32 %r6, 16;
LOOP:
  shfl.sync.bfly.b32 %r7, %r5, %r6, 31, -1;
  add.s32 %r5, %r5, %r7;
  shr.u32 %r6, %r6, 1;
  setp.ne.u32 %p2, %r6, 0;
  @%p2 bra LOOP;
  mov.u32 %r8, partial;
  shr.u32 %r9, %r2, 5;
  shl.b32 %r10, %r9, 2;
  add.s32 %r11, %r8, %r10;
  st.shared.u32 [%r11], %r5;
  bar.sync 0;
  setp.ge.u32 %p3, %r2, 32;
  @%p3 bra DONE;
  mov.u32 %r12, 0;
  shl.b32 %r13, %r2, 2;
  add.s32 %r14, %r8, %r13;
  shr.u32 %r15, %r1, 5;
  setp.lt.u32 %p1, %r2, %r15;
  @%p1 ld.shared.u32 %r12, [%r14];
  shfl.sync.bfly.b32 %r16, %r12, 1, 31, -1;
  add.s32 %r12, %r12, %r16;
  setp.ne.u32 %p2, %r2, 0;
  @%p2 bra DONE;
  mul.wide.u32 %rd5, %r3, 4;
  add.s64 %rd6, %rd1, %rd5;
  st.global.u32 [%rd6], %r12;
DONE:
  ret;
}

.visible .entry follow(.param .u64 plist)
{
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [plist];
  ld.global.u64 %rd2, [%rd1];
  st.global.u32 [%rd2], 1;
  ret;
}
)ptx";

class OpenclDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    OpenclOptions options;
    options.shared_addresses = false;  // the way that needs translation
    Discovery found = discover_opencl(options);
    if (found.devices.empty()) GTEST_SKIP() << "no OpenCL device: " << found.note;
    device_ = std::move(found.devices.front());
    auto queue = device_->create_queue();
    ASSERT_TRUE(queue) << queue.status().message();
    queue_ = std::move(*queue);
    memory_ = static_cast<uint8_t*>(
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory_, MAP_FAILED);
    const Status mapped = device_->map(memory_, kBytes);
    ASSERT_TRUE(mapped) << mapped.message();
  }
  void TearDown() override {
    queue_.reset();
    if (memory_) munmap(memory_, kBytes);
  }

  Result<std::shared_ptr<DeviceKernel>> load(std::string_view name, Dim3 block) {
    KernelSource source;
    source.ptx = kKernels;
    source.ptx_hash = {std::hash<std::string_view>()(kKernels), 7};
    source.module_name = "opencl_device_test";
    source.kernel = name;
    source.block = block;
    return device_->load(source);
  }

  void send() { ASSERT_TRUE(queue_->upload(memory_, memory_, kBytes)); }
  void fetch() {
    ASSERT_TRUE(queue_->download(memory_, memory_, kBytes));
    const Status status = queue_->synchronize();
    ASSERT_TRUE(status) << status.message();
  }

  static constexpr size_t kBytes = 1 << 20;
  static constexpr size_t kOut = kBytes / 2;
  uint8_t* memory_ = nullptr;
  std::unique_ptr<Device> device_;
  std::unique_ptr<Queue> queue_;
};

struct StencilParameters {
  void* out;
  void* in;
  uint32_t width, height;
};

TEST_F(OpenclDeviceTest, StencilInSlicesIsTheWholeOneBitForBit) {
  constexpr uint32_t kWidth = 100, kHeight = 37;
  constexpr Dim3 kGrid{7, 10, 1}, kBlock{16, 4, 1};
  auto* in = reinterpret_cast<float*>(memory_);
  auto* out = reinterpret_cast<float*>(memory_ + kOut);
  for (uint32_t i = 0; i < kWidth * kHeight; ++i)
    in[i] = static_cast<float>((i * 7919) % 1000) / 37.0f;
  auto kernel = load("stencil", kBlock);
  ASSERT_TRUE(kernel) << kernel.status().message();
  StencilParameters parameters{out, in, kWidth, kHeight};
  Launch launch;
  launch.kernel = kernel->get();
  launch.params = std::as_bytes(std::span(&parameters, 1));
  launch.grid = launch.count = kGrid;
  launch.block = kBlock;
  send();
  ASSERT_TRUE(queue_->launch(launch));
  fetch();
  const std::vector<float> whole(out, out + kWidth * kHeight);
  for (uint32_t y = 1; y + 1 < kHeight; ++y) {
    for (uint32_t x = 1; x + 1 < kWidth; ++x) {
      const float* p = in + y * kWidth + x;
      ASSERT_EQ(whole[y * kWidth + x], (p[-1] + p[1] + *(p - kWidth) + p[kWidth]) * 0.25f);
    }
  }
  std::memset(out, 0, kWidth * kHeight * 4);
  send();
  for (uint32_t row : {0u, 4u, 7u}) {
    launch.first = {0, row, 0};
    launch.count = {kGrid.x, row == 0 ? 4u : 3u, 1};
    ASSERT_TRUE(queue_->launch(launch));
  }
  fetch();
  EXPECT_EQ(std::memcmp(whole.data(), out, kWidth * kHeight * 4), 0);
}

struct ReduceParameters {
  void* out;
  void* in;
  uint32_t count;
};

TEST_F(OpenclDeviceTest, WarpsAddWhenOthersHaveLeftOrDoNotComeAlong) {
  constexpr Dim3 kBlock{64, 1, 1};
  auto* in = reinterpret_cast<uint32_t*>(memory_);
  auto* out = reinterpret_cast<uint32_t*>(memory_ + kOut);
  for (uint32_t i = 0; i < 64 * 9; ++i) in[i] = i * i + 3;
  auto kernel = load("reduce", kBlock);
  ASSERT_TRUE(kernel) << kernel.status().message();
  for (const uint32_t count : {64u, 32u}) {
    ReduceParameters parameters{out, in, count};
    Launch launch;
    launch.kernel = kernel->get();
    launch.params = std::as_bytes(std::span(&parameters, 1)).first(20);
    launch.grid = launch.count = {9, 1, 1};
    launch.block = kBlock;
    send();
    const Status launched = queue_->launch(launch);
    ASSERT_TRUE(launched) << launched.message();
    fetch();
    for (uint32_t block = 0; block < 9; ++block) {
      uint32_t sum = 0;
      for (uint32_t i = 0; i < count; ++i) sum += in[block * 64 + i];
      EXPECT_EQ(out[block], sum) << block << " of " << count;
    }
  }
}

TEST_F(OpenclDeviceTest, PointersInMemoryAreRefused) {
  const auto kernel = load("follow", {1, 1, 1});
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.status().code(), StatusCode::not_supported);
  EXPECT_NE(kernel.status().message().find("reads from memory"), std::string::npos)
      << kernel.status().message();
}

TEST_F(OpenclDeviceTest, AddressesOutsideTheDevicesMemoryAreRefused) {
  auto kernel = load("reduce", {64, 1, 1});
  ASSERT_TRUE(kernel) << kernel.status().message();
  int elsewhere = 0;
  ReduceParameters parameters{memory_, &elsewhere, 64};
  Launch launch;
  launch.kernel = kernel->get();
  launch.params = std::as_bytes(std::span(&parameters, 1)).first(20);
  launch.block = {64, 1, 1};
  EXPECT_EQ(queue_->launch(launch).code(), StatusCode::not_supported);
}

}  // namespace
}  // namespace guda::backend
