// OpenCL's barriers, and warp operations that are made of barriers, have to be reached by all work-items of a
// work-group, in the same order. CUDA's do not: threads may have left the kernel, a warp may work alone.
//
// Where that can happen, the kernel is rewritten so that all threads walk through all of its blocks in one
// order, each carrying the number of the block where it really is (`place`). A block's own instructions run
// only in threads that are there; an operation that threads do together stands between blocks, for all. A loop
// with such an operation is repeated while any thread of the block is in it.
#include <llvm/ADT/PostOrderIterator.h>
#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/PostDominators.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Local.h>

#include <map>

#include "compiler/spmd/lane_shape.h"
#include "compiler/spmd/normalize.h"
#include "compiler/spmd/suitability.h"
#include "compiler/target/spirv/block_uniformity.h"
#include "compiler/target/spirv/convergent_operations.h"
#include "compiler/target/spirv/spirv.h"

namespace guda::target {
namespace {

using llvm::BasicBlock;
using llvm::cast;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::Value;

Status refuse(std::string reason) { return {StatusCode::not_supported, std::move(reason)}; }

/// Name without "ptx." of an operation that threads do together, else empty.
llvm::StringRef joint_operation(const Instruction& instruction) {
  const auto* call = dyn_cast<llvm::CallInst>(&instruction);
  if (!call || !call->getCalledFunction()) return {};
  llvm::StringRef name = call->getCalledFunction()->getName();
  if (!name.consume_front("ptx.")) return {};
  static constexpr llvm::StringLiteral kPrefixes[] = {"bar.",   "shfl.",  "vote.",     "match.",
                                                      "redux.", "elect.", "activemask"};
  for (llvm::StringRef prefix : kPrefixes)
    if (name.starts_with(prefix)) return name;
  return {};
}

/// bar.* for some of the threads only.
bool is_partial_barrier(const llvm::CallInst& call, llvm::StringRef name, uint32_t threads) {
  if (!name.starts_with("bar.") || name == "bar.warp.sync") return false;
  if (name == "bar.arrive") return true;
  const auto* count = dyn_cast<llvm::ConstantInt>(call.getArgOperand(1));
  return !count || (!count->isZero() && count->getZExtValue() != threads);
}

class Linearization {
 public:
  Linearization(llvm::Function& kernel, std::vector<llvm::CallInst*> operations,
                llvm::DominatorTree& dominators,
                const llvm::SmallPtrSetImpl<const BasicBlock*>& divergent)
      : kernel_(kernel), operations_(std::move(operations)), divergent_(divergent) {
    // Loops whose threads all make the same number of rounds; noted before blocks are split.
    const llvm::LoopInfo loops(dominators);
    for (const llvm::Loop* loop : loops.getLoopsInPreorder())
      if (!divergent_.contains(loop->getHeader())) uniform_loops_.insert(loop->getHeader());
  }

  void run() {
    isolate_operations();
    demote();
    llvm::DominatorTree dominators(kernel_);
    llvm::LoopInfo loops(dominators);
    loops_ = &loops;
    number_blocks();
    BasicBlock* entry = &kernel_.getEntryBlock();
    place_ = new llvm::AllocaInst(i32(), 0, "place", entry->begin());
    BasicBlock* end = BasicBlock::Create(kernel_.getContext(), "end", &kernel_);
    llvm::ReturnInst::Create(kernel_.getContext(), end);
    BasicBlock* first = lay_out(order_of(nullptr), end);
    // The entry keeps the variables; what it did stands behind it.
    entry->getTerminator()->eraseFromParent();
    llvm::IRBuilder<> builder(entry);
    builder.CreateStore(number(start_), place_);
    builder.CreateBr(first);
  }

 private:
  llvm::Type* i32() { return llvm::Type::getInt32Ty(kernel_.getContext()); }
  llvm::ConstantInt* number(const BasicBlock* block) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(kernel_.getContext()), numbers_.at(block));
  }

  /// Each operation in a block of its own that ends in a plain branch.
  void isolate_operations() {
    for (llvm::CallInst* operation : operations_) {
      BasicBlock* alone = operation->getParent()->splitBasicBlock(operation);
      alone->splitBasicBlock(operation->getNextNode());
      operation_blocks_[alone] = operation;
    }
    BasicBlock* entry = &kernel_.getEntryBlock();
    auto first = entry->getFirstNonPHIOrDbgOrAlloca();
    start_ = entry->splitBasicBlock(first);
  }

  /// No value lives in a register between blocks, so that control flow can be changed freely.
  void demote() {
    BasicBlock* entry = &kernel_.getEntryBlock();
    std::vector<llvm::PHINode*> phis;
    std::vector<Instruction*> values;
    for (Instruction& instruction : llvm::instructions(kernel_)) {
      if (auto* phi = dyn_cast<llvm::PHINode>(&instruction)) phis.push_back(phi);
    }
    for (llvm::PHINode* phi : phis) llvm::DemotePHIToStack(phi, entry->begin());
    for (Instruction& instruction : llvm::instructions(kernel_)) {
      if (llvm::isa<llvm::AllocaInst>(instruction) && instruction.getParent() == entry) continue;
      const bool crosses = llvm::any_of(instruction.users(), [&](const llvm::User* user) {
        return cast<Instruction>(user)->getParent() != instruction.getParent();
      });
      if (crosses) values.push_back(&instruction);
    }
    for (Instruction* value : values) llvm::DemoteRegToStack(*value, false, entry->begin());
  }

  void number_blocks() {
    uint32_t next = 0;
    for (BasicBlock& block : kernel_) numbers_[&block] = next++;
  }

  /// The blocks of a loop (or of the kernel) that are in no loop inside it, and the headers of those loops,
  /// in an order in which edges go forward.
  std::vector<BasicBlock*> order_of(const llvm::Loop* loop) {
    std::vector<BasicBlock*> order;
    llvm::ReversePostOrderTraversal<BasicBlock*> traversal(start_);
    for (BasicBlock* block : traversal) {
      const llvm::Loop* inner = loops_->getLoopFor(block);
      if (inner == loop || (inner && inner->getHeader() == block && inner->getParentLoop() == loop))
        order.push_back(block);
    }
    return order;
  }

  bool has_operation(const llvm::Loop& loop) const {
    return llvm::any_of(operation_blocks_,
                        [&](const auto& entry) { return loop.contains(entry.first); });
  }

  /// Makes the chain of the given nodes; the last one goes on to `next`. Returns its first block.
  BasicBlock* lay_out(const std::vector<BasicBlock*>& nodes, BasicBlock* next,
                      const llvm::Loop* own = nullptr) {
    for (BasicBlock* block : llvm::reverse(nodes)) {
      const llvm::Loop* loop = loops_->getLoopFor(block);
      const bool inner = loop && loop != own;
      if (inner && has_operation(*loop))
        next = lay_out_loop(*loop, next);
      else if (inner)
        next = lay_out_closed_loop(*loop, next);
      else if (operation_blocks_.contains(block))
        next = lay_out_operation(*block, next);
      else
        next = lay_out_block(*block, next);
    }
    return next;
  }

  /// Where the terminator of `block` goes is noted, and the walk continues at `next`.
  void leave(BasicBlock& block, BasicBlock* next) {
    Instruction* terminator = block.getTerminator();
    llvm::IRBuilder<> builder(terminator);
    if (terminator->getNumSuccessors() == 2) {
      auto* branch = cast<llvm::BranchInst>(terminator);
      builder.CreateStore(
          builder.CreateSelect(branch->getCondition(), number(branch->getSuccessor(0)),
                               number(branch->getSuccessor(1))),
          place_);
    } else if (terminator->getNumSuccessors() == 1) {
      builder.CreateStore(number(terminator->getSuccessor(0)), place_);
    } else {
      builder.CreateStore(builder.getInt32(~0u), place_);  // left the kernel
    }
    builder.CreateBr(next);
    terminator->eraseFromParent();
  }

  BasicBlock* guard(BasicBlock& block, BasicBlock* next) {
    BasicBlock* test = BasicBlock::Create(kernel_.getContext(), "at", &kernel_, &block);
    llvm::IRBuilder<> builder(test);
    builder.CreateCondBr(is_here(builder, block), &block, next);
    return test;
  }

  Value* is_here(llvm::IRBuilder<>& builder, BasicBlock& block) {
    return builder.CreateICmpEQ(builder.CreateLoad(i32(), place_), number(&block));
  }

  BasicBlock* lay_out_block(BasicBlock& block, BasicBlock* next) {
    leave(block, next);
    return guard(block, next);
  }

  BasicBlock* lay_out_operation(BasicBlock& block, BasicBlock* next) {
    llvm::CallInst* operation = operation_blocks_.at(&block);
    llvm::IRBuilder<> builder(operation);
    Value* here = is_here(builder, block);
    active_[operation] = here;
    Instruction* terminator = block.getTerminator();
    builder.SetInsertPoint(terminator);
    Value* place = builder.CreateLoad(i32(), place_);
    builder.CreateStore(builder.CreateSelect(here, number(terminator->getSuccessor(0)), place),
                        place_);
    builder.CreateBr(next);
    terminator->eraseFromParent();
    return &block;
  }

  /// A loop without joint operations: threads run it as it is.
  BasicBlock* lay_out_closed_loop(const llvm::Loop& loop, BasicBlock* next) {
    llvm::SmallVector<std::pair<BasicBlock*, BasicBlock*>, 4> exits;
    for (BasicBlock* block : loop.blocks())
      for (BasicBlock* successor : llvm::successors(block))
        if (!loop.contains(successor)) exits.emplace_back(block, successor);
    for (const auto& [from, to] : exits) {
      BasicBlock* exit = BasicBlock::Create(kernel_.getContext(), "out", &kernel_);
      llvm::IRBuilder<> builder(exit);
      builder.CreateStore(number(to), place_);
      builder.CreateBr(next);
      from->getTerminator()->replaceSuccessorWith(to, exit);
    }
    return guard(*loop.getHeader(), next);
  }

  BasicBlock* lay_out_loop(const llvm::Loop& loop, BasicBlock* next) {
    BasicBlock* again = BasicBlock::Create(kernel_.getContext(), "again", &kernel_);
    BasicBlock* first = lay_out(order_of(&loop), again, &loop);
    llvm::IRBuilder<> builder(again);
    Value* inside = is_here(builder, *loop.getHeader());
    if (!uniform_loops_.contains(loop.getHeader()))
      inside = call_together(builder, kBlockAny, builder.getInt1Ty(), {inside});
    builder.CreateCondBr(inside, first, next);
    return first;
  }

 public:
  /// Whether the thread takes part in the operation.
  Value* active(llvm::CallInst* operation) const { return active_.at(operation); }

 private:
  llvm::Function& kernel_;
  std::vector<llvm::CallInst*> operations_;
  const llvm::SmallPtrSetImpl<const BasicBlock*>& divergent_;
  llvm::SmallPtrSet<const BasicBlock*, 8> uniform_loops_;  // by header
  llvm::LoopInfo* loops_ = nullptr;
  std::map<const BasicBlock*, llvm::CallInst*> operation_blocks_;
  std::map<const BasicBlock*, uint32_t> numbers_;
  std::map<const llvm::CallInst*, Value*> active_;
  llvm::AllocaInst* place_ = nullptr;
  BasicBlock* start_ = nullptr;
};

/// A barrier needs to know nothing of its threads; everything else gets `active`.
void mark(llvm::CallInst& operation, Value* active) {
  const llvm::StringRef name = joint_operation(operation);
  if (name == "bar.sync") return;
  llvm::IRBuilder<> builder(&operation);
  llvm::SmallVector<Value*, 6> arguments(operation.args());
  arguments.push_back(active ? active : builder.getTrue());
  llvm::CallInst* marked = call_together(builder, name, operation.getType(), arguments);
  operation.replaceAllUsesWith(marked);
  operation.eraseFromParent();
}

/// Lanes that meet in one operation from several places of the program would here meet nobody.
bool meets_from_different_places(llvm::Function& kernel, llvm::DominatorTree& dominators,
                                 const SpirvOptions& options) {
  llvm::LoopInfo loops(dominators);
  llvm::AssumptionCache assumptions(kernel);
  const llvm::TargetLibraryInfoImpl implementation{llvm::Triple(kSpirvTriple)};
  llvm::TargetLibraryInfo library(implementation, &kernel);
  llvm::ScalarEvolution evolution(kernel, library, assumptions, dominators, loops);
  const spmd::WarpLayout layout = spmd::make_layout(32, options.block_dim);
  const spmd::LaneShapes shapes(kernel, layout, dominators, loops, evolution);
  return spmd::synchronizes_at_different_places(kernel, shapes, dominators);
}

}  // namespace

Status make_convergent(llvm::Function& kernel, const SpirvOptions& options) {
  std::vector<llvm::CallInst*> operations;
  const uint32_t threads = options.block_dim[0] * options.block_dim[1] * options.block_dim[2];
  for (Instruction& instruction : llvm::instructions(kernel)) {
    const llvm::StringRef name = joint_operation(instruction);
    if (name.empty()) continue;
    auto& call = cast<llvm::CallInst>(instruction);
    if (is_partial_barrier(call, name, threads))
      return refuse("it has barriers for some of a block's threads");
    operations.push_back(&call);
  }
  if (operations.empty()) return Status::ok();

  spmd::normalize(kernel);
  llvm::DominatorTree dominators(kernel);
  if (meets_from_different_places(kernel, dominators, options))
    return refuse("lanes of a warp synchronise at different instructions");
  llvm::PostDominatorTree post_dominators(kernel);
  const auto divergent = divergently_executed_blocks(kernel, dominators, post_dominators);
  const bool reached_by_all = llvm::none_of(operations, [&](const llvm::CallInst* operation) {
    return divergent.contains(operation->getParent());
  });
  if (reached_by_all) {
    for (llvm::CallInst* operation : operations) mark(*operation, nullptr);
    return Status::ok();
  }
  Linearization linearization(kernel, operations, dominators, divergent);
  linearization.run();
  for (llvm::CallInst* operation : operations) mark(*operation, linearization.active(operation));
  return Status::ok();
}

}  // namespace guda::target
