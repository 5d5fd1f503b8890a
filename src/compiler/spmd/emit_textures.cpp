// Texture and surface instructions. Fetches are one call of the runtime for the warp, the others one for
// each active lane. Operands and results travel through stack memory.
#include <fmt/format.h>
#include <llvm/IR/Module.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/driver/texture_instruction.h"
#include "compiler/spmd/emitter.h"

namespace guda::spmd {
namespace {

// Two layers, three coordinates, two gradient vectors.
constexpr unsigned kOperandWords = 12;
constexpr unsigned kResultWords = 4;

unsigned store_bytes(const llvm::DataLayout& layout, llvm::Type* type) {
  return static_cast<unsigned>(layout.getTypeStoreSize(type).getFixedValue());
}

/// Bytes of one texel: a value, or a structure of equal ones without padding.
unsigned texel_bytes(const llvm::DataLayout& layout, llvm::Type* type) {
  if (auto* structure = llvm::dyn_cast<llvm::StructType>(type)) {
    return store_bytes(layout, structure->getElementType(0)) * structure->getNumElements();
  }
  return store_bytes(layout, type);
}

}  // namespace

/// Coordinates and results are 32-bit words, one vector after the other.
void Emitter::emit_warp_fetch(const TextureInstruction& instruction, const llvm::CallBase& call) {
  using kernel::LaunchState;
  using kernel::Services;
  llvm::Type* const word = builder_.getInt32Ty();
  llvm::Type* const quad = builder_.getInt64Ty();
  llvm::Type* const pointer = builder_.getPtrTy();
  const unsigned count = call.arg_size() - 1;
  const llvm::Align alignment(64);
  llvm::IRBuilder<> at(entry_, entry_->begin());
  const auto array = [&](llvm::Type* type, unsigned elements, const char* name) {
    llvm::AllocaInst* memory = at.CreateAlloca(llvm::ArrayType::get(type, elements), nullptr, name);
    memory->setAlignment(alignment);
    return memory;
  };
  llvm::AllocaInst* textures = array(quad, lanes_, "textures");
  llvm::AllocaInst* operands = array(word, count * lanes_, "coordinates");
  llvm::AllocaInst* texels = array(word, kResultWords * lanes_, "texels");
  const auto row = [&](Value* memory, unsigned index) {
    return builder_.CreateConstInBoundsGEP1_64(word, memory, uint64_t{index} * lanes_);
  };
  const llvm::Align row_alignment = llvm::commonAlignment(alignment, uint64_t{4} * lanes_);
  builder_.CreateAlignedStore(vector(call.getArgOperand(0)), textures, alignment);
  for (unsigned i = 0; i < count; ++i) {
    builder_.CreateAlignedStore(vector(call.getArgOperand(1 + i)), row(operands, i), row_alignment);
  }
  Value* services = scalar_load_field(launch_, offsetof(LaunchState, services), pointer, true);
  Value* service = scalar_load_field(services, offsetof(Services, textures), pointer, true);
  builder_.CreateCall(
      llvm::FunctionType::get(builder_.getVoidTy(),
                              {pointer, word, word, word, quad, pointer, pointer, pointer}, false),
      service,
      {block_, builder_.getInt32(static_cast<uint32_t>(instruction.geometry)),
       builder_.getInt32(instruction.flags), builder_.getInt32(lanes_),
       builder_.CreateZExt(mask_bits(mask_), quad), textures, operands, texels});
  auto* type = llvm::dyn_cast<llvm::StructType>(call.getType());
  if (type == nullptr) {
    define(call, nullptr, builder_.CreateAlignedLoad(widen(call.getType()), texels, row_alignment),
           nullptr);
    return;
  }
  Value* result = llvm::PoisonValue::get(widen(type));
  for (unsigned i = 0; i < type->getNumElements(); ++i) {
    Value* part =
        builder_.CreateAlignedLoad(widen(type->getElementType(i)), row(texels, i), row_alignment);
    result = builder_.CreateInsertValue(result, part, i);
  }
  define(call, nullptr, result, nullptr);
}

Status Emitter::emit_texture(llvm::StringRef name, const llvm::CallBase& call) {
  using kernel::LaunchState;
  using kernel::Services;
  using Service = TextureInstruction::Service;
  const std::optional<TextureInstruction> instruction = parse_texture_instruction(name);
  if (!instruction) {
    return {StatusCode::not_supported, fmt::format("{}: no SIMD form", std::string(name))};
  }
  llvm::Type* const word = builder_.getInt32Ty();
  llvm::Type* const pointer = builder_.getPtrTy();
  llvm::Type* const byte = builder_.getInt8Ty();
  const auto number = [&](auto value) { return builder_.getInt32(static_cast<uint32_t>(value)); };
  const bool has_result = !call.getType()->isVoidTy();
  const bool one_for_all = has_result && is_uniform(&call);
  const bool query = instruction->service == Service::query;
  const bool surface = instruction->service == Service::surface;
  const unsigned coordinates = query     ? 0
                               : surface ? instruction->surface_coordinates()
                                         : call.arg_size() - 1;
  if (call.arg_size() < 1 + coordinates || coordinates > kOperandWords) {
    return {StatusCode::not_supported, fmt::format("{}: wrong operands", std::string(name))};
  }

  if (instruction->service == Service::texture && !one_for_all && lanes_ <= 64) {
    emit_warp_fetch(*instruction, call);
    return Status::ok();
  }

  llvm::AllocaInst* operands = nullptr;
  llvm::AllocaInst* texel = nullptr;
  llvm::AllocaInst* results = nullptr;
  const unsigned bytes = has_result ? texel_bytes(layout_, call.getType()) : 0;
  // Lanes' results stand element by element, as the vectors that they become.
  llvm::SmallVector<llvm::Type*, 4> elements;
  if (auto* structure = llvm::dyn_cast<llvm::StructType>(call.getType())) {
    elements.append(structure->element_begin(), structure->element_end());
  } else if (has_result) {
    elements.push_back(call.getType());
  }
  {
    llvm::IRBuilder<> at(entry_, entry_->begin());
    operands = at.CreateAlloca(llvm::ArrayType::get(word, kOperandWords), nullptr, "coordinates");
    texel = at.CreateAlloca(llvm::ArrayType::get(word, kResultWords), nullptr, "texel");
    operands->setAlignment(llvm::Align(16));
    texel->setAlignment(llvm::Align(16));
    if (has_result) {
      results =
          at.CreateAlloca(llvm::ArrayType::get(byte, uint64_t{bytes} * lanes_), nullptr, "texels");
      results->setAlignment(llvm::Align(64));
    }
  }

  llvm::SmallVector<Value*, 16> arguments;
  for (const llvm::Value* argument : call.args()) {
    arguments.push_back(is_uniform(argument) ? uniform(argument) : vector(argument));
  }
  const auto at_byte = [&](Value* base, uint64_t offset) {
    return builder_.CreateConstInBoundsGEP1_64(byte, base, offset);
  };
  Value* mask = mask_;
  if (one_for_all) {
    // The first active lane asks.
    Value* bits = mask_bits(mask_);
    mask = builder_.CreateBitCast(builder_.CreateAnd(bits, builder_.CreateNeg(bits)),
                                  mask_->getType());
  }
  unsigned store_words = 0;
  for_each_lane(mask, [&](Value* lane) {
    Value* services = scalar_load_field(launch_, offsetof(LaunchState, services), pointer, true);
    const auto service = [&](uint64_t offset) {
      return scalar_load_field(services, offset, pointer, true);
    };
    const auto scalar = [&](unsigned i) {
      return is_uniform(call.getArgOperand(i)) ? arguments[i]
                                               : builder_.CreateExtractElement(arguments[i], lane);
    };
    if (query) {
      Value* level = call.arg_size() > 1 ? scalar(1) : number(0);
      Value* result = builder_.CreateCall(
          llvm::FunctionType::get(word, {pointer, word, builder_.getInt64Ty(), word}, false),
          service(offsetof(Services, texture_query)),
          {block_, number(instruction->property), scalar(0), level});
      builder_.CreateAlignedStore(result, texel, llvm::Align(16));
    } else {
      for (unsigned i = 0; i < coordinates; ++i) {
        builder_.CreateAlignedStore(scalar(1 + i), at_byte(operands, 4 * i), llvm::Align(4));
      }
      for (unsigned i = 1 + coordinates; i < call.arg_size(); ++i) {
        const unsigned size = store_bytes(layout_, call.getArgOperand(i)->getType());
        if (store_words + size > 4 * kResultWords) break;
        builder_.CreateAlignedStore(scalar(i), at_byte(texel, store_words), llvm::Align(1));
        store_words += size;
      }
      if (surface) {
        builder_.CreateCall(
            llvm::FunctionType::get(
                builder_.getVoidTy(),
                {pointer, word, word, builder_.getInt64Ty(), pointer, word, pointer}, false),
            service(offsetof(Services, surface)),
            {block_, number(instruction->geometry), number(instruction->flags), scalar(0), operands,
             number(has_result ? bytes : store_words), texel});
      } else {
        builder_.CreateCall(
            llvm::FunctionType::get(builder_.getVoidTy(),
                                    {pointer, word, word, builder_.getInt64Ty(), pointer, pointer},
                                    false),
            service(offsetof(Services, texture)),
            {block_, number(instruction->geometry), number(instruction->flags), scalar(0), operands,
             texel});
      }
    }
    uint64_t from = 0;
    for (llvm::Type* element : elements) {
      const unsigned size = store_bytes(layout_, element);
      Value* value = builder_.CreateAlignedLoad(element, at_byte(texel, from), llvm::Align(size));
      Value* to = builder_.CreateGEP(element, at_byte(results, from * lanes_),
                                     one_for_all ? number(0) : lane);
      builder_.CreateAlignedStore(value, to, llvm::Align(size));
      from += size;
    }
  });
  if (!has_result) return Status::ok();
  uint64_t from = 0;
  llvm::SmallVector<Value*, 4> parts;
  for (llvm::Type* element : elements) {
    const unsigned size = store_bytes(layout_, element);
    parts.push_back(builder_.CreateAlignedLoad(one_for_all ? element : widen(element),
                                               at_byte(results, from * lanes_), llvm::Align(size)));
    from += size;
  }
  Value* result = parts[0];
  if (call.getType()->isStructTy()) {
    result = llvm::PoisonValue::get(one_for_all ? call.getType() : widen(call.getType()));
    for (unsigned i = 0; i < parts.size(); ++i)
      result = builder_.CreateInsertValue(result, parts[i], i);
  }
  define(call, one_for_all ? result : nullptr, one_for_all ? nullptr : result, nullptr);
  return Status::ok();
}

}  // namespace guda::spmd
