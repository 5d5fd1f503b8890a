// Texture and surface instructions: coordinates and results travel through stack memory.
#include <llvm/ADT/SmallVector.h>
#include <llvm/ADT/StringSwitch.h>
#include <llvm/IR/Instructions.h>

#include <optional>
#include <string>

#include "compiler/lanes/service_calls.h"

namespace guda::lanes {
namespace {

using kernel::Services;
using kernel::TexelGeometry;
using kernel::TextureProperty;
using llvm::Value;

// Room for two layers, three coordinates and two gradient vectors.
constexpr unsigned kMaxCoordinates = 12;
constexpr unsigned kResultWords = 4;

std::optional<TexelGeometry> parse_geometry(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<TexelGeometry>>(name)
      .Case("1d", TexelGeometry::d1)
      .Case("2d", TexelGeometry::d2)
      .Case("3d", TexelGeometry::d3)
      .Case("a1d", TexelGeometry::a1d)
      .Case("a2d", TexelGeometry::a2d)
      .Case("cube", TexelGeometry::cube)
      .Case("acube", TexelGeometry::acube)
      .Case("2dms", TexelGeometry::d2ms)
      .Case("a2dms", TexelGeometry::a2dms)
      .Default(std::nullopt);
}

std::optional<TextureProperty> parse_property(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<TextureProperty>>(name)
      .Case("width", TextureProperty::width)
      .Case("height", TextureProperty::height)
      .Case("depth", TextureProperty::depth)
      .Case("channel_data_type", TextureProperty::channel_data_type)
      .Case("channel_order", TextureProperty::channel_order)
      .Case("array_size", TextureProperty::array_size)
      .Case("num_mipmap_levels", TextureProperty::num_mipmap_levels)
      .Case("num_samples", TextureProperty::num_samples)
      .Case("normalized_coords", TextureProperty::normalized_coords)
      .Default(std::nullopt);
}

unsigned surface_coordinates(TexelGeometry geometry) {
  switch (geometry) {
    case TexelGeometry::d1: return 1;
    case TexelGeometry::d2:
    case TexelGeometry::a1d: return 2;
    default: return 3;
  }
}

Status unsupported(const llvm::CallInst& call) {
  return {StatusCode::not_supported,
          call.getCalledFunction()->getName().str() + " is not implemented on the CPU"};
}

}  // namespace

Value* ServiceCalls::spill(llvm::ArrayRef<Value*> values, unsigned words, Value* memory) {
  unsigned offset = 0;
  for (Value* value : values) {
    const unsigned bytes = static_cast<unsigned>(
        function_.getDataLayout().getTypeStoreSize(value->getType()).getFixedValue());
    if (offset + bytes > words * 4) break;
    builder_.CreateAlignedStore(
        value, builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), memory, offset),
        llvm::Align(1));
    offset += bytes;
  }
  return memory;
}

// The call's result type, one value or a structure of equal ones, read from memory.
Value* ServiceCalls::reload(llvm::Type* type, Value* memory) {
  auto* structure = llvm::dyn_cast<llvm::StructType>(type);
  if (structure == nullptr) return builder_.CreateAlignedLoad(type, memory, llvm::Align(1));
  Value* result = llvm::PoisonValue::get(structure);
  unsigned offset = 0;
  for (unsigned i = 0; i < structure->getNumElements(); ++i) {
    llvm::Type* element = structure->getElementType(i);
    Value* address = builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), memory, offset);
    result = builder_.CreateInsertValue(
        result, builder_.CreateAlignedLoad(element, address, llvm::Align(1)), i);
    offset +=
        static_cast<unsigned>(function_.getDataLayout().getTypeStoreSize(element).getFixedValue());
  }
  return result;
}

// tex.[level.|grad.]<geometry>.<type>.<coordinate type>, tld4.<component>.<geometry>....
Status ServiceCalls::lower_texture(llvm::CallInst& call, llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef, 8> parts;
  name.split(parts, '.');
  uint32_t flags = 0;
  std::optional<TexelGeometry> geometry;
  llvm::StringRef result_type;
  if (parts[0] == "tld4") {
    const size_t component = llvm::StringRef("rgba").find(parts[1]);
    flags |= kernel::kTextureGather | static_cast<uint32_t>(component & 3)
                                          << kernel::kTextureComponentShift;
  }
  for (llvm::StringRef part : llvm::ArrayRef(parts).drop_front()) {
    if (part == "level") flags |= kernel::kTextureLevel;
    if (part == "grad") flags |= kernel::kTextureGradient;
    if (geometry) {
      if (result_type.empty()) {
        result_type = part;
      } else if (part == "s32") {
        flags |= kernel::kTextureIntegerCoordinates;
      }
    } else {
      geometry = parse_geometry(part);
    }
  }
  if (!geometry) return unsupported(call);
  flags |= llvm::StringSwitch<uint32_t>(result_type)
               .Case("u32", 1)
               .Case("s32", 2)
               .Case("f16x2", 3)
               .Default(0)
           << kernel::kTextureResultShift;
  llvm::SmallVector<Value*, 12> coordinates(llvm::drop_begin(call.args()));
  Value* in = spill(coordinates, kMaxCoordinates, access_.scratch(kMaxCoordinates));
  Value* out = access_.scratch(kResultWords);
  call_service(offsetof(Services, texture), builder_.getVoidTy(),
               {access_.block(), builder_.getInt32(static_cast<uint32_t>(*geometry)),
                builder_.getInt32(flags), call.getArgOperand(0), in, out});
  replace(call, reload(call.getType(), out));
  return Status::ok();
}

// suld.b.<geometry>.[v2.|v4.]<type>.<clamp> and sust.b....
Status ServiceCalls::lower_surface(llvm::CallInst& call, llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef, 8> parts;
  name.split(parts, '.');
  const auto geometry = parts.size() > 2 ? parse_geometry(parts[2]) : std::nullopt;
  if (!geometry || parts[1] != "b") return unsupported(call);
  const bool store = parts[0] == "sust";
  uint32_t flags = store ? kernel::kSurfaceStore : 0u;
  if (parts.back() == "clamp") flags |= kernel::kSurfaceClamp;
  if (parts.back() == "zero") flags |= kernel::kSurfaceZero;
  const unsigned count = surface_coordinates(*geometry);
  llvm::SmallVector<Value*, 8> arguments(llvm::drop_begin(call.args()));
  if (arguments.size() < count) return unsupported(call);
  const llvm::ArrayRef<Value*> all(arguments);
  Value* in = spill(all.take_front(count), kMaxCoordinates, access_.scratch(kMaxCoordinates));
  Value* data = access_.scratch(kResultWords);
  const llvm::DataLayout& layout = function_.getDataLayout();
  uint64_t bytes = 0;
  if (store) {
    spill(all.drop_front(count), kResultWords, data);
    for (const Value* value : all.drop_front(count)) {
      bytes += layout.getTypeStoreSize(value->getType()).getFixedValue();
    }
  } else if (auto* structure = llvm::dyn_cast<llvm::StructType>(call.getType())) {
    for (llvm::Type* element : structure->elements()) {
      bytes += layout.getTypeStoreSize(element).getFixedValue();
    }
  } else {
    bytes = layout.getTypeStoreSize(call.getType()).getFixedValue();
  }
  call_service(offsetof(Services, surface), builder_.getVoidTy(),
               {access_.block(), builder_.getInt32(static_cast<uint32_t>(*geometry)),
                builder_.getInt32(flags), call.getArgOperand(0), in,
                builder_.getInt32(static_cast<uint32_t>(bytes)), data});
  replace(call, store ? nullptr : reload(call.getType(), data));
  return Status::ok();
}

// txq.[level.]<property>, suq.<property>
Status ServiceCalls::lower_texture_query(llvm::CallInst& call, llvm::StringRef name) {
  const auto property = parse_property(name.rsplit('.').second);
  if (!property) return unsupported(call);
  Value* level =
      call.arg_size() > 1 ? call.getArgOperand(1) : llvm::cast<Value>(builder_.getInt32(0));
  replace(call, call_service(offsetof(Services, texture_query), builder_.getInt32Ty(),
                             {access_.block(), builder_.getInt32(static_cast<uint32_t>(*property)),
                              call.getArgOperand(0), level}));
  return Status::ok();
}

}  // namespace guda::lanes
