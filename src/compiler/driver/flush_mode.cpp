#include "compiler/driver/flush_mode.h"

#include <llvm/ADT/DenseSet.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <vector>

#include "compiler/target/target.h"

namespace guda::driver {
namespace {

using llvm::CallInst;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::isa;
using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

bool is_f32(const Value* value) { return value->getType()->getScalarType()->isFloatTy(); }

llvm::StringRef device_operation(const Value* value) {
  const auto* call = dyn_cast<CallInst>(value);
  const llvm::Function* callee = call ? call->getCalledFunction() : nullptr;
  llvm::StringRef name = callee ? callee->getName() : "";
  return name.consume_front("ptx.") ? name : llvm::StringRef();
}

bool is_flush(const Value* value) { return device_operation(value) == "ftz.f32"; }

bool is_normal_constant(const Value* value) {
  auto fits = [](const llvm::Constant* element) {
    const auto* number = dyn_cast_or_null<llvm::ConstantFP>(element);
    return number && !number->getValueAPF().isDenormal();
  };
  const auto* constant = dyn_cast<llvm::Constant>(value);
  if (!constant) return false;
  if (!constant->getType()->isVectorTy()) return fits(constant);
  const auto* type = dyn_cast<llvm::FixedVectorType>(constant->getType());
  for (unsigned i = 0; type && i < type->getNumElements(); ++i)
    if (!fits(constant->getAggregateElement(i))) return false;
  return type != nullptr;
}

/// f32 values that are never subnormal. Optimistic about phis and selects, then corrected.
class FlushedValues {
 public:
  explicit FlushedValues(llvm::Function& function) {
    for (Instruction& instruction : llvm::instructions(function))
      if (is_f32(&instruction) && is_candidate(instruction)) flushed_.insert(&instruction);
    for (bool changed = true; changed;) {
      changed = false;
      for (Instruction& instruction : llvm::instructions(function)) {
        if (!flushed_.contains(&instruction) || holds(instruction)) continue;
        flushed_.erase(&instruction);
        changed = true;
      }
    }
  }

  bool contains(const Value* value) const {
    return flushed_.contains(value) || is_normal_constant(value);
  }

 private:
  static Intrinsic::ID intrinsic(const Instruction& instruction) {
    const auto* call = dyn_cast<llvm::IntrinsicInst>(&instruction);
    return call ? call->getIntrinsicID() : Intrinsic::not_intrinsic;
  }

  static bool is_candidate(const Instruction& instruction) {
    if (isa<llvm::PHINode, llvm::SelectInst, llvm::SIToFPInst, llvm::UIToFPInst>(instruction) ||
        is_flush(&instruction) || instruction.getOpcode() == Instruction::FNeg)
      return true;
    switch (intrinsic(instruction)) {
      case Intrinsic::fabs:
      case Intrinsic::copysign:
      case Intrinsic::minnum:
      case Intrinsic::maxnum:
      case Intrinsic::minimum:
      case Intrinsic::maximum:
      case Intrinsic::minimumnum:
      case Intrinsic::maximumnum:
      case Intrinsic::floor:
      case Intrinsic::ceil:
      case Intrinsic::trunc:
      case Intrinsic::roundeven: return true;
      default: return false;
    }
  }

  bool holds(const Instruction& instruction) const {
    if (isa<llvm::SIToFPInst, llvm::UIToFPInst>(instruction) || is_flush(&instruction)) return true;
    if (const auto* phi = dyn_cast<llvm::PHINode>(&instruction))
      return llvm::all_of(phi->incoming_values(), [&](const Value* v) { return contains(v); });
    if (const auto* select = dyn_cast<llvm::SelectInst>(&instruction))
      return contains(select->getTrueValue()) && contains(select->getFalseValue());
    switch (intrinsic(instruction)) {
      case Intrinsic::floor:
      case Intrinsic::ceil:
      case Intrinsic::trunc:
      case Intrinsic::roundeven: return true;  // integers
      default: break;
    }
    // Of a constant subnormal operand nothing is assumed; copysign's second one does not matter.
    for (const Value* operand : instruction.operand_values())
      if (is_f32(operand) && !contains(operand)) return false;
    return true;
  }

  llvm::DenseSet<const Value*> flushed_;
};

/// How an instruction takes part in flush-to-zero mode.
enum class Role : uint8_t {
  neutral,  // moves bits
  arithmetic,  // reads subnormal operands as zero, returns none: needs flushed operands and results
  observing,  // reads operands as zero (comparisons, minima, conversions): needs flushed operands
  hostile,  // the mode would change what it computes
};

Role call_role(const CallInst& call) {
  if (const auto* intrinsic = dyn_cast<llvm::IntrinsicInst>(&call)) {
    switch (intrinsic->getIntrinsicID()) {
      case Intrinsic::fma:
      case Intrinsic::sqrt: return is_f32(&call) ? Role::arithmetic : Role::neutral;  // half: exact
      case Intrinsic::fabs:
      case Intrinsic::copysign:
      case Intrinsic::trunc:
      case Intrinsic::roundeven: return Role::neutral;
      case Intrinsic::minnum:
      case Intrinsic::maxnum:
      case Intrinsic::minimum:
      case Intrinsic::maximum:
      case Intrinsic::minimumnum:
      case Intrinsic::maximumnum:
      case Intrinsic::floor:
      case Intrinsic::ceil: return Role::observing;
      default: return Role::hostile;
    }
  }
  const llvm::StringRef operation = device_operation(&call);
  if (operation == "ftz.f32") return Role::neutral;
  if (operation.starts_with("cvt.")) return is_f32(&call) ? Role::hostile : Role::observing;
  if (operation.ends_with(".f32") && is_f32(&call)) return Role::arithmetic;
  return Role::hostile;
}

Role role(const Instruction& instruction) {
  if (isa<llvm::LoadInst, llvm::StoreInst, llvm::PHINode, llvm::SelectInst, llvm::BitCastInst,
          llvm::ExtractElementInst, llvm::InsertElementInst, llvm::ShuffleVectorInst,
          llvm::ExtractValueInst, llvm::InsertValueInst, llvm::FreezeInst>(instruction))
    return Role::neutral;
  bool has_f32 = is_f32(&instruction);
  bool has_half = instruction.getType()->getScalarType()->isHalfTy();
  auto is_wrong = [](const llvm::Type* type) {
    return type->getScalarType()->isDoubleTy() || type->getScalarType()->isBFloatTy();
  };
  if (is_wrong(instruction.getType())) return Role::hostile;
  for (const Value* operand : instruction.operand_values()) {
    if (is_wrong(operand->getType())) return Role::hostile;
    has_f32 |= is_f32(operand);
    has_half |= operand->getType()->getScalarType()->isHalfTy();
  }
  if (!has_f32 && !has_half) return Role::neutral;
  if (const auto* call = dyn_cast<CallInst>(&instruction)) return call_role(*call);
  switch (instruction.getOpcode()) {
    case Instruction::FAdd:
    case Instruction::FSub:
    case Instruction::FMul:
    case Instruction::FDiv:
      // Half arithmetic is done in f32, where half numbers and their products are normal.
      return has_f32 ? Role::arithmetic : Role::neutral;
    case Instruction::FCmp: return has_f32 ? Role::observing : Role::neutral;
    case Instruction::FNeg:
    case Instruction::FPExt:  // half to f32
    case Instruction::FPTrunc:  // to half: subnormal numbers become zero anyway
    case Instruction::SIToFP:
    case Instruction::UIToFP:
    case Instruction::Ret: return Role::neutral;
    case Instruction::FPToSI:
    case Instruction::FPToUI: return Role::observing;
    default: return Role::hostile;
  }
}

bool suits_flush_mode(llvm::Function& kernel, const FlushedValues& flushed) {
  for (Instruction& instruction : llvm::instructions(kernel)) {
    const Role part = role(instruction);
    if (part == Role::hostile) return false;
    if (part == Role::neutral) continue;
    for (const Value* operand : instruction.operand_values())
      if (is_f32(operand) && !flushed.contains(operand)) return false;
    if (part == Role::arithmetic && is_f32(&instruction))
      for (const llvm::User* user : instruction.users())
        if (!is_flush(user)) return false;
  }
  return true;
}

std::vector<CallInst*> flushes(llvm::Function& function) {
  std::vector<CallInst*> calls;
  for (Instruction& instruction : llvm::instructions(function))
    if (is_flush(&instruction)) calls.push_back(llvm::cast<CallInst>(&instruction));
  return calls;
}

void drop(CallInst* flush) {
  flush->replaceAllUsesWith(flush->getArgOperand(0));
  flush->eraseFromParent();
}

}  // namespace

void remove_redundant_flushes(llvm::Module& module) {
  for (llvm::Function& function : module) {
    const std::vector<CallInst*> calls = flushes(function);
    if (calls.empty()) continue;
    const FlushedValues flushed(function);
    // Decide first: dropping one flush changes what others look at.
    std::vector<CallInst*> redundant;
    for (CallInst* call : calls)
      if (flushed.contains(call->getArgOperand(0))) redundant.push_back(call);
    for (CallInst* call : redundant) drop(call);
  }
}

bool take_flush_mode(llvm::Function& kernel) {
  const std::vector<CallInst*> calls = flushes(kernel);
  if (calls.empty() || !suits_flush_mode(kernel, FlushedValues(kernel))) return false;
  for (CallInst* call : calls) {
    auto* source = dyn_cast<Instruction>(call->getArgOperand(0));
    if (source && role(*source) == Role::arithmetic) {
      drop(call);
      continue;
    }
    call->replaceUsesWithIf(call->getArgOperand(0), [](llvm::Use& use) {
      const auto* user = dyn_cast<Instruction>(use.getUser());
      return user && (role(*user) == Role::arithmetic || isa<llvm::FCmpInst>(user));
    });
    if (call->use_empty()) call->eraseFromParent();
  }
  return true;
}

llvm::Function* enter_flush_mode(llvm::Function& function) {
  llvm::Module& module = *function.getParent();
  for (llvm::Function& other : module)
    if (!other.isDeclaration())
      other.addFnAttr("denormal-fp-math-f32", "preserve-sign,preserve-sign");
  module.addModuleFlag(llvm::Module::Override, target::kFlushModeFlag, 1);

  // A function of its own: ordinary floating-point operations are not ordered with respect to the
  // control register.
  function.addFnAttr(llvm::Attribute::NoInline);
  llvm::Function* outer =
      llvm::Function::Create(function.getFunctionType(), llvm::GlobalValue::InternalLinkage,
                             function.getName() + "_flushing", module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(module.getContext(), "entry", outer));
  llvm::Type* word = builder.getInt32Ty();
  llvm::AllocaInst* saved = builder.CreateAlloca(word);
  llvm::AllocaInst* own = builder.CreateAlloca(word);
  auto control = [&](Intrinsic::ID id, Value* memory) {
    builder.CreateCall(llvm::Intrinsic::getOrInsertDeclaration(&module, id), {memory});
  };
  control(Intrinsic::x86_sse_stmxcsr, saved);
  constexpr uint32_t kFlushBits = 0x8040;  // FTZ, DAZ
  builder.CreateStore(builder.CreateOr(builder.CreateLoad(word, saved), kFlushBits), own);
  control(Intrinsic::x86_sse_ldmxcsr, own);
  llvm::SmallVector<Value*> arguments;
  for (llvm::Argument& argument : outer->args()) arguments.push_back(&argument);
  CallInst* result = builder.CreateCall(&function, arguments);
  control(Intrinsic::x86_sse_ldmxcsr, saved);
  if (result->getType()->isVoidTy())
    builder.CreateRetVoid();
  else
    builder.CreateRet(result);
  return outer;
}

}  // namespace guda::driver
