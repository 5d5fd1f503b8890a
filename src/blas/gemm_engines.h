// Which micro-kernels this machine uses for which types.
#pragma once

#include "blas/gemm_block.h"

namespace guda::blas {

/// The best tiles for T on this machine, chosen once.
template <class T>
const GemmEngine<T, T, T, T>* gemm_engine();

}  // namespace guda::blas
