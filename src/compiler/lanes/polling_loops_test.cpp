#include "compiler/lanes/polling_loops.h"

#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/SourceMgr.h>

#include <string>

namespace guda::lanes {
namespace {

size_t latches(const std::string& body) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic error;
  const std::string text =
      "declare void @ptx.nanosleep(i32)\n"
      "define void @f(ptr %p, i32 %n) {\n" +
      body + "}\n";
  const auto module = llvm::parseAssemblyString(text, error, context);
  if (module == nullptr) {
    ADD_FAILURE() << error.getMessage().str() << " in line " << error.getLineNo();
    return 0;
  }
  return polling_latches(*module->getFunction("f")).size();
}

TEST(PollingLoops, WaitForAFlag) {
  EXPECT_EQ(latches(R"(
      br label %loop
    loop:
      %v = load volatile i32, ptr %p
      %c = icmp eq i32 %v, 0
      br i1 %c, label %loop, label %end
    end:
      ret void
  )"),
            1u);
}

TEST(PollingLoops, SpinLockWithConstantExpectation) {
  EXPECT_EQ(latches(R"(
      br label %loop
    loop:
      %v = cmpxchg ptr %p, i32 0, i32 1 monotonic monotonic
      %c = extractvalue {i32, i1} %v, 1
      br i1 %c, label %end, label %loop
    end:
      ret void
  )"),
            1u);
}

TEST(PollingLoops, RetryLoopOfAnAtomicUpdateEndsByItself) {
  EXPECT_EQ(latches(R"(
    entry:
      %first = load i32, ptr %p
      br label %loop
    loop:
      %old = phi i32 [ %first, %entry ], [ %now, %loop ]
      %new = mul i32 %old, 3
      %v = cmpxchg ptr %p, i32 %old, i32 %new monotonic monotonic
      %now = extractvalue {i32, i1} %v, 0
      %c = icmp eq i32 %now, %old
      br i1 %c, label %end, label %loop
    end:
      ret void
  )"),
            0u);
}

TEST(PollingLoops, FlagSetUnderALockCounts) {
  // done = false; while (!done) if (cas(p, 0, 1) == 0) done = true;
  EXPECT_EQ(latches(R"(
    entry:
      br label %loop
    loop:
      %done = phi i1 [ false, %entry ], [ %next, %latch ]
      br i1 %done, label %end, label %try
    try:
      %v = atomicrmw xchg ptr %p, i32 1 monotonic
      %c = icmp eq i32 %v, 0
      br i1 %c, label %got, label %latch
    got:
      store volatile i32 0, ptr %p
      br label %latch
    latch:
      %next = phi i1 [ true, %got ], [ false, %try ]
      br label %loop
    end:
      ret void
  )"),
            1u);
}

TEST(PollingLoops, CountedLoopsWithAtomicsDoNotPoll) {
  EXPECT_EQ(latches(R"(
    entry:
      br label %loop
    loop:
      %i = phi i32 [ 0, %entry ], [ %j, %loop ]
      %v = atomicrmw add ptr %p, i32 1 monotonic
      %w = load volatile i32, ptr %p
      %j = add i32 %i, 1
      %c = icmp ult i32 %j, %n
      br i1 %c, label %loop, label %end
    end:
      ret void
  )"),
            0u);
}

TEST(PollingLoops, WorkQueuesMoveOn) {
  EXPECT_EQ(latches(R"(
      br label %loop
    loop:
      %i = atomicrmw add ptr %p, i32 1 monotonic
      %c = icmp ult i32 %i, %n
      br i1 %c, label %loop, label %end
    end:
      ret void
  )"),
            0u);
}

TEST(PollingLoops, SleepingLoopsPoll) {
  EXPECT_EQ(latches(R"(
      br label %loop
    loop:
      call void @ptx.nanosleep(i32 10)
      %v = load i32, ptr %p
      %c = icmp eq i32 %v, 0
      br i1 %c, label %loop, label %end
    end:
      ret void
  )"),
            1u);
}

}  // namespace
}  // namespace guda::lanes
