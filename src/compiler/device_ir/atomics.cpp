// Atomic read-modify-write operations (PTX ISA 9.7.13): atom and red.
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/float_operations.h"
#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {
namespace {

using llvm::AtomicRMWInst;
using llvm::Value;

AtomicRMWInst::BinOp operation(Lowering& l, ScalarType type) {
  if (l.has("add")) return is_float(type) ? AtomicRMWInst::FAdd : AtomicRMWInst::Add;
  if (l.has("min")) return is_signed(type) ? AtomicRMWInst::Min : AtomicRMWInst::UMin;
  if (l.has("max")) return is_signed(type) ? AtomicRMWInst::Max : AtomicRMWInst::UMax;
  if (l.has("and")) return AtomicRMWInst::And;
  if (l.has("or")) return AtomicRMWInst::Or;
  if (l.has("xor")) return AtomicRMWInst::Xor;
  if (l.has("exch")) return AtomicRMWInst::Xchg;
  if (l.has("inc")) return AtomicRMWInst::UIncWrap;
  if (l.has("dec")) return AtomicRMWInst::UDecWrap;
  l.fail("unknown atomic operation");
  return AtomicRMWInst::Add;
}

// For packed floats min and max are per lane; LLVM names them fminimumnum.
AtomicRMWInst::BinOp floating_operation(Lowering& l, ScalarType type) {
  if (is_float(type) && l.has("min")) return AtomicRMWInst::FMin;
  if (is_float(type) && l.has("max")) return AtomicRMWInst::FMax;
  return operation(l, type);
}

void lower_cas(Lowering& l) {
  const ScalarType type = l.type();
  Value* pointer = l.fn.pointer(l.operand(1), state_space(l));
  Value* expected = l.in(2);
  Value* desired = l.in(3);
  if (l.fn.failed()) return;
  const llvm::AtomicOrdering success = ordering(l, llvm::AtomicOrdering::Monotonic);
  Value* pair = l.b.CreateAtomicCmpXchg(
      pointer, expected, desired, llvm::MaybeAlign(ptx::bit_width(type) / 8), success,
      llvm::AtomicCmpXchgInst::getStrongestFailureOrdering(success));
  l.out(l.b.CreateExtractValue(pair, 0));
}

// bf16 by compare and swap, because the sum is computed in f32 (float_operations.h). Returns the
// old bits.
Value* bf16_atomic(Lowering& l, Value* pointer, Value* operand, unsigned bits,
                   llvm::AtomicOrdering order) {
  auto& b = l.b;
  llvm::Type* word = b.getIntNTy(bits);
  llvm::BasicBlock* before = b.GetInsertBlock();
  llvm::BasicBlock* loop = l.fn.new_block("atomic");
  llvm::BasicBlock* done = l.fn.new_block("atomic.done");
  llvm::LoadInst* first = b.CreateAlignedLoad(word, pointer, llvm::Align(bits / 8));
  first->setAtomic(llvm::AtomicOrdering::Monotonic);
  b.CreateBr(loop);
  l.fn.continue_in(loop);
  llvm::PHINode* old = b.CreatePHI(word, 2);
  old->addIncoming(first, before);
  auto lane = [&](Value* value, unsigned index) {
    Value* wide = b.CreateZExt(value, b.getInt32Ty());
    wide = index == 0 ? b.CreateShl(wide, 16) : b.CreateAnd(wide, l.i32(0xffff0000));
    return b.CreateBitCast(wide, b.getFloatTy());
  };
  Value* desired = nullptr;
  for (unsigned i = 0; i < bits / 16; ++i) {
    Value* left = lane(old, i);
    Value* right = lane(operand, i);
    Value* sum = l.has("add")   ? b.CreateFAdd(left, right)
                 : l.has("min") ? l.intrinsic(llvm::Intrinsic::minimumnum, {left, right})
                                : l.intrinsic(llvm::Intrinsic::maximumnum, {left, right});
    Value* part = b.CreateZExt(round_to_bf16(l, sum), word);
    desired = i == 0 ? part : b.CreateOr(desired, b.CreateShl(part, 16));
  }
  Value* pair = b.CreateAtomicCmpXchg(pointer, old, desired, llvm::Align(bits / 8), order,
                                      llvm::AtomicCmpXchgInst::getStrongestFailureOrdering(order));
  old->addIncoming(b.CreateExtractValue(pair, 0), loop);
  b.CreateCondBr(b.CreateExtractValue(pair, 1), done, loop);
  l.fn.continue_in(done);
  return old;
}

// atom d, [a], b and red [a], b; vector forms are one operation per element.
void lower_atomic(Lowering& l) {
  const ScalarType type = l.type();
  const bool returns = l.ast.opcode == "atom";
  const size_t address_index = returns ? 1 : 0;
  const unsigned bytes = ptx::bit_width(type) / 8;
  const AtomicRMWInst::BinOp binary = floating_operation(l, type);
  const llvm::AtomicOrdering order = ordering(l, llvm::AtomicOrdering::Monotonic);
  Value* pointer = l.fn.pointer(l.operand(address_index), state_space(l));
  const llvm::ArrayRef<ptx::Operand> sources = l.elements(address_index + 1);
  llvm::SmallVector<Value*, 8> old;
  for (size_t i = 0; i < sources.size() && !l.fn.failed(); ++i) {
    Value* address = i == 0 ? pointer : l.b.CreateConstGEP1_64(l.b.getInt8Ty(), pointer, i * bytes);
    if (lane_type(type) == ScalarType::bf16 && binary != AtomicRMWInst::Xchg) {
      old.push_back(
          bf16_atomic(l, address, l.fn.read(sources[i], bits_type(8 * bytes)), 8 * bytes, order));
      continue;
    }
    Value* value = l.fn.read(sources[i], type);
    if (binary == AtomicRMWInst::Xchg && value->getType()->isVectorTy()) {
      value = l.b.CreateBitCast(value, l.b.getInt32Ty());
    }
    AtomicRMWInst* update =
        l.b.CreateAtomicRMW(binary, address, value, llvm::MaybeAlign(bytes), order);
    if (l.has("sys")) update->setMetadata("guda.system", llvm::MDNode::get(l.context(), {}));
    old.push_back(update);
  }
  if (l.fn.failed() || !returns) return;
  const llvm::ArrayRef<ptx::Operand> results = l.elements(0);
  if (old.empty() || results.size() != old.size()) {
    l.fail("source and destination vectors differ in length");
    return;
  }
  const bool is_bits = old[0]->getType()->isIntegerTy();
  const ScalarType result = is_bits && is_float(type) ? bits_type(8 * bytes) : type;
  for (size_t i = 0; i < old.size(); ++i) l.fn.write(results[i], result, old[i]);
}

constexpr Row kRows[] = {
    {"atom", "$sem? $scope? $space? cas b16|b32|b64|b128 L2::cache_hint?", 4, 5, Execution::effect,
     lower_cas},
    {"atom",
     "$sem? $scope? $space? add|min|max|and|or|xor|exch|inc|dec L2::cache_hint? noftz? "
     "v2|v4|v8? b32|b64|b128|u32|u64|s32|s64|f32|f64|f16|f16x2|bf16|bf16x2",
     3, 4, Execution::effect, lower_atomic},
    {"red",
     "$sem? $scope? $space? add|min|max|and|or|xor|inc|dec L2::cache_hint? noftz? "
     "v2|v4|v8? b32|b64|u32|u64|s32|s64|f32|f64|f16|f16x2|bf16|bf16x2",
     2, 3, Execution::effect, lower_atomic},
};

}  // namespace

std::span<const Row> atomic_rows() { return kRows; }

}  // namespace guda::device_ir
