#include "compiler/spmd/vectorize.h"

#include <fmt/format.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/TargetLibraryInfo.h>

#include "compiler/spmd/block_plan.h"
#include "compiler/spmd/device_calls.h"
#include "compiler/spmd/emitter.h"
#include "compiler/spmd/entry_points.h"
#include "compiler/spmd/local_memory.h"
#include "compiler/spmd/normalize.h"
#include "compiler/spmd/serial_loops.h"
#include "compiler/spmd/suitability.h"
#include "compiler/spmd/versions.h"

namespace guda::spmd {
namespace {

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
  for (;;) {
    Analyses analyses(kernel, layout);
    if (!make_loop_serial(kernel, analyses.shapes, analyses.loops, layout.lanes)) break;
    normalize(kernel);
  }
  for (unsigned i = 0; i < kMaxVersions && kernel.getInstructionCount() < kGrowthLimit; ++i) {
    Analyses analyses(kernel, layout);
    if (!add_uniform_version(kernel, analyses.shapes, analyses.dominators, analyses.post_dominators,
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
  emit.loops = &analyses.loops;
  emit.layout = layout;
  emit.local_bytes = local_bytes;
  emit.per_warp_local = traits.barriers;

  Vectorized result;
  result.lanes = layout.lanes;
  result.local_bytes = local_bytes;
  Result<llvm::Function*> function =
      traits.barriers ? write_run_warps(emit, result.frame_bytes) : write_run_block(emit);
  if (!function) return function.status();
  (traits.barriers ? result.run_warps : result.run_block) = *function;
  kernel.deleteBody();
  for (llvm::Function& part : llvm::make_early_inc_range(*kernel.getParent())) {
    if (part.hasFnAttribute(kSerialLoop) && part.use_empty()) part.eraseFromParent();
  }
  return result;
}

}  // namespace guda::spmd
