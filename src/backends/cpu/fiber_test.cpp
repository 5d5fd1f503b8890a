// Barriers, cross-lane operations and waiting loops of kernels that run as fibers.
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <vector>

#include "backends/cpu/test_kernels.h"

namespace guda::cpu {
namespace {

using kernel::BarrierOp;
using kernel::ThreadState;
using kernel::WarpOp;
using testing::barrier;
using testing::launch;
using testing::Params;
using testing::warp_op;

constexpr uint32_t kFull = 0xffffffffu;

void block_sum(ThreadState* t) {
  const auto& p = testing::params(t);
  auto* shared = reinterpret_cast<uint32_t*>(t->block->shared);
  shared[t->index.x] = testing::global_index(t);
  barrier(t);
  for (uint32_t step = t->launch->block.x / 2; step > 0; step /= 2) {
    if (t->index.x < step) shared[t->index.x] += shared[t->index.x + step];
    barrier(t);
  }
  if (t->index.x == 0) static_cast<uint32_t*>(p.out)[t->block->index.x] = shared[0];
}

TEST(Fibers, TreeReductionThroughSharedMemory) {
  const kernel::KernelInfo kernel = testing::thread_kernel(block_sum, kernel::kUsesBarrier);
  std::vector<uint32_t> out(37);
  ASSERT_TRUE(launch(kernel, {37, 1, 1}, {512, 1, 1}, {out.data(), nullptr, 0}, 2048).is_ok());
  for (uint32_t b = 0; b < out.size(); ++b) EXPECT_EQ(out[b], 512 * (512 * b) + 511 * 512 / 2);
}

TEST(Fibers, ExitedThreadsCountAsArrived) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        if (t->index.x % 3 == 1) return;
        static_cast<std::atomic<uint32_t>*>(testing::params(t).out)->fetch_add(1);
        barrier(t);
        barrier(t);
      },
      kernel::kUsesBarrier);
  std::atomic<uint32_t> count{0};
  ASSERT_TRUE(launch(kernel, {4, 1, 1}, {100, 1, 1}, {&count, nullptr, 0}).is_ok());
  EXPECT_EQ(count.load(), 4 * 67u);
}

TEST(Fibers, BarrierReductions) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        auto* out = static_cast<uint32_t*>(testing::params(t).out);
        const uint32_t popc = barrier(t, BarrierOp::red_popc, 0, 0, t->index.x % 5 == 0);
        const uint32_t all = barrier(t, BarrierOp::red_and, 1, 0, t->index.x < 95);
        const uint32_t any = barrier(t, BarrierOp::red_or, 15, 0, t->index.x == 95);
        out[t->index.x] = popc * 100 + all * 10 + any;
      },
      kernel::kUsesBarrier);
  std::vector<uint32_t> out(96);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {96, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  for (const uint32_t value : out) EXPECT_EQ(value, 2001u);
}

// Warps 0-1 produce, warps 2-3 consume, with bar.arrive / bar.sync on two named barriers.
void producer_consumer(ThreadState* t) {
  const auto& p = testing::params(t);
  auto* shared = reinterpret_cast<uint32_t*>(t->block->shared);
  const uint32_t half = t->index.x % 64;
  uint32_t sum = 0;
  for (uint32_t round = 0; round < 5; ++round) {
    if (t->warp < 2) {
      if (round > 0) barrier(t, BarrierOp::sync, 2, 128);
      shared[half] = half * (round + 1);
      barrier(t, BarrierOp::arrive, 1, 128);
    } else {
      barrier(t, BarrierOp::sync, 1, 128);
      sum += shared[63 - half];
      if (round < 4) barrier(t, BarrierOp::arrive, 2, 128);
    }
  }
  if (t->warp >= 2) static_cast<uint32_t*>(p.out)[half] = sum;
}

TEST(Fibers, NamedBarriersWithCounts) {
  const kernel::KernelInfo kernel = testing::thread_kernel(producer_consumer, kernel::kUsesBarrier);
  std::vector<uint32_t> out(64);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {128, 1, 1}, {out.data(), nullptr, 0}, 256).is_ok());
  for (uint32_t i = 0; i < 64; ++i) EXPECT_EQ(out[i], (63 - i) * 15);
}

void warp_scan(ThreadState* t) {
  uint32_t value = t->lane + 1;
  for (uint32_t offset = 1; offset < 32; offset *= 2) {
    uint32_t in_range = 0;
    const uint32_t other = warp_op(t, WarpOp::shfl_up, kFull, value, offset, 0, &in_range);
    if (in_range != 0) value += other;
  }
  static_cast<uint32_t*>(testing::params(t).out)[t->linear] = value;
}

TEST(Fibers, InclusiveScanByShuffles) {
  const kernel::KernelInfo kernel = testing::thread_kernel(warp_scan, kernel::kUsesWarpOps);
  std::vector<uint32_t> out(64 + 20);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {84, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  for (uint32_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], (i % 32 + 1) * (i % 32 + 2) / 2);
}

// The two halves of a warp use shuffles with their own masks at different places.
TEST(Fibers, DivergentHalvesExchangeAmongThemselves) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        auto* out = static_cast<uint32_t*>(testing::params(t).out);
        const uint32_t clamp = 0x1f;
        if (t->lane % 2 == 0) {
          out[t->lane] = warp_op(t, WarpOp::shfl_idx, 0x55555555, t->lane, 2, clamp);
          warp_op(t, WarpOp::sync, kFull, 0);
        } else {
          out[t->lane] = warp_op(t, WarpOp::shfl_idx, 0xaaaaaaaa, t->lane, 31, clamp);
          out[t->lane] += 100 * warp_op(t, WarpOp::vote_ballot, 0xaaaaaaaa, t->lane > 16);
          warp_op(t, WarpOp::sync, kFull, 0);
        }
      },
      kernel::kUsesWarpOps);
  std::vector<uint32_t> out(32);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {32, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  for (uint32_t l = 0; l < 32; ++l) {
    EXPECT_EQ(out[l], l % 2 == 0 ? 2u : 31u + 100 * 0xaaaa0000u);
  }
}

TEST(Fibers, ActiveMaskSeesTheLanesOfItsBranch) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        auto* out = static_cast<uint32_t*>(testing::params(t).out);
        if (t->lane < 10) {
          out[t->lane] = warp_op(t, WarpOp::activemask, 0, 1);
        } else if (t->lane == 20) {
          barrier(t, BarrierOp::sync, 1, 0);
          return;
        } else {
          out[t->lane] = warp_op(t, WarpOp::activemask, 0, 2);
        }
        barrier(t, BarrierOp::sync, 1, 0);
      },
      kernel::kUsesWarpOps | kernel::kUsesBarrier);
  std::vector<uint32_t> out(32);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {32, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  for (uint32_t l = 0; l < 32; ++l) {
    EXPECT_EQ(out[l], l < 10 ? 0x3ffu : l == 20 ? 0u : 0xffeffc00u) << l;
  }
}

TEST(Fibers, FullMaskInABranchGoesOnWithTheLanesThatCame) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        auto* out = static_cast<uint32_t*>(testing::params(t).out);
        if (t->lane < 4) out[t->lane] = warp_op(t, WarpOp::vote_ballot, kFull, 1);
        barrier(t);
      },
      kernel::kUsesWarpOps | kernel::kUsesBarrier);
  std::vector<uint32_t> out(4);
  ASSERT_TRUE(launch(kernel, {1, 1, 1}, {32, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  EXPECT_EQ(out, (std::vector<uint32_t>(4, 15)));
}

// A lock that the lanes of a warp fight for.
void intra_warp_lock(ThreadState* t) {
  const auto& p = testing::params(t);
  auto* lock = static_cast<std::atomic<uint32_t>*>(p.in);
  auto* counter = static_cast<uint32_t*>(p.out);
  uint32_t expected = 0;
  while (!lock->compare_exchange_strong(expected, 1, std::memory_order_acquire)) {
    expected = 0;
    t->launch->services->yield(t);
  }
  const uint32_t value = *counter;
  t->launch->services->nanosleep(t->block, 100);  // others get to try while the lock is held
  *counter = value + 1;
  lock->store(0, std::memory_order_release);
}

TEST(Fibers, LanesMayLockAgainstEachOther) {
  const kernel::KernelInfo kernel = testing::thread_kernel(intra_warp_lock, kernel::kPollsMemory);
  std::atomic<uint32_t> lock{0};
  uint32_t counter = 0;
  ASSERT_TRUE(launch(kernel, {8, 1, 1}, {128, 1, 1}, {&counter, &lock, 0}).is_ok());
  EXPECT_EQ(counter, 8 * 128u);
}

// Grid barrier as cooperative groups write it: thread 0 of each block counts and waits.
void grid_sync(ThreadState* t) {
  const auto& p = testing::params(t);
  auto* counter = static_cast<std::atomic<uint32_t>*>(p.in);
  auto* data = static_cast<uint32_t*>(p.out);
  const uint32_t blocks = t->launch->grid.x;
  for (uint32_t round = 1; round <= 4; ++round) {
    const uint32_t block = t->block->index.x;
    if (t->index.x == 1) data[(round % 2) * blocks + block] = round * 1000 + block;
    barrier(t);
    if (t->index.x == 0) {
      counter->fetch_add(1);
      while (counter->load() < round * blocks) t->launch->services->yield(t);
    }
    barrier(t);
    EXPECT_EQ(data[(round % 2) * blocks + (block + 1) % blocks],
              round * 1000 + (block + 1) % blocks);
  }
}

TEST(Fibers, CooperativeGridsKeepAllBlocksResident) {
  const kernel::KernelInfo kernel =
      testing::thread_kernel(grid_sync, kernel::kUsesBarrier | kernel::kPollsMemory);
  for (const bool cooperative : {true, false}) {
    std::atomic<uint32_t> counter{0};
    std::vector<uint32_t> data(2 * 24);
    ASSERT_TRUE(
        launch(kernel, {24, 1, 1}, {64, 1, 1}, {data.data(), &counter, 0}, 0, cooperative).is_ok());
    EXPECT_EQ(counter.load(), 4 * 24u);
  }
}

// The polling loop contains a barrier: there is always an event, yet only another block helps.
void later_block_with_barriers(ThreadState* t) {
  auto* flag = static_cast<std::atomic<uint32_t>*>(testing::params(t).in);
  if (t->block->index.x == 7) flag->store(1);
  while (barrier(t, BarrierOp::red_or, 0, 0, t->index.x == 0 && flag->load() != 0) == 0) {
    t->launch->services->yield(t);
  }
}

TEST(Fibers, BlocksThatWaitForLaterOnesGetCompany) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      later_block_with_barriers, kernel::kUsesBarrier | kernel::kPollsMemory);
  std::atomic<uint32_t> flag{0};
  ASSERT_TRUE(launch(kernel, {8, 1, 1}, {32, 1, 1}, {nullptr, &flag, 0}).is_ok());
}

TEST(Fibers, DeadlockIsAnErrorNotAHang) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) { barrier(t, BarrierOp::sync, t->index.x < 32 ? 1 : 2, 0); },
      kernel::kUsesBarrier);
  const Status status = launch(kernel, {2, 1, 1}, {64, 1, 1}, {});
  EXPECT_EQ(status.code(), StatusCode::launch_failed);
  EXPECT_NE(status.message().find("deadlock"), std::string::npos) << status.message();
}

TEST(Fibers, ExitInsideAFunctionEndsOnlyTheThread) {
  for (const uint32_t flags : {0u, static_cast<uint32_t>(kernel::kUsesBarrier)}) {
    const kernel::KernelInfo kernel = testing::thread_kernel(
        [](ThreadState* t) {
          if (t->index.x % 2 == 0) t->launch->services->exit_thread(t);
          static_cast<std::atomic<uint32_t>*>(testing::params(t).out)->fetch_add(1);
        },
        flags);
    std::atomic<uint32_t> count{0};
    ASSERT_TRUE(launch(kernel, {5, 1, 1}, {50, 1, 1}, {&count, nullptr, 0}).is_ok());
    EXPECT_EQ(count.load(), 125u);
  }
}

// Stacks are reused and the full size is usable.
uint64_t deep(uint64_t n, volatile uint64_t* sink) {
  volatile uint64_t local[64];
  local[n % 64] = n;
  if (n == 0) return 0;
  *sink = local[n % 64];
  return deep(n - 1, sink) + local[n % 64];
}

TEST(Fibers, ThreadsHaveDeepStacks) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        volatile uint64_t sink = 0;
        const uint64_t sum = deep(80, &sink);
        barrier(t);
        static_cast<uint64_t*>(testing::params(t).out)[t->block->index.x * 1024 + t->linear] = sum;
      },
      kernel::kUsesBarrier);
  std::vector<uint64_t> out(4 * 1024);
  ASSERT_TRUE(launch(kernel, {4, 1, 1}, {1024, 1, 1}, {out.data(), nullptr, 0}).is_ok());
  for (const uint64_t sum : out) EXPECT_EQ(sum, 80 * 81 / 2u);
}

}  // namespace
}  // namespace guda::cpu
