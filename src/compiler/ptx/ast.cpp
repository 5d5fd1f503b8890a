#include "compiler/ptx/ast.h"

#include <algorithm>
#include <iterator>

namespace guda::ptx {
namespace {

struct TypeRow {
  std::string_view name;
  ScalarType type;
  uint8_t bits;
};

// Sorted by name for the binary search in parse_scalar_type.
constexpr TypeRow kTypes[] = {
    {"b128", ScalarType::b128, 128},
    {"b16", ScalarType::b16, 16},
    {"b32", ScalarType::b32, 32},
    {"b64", ScalarType::b64, 64},
    {"b8", ScalarType::b8, 8},
    {"bf16", ScalarType::bf16, 16},
    {"bf16x2", ScalarType::bf16x2, 32},
    {"e2m1x2", ScalarType::e2m1x2, 8},
    {"e2m3x2", ScalarType::e2m3x2, 16},
    {"e3m2x2", ScalarType::e3m2x2, 16},
    {"e4m3", ScalarType::e4m3, 8},
    {"e4m3x2", ScalarType::e4m3x2, 16},
    {"e5m2", ScalarType::e5m2, 8},
    {"e5m2x2", ScalarType::e5m2x2, 16},
    {"f16", ScalarType::f16, 16},
    {"f16x2", ScalarType::f16x2, 32},
    {"f32", ScalarType::f32, 32},
    {"f32x2", ScalarType::f32x2, 64},
    {"f64", ScalarType::f64, 64},
    {"pred", ScalarType::pred, 1},
    {"s16", ScalarType::s16, 16},
    {"s16x2", ScalarType::s16x2, 32},
    {"s32", ScalarType::s32, 32},
    {"s64", ScalarType::s64, 64},
    {"s8", ScalarType::s8, 8},
    {"s8x4", ScalarType::s8x4, 32},
    {"samplerref", ScalarType::samplerref, 0},
    {"surfref", ScalarType::surfref, 0},
    {"texref", ScalarType::texref, 0},
    {"tf32", ScalarType::tf32, 32},
    {"u16", ScalarType::u16, 16},
    {"u16x2", ScalarType::u16x2, 32},
    {"u32", ScalarType::u32, 32},
    {"u64", ScalarType::u64, 64},
    {"u8", ScalarType::u8, 8},
    {"u8x4", ScalarType::u8x4, 32},
    {"ue8m0x2", ScalarType::ue8m0x2, 16},
};

constexpr bool by_name(const TypeRow& a, const TypeRow& b) { return a.name < b.name; }
static_assert(std::is_sorted(std::begin(kTypes), std::end(kTypes), by_name));

const TypeRow* find_row(ScalarType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

bool is_opaque(ScalarType type) {
  return type == ScalarType::texref || type == ScalarType::samplerref ||
         type == ScalarType::surfref;
}

uint64_t element_bytes(const Variable& variable) {
  if (is_opaque(variable.type)) return 8;
  return (uint64_t{bit_width(variable.type)} + 7) / 8 * variable.vector_width;
}

}  // namespace

uint32_t bit_width(ScalarType type) {
  const TypeRow* row = find_row(type);
  return row ? row->bits : 0;
}

std::optional<ScalarType> parse_scalar_type(std::string_view name) {
  const auto* row =
      std::lower_bound(std::begin(kTypes), std::end(kTypes), name,
                       [](const TypeRow& a, std::string_view wanted) { return a.name < wanted; });
  if (row == std::end(kTypes) || row->name != name) return std::nullopt;
  return row->type;
}

std::string_view to_string(ScalarType type) {
  const TypeRow* row = find_row(type);
  return row ? row->name : "none";
}

uint64_t Variable::size_in_bytes() const {
  uint64_t size = element_bytes(*this);
  for (uint64_t extent : dimensions) {
    // A size that does not fit is reported as the largest one, so that allocating it fails.
    if (__builtin_mul_overflow(size, extent, &size)) return UINT64_MAX;
  }
  return size;
}

uint32_t Variable::effective_alignment() const {
  if (alignment != 0) return alignment;
  return static_cast<uint32_t>(std::max<uint64_t>(1, element_bytes(*this)));
}

const Function* Module::find_function(std::string_view name) const {
  const Function* declaration = nullptr;
  for (const Function& function : functions) {
    if (function.name != name) continue;
    if (function.has_body) return &function;
    if (!declaration) declaration = &function;
  }
  return declaration;
}

const Variable* Module::find_variable(std::string_view name) const {
  const Variable* declaration = nullptr;
  for (const Variable& variable : variables) {
    if (variable.name != name) continue;
    if (variable.linkage != Linkage::external) return &variable;
    if (!declaration) declaration = &variable;
  }
  return declaration;
}

}  // namespace guda::ptx
