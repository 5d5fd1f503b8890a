// op(A) and op(B) of a matmul as the BLAS takes them.
#pragma once

#include "abi/cublas/lt/matmul.h"
#include "blas/types.h"

#include <memory>

namespace guda::cublas::lt {

/// One operand: column-major with a leading dimension. What has an order or a type that the BLAS does not know
/// has been converted.
struct Operand {
  const void* data;
  int64_t ld;
  blas::Transpose transpose;
  DataType type;
  std::unique_ptr<std::byte[]> copy;  // behind `data`, when it was converted
};

/// A conjugate transpose of a row-major matrix is its conjugate, which the BLAS has no word for.
bool needs_conjugate(const Layout& layout, Op op);

class Operands {
 public:
  Operands(const Problem& problem, const void* a, const void* b);

  /// Columns [first, first + count) of op(A) op(B), to `out` with the leading dimension `ld`. Sum: float
  /// (narrow floats and complex bytes too), double, int32_t (for bytes), and complex.
  template <class Sum>
  void multiply(int64_t first, int64_t count, Sum* out, int64_t ld) const;

 private:
  Operand a_, b_;
  int64_t m_, k_;
  ComputeType compute_;
};

}  // namespace guda::cublas::lt
