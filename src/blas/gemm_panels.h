// A strip of B as panels for row tiles, packed once and shared by the threads that multiply with it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "blas/gemm_blocking.h"
#include "blas/packing_buffer.h"
#include "blas/worker_pool.h"

namespace guda::blas {

/// Panels are packed by the thread that first needs them, when it does: they are then in its cache, and
/// threads that start at different panels share the work. A thread waits only for one that is packing at
/// that moment, so that any number of threads, also a single one, gets through.
template <class From, class In, class Out, class Scale>
class SharedPanels {
 public:
  using Problem = GemmProblem<From, Out, Scale>;
  using Engine = GemmEngine<From, In, Out, Scale>;

  SharedPanels(const Engine& engine, const Problem& problem, int64_t kc)
      : engine_(engine), problem_(problem), width_(engine.tiles->columns), kc_(kc) {}

  /// False: no memory for strips of `columns` columns and `depth` steps of In.
  bool reserve(int64_t columns, int64_t depth) {
    const int64_t count = ceil_div(columns, width_) * ceil_div(depth, kc_);
    const int64_t size = count * panel_size(kc_) * static_cast<int64_t>(sizeof(In));
    auto* buffer = static_cast<char*>(shared_buffer(static_cast<size_t>(size + count)));
    if (buffer == nullptr) return false;
    packed_ = reinterpret_cast<In*>(buffer);
    states_ = reinterpret_cast<State*>(buffer + size);
    std::uninitialized_default_construct_n(states_, count);
    return true;
  }

  /// The next strip: columns from j0 on, steps of k from p0 on. No thread uses the last one any more.
  void begin(int64_t j0, int64_t columns, int64_t p0, int64_t depth) {
    j0_ = j0;
    columns_ = columns;
    p0_ = p0;
    depth_ = depth;
    count_ = ceil_div(columns, width_);
    const int64_t states = count_ * ceil_div(depth, kc_);
    for (int64_t i = 0; i < states; ++i) states_[i].store(kEmpty, std::memory_order_relaxed);
  }

  int64_t first_column() const { return j0_; }
  int64_t first_step() const { return p0_; }
  int64_t depth() const { return depth_; }
  int64_t width() const { return width_; }

  /// Panel `index` of the strip, steps [p, p + kc) of it.
  const In* panel(int64_t index, int64_t p) {
    const int64_t block = p / kc_;
    const int64_t kb = std::min(kc_, depth_ - p);
    In* out = packed_ + block * count_ * panel_size(kc_) + index * panel_size(kb);
    State& state = states_[block * count_ + index];
    uint8_t seen = state.load(std::memory_order_acquire);
    if (seen == kReady) return out;
    if (seen == kEmpty &&
        state.compare_exchange_strong(seen, kPacking, std::memory_order_acquire)) {
      pack(index, p, kb, out);
      state.store(kReady, std::memory_order_release);
      return out;
    }
    for (int i = 0; state.load(std::memory_order_acquire) != kReady && !job_abandoned(); ++i) {
      wait_a_little(i);
    }
    return out;
  }

  /// From one panel to the next one, in elements of In.
  int64_t panel_size(int64_t kb) const { return width_ * (kb + engine_.tiles->correction_rows); }

 private:
  using State = std::atomic<uint8_t>;
  static constexpr uint8_t kEmpty = 0;
  static constexpr uint8_t kPacking = 1;
  static constexpr uint8_t kReady = 2;

  void pack(int64_t index, int64_t p, int64_t kb, In* out) {
    const int64_t k0 = (p0_ + p) * engine_.group;
    const int64_t k = std::min(kb * engine_.group, problem_.k - k0);
    const int64_t j = index * width_;
    const int64_t ld = problem_.ldb;
    const int64_t width = std::min(width_, columns_ - j);
    if (problem_.transpose_b) {
      engine_.b.copy(width, k, problem_.b + j0_ + j + k0 * ld, ld, out, width_);
    } else {
      engine_.b.transpose(width, k, problem_.b + k0 + (j0_ + j) * ld, ld, out, width_);
    }
  }

  const Engine& engine_;
  const Problem& problem_;
  const int64_t width_;
  const int64_t kc_;
  int64_t j0_ = 0, columns_ = 0, p0_ = 0, depth_ = 0, count_ = 0;
  In* packed_ = nullptr;
  State* states_ = nullptr;
};

}  // namespace guda::blas
