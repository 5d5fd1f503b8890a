#include "abi/cublas/lt/column_kernels.h"

#include "blas/cpu_features.h"

namespace guda::cublas::lt {

const ColumnKernels& column_kernels() {
  static const ColumnKernels& kernels = []() -> const ColumnKernels& {
    switch (blas::cpu_features().level) {
      case blas::InstructionSet::avx512: return kAvx512ColumnKernels;
      case blas::InstructionSet::avx2: return kAvx2ColumnKernels;
      default: return kPortableColumnKernels;
    }
  }();
  return kernels;
}

}  // namespace guda::cublas::lt
