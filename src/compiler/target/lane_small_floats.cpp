// bf16 and f16 arithmetic that x86 lacks, through f32 and f64 with a single effective rounding.
//
// vcvtneps2bf16 flushes subnormal numbers and compiler-rt is not there, so every bfloat operation is
// written out. Half arithmetic is LLVM's (vcvtph2ps, f32, vcvtps2ph: exact for the basic
// operations), except fma and f64-to-half, which would round twice.
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>

#include "compiler/target/lane_ops.h"

namespace guda::target {
namespace {

using llvm::dyn_cast;
using llvm::Instruction;
using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

bool is_bfloat(const Value* value) { return value->getType()->getScalarType()->isBFloatTy(); }
bool is_half(const Value* value) { return value->getType()->getScalarType()->isHalfTy(); }
bool is_double(const Value* value) { return value->getType()->getScalarType()->isDoubleTy(); }

Value* widen(LaneBuilder& b, Value* bfloat) {
  return bf16_bits_to_f32(b, b.CreateBitCast(bfloat, b.i16()));
}

Value* narrow(LaneBuilder& b, Value* value) {
  if (is_double(value)) value = narrowing_to_odd(b, value);
  return b.CreateBitCast(f32_to_bf16_bits(b, Rounding::nearest, value), b.shaped(b.getBFloatTy()));
}

/// x + y rounded to odd: the nearest sum, moved by its exact error to the odd neighbour.
Value* sum_to_odd(LaneBuilder& b, Value* x, Value* y) {
  Value* sum = b.CreateFAdd(x, y);
  Value* y_part = b.CreateFSub(sum, x);
  Value* error = b.CreateFAdd(b.CreateFSub(x, b.CreateFSub(sum, y_part)), b.CreateFSub(y, y_part));
  Value* bits = b.to_bits(sum);
  Value* one = b.number(bits, 1);
  Value* even = b.CreateICmpEQ(b.CreateAnd(bits, one), b.number(bits, 0));
  Value* inexact = b.CreateFCmpONE(error, b.number(error, 0));
  // Towards the error: away from zero when the signs agree.
  Value* agree = b.CreateICmpSGE(b.CreateXor(bits, b.to_bits(error)), b.number(bits, 0));
  Value* moved = b.CreateSelect(agree, b.CreateAdd(bits, one), b.CreateSub(bits, one));
  return b.CreateBitCast(b.CreateSelect(b.CreateAnd(inexact, even), moved, bits), sum->getType());
}

Value* half_fma(LaneBuilder& b, llvm::CallInst& call) {
  auto argument = [&](unsigned i) { return b.CreateFPExt(call.getArgOperand(i), b.f32()); };
  // The product of two 11-bit numbers is exact in f32.
  return b.CreateFPTrunc(sum_to_odd(b, b.CreateFMul(argument(0), argument(1)), argument(2)),
                         call.getType());
}

Value* bfloat_fma(LaneBuilder& b, llvm::CallInst& call) {
  auto argument = [&](unsigned i) {
    return b.CreateFPExt(widen(b, call.getArgOperand(i)), b.f64());
  };
  return narrow(b, sum_to_odd(b, b.CreateFMul(argument(0), argument(1)), argument(2)));
}

Value* bfloat_intrinsic(LaneBuilder& b, llvm::CallInst& call) {
  llvm::Type* type = call.getType();
  auto bits = [&](unsigned i) { return b.CreateBitCast(call.getArgOperand(i), b.i16()); };
  const Intrinsic::ID id = call.getIntrinsicID();
  switch (id) {
    case Intrinsic::fma: return bfloat_fma(b, call);
    case Intrinsic::fabs:
      return b.CreateBitCast(b.CreateAnd(bits(0), b.number(bits(0), 0x7fff)), type);
    case Intrinsic::copysign: {
      Value* magnitude = b.CreateAnd(bits(0), b.number(bits(0), 0x7fff));
      Value* sign = b.CreateAnd(bits(1), b.number(bits(1), 0x8000));
      return b.CreateBitCast(b.CreateOr(magnitude, sign), type);
    }
    default: break;
  }
  llvm::SmallVector<Value*> arguments;
  for (Value* argument : call.args()) {
    if (!is_bfloat(argument)) return nullptr;
    arguments.push_back(widen(b, argument));
  }
  return narrow(b, b.CreateIntrinsic(id, {b.f32()}, arguments));
}

Value* rewrite_cast(LaneBuilder& b, llvm::CastInst& cast) {
  Value* source = cast.getOperand(0);
  switch (cast.getOpcode()) {
    case Instruction::FPTrunc:
      if (is_bfloat(&cast)) return narrow(b, source);
      if (is_half(&cast) && is_double(source))
        return b.CreateFPTrunc(narrowing_to_odd(b, source), cast.getType());
      return nullptr;
    case Instruction::FPExt: {
      if (!is_bfloat(source)) return nullptr;
      Value* wide = widen(b, source);
      return is_double(&cast) ? b.CreateFPExt(wide, b.f64()) : wide;
    }
    case Instruction::SIToFP:
    case Instruction::UIToFP: {
      const bool is_signed = cast.getOpcode() == Instruction::SIToFP;
      const unsigned bits = source->getType()->getScalarSizeInBits();
      if (is_bfloat(&cast)) return narrow(b, integer_to_f64_odd(b, source, is_signed));
      if (is_half(&cast) && bits >= 32)
        return b.CreateFPTrunc(narrowing_to_odd(b, integer_to_f64_odd(b, source, is_signed)),
                               cast.getType());
      return nullptr;
    }
    case Instruction::FPToSI:
      return is_bfloat(source) ? b.CreateFPToSI(widen(b, source), cast.getType()) : nullptr;
    case Instruction::FPToUI:
      return is_bfloat(source) ? b.CreateFPToUI(widen(b, source), cast.getType()) : nullptr;
    default: return nullptr;
  }
}

/// The replacement of `instruction`, or null to leave it as it is.
Value* rewrite(LaneBuilder& b, Instruction& instruction) {
  if (auto* cast = dyn_cast<llvm::CastInst>(&instruction)) return rewrite_cast(b, *cast);
  if (auto* compare = dyn_cast<llvm::FCmpInst>(&instruction)) {
    if (!is_bfloat(compare->getOperand(0))) return nullptr;
    return b.CreateFCmp(compare->getPredicate(), widen(b, compare->getOperand(0)),
                        widen(b, compare->getOperand(1)));
  }
  if (auto* call = dyn_cast<llvm::CallInst>(&instruction)) {
    if (is_bfloat(call) && call->getIntrinsicID() != Intrinsic::not_intrinsic)
      return bfloat_intrinsic(b, *call);
    if (is_half(call) && call->getIntrinsicID() == Intrinsic::fma && !b.features().fp16)
      return half_fma(b, *call);
    return nullptr;
  }
  if (!is_bfloat(&instruction)) return nullptr;
  if (instruction.getOpcode() == Instruction::FNeg) {
    Value* bits = b.CreateBitCast(instruction.getOperand(0), b.i16());
    return b.CreateBitCast(b.CreateXor(bits, b.number(bits, 0x8000)), instruction.getType());
  }
  if (auto* binary = dyn_cast<llvm::BinaryOperator>(&instruction))
    return narrow(b, b.CreateBinOp(binary->getOpcode(), widen(b, binary->getOperand(0)),
                                   widen(b, binary->getOperand(1))));
  return nullptr;
}

bool is_candidate(const Instruction& instruction) {
  auto small = [](const Value* value) { return is_bfloat(value) || is_half(value); };
  if (llvm::isa<llvm::PHINode, llvm::SelectInst, llvm::LoadInst, llvm::StoreInst,
                llvm::BitCastInst>(instruction))
    return false;
  return small(&instruction) || llvm::any_of(instruction.operands(), small);
}

}  // namespace

void legalize_small_floats(llvm::Module& module, const CpuFeatures& features) {
  std::vector<Instruction*> work;
  for (llvm::Function& function : module)
    for (Instruction& instruction : llvm::instructions(function))
      if (is_candidate(instruction)) work.push_back(&instruction);
  for (Instruction* instruction : work) {
    // Shape of the result; that of a comparison or conversion is the same.
    auto* vector = dyn_cast<llvm::FixedVectorType>(instruction->getType());
    LaneBuilder builder(instruction, vector ? vector->getNumElements() : 0, features);
    Value* value = rewrite(builder, *instruction);
    if (!value) continue;
    instruction->replaceAllUsesWith(value);
    instruction->eraseFromParent();
  }
}

}  // namespace guda::target
