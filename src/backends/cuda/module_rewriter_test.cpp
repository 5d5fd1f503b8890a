#include "backends/cuda/module_rewriter.h"

#include "compiler/ptx/parser.h"
#include "compiler/ptx/printer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace guda::backend::cuda {
namespace {

ptx::Module parse(const std::string& body) {
  auto text =
      std::make_shared<const std::string>(".version 8.0\n.target sm_80\n.address_size 64\n" + body);
  auto module = ptx::parse_module(text, "test");
  EXPECT_TRUE(module) << module.status().message();
  return std::move(*module);
}

std::string placed(const std::string& body, const std::vector<Variable>& variables) {
  ptx::Module module = parse(body);
  Status status = place_variables(module, variables);
  EXPECT_TRUE(status) << status.message();
  std::string text = ptx::print_module(module, {.renames = nullptr, .line_information = false});
  // What is printed is PTX again.
  auto again = ptx::parse_module(std::make_shared<const std::string>(text), "printed");
  EXPECT_TRUE(again) << again.status().message() << text;
  return text;
}

Variable variable(const char* name, uint64_t address, bool constant = false) {
  return {name, reinterpret_cast<void*>(address), 64, constant};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(PlaceVariables, AccessesGoThroughARegisterWithTheAddress) {
  std::string text = placed(
      ".global .u32 x[4] = {1, 2, 3, 4};\n"
      ".entry k() { .reg .u32 %r; .reg .pred %p;\n"
      "@%p ld.global.u32 %r, [x+8]; atom.global.add.u32 %r, [x], 1; ret; }",
      {variable("x", 0x10000200000)});
  EXPECT_FALSE(contains(text, "x[4]")) << text;
  EXPECT_TRUE(contains(text,
                       "mov.b64 %guda_variable0, 1099513724928;\n"
                       "@%p ld.global.u32 %r, [%guda_variable0+8];"))
      << text;
  EXPECT_TRUE(contains(text, "atom.global.add.u32 %r, [%guda_variable0], 1;")) << text;
  EXPECT_TRUE(contains(text, ".reg .b64 %guda_variable<4>;")) << text;
}

TEST(PlaceVariables, TakenAddressesAreConstants) {
  std::string text = placed(
      ".global .align 8 .b8 x[64];\n"
      ".entry k() { .reg .b64 %rd<3>;\n"
      "mov.u64 %rd0, x; cvta.global.u64 %rd1, x+4; cvta.global.u64 %rd2, %rd0; ret; }",
      {variable("x", 4096)});
  EXPECT_TRUE(contains(text, "mov.u64 %rd0, 4096;")) << text;
  EXPECT_TRUE(contains(text, "mov.b64 %rd1, 4100;")) << text;
  EXPECT_TRUE(contains(text, "cvta.global.u64 %rd2, %rd0;")) << "another address stays as it is";
  EXPECT_FALSE(contains(text, "%guda_variable")) << "no registers where none are needed";
}

TEST(PlaceVariables, ConstantsAreReadThroughTheReadOnlyPath) {
  std::string text = placed(
      ".const .f32 f[4];\n"
      ".entry k() { .reg .b64 %rd<4>; .reg .f32 %f<5>;\n"
      "ld.const.f32 %f0, [f+4]; mov.u64 %rd0, f; ld.const.v4.f32 {%f1,%f2,%f3,%f4}, [%rd0];\n"
      "cvta.const.u64 %rd1, %rd0; cvta.to.const.u64 %rd2, %rd1; ret; }",
      {variable("f", 8192, true)});
  EXPECT_FALSE(contains(text, "const")) << text;
  EXPECT_TRUE(contains(text, "ld.global.nc.f32 %f0, [%guda_variable0+4];")) << text;
  EXPECT_TRUE(contains(text, "ld.global.nc.v4.f32 {%f1, %f2, %f3, %f4}, [%rd0];")) << text;
  EXPECT_TRUE(contains(text, "mov.b64 %rd1, %rd0;")) << text;
  EXPECT_TRUE(contains(text, "mov.b64 %rd2, %rd1;")) << text;
}

TEST(PlaceVariables, OtherVariablesStayAndPointToPlacedOnes) {
  std::string text = placed(
      ".global .u32 x; .global .u64 p = x; .const .u32 c = 3; .shared .u32 s;\n"
      ".entry k() { .reg .u32 %r; ld.const.u32 %r, [c]; ld.shared.u32 %r, [s]; ret; }",
      {variable("x", 12288)});
  EXPECT_TRUE(contains(text, ".global .u64 p = 12288;")) << text;
  EXPECT_TRUE(contains(text, "ld.const.u32 %r, [c];")) << text;
  EXPECT_TRUE(contains(text, ".shared .u32 s;")) << text;
}

TEST(PlaceVariables, NamesInsideFunctionsHideThem) {
  std::string text = placed(
      ".global .u32 x;\n"
      ".entry k(.param .u32 x) { .reg .u32 %r; ld.param.u32 %r, [x]; ret; }\n"
      ".entry l() { .reg .u32 %r; ld.global.u32 %r, [x]; ret; }",
      {variable("x", 4096)});
  EXPECT_TRUE(contains(text, "ld.param.u32 %r, [x];")) << text;
  EXPECT_TRUE(contains(text, "ld.global.u32 %r, [%guda_variable0];")) << text;
}

TEST(PlaceVariables, SomeConstantsWithoutAddressesAreRefused) {
  ptx::Module module = parse(".const .u32 a; .const .u32 b; .entry k() { ret; }");
  std::vector<Variable> variables = {variable("a", 4096, true)};
  EXPECT_EQ(place_variables(module, variables).code(), StatusCode::not_supported);
}

TEST(KeepOnly, LeavesAKernelAndWhatItReaches) {
  ptx::Module module = parse(
      ".func leaf() { ret; }\n.func other() { ret; }\n.func pointed() { ret; }\n"
      ".func middle() { .reg .b64 %rd; call leaf; mov.u64 %rd, pointed; ret; }\n"
      ".entry wanted() { call middle; ret; }\n.entry unwanted() { call other; ret; }");
  ASSERT_TRUE(keep_only(module, "wanted"));
  std::vector<std::string_view> left;
  left.reserve(module.functions.size());
  for (auto& function : module.functions) left.push_back(function.name);
  EXPECT_EQ(left, (std::vector<std::string_view>{"leaf", "pointed", "middle", "wanted"}));
  EXPECT_EQ(keep_only(module, "unwanted").code(), StatusCode::not_found);
}

TEST(KeepOnly, KernelsThatShareANativeVariableStayTogether) {
  ptx::Module module = parse(".global .u32 x; .shared .u32 s; .entry k() { ret; }");
  std::vector<Variable> variables = {variable("x", 4096)};
  EXPECT_TRUE(kernels_may_part(module, variables));
  EXPECT_FALSE(kernels_may_part(module, {}));
}

TEST(Refusal, FollowsCallsButNotOtherKernels) {
  const std::string text =
      ".global .texref image;\n"
      ".func textured() { .reg .b32 %r<2>; .reg .f32 %f<5>;\n"
      "tex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [image, {%r1}]; ret; }\n"
      ".func by_handle() { .reg .b64 %t; .reg .b32 %r<6>;\n"
      "suld.b.1d.b32.trap %r1, [%t, {%r2}]; ret; }\n"
      ".entry objects() { call by_handle; ret; }\n"
      ".func middle() { call textured; ret; }\n"
      ".entry plain() { ret; }\n.entry reaches() { call middle; ret; }";
  ptx::Module module = parse(text);
  EXPECT_EQ(refusal(module, "plain", {}), "");
  EXPECT_EQ(refusal(module, "objects", {}), "");
  EXPECT_EQ(refusal(module, "reaches", {}), "textured uses the texture reference image");
}

TEST(Refusal, TablesOfFunctionsBelongToOneEngine) {
  ptx::Module module = parse(
      ".func f() { ret; }\n.global .u64 table[2] = {f, f};\n"
      ".entry uses() { .reg .b64 %rd; ld.global.u64 %rd, [table]; ret; }\n.entry plain() { ret; }");
  std::vector<Variable> variables = {variable("table", 4096)};
  EXPECT_NE(refusal(module, "uses", variables), "");
  EXPECT_EQ(refusal(module, "uses", {}), "") << "a native table holds native addresses";
  EXPECT_EQ(refusal(module, "plain", variables), "");
}

}  // namespace
}  // namespace guda::backend::cuda
