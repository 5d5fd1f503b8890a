#include "compiler/ptx/ast.h"

#include <gtest/gtest.h>

namespace guda::ptx {
namespace {

TEST(Ast, EveryTypeNameIsParsedBackToItsType) {
  for (int i = 1; i <= static_cast<int>(ScalarType::surfref); ++i) {
    const auto type = static_cast<ScalarType>(i);
    EXPECT_EQ(parse_scalar_type(to_string(type)), type) << to_string(type);
  }
  EXPECT_EQ(parse_scalar_type("v4"), std::nullopt);
  EXPECT_EQ(parse_scalar_type(""), std::nullopt);
  EXPECT_EQ(parse_scalar_type("zzz"), std::nullopt);
}

TEST(Ast, BitWidths) {
  EXPECT_EQ(bit_width(ScalarType::pred), 1u);
  EXPECT_EQ(bit_width(ScalarType::b128), 128u);
  EXPECT_EQ(bit_width(ScalarType::f16x2), 32u);
  EXPECT_EQ(bit_width(ScalarType::e4m3x2), 16u);
  EXPECT_EQ(bit_width(ScalarType::e2m1x2), 8u);
  EXPECT_EQ(bit_width(ScalarType::none), 0u);
  EXPECT_EQ(bit_width(ScalarType::texref), 0u);
}

TEST(Ast, SizeCountsVectorWidthAndEveryDimension) {
  Variable v;
  v.type = ScalarType::f32;
  v.vector_width = 4;
  v.dimensions = {3, 5};
  EXPECT_EQ(v.size_in_bytes(), 240u);
  EXPECT_EQ(v.effective_alignment(), 16u);
  v.alignment = 4;
  EXPECT_EQ(v.effective_alignment(), 4u);
  v.dimensions = {0};
  EXPECT_EQ(v.size_in_bytes(), 0u);
  v.dimensions = {uint64_t{1} << 62, 16};
  EXPECT_EQ(v.size_in_bytes(), UINT64_MAX);
}

TEST(Ast, OpaqueReferencesOccupyAPointer) {
  Variable v;
  v.type = ScalarType::texref;
  EXPECT_EQ(v.size_in_bytes(), 8u);
  EXPECT_EQ(v.effective_alignment(), 8u);
}

TEST(Ast, ADefinitionIsFoundBeforeItsDeclarations) {
  Module m;
  m.functions.resize(3);
  m.functions[0].name = m.functions[1].name = m.functions[2].name = "f";
  EXPECT_EQ(m.find_function("f"), &m.functions[0]);
  m.functions[1].has_body = true;
  EXPECT_EQ(m.find_function("f"), &m.functions[1]);
  EXPECT_EQ(m.find_function("g"), nullptr);
  m.variables.resize(2);
  m.variables[0].name = m.variables[1].name = "x";
  m.variables[0].linkage = Linkage::external;
  EXPECT_EQ(m.find_variable("x"), &m.variables[1]);
}

}  // namespace
}  // namespace guda::ptx
