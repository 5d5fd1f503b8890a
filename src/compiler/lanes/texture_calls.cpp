// Texture and surface instructions: coordinates and results travel through stack memory.
#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Instructions.h>

#include <string>

#include "compiler/driver/texture_instruction.h"
#include "compiler/lanes/service_calls.h"

namespace guda::lanes {
namespace {

using kernel::Services;
using llvm::Value;

// Room for two layers, three coordinates and two gradient vectors.
constexpr unsigned kMaxCoordinates = 12;
constexpr unsigned kResultWords = 4;

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

Status ServiceCalls::lower_texture_instruction(llvm::CallInst& call,
                                               const TextureInstruction& instruction) {
  switch (instruction.service) {
    case TextureInstruction::Service::texture: lower_fetch(call, instruction); break;
    case TextureInstruction::Service::surface: return lower_surface(call, instruction);
    case TextureInstruction::Service::query: lower_texture_query(call, instruction); break;
  }
  return Status::ok();
}

void ServiceCalls::lower_fetch(llvm::CallInst& call, const TextureInstruction& instruction) {
  llvm::SmallVector<Value*, 12> coordinates(llvm::drop_begin(call.args()));
  Value* in = spill(coordinates, kMaxCoordinates, access_.scratch(kMaxCoordinates));
  Value* out = access_.scratch(kResultWords);
  call_service(offsetof(Services, texture), builder_.getVoidTy(),
               {access_.block(), builder_.getInt32(static_cast<uint32_t>(instruction.geometry)),
                builder_.getInt32(instruction.flags), call.getArgOperand(0), in, out});
  replace(call, reload(call.getType(), out));
}

Status ServiceCalls::lower_surface(llvm::CallInst& call, const TextureInstruction& instruction) {
  const bool store = (instruction.flags & kernel::kSurfaceStore) != 0;
  const unsigned count = instruction.surface_coordinates();
  llvm::SmallVector<Value*, 8> arguments(llvm::drop_begin(call.args()));
  if (arguments.size() < count) {
    return {StatusCode::not_supported,
            call.getCalledFunction()->getName().str() + " has too few operands"};
  }
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
               {access_.block(), builder_.getInt32(static_cast<uint32_t>(instruction.geometry)),
                builder_.getInt32(instruction.flags), call.getArgOperand(0), in,
                builder_.getInt32(static_cast<uint32_t>(bytes)), data});
  replace(call, store ? nullptr : reload(call.getType(), data));
  return Status::ok();
}

void ServiceCalls::lower_texture_query(llvm::CallInst& call,
                                       const TextureInstruction& instruction) {
  Value* level =
      call.arg_size() > 1 ? call.getArgOperand(1) : llvm::cast<Value>(builder_.getInt32(0));
  replace(call, call_service(offsetof(Services, texture_query), builder_.getInt32Ty(),
                             {access_.block(),
                              builder_.getInt32(static_cast<uint32_t>(instruction.property)),
                              call.getArgOperand(0), level}));
}

}  // namespace guda::lanes
