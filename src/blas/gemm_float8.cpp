#include "blas/gemm_float8.h"

#include <array>
#include <bit>
#include <memory>
#include <new>

#include "blas/cpu_features.h"
#include "blas/gemm_definition.h"
#include "blas/gemm_engines.h"
#include "blas/gemm_parallel.h"
#include "blas/parallel.h"
#include "blas/tile_engines.h"
#include "kernels/float8.h"

namespace guda::blas {
namespace {

namespace avx512 = kernels::avx512;
namespace avx2 = kernels::avx2;
namespace portable = kernels::portable;

const kernels::Packing<uint8_t, float>& widening(Float8 format) {
  const bool e4m3 = format == Float8::e4m3;
  switch (cpu_features().level) {
    case InstructionSet::avx512: return e4m3 ? avx512::widen_e4m3 : avx512::widen_e5m2;
    case InstructionSet::avx2: return e4m3 ? avx2::widen_e4m3 : avx2::widen_e5m2;
    default: return e4m3 ? portable::widen_e4m3 : portable::widen_e5m2;
  }
}

const kernels::Packing<uint8_t, uint32_t>& pairing(Float8 format) {
  return format == Float8::e4m3 ? avx512::e4m3_pairs : avx512::e5m2_pairs;
}

const std::array<float, 256>& values_of(Float8 format) {
  return format == Float8::e4m3 ? kernels::kE4m3Values : kernels::kE5m2Values;
}

// The matrix as bf16, without gaps.
std::unique_ptr<bfloat16[]> widened(Float8 format, int64_t rows, int64_t columns, const uint8_t* x,
                                    int64_t ld) {
  std::unique_ptr<bfloat16[]> result(new (std::nothrow)
                                         bfloat16[static_cast<size_t>(rows * columns)]);
  if (result == nullptr) return result;
  std::array<uint16_t, 256> codes;
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(values_of(format)[i]) >> 16);
  for_ranges(columns, static_cast<size_t>(rows) * 3, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      for (int64_t i = 0; i < rows; ++i)
        result[static_cast<size_t>(i + j * rows)].bits = codes[x[i + j * ld]];
  });
  return result;
}

// What the definition needs: elements that widen themselves.
template <Float8 format>
struct Element {
  uint8_t code;
};
template <Float8 format>
float widen(Element<format> x) {
  return values_of(format)[x.code];
}

}  // namespace

void gemm_float8(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, float alpha,
                 Float8 format_a, const uint8_t* A, int64_t lda, Float8 format_b, const uint8_t* B,
                 int64_t ldb, float beta, float* C, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (alpha == 0 || k <= 0) {
    multiply_plainly<float>(a, b, m, n, 0, 0.0f, C, 1, C, 1, beta, C, ldc);
    return;
  }
  // Matrix tiles take bf16.
  constexpr double kWorthTiles = 64.0 * 64 * 64;
  if (bf16_tile_engine() != nullptr &&
      static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) >= kWorthTiles) {
    const int64_t rows_a = a == Transpose::no ? m : k, rows_b = b == Transpose::no ? k : n;
    const auto wide_a = widened(format_a, rows_a, m + k - rows_a, A, lda);
    const auto wide_b = widened(format_b, rows_b, n + k - rows_b, B, ldb);
    if (wide_a != nullptr && wide_b != nullptr)
      return gemm_mixed<bfloat16, float, float>(a, b, m, n, k, alpha, wide_a.get(), rows_a,
                                                wide_b.get(), rows_b, beta, C, ldc);
  }
  GemmProblem<uint8_t, float, float> problem{};
  problem.m = m;
  problem.n = n;
  problem.k = k;
  problem.a = A;
  problem.lda = lda;
  problem.transpose_a = a != Transpose::no;
  problem.b = B;
  problem.ldb = ldb;
  problem.transpose_b = b != Transpose::no;
  problem.c = C;
  problem.ldc = ldc;
  problem.alpha = alpha;
  problem.beta = beta;
  bool done = false;
  if (const PairEngine* pairs = bf16_pair_engine(); pairs != nullptr) {
    const GemmEngine<uint8_t, uint32_t, float, float> engine{pairs->tiles, pairing(format_a),
                                                             pairing(format_b), 2};
    done = multiply_parallel(engine, problem);
  } else {
    const GemmEngine<uint8_t, float, float, float> engine{
        gemm_engine<float>()->tiles, widening(format_a), widening(format_b), 1};
    done = multiply_parallel(engine, problem);
  }
  if (done) return;
  const auto plainly = [&]<Float8 x, Float8 y>(Element<x>, Element<y>) {
    multiply_plainly<float>(a, b, m, n, k, alpha, reinterpret_cast<const Element<x>*>(A), lda,
                            reinterpret_cast<const Element<y>*>(B), ldb, beta, C, ldc);
  };
  constexpr Element<Float8::e4m3> kE4m3{};
  constexpr Element<Float8::e5m2> kE5m2{};
  if (format_a == Float8::e4m3)
    format_b == Float8::e4m3 ? plainly(kE4m3, kE4m3) : plainly(kE4m3, kE5m2);
  else
    format_b == Float8::e4m3 ? plainly(kE5m2, kE4m3) : plainly(kE5m2, kE5m2);
}

}  // namespace guda::blas
