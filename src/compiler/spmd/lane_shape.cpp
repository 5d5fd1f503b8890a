#include "compiler/spmd/lane_shape.h"

#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/Analysis/TargetTransformInfoImpl.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Operator.h>
#include <llvm/IR/PatternMatch.h>
#include <llvm/Support/KnownBits.h>

#include "compiler/spmd/device_calls.h"

namespace guda::spmd {

using namespace llvm::PatternMatch;
using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

namespace {

constexpr unsigned kMaxChecks = 2;

/// The member mask operand of a *.sync operation is the last one.
bool has_constant_mask(const llvm::CallBase& call) {
  return call.arg_size() > 0 &&
         llvm::isa<llvm::ConstantInt>(call.getArgOperand(call.arg_size() - 1));
}

/// Seeds of the uniformity analysis.
class WarpTarget final : public llvm::TargetTransformInfoImplBase {
 public:
  WarpTarget(const llvm::DataLayout& layout, const WarpLayout& warp)
      : TargetTransformInfoImplBase(layout), warp_(warp) {}

  bool hasBranchDivergence(const llvm::Function*) const override { return true; }

  llvm::InstructionUniformity getInstructionUniformity(const Value* value) const override {
    using enum llvm::InstructionUniformity;
    const auto* instruction = llvm::dyn_cast<Instruction>(value);
    if (instruction == nullptr) return Default;
    if (llvm::isa<llvm::AtomicRMWInst, llvm::AtomicCmpXchgInst, llvm::AllocaInst>(instruction)) {
      return NeverUniform;
    }
    if (const auto* call = llvm::dyn_cast<llvm::CallBase>(instruction)) return classify(*call);
    return is_uniform_by_alignment(*instruction) ? AlwaysUniform : Default;
  }

 private:
  llvm::InstructionUniformity classify(const llvm::CallBase& call) const {
    using enum llvm::InstructionUniformity;
    if (call.getCalledFunction() != nullptr &&
        call.getCalledFunction()->hasFnAttribute(kSerialLoop)) {
      return NeverUniform;
    }
    llvm::StringRef name = device_function(call);
    if (name == "guda.lane" || name == "ptx.syscall.malloc" || name == "ptx.syscall.vprintf") {
      return NeverUniform;
    }
    if (name == "guda.all" || name.starts_with("guda.first.")) return AlwaysUniform;
    if (name.consume_front("ptx.sreg.")) {
      if (name == "tid.x" || name == "laneid" || name.starts_with("lanemask")) return NeverUniform;
      if (name == "tid.y" || name == "tid.z") return warp_.rows ? Default : NeverUniform;
      return Default;
    }
    if (!name.consume_front("ptx.")) return Default;
    if (name == "activemask" || name.starts_with("bar.")) return AlwaysUniform;
    if (name.starts_with("vote.") || name.starts_with("redux.")) {
      return has_constant_mask(call) ? AlwaysUniform : NeverUniform;
    }
    if (name.starts_with("shfl.") || name.starts_with("match.") || name.starts_with("elect.")) {
      return NeverUniform;
    }
    return Default;
  }

  /// tid.x / 32, tid.x < 64 and the like: the same in all lanes because a warp starts at a multiple
  /// of its width.
  bool is_uniform_by_alignment(const Instruction& instruction) const {
    const uint64_t lanes = warp_.lanes;
    Value* operand = nullptr;
    const llvm::APInt* constant = nullptr;
    if (match(&instruction, m_LShr(m_Value(operand), m_APInt(constant))) ||
        match(&instruction, m_AShr(m_Value(operand), m_APInt(constant)))) {
      return constant->ult(32) && (uint64_t{1} << constant->getZExtValue()) >= lanes &&
             is_lane_aligned(operand, warp_);
    }
    if (match(&instruction, m_And(m_Value(operand), m_APInt(constant)))) {
      // (tid.x >> 3) & ~3: what is kept lies above the lane bits.
      const llvm::APInt* shift = nullptr;
      Value* shifted = nullptr;
      uint64_t dropped = 0;
      if (match(operand, m_LShr(m_Value(shifted), m_APInt(shift))) && shift->ult(32)) {
        dropped = shift->getZExtValue();
        operand = shifted;
      }
      return (constant->getZExtValue() << dropped & (lanes - 1)) == 0 &&
             is_lane_aligned(operand, warp_);
    }
    if (match(&instruction, m_UDiv(m_Value(operand), m_APInt(constant)))) {
      return constant->getZExtValue() % lanes == 0 && is_lane_aligned(operand, warp_);
    }
    if (const auto* compare = llvm::dyn_cast<llvm::ICmpInst>(&instruction)) {
      if (!match(compare->getOperand(1), m_APInt(constant)) ||
          !is_lane_aligned(compare->getOperand(0), warp_) || constant->isNegative()) {
        return false;
      }
      switch (compare->getPredicate()) {
        case llvm::CmpInst::ICMP_ULT:
        case llvm::CmpInst::ICMP_SLT:
        case llvm::CmpInst::ICMP_UGE:
        case llvm::CmpInst::ICMP_SGE: return constant->getZExtValue() % lanes == 0;
        case llvm::CmpInst::ICMP_UGT:
        case llvm::CmpInst::ICMP_SGT:
        case llvm::CmpInst::ICMP_ULE:
        case llvm::CmpInst::ICMP_SLE: return (constant->getZExtValue() + 1) % lanes == 0;
        default: return false;
      }
    }
    return false;
  }

  const WarpLayout& warp_;
};

}  // namespace

llvm::StringRef device_function(const Instruction& instruction) {
  const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
  if (call == nullptr || call->getCalledFunction() == nullptr) return {};
  const llvm::StringRef name = call->getCalledFunction()->getName();
  return name.starts_with("ptx.") || name.starts_with("guda.") ? name : llvm::StringRef{};
}

namespace {

/// Uniform without asking the uniformity analysis (which asks back): arithmetic on block indices,
/// parameters and constants.
bool is_obviously_uniform(const Value* value, unsigned depth) {
  const auto* instruction = llvm::dyn_cast<Instruction>(value);
  if (instruction == nullptr) return true;
  if (depth > 6) return false;
  llvm::StringRef name = device_function(*instruction);
  if (name.consume_front("ptx.sreg.")) {
    return name.starts_with("ctaid") || name.starts_with("nctaid") || name.starts_with("ntid");
  }
  if (!llvm::isa<llvm::BinaryOperator, llvm::CastInst, llvm::GetElementPtrInst>(instruction) &&
      !(llvm::isa<llvm::LoadInst>(instruction) &&
        instruction->hasMetadata(llvm::LLVMContext::MD_invariant_load))) {
    return false;
  }
  return llvm::all_of(instruction->operands(), [&](const llvm::Use& operand) {
    return is_obviously_uniform(operand, depth + 1);
  });
}

}  // namespace

bool is_lane_aligned(const Value* value, const WarpLayout& layout) {
  if (!layout.aligned) return false;
  const auto* instruction = llvm::dyn_cast<Instruction>(value);
  if (instruction == nullptr) return false;
  const llvm::StringRef name = device_function(*instruction);
  if (name == "ptx.sreg.tid.x" || name == "guda.lane") return true;
  if (name == "ptx.sreg.laneid") return layout.lanes <= 32;
  const llvm::APInt* constant = nullptr;
  Value* operand = nullptr;
  if (llvm::isa<llvm::ZExtInst, llvm::SExtInst, llvm::TruncInst>(instruction)) {
    // Thread indices are below 1024: neither extension changes them, truncation to i16 neither.
    return instruction->getType()->getIntegerBitWidth() >= 16 &&
           is_lane_aligned(instruction->getOperand(0), layout);
  }
  if (match(instruction, m_And(m_Value(operand), m_APInt(constant)))) {
    return constant->getZExtValue() >= layout.lanes - 1 && (constant->getZExtValue() + 1) != 0 &&
           llvm::isPowerOf2_64(constant->getZExtValue() + 1) && is_lane_aligned(operand, layout);
  }
  // A multiple of the warp's width, the same in all lanes, moves the warp as a whole.
  Value* other = nullptr;
  if (match(instruction, m_AddLike(m_Value(operand), m_Value(other)))) {
    for (int i = 0; i < 2; ++i, std::swap(operand, other)) {
      if (is_obviously_uniform(other, 0) &&
          (uint64_t{1} << std::min(
               llvm::computeKnownBits(other, instruction->getDataLayout()).countMinTrailingZeros(),
               31u)) >= layout.lanes &&
          is_lane_aligned(operand, layout)) {
        return true;
      }
    }
  }
  return false;
}

LaneShapes::LaneShapes(llvm::Function& function, const WarpLayout& layout,
                       llvm::DominatorTree& dominators, llvm::LoopInfo& loops,
                       llvm::ScalarEvolution& evolution)
    : layout_(layout), dominators_(dominators), loops_(loops) {
  cycles_.compute(function);
  target_ = std::make_unique<llvm::TargetTransformInfo>(
      std::make_unique<WarpTarget>(function.getDataLayout(), layout_));
  // A phi of distinct constants is uniform exactly if the join is: ask the analysis.
  llvm::SmallVector<llvm::PHINode*, 32> probes;
  for (BasicBlock& block : function) {
    if (!block.hasNPredecessorsOrMore(2)) continue;
    llvm::IRBuilder<> builder(&block, block.begin());
    auto* probe = builder.CreatePHI(builder.getInt32Ty(), 2);
    uint32_t number = 0;
    for (BasicBlock* predecessor : llvm::predecessors(&block)) {
      probe->addIncoming(builder.getInt32(number++), predecessor);
    }
    probes.push_back(probe);
  }
  uniformity_ = std::make_unique<llvm::UniformityInfo>(dominators, cycles_, target_.get());
  uniformity_->compute();
  for (llvm::PHINode* probe : probes) {
    const BasicBlock* block = probe->getParent();
    uniform_join_[block] = loops.isLoopHeader(block) || uniformity_->isUniform(probe);
  }
  for (llvm::PHINode* probe : probes) probe->eraseFromParent();
  find_affine(function, evolution);
}

bool LaneShapes::is_uniform(const Value* value) const {
  if (!llvm::isa<Instruction>(value)) return true;
  return uniformity_->isUniform(value);
}

bool LaneShapes::has_divergent_terminator(const BasicBlock& block) const {
  return uniformity_->hasDivergentTerminator(block);
}

bool LaneShapes::joins_uniformly(const BasicBlock& block) const {
  const auto found = uniform_join_.find(&block);
  return found == uniform_join_.end() || found->second;
}

const Affine* LaneShapes::affine(const Value* value) const {
  const auto found = affine_.find(value);
  return found == affine_.end() ? nullptr : &found->second;
}

std::optional<Affine> LaneShapes::operand(const Value* value) const {
  if (is_uniform(value)) return Affine{};
  if (const Affine* known = affine(value)) return *known;
  return std::nullopt;
}

std::optional<Affine> LaneShapes::extend(const Instruction& instruction,
                                         llvm::ScalarEvolution& evolution) const {
  std::optional<Affine> result = operand(instruction.getOperand(0));
  if (!result) return std::nullopt;
  if (is_lane_aligned(instruction.getOperand(0), layout_)) return result;
  Affine checked{result->stride, {{&instruction, 1}}};
  if (!result->checks.empty()) return checked;
  // Lanes stand next to each other: no wrap if the range of any one lane stays clear of the edge by
  // the spread of a warp.
  Value* source = instruction.getOperand(0);
  const bool is_signed = llvm::isa<llvm::SExtInst>(instruction) || instruction.hasNonNeg();
  const unsigned width = source->getType()->getIntegerBitWidth();
  const uint64_t spread = static_cast<uint64_t>(std::abs(result->stride)) * (layout_.lanes - 1);
  if (width >= 16 && spread < (uint64_t{1} << (width - 2))) {
    const llvm::SCEV* expression = evolution.getSCEV(source);
    const llvm::APInt room(width, spread);
    if (is_signed) {
      const llvm::ConstantRange range = evolution.getSignedRange(expression);
      if (range.getSignedMax().sle(llvm::APInt::getSignedMaxValue(width) - room) &&
          range.getSignedMin().sge(llvm::APInt::getSignedMinValue(width) + room)) {
        return result;
      }
      // Without room on both sides a full range may still be proved by the flags of an add chain.
    } else {
      const llvm::ConstantRange range = evolution.getUnsignedRange(expression);
      if (range.getUnsignedMax().ule(llvm::APInt::getMaxValue(width) - room)) {
        if (result->stride >= 0 || range.getUnsignedMin().uge(room)) return result;
      }
    }
  }
  return checked;
}

std::optional<Affine> LaneShapes::compute(const Instruction& instruction,
                                          llvm::ScalarEvolution& evolution) const {
  const auto merge = [](Affine left, const Affine& right, int64_t sign) -> std::optional<Affine> {
    left.stride += sign * right.stride;
    for (const Affine::Check& check : right.checks) {
      auto* same = llvm::find_if(
          left.checks, [&](const Affine::Check& own) { return own.extension == check.extension; });
      if (same == left.checks.end()) {
        left.checks.push_back({check.extension, sign * check.factor});
      } else if ((same->factor += sign * check.factor) == 0) {
        left.checks.erase(same);
      }
    }
    if (left.checks.size() > kMaxChecks) return std::nullopt;
    return left;
  };
  const auto scaled = [&](const Value* value, int64_t factor) -> std::optional<Affine> {
    std::optional<Affine> result = operand(value);
    if (result) {
      result->stride *= factor;
      for (Affine::Check& check : result->checks) check.factor *= factor;
    }
    return result;
  };
  const llvm::StringRef name = device_function(instruction);
  if (name == "ptx.sreg.tid.x" && layout_.rows) return Affine{1, {}};
  if (name == "ptx.sreg.laneid") return Affine{1, {}};
  if (name == "guda.lane") return Affine{1, {}};

  const llvm::APInt* constant = nullptr;
  switch (instruction.getOpcode()) {
    case Instruction::Or:
      if (!llvm::cast<llvm::PossiblyDisjointInst>(instruction).isDisjoint()) return std::nullopt;
      [[fallthrough]];
    case Instruction::Add:
    case Instruction::Sub: {
      const auto left = operand(instruction.getOperand(0));
      const auto right = operand(instruction.getOperand(1));
      if (!left || !right) return std::nullopt;
      return merge(*left, *right, instruction.getOpcode() == Instruction::Sub ? -1 : 1);
    }
    case Instruction::Mul:
      if (match(instruction.getOperand(1), m_APInt(constant)) && constant->getBitWidth() <= 64) {
        return scaled(instruction.getOperand(0), constant->getSExtValue());
      }
      return std::nullopt;
    case Instruction::Shl:
      if (match(instruction.getOperand(1), m_APInt(constant)) && constant->ult(32)) {
        return scaled(instruction.getOperand(0), int64_t{1} << constant->getZExtValue());
      }
      return std::nullopt;
    case Instruction::And:
      // (base + lane) & (2^k - 1) with base a multiple of the warp's width does not wrap inside it.
      if (is_lane_aligned(&instruction, layout_)) return Affine{1, {}};
      return std::nullopt;
    case Instruction::SExt:
    case Instruction::ZExt: return extend(instruction, evolution);
    case Instruction::Trunc:
    case Instruction::Freeze:
    case Instruction::PtrToInt:
    case Instruction::IntToPtr:
      if (!instruction.getType()->isIntOrPtrTy()) return std::nullopt;
      return operand(instruction.getOperand(0));
    case Instruction::GetElementPtr: {
      const auto& gep = llvm::cast<llvm::GetElementPtrInst>(instruction);
      if (gep.getNumIndices() != 1 || gep.getType()->isVectorTy()) return std::nullopt;
      const int64_t size = static_cast<int64_t>(
          instruction.getDataLayout().getTypeAllocSize(gep.getSourceElementType()).getFixedValue());
      const auto base = operand(gep.getPointerOperand());
      const auto index = scaled(gep.getOperand(1), size);
      if (!base || !index || gep.getOperand(1)->getType()->getIntegerBitWidth() != 64) {
        return std::nullopt;
      }
      return merge(*base, *index, 1);
    }
    case Instruction::Select: {
      if (!is_uniform(instruction.getOperand(0))) return std::nullopt;
      const auto left = operand(instruction.getOperand(1));
      const auto right = operand(instruction.getOperand(2));
      if (!left || !right || !(*left == *right)) return std::nullopt;
      return left;
    }
    case Instruction::PHI: {
      const auto& phi = llvm::cast<llvm::PHINode>(instruction);
      if (!joins_uniformly(*phi.getParent())) return std::nullopt;
      std::optional<Affine> result;
      for (unsigned i = 0; i < phi.getNumIncomingValues(); ++i) {
        const Value* incoming = phi.getIncomingValue(i);
        // Lanes may leave a loop in different iterations.
        const llvm::Loop* loop = loops_.getLoopFor(phi.getIncomingBlock(i));
        if (loop != nullptr && !loop->contains(phi.getParent())) return std::nullopt;
        if (incoming == &phi || undecided_.contains(incoming)) continue;
        const auto next = operand(incoming);
        if (!next || (result && !(*result == *next))) return std::nullopt;
        for (const Affine::Check& check : next->checks) {
          if (!dominators_.properlyDominates(check.extension->getParent(), phi.getParent())) {
            return std::nullopt;
          }
        }
        result = next;
      }
      return result;
    }
    default: return std::nullopt;
  }
}

void LaneShapes::find_affine(llvm::Function& function, llvm::ScalarEvolution& evolution) {
  // Optimistic: a phi is what its known inputs say until proved otherwise; iterate to a fixpoint
  // where only removals happen after the first sweep.
  llvm::SmallVector<Instruction*, 128> candidates;
  for (BasicBlock* block : llvm::ReversePostOrderTraversal<llvm::Function*>(&function)) {
    for (Instruction& instruction : *block) {
      if (is_uniform(&instruction) || !instruction.getType()->isIntOrPtrTy() ||
          instruction.getType()->isIntegerTy(1)) {
        continue;
      }
      candidates.push_back(&instruction);
      undecided_.insert(&instruction);
    }
  }
  for (Instruction* instruction : candidates) {
    undecided_.erase(instruction);
    if (auto shape = compute(*instruction, evolution)) affine_[instruction] = *shape;
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (Instruction* instruction : candidates) {
      const auto found = affine_.find(instruction);
      if (found == affine_.end()) continue;
      const auto shape = compute(*instruction, evolution);
      if (shape && *shape == found->second) continue;
      affine_.erase(instruction);
      changed = true;
    }
  }
}

}  // namespace guda::spmd
