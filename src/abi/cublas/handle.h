// cublasHandle_t, and the way of an operation onto the handle's stream.
//
// A handle holds settings only. It may be used by several threads at once as long as none changes it, as
// in cuBLAS.
#pragma once

#include "abi/cublas/call_log.h"
#include "abi/cublas/entry_call.h"
#include "abi/cublas/library_stream.h"
#include "abi/cublas/memory_use.h"
#include "abi/cublas/product.h"
#include "abi/cublas/types.h"
#include "support/status.h"

#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace guda::cublas {

struct Handle {
  static constexpr uint32_t kMagic = 0x47427631;
  uint32_t magic = kMagic;  // cleared by destroy: a stale handle is most often still readable
  PointerMode pointer_mode = kHostPointers;
  AtomicsMode atomics_mode = kAtomicsNotAllowed;
  int math_mode = 0;  // math_mode.h
  int multiprocessor_target = 0;
  void* stream = nullptr;
  void* workspace = nullptr;  // the program's; GUDA needs none
  size_t workspace_bytes = 0;
  // Settings of emulated arithmetic. Results are always those of the type itself.
  int emulation_strategy = 0;
  int emulation_special_values = 0xffff;
  int mantissa_control = 0;
  int max_mantissa_bits = 0;
  int mantissa_bit_offset = 0;
  int* mantissa_bit_count = nullptr;
};

backend::BlasSettings settings_of(const Handle& handle);

inline bool valid(const Handle* handle) { return handle && handle->magic == Handle::kMagic; }

/// What a cudaError_t of libguda means to a caller of cuBLAS; negative as of guda_library_submit().
Result result_of_error(int error);
/// Makes sure that there is a device to work on.
Result enter_library();

/// An illegal address in an operation of `entry`, as a Status; logged.
Status bad_address(const char* entry, uintptr_t address);

/// A scalar argument: the value at the time of the call (host pointer mode), or the one in device memory
/// when the operation runs.
template <class T>
class Scalar {
 public:
  Scalar(PointerMode mode, const T* pointer)
      : value_(mode == kHostPointers ? *pointer : T()),
        device_(mode == kHostPointers ? nullptr : pointer) {}
  Scalar(const Handle* handle, const T* pointer) : Scalar(handle->pointer_mode, pointer) {}
  explicit Scalar(T value) : value_(value), device_(nullptr) {}
  T get() const { return device_ ? *device_ : value_; }

 private:
  T value_;
  const T* device_;
};

/// Whether the factor of a product is known to be zero, so that its matrices are not read.
template <class T>
bool known_zero(const Handle* handle, const T* factor) {
  return handle->pointer_mode == kHostPointers && *factor == T(0);
}

/// A scalar whose type is known only when the call is made.
class AnyScalar {
 public:
  AnyScalar(PointerMode mode, const void* pointer, size_t bytes)
      : device_(mode == kHostPointers ? nullptr : pointer) {
    if (mode == kHostPointers) std::memcpy(value_, pointer, bytes);
  }
  const void* get() const { return device_ ? device_ : value_; }

 private:
  alignas(16) std::byte value_[16];
  const void* device_;
};

/// A callable as an operation of a stream.
template <class Work>
class WorkOperation final : public runtime::Operation {
 public:
  WorkOperation(Work work, uint64_t nanoseconds)
      : work_(std::move(work)), nanoseconds_(nanoseconds), entry_(current_entry) {}
  Status execute() override {
    uintptr_t address = 0;
    if (!library::guda_library_run_trapped(&call_work, this, &address))
      return bad_address(entry_, address);
    if (out_of_memory_)
      return {StatusCode::out_of_memory, "no memory for the operands of a BLAS operation"};
    return Status::ok();
  }
  std::unique_ptr<runtime::Operation> clone() const override {
    return std::make_unique<WorkOperation>(*this);
  }
  uint64_t expected_ns() const override { return nanoseconds_; }

 private:
  static void call_work(void* self) {
    auto& operation = *static_cast<WorkOperation*>(self);
    try {
      operation.out_of_memory_ = false;
      operation.work_();
    } catch (const std::bad_alloc&) {
      operation.out_of_memory_ = true;
    }
  }

  Work work_;
  uint64_t nanoseconds_;
  const char* entry_;
  bool out_of_memory_ = false;
};

/// A product: the CPU's way, and how other engines see it.
template <class Work>
class ProductOperation final : public runtime::Operation {
 public:
  ProductOperation(Work work, uint64_t nanoseconds, const GemmCall& call)
      : cpu_(std::move(work), nanoseconds), call_(call), uses_(kHostPointers, nullptr) {}
  Status execute() override { return cpu_.execute(); }
  std::unique_ptr<runtime::Operation> clone() const override {
    return std::make_unique<ProductOperation>(*this);
  }
  uint64_t expected_ns() const override { return cpu_.expected_ns(); }
  std::string_view label() const override { return "matrix product"; }
  runtime::OperationKind operation_kind() const override {
    return call_.for_engines ? runtime::OperationKind::gemm : runtime::OperationKind::host_memory;
  }
  const backend::GemmProblem* gemm() override { return call_.get(); }
  /// To be told before the operation is submitted where there are other engines.
  Uses& uses() { return uses_; }
  std::optional<std::span<const runtime::MemoryUse>> memory_uses() const override {
    if (!uses_.known()) return std::nullopt;
    return uses_.list();
  }

 private:
  WorkOperation<Work> cpu_;
  GemmCall call_;
  Uses uses_;  // of calls that other engines know as a product: with scalars in host memory
};

/// What engines besides the CPU want to know of an operation; the operation's copies share it.
struct LibraryWork {
  LibraryWork(PointerMode mode, std::unique_ptr<EntryCall> entry)
      : uses(mode, entry.get()), call(std::move(entry)) {}
  Uses uses;
  std::unique_ptr<backend::LibraryCall> call;  // null: the CPU alone can do it
};
/// With the call that the thread is in. `handle` may be null for operations that have none.
std::shared_ptr<LibraryWork> library_work(const Handle* handle);

/// `host`, the CPU's way, beside which there is another.
class LibraryOperation final : public runtime::Operation {
 public:
  LibraryOperation(runtime::Operation& host, std::shared_ptr<LibraryWork> work)
      : host_(&host), work_(std::move(work)) {}
  /// The vendor's library may have refused the call: then the caller, who is still there, is told.
  Status execute() override { return !owned_ && refusal() != 0 ? Status::ok() : host_->execute(); }
  std::unique_ptr<runtime::Operation> clone() const override;
  uint64_t expected_ns() const override { return host_->expected_ns(); }
  std::string_view label() const override { return host_->label(); }
  runtime::OperationKind operation_kind() const override { return host_->operation_kind(); }
  const backend::GemmProblem* gemm() override { return host_->gemm(); }
  std::optional<std::span<const runtime::MemoryUse>> memory_uses() const override {
    if (!work_->uses.known()) return std::nullopt;
    return work_->uses.list();
  }
  backend::LibraryCall* library_call() override { return call(); }
  int refusal() const { return call() ? call()->refusal.load(std::memory_order_relaxed) : 0; }

 private:
  backend::LibraryCall* call() const { return work_->call.get(); }

  runtime::Operation* host_;
  std::unique_ptr<runtime::Operation> owned_;  // a copy's
  std::shared_ptr<LibraryWork> work_;
};

/// Puts an operation on a stream; it is copied.
Result submit_operation(void* stream, runtime::Operation& operation, library::Return when);
Result submit_with(void* stream, runtime::Operation& operation, std::shared_ptr<LibraryWork> work,
                   library::Return when);

/// Puts `work` on the handle's stream. It is copied, so it captures values, not references. `tell`, which is called now
/// or never, says what it reads and writes of the device's memory.
template <class Tell, class Work>
Result submit(const Handle* handle, double nanoseconds, Tell tell, Work work,
              library::Return when = library::Return::early) {
  WorkOperation<Work> operation(std::move(work), static_cast<uint64_t>(nanoseconds));
  if (!with_devices()) [[likely]]
    return submit_operation(handle->stream, operation, when);
  auto known = library_work(handle);
  tell(known->uses);
  return submit_with(handle->stream, operation, std::move(known), when);
}

/// The same for cublasLt, whose streams are arguments: `tell` gets all that other engines may know (LibraryWork).
template <class Tell, class Work>
Result submit_to(void* stream, double nanoseconds, Tell tell, Work work) {
  WorkOperation<Work> operation(std::move(work), static_cast<uint64_t>(nanoseconds));
  if (!with_devices()) [[likely]]
    return submit_operation(stream, operation, library::Return::early);
  auto known = library_work(nullptr);
  tell(*known);
  return submit_with(stream, operation, std::move(known), library::Return::early);
}

/// For matrix products: `work` is the CPU's way.
template <class Tell, class Work>
Result submit_product(const Handle* handle, double nanoseconds, const GemmCall& call, Tell tell,
                      Work work) {
  ProductOperation<Work> operation(std::move(work), static_cast<uint64_t>(nanoseconds), call);
  if (!with_devices()) [[likely]]
    return submit_operation(handle->stream, operation, library::Return::early);
  // A product is better described (Operation::gemm()) than called, unless it depends on settings of the handle.
  if (call.for_engines && handle->math_mode == 0 && handle->multiprocessor_target == 0 &&
      handle->emulation_strategy == 0) {
    tell(operation.uses());
    return submit_operation(handle->stream, operation, library::Return::early);
  }
  auto known = library_work(handle);
  tell(known->uses);
  return submit_with(handle->stream, operation, std::move(known), library::Return::early);
}

/// For work that writes a result through a pointer of the handle's pointer mode: when that is host memory
/// the result is there on return.
template <class Tell, class Work>
Result submit_result(const Handle* handle, double nanoseconds, Tell tell, Work work) {
  return submit(
      handle, nanoseconds, std::move(tell), std::move(work),
      handle->pointer_mode == kHostPointers ? library::Return::complete : library::Return::early);
}

// Rough times, which decide whether work is done at once on the calling thread.
template <class T>
double vector_ns(int64_t n) {
  return n <= 0 ? 0 : static_cast<double>(n) * sizeof(T) / 8;
}
template <class T>
double matrix_ns(int64_t m, int64_t n) {
  return m <= 0 || n <= 0 ? 0 : static_cast<double>(m) * static_cast<double>(n) * sizeof(T) / 8;
}
template <class T>
double product_ns(int64_t m, int64_t n, int64_t k) {
  constexpr double kPerNanosecond =
      (sizeof(blas::Real<T>) == 4 ? 100.0 : 50.0) / (blas::is_complex<T> ? 4 : 1);
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) /
         kPerNanosecond;
}

// The library's enumerations in terms of src/blas. The callers have checked them.
inline bool is_op(Op op) { return op == kN || op == kT || op == kC; }
inline bool is_fill(Fill fill) { return fill == kLower || fill == kUpper; }
inline bool is_diag(Diag diag) { return diag == kNonUnit || diag == kUnit; }
inline bool is_side(SideMode side) { return side == kLeft || side == kRight; }
inline blas::Transpose transpose(Op op) {
  return op == kN   ? blas::Transpose::no
         : op == kT ? blas::Transpose::yes
                    : blas::Transpose::conjugate;
}
inline blas::Triangle triangle(Fill fill) {
  return fill == kLower ? blas::Triangle::lower : blas::Triangle::upper;
}
inline blas::Diagonal diagonal(Diag diag) {
  return diag == kUnit ? blas::Diagonal::unit : blas::Diagonal::stored;
}
inline blas::Side side_of(SideMode side) {
  return side == kLeft ? blas::Side::left : blas::Side::right;
}
/// Smallest allowed leading dimension of a matrix with that many rows.
constexpr int64_t at_least_one(int64_t rows) { return rows > 1 ? rows : 1; }

}  // namespace guda::cublas

/// First line of every routine with a handle.
#define GUDA_CUBLAS_HANDLE(handle) \
  if (!valid(handle)) return kNotInitialized
#define GUDA_CUBLAS_CHECK(condition) \
  if (!(condition)) return kInvalidValue
