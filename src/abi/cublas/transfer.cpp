// Vectors and matrices between host and device: strided copies of the runtime.
#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"

// libguda's own runtime API.
extern "C" int cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                            size_t width, size_t height, int kind);
extern "C" int cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                                 size_t width, size_t height, int kind, void* stream);

namespace guda::cublas {
namespace {

enum Direction : int { kToDevice = 1, kToHost = 2 };

struct Async {
  void* stream;
};

/// `rows` elements per column, columns `ld` elements apart.
Result copy(int64_t rows, int64_t columns, int64_t element, const void* from, int64_t from_ld,
            void* to, int64_t to_ld, Direction direction, const Async* async) {
  // The one side must be the device's memory; every failure of the copy is a mapping error.
  if (!library::guda_library_is_device_memory(direction == kToDevice ? to : from))
    return kMappingError;
  auto bytes = [&](int64_t count) { return static_cast<size_t>(count * element); };
  int error = async ? cudaMemcpy2DAsync(to, bytes(to_ld), from, bytes(from_ld), bytes(rows),
                                        static_cast<size_t>(columns), direction, async->stream)
                    : cudaMemcpy2D(to, bytes(to_ld), from, bytes(from_ld), bytes(rows),
                                   static_cast<size_t>(columns), direction);
  return error == 0 ? kSuccess : kMappingError;
}

/// A vector is one row of a matrix, unless both are without gaps.
Result copy_vector(int64_t n, int64_t element, const void* from, int64_t from_increment, void* to,
                   int64_t to_increment, Direction direction, const Async* async) {
  GUDA_CUBLAS_CHECK(element > 0 && from_increment > 0 && to_increment > 0);
  if (n == 0) return kSuccess;
  if (n < 0 || !from || !to) return kMappingError;
  if (from_increment == 1 && to_increment == 1)
    return copy(n, 1, element, from, n, to, n, direction, async);
  return copy(1, n, element, from, from_increment, to, to_increment, direction, async);
}

Result copy_matrix(int64_t rows, int64_t columns, int64_t element, const void* from,
                   int64_t from_ld, void* to, int64_t to_ld, Direction direction,
                   const Async* async) {
  GUDA_CUBLAS_CHECK(rows >= 0 && columns >= 0 && element > 0 && from_ld > 0 && to_ld > 0);
  if (rows == 0 || columns == 0) return kSuccess;
  // Errors of the copy, as in cuBLAS.
  if (!from || !to || from_ld < rows || to_ld < rows) return kMappingError;
  return copy(rows, columns, element, from, from_ld, to, to_ld, direction, async);
}

template <Direction kDirection, class Int>
Result vector(Int n, Int element, const void* x, Int incx, void* y, Int incy) {
  return copy_vector(n, element, x, incx, y, incy, kDirection, nullptr);
}
template <Direction kDirection, class Int>
Result vector_async(Int n, Int element, const void* x, Int incx, void* y, Int incy, void* stream) {
  Async async{stream};
  return copy_vector(n, element, x, incx, y, incy, kDirection, &async);
}
template <Direction kDirection, class Int>
Result matrix(Int rows, Int columns, Int element, const void* a, Int lda, void* b, Int ldb) {
  return copy_matrix(rows, columns, element, a, lda, b, ldb, kDirection, nullptr);
}
template <Direction kDirection, class Int>
Result matrix_async(Int rows, Int columns, Int element, const void* a, Int lda, void* b, Int ldb,
                    void* stream) {
  Async async{stream};
  return copy_matrix(rows, columns, element, a, lda, b, ldb, kDirection, &async);
}

GUDA_ENTRY_SIZES(cublasSetVector, vector, kToDevice);
GUDA_ENTRY_SIZES(cublasGetVector, vector, kToHost);
GUDA_ENTRY_SIZES(cublasSetVectorAsync, vector_async, kToDevice);
GUDA_ENTRY_SIZES(cublasGetVectorAsync, vector_async, kToHost);
GUDA_ENTRY_SIZES(cublasSetMatrix, matrix, kToDevice);
GUDA_ENTRY_SIZES(cublasGetMatrix, matrix, kToHost);
GUDA_ENTRY_SIZES(cublasSetMatrixAsync, matrix_async, kToDevice);
GUDA_ENTRY_SIZES(cublasGetMatrixAsync, matrix_async, kToHost);

}  // namespace
}  // namespace guda::cublas
