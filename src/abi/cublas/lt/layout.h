// Where the elements of a matrix stand, for every order of cublasLt.
#pragma once

#include "abi/cublas/handle.h"
#include "abi/cublas/lt/descriptors.h"

#include <memory>

namespace guda::cublas::lt {

/// Position of element (i, j), in elements.
int64_t element_position(const Layout& layout, int64_t i, int64_t j);

/// kInvalidValue when the leading dimension is too short, the order unknown or the batch count below 1.
Result check_layout(const Layout& layout);

/// Matrix number `index` of the batch that starts at `matrix`.
const void* batch_member(const Layout& layout, const void* matrix, int64_t index);
inline void* batch_member(const Layout& layout, void* matrix, int64_t index) {
  return const_cast<void*>(batch_member(layout, const_cast<const void*>(matrix), index));
}

/// A matrix as the BLAS takes it: column-major with a leading dimension, perhaps as its transpose.
struct PlainMatrix {
  const void* data;
  int64_t ld;
  bool transposed;
  std::unique_ptr<std::byte[]> copy;  // behind `data` when the order is none of the BLAS's
};
PlainMatrix plain_matrix(const Layout& layout, const void* matrix);

/// Reads column j as T, and writes it (rounded by narrow() of element.h).
/// T: float, double, int32_t, or a complex of the first two.
template <class T>
void load_column(const Layout& layout, const void* matrix, int64_t j, T* out);
template <class T>
void store_column(const Layout& layout, void* matrix, int64_t j, const T* values);

/// One element of a vector or of an array of scalars.
template <class T>
T load_element(DataType type, const void* data, int64_t index);
template <class T>
void store_element(DataType type, void* data, int64_t index, T value);

}  // namespace guda::cublas::lt
