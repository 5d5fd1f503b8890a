// Calls of cublasLt by NVIDIA's library: its own descriptors, made from the attributes of ours.
#pragma once

#include "abi/cublas/handle.h"
#include "abi/cublas/lt/matmul.h"

#include <memory>

namespace guda::cublas::lt {

/// Operands and scalars of a call. Scalars that the mode has in host memory are copied, others stand where they are.
struct Inputs {
  const void* alpha;
  const void* a;
  const void* b;
  const void* beta;
};

/// Null when the library could not do it as it is.
std::unique_ptr<backend::LibraryCall> vendor_matmul(const Problem& problem, const Inputs& operands,
                                                    const void* c, void* d, void* workspace,
                                                    size_t workspace_bytes);

}  // namespace guda::cublas::lt
