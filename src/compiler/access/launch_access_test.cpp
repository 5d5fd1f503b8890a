// From PTX to verdicts: each rung of the ladder and each refusal, and the sets of bytes of launches and slices.
#include "compiler/access/launch_access.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "compiler/access/reduction.h"
#include "compiler/access/symbolic_form.h"
#include "compiler/driver/compiler_api.h"

namespace guda::access {
namespace {

/// i = %r1 = ctaid.x * ntid.x + tid.x; a = %rd1, b = %rd2, n = %r2; %rd3 = a + 4 * i, %rd4 = b + 4 * i.
AccessSummary summary_of(const std::string& body, const std::string& before = {}) {
  const std::string ptx = R"(
.version 8.0
.target sm_75
.address_size 64
)" + before + R"(
.visible .entry k(.param .u64 pa, .param .u64 pb, .param .u32 pn) {
  .reg .pred %p<8>;
  .reg .b32 %r<32>;
  .reg .b64 %rd<32>;
  .reg .f32 %f<8>;
  ld.param.u64 %rd1, [pa];
  cvta.to.global.u64 %rd1, %rd1;
  ld.param.u64 %rd2, [pb];
  cvta.to.global.u64 %rd2, %rd2;
  ld.param.u32 %r2, [pn];
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r5, %tid.x;
  mad.lo.s32 %r1, %r3, %r4, %r5;
  mul.wide.s32 %rd10, %r1, 4;
  add.s64 %rd3, %rd1, %rd10;
  add.s64 %rd4, %rd2, %rd10;
)" + body + "\n$done:\n  ret;\n}\n";
  const std::string path = ::testing::TempDir() + "guda_access_" + std::to_string(getpid());
  GudaCompileRequest request = {};
  request.struct_size = sizeof request;
  request.ptx = ptx.data();
  request.ptx_size = ptx.size();
  request.module_name = "test.ptx";
  request.kernel = "k";
  request.output_path = path.c_str();
  GudaCompileResult result = {};
  EXPECT_EQ(guda_analyze_kernel(&request, &result), 0) << result.message;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  unlink(path.c_str());
  auto summary = deserialize(std::as_bytes(std::span(bytes.data(), bytes.size())));
  EXPECT_TRUE(summary) << summary.status().message();
  return summary ? *summary : AccessSummary{};
}

struct Params {
  uint64_t a = 0x100000, b = 0x200000;
  uint32_t n = 1000;
};

/// Two allocations of 64 KiB, where Params points.
ByteRange find(uint64_t address) {
  for (const uint64_t base : {0x100000, 0x200000})
    if (address >= base && address < base + 0x10000) return {base, base + 0x10000};
  return {};
}

class Launched {
 public:
  Launched(const std::string& body, kernel::Dim3 grid, Params params = {},
           const std::string& before = {}, bool cooperative = false)
      : params_(params), evaluator_(summary_of(body, before)) {
    arguments_.params = std::as_bytes(std::span(&params_, 1));
    arguments_.grid = grid;
    arguments_.block = {256, 1, 1};
    arguments_.cooperative = cooperative;
    if (!evaluator_.summary().variables.empty()) arguments_.variables = variables_;
    access = evaluator_.evaluate(arguments_, find);
  }
  SliceAccess slice(uint32_t first, uint32_t count) {
    return evaluator_.slice(arguments_, find, *access, first, count);
  }
  Rung static_rung() const { return static_verdict(evaluator_.summary()).rung; }
  AccessEvaluator& evaluator() { return evaluator_; }
  LaunchArguments& arguments() { return arguments_; }
  Params& params() { return params_; }

  std::shared_ptr<const LaunchAccess> access;

 private:
  Params params_;
  AccessEvaluator evaluator_;
  LaunchArguments arguments_;
  void* variables_[2] = {reinterpret_cast<void*>(0x200000), reinterpret_cast<void*>(0x200100)};
};

void expect_refused(const Launched& launched, std::string_view reason) {
  EXPECT_EQ(launched.access->rung, Rung::refused);
  EXPECT_NE(launched.access->reason.find(reason), std::string::npos) << launched.access->reason;
}

constexpr const char* kGuard = "setp.ge.s32 %p1, %r1, %r2; @%p1 bra $done;\n";
constexpr const char* kCopy = "ld.global.f32 %f1, [%rd3]; st.global.f32 [%rd4], %f1;\n";

// --- what may be split ------------------------------------------------------------------------------

TEST(LaunchAccess, ElementwiseKernelsAreProvenDisjoint) {
  Launched launched(std::string(kGuard) + kCopy, {4, 1, 1});
  EXPECT_EQ(launched.static_rung(), Rung::disjoint);
  EXPECT_EQ(launched.access->rung, Rung::disjoint) << launched.access->reason;
  ASSERT_EQ(launched.access->reads.size(), 1u);
  EXPECT_EQ(launched.access->reads[0].hull(), (ByteRange{0x100000, 0x100000 + 4000}));
  ASSERT_EQ(launched.access->writes.size(), 1u);
  EXPECT_EQ(launched.access->writes[0].hull(), (ByteRange{0x200000, 0x200000 + 4000}))
      << "the guard ends at n, not at the grid's end";
  const SliceAccess slice = launched.slice(1, 2);
  ASSERT_EQ(slice.writes.size(), 1u);
  EXPECT_EQ(slice.writes[0].hull(), (ByteRange{0x200000 + 1024, 0x200000 + 3072}));
  EXPECT_EQ(slice.reads[0].hull(), (ByteRange{0x100000 + 1024, 0x100000 + 3072}));
}

TEST(LaunchAccess, UpdatesInPlaceMayBeSplit) {
  Launched launched("ld.global.f32 %f1, [%rd3]; add.f32 %f1, %f1, %f1; st.global.f32 [%rd3], %f1;",
                    {8, 1, 1});
  EXPECT_EQ(launched.access->rung, Rung::disjoint) << launched.access->reason;
}

constexpr const char* kGridStride = R"(
  setp.ge.s32 %p1, %r1, %r2;
  @%p1 bra $done;
  mov.u32 %r6, %nctaid.x;
  mul.lo.s32 %r7, %r6, %r4;
$loop:
  mul.wide.s32 %rd11, %r1, 4;
  add.s64 %rd12, %rd1, %rd11;
  add.s64 %rd13, %rd2, %rd11;
  ld.global.f32 %f1, [%rd12];
  st.global.f32 [%rd13], %f1;
  add.s32 %r1, %r1, %r7;
  setp.lt.s32 %p2, %r1, %r2;
  @%p2 bra $loop;
)";

TEST(LaunchAccess, LoopsOverTheGridWriteWindowsThatRepeat) {
  Launched launched(kGridStride, {2, 1, 1}, {.n = 2000});
  EXPECT_EQ(launched.static_rung(), Rung::disjoint);
  EXPECT_EQ(launched.access->rung, Rung::disjoint) << launched.access->reason;
  EXPECT_EQ(launched.access->writes[0].hull(), (ByteRange{0x200000, 0x200000 + 8000}));
  const SliceAccess slice = launched.slice(1, 1);
  ASSERT_EQ(slice.writes.size(), 1u);
  EXPECT_EQ(slice.writes[0].begin, 0x200000u + 1024);
  EXPECT_EQ(slice.writes[0].window, 1024u);
  EXPECT_EQ(slice.writes[0].stride, 2048u);
  EXPECT_EQ(slice.writes[0].end, 0x200000u + 8000);
  EXPECT_EQ(slice.writes[0].pieces(), 4u);
  std::vector<ByteRange> ranges;
  slice.writes[0].append_ranges(ranges);
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[3], (ByteRange{0x200000 + 7168, 0x200000 + 8000}));
}

/// Row ctaid.y of n elements each.
constexpr const char* kRows = R"(
  mov.u32 %r6, %ctaid.y;
  setp.ge.s32 %p1, %r1, %r2;
  @%p1 bra $done;
  mad.lo.s32 %r7, %r6, %r2, %r1;
  mul.wide.s32 %rd11, %r7, 4;
  add.s64 %rd12, %rd2, %rd11;
  st.global.u32 [%rd12], %r1;
)";

TEST(LaunchAccess, RowsAreDisjointWhenTheArgumentsSaySo) {
  Launched launched(kRows, {2, 10, 1}, {.n = 300});
  EXPECT_EQ(launched.static_rung(), Rung::bounds);
  EXPECT_EQ(launched.access->rung, Rung::bounds) << launched.access->reason;
  EXPECT_EQ(launched.access->axis, 1);
  EXPECT_EQ(launched.slice(3, 2).writes[0].hull(),
            (ByteRange{0x200000 + 3 * 1200, 0x200000 + 5 * 1200}));
}

TEST(LaunchAccess, RowsWithoutAGuardMayOverlap) {
  std::string body = kRows;
  body.replace(body.find("  setp"), body.find("  mad") - body.find("  setp"), "");
  expect_refused(Launched(body, {2, 10, 1}, {.n = 300}), "neighbouring blocks");
  Launched wide(body, {2, 10, 1}, {.n = 512});
  EXPECT_EQ(wide.access->rung, Rung::bounds) << wide.access->reason;
}

/// Row ctaid.x of n elements, by 256 threads, as nvcc unrolls it: a remainder of up to three rounds, then four in each
/// iteration.
constexpr const char* kUnrolledRow = R"(
  setp.ge.s32 %p1, %r5, %r2;
  @%p1 bra $done;
  mul.wide.s32 %rd11, %r3, %r2;
  not.b32 %r6, %r5;
  add.s32 %r7, %r6, %r2;
  shr.u32 %r8, %r7, 8;
  add.s32 %r9, %r8, 1;
  and.b32 %r10, %r9, 3;
  setp.eq.s32 %p2, %r10, 0;
  @%p2 bra $main;
  cvt.s64.s32 %rd12, %r5;
  add.s64 %rd13, %rd11, %rd12;
  shl.b64 %rd14, %rd13, 2;
  add.s64 %rd15, %rd2, %rd14;
$remainder:
  st.global.u32 [%rd15], %r5;
  add.s32 %r5, %r5, 256;
  add.s64 %rd15, %rd15, 1024;
  add.s32 %r10, %r10, -1;
  setp.ne.s32 %p3, %r10, 0;
  @%p3 bra $remainder;
$main:
  setp.lt.u32 %p4, %r7, 768;
  @%p4 bra $done;
  cvt.s64.s32 %rd16, %r5;
  add.s64 %rd17, %rd11, %rd16;
  shl.b64 %rd18, %rd17, 2;
  add.s64 %rd19, %rd2, %rd18;
$loop:
  st.global.u32 [%rd19], %r5;
  st.global.u32 [%rd19+1024], %r5;
  st.global.u32 [%rd19+2048], %r5;
  st.global.u32 [%rd19+3072], %r5;
  add.s64 %rd19, %rd19, 4096;
  add.s32 %r5, %r5, 1024;
  setp.lt.s32 %p5, %r5, %r2;
  @%p5 bra $loop;
)";

TEST(LaunchAccess, RowsWrittenByUnrolledLoopsEndWhereTheSourcesLoopDoes) {
  for (const uint32_t n : {1u, 100u, 256u, 257u, 700u, 1000u, 1024u, 1025u, 1500u}) {
    SCOPED_TRACE(n);
    Launched launched(kUnrolledRow, {8, 1, 1}, {.n = n});
    EXPECT_EQ(launched.static_rung(), Rung::bounds);
    ASSERT_EQ(launched.access->rung, Rung::bounds) << launched.access->reason;
    ByteRange hull{~uint64_t{0}, 0};
    for (const ByteSet& set : launched.slice(3, 2).writes) {
      hull.begin = std::min(hull.begin, set.begin);
      hull.end = std::max(hull.end, set.end);
      EXPECT_FALSE(set.complete);
    }
    EXPECT_EQ(hull, (ByteRange{0x200000 + 12 * uint64_t{n}, 0x200000 + 20 * uint64_t{n}}));
  }
}

TEST(LaunchAccess, WhatOnlyLooksLikeAnUnrolledLoopIsNotTakenForOne) {
  const struct {
    const char* text;
    const char* other;
  } kCases[] = {
      {"and.b32 %r10, %r9, 3;", "and.b32 %r10, %r9, 1;"},
      {"and.b32 %r10, %r9, 3;", "and.b32 %r10, %r9, 7;"},
      {"add.s32 %r9, %r8, 1;", "add.s32 %r9, %r8, 2;"},
      {"add.s32 %r7, %r6, %r2;", "add.s32 %r7, %r6, 5000;"},
      {"setp.eq.s32 %p2, %r10, 0;", "setp.eq.s32 %p2, %r10, 1;"},
      {"setp.lt.u32 %p4, %r7, 768;", "setp.lt.u32 %p4, %r7, 512;"},
      {"setp.ge.s32 %p1, %r5, %r2;", "setp.ge.s32 %p1, %r4, %r2;"},
      {"add.s32 %r5, %r5, 256;", "add.s32 %r5, %r5, 255;"},
      {"add.s32 %r10, %r10, -1;", "add.s32 %r10, %r10, -2;"},
      {"setp.lt.s32 %p5, %r5, %r2;", "setp.le.s32 %p5, %r5, %r2;"},
      {"shr.u32 %r8, %r7, 8;", "shr.u32 %r8, %r7, 7;"},
  };
  for (const auto& one : kCases) {
    SCOPED_TRACE(one.other);
    std::string body = kUnrolledRow;
    body.replace(body.find(one.text), std::strlen(one.text), one.other);
    Launched launched(body, {8, 1, 1}, {.n = 1500});
    EXPECT_EQ(launched.access->rung, Rung::refused);
  }
}

TEST(LaunchAccess, IntegerSumsOfBlocksAreReductions) {
  Launched launched(R"(
    ld.global.u32 %r6, [%rd3];
    and.b32 %r6, %r6, 255;
    mul.wide.u32 %rd11, %r6, 4;
    add.s64 %rd12, %rd2, %rd11;
    red.global.add.u32 [%rd12], 1;
  )",
                    {8, 1, 1});
  EXPECT_EQ(launched.static_rung(), Rung::reduction);
  EXPECT_EQ(launched.access->rung, Rung::reduction) << launched.access->reason;
  ASSERT_EQ(launched.access->reductions.size(), 1u);
  const Reduction& reduction = launched.access->reductions[0];
  EXPECT_EQ(reduction.range, (ByteRange{0x200000, 0x200000 + 1024}));
  EXPECT_EQ(reduction.combine, Combine::add);
  EXPECT_EQ(reduction.element_bytes, 4u);
  EXPECT_TRUE(launched.slice(0, 4).writes.empty()) << "reductions are not part of slices' sets";
}

TEST(LaunchAccess, IncrementsWithoutABoundAreAdditions) {
  const Launched launched("red.global.inc.u32 [%rd2], 0xffffffff;", {4, 1, 1});
  ASSERT_EQ(launched.access->rung, Rung::reduction) << launched.access->reason;
  EXPECT_EQ(launched.access->reductions[0].combine, Combine::add);
  expect_refused(Launched("red.global.inc.u32 [%rd2], 99;", {4, 1, 1}), "old value");
  expect_refused(Launched("red.global.inc.u32 [%rd2], %r2;", {4, 1, 1}), "old value");
}

TEST(LaunchAccess, ReductionsConsistOfWholeElements) {
  // Bounds know nothing of alignment: up to 1001 + 8 bytes.
  const Launched launched(R"(
    ld.global.u32 %r6, [%rd3];
    min.u32 %r6, %r6, 1001;
    cvt.u64.u32 %rd11, %r6;
    add.s64 %rd12, %rd2, %rd11;
    cvt.u64.u32 %rd13, %r1;
    red.global.max.u64 [%rd12], %rd13;
  )",
                          {8, 1, 1}, {.b = 0x200000});
  ASSERT_EQ(launched.access->rung, Rung::reduction) << launched.access->reason;
  EXPECT_EQ(launched.access->reductions[0].range, (ByteRange{0x200000, 0x200000 + 1008}));
  EXPECT_EQ(launched.access->reductions[0].element_bytes, 8u);
}

TEST(LaunchAccess, DataDependentReadsStayInTheirAllocation) {
  Launched launched(R"(
    ld.global.u32 %r6, [%rd4];
    mul.wide.u32 %rd11, %r6, 4;
    add.s64 %rd12, %rd1, %rd11;
    ld.global.f32 %f1, [%rd12];
    st.global.f32 [%rd4], %f1;
  )",
                    {8, 1, 1});
  EXPECT_EQ(launched.access->rung, Rung::disjoint) << launched.access->reason;
  EXPECT_EQ(launched.access->reads[0].hull(), (ByteRange{0x100000, 0x110000}));
}

TEST(LaunchAccess, ModuleVariablesAreKnownByName) {
  Launched launched(R"(
    ld.global.f32 %f1, [factor];
    st.global.f32 [%rd3], %f1;
  )",
                    {8, 1, 1}, {}, ".global .f32 factor;\n");
  ASSERT_EQ(launched.evaluator().summary().variables, std::vector<std::string>{"factor"});
  EXPECT_TRUE(launched.access->splittable()) << launched.access->reason;
  EXPECT_EQ(launched.access->reads[0].hull(), (ByteRange{0x200000, 0x200004}));
}

TEST(LaunchAccess, AWarpForEachRowWritesDisjointRows) {
  Launched launched(R"(
    shr.u32 %r6, %r1, 5;
    setp.ge.u32 %p1, %r6, %r2;
    @%p1 bra $done;
    mul.wide.u32 %rd11, %r6, 4;
    add.s64 %rd12, %rd2, %rd11;
    st.global.u32 [%rd12], %r6;
  )",
                    {16, 1, 1}, {.n = 100});
  EXPECT_EQ(launched.access->rung, Rung::bounds) << launched.access->reason;
  EXPECT_EQ(launched.slice(2, 3).writes[0].hull(), (ByteRange{0x200000 + 64, 0x200000 + 160}));
}

// --- writes to the last byte -------------------------------------------------------------------------

bool writes_all(const std::string& body, Params params = {}, kernel::Dim3 grid = {4, 1, 1}) {
  SCOPED_TRACE(body);
  Launched launched(body, grid, params);
  EXPECT_TRUE(launched.access->splittable()) << launched.access->reason;
  const SliceAccess slice = launched.slice(1, 2);
  EXPECT_EQ(slice.writes.size(), 1u);
  EXPECT_EQ(launched.access->writes[0].complete, slice.writes[0].complete);
  return slice.writes.size() == 1 && slice.writes[0].complete;
}

TEST(LaunchAccess, SaysWhichWritesLeaveNothingOut) {
  EXPECT_TRUE(writes_all("st.global.u32 [%rd4], %r1;"));
  EXPECT_TRUE(writes_all(std::string(kGuard) + "st.global.u32 [%rd4], %r1;", {.n = 700}));
  EXPECT_TRUE(writes_all(kGridStride, {.n = 5000}));
  EXPECT_TRUE(writes_all(kRows, {.n = 300}, {2, 10, 1}));
}

TEST(LaunchAccess, ConditionsThatTheAddressDoesNotShowLeaveHoles) {
  const std::string store = "st.global.u32 [%rd4], %r1;";
  const std::string choices[] = {
      // On data, on a hole, on part of the index, on a parameter alone.
      "ld.global.u32 %r6, [%rd3]; setp.eq.u32 %p1, %r6, 0; @%p1 bra $done;\n" + store,
      "setp.eq.s32 %p1, %r1, 600; @%p1 bra $done;\n" + store,
      "and.b32 %r6, %r1, 1; setp.eq.u32 %p1, %r6, 0; @%p1 bra $done;\n" + store,
      "setp.eq.u32 %p1, %r2, 3; @%p1 bra $done;\n" + store,
      // One condition of two.
      "setp.ge.s32 %p1, %r1, %r2; ld.global.u32 %r6, [%rd3]; setp.eq.u32 %p2, %r6, 0;\n"
      "or.pred %p3, %p1, %p2; @%p3 bra $done;\n" +
          store,
      // Every second word.
      "mul.wide.s32 %rd11, %r1, 8; add.s64 %rd12, %rd2, %rd11; st.global.u32 [%rd12], %r1;",
  };
  for (const std::string& body : choices) {
    SCOPED_TRACE(body);
    EXPECT_FALSE(writes_all(body, {.n = 1000}));
  }
}

TEST(LaunchAccess, LoopsThatEndEarlyLeaveHoles) {
  std::string body = kGridStride;
  body.replace(body.find("  @%p2 bra $loop;"), 17,
               "  setp.gt.f32 %p3, %f1, 0f00000000; and.pred %p4, %p2, %p3; @%p4 bra $loop;");
  EXPECT_FALSE(writes_all(body, {.n = 5000}));
}

// --- what may not ------------------------------------------------------------------------------------

TEST(LaunchAccess, AliasesOfTheArgumentsAreFound) {
  // b = a + 1 element: block 1 reads what block 0 writes.
  Params shifted;
  shifted.b = shifted.a + 4;
  expect_refused(Launched(std::string(kGuard) + kCopy, {4, 1, 1}, shifted), "neighbouring blocks");
  Params same;
  same.b = same.a;
  EXPECT_TRUE(Launched(std::string(kGuard) + kCopy, {4, 1, 1}, same).access->splittable());
}

TEST(LaunchAccess, NeighboursThatReadEachOthersResultsAreNotSplit) {
  expect_refused(Launched("ld.global.f32 %f1, [%rd3+4]; st.global.f32 [%rd3], %f1;", {4, 1, 1}),
                 "neighbouring blocks");
  expect_refused(Launched("ld.global.f32 %f1, [%rd1]; st.global.f32 [%rd3], %f1;", {4, 1, 1}),
                 "every block reads");
}

TEST(LaunchAccess, OneResultOfAllBlocksIsNotSplit) {
  expect_refused(Launched("st.global.u32 [%rd2], %r1;", {4, 1, 1}), "blocks write the same memory");
  expect_refused(Launched("and.b32 %r6, %r1, 1023; mul.wide.u32 %rd11, %r6, 4;\n"
                          "add.s64 %rd12, %rd2, %rd11; st.global.u32 [%rd12], %r1;",
                          {8, 1, 1}),
                 "not linear");
}

TEST(LaunchAccess, WrappingIndicesAreNotTrusted) {
  // 2^23 blocks of 256: the signed index wraps.
  expect_refused(Launched("st.global.u32 [%rd4], %r1;", {1u << 24, 1, 1}), "not linear");
}

TEST(LaunchAccess, ReductionsMixedWithOtherAccessesAreNotSplit) {
  expect_refused(Launched("red.global.add.u32 [%rd2], 1; ld.global.u32 %r6, [%rd2];\n"
                          "st.global.u32 [%rd3], %r6;",
                          {4, 1, 1}),
                 "blocks write the same memory");
  expect_refused(
      Launched("red.global.add.u32 [%rd2], 1; red.global.max.u32 [%rd2], %r1;", {4, 1, 1}),
      "blocks write the same memory");
}

TEST(LaunchAccess, WhatNoArgumentsCanAllow) {
  const struct {
    const char* body;
    const char* reason;
  } kCases[] = {
      {"atom.global.add.u32 %r6, [%rd2], 1; st.global.u32 [%rd3], %r6;", "old value"},
      {"atom.global.cas.b32 %r6, [%rd2], 0, 1;", "old value"},
      {"atom.global.exch.b32 %r6, [%rd2], %r1;", "old value"},
      {"red.global.sys.add.u32 [%rd2], 1;", "system scope"},
      {"red.global.add.f32 [%rd2], 0f3F800000;", "floating-point"},
      {"st.volatile.global.u32 [%rd3], %r1;", "volatile"},
      {"ld.acquire.gpu.global.u32 %r6, [%rd2]; st.global.u32 [%rd3], %r6;", "volatile"},
      {"mov.u32 %r6, %envreg2; st.global.u32 [%rd3], %r6;", "synchronises the grid"},
      {"mov.u32 %r6, %clock; st.global.u32 [%rd3], %r6;", "clocks"},
      {"mov.u32 %r6, %smid; st.global.u32 [%rd3], %r6;", "multiprocessor"},
      {"ld.global.u64 %rd11, [%rd1]; st.global.u32 [%rd11], %r1;", "follows pointers"},
  };
  for (const auto& one : kCases) {
    SCOPED_TRACE(one.body);
    const Launched launched(one.body, {4, 1, 1});
    expect_refused(launched, one.reason);
    EXPECT_EQ(launched.static_rung(), Rung::refused);
  }
}

TEST(LaunchAccess, AddressesThatAreGivenAway) {
  const std::string table = ".visible .global .align 8 .b8 table[64];\n";
  const std::string print =
      ".extern .func (.param .b32 q) vprintf(.param .b64 f, .param .b64 v);\n";
  const std::string used =
      "st.global.u32 [%rd3], %r1; st.global.u32 [%rd4], %r1;";  // both are pointers
  const struct {
    std::string body, before;
    bool expected;
  } kCases[] = {
      {used + "st.global.u64 [%rd4], %rd3;", {}, true},
      {used + "st.shared.u64 [slot], %rd1;", ".shared .align 8 .b64 slot;\n", true},
      {used + "atom.global.exch.b64 %rd11, [%rd4], %rd1;", {}, true},
      {used + "atom.global.cas.b64 %rd11, [%rd4], 0, %rd3;", {}, true},
      {used + "cvt.u32.u64 %r6, %rd3; st.global.u32 [%rd4], %r6;", {}, true},
      {used + "shr.u64 %rd11, %rd3, 4; st.global.u64 [%rd4], %rd11;", {}, true},
      {used + "st.global.v2.u64 [%rd4], {%rd10, %rd3};", {}, true},
      {used +
           "setp.lt.s32 %p1, %r1, 4; selp.b64 %rd11, %rd1, %rd2, %p1; st.global.u64 [%rd4], %rd11;",
       {},
       true},
      {used + "sub.s64 %rd11, %rd3, %rd2; st.global.u64 [%rd4], %rd11;", {}, true},
      {"mov.u64 %rd11, table; st.global.u64 [%rd4], %rd11;", table, true},
      {used + "mov.u64 %rd11, table; { .param .b64 f; .param .b64 v; .param .b32 q; .local .b64 s;"
              " .reg .b64 %a; mov.u64 %a, s; st.local.u64 [%a], %rd3; cvta.local.u64 %a, %a;"
              " st.param.b64 [f], %rd11; st.param.b64 [v], %a; call.uni (q), vprintf, (f, v); }",
       table + print, true},
      // A loop turns the difference of two pointers into one of them.
      {used + "mov.u64 %rd11, 0; $again: add.s64 %rd12, %rd11, %rd1; sub.s64 %rd11, %rd3, %rd11;"
              " setp.lt.s64 %p1, %rd12, 100; @%p1 bra $again; st.global.u64 [%rd4], %rd11;",
       {},
       true},
      {used, {}, false},
      {used + kCopy, {}, false},
      {"mov.u64 %rd11, table; st.global.u64 [%rd11], %rd10;", table, false},
      {used + "sub.s64 %rd11, %rd3, %rd1; st.global.u64 [%rd4], %rd11;", {}, false},
      {used + "and.b64 %rd11, %rd3, 15; st.global.u64 [%rd4], %rd11;", {}, false},
      {used + "setp.eq.s64 %p1, %rd1, 0; selp.u32 %r6, 1, 0, %p1; st.global.u32 [%rd4], %r6;",
       {},
       false},
      // Not used as an address, so no device changes it.
      {"st.global.u64 [%rd4], %rd1;", {}, false},
  };
  for (const auto& one : kCases) {
    SCOPED_TRACE(one.body);
    EXPECT_EQ((summary_of(one.body, one.before).flags & kGivesAddressesAway) != 0, one.expected);
  }
}

TEST(LaunchAccess, CallsIntoTheRuntime) {
  const std::string call = R"(
    { .param .b64 q; .param .b64 s; st.param.b64 [s], %rd1;
    call.uni (q), malloc, (s); ld.param.b64 %rd11, [q]; }
    st.global.u64 [%rd4], %rd11;
  )";
  expect_refused(
      Launched(call, {4, 1, 1}, {}, ".extern .func (.param .b64 q) malloc(.param .b64 s);\n"),
      "device malloc");
  const std::string print = R"(
    { .param .b64 f; .param .b64 v; .param .b32 q; st.param.b64 [f], %rd1; st.param.b64 [v], %rd1;
    call.uni (q), vprintf, (f, v); }
  )";
  expect_refused(Launched(print, {4, 1, 1}, {},
                          ".extern .func (.param .b32 q) vprintf(.param .b64 f, .param .b64 v);\n"),
                 "printf");
}

TEST(LaunchAccess, LaunchesThatAreWholeByNature) {
  expect_refused(Launched(kCopy, {1, 1, 1}), "one block");
  expect_refused(Launched(kCopy, {4, 1, 1}, {}, {}, true), "cooperative");
}

TEST(LaunchAccess, MemoryThatNobodyAllocated) {
  Params params;
  params.a = 0x900000;
  expect_refused(Launched("ld.global.u32 %r6, [%rd4]; mul.wide.u32 %rd11, %r6, 4;\n"
                          "add.s64 %rd12, %rd1, %rd11; st.global.u32 [%rd12], %r1;",
                          {4, 1, 1}, params),
                 "blocks write the same memory");
}

// --- the rest -----------------------------------------------------------------------------------------

TEST(LaunchAccess, EvaluationsAreRemembered) {
  Launched launched(std::string(kGuard) + kCopy, {4, 1, 1});
  EXPECT_EQ(launched.evaluator().evaluate(launched.arguments(), find), launched.access);
  launched.params().n = 500;
  const auto other = launched.evaluator().evaluate(launched.arguments(), find);
  EXPECT_NE(other, launched.access);
  EXPECT_EQ(other->writes[0].hull(), (ByteRange{0x200000, 0x200000 + 2000}));
  ++launched.arguments().generation;
  EXPECT_NE(launched.evaluator().evaluate(launched.arguments(), find), other);
}

TEST(AccessSummary, SurvivesSerialization) {
  const AccessSummary summary = summary_of(kGridStride);
  const std::string bytes = serialize(summary);
  const auto view = std::as_bytes(std::span(bytes.data(), bytes.size()));
  const auto again = deserialize(view);
  ASSERT_TRUE(again) << again.status().message();
  EXPECT_EQ(*again, summary);
  EXPECT_EQ(summary.pointers, (std::vector<uint32_t>{0, 8}));
  EXPECT_EQ(summary.counts.loads, 1u);
  EXPECT_EQ(summary.counts.loops, 1u);
  // No prefix and no flipped byte is taken for something that would be out of range.
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(deserialize(view.first(size)));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    const auto result = deserialize(std::as_bytes(std::span(damaged.data(), damaged.size())));
    if (!result) continue;
    Params params;
    LaunchArguments arguments;
    arguments.params = std::as_bytes(std::span(&params, 1));
    arguments.grid = {4, 1, 1};
    arguments.block = {256, 1, 1};
    AccessEvaluator(*result).evaluate(arguments, find);
  }
}

TEST(AccessSummary, IsDescribedInSymbols) {
  const AccessSummary summary = summary_of(std::string(kGuard) + "st.global.u32 [%rd4], %r1;");
  ASSERT_EQ(summary.accesses.size(), 1u);
  const std::string text = describe(summary, summary.accesses[0],
                                    [](uint32_t offset) { return "p" + std::to_string(offset); });
  EXPECT_NE(text.find("p8"), std::string::npos) << text;
  EXPECT_NE(text.find("4*ntid.x*ctaid.x"), std::string::npos) << text;
  EXPECT_NE(text.find("< p16"), std::string::npos) << text;
}

TEST(Reduction, CopiesStartWithTheIdentityAndAreCombined) {
  const struct {
    Combine combine;
    int32_t a, b, result;
  } kCases[] = {
      {Combine::add, 2000000000, 2000000000, -294967296},
      {Combine::minimum_signed, -5, 3, -5},
      {Combine::maximum_signed, -5, 3, 3},
      {Combine::minimum_unsigned, -5, 3, 3},
      {Combine::maximum_unsigned, -5, 3, -5},
      {Combine::bit_and, 12, 10, 8},
      {Combine::bit_or, 12, 10, 14},
      {Combine::bit_xor, 12, 10, 6},
  };
  for (const auto& one : kCases) {
    const Reduction reduction{{0, 8}, one.combine, 4};
    int32_t into[2] = {one.a, one.a}, copy[2];
    fill_identity(reduction, std::as_writable_bytes(std::span(copy)));
    combine(reduction, std::as_writable_bytes(std::span(into)),
            reinterpret_cast<const std::byte*>(copy));
    EXPECT_EQ(into[1], one.a) << "the identity changes nothing";
    copy[0] = copy[1] = one.b;
    combine(reduction, std::as_writable_bytes(std::span(into)),
            reinterpret_cast<const std::byte*>(copy));
    EXPECT_EQ(into[0], one.result);
    EXPECT_EQ(into[1], one.result);
  }
}

TEST(Reduction, AnIdentityIsOneWordWhereItCanBe) {
  EXPECT_EQ(identity_word({{}, Combine::add, 8}), 0u);
  EXPECT_EQ(identity_word({{}, Combine::bit_and, 8}), ~0u);
  EXPECT_EQ(identity_word({{}, Combine::minimum_unsigned, 8}), ~0u);
  EXPECT_EQ(identity_word({{}, Combine::minimum_signed, 4}), 0x7fffffffu);
  EXPECT_EQ(identity_word({{}, Combine::maximum_signed, 4}), 0x80000000u);
  EXPECT_EQ(identity_word({{}, Combine::minimum_signed, 8}), std::nullopt);
  EXPECT_EQ(identity_word({{}, Combine::maximum_signed, 8}), std::nullopt);
}

}  // namespace
}  // namespace guda::access
