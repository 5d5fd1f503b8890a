// A call of cuBLAS or cublasLt as the program made it, for devices whose vendor has that library.
#pragma once

#include <atomic>
#include <cstddef>

namespace guda::backend {

/// The settings of the program's cublasHandle_t, with the library's values and defaults.
struct BlasSettings {
  int pointer_mode = 0;
  int atomics_mode = 0;
  int math_mode = 0;
  int multiprocessor_target = 0;
  int emulation_strategy = 0;
  int emulation_special_values = 0xffff;
  int mantissa_control = 0;
  int max_mantissa_bits = 0;
  int mantissa_bit_offset = 0;
  int* mantissa_bit_count = nullptr;
  void* workspace = nullptr;  // device memory of the program's; null: the library's own
  size_t workspace_bytes = 0;

  bool operator==(const BlasSettings&) const = default;
};

/// The vendor's library as a call sees it: a handle on the queue's stream.
class VendorLibrary {
 public:
  VendorLibrary(void* handle, void* stream) : handle(handle), stream(stream) {}
  virtual ~VendorLibrary() = default;
  /// An exported function; null when this version has none of the name. `name` is a literal: found addresses are kept
  /// by its address.
  virtual void* find(const char* name) = 0;

  void* const handle;  // cublasHandle_t
  void* const stream;  // cudaStream_t
};

/// Addresses in it are the program's. Shared by the copies of an operation, so that it does not change once made.
class LibraryCall {
 public:
  virtual ~LibraryCall() = default;
  /// The function without which it cannot be done.
  virtual const char* function() const = 0;
  virtual const BlasSettings& settings() const = 0;
  /// Makes the call with the vendor's handle, which has the settings: a cublasStatus_t.
  virtual int call(VendorLibrary& library) const = 0;

  /// What the program shall get when the library refused the call: not when it has succeeded, nor when the CPU shall do
  /// it instead.
  std::atomic<int> refusal{0};
};

}  // namespace guda::backend
