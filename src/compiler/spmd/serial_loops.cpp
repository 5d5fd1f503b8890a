#include "compiler/spmd/serial_loops.h"

#include <llvm/ADT/SetVector.h>
#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include "compiler/spmd/device_calls.h"
#include "compiler/target/alignment_checks.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Instruction;
using llvm::Value;

using target::kAlignmentCheck;
constexpr unsigned kMaxInstructions = 200;

// Estimates in cycles of a machine with AVX-512: a gather or scatter of up to 16 elements, a branch
// that is often mispredicted, and how many scalar instructions start at once.
constexpr double kGatherCost = 25;
constexpr double kBranchCost = 4;
constexpr double kScalarThroughput = 3;
constexpr double kCallCost = 10;  // a device function, scalar
/// Lists differ in length and not every lane has one: about this part of the lanes is at work.
constexpr double kDensity = 0.5;

/// May be moved into a function that knows nothing of lanes.
bool is_plain(const Instruction& instruction) {
  if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) return load->isSimple();
  if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) return store->isSimple();
  if (const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction)) {
    const llvm::StringRef name = device_function(*call);
    if (name == kAlignmentCheck) return true;
    if (name.starts_with("guda.") || name.starts_with("ptx.sreg.")) return false;
    return call->doesNotAccessMemory() && !call->isConvergent() &&
           (name.starts_with("ptx.") || llvm::isa<llvm::IntrinsicInst>(call));
  }
  return !instruction.mayReadOrWriteMemory();
}

/// Types that pass through an array of one element per lane.
bool is_passable(const llvm::Type* type) {
  return type->isPointerTy() || type->isFloatingPointTy() ||
         (type->isIntegerTy() && type->getIntegerBitWidth() % 8 == 0 &&
          type->getIntegerBitWidth() <= 64);
}

/// The address depends on something that was loaded: lanes are at unrelated places.
bool comes_from_memory(const Value* address, const LaneShapes& shapes) {
  llvm::SmallVector<const Value*, 16> worklist{address};
  llvm::SmallPtrSet<const Value*, 16> seen;
  while (!worklist.empty()) {
    const auto* instruction = llvm::dyn_cast<Instruction>(worklist.pop_back_val());
    if (instruction == nullptr || !seen.insert(instruction).second || seen.size() > 64 ||
        shapes.is_uniform(instruction) || shapes.affine(instruction) != nullptr) {
      continue;
    }
    if (llvm::isa<llvm::LoadInst>(instruction)) return true;
    if (llvm::isa<llvm::CallBase>(instruction)) continue;
    for (const Value* operand : instruction->operands()) worklist.push_back(operand);
  }
  return false;
}

bool pays(const llvm::Loop& loop, const LaneShapes& shapes, unsigned lanes) {
  double scalar = 0, vector = 0;
  unsigned instructions = 0;
  bool irregular = false;
  for (const BasicBlock* block : loop.blocks()) {
    for (const Instruction& instruction : *block) {
      if (!is_plain(instruction) || ++instructions > kMaxInstructions) return false;
      if (device_function(instruction) == kAlignmentCheck) continue;
      const Value* address = nullptr;
      if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
        address = load->getPointerOperand();
      } else if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) {
        address = store->getPointerOperand();
      }
      const llvm::Type* type = llvm::isa<llvm::StoreInst>(instruction)
                                   ? instruction.getOperand(0)->getType()
                                   : instruction.getType();
      const double registers =
          type->isSized() && !type->isAggregateType() && type->getScalarSizeInBits() != 0
              ? std::max(1.0, lanes * type->getScalarSizeInBits() / 512.0)
              : 1.0;
      const auto* branch = llvm::dyn_cast<llvm::BranchInst>(&instruction);
      if (llvm::isa<llvm::PHINode, llvm::IntToPtrInst, llvm::PtrToIntInst, llvm::BitCastInst>(
              instruction) ||
          (branch != nullptr && branch->isUnconditional())) {
        continue;
      }
      scalar += (llvm::isa<llvm::CallBase>(instruction) ? kCallCost : 1) / kScalarThroughput;
      if (branch != nullptr && block != loop.getLoopLatch() &&
          shapes.has_divergent_terminator(*block)) {
        scalar += kBranchCost;
      }
      if (address == nullptr) {
        vector += shapes.is_uniform(&instruction) ? 0 : registers;
      } else if (!shapes.is_uniform(address)) {
        // Lanes that walk side by side are SIMD's best case.
        if (shapes.affine(address) != nullptr) {
          if (!loop.isLoopInvariant(address)) return false;
          vector += registers;
          continue;
        }
        if (!comes_from_memory(address, shapes)) return false;
        vector += kGatherCost * registers;
        irregular = true;
      }
    }
  }
  return irregular && scalar * lanes * kDensity < vector;
}

/// Moves the loop into a function of its own; the results are what its exit block's phis receive.
void outline(llvm::Function& kernel, const llvm::Loop& loop) {
  llvm::LLVMContext& context = kernel.getContext();
  BasicBlock* preheader = loop.getLoopPreheader();
  BasicBlock* exit = loop.getUniqueExitBlock();
  llvm::SetVector<Value*> inputs;
  bool has_checks = false;
  for (BasicBlock* block : loop.blocks()) {
    for (Instruction& instruction : *block) {
      has_checks |= device_function(instruction) == kAlignmentCheck;
      for (Value* operand : instruction.operands()) {
        const auto* made = llvm::dyn_cast<Instruction>(operand);
        if (llvm::isa<llvm::Argument>(operand) || (made != nullptr && !loop.contains(made))) {
          inputs.insert(operand);
        }
      }
    }
  }
  llvm::SmallVector<llvm::PHINode*, 8> outputs;
  for (llvm::PHINode& phi : exit->phis()) outputs.push_back(&phi);
  llvm::SmallVector<llvm::Type*, 16> arguments, results;
  for (const Value* input : inputs) arguments.push_back(input->getType());
  for (const llvm::PHINode* output : outputs) results.push_back(output->getType());
  llvm::Type* word = llvm::Type::getInt32Ty(context);
  results.push_back(word);  // low bits of misaligned addresses

  auto* result_type = llvm::StructType::get(context, results);
  llvm::Function* function = llvm::Function::Create(
      llvm::FunctionType::get(result_type, arguments, false), llvm::GlobalValue::InternalLinkage,
      kernel.getName() + ".loop", kernel.getParent());
  function->addFnAttr(kSerialLoop);
  llvm::ValueToValueMapTy values;
  for (unsigned i = 0; i < inputs.size(); ++i) values[inputs[i]] = function->getArg(i);
  BasicBlock* entry = BasicBlock::Create(context, "entry", function);
  BasicBlock* end = BasicBlock::Create(context, "end");
  values[preheader] = entry;
  values[exit] = end;
  llvm::SmallVector<BasicBlock*, 8> copies;
  for (BasicBlock* block : loop.blocks()) {
    BasicBlock* copy = llvm::CloneBasicBlock(block, values, "", function);
    values[block] = copy;
    copies.push_back(copy);
  }
  llvm::remapInstructionsInBlocks(copies, values);
  end->insertInto(function);
  llvm::IRBuilder<> builder(entry);
  llvm::AllocaInst* misaligned = nullptr;
  if (has_checks) {
    misaligned = builder.CreateAlloca(word);
    builder.CreateStore(builder.getInt32(0), misaligned);
  }
  builder.CreateBr(llvm::cast<BasicBlock>(values[loop.getHeader()]));
  for (BasicBlock* copy : copies) {
    for (Instruction& instruction : llvm::make_early_inc_range(*copy)) {
      if (device_function(instruction) != kAlignmentCheck) continue;
      builder.SetInsertPoint(&instruction);
      Value* bits = builder.CreateAnd(instruction.getOperand(0), instruction.getOperand(1));
      builder.CreateStore(builder.CreateOr(builder.CreateLoad(word, misaligned), bits), misaligned);
      instruction.eraseFromParent();
    }
  }
  builder.SetInsertPoint(end);
  llvm::SmallVector<Value*, 8> ends;
  for (llvm::PHINode* output : outputs) {
    llvm::PHINode* phi = builder.CreatePHI(output->getType(), output->getNumIncomingValues());
    for (unsigned i = 0; i < output->getNumIncomingValues(); ++i) {
      Value* value = output->getIncomingValue(i);
      const auto mapped = values.find(value);
      phi->addIncoming(mapped != values.end() ? static_cast<Value*>(mapped->second) : value,
                       llvm::cast<BasicBlock>(values[output->getIncomingBlock(i)]));
    }
    ends.push_back(phi);
  }
  Value* result = llvm::PoisonValue::get(result_type);
  for (unsigned i = 0; i < ends.size(); ++i) result = builder.CreateInsertValue(result, ends[i], i);
  Value* bits =
      has_checks ? static_cast<Value*>(builder.CreateLoad(word, misaligned)) : builder.getInt32(0);
  builder.CreateRet(builder.CreateInsertValue(result, bits, static_cast<unsigned>(ends.size())));

  // The call in its place.
  builder.SetInsertPoint(preheader->getTerminator());
  llvm::CallInst* call = builder.CreateCall(function, inputs.getArrayRef());
  for (unsigned i = 0; i < outputs.size(); ++i) {
    outputs[i]->replaceAllUsesWith(builder.CreateExtractValue(call, i));
    outputs[i]->eraseFromParent();
  }
  if (has_checks) {
    builder.CreateCall(kernel.getParent()->getFunction(kAlignmentCheck),
                       {builder.CreateExtractValue(call, static_cast<unsigned>(outputs.size())),
                        builder.getInt32(15)});
  }
  preheader->getTerminator()->eraseFromParent();
  llvm::BranchInst::Create(exit, preheader);
  const llvm::SmallVector<BasicBlock*, 8> dead(loop.blocks());
  for (BasicBlock* block : dead) block->dropAllReferences();
  for (BasicBlock* block : dead) block->eraseFromParent();
}

bool can_outline(const llvm::Loop& loop) {
  const BasicBlock* exit = loop.getUniqueExitBlock();
  if (loop.getLoopPreheader() == nullptr || exit == nullptr || !loop.hasDedicatedExits()) {
    return false;
  }
  for (const llvm::PHINode& phi : exit->phis()) {
    if (!is_passable(phi.getType())) return false;
  }
  for (const BasicBlock* block : loop.blocks()) {
    for (const Instruction& instruction : *block) {
      for (const Value* operand : instruction.operands()) {
        const auto* made = llvm::dyn_cast<Instruction>(operand);
        const bool outside =
            llvm::isa<llvm::Argument>(operand) || (made != nullptr && !loop.contains(made));
        if (outside && !is_passable(operand->getType())) return false;
      }
      for (const llvm::User* user : instruction.users()) {
        const auto* other = llvm::cast<Instruction>(user);
        const bool joins = llvm::isa<llvm::PHINode>(other) && other->getParent() == exit;
        if (!loop.contains(other) && !joins) return false;  // not in LCSSA form
      }
    }
  }
  return true;
}

}  // namespace

bool make_loop_serial(llvm::Function& kernel, const LaneShapes& shapes, const llvm::LoopInfo& loops,
                      unsigned lanes) {
  for (const llvm::Loop* loop : loops.getLoopsInPreorder()) {
    if (!loop->isInnermost() || !can_outline(*loop)) continue;
    llvm::SmallVector<BasicBlock*, 4> exiting;
    loop->getExitingBlocks(exiting);
    const bool divergent = llvm::any_of(
        exiting, [&](const BasicBlock* block) { return shapes.has_divergent_terminator(*block); });
    if (!divergent || !pays(*loop, shapes, lanes)) continue;
    outline(kernel, *loop);
    return true;
  }
  return false;
}

}  // namespace guda::spmd
