#include "compiler/ptx/check.h"

#include <gtest/gtest.h>

namespace guda::ptx {
namespace {

constexpr const char* kHeader = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Problems of a kernel with `body` as "line: text", separated by "|"; the body starts in line 7.
std::string problems(const std::string& body, const std::string& rest = {},
                     const CheckOptions& options = {}) {
  const std::string text = kHeader +
                           std::string(
                               ".visible .entry k(.param .u64 p)\n{\n"
                               " .reg .u64 %rd<3>; .reg .u32 %r<4>; .reg .pred %p<2>;\n") +
                           body + "\n ret;\n}\n" + rest;
  std::string all;
  for (const Problem& problem : check_text(text, options)) {
    all += (all.empty() ? "" : "|") + std::to_string(problem.line) + ": " + problem.text;
  }
  return all;
}

TEST(Check, SoundTextHasNoProblems) {
  EXPECT_EQ(
      problems(R"(
    ld.param.u64 %rd1, [p];
    mov.u32 %r0, %tid.x;
    mov.u32 %r3, %envreg2;
    mov.u64 %rd2, table+8;
    setp.eq.u32 %p0|%p1, %r0, WARP_SZ;
    @!%p1 bra $L1;
    { .reg .u32 %r1, inner; mov.u32 inner, %r1; bra DONE; DONE: }
    { DONE: bra DONE; }
    ts: .branchtargets $L1, $L2;
    brx.idx %r1, ts;
    $L1: ld.global.v2.u32 {%r1, _}, [table];
    { .param .b64 retval0; .param .b32 param0; st.param.b32 [param0+0], %r1;
      call.uni (retval0), malloc, (param0); ld.param.b64 %rd1, [retval0+0]; }
    call later;
    wgmma.fence.sync.aligned;
    $L2:)",
               ".global .u32 table[4];\n.extern .func (.param .b64 r) malloc(.param .b64 n);\n"
               ".func later() { ret; }\n"),
      "");
}

TEST(Check, UnknownInstructionsAreNamed) {
  EXPECT_EQ(problems("frobnicate.u32 %r1, 1;"),
            "7: Not a name of any known instruction: 'frobnicate' in 'frobnicate.u32 %r1, 1'");
}

TEST(Check, UndeclaredNamesAreNamed) {
  EXPECT_EQ(problems("mov.u32 %r4, 1;"), "7: Unknown symbol '%r4' in 'mov.u32 %r4, 1'");
  EXPECT_EQ(problems("mov.u32 %r01, 1;"), "7: Unknown symbol '%r01' in 'mov.u32 %r01, 1'");
  EXPECT_EQ(problems("mov.u32 %r, 1;"), "7: Unknown symbol '%r' in 'mov.u32 %r, 1'");
  EXPECT_EQ(problems("@%q bra $L;\n$L:"), "7: Unknown symbol '%q' in '@%q bra $L'");
  EXPECT_EQ(problems("mov.u32 %r1, %nosuch;"),
            "7: Unknown symbol '%nosuch' in 'mov.u32 %r1, %nosuch'");
  EXPECT_EQ(problems("ld.global.u32 %r1, [nowhere+4];"),
            "7: Unknown symbol 'nowhere' in 'ld.global.u32 %r1, [nowhere+4]'");
  EXPECT_EQ(problems("ld.param.u64 %rd1, [q];"),
            "7: Unknown symbol 'q' in 'ld.param.u64 %rd1, [q]'");
  EXPECT_EQ(problems("bra $L1;"), "7: Unknown symbol '$L1' in 'bra $L1'");
  EXPECT_EQ(problems("call nowhere;"), "7: Unknown symbol 'nowhere' in 'call nowhere'");
}

TEST(Check, NamesEndWithTheirScope) {
  EXPECT_EQ(problems("{ .reg .u32 x; mov.u32 x, 1; }\nmov.u32 %r1, x;"),
            "8: Unknown symbol 'x' in 'mov.u32 %r1, x'");
  EXPECT_EQ(problems("{ $L: }\nbra $L;"), "8: Unknown symbol '$L' in 'bra $L'");
  EXPECT_EQ(problems("bra $L9;", ".entry k2() {\n$L9: ret; }\n"),
            "7: Unknown symbol '$L9' in 'bra $L9'");
}

TEST(Check, NothingIsDefinedTwice) {
  EXPECT_EQ(problems("$L1:\n$L1:"), "8: Duplicate definition of label '$L1'");
  EXPECT_EQ(problems(".reg .u32 x;\n.reg .u32 x;"), "8: Duplicate definition of variable 'x'");
}

TEST(Check, FunctionsThatNobodyCallsAreChecked) {
  EXPECT_EQ(problems("", ".func unused()\n{\n bra $L;\n}\n"),
            "12: Unknown symbol '$L' in 'bra $L'");
}

TEST(Check, AllProblemsComeInOrder) {
  EXPECT_EQ(problems("mov.u32 %r9, 1;\nbra $L;\nfrobnicate;"),
            "7: Unknown symbol '%r9' in 'mov.u32 %r9, 1'|8: Unknown symbol '$L' in 'bra $L'|"
            "9: Not a name of any known instruction: 'frobnicate' in 'frobnicate'");
}

TEST(Check, FunctionsMissingFromACompleteTextAreProblems) {
  const char* rest = ".extern .func elsewhere();\n";
  EXPECT_EQ(problems("call elsewhere;", rest), "0: Unresolved extern function 'elsewhere'");
  EXPECT_EQ(problems("call elsewhere;", rest, {.complete = false}), "");
  EXPECT_EQ(problems("", rest), "");
}

TEST(Check, GrammarErrorsKeepTheirLine) {
  EXPECT_EQ(problems("mov.u32 %r1, 1"), "8: expected ';' before 'ret'");
}

TEST(Check, ReportsAsStatusAndAsLog) {
  const auto found = check_text(std::string(kHeader) + ".entry k() {\n frob;\n}\n");
  EXPECT_EQ(status_of(found, "f.ptx").message(),
            "f.ptx:5: Not a name of any known instruction: 'frob' in 'frob'");
  EXPECT_EQ(status_of(found, "f.ptx").code(), StatusCode::invalid_ptx);
  EXPECT_EQ(
      log_of(found),
      "application ptx input, line 5; error   : Not a name of any known instruction: 'frob' in "
      "'frob'\n");
  EXPECT_TRUE(status_of({}, "f.ptx").is_ok());
  EXPECT_EQ(log_of({}), "");
}

}  // namespace
}  // namespace guda::ptx
