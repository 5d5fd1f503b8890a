#include "compiler/spmd/vectorize.h"

#include <fmt/format.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ADCE.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/spmd/block_plan.h"
#include "compiler/spmd/emitter.h"
#include "compiler/spmd/local_memory.h"
#include "compiler/spmd/normalize.h"
#include "compiler/spmd/regions.h"
#include "compiler/spmd/suitability.h"
#include "compiler/spmd/versions.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Value;

constexpr unsigned kVersionLimit = 600;   // instructions copied for a full version
constexpr unsigned kMaxVersions = 12;
constexpr unsigned kGrowthLimit =
    2500;    // instructions of the kernel, above which nothing is copied
constexpr unsigned kLoopLimit = 300;
constexpr unsigned kMaxFullLoops = 12;

/// All analyses of the device function; made anew after each change.
struct Analyses {
  explicit Analyses(llvm::Function& function, const WarpLayout& layout)
      : dominators(function),
        post_dominators(function),
        loops(dominators),
        assumptions(function),
        library_implementation(llvm::Triple("x86_64-unknown-linux-gnu")),
        library(library_implementation, &function),
        evolution(function, library, assumptions, dominators, loops),
        shapes(function, layout, dominators, loops, evolution) {}

  llvm::DominatorTree dominators;
  llvm::PostDominatorTree post_dominators;
  llvm::LoopInfo loops;
  llvm::AssumptionCache assumptions;
  llvm::TargetLibraryInfoImpl library_implementation;
  llvm::TargetLibraryInfo library;
  llvm::ScalarEvolution evolution;
  LaneShapes shapes;
};

uint32_t choose_lanes(const Traits& traits, const Options& options) {
  if (traits.warp_operations) return 32;
  const bool wide = traits.wide_operations > traits.narrow_operations;
  uint32_t lanes = options.vector_bits / (wide ? 64 : 32);
  lanes = std::max(lanes, 8u);
  // Rows of a narrow block should not be split over warps.
  const uint32_t* block = options.block_dim;
  if (block[0] != 0 && (block[1] > 1 || block[2] > 1)) {
    while (lanes > 8 && block[0] % lanes != 0) lanes /= 2;
  }
  return lanes;
}

void promote_slots(llvm::Function& function) {
  llvm::SmallVector<llvm::AllocaInst*, 64> slots;
  for (llvm::Instruction& instruction : function.getEntryBlock()) {
    auto* slot = llvm::dyn_cast<llvm::AllocaInst>(&instruction);
    if (slot != nullptr && llvm::isAllocaPromotable(slot)) slots.push_back(slot);
  }
  llvm::DominatorTree dominators(function);
  llvm::PromoteMemToReg(slots, dominators);
}

void simplify(llvm::Function& function) {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::ADCEPass());
  run_passes(function, std::move(passes));
}

struct Writer {
  llvm::Function& kernel;
  const WarpLayout& layout;
  llvm::LLVMContext& context = kernel.getContext();
  llvm::Module& module = *kernel.getParent();
  llvm::Type* pointer = llvm::PointerType::getUnqual(context);
  llvm::Type* word = llvm::Type::getInt32Ty(context);

  Value* threads(llvm::IRBuilder<>& builder, Value* launch) const {
    if (layout.known()) return builder.getInt32(layout.threads());
    Value* product = builder.getInt32(1);
    for (unsigned i = 0; i < 3; ++i) {
      Value* address = builder.CreateConstInBoundsGEP1_64(
          builder.getInt8Ty(), launch, offsetof(kernel::LaunchState, block) + 4 * i);
      product = builder.CreateMul(product, builder.CreateLoad(word, address));
    }
    return product;
  }

  /// Lanes of `warp` that are threads of the block.
  Value* ragged_mask(llvm::IRBuilder<>& builder, Value* launch, Value* warp) const {
    Value* left = builder.CreateSub(threads(builder, launch),
                                    builder.CreateMul(warp, builder.getInt32(layout.lanes)));
    llvm::SmallVector<llvm::Constant*, 32> numbers;
    for (unsigned lane = 0; lane < layout.lanes; ++lane) numbers.push_back(builder.getInt32(lane));
    return builder.CreateICmpULT(llvm::ConstantVector::get(numbers),
                                 builder.CreateVectorSplat(layout.lanes, left));
  }
};

/// void guda_run_block(launch, block): all full warps, then the ragged one.
Result<llvm::Function*> write_run_block(const Writer& writer, const EmitContext& emit) {
  llvm::LLVMContext& context = writer.context;
  auto* mask_type = llvm::FixedVectorType::get(llvm::Type::getInt1Ty(context), writer.layout.lanes);
  auto* body_type =
      llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                              {writer.pointer, writer.pointer, writer.word, mask_type}, false);
  llvm::Function* body = llvm::Function::Create(body_type, llvm::GlobalValue::InternalLinkage,
                                                "guda_warp", writer.module);
  Emitter emitter(emit, *body, body->getArg(0), body->getArg(1), body->getArg(2), body->getArg(3),
                  nullptr);
  if (Status status = emitter.run(); !status) return status;
  promote_slots(*body);

  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {writer.pointer, writer.pointer}, false);
  llvm::Function* run = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                               "guda_run_block", writer.module);
  Value* launch = run->getArg(0);
  Value* block = run->getArg(1);
  BasicBlock* entry = BasicBlock::Create(context, "entry", run);
  BasicBlock* loop = BasicBlock::Create(context, "warp", run);
  BasicBlock* tail = BasicBlock::Create(context, "tail", run);
  BasicBlock* ragged = BasicBlock::Create(context, "ragged", run);
  BasicBlock* done = BasicBlock::Create(context, "done", run);
  llvm::IRBuilder<> builder(entry);
  Value* threads = writer.threads(builder, launch);
  Value* lanes = builder.getInt32(writer.layout.lanes);
  Value* full = builder.CreateUDiv(threads, lanes);
  builder.CreateCondBr(builder.CreateICmpEQ(full, builder.getInt32(0)), tail, loop);
  builder.SetInsertPoint(loop);
  llvm::PHINode* warp = builder.CreatePHI(writer.word, 2);
  warp->addIncoming(builder.getInt32(0), entry);
  builder.CreateCall(body, {launch, block, warp, llvm::Constant::getAllOnesValue(mask_type)});
  Value* next = builder.CreateAdd(warp, builder.getInt32(1));
  warp->addIncoming(next, loop);
  builder.CreateCondBr(builder.CreateICmpULT(next, full), loop, tail);
  builder.SetInsertPoint(tail);
  builder.CreateCondBr(
      builder.CreateICmpEQ(builder.CreateURem(threads, lanes), builder.getInt32(0)), done, ragged);
  builder.SetInsertPoint(ragged);
  if (writer.layout.ragged()) {
    builder.CreateCall(body, {launch, block, full, writer.ragged_mask(builder, launch, full)});
  }
  builder.CreateBr(done);
  builder.SetInsertPoint(done);
  builder.CreateRetVoid();
  // Each call site is a version of its own: full warps lose their masks.
  for (llvm::User* user : llvm::make_early_inc_range(body->users())) {
    llvm::InlineFunctionInfo info;
    llvm::InlineFunction(*llvm::cast<llvm::CallInst>(user), info);
  }
  body->eraseFromParent();
  return run;
}

/// i32 guda_run_warp(launch, block, warp, frame, region).
Result<llvm::Function*> write_run_warp(const Writer& writer, const EmitContext& emit,
                                       uint32_t& frame_bytes) {
  llvm::LLVMContext& context = writer.context;
  auto* type = llvm::FunctionType::get(
      writer.word, {writer.pointer, writer.pointer, writer.word, writer.pointer, writer.word},
      false);
  llvm::Function* run = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                               "guda_run_warp", writer.module);
  BasicBlock* entry = BasicBlock::Create(context, "mask", run);
  llvm::IRBuilder<> builder(entry);
  Value* mask = nullptr;
  if (writer.layout.ragged()) {
    mask = writer.ragged_mask(builder, run->getArg(0), run->getArg(2));
  } else {
    mask = llvm::Constant::getAllOnesValue(
        llvm::FixedVectorType::get(builder.getInt1Ty(), writer.layout.lanes));
  }
  Emitter emitter(emit, *run, run->getArg(0), run->getArg(1), run->getArg(2), mask,
                  builder.getInt32(kernel::kWarpDone));
  if (Status status = emitter.run(); !status) return status;
  BasicBlock* prologue = entry->getNextNode();
  builder.SetInsertPoint(entry);
  builder.CreateBr(prologue);
  llvm::MergeBlockIntoPredecessor(prologue);
  promote_slots(*run);
  simplify(*run);  // less to carry across barriers
  frame_bytes = cut_at_barriers(*run);
  return run;
}

}  // namespace

Result<Vectorized> vectorize(llvm::Function& kernel, const Options& options) {
  normalize(kernel);
  Traits traits;
  {
    llvm::DominatorTree dominators(kernel);
    llvm::LoopInfo loops(dominators);
    Result<Traits> examined = examine(kernel, loops);
    if (!examined) return examined.status();
    traits = *examined;
  }
  const WarpLayout layout = make_layout(choose_lanes(traits, options), options.block_dim);
  if (traits.warp_operations) {
    Analyses analyses(kernel, layout);
    if (synchronizes_at_different_places(kernel, analyses.shapes, analyses.dominators)) {
      return Status(StatusCode::not_supported,
                    "lanes of a warp synchronise at different instructions");
    }
  }
  const uint32_t local_bytes = lower_local_memory(kernel, layout);
  for (unsigned i = 0; i < kMaxVersions && kernel.getInstructionCount() < kGrowthLimit; ++i) {
    Analyses analyses(kernel, layout);
    if (!add_full_version(kernel, analyses.shapes, analyses.dominators, analyses.post_dominators,
                          analyses.loops, kVersionLimit)) {
      break;
    }
  }
  for (unsigned i = 0; i < kMaxFullLoops && kernel.getInstructionCount() < kGrowthLimit; ++i) {
    Analyses analyses(kernel, layout);
    if (!add_full_loop(kernel, analyses.shapes, analyses.dominators, analyses.post_dominators,
                       analyses.loops, kLoopLimit)) {
      break;
    }
    normalize(kernel);
  }
  normalize(kernel);

  Analyses analyses(kernel, layout);
  Result<LinearPlan> plan = LinearPlan::make(kernel, analyses.shapes, analyses.dominators,
                                             analyses.post_dominators, analyses.loops);
  if (!plan) return plan.status();
  EmitContext emit;
  emit.kernel = &kernel;
  emit.shapes = &analyses.shapes;
  emit.plan = &*plan;
  emit.layout = layout;
  emit.local_bytes = local_bytes;
  emit.per_warp_local = traits.barriers;

  Vectorized result;
  result.lanes = layout.lanes;
  result.local_bytes = local_bytes;
  const Writer writer{kernel, layout};
  Result<llvm::Function*> function = traits.barriers
                                         ? write_run_warp(writer, emit, result.frame_bytes)
                                         : write_run_block(writer, emit);
  if (!function) return function.status();
  (traits.barriers ? result.run_warp : result.run_block) = *function;
  kernel.deleteBody();
  return result;
}

}  // namespace guda::spmd
