// Prefetching for the next block. A kernel that gives one row to each block reads it in pieces: warp
// by warp, each at the stride of the block; one whose blocks are tiles reads a few lines of each row.
// No hardware prefetcher follows that, but the next block will do the same one row or tile further,
// and how far that is follows from the address computation.
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
      const std::optional<Value*> step = step_of(0);
      if (amount == nullptr || amount->getValue().uge(32) || !step) return std::nullopt;
      if (*step == nullptr) return nullptr;
      return builder_.CreateShl(*step, amount->getZExtValue());
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
      // A loop variable moves with where it starts.
      const llvm::Loop* loop = context_.loops->getLoopFor(instruction->getParent());
      const auto* phi = llvm::cast<llvm::PHINode>(instruction);
      if (loop == nullptr || loop->getHeader() != phi->getParent() ||
          loop->getLoopPreheader() == nullptr || loop->getLoopLatch() == nullptr) {
        return std::nullopt;
      }
      // A stride known here is that of a row's threads; others (grid-stride loops) go far and long.
      const auto* step =
          llvm::dyn_cast<llvm::BinaryOperator>(phi->getIncomingValueForBlock(loop->getLoopLatch()));
      if (step == nullptr || step->getOpcode() != Instruction::Add || step->getOperand(0) != phi ||
          !llvm::isa<llvm::ConstantInt>(step->getOperand(1))) {
        return std::nullopt;
      }
      return block_step(phi->getIncomingValueForBlock(loop->getLoopPreheader()), depth + 1);
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
  const bool in_loop = context_.loops->getLoopFor(access.getParent()) != nullptr;
  if (!lanes_complete_.contains(access.getParent()) ||
      (!in_loop && context_.layout.one_dimensional)) {
    return;
  }
  const std::optional<Value*> step = block_step(pointer, 0);
  if (!step || *step == nullptr) return;
  Value* distance = *step;
  if (in_loop) {
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
