// What is known of a value across the lanes of a warp: the same in all (uniform), an arithmetic
// progression (affine), or anything (varying).
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/GenericUniformityImpl.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/Analysis/CycleAnalysis.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/PostDominators.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/Analysis/UniformityAnalysis.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Instructions.h>

#include <memory>
#include <optional>

#include "compiler/spmd/warp_layout.h"

namespace guda::spmd {

/// Lane i holds base + i * stride (modulo the type's width), whatever the mask, provided that none of
/// the sext/zext instructions in `checks` wraps between two lanes. When one does, lane i holds in
/// addition `factor` times the extension's deviation from its own progression, for each of the checks.
///
/// Addresses: a zext that may wrap (0xffffffff to 0, as in `p[i - 1u]` with lane 0 masked off) has to be
/// tested at run time. A sext need not: two active lanes on either side of the wrap would access
/// memory 2^32 elements apart, which no object has.
struct Affine {
  struct Check {
    const llvm::Instruction* extension = nullptr;
    int64_t factor = 1;
    bool operator==(const Check& other) const = default;
  };
  int64_t stride = 0;
  llvm::SmallVector<Check, 2> checks;

  bool operator==(const Affine& other) const = default;
};

/// Uniformity and affine analysis of one function in SSA form. The function must not change while
/// the analysis is in use.
class LaneShapes {
 public:
  LaneShapes(llvm::Function& function, const WarpLayout& layout, llvm::DominatorTree& dominators,
             llvm::LoopInfo& loops, llvm::ScalarEvolution& evolution);

  bool is_uniform(const llvm::Value* value) const;
  bool has_divergent_terminator(const llvm::BasicBlock& block) const;
  /// False when lanes that are active in `block` may have come along different edges (always true
  /// for loop headers, whose phis do not mix lanes).
  bool joins_uniformly(const llvm::BasicBlock& block) const;
  /// Affine description of a value that is not uniform; null if varying.
  const Affine* affine(const llvm::Value* value) const;

 private:
  void find_affine(llvm::Function& function, llvm::ScalarEvolution& evolution);
  std::optional<Affine> compute(const llvm::Instruction& instruction,
                                llvm::ScalarEvolution& evolution) const;
  std::optional<Affine> operand(const llvm::Value* value) const;
  std::optional<Affine> extend(const llvm::Instruction& instruction,
                               llvm::ScalarEvolution& evolution) const;

  const WarpLayout& layout_;
  const llvm::DominatorTree& dominators_;
  const llvm::LoopInfo& loops_;
  llvm::CycleInfo cycles_;
  std::unique_ptr<llvm::TargetTransformInfo> target_;
  std::unique_ptr<llvm::UniformityInfo> uniformity_;
  llvm::DenseMap<const llvm::BasicBlock*, bool> uniform_join_;
  llvm::DenseMap<const llvm::Value*, Affine> affine_;
  llvm::SmallPtrSet<const llvm::Value*, 32> undecided_;  // not yet reached in the first sweep
};

/// `value` is base + lane with base a multiple of the warp's width: no carry leaves the lane bits.
bool is_lane_aligned(const llvm::Value* value, const WarpLayout& layout);

/// Name of the called function when it is one of the device IR's (`ptx.`, `guda.`), else empty.
llvm::StringRef device_function(const llvm::Instruction& instruction);

}  // namespace guda::spmd
