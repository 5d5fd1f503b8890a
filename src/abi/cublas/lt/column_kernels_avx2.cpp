#include "abi/cublas/lt/column_kernels_impl.h"

namespace guda::cublas::lt {
const ColumnKernels kAvx2ColumnKernels = kKernels;
}
