#include "blas/onednn_gemm.h"

#include <algorithm>

#include "blas/cpu_features.h"
#include "blas/gemm_block.h"
#include "blas/gemm_definition.h"
#include "blas/gemm_parallel.h"
#include "blas/onednn.h"
#include "blas/worker_pool.h"
#include "support/options.h"

namespace guda::blas {
namespace {

enum class Use : uint8_t { never, where_faster, always };

Use configured_use() {
  if (option_value(Option::onednn) == "always") return Use::always;
  return cpu_features().level == InstructionSet::avx2 ? Use::where_faster : Use::never;
}

// Measured with AVX2 on a Zen 4: 8 to 15 % faster than GUDA's tiles from 64^3 on, slower below, with few
// rows or columns, and with leading dimensions at which columns share cache sets.
bool is_faster(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb) {
  return std::min({m, n, k}) >= kSmallestForOneDnn && !aliases(lda, sizeof(float)) &&
         !aliases(ldb, sizeof(float));
}

}  // namespace

bool multiply_by_onednn(Transpose a, Transpose b, int64_t m, int64_t n, int64_t k, float alpha,
                        const float* A, int64_t lda, const float* B, int64_t ldb, float beta,
                        float* C, int64_t ldc) {
  static const Use use = configured_use();
  if (use == Use::never) return false;
  if (use == Use::where_faster && !is_faster(m, n, k, lda, ldb)) return false;
  const OneDnn* library = onednn();
  if (library == nullptr) return false;

  const int64_t limit = std::max(m, n) <= 512 ? 128 : 256;
  const int64_t row_step = equal_steps(m, limit, 16), column_step = equal_steps(n, limit, 16);
  const int64_t rows = ceil_div(m, row_step), columns = ceil_div(n, column_step);
  auto part = [&](int index) {
    const int64_t i = index % rows * row_step, j = index / rows * column_step;
    const int64_t part_m = std::min(row_step, m - i), part_n = std::min(column_step, n - j);
    const float* part_a = A + (a == Transpose::no ? i : i * lda);
    const float* part_b = B + (b == Transpose::no ? j * ldb : j);
    float* part_c = C + i + j * ldc;
    const OneDnnOnThisThread alone(*library);
    // A column-major product is the row-major one of the transposed matrices.
    const int failed =
        library->sgemm(b == Transpose::no ? 'N' : 'T', a == Transpose::no ? 'N' : 'T', part_n,
                       part_m, k, alpha, part_b, ldb, part_a, lda, beta, part_c, ldc);
    if (failed != 0)
      multiply_plainly<float>(a, b, part_m, part_n, k, alpha, part_a, lda, part_b, ldb, beta,
                              part_c, ldc);
  };
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  run_tasks(static_cast<int>(rows * columns), work < kWorthSharing ? 1 : worker_limit(),
            work < kWorthWaking ? Wake::if_awake : Wake::always, part);
  return true;
}

}  // namespace guda::blas
