// Prefetching of what hardware cannot guess. A kernel that gives one row to each block reads it in
// pieces: warp by warp, each at the stride of the block; one whose blocks are tiles reads a few lines
// of each row. No hardware prefetcher follows that, but the next block will do the same one row or tile
// further. How far that is
// follows from the address computation.
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Operator.h>

#include "compiler/spmd/emitter.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

constexpr unsigned kMaxDepth = 16;
constexpr uint64_t kCacheLine = 64;
/// In loops: what the next block reads further away than this would be evicted before it comes to it.
constexpr int64_t kMaxDistance = 16 << 10;

}  // namespace

/// How much larger `value` is in the next block (ctaid.x + 1): a uniform i64, null for no difference,
/// nothing if unknown.
std::optional<Value*> Emitter::block_step(const Value* value, unsigned depth) {
  llvm::Type* wide = builder_.getInt64Ty();
  if (llvm::isa<llvm::Constant, llvm::Argument>(value)) return nullptr;
  const auto* instruction = llvm::cast<Instruction>(value);
  if (depth > kMaxDepth) return std::nullopt;
  const auto step_of = [&](unsigned operand) {
    return block_step(instruction->getOperand(operand), depth + 1);
  };
  const auto sum = [&](std::optional<Value*> left, std::optional<Value*> right,
                       bool negative = false) -> std::optional<Value*> {
    if (!left || !right) return std::nullopt;
    if (*right == nullptr) return left;
    if (negative) right = builder_.CreateNeg(*right);
    return *left == nullptr ? *right : builder_.CreateAdd(*left, *right);
  };
  const llvm::StringRef name = device_function(*instruction);
  if (name == "ptx.sreg.ctaid.x") return builder_.getInt64(1);
  if (name.starts_with("ptx.sreg.")) return nullptr;
  if (instruction->getType()->isIntegerTy() && instruction->getType()->getIntegerBitWidth() > 64) {
    return std::nullopt;
  }
  switch (instruction->getOpcode()) {
    case Instruction::Load:
      if (instruction->hasMetadata(llvm::LLVMContext::MD_invariant_load) && is_uniform(value)) {
        return nullptr;  // a parameter
      }
      return std::nullopt;
    case Instruction::Add: return sum(step_of(0), step_of(1));
    case Instruction::Or:
      if (!llvm::cast<llvm::PossiblyDisjointInst>(instruction)->isDisjoint()) return std::nullopt;
      return sum(step_of(0), step_of(1));
    case Instruction::Sub: return sum(step_of(0), step_of(1), true);
    case Instruction::Mul: {
      const std::optional<Value*> left = step_of(0), right = step_of(1);
      if (!left || !right || (*left != nullptr && *right != nullptr)) return std::nullopt;
      if (*left == nullptr && *right == nullptr) return nullptr;
      const Value* factor = instruction->getOperand(*left != nullptr ? 1 : 0);
      if (!is_uniform(factor)) return std::nullopt;
      return builder_.CreateMul(*left != nullptr ? *left : *right,
                                builder_.CreateSExtOrTrunc(uniform(factor), wide));
    }
    case Instruction::Shl: {
      const auto* amount = llvm::dyn_cast<llvm::ConstantInt>(instruction->getOperand(1));
      const std::optional<Value*> shifted = step_of(0);
      if (amount == nullptr || amount->getValue().uge(32) || !shifted) return std::nullopt;
      if (*shifted == nullptr) return nullptr;
      return builder_.CreateShl(*shifted, amount->getZExtValue());
    }
    case Instruction::SExt:
    case Instruction::ZExt:
    case Instruction::Trunc:
    case Instruction::PtrToInt:
    case Instruction::IntToPtr:
    case Instruction::Freeze: return step_of(0);
    case Instruction::GetElementPtr: {
      const auto* gep = llvm::cast<llvm::GEPOperator>(instruction);
      if (gep->getNumIndices() != 1) return std::nullopt;
      std::optional<Value*> index = step_of(1);
      if (!index) return std::nullopt;
      const uint64_t size = layout_.getTypeAllocSize(gep->getSourceElementType()).getFixedValue();
      if (*index != nullptr) index = builder_.CreateMul(*index, builder_.getInt64(size));
      return sum(step_of(0), index);
    }
    case Instruction::PHI: {
      const auto* phi = llvm::cast<llvm::PHINode>(instruction);
      const llvm::Loop* own = context_.loops->getLoopFor(phi->getParent());
      if (own == nullptr || own->getHeader() != phi->getParent() ||
          own->getLoopPreheader() == nullptr || own->getLoopLatch() == nullptr) {
        return std::nullopt;
      }
      const auto* next =
          llvm::dyn_cast<llvm::BinaryOperator>(phi->getIncomingValueForBlock(own->getLoopLatch()));
      if (next == nullptr || next->getOpcode() != Instruction::Add || next->getOperand(0) != phi) {
        return std::nullopt;
      }
      // It begins elsewhere, and takes the same steps if these are constant: those of the threads of
      // a row. Others (grid-stride loops) go far and long.
      if (!llvm::isa<llvm::ConstantInt>(next->getOperand(1))) return std::nullopt;
      return block_step(phi->getIncomingValueForBlock(own->getLoopPreheader()), depth + 1);
    }
    default: return std::nullopt;
  }
}

/// Blocks that no lane has left on the way from the kernel's entry.
void Emitter::find_complete_blocks() {
  for (const BlockPlan& plan : plan_.blocks()) {
    const llvm::Loop* loop = context_.loops->getLoopFor(plan.block);
    const bool is_header = loop != nullptr && loop->getHeader() == plan.block;
    if (is_header && plan_.is_divergent(loop)) continue;
    const bool complete =
        lanes_complete_.contains(plan.same_mask) ||
        llvm::all_of(llvm::predecessors(plan.block), [&](const BasicBlock* predecessor) {
          return (is_header && loop->contains(predecessor)) ||
                 (lanes_complete_.contains(predecessor) &&
                  !shapes_.has_divergent_terminator(*predecessor));
        });
    if (complete) lanes_complete_.insert(plan.block);
  }
}

void Emitter::prefetch_next_block(const Instruction& access, const Value* pointer, uint64_t bytes,
                                  bool write) {
  // Not for stragglers: only where all lanes are that entered the kernel.
  if (lanes_complete_.empty()) find_complete_blocks();
  const llvm::Loop* loop = context_.loops->getLoopFor(access.getParent());
  if (!lanes_complete_.contains(access.getParent()) ||
      (loop == nullptr && context_.layout.one_dimensional)) {
    return;
  }
  const std::optional<Value*> step = block_step(pointer, 0);
  if (!step || *step == nullptr) return;
  Value* distance = *step;
  if (loop != nullptr) {
    Value* near =
        builder_.CreateICmpULE(builder_.CreateAdd(distance, builder_.getInt64(kMaxDistance)),
                               builder_.getInt64(2 * kMaxDistance));
    distance = builder_.CreateSelect(near, distance, builder_.getInt64(0));
  }
  Value* next = builder_.CreateGEP(builder_.getInt8Ty(), base(pointer), distance);
  for (uint64_t offset = 0; offset < bytes; offset += kCacheLine) {
    Value* line = builder_.CreateConstGEP1_64(builder_.getInt8Ty(), next, offset);
    builder_.CreateIntrinsic(
        llvm::Intrinsic::prefetch, {builder_.getPtrTy()},
        {line, builder_.getInt32(write ? 1 : 0), builder_.getInt32(3), builder_.getInt32(1)});
  }
}

}  // namespace guda::spmd
