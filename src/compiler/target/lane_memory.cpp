// Masked memory accesses that x86 lacks, without a branch per lane as LLVM would write them: small
// elements, and scatters before AVX-512.
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>

#include "compiler/target/lane_ops.h"

namespace guda::target {
namespace {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

/// One masked access and the code that replaces it.
class MaskedAccess {
 public:
  MaskedAccess(llvm::IntrinsicInst& call, unsigned lanes, const CpuFeatures& features)
      : call_(call), b(&call, lanes, features), features_(features) {}

  /// The value that a load or gather gets, the call itself for a store; null: LLVM's is good.
  Value* rewrite() {
    switch (call_.getIntrinsicID()) {
      case Intrinsic::masked_load: return load();
      case Intrinsic::masked_store: return store();
      case Intrinsic::masked_gather: return gather();
      case Intrinsic::masked_scatter: return scatter();
      default: return nullptr;
    }
  }

 private:
  static bool is_small(const llvm::Type* type) { return type->getScalarSizeInBits() < 32; }
  static bool is_small_float(const llvm::Type* type) {
    return type->getScalarType()->isHalfTy() || type->getScalarType()->isBFloatTy();
  }

  Value* load() {
    llvm::Type* type = call_.getType();
    Value* pointer = call_.getArgOperand(0);
    Value* mask = call_.getArgOperand(1);
    Value* otherwise = call_.getArgOperand(2);
    if (!is_small(type)) return nullptr;
    if (features_.avx512) {
      if (!is_small_float(type)) return nullptr;
      Value* loaded = b.CreateMaskedLoad(b.i16(), pointer, call_.getParamAlign(0).valueOrOne(),
                                         mask, b.CreateBitCast(otherwise, b.i16()));
      return b.CreateBitCast(loaded, type);
    }
    // Lanes that are off read the spare slot.
    Value* result = otherwise;
    llvm::Type* element = type->getScalarType();
    for (unsigned lane = 0; lane < b.lanes(); ++lane) {
      Value* on = b.CreateExtractElement(mask, lane);
      Value* from = b.CreateSelect(on, b.CreateConstGEP1_32(element, pointer, lane), spare());
      Value* value = b.CreateLoad(element, from);
      if (!llvm::isa<llvm::UndefValue>(otherwise))
        value = b.CreateSelect(on, value, b.CreateExtractElement(otherwise, lane));
      result = b.CreateInsertElement(result, value, lane);
    }
    return result;
  }

  Value* store() {
    Value* value = call_.getArgOperand(0);
    Value* pointer = call_.getArgOperand(1);
    Value* mask = call_.getArgOperand(2);
    if (!is_small(value->getType())) return nullptr;
    if (features_.avx512) {
      if (!is_small_float(value->getType())) return nullptr;
      b.CreateMaskedStore(b.CreateBitCast(value, b.i16()), pointer,
                          call_.getParamAlign(1).valueOrOne(), mask);
      return &call_;
    }
    llvm::Type* element = value->getType()->getScalarType();
    for (unsigned lane = 0; lane < b.lanes(); ++lane)
      store_lane(value, mask, b.CreateConstGEP1_32(element, pointer, lane), lane);
    return &call_;
  }

  /// The aligned word around the element: it lies in the same page, so it may be read when the
  /// element may.
  Value* gather() {
    llvm::Type* type = call_.getType();
    Value* pointers = call_.getArgOperand(0);
    Value* mask = call_.getArgOperand(1);
    Value* otherwise = call_.getArgOperand(2);
    if (!is_small(type)) return nullptr;
    const unsigned bits = type->getScalarSizeInBits();
    if (bits != 8 && bits != 16) return nullptr;
    Value* addresses = b.CreatePtrToInt(pointers, b.i64());
    Value* words =
        b.CreateIntToPtr(b.CreateAnd(addresses, b.number(addresses, -4)), pointers->getType());
    Value* word = b.CreateMaskedGather(b.i32(), words, llvm::Align(4), mask,
                                       llvm::Constant::getNullValue(b.i32()));
    Value* shift = b.CreateShl(
        b.CreateAnd(b.CreateTrunc(addresses, b.i32()), b.i32_constant(bits == 8 ? 3 : 2)),
        b.i32_constant(3));
    Value* element = b.CreateTrunc(b.CreateLShr(word, shift), b.shaped(b.getIntNTy(bits)));
    element = b.CreateBitCast(element, type);
    return llvm::isa<llvm::UndefValue>(otherwise) ? element
                                                  : b.CreateSelect(mask, element, otherwise);
  }

  Value* scatter() {
    Value* value = call_.getArgOperand(0);
    Value* pointers = call_.getArgOperand(1);
    Value* mask = call_.getArgOperand(2);
    if (features_.avx512 && !is_small(value->getType())) return nullptr;
    for (unsigned lane = 0; lane < b.lanes(); ++lane)
      store_lane(value, mask, b.CreateExtractElement(pointers, lane), lane);
    return &call_;
  }

  /// Lanes that are off write to the spare slot.
  void store_lane(Value* values, Value* mask, Value* pointer, unsigned lane) {
    Value* to = b.CreateSelect(b.CreateExtractElement(mask, lane), pointer, spare());
    b.CreateAlignedStore(b.CreateExtractElement(values, lane), to, llvm::Align(1));
  }

  Value* spare() {
    if (!spare_) {
      llvm::BasicBlock& entry = call_.getFunction()->getEntryBlock();
      llvm::IRBuilder<> builder(&entry, entry.begin());
      spare_ = builder.CreateAlloca(b.getInt64Ty(), nullptr, "spare");
    }
    return spare_;
  }

  llvm::IntrinsicInst& call_;
  LaneBuilder b;
  const CpuFeatures& features_;
  Value* spare_ = nullptr;
};

unsigned lanes_of(const llvm::IntrinsicInst& call) {
  const bool loads = !call.getType()->isVoidTy();
  const llvm::Type* type = loads ? call.getType() : call.getArgOperand(0)->getType();
  return llvm::cast<llvm::FixedVectorType>(type)->getNumElements();
}

}  // namespace

void legalize_masked_memory(llvm::Module& module, const CpuFeatures& features) {
  std::vector<llvm::IntrinsicInst*> work;
  for (llvm::Function& function : module) {
    for (llvm::Instruction& instruction : llvm::instructions(function)) {
      auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
      if (!call) continue;
      switch (call->getIntrinsicID()) {
        case Intrinsic::masked_load:
        case Intrinsic::masked_store:
        case Intrinsic::masked_gather:
        case Intrinsic::masked_scatter: work.push_back(call);
        default: break;
      }
    }
  }
  for (llvm::IntrinsicInst* call : work) {
    Value* value = MaskedAccess(*call, lanes_of(*call), features).rewrite();
    if (!value) continue;
    if (value != call) call->replaceAllUsesWith(value);
    call->eraseFromParent();
  }
}

}  // namespace guda::target
