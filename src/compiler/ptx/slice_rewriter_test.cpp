#include "compiler/ptx/slice_rewriter.h"

#include <gtest/gtest.h>

#include <memory>

#include "compiler/ptx/parser.h"

namespace guda::ptx {
namespace {

Result<std::string> rewrite(const std::string& body, std::string_view kernel = {}) {
  auto source =
      std::make_shared<const std::string>(".version 8.0\n.target sm_75\n.address_size 64\n" + body);
  auto module = parse_module(source, "test.ptx", {.lazy_bodies = true});
  if (!module) return module.status();
  return add_slice_parameters(*module, kernel, "test.ptx");
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kTwoKernels = R"(
.visible .entry first(.param .u64 p, .param .u8 q) {
  .reg .b32 %r<4>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %nctaid.y;
  ret;
}
.visible .entry second() {
  ret;
}
)";

TEST(SliceRewriter, KernelSeesItsPlaceInTheWholeGrid) {
  const auto text = rewrite(kTwoKernels);
  ASSERT_TRUE(text) << text.status().message();
  EXPECT_TRUE(contains(*text, "mov.u32 %r1, %guda_ctaid_x;")) << *text;
  EXPECT_TRUE(contains(*text, "mov.u32 %r2, %guda_nctaid_y;"));
  EXPECT_TRUE(contains(*text, "mov.u32 %guda_own_x, %ctaid.x;"));
  EXPECT_TRUE(contains(*text, "add.u32 %guda_ctaid_x, %guda_ctaid_x, %guda_own_x;"));
  EXPECT_TRUE(contains(*text, "ld.param.u32 %guda_nctaid_y, [guda_grid_y];"));
  EXPECT_FALSE(contains(*text, "guda_ctaid_z")) << "only what is used costs instructions";
  // It parses again, with the hidden parameters where the caller puts them.
  auto source = std::make_shared<const std::string>(*text);
  const auto again = parse_module(source, "again.ptx");
  ASSERT_TRUE(again) << again.status().message();
  const Function* kernel = again->find_function("first");
  ASSERT_NE(kernel, nullptr);
  ASSERT_EQ(kernel->parameters.size(), 8u);
  EXPECT_EQ(kernel->parameters[2].name, "guda_first_x");
  EXPECT_EQ(kernel->parameters[7].name, "guda_grid_z");
  EXPECT_EQ(slice_parameter_offset(9), 12u);
  EXPECT_EQ(again->find_function("second")->parameters.size(), 6u);
}

TEST(SliceRewriter, OneKernelAlone) {
  const auto text = rewrite(kTwoKernels, "first");
  ASSERT_TRUE(text) << text.status().message();
  EXPECT_FALSE(contains(*text, "second"));
  EXPECT_EQ(rewrite(kTwoKernels, "third").status().code(), StatusCode::not_found);
}

TEST(SliceRewriter, DeviceFunctionsFindTheBlockInSharedMemory) {
  const auto text = rewrite(R"(
.func (.param .b32 r) where() {
  .reg .b32 %r<2>;
  mov.u32 %r1, %ctaid.y;
  st.param.b32 [r], %r1;
  ret;
}
.visible .entry k() {
  .reg .b32 %r<2>;
  {
  .param .b32 r;
  call.uni (r), where, ();
  ld.param.b32 %r1, [r];
  }
  ret;
}
)");
  ASSERT_TRUE(text) << text.status().message();
  EXPECT_TRUE(contains(*text, ".shared .u32 guda_slice_blocks[6];")) << *text;
  EXPECT_TRUE(contains(*text, "st.shared.u32 [guda_slice_blocks+4], %guda_ctaid_y;"));
  EXPECT_TRUE(contains(*text, "ld.shared.u32 %guda_ctaid_y, [guda_slice_blocks+4];"));
  EXPECT_TRUE(contains(*text, "mov.u32 %r1, %guda_ctaid_y;"));
}

TEST(SliceRewriter, HalfOfABlockIndex) {
  const auto text = rewrite(R"(
.visible .entry k() {
  .reg .b16 %s<2>;
  mov.u16 %s1, %ctaid.x;
  ret;
}
)");
  ASSERT_TRUE(text) << text.status().message();
  EXPECT_TRUE(contains(*text, "cvt.u16.u32 %s1, %guda_ctaid_x;")) << *text;
}

TEST(SliceRewriter, RefusesWhatItWouldBreak) {
  EXPECT_EQ(rewrite(".visible .entry k() { .reg .b32 %r<2>; mov.u32 %r1, %clusterid.x; ret; }")
                .status()
                .code(),
            StatusCode::not_supported);
  EXPECT_EQ(rewrite(".visible .entry k() .reqnctapercluster 2 { ret; }").status().code(),
            StatusCode::not_supported);
  EXPECT_EQ(rewrite(".visible .entry k(.param .b8 big[4090]) { ret; }").status().code(),
            StatusCode::not_supported);
  EXPECT_EQ(rewrite(".visible .entry k() { mov.u32 %r1, [; }").status().code(),
            StatusCode::invalid_ptx);
}

}  // namespace
}  // namespace guda::ptx
