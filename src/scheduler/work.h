// A piece of work as the scheduler sees it: what is learnt about it, what it costs, how far it may be cut,
// and the memory that it touches. Made by the runtime for a launch or a matrix product.
#pragma once

#include "scheduler/engine_model.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace guda::scheduler {

enum class WorkKind : uint8_t { launch, gemm };

/// A range of the program's memory that the work touches.
struct MemoryUse {
  const void* address = nullptr;
  size_t bytes = 0;
  bool read = false;
  bool written = false;
  /// Unit i of the work touches about the i-th part only; otherwise each part of the work needs it all.
  bool divided = false;
  /// All parts of the work combine values into it: in a split, engines with memory of their own do so in a copy, which
  /// has to be filled, brought back and combined.
  bool reduced = false;
};

struct Work {
  WorkKind kind = WorkKind::launch;
  std::string_view name;  // for explanations
  /// Works with the same key have the same time per unit: launch_key(), gemm_key().
  uint64_t key = 0;
  /// The work is `units` equal parts: slices of the grid along its slowest dimension, columns or rows of C.
  uint64_t units = 1;
  /// Cuts are made at multiples of this.
  uint64_t tile = 1;
  /// What the time grows with, in all: blocks of a launch, operations of a matrix product.
  double amount = 1;
  OperationCounts operations{};  // in all; zeros when unknown
  double bytes = 0;  // memory traffic in all; 0: that of `memory`
  /// Engines that can run it at all, by bit.
  uint32_t engines = ~0u;
  /// May go to an engine that is hardly known, to learn how fast it is. Not where moving the data costs later work.
  bool explore = true;
  /// May be cut into parts that run on different engines.
  bool divisible = false;
  /// Why not, when it is not.
  std::string_view indivisible_because;
  /// Engines that can take a part, by bit; of those that can run it at all.
  uint32_t part_engines = ~0u;
  std::span<const MemoryUse> memory;
  /// What a device computes of it is copied to the host before it counts as done.
  bool results_to_host = true;
  /// Where it is not, that holds for parts of splits, and for the whole on this engine only.
  EngineIndex keeper = kNoEngine;
};

/// Key of a kernel's launches: blocks of about the same shape cost the same.
uint64_t launch_key(uint64_t module_hash, std::string_view kernel, uint32_t block_threads,
                    uint32_t dynamic_shared_bytes);

/// Key of matrix products of one type and about one size: each dimension counts by its power of two.
/// `transposes`: 0 to 3.
uint64_t gemm_key(Arithmetic type, uint32_t transposes, int64_t m, int64_t n, int64_t k);

}  // namespace guda::scheduler
