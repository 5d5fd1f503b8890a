#include "backends/cpu/fault_trap.h"

#include <gtest/gtest.h>

namespace guda::cpu {
namespace {

// In assembly: compilers warn, and sanitizers stop.
void store(uintptr_t address) { asm volatile("movl $0, (%0)" : : "r"(address) : "memory"); }

TEST(FaultTrap, CompletesWithoutAFault) {
  int calls = 0;
  uintptr_t address = 0;
  EXPECT_TRUE(run_trapped([](void* count) { ++*static_cast<int*>(count); }, &calls, &address));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(current_trap(), nullptr);
}

TEST(FaultTrap, TellsTheAddress) {
  for (uintptr_t bad : {uintptr_t{16}, uintptr_t{0x7f0000001000}, uintptr_t{1} << 60}) {
    uintptr_t address = 0;
    EXPECT_FALSE(run_trapped([](void* where) { store(reinterpret_cast<uintptr_t>(where)); },
                             reinterpret_cast<void*>(bad), &address));
    EXPECT_EQ(address, bad);
    EXPECT_EQ(current_trap(), nullptr);
  }
}

TEST(FaultTrap, NestedTrapsEndFromTheInside) {
  struct State {
    bool inner = true, after = false;
    uintptr_t address = 0;
  } state;
  uintptr_t address = 0;
  EXPECT_FALSE(run_trapped(
      [](void* argument) {
        auto& s = *static_cast<State*>(argument);
        s.inner = run_trapped([](void*) { store(32); }, nullptr, &s.address);
        s.after = true;
        leave_trap(64);
      },
      &state, &address));
  EXPECT_FALSE(state.inner);
  EXPECT_TRUE(state.after);
  EXPECT_EQ(state.address, 32u);
  EXPECT_EQ(address, 64u);
}

TEST(FaultTrapDeathTest, FaultsOutsideEndTheProcess) {
  uintptr_t address = 0;
  EXPECT_TRUE(run_trapped([](void*) {}, nullptr, &address));
  EXPECT_DEATH(store(16), "");
}

}  // namespace
}  // namespace guda::cpu
