#include "compiler/spmd/entry_points.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ADCE.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/spmd/device_calls.h"
#include "compiler/spmd/normalize.h"
#include "compiler/spmd/regions.h"

namespace guda::spmd {
namespace {

using llvm::BasicBlock;
using llvm::Value;

void promote_slots(llvm::Function& function) {
  llvm::SmallVector<llvm::AllocaInst*, 64> slots;
  for (llvm::Instruction& instruction : function.getEntryBlock()) {
    auto* slot = llvm::dyn_cast<llvm::AllocaInst>(&instruction);
    if (slot != nullptr && llvm::isAllocaPromotable(slot)) slots.push_back(slot);
  }
  llvm::DominatorTree dominators(function);
  llvm::PromoteMemToReg(slots, dominators);
}

void inline_serial_loops(llvm::Function& function) {
  llvm::SmallVector<llvm::CallInst*, 4> calls;
  for (llvm::Instruction& instruction : llvm::instructions(function)) {
    auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    if (call != nullptr && call->getCalledFunction() != nullptr &&
        call->getCalledFunction()->hasFnAttribute(kSerialLoop)) {
      calls.push_back(call);
    }
  }
  for (llvm::CallInst* call : calls) {
    llvm::InlineFunctionInfo info;
    llvm::InlineFunction(*call, info);
  }
}

void simplify(llvm::Function& function) {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::ADCEPass());
  run_passes(function, std::move(passes));
}

struct Writer {
  const EmitContext& emit;
  const llvm::Function& kernel = *emit.kernel;
  const WarpLayout& layout = emit.layout;
  llvm::LLVMContext& context = kernel.getContext();
  llvm::Module& module = *emit.kernel->getParent();
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

/// i32 guda_warp(launch, block, warp, frame, region): one warp from a region to the next barrier.
Result<llvm::Function*> write_warp(const Writer& writer, uint32_t& frame_bytes, uint32_t& regions) {
  auto* type = llvm::FunctionType::get(
      writer.word, {writer.pointer, writer.pointer, writer.word, writer.pointer, writer.word},
      false);
  llvm::Function* warp =
      llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, "guda_warp", writer.module);
  BasicBlock* entry = BasicBlock::Create(writer.context, "mask", warp);
  llvm::IRBuilder<> builder(entry);
  Value* mask = nullptr;
  if (writer.layout.ragged()) {
    mask = writer.ragged_mask(builder, warp->getArg(0), warp->getArg(2));
  } else {
    mask = llvm::Constant::getAllOnesValue(
        llvm::FixedVectorType::get(builder.getInt1Ty(), writer.layout.lanes));
  }
  Emitter emitter(writer.emit, *warp, warp->getArg(0), warp->getArg(1), warp->getArg(2), mask,
                  builder.getInt32(kernel::kWarpDone));
  if (Status status = emitter.run(); !status) return status;
  BasicBlock* prologue = entry->getNextNode();
  builder.SetInsertPoint(entry);
  builder.CreateBr(prologue);
  llvm::MergeBlockIntoPredecessor(prologue);
  inline_serial_loops(*warp);
  promote_slots(*warp);
  simplify(*warp);  // less to carry across barriers
  const Regions cut = cut_at_barriers(*warp);
  frame_bytes = cut.frame_bytes;
  regions = cut.count;
  return warp;
}

/// i32 guda_region(launch, block, frames, progress, first, end): the given warps, one after the
/// other, from `region` to their next barriers.
llvm::Function* write_region(const Writer& writer, llvm::Function& warp, uint32_t frame_bytes,
                             uint32_t region) {
  llvm::LLVMContext& context = writer.context;
  auto* type = llvm::FunctionType::get(
      writer.word,
      {writer.pointer, writer.pointer, writer.pointer, writer.pointer, writer.word, writer.word},
      false);
  llvm::Function* run = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                               "guda_region", writer.module);
  Value* block = run->getArg(1);
  BasicBlock* entry = BasicBlock::Create(context, "entry", run);
  BasicBlock* loop = BasicBlock::Create(context, "warp", run);
  BasicBlock* done = BasicBlock::Create(context, "done", run);
  llvm::IRBuilder<> builder(entry);
  llvm::Type* wide = builder.getInt64Ty();
  llvm::Type* byte = builder.getInt8Ty();
  builder.CreateBr(loop);

  builder.SetInsertPoint(loop);
  llvm::PHINode* number = builder.CreatePHI(writer.word, 2, "number");
  llvm::PHINode* first_result = builder.CreatePHI(writer.word, 2, "first_result");
  llvm::PHINode* first_wait = builder.CreatePHI(wide, 2, "first_wait");
  llvm::PHINode* apart = builder.CreatePHI(builder.getInt1Ty(), 2, "apart");
  Value* wide_number = builder.CreateZExt(number, wide);
  Value* frame = builder.CreateInBoundsGEP(
      byte, run->getArg(2), builder.CreateMul(wide_number, builder.getInt64(frame_bytes)));
  Value* wait_address =
      builder.CreateConstInBoundsGEP1_64(byte, block, offsetof(kernel::BlockState, barrier_wait));
  builder.CreateStore(builder.getInt64(0), wait_address);
  llvm::CallInst* result =
      builder.CreateCall(&warp, {run->getArg(0), block, number, frame, builder.getInt32(region)});
  Value* wait = builder.CreateLoad(wide, wait_address);
  static_assert(sizeof(kernel::WarpProgress) == 16);
  Value* progress = builder.CreateInBoundsGEP(byte, run->getArg(3),
                                              builder.CreateMul(wide_number, builder.getInt64(16)));
  builder.CreateStore(builder.CreateZExt(result, wide), progress);
  builder.CreateStore(wait, builder.CreateConstInBoundsGEP1_64(
                                byte, progress, offsetof(kernel::WarpProgress, wait)));
  Value* is_first = builder.CreateICmpEQ(number, run->getArg(4));
  Value* kept_result = builder.CreateSelect(is_first, result, first_result);
  Value* kept_wait = builder.CreateSelect(is_first, wait, first_wait);
  Value* differs = builder.CreateOr(builder.CreateICmpNE(result, kept_result),
                                    builder.CreateICmpNE(wait, kept_wait));
  Value* any_apart = builder.CreateOr(apart, differs);
  Value* next = builder.CreateAdd(number, builder.getInt32(1));
  builder.CreateCondBr(builder.CreateICmpULT(next, run->getArg(5)), loop, done);
  number->addIncoming(run->getArg(4), entry);
  number->addIncoming(next, loop);
  first_result->addIncoming(builder.getInt32(0), entry);
  first_result->addIncoming(kept_result, loop);
  first_wait->addIncoming(builder.getInt64(0), entry);
  first_wait->addIncoming(kept_wait, loop);
  apart->addIncoming(builder.getFalse(), entry);
  apart->addIncoming(any_apart, loop);

  builder.SetInsertPoint(done);
  // A barrier for part of the block is for whoever counts arrivals.
  Value* counted =
      builder.CreateICmpNE(builder.CreateTrunc(kept_wait, writer.word), builder.getInt32(0));
  builder.CreateRet(builder.CreateSelect(builder.CreateOr(any_apart, counted),
                                         builder.getInt32(kernel::kWarpsApart), kept_result));
  llvm::InlineFunctionInfo info;
  llvm::InlineFunction(*result, info);  // of the warp's code only this region's remains
  return run;
}

}  // namespace

Result<llvm::Function*> write_run_block(const EmitContext& emit) {
  const Writer writer{emit};
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
  inline_serial_loops(*body);
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

Result<llvm::Function*> write_run_warps(const EmitContext& emit, uint32_t& frame_bytes) {
  const Writer writer{emit};
  uint32_t regions = 0;
  Result<llvm::Function*> warp = write_warp(writer, frame_bytes, regions);
  if (!warp) return warp.status();
  auto* type = llvm::FunctionType::get(writer.word,
                                       {writer.pointer, writer.pointer, writer.pointer,
                                        writer.pointer, writer.word, writer.word, writer.word},
                                       false);
  llvm::Function* run = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                               "guda_run_warps", writer.module);
  llvm::IRBuilder<> builder(BasicBlock::Create(writer.context, "entry", run));
  BasicBlock* nowhere = BasicBlock::Create(writer.context, "nowhere", run);
  llvm::SwitchInst* dispatch = builder.CreateSwitch(run->getArg(4), nowhere, regions);
  for (uint32_t region = 0; region < regions; ++region) {
    BasicBlock* target = BasicBlock::Create(writer.context, "region", run);
    builder.SetInsertPoint(target);
    llvm::CallInst* result = builder.CreateCall(write_region(writer, **warp, frame_bytes, region),
                                                {run->getArg(0), run->getArg(1), run->getArg(2),
                                                 run->getArg(3), run->getArg(5), run->getArg(6)});
    result->setTailCall();
    builder.CreateRet(result);
    dispatch->addCase(builder.getInt32(region), target);
  }
  builder.SetInsertPoint(nowhere);
  builder.CreateUnreachable();
  (*warp)->eraseFromParent();
  return run;
}

}  // namespace guda::spmd
