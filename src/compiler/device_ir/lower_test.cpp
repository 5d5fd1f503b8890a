#include "compiler/device_ir/lower.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "compiler/device_ir/instruction_table.h"
#include "compiler/device_ir/lowered_snippet.h"

namespace guda::device_ir {
namespace {

using namespace testing_support;

TEST(LowerKernel, HasTheDocumentedShape) {
  const Lowered lowered = lower_module(R"(
.visible .entry k(.param .u64 a, .param .align 16 .b8 s[20]) .maxntid 256, 1, 1 { ret; })");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("define void @k(ptr noalias readonly captures(none) %params)"),
            std::string::npos);
  EXPECT_NE(lowered.ir.find("\"guda.maxntid\"=\"256,1,1\""), std::string::npos);
  EXPECT_NE(lowered.ir.find("\"guda.param_bytes\"=\"36\""), std::string::npos);
}

TEST(LowerKernel, UnknownKernelIsNotFound) {
  const Lowered lowered = lower_module(".visible .entry k() { ret; }", "other");
  EXPECT_EQ(lowered.status.code(), StatusCode::not_found);
}

TEST(LowerKernel, MessagesNameFileLineAndInstruction) {
  const Lowered lowered = lower_body("\nwgmma.fence.sync.aligned;\n");
  EXPECT_EQ(lowered.status.code(), StatusCode::invalid_ptx);
  EXPECT_TRUE(fails_with(lowered, "test.ptx:"));
  EXPECT_TRUE(fails_with(lowered, "wgmma.fence.sync.aligned"));
  EXPECT_TRUE(fails_with(lowered, "unsupported instruction"));
}

TEST(LowerKernel, WrongOperandsAreErrorsNotCrashes) {
  EXPECT_TRUE(fails_with(lower_body("add.s32 %r1, %r2;"), "wrong number of operands"));
  EXPECT_TRUE(fails_with(lower_body("add.s32 %r1, %r2, %nothing;"), "'%nothing'"));
  EXPECT_TRUE(fails_with(lower_body("add.s64 %rd1, %r2, 1;"), "does not fit"));
  EXPECT_TRUE(fails_with(lower_body("add.s32 %p1, %r2, 1;"), "does not fit"));
  EXPECT_TRUE(fails_with(lower_body("add.s32 5, %r2, 1;"), "not a register"));
  EXPECT_TRUE(fails_with(lower_body("bra nowhere;"), "nowhere"));
  EXPECT_TRUE(fails_with(lower_body("setp.ltu.s32 %p1, %r1, %r2;"), "comparison"));
  EXPECT_TRUE(fails_with(lower_body("call.uni missing, ();"), "missing"));
  EXPECT_TRUE(fails_with(lower_body("ld.global.v4.u32 {%r1, %r2}, [%rd1];"), "elements"));
  EXPECT_TRUE(fails_with(lower_body("ld.global.u32 %r1, [%f1];"), "no address"));
}

TEST(LowerInstruction, TableHasNoDuplicateRows) {
  std::vector<std::pair<std::string_view, std::string_view>> seen;
  for (const Row* row : all_rows()) {
    const auto key = std::make_pair(row->opcode, row->pattern);
    for (const auto& other : seen) {
      EXPECT_FALSE(other == key) << row->opcode << " " << row->pattern;
    }
    seen.push_back(key);
  }
}

TEST(LowerInstruction, ParametersAreInvariantLoads) {
  EXPECT_TRUE(
      lowers_to("ld.param.u32 %r1, [n]; st.global.u32 [%rd1], %r1;", ", align 4, !invariant.load"));
}

TEST(LowerInstruction, ShiftsClamp) {
  const std::string tail = "st.global.u32 [%rd1], %r1;";
  EXPECT_TRUE(lowers_to("mov.u32 %r2, %tid.x; shl.b32 %r1, %r2, %r2;" + tail, "icmp ult i32"));
  EXPECT_TRUE(lowers_to("mov.u32 %r2, %tid.x; shl.b32 %r1, %r2, 40;" + tail, "store i32 0"));
  EXPECT_TRUE(lowers_to("mov.u32 %r2, %tid.x; shr.s32 %r1, %r2, 40;" + tail, ", 31\n"));
}

TEST(LowerInstruction, NarrowLoadsExtendAndNarrowStoresTruncate) {
  EXPECT_TRUE(lowers_to("ld.global.u8 %r1, [%rd1]; st.global.u32 [%rd1], %r1;", "zext i8"));
  EXPECT_TRUE(lowers_to("ld.global.s8 %r1, [%rd1]; st.global.u32 [%rd1], %r1;", "sext i8"));
  EXPECT_TRUE(lowers_to("mov.u32 %r1, %tid.x; st.global.u8 [%rd1], %r1;", "trunc i32"));
}

TEST(LowerInstruction, PredicatedPureInstructionsSelect) {
  const std::string body =
      "mov.u32 %r1, %tid.x; setp.eq.s32 %p1, %r1, 0; @!%p1 add.s32 %r1, %r1, 1;"
      "st.global.u32 [%rd1], %r1;";
  EXPECT_TRUE(lowers_to(body, "select i1"));
  EXPECT_FALSE(lowers_to(body, "br i1"));
}

TEST(LowerInstruction, PredicatedStoresBranch) {
  EXPECT_TRUE(
      lowers_to("mov.u32 %r1, %tid.x; setp.eq.s32 %p1, %r1, 0;"
                "@%p1 st.global.u32 [%rd1], %r1;",
                "br i1"));
}

TEST(LowerInstruction, DivisionByConstantsIsPlain) {
  const std::string tail = "st.global.u32 [%rd1], %r1;";
  EXPECT_TRUE(lowers_to("mov.u32 %r2, %tid.x; div.u32 %r1, %r2, 10;" + tail, "udiv i32"));
  EXPECT_TRUE(lowers_to("mov.u32 %r2, %tid.x; rem.s32 %r1, %r2, %r2;" + tail, "@ptx.rem.s32"));
  EXPECT_TRUE(lowers_to("mov.u32 %r2, %tid.x; div.s32 %r1, %r2, 0;" + tail, "@ptx.div.s32"));
}

TEST(LowerInstruction, FlushingWrapsOperandsAndResult) {
  EXPECT_TRUE(
      lowers_to("ld.param.f32 %f1, [x]; add.ftz.f32 %f2, %f1, 0f3F800000;"
                "st.global.f32 [%rd1], %f2;",
                "@ptx.ftz.f32"));
}

TEST(LowerInstruction, DirectedRoundingIsACall) {
  EXPECT_TRUE(
      lowers_to("ld.param.f32 %f1, [x]; fma.rm.f32 %f2, %f1, %f1, %f1;"
                "st.global.f32 [%rd1], %f2;",
                "@ptx.fma.rm.f32"));
}

TEST(LowerInstruction, SharedAddressesAreOffsets) {
  const Lowered lowered = lower_module(R"(
.extern .shared .align 16 .b8 dynamic[];
.visible .entry k() {
  .reg .b32 %r<4>;
  .shared .align 4 .b8 fixed[64];
  mov.u32 %r1, dynamic;
  mov.u32 %r2, %tid.x;
  st.shared.u32 [%r1+8], %r2;
  st.shared.u32 [fixed+4], %r2;
  ret;
})");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("@dynamic = external addrspace(3) global [0 x i8], align 16"),
            std::string::npos);
  EXPECT_NE(lowered.ir.find("@fixed = internal addrspace(3) global [64 x i8] poison, align 4"),
            std::string::npos);
}

TEST(LowerInstruction, LocalArraysBecomePointersAgain) {
  const Lowered lowered = lower_module(R"(
.visible .entry k(.param .u64 a) {
  .local .align 8 .b8 depot[32];
  .reg .b64 %SPL;
  .reg .b64 %rd<9>;
  .reg .b32 %r<4>;
  mov.u64 %SPL, depot;
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd1, %r1, 4;
  add.s64 %rd2, %SPL, %rd1;
  st.local.u32 [%rd2], %r1;
  ld.local.u32 %r2, [%rd2+4];
  ld.param.u64 %rd3, [a];
  st.global.u32 [%rd3], %r2;
  ret;
})");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_EQ(lowered.ir.find("ptrtoint"), std::string::npos) << lowered.ir;
}

TEST(LowerInstruction, VectorAccessesWithOrderingAreOneAccess) {
  EXPECT_TRUE(
      lowers_to("ld.relaxed.gpu.v2.u32 {%r1, %r2}, [%rd1]; add.s32 %r1, %r1, %r2;"
                "st.global.u32 [%rd1], %r1;",
                "load atomic i64"));
  EXPECT_TRUE(lowers_to("st.relaxed.gpu.v2.u64 [%rd1], {%rd2, %rd3};", "store atomic i128"));
}

TEST(LowerFunction, CallsPassScalarsByValueAndAggregatesByPointer) {
  const Lowered lowered = lower_module(R"(
.func (.param .align 8 .b8 r[16]) f(.param .b32 x, .param .align 8 .b8 s[16]) {
  .reg .b32 %r<4>;
  ld.param.u32 %r1, [x];
  ld.param.u32 %r2, [s+4];
  add.s32 %r3, %r1, %r2;
  st.param.b32 [r], %r3;
  ret;
}
.visible .entry k(.param .u64 a) {
  .reg .b32 %r<4>;
  .reg .b64 %rd<4>;
  mov.u32 %r1, %tid.x;
  {
    .param .b32 p0;
    .param .align 8 .b8 p1[16];
    .param .align 8 .b8 q[16];
    st.param.b32 [p0], %r1;
    st.param.b32 [p1+4], %r1;
    call.uni (q), f, (p0, p1);
    ld.param.b32 %r2, [q];
  }
  ld.param.u64 %rd1, [a];
  st.global.u32 [%rd1], %r2;
  ret;
})");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("define internal void @f(ptr %0, i32 %x, ptr %s)"), std::string::npos)
      << lowered.ir;
}

TEST(LowerFunction, IndirectCallsDispatchOnFunctionAddresses) {
  const Lowered lowered = lower_module(R"(
.func (.param .b32 r) f(.param .b32 x);
.func (.param .b32 r) g(.param .b32 x) {
  .reg .b32 %r<2>;
  ld.param.u32 %r1, [x];
  st.param.b32 [r], %r1;
  ret;
}
.func (.param .b32 r) f(.param .b32 x) {
  st.param.b32 [r], 1;
  ret;
}
.global .u64 table[2] = {f, g};
.visible .entry k(.param .u64 a) {
  .reg .b32 %r<4>;
  .reg .b64 %rd<4>;
  ld.global.u64 %rd1, [table+8];
  mov.u32 %r1, %tid.x;
  {
    .param .b32 p0;
    .param .b32 q;
    st.param.b32 [p0], %r1;
    proto: .callprototype (.param .b32 _) _ (.param .b32 _);
    call (q), %rd1, (p0), proto;
    ld.param.b32 %r2, [q];
  }
  ld.param.u64 %rd2, [a];
  st.global.u32 [%rd2], %r2;
  ret;
})");
  ASSERT_TRUE(lowered.status.is_ok()) << lowered.status.message();
  EXPECT_NE(lowered.ir.find("switch i64"), std::string::npos) << lowered.ir;
  EXPECT_NE(lowered.ir.find("i64 4096, label"), std::string::npos) << lowered.ir;  // f: number 0
  EXPECT_NE(lowered.ir.find("i64 4112, label"), std::string::npos) << lowered.ir;  // g: number 1
}

TEST(LowerFunction, LabelsAndRegistersAreScoped) {
  EXPECT_TRUE(lowers_to(R"(
    mov.u32 %r1, 7;
    { .reg .b32 %r<2>; mov.u32 %r1, 8;
      bra again; again: }
    { bra again; again: }
    st.global.u32 [%rd1], %r1;)",
                        "store i32 7"));
}

}  // namespace
}  // namespace guda::device_ir
