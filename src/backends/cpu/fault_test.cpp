// Kernels that fault give errors, and the process and later launches go on.
#include <gtest/gtest.h>
#include <immintrin.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <csetjmp>
#include <thread>
#include <vector>

#include "backends/cpu/test_kernels.h"

namespace guda::cpu {
namespace {

using kernel::BlockState;
using kernel::LaunchState;
using kernel::ThreadState;
using testing::launch;
using testing::Params;

constexpr uint32_t kBarrier = kernel::kUsesBarrier;

// In assembly: compilers warn, and sanitizers take it for a race.
void wild_store() { asm volatile("movl $0, (%0)" : : "r"(uintptr_t{16}) : "memory"); }

class Fault : public ::testing::TestWithParam<uint32_t> {
 protected:
  // A launch after the fault must work: nothing of it may linger in the executor.
  void TearDown() override {
    const kernel::KernelInfo kernel = testing::thread_kernel(
        [](ThreadState* t) {
          if ((t->block->launch->params[16] & std::byte{1}) != std::byte{0}) testing::barrier(t);
          static_cast<std::atomic<uint32_t>*>(testing::params(t).out)->fetch_add(1);
        },
        GetParam());
    std::atomic<uint32_t> count{0};
    EXPECT_TRUE(launch(kernel, {20, 1, 1}, {64, 1, 1}, {&count, nullptr, GetParam() & 1}).is_ok());
    EXPECT_EQ(count.load(), 20 * 64u);
  }
};

INSTANTIATE_TEST_SUITE_P(Threads, Fault, ::testing::Values(0u, kBarrier));

TEST_P(Fault, WildStoreIsAnIllegalAddress) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        if (testing::global_index(t) == 70) *static_cast<volatile int*>(testing::params(t).in) = 1;
      },
      GetParam());
  void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const Status status = launch(kernel, {10, 1, 1}, {32, 1, 1}, {nullptr, page, 0});
  munmap(page, 4096);
  EXPECT_EQ(status.code(), StatusCode::illegal_address);
  EXPECT_NE(status.message().find("test_kernel"), std::string::npos);
  EXPECT_NE(status.message().find("block (2,0,0), thread (6,0,0)"), std::string::npos)
      << status.message();
}

TEST_P(Fault, NonCanonicalPointerIsAnIllegalAddress) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) { *static_cast<volatile int*>(testing::params(t).in) = 1; }, GetParam());
  const Status status = launch(kernel, {4, 1, 1}, {32, 1, 1},
                               {nullptr, reinterpret_cast<void*>(0xdead'beef'0000'0000), 0});
  EXPECT_EQ(status.code(), StatusCode::illegal_address);
}

TEST_P(Fault, MisalignedVectorAccess) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        auto* at = static_cast<char*>(testing::params(t).in) + 4;
        asm volatile("movaps %%xmm0, (%0)" : : "r"(at) : "memory");
      },
      GetParam());
  alignas(64) char memory[64];
  EXPECT_EQ(launch(kernel, {1, 1, 1}, {1, 1, 1}, {nullptr, memory, 0}).code(),
            StatusCode::misaligned_address);
}

// The address exists only inside the instruction: base + index * scale + displacement.
TEST_P(Fault, ComputedAddressesAreReported) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        const auto& p = testing::params(t);
        asm volatile("movl $1, 16(%0,%1,8)" : : "r"(p.in), "r"(p.n) : "memory");
      },
      GetParam());
  const Status status =
      launch(kernel, {1, 1, 1}, {1, 1, 1},
             {nullptr, reinterpret_cast<void*>(0x7000'0000'0000), uint64_t{1} << 42});
  EXPECT_EQ(status.code(), StatusCode::illegal_address);
  EXPECT_NE(status.message().find("0x900000000010"), std::string::npos) << status.message();
}

TEST_P(Fault, MisalignedVexMove) {
  if (!__builtin_cpu_supports("avx")) GTEST_SKIP();
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        auto* at = static_cast<char*>(testing::params(t).in);
        asm volatile("vmovaps -4(%0,%1), %%ymm0" : : "r"(at), "r"(uint64_t{8}) : "memory");
      },
      GetParam());
  alignas(64) char memory[128];
  EXPECT_EQ(launch(kernel, {1, 1, 1}, {1, 1, 1}, {nullptr, memory, 0}).code(),
            StatusCode::misaligned_address);
}

TEST_P(Fault, TrapAndIllegalInstruction) {
  const kernel::KernelInfo trap = testing::thread_kernel(
      [](ThreadState* t) { t->launch->services->fault(t->block, 719); }, GetParam());
  EXPECT_EQ(launch(trap, {9, 1, 1}, {32, 1, 1}, {}).code(), StatusCode::launch_failed);
  const kernel::KernelInfo illegal =
      testing::thread_kernel([](ThreadState*) { asm volatile("ud2"); }, GetParam());
  EXPECT_EQ(launch(illegal, {1, 1, 1}, {1, 1, 1}, {}).code(), StatusCode::illegal_instruction);
}

TEST_P(Fault, AssertPrintsEachThreadAsCudaDoes) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        if (t->index.x < 30) return;
        t->launch->services->assert_fail(t->block, t->index.x, t->index.y, t->index.z, "x < 30",
                                         "file.cu", 12, "void k(int)");
      },
      GetParam());
  ::testing::internal::CaptureStderr();
  const Status status = launch(kernel, {1, 1, 1}, {32, 1, 1}, {});
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(status.code(), StatusCode::device_assert);
  for (const char* thread : {"[30,0,0]", "[31,0,0]"}) {
    EXPECT_NE(text.find(std::string("file.cu:12: void k(int): block: [0,0,0], thread: ") + thread +
                        " Assertion `x < 30` failed.\n"),
              std::string::npos)
        << text;
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
__attribute__((noinline)) uint64_t endless(uint64_t n, volatile uint64_t* sink) {
  volatile uint64_t local[16];
  local[n % 16] = n;
  *sink = n;
  if (*sink == ~0ull) return 0;
  return endless(n + 1, sink) + local[n % 16];
}

TEST_P(Fault, EndlessRecursionIsAStackError) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState*) {
        volatile uint64_t sink = 0;
        endless(0, &sink);
      },
      GetParam());
  EXPECT_EQ(launch(kernel, {3, 1, 1}, {32, 1, 1}, {}).code(), StatusCode::hardware_stack_error);
}
#endif

TEST_P(Fault, BlocksAfterTheFaultDoNotRun) {
  const kernel::KernelInfo kernel = testing::thread_kernel(
      [](ThreadState* t) {
        static_cast<std::atomic<uint32_t>*>(testing::params(t).out)->fetch_add(1);
        t->launch->services->fault(t->block, 719);
      },
      GetParam());
  std::atomic<uint32_t> count{0};
  EXPECT_FALSE(launch(kernel, {100'000, 1, 1}, {1, 1, 1}, {&count, nullptr, 0}).is_ok());
  EXPECT_LE(count.load(), worker_count());
}

TEST(FaultOfSimdKernels, BlockAndSharedWindowFaults) {
  const kernel::KernelInfo wild = testing::block_kernel([](const LaunchState*, BlockState* block) {
    if (block->index.x == 3) wild_store();
  });
  const Status status = launch(wild, {40, 1, 1}, {32, 1, 1}, {});
  EXPECT_EQ(status.code(), StatusCode::illegal_address);
  EXPECT_NE(status.message().find("0x10 in block (3,0,0)"), std::string::npos) << status.message();
  // Out of the shared window, on both sides; in a thread whose window has not grown yet.
  std::thread([] {
    for (const int64_t offset : {int64_t{-4}, int64_t{4096}}) {
      const kernel::KernelInfo kernel =
          testing::block_kernel([](const LaunchState* s, BlockState* b) {
            const auto& p = *reinterpret_cast<const Params*>(s->params);
            volatile std::byte* at = b->shared + static_cast<int64_t>(p.n);
            *at = std::byte{1};
          });
      EXPECT_EQ(launch(kernel, {1, 1, 1}, {32, 1, 1},
                       {nullptr, nullptr, static_cast<uint64_t>(offset)}, 4096)
                    .code(),
                StatusCode::illegal_address);
    }
  }).join();
}

TEST(FaultOfSimdKernels, FaultsWhileOthersRun) {
  const kernel::KernelInfo wild =
      testing::block_kernel([](const LaunchState*, BlockState*) { wild_store(); });
  const kernel::KernelInfo good = testing::block_kernel([](const LaunchState* s, BlockState*) {
    static_cast<std::atomic<uint32_t>*>(reinterpret_cast<const Params*>(s->params)->out)
        ->fetch_add(1);
  });
  std::thread faulty([&] {
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(launch(wild, {10, 1, 1}, {32, 1, 1}, {}).code(), StatusCode::illegal_address);
    }
  });
  for (int i = 0; i < 100; ++i) {
    std::atomic<uint32_t> count{0};
    EXPECT_TRUE(launch(good, {500, 1, 1}, {32, 1, 1}, {&count, nullptr, 0}).is_ok());
    EXPECT_EQ(count.load(), 500u);
  }
  faulty.join();
}

sigjmp_buf g_host_fault;

TEST(FaultOfTheHost, GoesToTheHandlerThatWasThereBefore) {
  // The handler has to be there before the executor: run in a fresh process.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        struct sigaction action{};
        action.sa_handler = [](int) { siglongjmp(g_host_fault, 1); };
        sigaction(SIGSEGV, &action, nullptr);
        const kernel::KernelInfo good =
            testing::block_kernel([](const LaunchState*, BlockState*) {});
        const bool ran = launch(good, {1, 1, 1}, {1, 1, 1}, {}).is_ok();
        if (sigsetjmp(g_host_fault, 1) == 0) {
          wild_store();
        }
        _exit(ran ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace guda::cpu
