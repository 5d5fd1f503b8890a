// Creating handles and reading and changing their settings.
#include "abi/cublas/handle.h"

#include "abi/cublas/entry.h"
#include "blas/worker_pool.h"
#include "support/log.h"

#include <cstdio>
#include <cstdlib>

namespace guda::cublas {

Result result_of_error(int error) {
  switch (error < 0 ? -error : error) {
    case 0: return kSuccess;
    case 2: return kAllocFailed;
    case 3:
    case 100: return kNotInitialized;
    case 400: return kInvalidValue;
    case 801: return kNotSupported;
    case 900:
    case 901: return kInternalError;
    // The work was done and failed: its result, in host memory, could not be had.
    default: return error < 0 ? kMappingError : kExecutionFailed;
  }
}

Result enter_library() {
  int error = library::guda_library_enter();
  library::guda_library_provide_gemm(
      [](const backend::GemmProblem& problem) { return multiply(problem); });
  if (library::guda_library_has_devices()) devices_present.store(true, std::memory_order_relaxed);
  return error == 0 ? kSuccess : error == 2 ? kAllocFailed : kNotInitialized;
}

backend::BlasSettings settings_of(const Handle& handle) {
  backend::BlasSettings settings;
  settings.pointer_mode = handle.pointer_mode;
  settings.atomics_mode = handle.atomics_mode;
  settings.math_mode = handle.math_mode;
  settings.multiprocessor_target = handle.multiprocessor_target;
  settings.emulation_strategy = handle.emulation_strategy;
  settings.emulation_special_values = handle.emulation_special_values;
  settings.mantissa_control = handle.mantissa_control;
  settings.max_mantissa_bits = handle.max_mantissa_bits;
  settings.mantissa_bit_offset = handle.mantissa_bit_offset;
  settings.mantissa_bit_count = handle.mantissa_bit_count;
  settings.workspace = handle.workspace;
  settings.workspace_bytes = handle.workspace_bytes;
  return settings;
}

std::shared_ptr<LibraryWork> library_work(const Handle* handle) {
  std::unique_ptr<EntryCall> call;
  if (handle != nullptr && current_call != nullptr)
    call = std::make_unique<EntryCall>(*current_call, settings_of(*handle));
  return std::make_shared<LibraryWork>(handle ? handle->pointer_mode : kHostPointers,
                                       std::move(call));
}

namespace {

class NoOperation final : public runtime::Operation {
 public:
  Status execute() override { return Status::ok(); }
  std::unique_ptr<Operation> clone() const override { return std::make_unique<NoOperation>(); }
  runtime::OperationKind operation_kind() const override { return runtime::OperationKind::nothing; }
  uint64_t expected_ns() const override { return 0; }
};

}  // namespace

std::unique_ptr<runtime::Operation> LibraryOperation::clone() const {
  // The caller is told that the call was refused: nobody shall do it.
  if (!owned_ && refusal() != 0) return std::make_unique<NoOperation>();
  auto host = host_->clone();
  auto copy = std::make_unique<LibraryOperation>(*host, work_);
  copy->owned_ = std::move(host);
  return copy;
}

Result submit_operation(void* stream, runtime::Operation& operation, library::Return when) {
  int error = library::guda_library_submit(stream, &operation, when);
  return error == 0 ? kSuccess : result_of_error(error);
}

Result submit_with(void* stream, runtime::Operation& operation, std::shared_ptr<LibraryWork> work,
                   library::Return when) {
  LibraryOperation with(operation, std::move(work));
  const Result result = submit_operation(stream, with, when);
  const int refusal = with.refusal();
  return refusal != 0 ? static_cast<Result>(refusal) : result;
}

constinit thread_local const char* current_entry = "cuBLAS";

Status bad_address(const char* entry, uintptr_t address) {
  Status status{StatusCode::illegal_address,
                fmt::format("{}: illegal memory access at {:#x}", entry, address)};
  log(LogPart::blas, LogLevel::error, "{}", status.message());
  return status;
}

namespace {

// Operations run where a bad address ends them; so must their parts on other threads.
constexpr blas::TaskTrap kTaskTrap{&library::guda_library_in_trap,
                                   &library::guda_library_run_trapped,
                                   &library::guda_library_leave_trap};
[[maybe_unused]] const bool task_trap_set = (blas::set_task_trap(&kTaskTrap), true);

Result create(Handle** out) {
  GUDA_CUBLAS_CHECK(out);
  if (Result result = enter_library()) return result;
  *out = new Handle;
  return kSuccess;
}

Result destroy(Handle* handle) {
  GUDA_CUBLAS_HANDLE(handle);
  handle->magic = 0;
  delete handle;
  return kSuccess;
}

Result get_version(Handle*, int* version) {
  GUDA_CUBLAS_CHECK(version);
  *version = kVersion;
  return kSuccess;
}

/// libraryPropertyType: major, minor, patch.
Result get_property(int type, int* value) {
  GUDA_CUBLAS_CHECK(value);
  switch (type) {
    case 0: *value = kVersion / 10000; return kSuccess;
    case 1: *value = kVersion / 100 % 100; return kSuccess;
    case 2: *value = kVersion % 100; return kSuccess;
    default: return kInvalidValue;
  }
}

size_t get_cudart_version() { return 13000; }

Result set_workspace(Handle* handle, void* workspace, size_t bytes) {
  GUDA_CUBLAS_HANDLE(handle);
  // Documented to be aligned to 256 bytes, but cuBLAS 13.1 takes any address.
  handle->workspace = workspace;
  handle->workspace_bytes = workspace ? bytes : 0;
  return kSuccess;
}

Result set_stream(Handle* handle, void* stream) {
  GUDA_CUBLAS_HANDLE(handle);
  handle->stream = stream;
  handle->workspace = nullptr;  // as documented: back to the default pool
  handle->workspace_bytes = 0;
  return kSuccess;
}

Result get_stream(Handle* handle, void** stream) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(stream);
  *stream = handle->stream;
  return kSuccess;
}

/// A setting with a range.
template <auto kMember, int kLowest, int kHighest>
Result set(Handle* handle, int value) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(value >= kLowest && value <= kHighest);
  using Type = std::remove_reference_t<decltype(handle->*kMember)>;
  handle->*kMember = static_cast<Type>(value);
  return kSuccess;
}

template <auto kMember>
Result get(Handle* handle, int* value) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(value);
  *value = static_cast<int>(handle->*kMember);
  return kSuccess;
}

Result set_math_mode(Handle* handle, int mode) {
  GUDA_CUBLAS_HANDLE(handle);
  constexpr int kDisallowReducedPrecisionReduction = 16;
  int base = mode & ~kDisallowReducedPrecisionReduction;
  // cuBLAS 13.1 takes combinations without a name too.
  GUDA_CUBLAS_CHECK(base >= 0 && base <= 15);
  handle->math_mode = mode;
  return kSuccess;
}

Result set_multiprocessor_target(Handle* handle, int count) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(count >= 0 && count <= library::guda_library_multiprocessors());
  handle->multiprocessor_target = count;
  return kSuccess;
}

Result set_mantissa_bit_count(Handle* handle, int* pointer) {
  GUDA_CUBLAS_HANDLE(handle);
  handle->mantissa_bit_count = pointer;
  return kSuccess;
}

Result get_mantissa_bit_count(Handle* handle, int** pointer) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(pointer);
  *pointer = handle->mantissa_bit_count;
  return kSuccess;
}

void xerbla(const char* name, int info) {
  std::printf(" ** On entry to %s parameter number %d had an illegal value\n", name, info);
  std::fflush(stdout);
}

GUDA_ENTRY(cublasCreate_v2, create);
GUDA_ENTRY(cublasDestroy_v2, destroy);
GUDA_ENTRY(cublasGetVersion_v2, get_version);
GUDA_ENTRY(cublasGetProperty, get_property);
GUDA_ENTRY(cublasLtGetProperty, get_property);
GUDA_ENTRY(cublasGetCudartVersion, get_cudart_version);
GUDA_ENTRY(cublasLtGetCudartVersion, get_cudart_version);
GUDA_ENTRY(cublasSetWorkspace_v2, set_workspace);
GUDA_ENTRY(cublasSetStream_v2, set_stream);
GUDA_ENTRY(cublasGetStream_v2, get_stream);
GUDA_ENTRY(cublasSetPointerMode_v2, set<&Handle::pointer_mode, kHostPointers, kDevicePointers>);
GUDA_ENTRY(cublasGetPointerMode_v2, get<&Handle::pointer_mode>);
GUDA_ENTRY(cublasSetAtomicsMode, set<&Handle::atomics_mode, kAtomicsNotAllowed, kAtomicsAllowed>);
GUDA_ENTRY(cublasGetAtomicsMode, get<&Handle::atomics_mode>);
GUDA_ENTRY(cublasSetMathMode, set_math_mode);
GUDA_ENTRY(cublasGetMathMode, get<&Handle::math_mode>);
GUDA_ENTRY(cublasSetSmCountTarget, set_multiprocessor_target);
GUDA_ENTRY(cublasGetSmCountTarget, get<&Handle::multiprocessor_target>);
GUDA_ENTRY(cublasSetEmulationStrategy, set<&Handle::emulation_strategy, 0, 2>);
GUDA_ENTRY(cublasGetEmulationStrategy, get<&Handle::emulation_strategy>);
GUDA_ENTRY(cublasSetEmulationSpecialValuesSupport,
           set<&Handle::emulation_special_values, 0, 0xffff>);
GUDA_ENTRY(cublasGetEmulationSpecialValuesSupport, get<&Handle::emulation_special_values>);
GUDA_ENTRY(cublasSetFixedPointEmulationMantissaControl, set<&Handle::mantissa_control, 0, 1>);
GUDA_ENTRY(cublasGetFixedPointEmulationMantissaControl, get<&Handle::mantissa_control>);
GUDA_ENTRY(cublasSetFixedPointEmulationMaxMantissaBitCount,
           set<&Handle::max_mantissa_bits, 0, 0x7fffffff>);
GUDA_ENTRY(cublasGetFixedPointEmulationMaxMantissaBitCount, get<&Handle::max_mantissa_bits>);
GUDA_ENTRY(cublasSetFixedPointEmulationMantissaBitOffset,
           set<&Handle::mantissa_bit_offset, -0x7fffffff, 0x7fffffff>);
GUDA_ENTRY(cublasGetFixedPointEmulationMantissaBitOffset, get<&Handle::mantissa_bit_offset>);
GUDA_ENTRY(cublasSetFixedPointEmulationMantissaBitCountPointer, set_mantissa_bit_count);
GUDA_ENTRY(cublasGetFixedPointEmulationMantissaBitCountPointer, get_mantissa_bit_count);
GUDA_ENTRY(cublasXerbla, xerbla);

}  // namespace
}  // namespace guda::cublas
