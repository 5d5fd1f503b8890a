#include "blas/gemm.h"

#include <algorithm>
#include <type_traits>

#include "blas/gemm_definition.h"
#include "blas/gemm_engines.h"
#include "blas/gemm_parallel.h"
#include "blas/gemv_bytes.h"
#include "blas/onednn_gemm.h"
#include "blas/parallel.h"
#include "blas/tile_engines.h"
#include "blas/worker_pool.h"

namespace guda::blas {
namespace {

// The choice of kernels is made when the library is loaded, so that the first product is like the others.
[[gnu::constructor]] void choose_kernels() {
  gemm_engine<float>();
  gemm_engine<double>();
  worker_limit();
}

template <class In>
auto engine_for() {
  if constexpr (std::is_same_v<In, bfloat16>) return bf16_engine();
  if constexpr (std::is_same_v<In, float16>) return f16_engine();
  if constexpr (std::is_same_v<In, int8_t>) return s8_engine();
}

template <class In>
auto tile_engine_for() {
  if constexpr (std::is_same_v<In, bfloat16>) return bf16_tile_engine();
  if constexpr (std::is_same_v<In, float16>) return f16_tile_engine();
  if constexpr (std::is_same_v<In, int8_t>) return s8_tile_engine();
}

// Where tiles win. Both operands are packed as a whole first, which vectors need not do; f32 in parts packs
// more, to win less.
template <class From, class Sum>
bool worth_tiles(const TileEngine<From, Sum>& engine, int64_t m, int64_t n, int64_t k) {
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if constexpr (sizeof(From) == 1) {
    // vpdpbusd is half as far behind, and reads its operands faster.
    return n >= 128 && m >= 16 && k >= 64 && work >= 256.0 * 256 * 256;
  } else if constexpr (sizeof(From) == 4) {
    const int64_t products = engine.kernels->products;
    const double least = products <= 3 ? 160 : 640;
    return std::min(m, n) >= 96 && k >= 32 && work >= least * least * least;
  } else {
    return std::min(m, n) >= 16 && k >= 32 && work >= 32.0 * 32 * 64;
  }
}

// C is wider than, or other than, what tiles store: sums of a strip of columns are kept in memory and
// converted once.
template <class Engine, class From, class Sum, class Out, class Scale>
bool multiply_and_convert(const Engine& engine, GemmProblem<From, Sum, Sum> problem, Scale alpha,
                          Scale beta, Out* C, int64_t ldc) {
  constexpr int64_t kStripBytes = int64_t{16} << 20;
  const int64_t m = problem.m;
  const int64_t n = problem.n;
  const int64_t strip = std::clamp<int64_t>(kStripBytes / (m * static_cast<int64_t>(sizeof(Sum))),
                                            std::min<int64_t>(n, 64), n);
  auto* sums = static_cast<Sum*>(accumulator_buffer(static_cast<size_t>(m * strip) * sizeof(Sum)));
  if (sums == nullptr) return false;
  const From* b = problem.b;
  for (int64_t j0 = 0; j0 < n; j0 += strip) {
    problem.n = std::min(strip, n - j0);
    problem.b = b + (problem.transpose_b ? j0 : j0 * problem.ldb);
    problem.c = sums;
    problem.ldc = m;
    if (!multiply_parallel(engine, problem)) return false;
    for_ranges(problem.n, static_cast<size_t>(m) * (sizeof(Sum) + sizeof(Out)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t j = begin; j < end; ++j) {
                   Out* c = C + (j0 + j) * ldc;
                   const Sum* sum = sums + j * m;
                   for (int64_t i = 0; i < m; ++i) {
                     Scale x = alpha * static_cast<Scale>(sum[i]);
                     if (beta != Scale(0)) x += beta * static_cast<Scale>(widen(c[i]));
                     c[i] = narrow<Out>(x);
                   }
                 }
               });
  }
  return true;
}

template <class Engine>
struct EngineTypes;
template <class From_, class In, class Sum_>
struct EngineTypes<GemmEngine<From_, In, Sum_, Sum_>> {
  using From = From_;
  using Sum = Sum_;
};
template <class From_, class Sum_>
struct EngineTypes<TileEngine<From_, Sum_>> {
  using From = From_;
  using Sum = Sum_;
};
template <class Engine>
using EngineElement = typename EngineTypes<Engine>::From;
template <class Engine>
using EngineSum = typename EngineTypes<Engine>::Sum;

// False when there is no engine, or no memory; C is as it was.
template <class Engine, class A, class B, class Out, class Scale>
bool run_engine(const Engine* engine, Transpose op_a, Transpose op_b, int64_t m, int64_t n,
                int64_t k, Scale alpha, const A* a, int64_t lda, const B* b, int64_t ldb,
                Scale beta, Out* c, int64_t ldc) {
  if (engine == nullptr) return false;
  using From = EngineElement<Engine>;
  using Sum = EngineSum<Engine>;
  static_assert(sizeof(A) == sizeof(From) && sizeof(B) == sizeof(From));
  GemmProblem<From, Sum, Sum> problem{};
  problem.m = m;
  problem.n = n;
  problem.k = k;
  problem.a = reinterpret_cast<const From*>(a);
  problem.lda = lda;
  problem.transpose_a = op_a != Transpose::no;
  problem.conjugate_a = op_a == Transpose::conjugate;
  problem.b = reinterpret_cast<const From*>(b);
  problem.ldb = ldb;
  problem.transpose_b = op_b != Transpose::no;
  problem.conjugate_b = op_b == Transpose::conjugate;
  problem.alpha = Sum(1);
  if constexpr (std::is_same_v<Out, Sum>) {
    problem.alpha = alpha;
    problem.beta = beta;
    problem.c = c;
    problem.ldc = ldc;
    return multiply_parallel(*engine, problem);
  } else {
    return multiply_and_convert(*engine, problem, alpha, beta, c, ldc);
  }
}

// Products so small that planning would show: no packing, no blocks, one thread.
template <class T>
inline bool multiply_small(const RealEngine<T>* engine, Transpose a, Transpose b, int64_t m,
                           int64_t n, int64_t k, T alpha, const T* A, int64_t lda, const T* B,
                           int64_t ldb, T beta, T* C, int64_t ldc) {
  if ((m | n | k) >= 256 || a != Transpose::no || engine == nullptr) return false;
  if (m * n * k > 64 * 64 * 64 || aliases(lda, sizeof(T)) || (m <= 8 && k >= 64)) return false;
  const bool row_tiles = b != Transpose::no;
  const bool aliasing_b = !row_tiles && n > 4 && k > 64 && aliases(ldb, sizeof(T));
  if (aliasing_b || (m * n * k == 64 * 64 * 64 && worker_limit() > 1)) return false;
  const auto& tiles = *engine->tiles;
  kernels::TileArguments<T, T, T> t;
  t.k = k;
  t.a = A;
  t.a_step = lda;
  t.b = B;
  t.b_step = ldb;
  t.c = C;
  t.ldc = ldc;
  t.alpha = alpha;
  t.beta = beta;
  t.prefetch = 0;
  t.conjugate_a = false;
  t.conjugate_b = b == Transpose::conjugate;
  if (const int v = (static_cast<int>(m) + tiles.lanes - 1) >> tiles.lane_shift;
      v <= kernels::kMaxTileVectors && n <= tiles.max_columns[v - 1]) {
    t.last_rows = static_cast<int>(m) - (v - 1) * tiles.lanes;
    const bool half = m <= half_rows(tiles);
    if (row_tiles) {
      (half ? tiles.half_row : tiles.row[v - 1])[n - 1](t);
    } else {
      (half ? tiles.half_column : tiles.column[v - 1])[n - 1](t);
    }
    return true;
  }
  sweep_tiles<false>(tiles, t, m, n, row_tiles);
  return true;
}

}  // namespace

template <class T>
void gemm(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha, const T* A,
          int64_t lda, const T* B, int64_t ldb, T beta, T* C, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  static const RealEngine<T>* const engine = gemm_engine<T>();
  if (alpha != T(0) && k > 0) {
    if constexpr (std::is_same_v<T, float>) {
      if (std::min({m, n, k}) >= kSmallestForOneDnn &&
          multiply_by_onednn(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc))
        return;
    }
    if (multiply_small(engine, a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) return;
    if (run_engine(engine, a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) return;
  }
  multiply_plainly<T>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

namespace {

// Products of a batch are shared out whole, unless each is large enough to be shared by itself.
template <class Product>
void run_batch(int64_t m, int64_t n, int64_t k, int64_t count, Product product) {
  const double work = static_cast<double>(m) * static_cast<double>(n) *
                      static_cast<double>(std::max<int64_t>(k, 1));
  const double all = work * static_cast<double>(count);
  const int threads = all < kWorthSharing || work > 8 * kWorthWaking ? 1 : worker_limit();
  if (threads == 1) {
    for (int64_t i = 0; i < count; ++i) product(i);
    return;
  }
  const int64_t chunk = std::max<int64_t>(1, count / (threads * int64_t{8}));
  auto task = [&](int index) {
    const int64_t end = std::min(count, (index + 1) * chunk);
    for (int64_t i = index * chunk; i < end; ++i) product(i);
  };
  run_tasks(static_cast<int>(ceil_div(count, chunk)), threads,
            all < kWorthWaking ? Wake::if_awake : Wake::always, task);
}

}  // namespace

template <class T>
void gemm_batched(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha,
                  const T* const* A, int64_t lda, const T* const* B, int64_t ldb, T beta,
                  T* const* C, int64_t ldc, int64_t count) {
  run_batch(m, n, k, count,
            [=](int64_t i) { gemm(a, b, m, n, k, alpha, A[i], lda, B[i], ldb, beta, C[i], ldc); });
}

template <class T>
void gemm_strided_batched(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, T alpha,
                          const T* A, int64_t lda, int64_t stride_a, const T* B, int64_t ldb,
                          int64_t stride_b, T beta, T* C, int64_t ldc, int64_t stride_c,
                          int64_t count) {
  run_batch(m, n, k, count, [=](int64_t i) {
    gemm(a, b, m, n, k, alpha, A + i * stride_a, lda, B + i * stride_b, ldb, beta, C + i * stride_c,
         ldc);
  });
}

namespace {

const TileEngine<float, float>* engine_of(FloatProducts products) {
  using kernels::amx::SplitProducts;
  switch (products) {
    case FloatProducts::full: break;
    case FloatProducts::bf16: return split_tile_engine(SplitProducts::one);
    case FloatProducts::bf16x3: return split_tile_engine(SplitProducts::three);
    case FloatProducts::bf16x6: return split_tile_engine(SplitProducts::six);
    case FloatProducts::bf16x9: return split_tile_engine(SplitProducts::nine);
  }
  return nullptr;
}

}  // namespace

void gemm_f32(FloatProducts products, Transpose a, Transpose b, int64_t m, int64_t n, int64_t k,
              float alpha, const float* A, int64_t lda, const float* B, int64_t ldb, float beta,
              float* C, int64_t ldc) {
  if (products != FloatProducts::full && alpha != 0) {
    const auto* engine = engine_of(products);
    if (engine != nullptr && worth_tiles(*engine, m, n, k) &&
        run_engine(engine, a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) {
      return;
    }
  }
  gemm<float>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

void gemm_f32_batched(FloatProducts products, Transpose a, Transpose b, int64_t m, int64_t n,
                      int64_t k, float alpha, const float* const* A, int64_t lda,
                      const float* const* B, int64_t ldb, float beta, float* const* C, int64_t ldc,
                      int64_t count) {
  run_batch(m, n, k, count, [=](int64_t i) {
    gemm_f32(products, a, b, m, n, k, alpha, A[i], lda, B[i], ldb, beta, C[i], ldc);
  });
}

void gemm_f32_strided_batched(FloatProducts products, Transpose a, Transpose b, int64_t m,
                              int64_t n, int64_t k, float alpha, const float* A, int64_t lda,
                              int64_t stride_a, const float* B, int64_t ldb, int64_t stride_b,
                              float beta, float* C, int64_t ldc, int64_t stride_c, int64_t count) {
  run_batch(m, n, k, count, [=](int64_t i) {
    gemm_f32(products, a, b, m, n, k, alpha, A + i * stride_a, lda, B + i * stride_b, ldb, beta,
             C + i * stride_c, ldc);
  });
}

template <class In, class Out, class Scale>
void gemm_mixed(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, Scale alpha, const In* A,
                int64_t lda, const In* B, int64_t ldb, Scale beta, Out* C, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (alpha != Scale(0) && k > 0) {
    if constexpr (sizeof(In) == 1) {
      if (multiply_byte_vector(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) return;
    }
    const auto* tiles = tile_engine_for<In>();
    if (tiles != nullptr && worth_tiles(*tiles, m, n, k) &&
        run_engine(tiles, a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) {
      return;
    }
    if constexpr (std::is_same_v<In, bfloat16>) {
      if (run_engine(bf16_pair_engine(), a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) {
        return;
      }
    }
    const bool done =
        run_engine(engine_for<In>(), a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    if (done) return;
  }
  using Sum = std::conditional_t<std::is_integral_v<In>, uint32_t, float>;
  multiply_plainly<Sum>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

void gemm_u8s8(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, int32_t alpha,
               const uint8_t* A, int64_t lda, const int8_t* B, int64_t ldb, int32_t beta,
               int32_t* C, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (alpha != 0 && k > 0) {
    if (multiply_byte_vector(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) return;
    const auto* tiles = u8s8_tile_engine();
    if (tiles != nullptr && worth_tiles(*tiles, m, n, k) &&
        run_engine(tiles, a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)) {
      return;
    }
    const bool done = run_engine(u8s8_engine(), a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    if (done) return;
  }
  multiply_plainly<uint32_t>(a, b, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

int gemm_threads() { return worker_limit(); }
void set_thread_limit(int threads) { set_worker_limit(threads); }

#define GUDA_GEMM(T)                                                                               \
  template void gemm<T>(Transpose, Transpose, int64_t, int64_t, int64_t, T, const T*, int64_t,     \
                        const T*, int64_t, T, T*, int64_t);                                        \
  template void gemm_batched<T>(Transpose, Transpose, int64_t, int64_t, int64_t, T,                \
                                const T* const*, int64_t, const T* const*, int64_t, T, T* const*,  \
                                int64_t, int64_t);                                                 \
  template void gemm_strided_batched<T>(Transpose, Transpose, int64_t, int64_t, int64_t, T,        \
                                        const T*, int64_t, int64_t, const T*, int64_t, int64_t, T, \
                                        T*, int64_t, int64_t, int64_t)
GUDA_GEMM(float);
GUDA_GEMM(double);
GUDA_GEMM(std::complex<float>);
GUDA_GEMM(std::complex<double>);

#define GUDA_GEMM_MIXED(In, Out, Scale)                                                            \
  template void gemm_mixed<In, Out, Scale>(Transpose, Transpose, int64_t, int64_t, int64_t, Scale, \
                                           const In*, int64_t, const In*, int64_t, Scale, Out*,    \
                                           int64_t)
GUDA_GEMM_MIXED(bfloat16, float, float);
GUDA_GEMM_MIXED(bfloat16, bfloat16, float);
GUDA_GEMM_MIXED(float16, float, float);
GUDA_GEMM_MIXED(float16, float16, float);
GUDA_GEMM_MIXED(int8_t, int32_t, int32_t);
GUDA_GEMM_MIXED(int8_t, float, float);

}  // namespace guda::blas
