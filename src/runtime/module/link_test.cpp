#include "runtime/module/link.h"

#include <gtest/gtest.h>

#include <vector>

#include "compiler/ptx/parser.h"
#include "runtime/module/test_support.h"

namespace guda::runtime {
namespace {

using namespace testing;

const std::string kHeader = ".version 8.0\n.target sm_75\n.address_size 64\n";

const std::string kCaller = kHeader + R"(
.extern .func (.param .b32 r) helper(.param .b32 a);
.extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);
.visible .global .align 4 .u32 counter = 3;
.visible .global .align 8 .u64 pc = generic(remote);
.extern .global .align 4 .u32 remote;
.global .align 1 .b8 $str[3] = {104, 105};
.extern .shared .align 4 .b8 smem[];
.weak .func twice() { ret; }
.file 1 "a.cu"
.visible .entry first(.param .u64 p)
{
	.reg .b64 %rd<3>;
	.loc 1 10 3
	mov.u64 %rd1, $str;  // $str in a comment
	.loc	1 12 7, function_name $L__info_string0, inlined_at 1 11 2
	call.uni helper, ();
	ret;
}
.section .debug_str { .b8 1, 2 }
)";

const std::string kCallee = ".version 9.0\n.target sm_90a\n.address_size 64\n" + std::string(R"(
.extern .global .align 4 .u32 counter;
.visible .global .align 4 .u32 remote = 9;
.global .align 1 .b8 $str[3] = {104, 111};
.extern .shared .align 16 .b8 smem[];
.weak .func twice() { ret; }
.file 1 "b.cu"
.file 2 "c.h"
.visible .func (.param .b32 r) helper(.param .b32 a)
{
	.reg .b64 %rd<3>;
	.loc 2 20 3
	mov.u64 %rd1, $str;
	call.uni twice, ();
	ret;
}
)");

ptx::Module parse(const std::string& text) {
  auto module = ptx::parse_module(std::make_shared<const std::string>(text), "linked");
  EXPECT_TRUE(module) << module.status().message() << "\n" << text;
  return module ? std::move(*module) : ptx::Module{};
}

size_t occurrences(const std::string& text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(Link, ResolvesRenamesAndMerges) {
  const auto linked = link_ptx(std::vector{kCaller, kCallee}, "app");
  ASSERT_TRUE(linked) << linked.status().message();
  const ptx::Module module = parse(*linked);
  EXPECT_EQ(module.version_major, 9u);
  EXPECT_EQ(module.target, "sm_90a");
  EXPECT_TRUE(module.find_function("helper")->has_body);
  EXPECT_FALSE(module.find_function("vprintf")->has_body);
  EXPECT_EQ(module.find_variable("counter")->linkage, ptx::Linkage::visible);
  EXPECT_EQ(module.find_variable("smem")->alignment, 16u);
  EXPECT_EQ(occurrences(*linked, ".weak .func twice() { ret; }"), 1u);
  EXPECT_EQ(occurrences(*linked, ".address_size"), 1u);
  EXPECT_EQ(occurrences(*linked, ".debug_str"), 0u);
  // Both strings live on, under names of their own.
  EXPECT_EQ(occurrences(*linked, "$str$u0["), 1u);
  EXPECT_EQ(occurrences(*linked, "$str$u1["), 1u);
  EXPECT_EQ(occurrences(*linked, "mov.u64 %rd1, $str$u0;"), 1u);
  EXPECT_EQ(occurrences(*linked, "mov.u64 %rd1, $str$u1;"), 1u);
  EXPECT_EQ(module.files.size(), 3u);
}

TEST(Link, FileNumbersStayTiedToTheirFiles) {
  const ptx::Module module = parse(*link_ptx(std::vector{kCaller, kCallee}, "app"));
  const auto file_of_line = [&](std::string_view function, uint32_t line) -> std::string_view {
    for (const ptx::Statement& statement : module.find_function(function)->body) {
      const auto* location = std::get_if<ptx::DebugLocation>(&statement);
      if (location == nullptr || location->line != line) continue;
      for (const auto& [index, name] : module.files) {
        if (index == location->file) return name;
      }
    }
    return "";
  };
  EXPECT_EQ(file_of_line("first", 10), "a.cu");
  EXPECT_EQ(file_of_line("helper", 20), "c.h");
}

TEST(Link, OrderOfTheUnitsDoesNotMatter) {
  EXPECT_EQ(*link_ptx(std::vector{kCaller, kCallee}, "x"),
            *link_ptx(std::vector{kCallee, kCaller, kCallee}, "y"));
}

TEST(Link, OneUnitIsReturnedAsItIs) {
  EXPECT_EQ(*link_ptx(std::vector{kCaller}, "x"), kCaller);
  EXPECT_EQ(*link_ptx(std::vector{kCaller, kCaller}, "x"), kCaller);
}

TEST(Link, TwoStrongDefinitionsAreAnErrorThatNamesTheSymbol) {
  const std::string a = kHeader + ".visible .func both() { ret; }\n";
  const std::string b = kHeader + "// other\n.visible .func both() { ret; }\n";
  const auto linked = link_ptx(std::vector{a, b}, "app");
  EXPECT_EQ(linked.status().code(), StatusCode::invalid_ptx);
  EXPECT_NE(linked.status().message().find("both"), std::string::npos);
}

TEST(Link, StrongDefinitionBeatsWeakAndLargestCommonWins) {
  const std::string a = kHeader + ".weak .global .u32 w = 1;\n.common .global .align 4 .b8 c[8];\n";
  const std::string b =
      kHeader + ".visible .global .u32 w = 2;\n.common .global .align 4 .b8 c[64];\n";
  for (const auto& units : {std::vector{a, b}, std::vector{b, a}}) {
    const ptx::Module module = parse(*link_ptx(units, "x"));
    EXPECT_EQ(module.variables.size(), 2u);
    EXPECT_EQ(module.find_variable("w")->initial.at(0).bits, 2u);
    EXPECT_EQ(module.find_variable("c")->size_in_bytes(), 64u);
  }
}

TEST(Link, GarbageIsInvalidPtx) {
  for (const char* text : {"hello", ".func", ".visible .func f() {", ".version", ".target 3",
                           ".global .u32 a = {1", ".file 1", "/* open", ".section .x {", "\x01"}) {
    EXPECT_EQ(link_ptx(std::vector<std::string>{kCaller, text}, "x").status().code(),
              StatusCode::invalid_ptx)
        << text;
  }
}

TEST(Link, LinkedModuleOfAVersionTwoWrapperLoads) {
  HeapStorage storage;
  const std::string a = make_container({{.payload = kCaller, .options = {}}});
  const std::string b = make_container({{.payload = kCallee, .options = {}}});
  const std::string sass = make_container({{.kind = 2, .payload = "elf", .options = {}}});
  const void* const list[] = {a.data(), b.data(), nullptr};
  const WrapperSpec wrapper{.version = 2, .data = sass.data(), .prelinked = list};
  auto module = Module::from_wrapper(&wrapper, storage);
  Kernel* kernel = module->register_kernel(&storage, "first");
  ASSERT_TRUE(kernel->layout());
  const auto pc = module->find_variable("pc");
  const auto remote = module->find_variable("remote");
  ASSERT_TRUE(pc && remote);
  void* pointer;
  std::memcpy(&pointer, pc->address, sizeof pointer);
  EXPECT_EQ(pointer, remote->address);
  EXPECT_EQ(*static_cast<int*>(pointer), 9);
}

}  // namespace
}  // namespace guda::runtime
