#include "compiler/ptx/printer.h"

#include <gtest/gtest.h>

#include "compiler/ptx/parser.h"

namespace guda::ptx {
namespace {

// --- structural equality, source locations and texts aside -----------------------------------

template <typename T, typename F>
bool all_equal(const std::vector<T>& a, const std::vector<T>& b, F equal) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
}

bool same(const InitialValue& a, const InitialValue& b) {
  return a.kind == b.kind && a.bits == b.bits && a.symbol == b.symbol && a.offset == b.offset &&
         a.generic == b.generic && a.mask == b.mask;
}

bool same(const Variable& a, const Variable& b) {
  return a.space == b.space && a.linkage == b.linkage && a.type == b.type &&
         a.vector_width == b.vector_width && a.alignment == b.alignment && a.name == b.name &&
         a.range == b.range && a.dimensions == b.dimensions && a.managed == b.managed &&
         a.is_pointer == b.is_pointer && a.pointer_space == b.pointer_space &&
         a.pointer_alignment == b.pointer_alignment && a.attributes == b.attributes &&
         all_equal(a.initial, b.initial, [](auto& x, auto& y) { return same(x, y); });
}

bool same(const std::vector<Variable>& a, const std::vector<Variable>& b) {
  return all_equal(a, b, [](auto& x, auto& y) { return same(x, y); });
}

bool same(const Operand& a, const Operand& b) {
  const auto operands = [](const Operand& x, const Operand& y) { return same(x, y); };
  return a.kind == b.kind && a.negated == b.negated && a.is_single == b.is_single &&
         a.is_unsigned == b.is_unsigned && a.name == b.name && a.component == b.component &&
         a.bits == b.bits && a.offset == b.offset && a.address.base == b.address.base &&
         a.address.offset == b.address.offset && a.address.indexed == b.address.indexed &&
         all_equal(a.address.parts, b.address.parts, operands) &&
         all_equal(a.elements, b.elements, operands);
}

bool same(const Instruction& a, const Instruction& b) {
  const bool predicates = a.predicate.has_value() == b.predicate.has_value() &&
                          (!a.predicate || (a.predicate->name == b.predicate->name &&
                                            a.predicate->negated == b.predicate->negated));
  return predicates && a.opcode == b.opcode && a.modifiers == b.modifiers &&
         all_equal(a.operands, b.operands, [](auto& x, auto& y) { return same(x, y); });
}

bool same(const Label& a, const Label& b) { return a.name == b.name; }
bool same(const ScopeBegin&, const ScopeBegin&) { return true; }
bool same(const ScopeEnd&, const ScopeEnd&) { return true; }
bool same(const DebugLocation& a, const DebugLocation& b) {
  return a.file == b.file && a.line == b.line && a.column == b.column;
}
bool same(const TargetList& a, const TargetList& b) {
  return a.name == b.name && a.calls == b.calls && a.targets == b.targets;
}
bool same(const CallPrototype& a, const CallPrototype& b) {
  return a.name == b.name && a.noreturn == b.noreturn && same(a.results, b.results) &&
         same(a.parameters, b.parameters);
}
bool same(const Pragma& a, const Pragma& b) { return a.text == b.text; }

bool same(const Statement& a, const Statement& b) {
  return std::visit(
      [](const auto& x, const auto& y) {
        if constexpr (std::is_same_v<decltype(x), decltype(y)>)
          return same(x, y);
        else
          return false;
      },
      a, b);
}

bool same(const Function& a, const Function& b) {
  return a.name == b.name && a.is_entry == b.is_entry && a.has_body == b.has_body &&
         a.noreturn == b.noreturn && a.linkage == b.linkage && same(a.results, b.results) &&
         same(a.parameters, b.parameters) && a.max_threads == b.max_threads &&
         a.required_threads == b.required_threads &&
         a.min_blocks_per_multiprocessor == b.min_blocks_per_multiprocessor &&
         a.max_registers == b.max_registers && a.required_cluster == b.required_cluster &&
         a.explicit_cluster == b.explicit_cluster && a.max_cluster_rank == b.max_cluster_rank &&
         a.blocks_are_clusters == b.blocks_are_clusters && a.files == b.files &&
         a.body_is_parsed == b.body_is_parsed &&
         all_equal(a.body, b.body, [](auto& x, auto& y) { return same(x, y); });
}

bool same(const Module& a, const Module& b) {
  return a.version_major == b.version_major && a.version_minor == b.version_minor &&
         a.target == b.target && a.target_options == b.target_options &&
         a.address_size == b.address_size && a.files == b.files && a.aliases == b.aliases &&
         same(a.variables, b.variables) &&
         all_equal(a.functions, b.functions, [](auto& x, auto& y) { return same(x, y); });
}

// ---------------------------------------------------------------------------------------------

Module parse(std::string text, bool lazy = false) {
  auto module = parse_module(std::make_shared<const std::string>(std::move(text)), "test.ptx",
                             {.lazy_bodies = lazy});
  EXPECT_TRUE(module) << module.status().message();
  return module ? std::move(*module) : Module{};
}

constexpr const char* kModule = R"(
.version 8.8
.target sm_90a, debug
.address_size 64
.file 1 "a.cu"
.extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);
.extern .shared .align 16 .b8 dyn[];
.visible .global .attribute(.managed) .align 4 .u32 mg = 7;
.const .align 8 .b8 table[5] = {1, 2, 0xFF, -1};
.global .u64 pointers[4] = {generic(mg)+4, vprintf, mg-8, 0};
.global .b8 bytes[2] = {0xFF(mg), 0xFF00(generic(mg)+1)};
.global .f32 floats[2][2] = {{1.5}, {0f7FA00000, -2}};
.global .v4 .f32 vec = {1.0, 2.0, 3.0, 4.0};
.global .s64 lowest = -9223372036854775807-1;
.global .samplerref s = { addr_mode_0 = wrap, filter_mode = nearest, x = 1 };
.weak .func (.param .align 4 .b8 r[8]) f(.param .b32 x) .noreturn;
.alias g, f;
.visible .entry k(.param .u64 .ptr .global .align 8 p, .param .align 8 .b8 q[16])
.maxntid 256, 1, 1 .minnctapersm 2 .maxnreg 40 .explicitcluster .reqnctapercluster 2
{
  .reg .b32 %r<5>, %x;
  .reg .pred %p<3>;
  .local .align 16 .b8 depot[32];
  .loc 1 4 2
  ld.param.u64 %rd1, [p];
  mov.u32 %r1, %ctaid.x;
  @%p1 st.global.v2.f32 [%rd1+-8], {%f1, 0f3F800000};
  setp.lt.and.f32 %p1|%p2, %f1, 0d3FF0000000000000, !%p3;
  shfl.sync.bfly.b32 _|%p1, %r1, -4, 0x1fU, 0xffffffffffffffff;
  tex.2d.v4.f32.s32 {%f1, _, %f2, %f3}, [%rd1+16, %rd2, {%r1, 3}];
  ld.global.u32 %r1, a[3];
  ld.global.u32 %r1, a[%r1+3];
  ld.shared.u32 %r1, [128];
  add.s64 %rd1, %rd2, -9223372036854775807-1;
  mov.u64 %rd1, dyn+24;
  vadd.u32.u32.u32.sat %r1, %r2.b0, -%r3.h1;
  .pragma "nounroll";
  {
    .param .b64 param0;
    p0: .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[16]) .noreturn;
    p1: .callprototype _ ();
    call.uni (r), vprintf, (param0, param1);
    call (r), %rd5, (param0), p0;
    call f;
    call g, ();
  }
  $t: .branchtargets $L1, $L2;
  $c: .calltargets f, g;
  @!%p1 brx.idx %r1, $t;
$L1:
$L2:
  ret;
}
.entry nothing() {}
)";

TEST(Printer, PrintedModuleParsesToTheSameTree) {
  const Module original = parse(kModule);
  ASSERT_EQ(original.functions.size(), 4u);
  const std::string text = print_module(original);
  const Module again = parse(text);
  EXPECT_TRUE(same(original, again)) << text;
  EXPECT_EQ(print_module(again), text);
}

TEST(Printer, AnUnparsedBodyIsCopied) {
  const Module original = parse(".entry k() { ret; // }\n}", true);
  const Module again = parse(print_module(original));
  EXPECT_TRUE(same(parse(".entry k() { ret; }"), again));
}

TEST(Printer, FilesNamedInABodyStayThere) {
  for (const char* text : {".entry k() {\n.file 2 \"b.h\"\n}\n.file 1 \"a.cu\"\n",
                           ".entry k() {\n.file 2 \"b.h\"\nret;\n}\n.file 1 \"a.cu\"\n"}) {
    const Module original = parse(text);
    EXPECT_EQ(original.files.size(), 1u);
    EXPECT_EQ(original.functions.at(0).files.size(), 1u);
    const std::string printed = print_module(original);
    EXPECT_TRUE(same(original, parse(printed))) << printed;
    Module lazy = parse(text, true);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(parse_body(lazy, lazy.functions.at(0), "test.ptx"));
    EXPECT_EQ(print_module(lazy), printed);
  }
}

TEST(Printer, RenamesReachDeclarationsAndUses) {
  const Module m = parse(
      ".global .u32 x;\n.global .u64 y = generic(x);\n.func f() { ret; }\n"
      ".entry k() { mov.u64 %rd1, x+4; ld.global.u32 %r1, [x]; call f; c: .calltargets f; }\n");
  const std::unordered_map<std::string_view, std::string> renames = {{"x", "x$1"}, {"f", "f$1"}};
  const std::string text = print_module(m, {.renames = &renames});
  const Module expected = parse(
      ".global .u32 x$1;\n.global .u64 y = generic(x$1);\n.func f$1() { ret; }\n"
      ".entry k() { mov.u64 %rd1, x$1+4; ld.global.u32 %r1, [x$1]; call f$1;"
      " c: .calltargets f$1; }\n");
  Module again = parse(text);
  again.version_major = again.version_minor = 0;
  EXPECT_TRUE(same(expected, again)) << text;
}

}  // namespace
}  // namespace guda::ptx
