#include "compiler/ptx/parser.h"

#include <gtest/gtest.h>

#include <bit>

namespace guda::ptx {
namespace {

Module parse(std::string text, bool lazy = false) {
  auto module = parse_module(std::make_shared<const std::string>(std::move(text)), "test.ptx",
                             {.lazy_bodies = lazy});
  EXPECT_TRUE(module) << module.status().message();
  return module ? std::move(*module) : Module{};
}

/// The statements of a kernel with this body.
Module parse_in_kernel(const std::string& body) { return parse(".entry k() {\n" + body + "\n}\n"); }

const Instruction& instruction(const Module& module, size_t index) {
  return std::get<Instruction>(module.functions.at(0).body.at(index));
}

const Variable& variable(const Module& module, size_t index = 0) {
  return module.variables.at(index);
}

TEST(Parser, HeaderAndFiles) {
  const Module m = parse(
      ".version 8.10\n.target sm_90a, texmode_independent, debug\n.address_size 64\n"
      ".file 1 \"/a b/c.cu\", 123, 456\n.file 2 \"d.h\"\n.pragma \"x\";\n");
  EXPECT_EQ(m.version_major, 8u);
  EXPECT_EQ(m.version_minor, 10u);
  EXPECT_EQ(m.target, "sm_90a");
  ASSERT_EQ(m.target_options.size(), 2u);
  EXPECT_EQ(m.target_options[1], "debug");
  ASSERT_EQ(m.files.size(), 2u);
  EXPECT_EQ(m.files[0].first, 1u);
  EXPECT_EQ(m.files[0].second, "/a b/c.cu");
}

TEST(Parser, DebugSectionsAreSkipped) {
  const Module m = parse(
      ".section .debug_str\n{\n$L__info_string0:\n.b8 1, 2\n .b32 .debug_abbrev\n}\n"
      "@@DWARF .byte 1\n.global .u32 x;\n.section .debug_loc { { } }");
  EXPECT_EQ(m.variables.size(), 1u);
}

TEST(Parser, KernelWithParametersAndTuningDirectives) {
  const Module m = parse(
      ".visible .entry _Z1kPf(\n .param .u64 .ptr .global .align 16 p,\n .param .align 8 .b8 "
      "s[24],\n"
      ".param .u64 .ptr q) .maxntid 256, 2 .reqntid 32 .minnctapersm 2 .maxnreg 64 \n"
      ".explicitcluster .reqnctapercluster 2,1,1 .maxclusterrank 8 .blocksareclusters\n{ ret; }");
  const Function& f = m.functions.at(0);
  EXPECT_TRUE(f.is_entry);
  EXPECT_TRUE(f.has_body);
  EXPECT_EQ(f.linkage, Linkage::visible);
  EXPECT_EQ(f.name, "_Z1kPf");
  ASSERT_EQ(f.parameters.size(), 3u);
  EXPECT_TRUE(f.parameters[0].is_pointer);
  EXPECT_EQ(f.parameters[0].pointer_space, StateSpace::global);
  EXPECT_EQ(f.parameters[0].pointer_alignment, 16u);
  EXPECT_EQ(f.parameters[0].alignment, 0u);
  EXPECT_EQ(f.parameters[1].alignment, 8u);
  EXPECT_EQ(f.parameters[1].size_in_bytes(), 24u);
  EXPECT_TRUE(f.parameters[2].is_pointer);
  EXPECT_EQ(f.parameters[2].pointer_space, StateSpace::none);
  EXPECT_EQ(f.max_threads, (std::array<uint32_t, 3>{256, 2, 1}));
  EXPECT_EQ(f.required_threads, (std::array<uint32_t, 3>{32, 1, 1}));
  EXPECT_EQ(f.required_cluster, (std::array<uint32_t, 3>{2, 1, 1}));
  EXPECT_EQ(f.min_blocks_per_multiprocessor, 2u);
  EXPECT_EQ(f.max_registers, 64u);
  EXPECT_EQ(f.max_cluster_rank, 8u);
  EXPECT_TRUE(f.explicit_cluster);
  EXPECT_TRUE(f.blocks_are_clusters);
}

TEST(Parser, DeviceFunctions) {
  const Module m = parse(
      ".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n"
      ".extern .func stop() .noreturn;\n"
      ".weak .func (.reg .b32 %r) g(.reg .b32 %a) .abi_preserve 8 .unified { ret; }\n"
      ".func .attribute(.unified(0x1, 0x2)) h;\n"
      ".alias b, g;\n");
  ASSERT_EQ(m.functions.size(), 4u);
  EXPECT_FALSE(m.functions[0].has_body);
  EXPECT_EQ(m.functions[0].linkage, Linkage::external);
  EXPECT_EQ(m.functions[0].results.at(0).name, "r");
  EXPECT_EQ(m.functions[0].parameters.size(), 2u);
  EXPECT_TRUE(m.functions[1].noreturn);
  EXPECT_EQ(m.functions[2].linkage, Linkage::weak);
  EXPECT_EQ(m.functions[2].results.at(0).space, StateSpace::reg);
  ASSERT_EQ(m.aliases.size(), 1u);
  EXPECT_EQ(m.aliases[0].first, "b");
  EXPECT_EQ(m.aliases[0].second, "g");
}

TEST(Parser, ModuleVariables) {
  const Module m = parse(
      ".visible .global .attribute(.managed) .align 4 .u32 mg;\n"
      ".extern .shared .align 16 .b8 dyn[];\n"
      ".const .align 4 .b8 table[16];\n"
      ".global .v4 .f32 v[2][3];\n"
      ".common .global .u32 c;\n"
      ".const[3] .u32 old;\n");
  ASSERT_EQ(m.variables.size(), 6u);
  EXPECT_TRUE(m.variables[0].managed);
  EXPECT_EQ(m.variables[0].alignment, 4u);
  EXPECT_EQ(m.variables[1].space, StateSpace::shared);
  EXPECT_EQ(m.variables[1].linkage, Linkage::external);
  EXPECT_EQ(m.variables[1].dimensions, std::vector<uint64_t>{0});
  EXPECT_EQ(m.variables[2].space, StateSpace::constant);
  EXPECT_EQ(m.variables[3].size_in_bytes(), 96u);
  EXPECT_EQ(m.variables[4].linkage, Linkage::common);
}

TEST(Parser, InitialisersOfNumbers) {
  const Module m = parse(".global .b8 x[4] = {1, -2, 0xFF};");
  ASSERT_EQ(variable(m).initial.size(), 3u);
  EXPECT_EQ(variable(m).initial[1].bits, static_cast<uint64_t>(-2));
}

TEST(Parser, InitialisersOfFloats) {
  const Module m = parse(".global .f32 x[4] = {0f3F800000, -1.5, 0f7FA00000, 2};");
  const auto& initial = variable(m).initial;
  ASSERT_EQ(initial.size(), 4u);
  EXPECT_EQ(initial[0].kind, InitialValue::Kind::floating);
  EXPECT_EQ(std::bit_cast<double>(initial[0].bits), 1.0);
  EXPECT_EQ(std::bit_cast<double>(initial[1].bits), -1.5);
  EXPECT_EQ(initial[2].bits, 0x7FF4000000000000u);  // a signalling NaN keeps its payload
  EXPECT_EQ(initial[3].kind, InitialValue::Kind::integer);
}

TEST(Parser, InitialisersOfAddresses) {
  const Module m = parse(
      ".global .u64 p[5] = {a, b+8, generic(c), generic(d)-4, generic(e+12)};\n"
      ".global .u8 q[2] = {0xFF(f), 0xFF00(generic(g)+1)};\n");
  const auto& p = variable(m, 0).initial;
  ASSERT_EQ(p.size(), 5u);
  EXPECT_EQ(p[0].symbol, "a");
  EXPECT_EQ(p[1].offset, 8);
  EXPECT_TRUE(p[2].generic);
  EXPECT_EQ(p[3].symbol, "d");
  EXPECT_EQ(p[3].offset, -4);
  EXPECT_TRUE(p[4].generic);
  EXPECT_EQ(p[4].offset, 12);
  const auto& q = variable(m, 1).initial;
  ASSERT_EQ(q.size(), 2u);
  EXPECT_EQ(q[0].mask, 0xFFu);
  EXPECT_EQ(q[1].mask, 0xFF00u);
  EXPECT_TRUE(q[1].generic);
  EXPECT_EQ(q[1].offset, 1);
}

TEST(Parser, ShortRowsOfNestedInitialisersAreFilledWithZeros) {
  const Module m = parse(
      ".global .u32 x[3][2] = {{1}, {2, 3}};\n.global .v2 .f32 v[] = {{1.0, 2.0}, {3.0, 4.0}};");
  const auto& x = variable(m, 0).initial;
  ASSERT_EQ(x.size(), 4u);
  EXPECT_EQ(x[0].bits, 1u);
  EXPECT_EQ(x[1].bits, 0u);
  EXPECT_EQ(x[2].bits, 2u);
  EXPECT_EQ(variable(m, 1).dimensions[0], 2u);
}

TEST(Parser, SamplerReferencesKeepTheirAttributes) {
  const Module m = parse(
      ".global .samplerref s = { addr_mode_0 = clamp_to_border, filter_mode = nearest };\n"
      ".global .texref t;\n.tex .u32 old;\n");
  ASSERT_EQ(variable(m).attributes.size(), 2u);
  EXPECT_EQ(variable(m).attributes[1].second, "nearest");
  EXPECT_EQ(variable(m, 1).type, ScalarType::texref);
}

TEST(Parser, ConstantExpressions) {
  const std::pair<const char*, int64_t> cases[] = {
      {"1+2*3", 7},
      {"(1+2)*3", 9},
      {"10-4-3", 3},
      {"-7/2", -3},
      {"-7 % 4", -3},
      {"1<<4|1", 17},
      {"~0", -1},
      {"!5", 0},
      {"!0", 1},
      {"5>3 && 2<1", 0},
      {"5>3 || 2<1", 1},
      {"1 ? 2 : 3", 2},
      {"0 ? 2 : 1 ? 4 : 5", 4},
      {"0xF0 & 0x3C ^ 1", 0x31},
      {"WARP_SZ*2", 64},
      {"(.s64)-1.9", -1},
      {"(.u64)-1 > 0", 1},
      {"-1 > 0U", 1},
      {"-8 >> 1", -4},
      {"1 << 64", 0},
      {"3 == 3.0", 1},
      {"- - 4", 4},
      {"1.5 < 2", 1},
      {"(-9223372036854775807-1)/-1", INT64_MIN},
  };
  for (const auto& [text, expected] : cases) {
    const Module m = parse(std::string(".global .s64 x = ") + text + ";");
    ASSERT_EQ(m.variables.size(), 1u) << text;
    EXPECT_EQ(static_cast<int64_t>(variable(m).initial.at(0).bits), expected) << text;
  }
}

TEST(Parser, RegisterDeclarationsBecomeOneVariableEach) {
  const Module m = parse_in_kernel(".reg .b32 %r<5>, %x;\n.reg .pred %p;\n.reg .v4 .f32 %v;");
  const auto& body = m.functions[0].body;
  ASSERT_EQ(body.size(), 4u);
  EXPECT_EQ(std::get<Variable>(body[0]).range, 5u);
  EXPECT_EQ(std::get<Variable>(body[1]).name, "%x");
  EXPECT_FALSE(std::get<Variable>(body[1]).range);
  EXPECT_EQ(std::get<Variable>(body[2]).type, ScalarType::pred);
  EXPECT_EQ(std::get<Variable>(body[3]).vector_width, 4);
}

TEST(Parser, InstructionWithModifiersAndPredicate) {
  const Module m =
      parse_in_kernel("@!%p1 ld.global.nc.L1::no_allocate.L2::128B.v2.f32 {%f1, %f2}, [%rd1+-16];");
  const Instruction& i = instruction(m, 0);
  ASSERT_TRUE(i.predicate);
  EXPECT_TRUE(i.predicate->negated);
  EXPECT_EQ(i.predicate->name, "%p1");
  EXPECT_EQ(i.opcode, "ld");
  EXPECT_EQ(i.modifiers, (std::vector<std::string_view>{"global", "nc", "L1::no_allocate",
                                                        "L2::128B", "v2", "f32"}));
  EXPECT_EQ(i.location.line, 2u);
  EXPECT_EQ(i.text, "@!%p1 ld.global.nc.L1::no_allocate.L2::128B.v2.f32 {%f1, %f2}, [%rd1+-16]");
  ASSERT_EQ(i.operands.size(), 2u);
  EXPECT_EQ(i.operands[0].kind, Operand::Kind::vector);
  EXPECT_EQ(i.operands[0].elements.at(1).name, "%f2");
  EXPECT_EQ(i.operands[1].kind, Operand::Kind::address);
  EXPECT_EQ(i.operands[1].address.base, "%rd1");
  EXPECT_EQ(i.operands[1].address.offset, -16);
}

TEST(Parser, Addresses) {
  const Module m = parse_in_kernel(
      "ld.shared.u32 %r1, [16];\n"
      "ld.param.u64 %rd1, [k_param_0-4+8*2];\n"
      "tex.2d.v4.f32.f32 {%f1,%f2,%f3,%f4}, [%rd1, %rd2, {%f5, %f6}];\n"
      "ld.global.u32 %r1, a[3];\n"
      "mov.u32 %r1, a[%r2+1];\n"
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1+8],"
      " [%rd1, {%r2, %r3}], [%r4];\n");
  EXPECT_TRUE(instruction(m, 0).operands[1].address.base.empty());
  EXPECT_EQ(instruction(m, 0).operands[1].address.offset, 16);
  EXPECT_EQ(instruction(m, 1).operands[1].address.offset, 12);
  const Address& tex = instruction(m, 2).operands[1].address;
  EXPECT_EQ(tex.base, "%rd1");
  ASSERT_EQ(tex.parts.size(), 2u);
  EXPECT_EQ(tex.parts[0].name, "%rd2");
  EXPECT_EQ(tex.parts[1].elements.size(), 2u);
  EXPECT_TRUE(instruction(m, 3).operands[1].address.indexed);
  EXPECT_EQ(instruction(m, 3).operands[1].address.offset, 3);
  EXPECT_EQ(instruction(m, 4).operands[1].address.parts.at(0).name, "%r2");
  EXPECT_EQ(instruction(m, 4).operands[1].address.offset, 1);
  EXPECT_EQ(instruction(m, 5).operands.size(), 3u);
}

TEST(Parser, OperandForms) {
  const Module m = parse_in_kernel(
      "mov.u32 %r1, %tid.x;\n"
      "setp.lt.and.f32 %p1|%p2, %f1, 0f3F800000, !%p3;\n"
      "shfl.sync.bfly.b32 _|%p1, %r1, 4, 31, 0xffffffff;\n"
      "mov.u64 %rd1, sym+8;\n"
      "vmad.u32.u32.u32 %r1, %r2.b0, -%r3.h1, %r4;\n"
      "mov.f64 %fd1, -1.5;\n"
      "mov.b64 {%r1, _}, %rd1;\n"
      "add.u64 %rd1, %rd2, 18446744073709551615U;\n"
      "mov.f32 %f1, -0f3F800000;\n"
      "bar.sync 0;\n"
      "ret;\n");
  EXPECT_EQ(instruction(m, 0).operands[1].name, "%tid");
  EXPECT_EQ(instruction(m, 0).operands[1].component, "x");
  const Operand& pair = instruction(m, 1).operands[0];
  EXPECT_EQ(pair.kind, Operand::Kind::pair);
  EXPECT_EQ(pair.elements.at(1).name, "%p2");
  EXPECT_TRUE(instruction(m, 1).operands[2].is_single);
  EXPECT_EQ(instruction(m, 1).operands[2].bits, 0x3F800000u);
  EXPECT_TRUE(instruction(m, 1).operands[3].negated);
  EXPECT_EQ(instruction(m, 2).operands[0].elements.at(0).kind, Operand::Kind::sink);
  EXPECT_EQ(instruction(m, 2).operands[3].bits, 31u);
  EXPECT_EQ(instruction(m, 3).operands[1].offset, 8);
  EXPECT_EQ(instruction(m, 4).operands[1].component, "b0");
  EXPECT_TRUE(instruction(m, 4).operands[2].negated);
  EXPECT_EQ(instruction(m, 4).operands[2].component, "h1");
  EXPECT_EQ(std::bit_cast<double>(instruction(m, 5).operands[1].bits), -1.5);
  EXPECT_EQ(instruction(m, 6).operands[0].elements.at(1).kind, Operand::Kind::sink);
  EXPECT_TRUE(instruction(m, 7).operands[2].is_unsigned);
  EXPECT_EQ(instruction(m, 8).operands[1].bits, 0xBF800000u);
  EXPECT_TRUE(instruction(m, 10).operands.empty());
}

TEST(Parser, CallsAndTheirTargets) {
  const Module m = parse_in_kernel(
      "{\n.param .b64 param0;\nst.param.b64 [param0+0], %rd1;\n"
      "prototype_0 : .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[16])"
      " .noreturn;\n"
      "call.uni (retval0), vprintf, (param0, param1);\n"
      "call (retval0), %rd5, (param0), prototype_0;\n"
      "call f;\n call g, ();\n call (%r1), h, (%r2, 5), targets;\n}\n"
      "targets: .calltargets f, g;\n"
      "table: .branchtargets $L1, $L2;\n"
      "@%p1 brx.idx.uni %r1, table;\n$L1: $L2: ret;\n");
  const auto& body = m.functions[0].body;
  EXPECT_TRUE(std::holds_alternative<ScopeBegin>(body[0]));
  const auto& prototype = std::get<CallPrototype>(body[3]);
  EXPECT_EQ(prototype.name, "prototype_0");
  EXPECT_EQ(prototype.results.size(), 1u);
  EXPECT_EQ(prototype.parameters.at(1).size_in_bytes(), 16u);
  EXPECT_TRUE(prototype.noreturn);
  const Instruction& call = instruction(m, 4);
  ASSERT_EQ(call.operands.size(), 3u);
  EXPECT_EQ(call.operands[0].kind, Operand::Kind::list);
  EXPECT_EQ(call.operands[1].name, "vprintf");
  EXPECT_EQ(call.operands[2].elements.size(), 2u);
  EXPECT_EQ(instruction(m, 5).operands.size(), 4u);
  EXPECT_EQ(instruction(m, 6).operands.size(), 1u);
  EXPECT_TRUE(instruction(m, 7).operands[1].elements.empty());
  EXPECT_EQ(instruction(m, 8).operands[2].elements.at(1).bits, 5u);
  EXPECT_TRUE(std::holds_alternative<ScopeEnd>(body[9]));
  EXPECT_TRUE(std::get<TargetList>(body[10]).calls);
  const auto& table = std::get<TargetList>(body[11]);
  EXPECT_EQ(table.targets, (std::vector<std::string_view>{"$L1", "$L2"}));
  EXPECT_EQ(std::get<Label>(body[13]).name, "$L1");
  EXPECT_EQ(std::get<Label>(body[14]).name, "$L2");
}

TEST(Parser, DebugLocationsAndPragmas) {
  const Module m = parse_in_kernel(
      ".loc 1 23 5\n.loc 2 7 9, function_name $L__info_string0, inlined_at 1 23 5\n"
      ".loc 1 4 2, function_name $L__info_string0+12, inlined_at 1 2 3\nret;\n"
      ".pragma \"nounroll\";");
  const auto& body = m.functions[0].body;
  ASSERT_EQ(body.size(), 5u);
  EXPECT_EQ(std::get<DebugLocation>(body[1]).line, 7u);
  EXPECT_EQ(std::get<Pragma>(body[4]).text, "nounroll");
}

TEST(Parser, LazyBodiesAreParsedOnDemandWithRightLines) {
  Module m =
      parse(".entry a() {\n ret;\n}\n\n.entry b()\n{ // }\n\n  bar.sync 0;\n ret; }\n", true);
  ASSERT_EQ(m.functions.size(), 2u);
  Function& b = m.functions[1];
  EXPECT_TRUE(b.body.empty());
  EXPECT_TRUE(b.has_body);
  ASSERT_TRUE(parse_body(m, b, "test.ptx"));
  ASSERT_EQ(b.body.size(), 2u);
  EXPECT_EQ(std::get<Instruction>(b.body[0]).location.line, 8u);
  EXPECT_EQ(std::get<Instruction>(b.body[0]).location.column, 3u);
  ASSERT_TRUE(parse_body(m, b, "test.ptx"));
  EXPECT_EQ(b.body.size(), 2u);
}

TEST(Parser, BodyTextIsTheSameLazyOrNot) {
  const std::string text = ".entry a() { { ret; } /* } */ }";
  EXPECT_EQ(parse(text, true).functions.at(0).body_text, parse(text).functions.at(0).body_text);
}

TEST(Parser, InputEndsAtNul) {
  std::string text = ".global .u32 x;";
  text += '\0';
  text += "\xFF garbage";
  EXPECT_EQ(parse(text).variables.size(), 1u);
}

}  // namespace
}  // namespace guda::ptx
