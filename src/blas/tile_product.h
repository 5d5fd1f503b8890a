// Products on matrix tiles (kernels/amx): what is packed when, and which thread multiplies what.
//
// C is cut into blocks of 32 x 32, and k into chunks. A task multiplies a few panels of A, which together
// stay in the second-level cache, with some panels of B, over one chunk. Panels are packed once for all
// threads, by the task that first needs one, and stay in memory as long as the product runs. Tasks of the
// same part of C run one after the other; as a chunk's tasks are all handed out before the next chunk's,
// they hardly ever wait for each other.
//
// Sums of a chunk are kept in a strip of 32 columns that the task has for itself, whose columns, unlike C's,
// never share cache sets, and are added to C at the end. So an element of C is the sum of the same terms in
// the same order whatever the cut; chunks depend on the shape alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "blas/gemm_block.h"
#include "blas/gemm_parallel.h"
#include "blas/packing_buffer.h"
#include "blas/worker_pool.h"
#include "kernels/amx/tile_kernels.h"

namespace guda::blas {

/// A product on the calling thread.
template <class From, class Sum>
using SerialProduct = void (*)(const GemmProblem<From, Sum, Sum>&);

template <class From, class Sum>
struct TileEngine {
  const kernels::amx::TileKernels<From, Sum>* kernels;
  // For blocks of values that parts do not stand for. Null where elements are not split.
  SerialProduct<From, Sum> exact;
};

struct TileBlocking {
  int64_t chunk_steps;  // along k, in steps (64 bytes of a packed operand's part)
  int64_t panels;  // of A in a task, at most kMaxTaskPanels: with a chunk each they stay in the
  // second-level cache
  int64_t max_bytes;  // of packed memory
};
inline constexpr int64_t kMaxTaskPanels = 16;

inline TileBlocking choose_tile_blocking(int64_t parts, int64_t steps) {
  const int64_t step_bytes = parts * kernels::amx::kStepBytes;
  const int64_t cache = cpu_features().l2_bytes / 2;
  TileBlocking blocking;
  blocking.chunk_steps = equal_steps(steps, std::max<int64_t>(cache / (8 * step_bytes), 2), 1);
  blocking.panels =
      std::clamp<int64_t>(cache / (blocking.chunk_steps * step_bytes), 1, kMaxTaskPanels);
  blocking.max_bytes = int64_t{64} << 20;
  return blocking;
}

/// Whether products of elements of these magnitudes are as exact in parts as in f32: no part and no product
/// of parts that counts is subnormal, and nothing overflows.
inline bool within_range(const kernels::amx::MagnitudeRange& a,
                         const kernels::amx::MagnitudeRange& b, float largest) {
  const auto limit = std::bit_cast<uint32_t>(largest);
  if (a.greatest > limit || b.greatest > limit) return false;
  const double least_a = a.greatest == 0 ? 1.0 : std::bit_cast<float>(a.least);
  const double least_b = b.greatest == 0 ? 1.0 : std::bit_cast<float>(b.least);
  const double greatest =
      static_cast<double>(std::bit_cast<float>(a.greatest)) * std::bit_cast<float>(b.greatest);
  return std::min(least_a, least_b) >= 0x1p-102 && least_a * least_b >= 0x1p-99 &&
         greatest <= 0x1p112;
}

/// One product whose packed operands fit in memory at once, on several threads.
template <class From, class Sum>
class TileProduct {
 public:
  using Engine = TileEngine<From, Sum>;
  using Problem = GemmProblem<From, Sum, Sum>;

  TileProduct(const Engine& engine, const Problem& problem, const TileBlocking& blocking,
              int threads)
      : engine_(engine),
        kernels_(*engine.kernels),
        problem_(problem),
        blocking_(blocking),
        steps_(ceil_div(problem.k, kernels_.depth)),
        chunks_(ceil_div(steps_, blocking.chunk_steps)),
        a_{problem.a, problem.lda, problem.transpose_a, problem.m, &kernels_.columns},
        b_{problem.b, problem.ldb, !problem.transpose_b, problem.n, &kernels_.rows} {
    a_.panels = ceil_div(problem.m, kernels::amx::kPanel);
    b_.panels = ceil_div(problem.n, kernels::amx::kPanel);
    const double work = static_cast<double>(a_.panels * b_.panels) * static_cast<double>(steps_);
    // Several tasks for each thread, so that a slow one does not hold up the others.
    const int64_t parts = threads == 1 ? 1 : work > 4096.0 * threads ? 4 * threads : threads;
    const PartGrid grid = choose_parts(a_.panels, b_.panels, parts, 1, 1, 1, 1);
    row_step_ = equal_steps(std::min(grid.row_step, a_.panels), blocking.panels, 1);
    column_step_ = grid.column_step;
    task_rows_ = ceil_div(a_.panels, row_step_);
    task_columns_ = ceil_div(b_.panels, column_step_);
  }

  /// Memory that run() needs.
  int64_t bytes() const {
    const int64_t panels = a_.panels + b_.panels;
    return panels * steps_ * step_bytes() + panels * chunks_ * static_cast<int64_t>(sizeof(Range)) +
           panels * chunks_ + a_.panels * b_.panels * (1 + int64_t{sizeof(int32_t)}) + 6 * 64;
  }

  void run(void* memory, int threads, Wake wake) {
    auto* at = static_cast<std::byte*>(memory);
    const auto take = [&](int64_t bytes) {
      return std::exchange(at, at + ceil_div(bytes, 64) * 64);
    };
    for (Operand* x : {&a_, &b_}) x->packed = take(x->panels * steps_ * step_bytes());
    for (Operand* x : {&a_, &b_}) {
      x->ranges =
          fill<Range>(take(x->panels * chunks_ * int64_t{sizeof(Range)}), x->panels * chunks_);
    }
    const int64_t states = (a_.panels + b_.panels) * chunks_;
    a_.states = fill<State>(take(states), states);
    b_.states = a_.states + a_.panels * chunks_;
    const int64_t parts = task_rows_ * task_columns_;
    finished_ = fill<std::atomic<int32_t>>(take(parts * int64_t{sizeof(int32_t)}), parts);
    auto task = [this](int index) { multiply(index); };
    const auto tasks = static_cast<int>(task_rows_ * task_columns_ * chunks_);
    if (threads == 1) {
      for (int i = 0; i < tasks; ++i) task(i);
    } else {
      run_tasks(tasks, threads, wake, task);
    }
  }

 private:
  using Range = kernels::amx::MagnitudeRange;
  using State = std::atomic<uint8_t>;
  enum : uint8_t { kEmpty, kBusy, kPacked };

  /// op(A) or op(B), as panels.
  struct Operand {
    const From* x;
    int64_t ld;
    bool along;  // elements that follow each other along k do so in memory
    int64_t extent;
    const kernels::amx::PanelPacking<From>* packing;
    int64_t panels = 0;
    std::byte* packed = nullptr;  // [panel][step]
    Range* ranges = nullptr;  // [chunk][panel]
    State* states = nullptr;  // [chunk][panel]
  };

  template <class T>
  static T* fill(std::byte* at, int64_t count) {
    auto* values = reinterpret_cast<T*>(at);
    for (int64_t i = 0; i < count; ++i) new (values + i) T{};
    return values;
  }

  int64_t chunk_begin(int64_t chunk) const { return chunk * blocking_.chunk_steps; }
  int64_t chunk_end(int64_t chunk) const {
    return std::min(steps_, (chunk + 1) * blocking_.chunk_steps);
  }

  int64_t step_bytes() const { return kernels_.parts * kernels::amx::kStepBytes; }

  /// Until `value` is `wanted`; false when that will not happen.
  template <class T>
  static bool wait_until(const std::atomic<T>& value, T wanted) {
    for (int turns = 0; value.load(std::memory_order_acquire) != wanted; ++turns) {
      if (job_abandoned()) return false;
      wait_a_little(turns);
    }
    return true;
  }

  State& state(Operand& x, int64_t panel, int64_t chunk) const {
    return x.states[chunk * x.panels + panel];
  }

  static bool claim(State& state) {
    uint8_t expected = kEmpty;
    return state.load(std::memory_order_relaxed) == kEmpty &&
           state.compare_exchange_strong(expected, kBusy, std::memory_order_relaxed);
  }

  /// Packs the panel unless somebody has begun to. Where each step along k is elsewhere in memory, some more
  /// of those before `last` are packed with it, a few steps at a time: they are on the same pages.
  void try_pack(Operand& x, int64_t panel, int64_t last, int64_t chunk) {
    constexpr int64_t kMostTogether = 4;
    constexpr int64_t kFewSteps = 2;
    const int64_t limit = x.along ? 1 : std::min(kMostTogether, last - panel);
    int64_t count = 0;
    while (count < limit && claim(state(x, panel + count, chunk))) ++count;
    if (count == 0) return;
    const int64_t end = chunk_end(chunk);
    const int64_t piece = count > 1 ? kFewSteps : end;
    for (int64_t step = chunk_begin(chunk); step < end; step += piece) {
      for (int64_t p = panel; p < panel + count; ++p)
        pack(x, p, chunk, step, std::min(end, step + piece));
    }
    for (int64_t p = panel; p < panel + count; ++p)
      state(x, p, chunk).store(kPacked, std::memory_order_release);
  }

  void pack(Operand& x, int64_t panel, int64_t chunk, int64_t step, int64_t next) {
    const int64_t i = panel * kernels::amx::kPanel;
    const int64_t k = step * kernels_.depth;
    (x.along ? x.packing->along : x.packing->across)(
        std::min(kernels::amx::kPanel, x.extent - i),
        std::min(next * kernels_.depth, problem_.k) - k,
        x.x + (x.along ? i * x.ld + k : i + k * x.ld), x.ld,
        x.packed + (panel * steps_ + step) * step_bytes(), x.ranges[chunk * x.panels + panel]);
  }

  /// What somebody will read of a panel: packed, or else where it comes from.
  kernels::amx::LineStream lines_of(Operand& x, int64_t panel, int64_t chunk) const {
    const int64_t step = chunk * blocking_.chunk_steps;
    const int64_t steps = std::min(blocking_.chunk_steps, steps_ - step);
    if (state(x, panel, chunk).load(std::memory_order_relaxed) != kEmpty) {
      const std::byte* packed = x.packed + (panel * steps_ + step) * step_bytes();
      return {reinterpret_cast<const char*>(packed), 0, steps * step_bytes() / 64, 1, 0};
    }
    const int64_t i = panel * kernels::amx::kPanel;
    const int64_t width = std::min(kernels::amx::kPanel, x.extent - i);
    const int64_t k = step * kernels_.depth;
    const int64_t count = std::min(steps * kernels_.depth, problem_.k - k);
    constexpr auto kSize = static_cast<int64_t>(sizeof(From));
    const From* from = x.x + (x.along ? i * x.ld + k : i + k * x.ld);
    return {reinterpret_cast<const char*>(from), x.ld * kSize,
            ceil_div((x.along ? count : width) * kSize, 64), x.along ? width : count, 0};
  }

  void multiply(int index) {
    const int64_t parts = task_rows_ * task_columns_;
    const int64_t chunk = index / parts;
    const int64_t part = index % parts;
    const int64_t row = part % task_rows_;
    const int64_t column = part / task_rows_;
    const int64_t p0 = row * row_step_;
    const int64_t p1 = std::min(a_.panels, p0 + row_step_);
    const int64_t q0 = column * column_step_;
    const int64_t q1 = std::min(b_.panels, q0 + column_step_);
    // Tasks that share panels begin with different ones.
    const int64_t count = p1 - p0;
    const int64_t share = ceil_div(count, task_columns_);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t p = p0 + (i + column * count / task_columns_) % count;
      try_pack(a_, p, std::min(p1, p + share), chunk);
    }
    for (int64_t p = p0; p < p1; ++p) {
      if (!wait_until(state(a_, p, chunk), uint8_t{kPacked})) return;
    }
    if (!wait_until(finished_[part], static_cast<int32_t>(chunk))) return;
    const int64_t width = q1 - q0;
    const int64_t first = row * width / task_rows_;
    kernels_.acquire_tiles();
    for (int64_t j = 0; j < width; ++j) {
      const int64_t q = q0 + (first + j) % width;
      try_pack(b_, q, std::min(q1, q + ceil_div(width, task_rows_)), chunk);
      if (!wait_until(state(b_, q, chunk), uint8_t{kPacked})) break;
      kernels::amx::LineStream later;
      if (j + 1 < width) later = lines_of(b_, q0 + (first + j + 1) % width, chunk);
      multiply_panel(p0, p1, q, chunk, later);
    }
    kernels_.release_tiles();
    finished_[part].store(static_cast<int32_t>(chunk) + 1, std::memory_order_release);
  }

  /// Some panels of A with one of B, over a chunk.
  void multiply_panel(int64_t p0, int64_t p1, int64_t q, int64_t chunk,
                      kernels::amx::LineStream later) {
    constexpr int64_t kPanel = kernels::amx::kPanel;
    alignas(64) Sum strip[kMaxTaskPanels * kPanel * kPanel];
    const int64_t begin = chunk_begin(chunk);
    const int64_t end = chunk_end(chunk);
    kernels::amx::BlockArguments<Sum> block{};
    block.steps = end - begin;
    block.rows = b_.packed + (q * steps_ + begin) * step_bytes();
    block.ld = (p1 - p0) * kPanel;
    block.n = std::min(kPanel, problem_.n - q * kPanel);
    // C first: it is needed at the end of this.
    const int64_t i0 = p0 * kPanel;
    Sum* const c = problem_.c + i0 + q * kPanel * problem_.ldc;
    const int64_t m = std::min(p1 * kPanel, problem_.m) - i0;
    constexpr auto kSize = static_cast<int64_t>(sizeof(Sum));
    kernels::amx::LineStream of_c{reinterpret_cast<const char*>(c), problem_.ldc * kSize,
                                  ceil_div(m * kSize, 64), block.n, 0};
    block.later_lines = ceil_div(later.rows * later.lines + of_c.rows * of_c.lines,
                                 (p1 - p0) * block.steps * kernels_.products);
    for (int64_t p = p0; p < p1; ++p) {
      block.m = std::min(kPanel, problem_.m - p * kPanel);
      block.sums = strip + (p - p0) * kPanel;
      if (engine_.exact != nullptr &&
          !within_range(a_.ranges[chunk * a_.panels + p], b_.ranges[chunk * b_.panels + q],
                        kernels_.largest)) {
        multiply_exactly(p, q, chunk, block);
        continue;
      }
      block.columns = a_.packed + (p * steps_ + begin) * step_bytes();
      block.next_columns = a_.packed + ((p + 1 < p1 ? p + 1 : p0) * steps_ + begin) * step_bytes();
      block.later = of_c.rows != 0 ? &of_c : &later;
      kernels_.multiply(block);
    }
    kernels_.update({m, block.n, strip, block.ld, c, problem_.ldc, problem_.alpha,
                     chunk == 0 ? problem_.beta : Sum(1)});
  }

  [[gnu::noinline]] void multiply_exactly(int64_t p, int64_t q, int64_t chunk,
                                          const kernels::amx::BlockArguments<Sum>& block) {
    const int64_t i = p * kernels::amx::kPanel;
    const int64_t j = q * kernels::amx::kPanel;
    const int64_t k = chunk_begin(chunk) * kernels_.depth;
    Problem part = problem_;
    part.m = block.m;
    part.n = block.n;
    part.k = std::min(chunk_end(chunk) * kernels_.depth, problem_.k) - k;
    part.a += problem_.transpose_a ? k + i * problem_.lda : i + k * problem_.lda;
    part.b += problem_.transpose_b ? j + k * problem_.ldb : k + j * problem_.ldb;
    part.c = block.sums;
    part.ldc = block.ld;
    part.alpha = Sum(1);
    part.beta = Sum(0);
    engine_.exact(part);
  }

  const Engine& engine_;
  const kernels::amx::TileKernels<From, Sum>& kernels_;
  const Problem problem_;
  const TileBlocking blocking_;
  const int64_t steps_;
  const int64_t chunks_;
  Operand a_;
  Operand b_;
  int64_t row_step_, column_step_;  // panels of a task
  int64_t task_rows_, task_columns_;
  std::atomic<int32_t>* finished_ = nullptr;  // chunks, of each part of C
};

/// False when there is no memory; C is as it was.
template <class From, class Sum>
bool multiply_on_tiles(const TileEngine<From, Sum>& engine,
                       const GemmProblem<From, Sum, Sum>& problem, const TileBlocking& blocking,
                       int threads, Wake wake) {
  // Pieces that fit: along k first, where cutting costs nothing but another look at C.
  GemmProblem<From, Sum, Sum> piece = problem;
  const auto bytes = [&] {
    return TileProduct<From, Sum>(engine, piece, blocking, threads).bytes();
  };
  const int64_t k_unit = blocking.chunk_steps * engine.kernels->depth;
  while (bytes() > blocking.max_bytes) {
    if (piece.k > k_unit)
      piece.k = ceil_div(piece.k / 2, k_unit) * k_unit;
    else if (std::max(piece.m, piece.n) <= kernels::amx::kPanel)
      break;
    else if (piece.m >= piece.n)
      piece.m = ceil_div(piece.m / 2, kernels::amx::kPanel) * kernels::amx::kPanel;
    else
      piece.n = ceil_div(piece.n / 2, kernels::amx::kPanel) * kernels::amx::kPanel;
  }
  const GemmProblem<From, Sum, Sum> largest = piece;
  void* memory = tile_buffer(static_cast<size_t>(bytes()));
  if (memory == nullptr) return false;
  for (int64_t j = 0; j < problem.n; j += largest.n) {
    for (int64_t i = 0; i < problem.m; i += largest.m) {
      for (int64_t k = 0; k < problem.k; k += largest.k) {
        piece.m = std::min(largest.m, problem.m - i);
        piece.n = std::min(largest.n, problem.n - j);
        piece.k = std::min(largest.k, problem.k - k);
        piece.a = problem.a + (problem.transpose_a ? k + i * problem.lda : i + k * problem.lda);
        piece.b = problem.b + (problem.transpose_b ? j + k * problem.ldb : k + j * problem.ldb);
        piece.c = problem.c + i + j * problem.ldc;
        piece.beta = k == 0 ? problem.beta : Sum(1);
        TileProduct<From, Sum>(engine, piece, blocking, threads).run(memory, threads, wake);
      }
    }
  }
  return true;
}

template <class From, class Sum>
bool multiply_parallel(const TileEngine<From, Sum>& engine,
                       const GemmProblem<From, Sum, Sum>& problem) {
  // Tiles do about ten times what the other kernels do in the same time.
  const double work = static_cast<double>(problem.m) * static_cast<double>(problem.n) *
                      static_cast<double>(problem.k * engine.kernels->products) / 10;
  const int threads = work < kWorthSharing ? 1 : worker_limit();
  const TileBlocking blocking =
      choose_tile_blocking(engine.kernels->parts, ceil_div(problem.k, engine.kernels->depth));
  return multiply_on_tiles(engine, problem, blocking, threads,
                           work < kWorthWaking ? Wake::if_awake : Wake::always);
}

}  // namespace guda::blas
