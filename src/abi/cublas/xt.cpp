#include "abi/cublas/xt.h"

#include "abi/cublas/entry.h"

// libguda's own runtime API.
extern "C" int cudaGetDeviceCount(int* count);

namespace guda::cublas::xt {
namespace {

#define GUDA_XT_HANDLE(handle) \
  if (!(handle) || (handle)->magic != XtHandle::kMagic) return kNotInitialized

Result create(XtHandle** out) {
  GUDA_CUBLAS_CHECK(out);
  if (Result result = enter_library()) return result;
  *out = new XtHandle;
  return kSuccess;
}

Result destroy(XtHandle* handle) {
  GUDA_XT_HANDLE(handle);
  handle->magic = 0;
  delete handle;
  return kSuccess;
}

bool is_device(int id) {
  int count = 0;
  return cudaGetDeviceCount(&count) == 0 && id >= 0 && id < count;
}

/// A board is a card with one or more devices; here every device is one.
Result get_boards(int count, int* devices, int* boards) {
  GUDA_CUBLAS_CHECK(count > 0 && devices && boards);
  for (int i = 0; i < count; ++i) GUDA_CUBLAS_CHECK(is_device(devices[i]));
  *boards = count;
  return kSuccess;
}

Result get_most_boards(int* boards) {
  GUDA_CUBLAS_CHECK(boards);
  *boards = 32;
  return kSuccess;
}

Result select_devices(XtHandle* handle, int count, int* devices) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(count > 0 && devices);
  for (int i = 0; i < count; ++i) GUDA_CUBLAS_CHECK(is_device(devices[i]));
  handle->devices.assign(devices, devices + count);
  return kSuccess;
}

Result set_block_dimension(XtHandle* handle, int dimension) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(dimension > 0);
  handle->block_dimension = dimension;
  return kSuccess;
}
Result get_block_dimension(XtHandle* handle, int* dimension) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(dimension);
  *dimension = handle->block_dimension;
  return kSuccess;
}

Result set_pinning(XtHandle* handle, int mode) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(mode == 0 || mode == 1);
  handle->pinning = mode;
  return kSuccess;
}
Result get_pinning(XtHandle* handle, int* mode) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(mode);
  *mode = handle->pinning;
  return kSuccess;
}

bool is_routine(int operation, int type) {
  return operation >= 0 && operation < XtHandle::kOperations && type >= 0 &&
         type < XtHandle::kTypes;
}

/// Work is not shared with the program's own BLAS: it would run on the same cores.
Result set_cpu_routine(XtHandle* handle, int operation, int type, void* routine) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_routine(operation, type));
  handle->cpu_routine[operation][type] = routine;
  return kSuccess;
}
Result set_cpu_ratio(XtHandle* handle, int operation, int type, float ratio) {
  GUDA_XT_HANDLE(handle);
  GUDA_CUBLAS_CHECK(is_routine(operation, type) && ratio >= 0 && ratio <= 1);
  handle->cpu_ratio[operation][type] = ratio;
  return kSuccess;
}

GUDA_ENTRY(cublasXtCreate, create);
GUDA_ENTRY(cublasXtDestroy, destroy);
GUDA_ENTRY(cublasXtGetNumBoards, get_boards);
GUDA_ENTRY(cublasXtMaxBoards, get_most_boards);
GUDA_ENTRY(cublasXtDeviceSelect, select_devices);
GUDA_ENTRY(cublasXtSetBlockDim, set_block_dimension);
GUDA_ENTRY(cublasXtGetBlockDim, get_block_dimension);
GUDA_ENTRY(cublasXtSetPinningMemMode, set_pinning);
GUDA_ENTRY(cublasXtGetPinningMemMode, get_pinning);
GUDA_ENTRY(cublasXtSetCpuRoutine, set_cpu_routine);
GUDA_ENTRY(cublasXtSetCpuRatio, set_cpu_ratio);

#define GUDA_XT_SD(routine, function, ...)                                    \
  GUDA_ENTRY(cublasXtS##routine, function<float __VA_OPT__(, ) __VA_ARGS__>); \
  GUDA_ENTRY(cublasXtD##routine, function<double __VA_OPT__(, ) __VA_ARGS__>)
#define GUDA_XT_CZ(routine, function, ...)                                           \
  GUDA_ENTRY(cublasXtC##routine, function<ComplexFloat __VA_OPT__(, ) __VA_ARGS__>); \
  GUDA_ENTRY(cublasXtZ##routine, function<ComplexDouble __VA_OPT__(, ) __VA_ARGS__>)
#define GUDA_XT_SDCZ(routine, function, ...)                \
  GUDA_XT_SD(routine, function __VA_OPT__(, ) __VA_ARGS__); \
  GUDA_XT_CZ(routine, function __VA_OPT__(, ) __VA_ARGS__)

GUDA_XT_SDCZ(gemm, gemm);
GUDA_XT_SDCZ(syrk, syrk, Kind::symmetric);
GUDA_XT_CZ(herk, syrk, Kind::hermitian);
GUDA_XT_SDCZ(syr2k, syr2k, Kind::symmetric, TwoMatrices::both_ways);
GUDA_XT_CZ(her2k, syr2k, Kind::hermitian, TwoMatrices::both_ways);
GUDA_XT_SDCZ(syrkx, syr2k, Kind::symmetric, TwoMatrices::one_way);
GUDA_XT_CZ(herkx, syr2k, Kind::hermitian, TwoMatrices::one_way);
GUDA_XT_SDCZ(symm, symm, Kind::symmetric);
GUDA_XT_CZ(hemm, symm, Kind::hermitian);
GUDA_XT_SDCZ(spmm, spmm);
GUDA_XT_SDCZ(trsm, trsm);
GUDA_XT_SDCZ(trmm, trmm);

}  // namespace
}  // namespace guda::cublas::xt
