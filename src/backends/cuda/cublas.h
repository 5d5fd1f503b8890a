// NVIDIA's cuBLAS, where it is installed.
#pragma once

#include "backends/cuda/context.h"
#include "backends/device.h"
#include "backends/library_call.h"

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace guda::backend::cuda {

/// Bytes of alpha and beta: of the type of the sums.
size_t scalar_bytes(ElementType input);

/// One queue's handle, with the settings that it has: a handle's workspace must not be used by two streams at a time.
/// Used by one thread at a time, as the queue is.
struct BlasBinding {
  struct cublasContext* handle = nullptr;  // made by the first call
  BlasSettings settings;
};

/// Thread safe for different bindings.
class Cublas {
 public:
  /// Opens `file`, or the machine's newest when empty, beside `context`'s driver.
  /// Errors: not_found with all reasons.
  static Result<std::unique_ptr<Cublas>> open(const std::shared_ptr<Context>& context,
                                              const std::string& file);
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  /// Errors: not_supported when cuBLAS does not do this problem.
  Status run(StreamHandle stream, BlasBinding& binding, const GemmProblem& problem);
  /// A call as the program made it. Errors: not_supported when it is refused (LibraryCall::refusal) or this version has
  /// no such function.
  Status call(StreamHandle stream, BlasBinding& binding, LibraryCall& call);
  /// An exported function; null when there is none. Found once: `name` is a literal.
  void* find(const char* name);
  /// Makes the handle if there is none.
  Status bind(StreamHandle stream, BlasBinding& binding) {
    return binding.handle != nullptr ? Status::ok() : create_handle(stream, binding);
  }
  /// The stream is about to be destroyed.
  void release(BlasBinding& binding);
  const std::string& file() const { return file_; }

 private:
  using Handle = struct cublasContext*;
  struct Api {
    int (*create)(Handle* handle) = nullptr;
    int (*destroy)(Handle handle) = nullptr;
    int (*set_stream)(Handle handle, StreamHandle stream) = nullptr;
    int (*gemm)(Handle handle, int transpose_a, int transpose_b, int m, int n, int k,
                const void* alpha, const void* a, int a_type, int lda, const void* b, int b_type,
                int ldb, const void* beta, void* c, int c_type, int ldc, int compute_type,
                int algorithm) = nullptr;
  };

  explicit Cublas(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  Status load(const std::string& file);
  Status create_handle(StreamHandle stream, BlasBinding& binding);
  Status apply(BlasBinding& binding, StreamHandle stream, const BlasSettings& settings);
  /// What a cublasStatus_t other than success, of `function`, means.
  Status failure(int code, StreamHandle stream, const char* function);

  std::shared_ptr<Context> context_;
  std::string file_;
  Api api_;
  void* library_ = nullptr;
  std::mutex functions_mutex_;
  std::unordered_map<const void*, void*> functions_;  // by the address of the name
};

}  // namespace guda::backend::cuda
