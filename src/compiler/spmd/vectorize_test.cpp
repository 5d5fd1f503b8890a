// What the vectoriser makes of small kernels: device IR in, and a look at the SIMD code's shape.
#include "compiler/spmd/vectorize.h"

#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

#include <memory>
#include <string>

namespace guda::spmd {
namespace {

using llvm::Intrinsic::ID;

constexpr const char* kDeclarations = R"(
declare range(i32 0, 2147483647) i32 @ptx.sreg.ctaid.x() #0
declare range(i32 0, 256) i32 @ptx.sreg.tid.x() #0
declare ptr @guda.shared() #0
declare { i32, i1 } @ptx.shfl.sync.bfly.b32(i32, i32, i32, i32) #1
declare void @ptx.bar.sync(i32, i32) #1
attributes #0 = { nofree nosync nounwind speculatable willreturn memory(none) }
attributes #1 = { convergent nounwind }
!0 = !{}
)";

class VectorizeTest : public ::testing::Test {
 protected:
  /// Vectorises @kernel(ptr %params) for blocks of 256 threads.
  void run(const std::string& body) {
    llvm::SMDiagnostic error;
    module_ = llvm::parseAssemblyString(body + kDeclarations, error, context_);
    ASSERT_NE(module_, nullptr) << error.getMessage().str() << " in line " << error.getLineNo();
    Options options;
    options.block_dim[0] = 256;
    options.block_dim[1] = options.block_dim[2] = 1;
    Result<Vectorized> result = vectorize(*module_->getFunction("kernel"), options);
    ASSERT_TRUE(result) << result.status().message();
    vectorized_ = *result;
    std::string problems;
    llvm::raw_string_ostream stream(problems);
    EXPECT_FALSE(llvm::verifyModule(*module_, &stream)) << problems;
  }

  template <typename Predicate>
  unsigned count(Predicate&& predicate) const {
    unsigned result = 0;
    for (const llvm::Function& function : *module_) {
      for (const llvm::Instruction& instruction : llvm::instructions(function)) {
        result += predicate(instruction) ? 1 : 0;
      }
    }
    return result;
  }

  unsigned intrinsics(ID id) const {
    return count([&](const llvm::Instruction& instruction) {
      const auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
      return call != nullptr && call->getIntrinsicID() == id;
    });
  }

  unsigned calls(llvm::StringRef name) const {
    return count([&](const llvm::Instruction& instruction) {
      const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
      return call != nullptr && call->getCalledFunction() != nullptr &&
             call->getCalledFunction()->getName() == name;
    });
  }

  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
  Vectorized vectorized_;
};

TEST_F(VectorizeTest, NeighboursAreOneAccess) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
  %base = load i64, ptr %params, !invariant.load !0
  %tid = call i32 @ptx.sreg.tid.x()
  %index = zext nneg i32 %tid to i64
  %offset = shl i64 %index, 2
  %address = add i64 %base, %offset
  %p = inttoptr i64 %address to ptr
  %x = load float, ptr %p
  %y = fadd float %x, 1.0
  store float %y, ptr %p
  ret void
})");
  EXPECT_NE(vectorized_.run_block, nullptr);
  EXPECT_EQ(vectorized_.lanes, 16u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_gather), 0u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_scatter), 0u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_load), 1u);
}

TEST_F(VectorizeTest, DistantLanesGather) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
  %base = load i64, ptr %params, !invariant.load !0
  %tid = call i32 @ptx.sreg.tid.x()
  %square = mul i32 %tid, %tid
  %index = zext nneg i32 %square to i64
  %offset = shl i64 %index, 2
  %address = add i64 %base, %offset
  %p = inttoptr i64 %address to ptr
  %x = load float, ptr %p
  %y = fadd float %x, 1.0
  store float %y, ptr %p
  ret void
})");
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_gather), 1u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_scatter), 1u);
}

// (ctaid * 256 + tid) / 32 is one number in a warp of 32: a row per warp is read by scalar loads.
TEST_F(VectorizeTest, WarpNumberIsUniform) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
  %base = load i64, ptr %params, !invariant.load !0
  %ctaid = call i32 @ptx.sreg.ctaid.x()
  %first = mul i32 %ctaid, 256
  %tid = call i32 @ptx.sreg.tid.x()
  %thread = add i32 %first, %tid
  %warp = lshr i32 %thread, 5
  %index = zext nneg i32 %warp to i64
  %offset = shl i64 %index, 2
  %address = add i64 %base, %offset
  %p = inttoptr i64 %address to ptr
  %x = load i32, ptr %p
  %s = call { i32, i1 } @ptx.shfl.sync.bfly.b32(i32 %tid, i32 1, i32 31, i32 -1)
  %other = extractvalue { i32, i1 } %s, 0
  %sum = add i32 %other, %x
  %wide = zext nneg i32 %tid to i64
  %to = shl i64 %wide, 2
  %out = add i64 %base, %to
  %q = inttoptr i64 %out to ptr
  store i32 %sum, ptr %q
  ret void
})");
  EXPECT_EQ(vectorized_.lanes, 32u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_gather), 0u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_load), 0u);
  const unsigned words = count([](const llvm::Instruction& instruction) {
    return llvm::isa<llvm::LoadInst>(instruction) && instruction.getType()->isIntegerTy(32);
  });
  EXPECT_GE(words, 1u);
}

// (tid >> 3) & ~3 drops the lane bits, though tid >> 3 itself differs between lanes.
TEST_F(VectorizeTest, ShiftedAndMaskedIndexIsUniform) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
  %shared = call ptr @guda.shared()
  %tid = call i32 @ptx.sreg.tid.x()
  %s = call { i32, i1 } @ptx.shfl.sync.bfly.b32(i32 %tid, i32 1, i32 31, i32 -1)
  %other = extractvalue { i32, i1 } %s, 0
  %shifted = lshr i32 %tid, 3
  %offset = and i32 %shifted, 28
  %wide = zext nneg i32 %offset to i64
  %p = getelementptr i8, ptr %shared, i64 %wide
  store i32 %other, ptr %p
  ret void
})");
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_scatter), 0u);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_store), 0u);
}

constexpr const char* kStridedLoop = R"(
define void @kernel(ptr noalias readonly %params) {
entry:
  %base = load i64, ptr %params, !invariant.load !0
  %np = getelementptr i8, ptr %params, i64 8
  %n = load i32, ptr %np, !invariant.load !0
  %ctaid = call i32 @ptx.sreg.ctaid.x()
  %tid = call i32 @ptx.sreg.tid.x()
  %inside = icmp slt i32 %tid, %n
  br i1 %inside, label %body, label %end
body:
  %row = mul i32 %ctaid, %n
  %row64 = sext i32 %row to i64
  %tid64 = zext nneg i32 %tid to i64
  %start = add i64 %row64, %tid64
  %offset = shl i64 %start, 2
  %address = add i64 %base, %offset
  %last = xor i32 %tid, -1
  %left = add i32 %n, %last
  %trips = lshr i32 %left, 8
  %count = add nuw nsw i32 %trips, 1
  br label %loop
loop:
  %at = phi i64 [ %address, %body ], [ %next, %loop ]
  %k = phi i32 [ %count, %body ], [ %fewer, %loop ]
  %p = inttoptr i64 %at to ptr
  %x = load float, ptr %p
  %y = fadd float %x, 1.0
  store float %y, ptr %p
  %next = add i64 %at, 1024
  %fewer = add i32 %k, -1
  %done = icmp eq i32 %fewer, 0
  br i1 %done, label %end, label %loop
end:
  ret void
})";

// All lanes usually run a strided loop equally often; the version for that case has a scalar counter.
TEST_F(VectorizeTest, EqualTripCountsHaveTheirVersion) {
  run(kStridedLoop);
  const unsigned scalar_counters = count([](const llvm::Instruction& instruction) {
    return llvm::isa<llvm::PHINode>(instruction) && instruction.getType()->isIntegerTy(32) &&
           !instruction.getName().starts_with("warp");
  });
  const unsigned vector_counters = count([](const llvm::Instruction& instruction) {
    return llvm::isa<llvm::PHINode>(instruction) &&
           instruction.getType() ==
               llvm::FixedVectorType::get(llvm::Type::getInt32Ty(instruction.getContext()), 16);
  });
  EXPECT_GE(scalar_counters, 1u);
  EXPECT_GE(vector_counters, 1u);  // and lanes that disagree have theirs
}

TEST_F(VectorizeTest, RowsOfTheNextBlockArePrefetched) {
  run(kStridedLoop);
  EXPECT_GE(intrinsics(llvm::Intrinsic::prefetch), 2u);  // read and write
}

TEST_F(VectorizeTest, GridStrideLoopsAreNotPrefetched) {
  std::string kernel = kStridedLoop;
  const std::string stride = "add i64 %at, 1024";
  kernel.replace(kernel.find(stride), stride.size(), "add i64 %at, %row64");
  run(kernel);
  EXPECT_EQ(intrinsics(llvm::Intrinsic::prefetch), 0u);
}

TEST_F(VectorizeTest, ContiguousBlocksAreLeftToTheHardware) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
  %base = load i64, ptr %params, !invariant.load !0
  %ctaid = call i32 @ptx.sreg.ctaid.x()
  %first = mul i32 %ctaid, 256
  %tid = call i32 @ptx.sreg.tid.x()
  %thread = add i32 %first, %tid
  %wide = zext nneg i32 %thread to i64
  %offset = shl i64 %wide, 2
  %address = add i64 %base, %offset
  %p = inttoptr i64 %address to ptr
  store float 1.0, ptr %p
  ret void
})");
  EXPECT_EQ(intrinsics(llvm::Intrinsic::prefetch), 0u);
}

TEST_F(VectorizeTest, BarriersCutTheKernelIntoRegions) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
  %base = load i64, ptr %params, !invariant.load !0
  %shared = call ptr @guda.shared()
  %tid = call i32 @ptx.sreg.tid.x()
  %wide = zext nneg i32 %tid to i64
  %offset = shl i64 %wide, 2
  %mine = getelementptr i8, ptr %shared, i64 %offset
  %address = add i64 %base, %offset
  %p = inttoptr i64 %address to ptr
  %x = load float, ptr %p
  store float %x, ptr %mine
  call void @ptx.bar.sync(i32 0, i32 0)
  %turned = xor i64 %offset, 1020
  %other = getelementptr i8, ptr %shared, i64 %turned
  %y = load float, ptr %other
  %sum = fadd float %x, %y
  store float %sum, ptr %p
  ret void
})");
  EXPECT_EQ(vectorized_.run_block, nullptr);
  ASSERT_NE(vectorized_.run_warps, nullptr);
  EXPECT_EQ(vectorized_.frame_bytes, 64u);  // %x of 16 lanes; addresses are computed again
  EXPECT_EQ(calls("guda.barrier"), 0u);
  unsigned regions = 0;
  for (const llvm::Function& function : *module_) {
    regions += function.getName().starts_with("guda_region") ? 1 : 0;
  }
  EXPECT_EQ(regions, 2u);
}

// A row per thread: lanes are at unrelated places and leave at different times.
TEST_F(VectorizeTest, ListsAreWalkedLaneByLane) {
  run(R"(
define void @kernel(ptr noalias readonly %params) {
entry:
  %base = load i64, ptr %params, !invariant.load !0
  %tid = call i32 @ptx.sreg.tid.x()
  %wide = zext nneg i32 %tid to i64
  %offset = shl i64 %wide, 2
  %address = add i64 %base, %offset
  %p = inttoptr i64 %address to ptr
  %first = load i32, ptr %p
  %q = getelementptr i8, ptr %p, i64 4
  %last = load i32, ptr %q
  %some = icmp slt i32 %first, %last
  br i1 %some, label %loop, label %end
loop:
  %k = phi i32 [ %first, %entry ], [ %next, %loop ]
  %sum = phi float [ 0.0, %entry ], [ %more, %loop ]
  %k64 = sext i32 %k to i64
  %at = shl i64 %k64, 2
  %entry_address = add i64 %base, %at
  %e = inttoptr i64 %entry_address to ptr
  %x = load float, ptr %e
  %more = fadd float %sum, %x
  %next = add i32 %k, 1
  %again = icmp slt i32 %next, %last
  br i1 %again, label %loop, label %end
end:
  %result = phi float [ 0.0, %entry ], [ %more, %loop ]
  store float %result, ptr %p
  ret void
})");
  EXPECT_EQ(intrinsics(llvm::Intrinsic::masked_gather), 0u);
  EXPECT_GE(intrinsics(llvm::Intrinsic::cttz), 1u);  // the next lane
}

// Lanes that wait for each other at two places cannot run in lockstep.
TEST_F(VectorizeTest, DivergentExchangeIsRefused) {
  llvm::SMDiagnostic error;
  module_ = llvm::parseAssemblyString(std::string(R"(
define void @kernel(ptr noalias readonly %params) {
entry:
  %tid = call i32 @ptx.sreg.tid.x()
  %odd = and i32 %tid, 1
  %is_odd = icmp eq i32 %odd, 1
  br i1 %is_odd, label %left, label %right
left:
  %a = call { i32, i1 } @ptx.shfl.sync.bfly.b32(i32 %tid, i32 1, i32 31, i32 -1)
  br label %end
right:
  %b = call { i32, i1 } @ptx.shfl.sync.bfly.b32(i32 %tid, i32 1, i32 31, i32 -1)
  br label %end
end:
  ret void
})") + kDeclarations,
                                      error, context_);
  ASSERT_NE(module_, nullptr) << error.getMessage().str();
  Options options;
  options.block_dim[0] = 256;
  options.block_dim[1] = options.block_dim[2] = 1;
  Result<Vectorized> result = vectorize(*module_->getFunction("kernel"), options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.status().code(), StatusCode::not_supported);
}

}  // namespace
}  // namespace guda::spmd
