// Integer values of device IR as nodes of an access summary.
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/PostDominators.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstrTypes.h>

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "compiler/driver/access_summary.h"

namespace llvm {
class BasicBlock;
class Function;
class GlobalVariable;
class PHINode;
class Value;
}  // namespace llvm

namespace guda::access {

/// What an address is computed from, by adding.
struct Roots {
  bool own_memory = false;  // shared, local or parameter memory
  bool loaded_pointer = false;  // a 64-bit number that came from memory
  llvm::SmallVector<uint32_t, 2> parameters;  // offsets of 64-bit parameters
  llvm::SmallVector<uint32_t, 2> variables;
};

class AddressGraph {
 public:
  AddressGraph(llvm::Function& kernel, AccessSummary& summary);

  /// The value as `context` sees it: with what the branches on the way there say about it.
  int32_t node(llvm::Value* value, const llvm::BasicBlock* context);
  Roots roots(int32_t node) const;
  /// The block is reached exactly when the guards that `address` (computed for it) is clamped with hold, once for
  /// each iteration that the address counts.
  bool guards_are_exact(const llvm::BasicBlock* block, int32_t address);
  bool too_large() const { return summary_.nodes.size() > kMostNodes; }

  const llvm::LoopInfo& loops() const { return loops_; }
  const llvm::DominatorTree& dominators() const { return dominators_; }

 private:
  static constexpr size_t kMostNodes = 6000;

  struct Fact {
    llvm::Value* value;
    llvm::CmpInst::Predicate predicate;
    llvm::Value* other;
  };
  struct Induction {
    llvm::Value* start = nullptr;
    llvm::SmallVector<std::pair<llvm::Value*, bool>, 2> steps;  // true: subtracted
    llvm::SmallVector<int64_t, 2> constant_steps;  // of getelementptr
  };

  /// A loop whose iterations are one or several rounds of the source's loop, which tests `counter` < `bound` before each.
  struct UnrolledLoop {
    llvm::PHINode* counter = nullptr;
    llvm::Value* start = nullptr;  // of the counter here
    llvm::Value* first = nullptr;  // in the source's loop
    llvm::Value* bound = nullptr;
    bool is_signed = true;
    int64_t stride = 0;  // of a round
    int64_t advance = 0;  // of an iteration
  };

  int32_t add(const Node& node);
  int32_t binary(Op op, unsigned bits, int32_t a, int32_t b);
  int32_t unary(Op op, unsigned bits, int32_t a, int64_t value = 0);
  int32_t constant(unsigned bits, int64_t value);
  int32_t unknown(llvm::Value* value);
  std::optional<int64_t> constant_of(int32_t node) const;

  int32_t translate(llvm::Value* value, const llvm::BasicBlock* context);
  int32_t translate_operation(llvm::Value* value, const llvm::BasicBlock* context);
  int32_t translate_call(llvm::Value* value, const llvm::BasicBlock* context);
  int32_t translate_load(llvm::Value* value);
  int32_t translate_pointer_offset(llvm::Value* value, const llvm::BasicBlock* context);
  int32_t translate_phi(llvm::PHINode& phi, const llvm::BasicBlock* context);
  int32_t shift_right(unsigned bits, int32_t value, uint64_t amount, bool arithmetic);
  int32_t mask(unsigned bits, int32_t value, uint64_t bits_kept);
  int32_t variable(const llvm::GlobalVariable& global);

  std::optional<Induction> induction(llvm::PHINode& phi, const llvm::Loop& loop) const;
  int32_t step_node(const Induction& counter, unsigned bits);
  int32_t iteration(const llvm::Loop& loop, const llvm::BasicBlock* context);
  /// Null: the loop is none of these.
  const UnrolledLoop* unrolled(const llvm::Loop& loop);
  void recognize_unrolled(const llvm::Loop& loop);
  int32_t unrolled_counter(const UnrolledLoop& unrolled, const llvm::Loop& loop);
  int32_t translate_unrolled(llvm::PHINode& phi, const UnrolledLoop& unrolled,
                             const llvm::Loop& loop);
  llvm::SmallVector<int32_t, 4> trips(const llvm::Loop& loop, const llvm::BasicBlock* context,
                                      const llvm::PHINode* only);

  /// What is known when the condition holds, or does not; true when that is all that the condition says.
  bool add_facts(llvm::Value* condition, bool holds, llvm::SmallVectorImpl<Fact>& out,
                 int depth = 0) const;
  std::vector<int32_t> linear_parts(int32_t address) const;
  bool tests_counted_loop(const llvm::BasicBlock* branch, const llvm::BasicBlock* block,
                          llvm::ArrayRef<int32_t> parts) const;
  const llvm::SmallVector<Fact, 8>& facts(const llvm::BasicBlock* block);
  bool is_fixed(int32_t node) const;

  llvm::Function& kernel_;
  AccessSummary& summary_;
  llvm::DominatorTree dominators_;
  llvm::PostDominatorTree post_dominators_;
  llvm::LoopInfo loops_;
  std::map<std::pair<llvm::Value*, const llvm::BasicBlock*>, int32_t> known_;
  std::map<std::tuple<int, int, int, int, int32_t, int32_t, int32_t, int64_t>, int32_t> index_;
  llvm::DenseMap<const llvm::BasicBlock*, llvm::SmallVector<Fact, 8>> facts_;
  std::map<const llvm::Loop*, int64_t> loop_numbers_;
  std::map<const llvm::Loop*, UnrolledLoop> unrolled_;
  bool unrolled_known_ = false;
  std::map<llvm::Value*, int32_t> unknowns_;
  std::map<int32_t, std::vector<Fact>> clamp_facts_;  // what clamps came from
  std::vector<bool> fixed_;  // nodes that are the same for all threads and iterations
  int depth_ = 0;
};

}  // namespace guda::access
