// Shapes of the instruction groups that conformance tests cannot see: control flow, atomics, threads,
// textures, barriers, matrices.
#include <gtest/gtest.h>

#include "compiler/device_ir/lowered_snippet.h"

namespace guda::device_ir {
namespace {

using namespace testing_support;

TEST(Control, IndexedBranchIsASwitch) {
  EXPECT_TRUE(lowers_to(R"(
    mov.u32 %r1, %tid.x;
    targets: .branchtargets first, second, third;
    brx.idx %r1, targets;
    first: st.global.u32 [%rd1], 1; bra third;
    second: st.global.u32 [%rd1], 2;
    third:)",
                        "switch i32"));
}

TEST(Control, IndexedBranchNeedsItsTargets) {
  EXPECT_TRUE(fails_with(lower_body("brx.idx %r1, nowhere;"), "nowhere"));
}

TEST(Control, PredicatedExitLeavesOnlySomeThreads) {
  EXPECT_TRUE(
      lowers_to("mov.u32 %r1, %tid.x; setp.gt.u32 %p1, %r1, 3; @%p1 exit;"
                "st.global.u32 [%rd1], %r1;",
                "br i1"));
}

TEST(Control, ExitInsideAFunctionEndsTheThread) {
  const Lowered lowered = lower_module(R"(
.func f() { exit; }
.visible .entry k() { call.uni f; ret; })");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("call void @ptx.exit()"), std::string::npos) << lowered.ir;
}

TEST(Control, UnreachableCodeAndMissingReturnAreFine) {
  const Lowered lowered = lower_module(R"(
.visible .entry k() {
  .reg .b32 %r<3>;
  bra end;
  add.s32 %r1, %r2, 1;
  end:
})");
  EXPECT_TRUE(lowered.status.is_ok()) << lowered.status.message();
}

TEST(Control, DuplicateLabelsAreAnError) {
  EXPECT_TRUE(fails_with(lower_body("here: here: bra here;"), "twice"));
}

TEST(Control, SystemCallsKeepTheirDocumentedSignature) {
  const Lowered lowered = lower_module(R"(
.extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);
.visible .entry k() {
  .reg .b64 %rd<3>;
  .reg .b32 %r<3>;
  { .param .b64 p0; .param .b64 p1; .param .b32 q;
    st.param.b64 [p0], %rd1; st.param.b64 [p1], %rd2;
    call.uni (q), vprintf, (p0, p1);
    ld.param.b32 %r1, [q]; }
  ret;
})");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("call i32 @ptx.syscall.vprintf(i64"), std::string::npos) << lowered.ir;
}

TEST(Atomics, MapToReadModifyWrite) {
  EXPECT_TRUE(lowers_to("atom.global.add.u32 %r1, [%rd1], 1;", "atomicrmw add ptr addrspace(1)"));
  EXPECT_TRUE(lowers_to("atom.shared.inc.u32 %r1, [%r2], 5;", "atomicrmw uinc_wrap"));
  EXPECT_TRUE(lowers_to("red.global.max.s64 [%rd1], %rd2;", "atomicrmw max"));
  EXPECT_TRUE(lowers_to("atom.add.acq_rel.gpu.f32 %f1, [%rd1], %f2;", "fadd"));
  EXPECT_TRUE(lowers_to("atom.cas.release.gpu.b32 %r1, [%rd1], %r2, %r3;", "cmpxchg"));
}

TEST(Atomics, Bf16IsACompareAndSwapLoop) {
  const Lowered lowered = lower_body("atom.add.noftz.bf16x2 %r1, [%rd1], %r2;");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("cmpxchg"), std::string::npos);
  EXPECT_EQ(lowered.ir.find("bfloat"), std::string::npos) << lowered.ir;
}

TEST(Fences, HaveTheirStrength) {
  EXPECT_TRUE(lowers_to("membar.gl;", "fence seq_cst"));
  EXPECT_TRUE(lowers_to("membar.cta;", "fence acq_rel"));
  EXPECT_TRUE(lowers_to("fence.sc.gpu;", "fence seq_cst"));
  EXPECT_TRUE(lowers_to("fence.proxy.async;", "fence acq_rel"));
}

TEST(Threads, SpecialRegistersHaveRanges) {
  EXPECT_TRUE(lowers_to("mov.u32 %r1, %tid.x; st.global.u32 [%rd1], %r1;",
                        "declare range(i32 0, 1024) i32 @ptx.sreg.tid.x()"));
}

TEST(Threads, ClockIsNotAConstant) {
  const Lowered lowered = lower_body("mov.u32 %r1, %clock; st.global.u32 [%rd1], %r1;");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_EQ(lowered.ir.find("memory(none)"), std::string::npos) << lowered.ir;
}

TEST(Threads, WarpOperationsAreConvergent) {
  const char* expected = "convergent nounwind memory(inaccessiblemem: readwrite)";
  EXPECT_TRUE(lowers_to("shfl.sync.bfly.b32 %r1|%p1, %r2, 1, 31, -1;", expected));
  EXPECT_TRUE(lowers_to("vote.sync.ballot.b32 %r1, %p1, -1;", expected));
  EXPECT_TRUE(lowers_to("match.all.sync.b64 %r1|%p1, %rd2, -1;", expected));
  EXPECT_TRUE(lowers_to("redux.sync.add.s32 %r1, %r2, -1;", expected));
}

TEST(Threads, BarriersCarryIdentifierAndCount) {
  EXPECT_TRUE(lowers_to("bar.sync 0;", "call void @ptx.bar.sync(i32 0, i32 0)"));
  EXPECT_TRUE(lowers_to("barrier.sync.aligned 3, 64;", "call void @ptx.bar.sync(i32 3, i32 64)"));
  EXPECT_TRUE(lowers_to("bar.red.popc.u32 %r1, 0, %p1;", "@ptx.bar.red.popc(i32 0, i32 0, i1"));
}

TEST(Textures, PassOneArgumentPerCoordinate) {
  EXPECT_TRUE(lowers_to("tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f5, %f6}];",
                        "@ptx.tex.2d.f32.f32(i64, float, float)"));
  EXPECT_TRUE(lowers_to("tex.a2d.v4.u32.f32 {%r1, %r2, %r3, %r4}, [%rd1, {%r5, %f5, %f6, %f6}];",
                        "@ptx.tex.a2d.u32.f32(i64, i32, float, float)"));
  EXPECT_TRUE(lowers_to("sust.b.2d.v2.b32.clamp [%rd1, {%r1, %r2}], {%r3, %r4};",
                        "@ptx.sust.b.2d.v2.b32.clamp(i64, i32, i32, i32, i32)"));
  EXPECT_TRUE(fails_with(lower_body("tex.3d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [%rd1, {%f5, %f6}];"),
                         "coordinates"));
}

TEST(AsynchronousCopies, AreCopiesAtOnce) {
  EXPECT_TRUE(lowers_to("cp.async.cg.shared.global [%r1], [%rd1], 16;", "store <4 x i32> %"));
  EXPECT_TRUE(lowers_to("cp.async.ca.shared.global [%r1], [%rd1], 4, %r2;", "copy.bytes"));
}

TEST(Mbarrier, WaitsByLoading) {
  EXPECT_TRUE(lowers_to("mbarrier.try_wait.parity.shared.b64 %p1, [%r1], %r2;", "load atomic i64"));
  EXPECT_TRUE(lowers_to("mbarrier.arrive.shared.b64 %rd1, [%r1];", "@guda.mbarrier.update"));
}

TEST(Matrices, AreWrittenOutWithShuffles) {
  EXPECT_TRUE(
      lowers_to("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4},"
                "{%r1, %r2}, {%r3}, {%f1, %f2, %f3, %f4};",
                "@ptx.shfl.sync.idx.b32"));
  EXPECT_TRUE(
      fails_with(lower_body("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4},"
                            "{%r1}, {%r3}, {%f1, %f2, %f3, %f4};"),
                 "too few registers"));
}

}  // namespace
}  // namespace guda::device_ir
