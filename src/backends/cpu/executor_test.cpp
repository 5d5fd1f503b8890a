#include "backends/cpu/executor.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "backends/cpu/device_heap.h"
#include "backends/cpu/test_kernels.h"

namespace guda::cpu {
namespace {

using kernel::BlockState;
using kernel::LaunchState;
using kernel::ThreadState;
using testing::launch;
using testing::Params;

struct BlockRecord {
  std::atomic<uint64_t> next{0};
  std::atomic<uint32_t> descending{0};
};

void count_blocks(const LaunchState* state, BlockState* block) {
  const auto& p = *reinterpret_cast<const Params*>(state->params);
  const uint64_t linear =
      block->index.x + state->grid.x * (block->index.y + uint64_t{state->grid.y} * block->index.z);
  static_cast<std::atomic<uint32_t>*>(p.out)[linear].fetch_add(1);
}

TEST(Executor, EveryBlockRunsOnce) {
  const kernel::KernelInfo kernel = testing::block_kernel(count_blocks);
  for (const kernel::Dim3 grid :
       {kernel::Dim3{1, 1, 1}, {7, 1, 1}, {1000, 1, 1}, {33, 5, 3}, {1, 1, 65}}) {
    std::vector<std::atomic<uint32_t>> counts(size_t{grid.x} * grid.y * grid.z);
    ASSERT_TRUE(launch(kernel, grid, {32, 1, 1}, {counts.data(), nullptr, 0}).is_ok());
    for (const auto& count : counts) EXPECT_EQ(count.load(), 1u);
  }
}

// Each block waits for the one before it, as single-pass scans do.
void chained_block(const LaunchState* state, BlockState* block) {
  const auto& p = *reinterpret_cast<const Params*>(state->params);
  auto* flags = static_cast<std::atomic<uint64_t>*>(p.out);
  const uint32_t i = block->index.x;
  uint64_t before = 0;
  if (i > 0) {
    while ((before = flags[i - 1].load(std::memory_order_acquire)) == 0) {
    }
  }
  flags[i].store(before + 1, std::memory_order_release);
}

TEST(Executor, BlocksMayWaitForEarlierOnes) {
  const kernel::KernelInfo kernel = testing::block_kernel(chained_block);
  std::vector<std::atomic<uint64_t>> flags(5000);
  ASSERT_TRUE(launch(kernel, {5000, 1, 1}, {32, 1, 1}, {flags.data(), nullptr, 0}).is_ok());
  EXPECT_EQ(flags.back().load(), 5000u);
}

void plain_thread(ThreadState* t) {
  const auto& p = testing::params(t);
  const kernel::Dim3& d = t->launch->block;
  EXPECT_EQ(t->linear, t->index.x + d.x * (t->index.y + d.y * t->index.z));
  EXPECT_EQ(t->lane, t->linear % 32);
  EXPECT_EQ(t->warp, t->linear / 32);
  static_cast<std::atomic<uint32_t>*>(p.out)[t->linear].fetch_add(1);
}

TEST(Executor, ThreadsHaveTheirIndices) {
  const kernel::KernelInfo kernel = testing::thread_kernel(plain_thread, 0);
  std::vector<std::atomic<uint32_t>> counts(5 * 3 * 7);
  ASSERT_TRUE(launch(kernel, {10, 1, 1}, {5, 3, 7}, {counts.data(), nullptr, 0}).is_ok());
  for (const auto& count : counts) EXPECT_EQ(count.load(), 10u);
}

TEST(Executor, SlicedLaunchesAddTheirOffset) {
  kernel::KernelInfo kernel =
      testing::block_kernel([](const LaunchState* state, BlockState* block) {
        const auto& p = *reinterpret_cast<const Params*>(state->params);
        EXPECT_EQ(block->index.y, 2u);
        static_cast<std::atomic<uint32_t>*>(p.out)[block->index.x].fetch_add(1);
      });
  std::vector<std::atomic<uint32_t>> counts(30);
  const Params p{counts.data(), nullptr, 0};
  LaunchDescription description;
  description.kernel = &kernel;
  description.params = std::as_bytes(std::span(&p, 1));
  description.grid = {20, 1, 1};
  description.block_offset = {10, 2, 0};
  ASSERT_TRUE(Executor::instance().run(description).is_ok());
  for (size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i].load(), i >= 10 ? 1u : 0u);
}

TEST(Executor, SlicesSeeTheWholeGrid) {
  kernel::KernelInfo kernel = testing::block_kernel([](const LaunchState* state,
                                                       BlockState* block) {
    const auto& p = *reinterpret_cast<const Params*>(state->params);
    EXPECT_EQ(state->grid.x, 20u);
    EXPECT_EQ(state->grid.y, 6u);
    static_cast<std::atomic<uint32_t>*>(p.out)[block->index.y * 20 + block->index.x].fetch_add(1);
  });
  std::vector<std::atomic<uint32_t>> counts(120);
  const Params p{counts.data(), nullptr, 0};
  LaunchDescription description;
  description.kernel = &kernel;
  description.params = std::as_bytes(std::span(&p, 1));
  description.grid = {20, 6, 1};
  description.block_offset = {0, 2, 0};
  description.blocks = {20, 3, 1};
  ASSERT_TRUE(Executor::instance().run(description).is_ok());
  for (size_t i = 0; i < counts.size(); ++i)
    EXPECT_EQ(counts[i].load(), i >= 40 && i < 100 ? 1u : 0u) << i;
}

TEST(Executor, ManyConcurrentLaunchesShareTheWorkers) {
  const kernel::KernelInfo blocks = testing::block_kernel(count_blocks);
  const kernel::KernelInfo threads = testing::thread_kernel(
      [](ThreadState* t) {
        const auto& p = testing::params(t);
        testing::barrier(t);
        static_cast<std::atomic<uint32_t>*>(p.out)[t->block->index.x].fetch_add(1);
      },
      kernel::kUsesBarrier);
  std::vector<std::thread> callers;
  callers.reserve(8);
  for (int c = 0; c < 8; ++c) {
    callers.emplace_back([&, c] {
      for (int repeat = 0; repeat < 50; ++repeat) {
        std::vector<std::atomic<uint32_t>> counts(257);
        const bool fibers = (c + repeat) % 3 == 0;
        ASSERT_TRUE(
            launch(fibers ? threads : blocks, {257, 1, 1}, {32, 1, 1}, {counts.data(), nullptr, 0})
                .is_ok());
        for (const auto& count : counts) ASSERT_EQ(count.load(), fibers ? 32u : 1u);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// Region machine: warps write, meet, read their neighbour. Region 1 is after the barrier.
uint32_t neighbour_warps(const LaunchState* state, BlockState* block, uint32_t warp, void* frame,
                         uint32_t region) {
  const auto& p = *reinterpret_cast<const Params*>(state->params);
  auto* shared = reinterpret_cast<uint32_t*>(block->shared);
  const uint32_t warps = state->block.x / 32;
  if (region == 0) {
    shared[warp] = warp + 1;
    *static_cast<uint32_t*>(frame) = warp * 10;
    block->barrier_wait = 0;
    return 1;
  }
  static_cast<uint32_t*>(p.out)[block->index.x * warps + warp] =
      shared[(warp + 1) % warps] + *static_cast<uint32_t*>(frame);
  return kernel::kWarpDone;
}

TEST(Executor, WarpRegionsMeetAtBarriers) {
  kernel::KernelInfo kernel = testing::block_kernel(nullptr);
  kernel.run_warps = testing::run_warps<neighbour_warps, 64>;
  kernel.frame_bytes = 64;
  std::vector<uint32_t> out(100 * 8);
  ASSERT_TRUE(launch(kernel, {100, 1, 1}, {256, 1, 1}, {out.data(), nullptr, 0}, 1024).is_ok());
  for (uint32_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], (i % 8 + 1) % 8 + 1 + i % 8 * 10);
  }
}

// Warp 0 produces for barrier 1 (64 threads: warps 0 and 1), warps 2 and 3 end at once; the rest
// meets at barrier 0.
uint32_t unequal_warps(const LaunchState* state, BlockState* block, uint32_t warp, void*,
                       uint32_t region) {
  const auto& p = *reinterpret_cast<const Params*>(state->params);
  auto* out = static_cast<uint32_t*>(p.out);
  if (region == 0) {
    if (warp >= 2) return kernel::kWarpDone;
    if (warp == 0) out[0] = 7;
    block->barrier_wait = (uint64_t{1} << 32) | 64;
    return 1;
  }
  if (region == 1) {
    if (warp == 1) out[1] = out[0] + 1;
    block->barrier_wait = 0;
    return 2;
  }
  if (warp == 0) out[2] = out[1] + 1;
  return kernel::kWarpDone;
}

TEST(Executor, WarpsMayEndAndUseCountedBarriers) {
  kernel::KernelInfo kernel = testing::block_kernel(nullptr);
  kernel.run_warps = testing::run_warps<unequal_warps, 0>;
  std::vector<uint32_t> out(3);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {128, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  EXPECT_EQ(out, (std::vector<uint32_t>{7, 8, 9}));
}

TEST(Executor, ParametersAreAlignedAndComplete) {
  const kernel::KernelInfo kernel =
      testing::block_kernel([](const LaunchState* state, BlockState*) {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(state->params) % 64, 0u);
        const auto& p = *reinterpret_cast<const Params*>(state->params);
        *static_cast<uint64_t*>(p.out) = p.n;
      });
  std::vector<std::byte> bytes(sizeof(Params) + 1);
  uint64_t out = 0;
  const Params p{&out, nullptr, 77};
  std::memcpy(bytes.data() + 1, &p, sizeof(p));
  LaunchDescription description;
  description.kernel = &kernel;
  description.params = std::span(bytes).subspan(1);
  ASSERT_TRUE(Executor::instance().run(description).is_ok());
  EXPECT_EQ(out, 77u);
}

TEST(Executor, OtherAbiVersionsAreRefused) {
  kernel::KernelInfo kernel = testing::block_kernel(count_blocks);
  kernel.abi_version = kernel::kAbiVersion + 1;
  EXPECT_EQ(launch(kernel, {1, 1, 1}, {1, 1, 1}, {}).code(), StatusCode::invalid_image);
}

TEST(Executor, ChildrenOfAForkGetAnError) {
  const kernel::KernelInfo kernel = testing::block_kernel(count_blocks);
  std::atomic<uint32_t> count{0};
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {1, 1, 1}, {&count, nullptr, 0}).is_ok());
  const pid_t child = fork();
  if (child == 0) {
    const Status status = launch(kernel, {1, 1, 1}, {1, 1, 1}, {&count, nullptr, 0});
    _exit(status.code() == StatusCode::not_initialized ? 0 : 1);
  }
  int result = -1;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

TEST(Executor, PrintfComesOutAtFlush) {
  static const char* const kFormat = "block %d\n";
  const kernel::KernelInfo kernel =
      testing::block_kernel([](const LaunchState* state, BlockState* b) {
        const int value = static_cast<int>(b->index.x);
        EXPECT_EQ(state->services->vprintf(b, kFormat, &value), 1);
      });
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(launch(kernel, {3, 1, 1}, {1, 1, 1}, {}).is_ok());
  flush_printf();
  const std::string text = ::testing::internal::GetCapturedStdout();
  for (const char* line : {"block 0\n", "block 1\n", "block 2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << text;
  }
}

TEST(DeviceHeap, BlocksAreDisjointAndReused) {
  std::vector<std::pair<std::byte*, size_t>> blocks;
  for (size_t bytes = 1; bytes < 5000; bytes += 37) {
    auto* pointer = static_cast<std::byte*>(device_malloc(bytes));
    ASSERT_NE(pointer, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pointer) % 16, 0u);
    std::fill_n(pointer, bytes, std::byte{0xee});
    blocks.emplace_back(pointer, bytes);
  }
  std::sort(blocks.begin(), blocks.end());
  for (size_t i = 1; i < blocks.size(); ++i) {
    EXPECT_LE(blocks[i - 1].first + blocks[i - 1].second, blocks[i].first);
  }
  for (const auto& [pointer, bytes] : blocks) EXPECT_TRUE(device_free(pointer));
  EXPECT_FALSE(device_free(blocks[0].first)) << "twice";
  int on_stack = 0;
  EXPECT_FALSE(device_free(&on_stack));
  EXPECT_EQ(device_malloc(size_t{1} << 40), nullptr);
  EXPECT_EQ(device_malloc(0), nullptr);
}

}  // namespace
}  // namespace guda::cpu
