// What the tests of cublasLt share: its objects, and a matmul that is waited for.
#pragma once

#include "abi/cublas/cublas_test.h"
#include "abi/cublas/lt/descriptors.h"
#include "abi/cublas/lt/layout.h"

namespace guda::cublas::lt::test {

using namespace guda::cublas::test;

struct Lt {
  void* handle = nullptr;
  Lt() { EXPECT_EQ(call("cublasLtCreate", &handle), 0); }
  ~Lt() { EXPECT_EQ(call("cublasLtDestroy", handle), 0); }
};

/// A layout made by the library, and one of our own for where its elements are.
struct Matrix {
  void* descriptor = nullptr;
  Layout layout{};
  Matrix(DataType type, int64_t rows, int64_t columns, int64_t ld, Order order = kColumn) {
    EXPECT_EQ(call("cublasLtMatrixLayoutCreate", &descriptor, type, uint64_t(rows),
                   uint64_t(columns), ld),
              0);
    layout.type = type;
    layout.rows = rows;
    layout.columns = columns;
    layout.ld = ld;
    layout.order = order;
    if (order != kColumn) set(1, order);
  }
  ~Matrix() { EXPECT_EQ(call("cublasLtMatrixLayoutDestroy", descriptor), 0); }
  template <class V>
  void set(int attribute, V value) {
    EXPECT_EQ(call("cublasLtMatrixLayoutSetAttribute", descriptor, attribute, &value, sizeof value),
              0);
  }
  void batch(int32_t count, int64_t stride) {
    set(5, count);
    set(6, stride);
    layout.batch_count = count;
    layout.batch_stride = stride;
  }
};

struct Operation {
  void* descriptor = nullptr;
  Operation(ComputeType compute, DataType scale) {
    EXPECT_EQ(call("cublasLtMatmulDescCreate", &descriptor, compute, scale), 0);
  }
  ~Operation() { EXPECT_EQ(call("cublasLtMatmulDescDestroy", descriptor), 0); }
  template <class V>
  void set(int attribute, V value) {
    EXPECT_EQ(call("cublasLtMatmulDescSetAttribute", descriptor, attribute, &value, sizeof value),
              0);
  }
};

enum {
  kPointerModeAttribute = 2,
  kTransA = 3,
  kTransB = 4,
  kEpilogueAttribute = 7,
  kBiasPointer = 8,
  kAuxPointer = 11,
  kAuxLd = 12,
  kAScale = 17,
  kBScale = 18,
  kDScale = 20,
  kDAmax = 21,
};

/// Room that NVIDIA's kernels for gradients of biases need.
inline Array<char>& workspace() {
  static Array<char> memory(32 << 20);
  return memory;
}

inline int matmul(Lt& lt, Operation& operation, const void* alpha, const void* a, Matrix& am,
                  const void* b, Matrix& bm, const void* beta, const void* c, Matrix& cm, void* d,
                  Matrix& dm) {
  void* none = nullptr;
  int status = call("cublasLtMatmul", lt.handle, operation.descriptor, alpha, a, am.descriptor, b,
                    bm.descriptor, beta, c, cm.descriptor, d, dm.descriptor, none,
                    static_cast<void*>(workspace().get()), workspace().size(), none);
  synchronize();
  return status;
}

/// Elements of a layout as numbers.
template <class T>
double number_at(const Layout& layout, const T* matrix, int64_t i, int64_t j) {
  if constexpr (std::is_same_v<T, int32_t>)
    return matrix[element_position(layout, i, j)];
  else
    return widen(matrix[element_position(layout, i, j)]);
}

}  // namespace guda::cublas::lt::test
