#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "compiler/ptx/parser.h"

namespace guda::ptx {
namespace {

std::string error_of(std::string text, bool lazy = false) {
  auto module = parse_module(std::make_shared<const std::string>(std::move(text)), "f.ptx",
                             {.lazy_bodies = lazy});
  if (module) return "";
  EXPECT_EQ(module.status().code(), StatusCode::invalid_ptx);
  return module.status().message();
}

std::string repeat(std::string_view piece, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(ParserErrors, SayFileLineAndColumn) {
  EXPECT_EQ(error_of(".version 8.0\n.target\n  .global"),
            "f.ptx:3:3: expected a target such as sm_90 before '.global'");
  EXPECT_EQ(error_of(".entry k() {\n  add.s32 %r1 %r2;\n}"),
            "f.ptx:2:15: expected ';' before '%r2'");
  EXPECT_EQ(error_of(".entry k() {\n  ret"),
            "f.ptx:2:6: expected an operand before the end of input");
  EXPECT_EQ(error_of(".entry k() {\n ret;\n", true), "f.ptx:1:12: no '}' for this '{'");
  EXPECT_EQ(error_of("/* a"), "f.ptx:1:1: unterminated comment");
  EXPECT_EQ(error_of(".global .align 3 .u32 x;"), "f.ptx:1:9: alignment 3 is not a power of two");
  EXPECT_EQ(error_of(".frobnicate 1"), "f.ptx:1:1: unknown directive '.frobnicate'");
}

TEST(ParserErrors, InABodyParsedOnDemandHaveTheLinesOfTheModule) {
  auto module = parse_module(
      std::make_shared<const std::string>(".entry a() {}\n.entry k()\n{ ret;\n  mov.u32 ,;\n}"),
      "f.ptx", {.lazy_bodies = true});
  ASSERT_TRUE(module);
  const Status status = parse_body(*module, module->functions[1], "f.ptx");
  EXPECT_EQ(status.message(), "f.ptx:4:11: expected a constant before ','");
  EXPECT_TRUE(module->functions[1].body.empty());
}

TEST(ParserErrors, MalformedInputIsRefused) {
  for (const char* text : {".version x",
                           ".version 8",
                           ".file 1",
                           ".section x",
                           ".alias a;",
                           ".entry",
                           ".entry 1",
                           ".entry k(",
                           ".entry k(.param)",
                           ".entry k(.param .u32)",
                           ".func (.param .u32 x",
                           "\xFF",
                           ".entry k() .unknown {}",
                           ".global .u32",
                           ".global u32 x;",
                           ".global .u32 x",
                           "ret;",
                           ".global .u32 x = ;",
                           ".global .u32 x[1] = 5;",
                           ".global .v2 .u32 x = 5;",
                           ".global .u32 x[2] = {1,2,3};",
                           ".global .u32 x = {1,2};",
                           ".global .u32 x[2][2] = {{1,2,3}};",
                           ".global .u32 x = 1/0;",
                           ".global .u32 x = 1%0;",
                           ".global .u32 x = 1.5 << 2;",
                           ".global .u32 x = (.f32)1;",
                           ".global .u32 x = (1;",
                           ".global .u32 x[1.5];",
                           ".global .u8 x = 0(y);",
                           ".global .u8 x = 0xFF(y;",
                           ".global .u32 x[2][4294967296][4294967296] = {1};",
                           ".global .samplerref s = { a };",
                           ".pragma x;",
                           ".reg .b32 %r<;",
                           ".reg .b32 %r<5;",
                           ".entry k() { @ ret; }",
                           ".entry k() { ld.u32 %r1, [; }",
                           ".entry k() { ld.u32 %r1, [%r2; }",
                           ".entry k() { mov %r1, {%r2; }",
                           ".entry k() { mov %a|%b|%c, 1; }",
                           ".entry k() { mov %a|1, 1; }",
                           ".entry k() { add %r1, ; }",
                           ".entry k() { call (%r1; }",
                           ".entry k() { x: .branchtargets ; }",
                           ".entry k() { x: .callprototype }",
                           ".entry k() { .loc 1 }",
                           ".entry k() { .loc 1 2 3, x y }",
                           ".entry k() { ld..u32 %r; }",
                           ".entry k() { } }",
                           ".entry k() { 5; }",
                           ".entry k() { mov.u32 %r1, %r2 + 1.5; }",
                           "@",
                           "@ @",
                           ".visible",
                           ".extern 5",
                           ".address_size",
                           ".entry k() { a[; }"}) {
    EXPECT_NE(error_of(text), "") << text;
  }
}

TEST(ParserErrors, DeepNestingIsRefusedNotOverflowing) {
  constexpr size_t kMany = 200000;
  EXPECT_NE(error_of(".global .u32 x = " + repeat("(", kMany)), "");
  EXPECT_NE(error_of(".global .u32 x = " + repeat("-", kMany)), "");
  EXPECT_NE(error_of(".global .u32 x = " + repeat("(.s64)", kMany)), "");
  EXPECT_NE(error_of(".global .u32 x = " + repeat("1?", kMany)), "");
  EXPECT_NE(error_of(".global .u32 x[1] = " + repeat("{", kMany)), "");
  EXPECT_NE(error_of(".entry k() { mov " + repeat("{", kMany)), "");
  EXPECT_NE(error_of(".entry k() { mov " + repeat("[a,", kMany)), "");
  EXPECT_NE(error_of(".entry k() { mov " + repeat("a|", kMany)), "");
  EXPECT_NE(error_of(".entry k() { call " + repeat("(", kMany)), "");
  EXPECT_NE(error_of(".entry k() { " + repeat("{", kMany)), "");
  EXPECT_NE(error_of(".entry k() { " + repeat("{", kMany), true), "");
  EXPECT_NE(error_of(".section .x { " + repeat("{", kMany)), "");
}

TEST(ParserErrors, AHugeArrayWithFewValuesCostsLittle) {
  EXPECT_NE(error_of(".global .b8 x[2][4000000000] = {{1},{2}};"), "");
  EXPECT_EQ(error_of(".global .b8 x[4000000000][2] = {{1},{2}};"), "");
  EXPECT_EQ(error_of(".entry k() { .reg .b32 %r<4000000000>; }"), "");
}

TEST(ParserErrors, TimeGrowsLinearly) {
  // Quadratic behaviour would take minutes.
  const auto begin = std::chrono::steady_clock::now();
  constexpr size_t kMany = 1000000;
  error_of(repeat("/", kMany * 2));
  error_of(repeat("\"", kMany));
  error_of(".global .u32 x = " + repeat("1+", kMany) + "1;");
  error_of(".global .b8 x[] = {" + repeat("1,", kMany) + "1};");
  error_of(".entry k() {" + repeat("{}", kMany) + "}");
  error_of(repeat(".entry k() {}", kMany / 10), true);
  error_of(".entry k() { mov " + repeat("a,", kMany) + "a; }");
  error_of(".entry k() { mov " + repeat("!!", 40) + "a; }");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

}  // namespace
}  // namespace guda::ptx
