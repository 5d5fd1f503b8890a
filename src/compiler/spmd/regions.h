// Cuts a SIMD function at its barriers into a function that can be left and resumed there.
#pragma once

#include <llvm/IR/Function.h>

#include <cstdint>

namespace guda::spmd {

/// `function` is `i32 (ptr launch, ptr block, i32 warp, ptr frame, i32 region)` in SSA form with calls
/// of guda.barrier(i32 id, i32 count). Each becomes a return of the number of the region that
/// follows; values that are needed there are kept in the frame, or computed again when that is
/// cheaper.
struct Regions {
  uint32_t count = 0;  // regions are numbered from 0, the function's start
  uint32_t frame_bytes = 0;  // a multiple of 64
};
Regions cut_at_barriers(llvm::Function& function);

}  // namespace guda::spmd
