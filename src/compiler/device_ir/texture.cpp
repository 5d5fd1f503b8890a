// Texture and surface instructions (PTX ISA 9.7.10 and 9.7.11): calls of ptx.tex..., one argument
// per coordinate.
#include <fmt/format.h>

#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

struct Geometry {
  std::string_view name;
  uint8_t layers;  // leading integer coordinates: layer or sample
  uint8_t coordinates;
  uint8_t gradient;  // components of each gradient vector
};

constexpr Geometry kGeometries[] = {
    {"1d", 0, 1, 1},   {"2d", 0, 2, 2},    {"3d", 0, 3, 3},   {"a1d", 1, 1, 1},   {"a2d", 1, 2, 2},
    {"cube", 0, 3, 3}, {"acube", 1, 3, 3}, {"2dms", 1, 2, 0}, {"a2dms", 2, 2, 0},
};

const Geometry* geometry(Lowering& l) {
  for (const Geometry& entry : kGeometries) {
    if (l.has(entry.name)) return &entry;
  }
  l.fail("no geometry");
  return nullptr;
}

// The handle in [handle, ...]: a 64-bit register, or the name of an opaque variable.
Value* handle(Lowering& l, const ptx::Operand& operand) {
  if (operand.kind != ptx::Operand::Kind::address || operand.address.base.empty()) {
    l.fail("the operand is no texture or surface");
    return l.i64(0);
  }
  ptx::Operand name;
  name.kind = ptx::Operand::Kind::name;
  name.name = operand.address.base;
  return l.fn.read(name, ScalarType::b64);
}

llvm::ArrayRef<ptx::Operand> parts(const ptx::Operand& operand) {
  if (operand.kind == ptx::Operand::Kind::vector) return operand.elements;
  return operand;
}

// Appends the coordinates of the address operand: layers as i32, then `type`.
void coordinates(Lowering& l, const ptx::Operand& operand, const Geometry& shape, ScalarType type,
                 llvm::SmallVectorImpl<Value*>& arguments) {
  if (operand.address.parts.empty()) {
    l.fail("coordinates are missing");
    return;
  }
  // [texture, {x, y}] or, with independent samplers, [texture, sampler, {x, y}].
  const llvm::ArrayRef<ptx::Operand> values = parts(operand.address.parts.back());
  const size_t count = size_t{shape.layers} + shape.coordinates;
  if (values.size() < count) {
    l.fail("too few coordinates");
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    arguments.push_back(l.fn.read(values[i], i < shape.layers ? ScalarType::b32 : type));
  }
}

void write_results(Lowering& l, ScalarType type, Value* results, unsigned count) {
  const llvm::ArrayRef<ptx::Operand> elements = l.elements(0);
  if (elements.size() != count) {
    l.fail("the destination has the wrong number of elements");
    return;
  }
  for (unsigned i = 0; i < count; ++i) {
    l.fn.write(elements[i], type, count == 1 ? results : l.b.CreateExtractValue(results, i));
  }
}

llvm::Type* result_type(Lowering& l, ScalarType type, unsigned count) {
  llvm::Type* element = memory_type(l.context(), type);
  if (count == 1) return element;
  return llvm::StructType::get(l.context(), llvm::SmallVector<llvm::Type*, 4>(count, element));
}

void lower_tex(Lowering& l) {
  const Geometry* shape = geometry(l);
  if (shape == nullptr) return;
  const ScalarType type = l.type(0), coordinate = l.type(1);
  const ptx::Operand& address = l.operand(1);
  llvm::SmallVector<Value*, 12> arguments{handle(l, address)};
  coordinates(l, address, *shape, coordinate, arguments);
  std::string_view mode = l.one_of("level grad");
  size_t next = 2;
  if (mode == "level") {
    arguments.push_back(l.in(next++, coordinate));
  } else if (mode == "grad") {
    for (int vector = 0; vector < 2; ++vector) {
      const llvm::ArrayRef<ptx::Operand> values = l.elements(next++);
      for (unsigned i = 0; i < shape->gradient && i < values.size(); ++i) {
        arguments.push_back(l.fn.read(values[i], coordinate));
      }
    }
  }
  if (l.operand_count() > next) {
    l.fail("texture offsets and depth comparison are not supported");
  }
  if (l.fn.failed()) return;
  const unsigned count = l.has("v4") ? 4 : l.has("v2") ? 2 : 1;
  const std::string name =
      fmt::format("ptx.tex.{}{}{}.{}.{}", mode, mode.empty() ? "" : ".", shape->name,
                  ptx::to_string(type), ptx::to_string(coordinate));
  Value* texel = l.call(name, result_type(l, type, count), arguments, Effects::texture);
  write_results(l, type, texel, count);
}

// tld4.<component>.2d: the four texels that bilinear filtering would use.
void lower_tld4(Lowering& l) {
  const Geometry* shape = geometry(l);
  if (shape == nullptr) return;
  const ScalarType type = l.type(0), coordinate = l.type(1);
  const ptx::Operand& address = l.operand(1);
  llvm::SmallVector<Value*, 6> arguments{handle(l, address)};
  coordinates(l, address, *shape, coordinate, arguments);
  if (l.fn.failed()) return;
  const std::string name = fmt::format("ptx.tld4.{}.{}.{}.{}", l.one_of("r g b a"), shape->name,
                                       ptx::to_string(type), ptx::to_string(coordinate));
  write_results(l, type, l.call(name, result_type(l, type, 4), arguments, Effects::texture), 4);
}

// txq.<property>.b32 and suq.<property>.b32
void lower_query(Lowering& l) {
  llvm::SmallVector<Value*, 2> arguments{handle(l, l.operand(1))};
  std::string_view property;
  for (std::string_view modifier : l.ast.modifiers) {
    if (modifier != "level" && !ptx::parse_scalar_type(modifier)) property = modifier;
  }
  if (l.operand_count() == 3) arguments.push_back(l.in(2, ScalarType::b32));
  l.out(0, ScalarType::b32,
        l.call(fmt::format("ptx.{}.{}{}", l.ast.opcode, l.has("level") ? "level." : "", property),
               l.b.getInt32Ty(), arguments, Effects::texture));
}

std::string surface_name(Lowering& l, const Geometry& shape) {
  const std::string_view vector = l.one_of("v2 v4");
  const std::string_view clamp = l.one_of("trap clamp zero");
  return fmt::format("ptx.{}.{}.{}.{}{}{}.{}", l.ast.opcode, l.has("p") ? "p" : "b", shape.name,
                     vector, vector.empty() ? "" : ".", ptx::to_string(l.type()),
                     clamp.empty() ? "trap" : clamp);
}

void lower_suld(Lowering& l) {
  const Geometry* shape = geometry(l);
  if (shape == nullptr) return;
  const unsigned count = l.has("v4") ? 4 : l.has("v2") ? 2 : 1;
  llvm::SmallVector<Value*, 6> arguments{handle(l, l.operand(1))};
  coordinates(l, l.operand(1), *shape, ScalarType::s32, arguments);
  if (l.fn.failed()) return;
  Value* texel =
      l.call(surface_name(l, *shape), result_type(l, l.type(), count), arguments, Effects::service);
  write_results(l, l.type(), texel, count);
}

void lower_sust(Lowering& l) {
  const Geometry* shape = geometry(l);
  if (shape == nullptr) return;
  llvm::SmallVector<Value*, 10> arguments{handle(l, l.operand(0))};
  coordinates(l, l.operand(0), *shape, ScalarType::s32, arguments);
  for (const ptx::Operand& element : l.elements(1)) {
    arguments.push_back(
        l.b.CreateBitCast(l.fn.read(element, l.type()), memory_type(l.context(), l.type())));
  }
  if (l.fn.failed()) return;
  l.call(surface_name(l, *shape), l.b.getVoidTy(), arguments, Effects::service);
}

constexpr Row kRows[] = {
    {"tex", "level|grad|base? 1d|2d|3d|a1d|a2d|cube|acube|2dms|a2dms v4 u32|s32|f32 s32|f32", 2, 6,
     Execution::effect, lower_tex},
    {"tex", "level|grad|base? 1d|2d|3d|a1d|a2d|cube|acube v2 f16x2 s32|f32", 2, 6,
     Execution::effect, lower_tex},
    {"tld4", "r|g|b|a 2d|a2d|cube|acube v4 u32|s32|f32 f32", 2, 2, Execution::effect, lower_tld4},
    {"txq",
     "level? width|height|depth|channel_data_type|channel_order|normalized_coords|"
     "array_size|num_mipmap_levels|num_samples|force_unnormalized_coords|filter_mode|"
     "addr_mode_0|addr_mode_1|addr_mode_2 b32",
     2, 3, Execution::effect, lower_query},
    {"suq", "width|height|depth|channel_data_type|channel_order|array_size|memory_layout b32", 2, 2,
     Execution::effect, lower_query},
    {"suld", "b 1d|2d|3d|a1d|a2d $cop? v2|v4? b8|b16|b32|b64 trap|clamp|zero?", 2, 2,
     Execution::effect, lower_suld},
    {"sust", "b 1d|2d|3d|a1d|a2d $cop? v2|v4? b8|b16|b32|b64 trap|clamp|zero?", 2, 2,
     Execution::effect, lower_sust},
    {"sust", "p 1d|2d|3d|a1d|a2d v2|v4? b32|u32|s32|f32 trap|clamp|zero?", 2, 2, Execution::effect,
     lower_sust},
};

}  // namespace

std::span<const Row> texture_rows() { return kRows; }

}  // namespace guda::device_ir
