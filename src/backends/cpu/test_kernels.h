// Kernels for the executor's tests, written in C++ against the kernel ABI.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "backends/cpu/executor.h"
#include "compiler/driver/kernel_abi.h"

namespace guda::cpu::testing {

inline kernel::KernelInfo thread_kernel(void (*function)(kernel::ThreadState*), uint32_t flags) {
  kernel::KernelInfo info{};
  info.abi_version = kernel::kAbiVersion;
  info.flags = flags;
  info.lanes = 1;
  info.name = "test_kernel";
  info.run_thread = function;
  return info;
}

inline kernel::KernelInfo block_kernel(void (*function)(const kernel::LaunchState*,
                                                        kernel::BlockState*)) {
  kernel::KernelInfo info{};
  info.abi_version = kernel::kAbiVersion;
  info.lanes = 32;
  info.name = "test_kernel";
  info.run_block = function;
  return info;
}

/// Parameters of all test kernels: a few pointers and numbers.
struct Params {
  void* out = nullptr;
  void* in = nullptr;
  uint64_t n = 0;
};

template <typename T = Params>
const T& params(const kernel::ThreadState* thread) {
  return *reinterpret_cast<const T*>(thread->launch->params);
}

inline Status launch(const kernel::KernelInfo& kernel, kernel::Dim3 grid, kernel::Dim3 block,
                     const Params& params, uint32_t shared = 0, bool cooperative = false) {
  LaunchDescription description;
  description.kernel = &kernel;
  description.params = std::as_bytes(std::span(&params, 1));
  description.grid = grid;
  description.block = block;
  description.dynamic_shared_bytes = shared;
  description.cooperative = cooperative;
  return Executor::instance().run(description);
}

inline uint32_t barrier(kernel::ThreadState* t, kernel::BarrierOp op = kernel::BarrierOp::sync,
                        uint32_t id = 0, uint32_t count = 0, uint32_t predicate = 0) {
  return t->launch->services->barrier(t, op, id, count, predicate);
}

inline uint32_t warp_op(kernel::ThreadState* t, kernel::WarpOp op, uint32_t mask, uint64_t a,
                        uint32_t b = 0, uint32_t c = 0, uint32_t* predicate = nullptr) {
  uint32_t ignored = 0;
  return static_cast<uint32_t>(t->launch->services->warp_op(
      t, op, mask, a, b, c, predicate != nullptr ? predicate : &ignored));
}

inline uint32_t global_index(const kernel::ThreadState* t) {
  return t->block->index.x * t->launch->block.x + t->index.x;
}

/// KernelInfo::run_warps made of a function that runs one warp from a region to the next.
template <uint32_t (*run_warp)(const kernel::LaunchState*, kernel::BlockState*, uint32_t warp,
                               void* frame, uint32_t region),
          uint32_t frame_bytes>
uint32_t run_warps(const kernel::LaunchState* state, kernel::BlockState* block, std::byte* frames,
                   kernel::WarpProgress* progress, uint32_t region, uint32_t first, uint32_t end) {
  bool apart = false;
  for (uint32_t w = first; w < end; ++w) {
    block->barrier_wait = 0;
    progress[w].region = run_warp(state, block, w, frames + size_t{w} * frame_bytes, region);
    progress[w].released = 0;
    progress[w].wait = block->barrier_wait;
    apart |= progress[w].region != progress[first].region ||
             progress[w].wait != progress[first].wait ||
             static_cast<uint32_t>(progress[w].wait) != 0;
  }
  return apart ? kernel::kWarpsApart : progress[first].region;
}

}  // namespace guda::cpu::testing
