// Queue::gemm and Queue::call: cuBLAS where it is installed and does the problem, else kernels of our own.
#pragma once

#include "backends/cuda/context.h"
#include "backends/cuda/cublas.h"
#include "backends/cuda/gemm_ptx.h"
#include "backends/cuda/kernel.h"
#include "backends/device.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace guda::backend::cuda {

/// The products of one device. Thread safe.
class MatrixProducts {
 public:
  /// `cublas`: the library's file; empty: look for it; "none": never.
  MatrixProducts(std::shared_ptr<Context> context, std::string cublas)
      : context_(std::move(context)), cublas_file_(std::move(cublas)) {}

  /// `binding`: the queue's, in this and what follows.
  Status run(StreamHandle stream, BlasBinding& binding, const GemmProblem& problem);
  /// Error not_supported also without cuBLAS.
  Status call(StreamHandle stream, BlasBinding& binding, LibraryCall& call);
  bool has_function(const char* name);
  /// What the first product of a stream would make.
  Status prepare(StreamHandle stream, BlasBinding& binding);
  /// The stream is about to be destroyed.
  void release(BlasBinding& binding);

 private:
  /// Null: there is none, or none is wanted.
  Cublas* cublas() {
    return looked_.load(std::memory_order_acquire) ? cublas_.get() : look_for_cublas();
  }
  Cublas* look_for_cublas();
  Status run_own(StreamHandle stream, const GemmProblem& problem);
  Result<FunctionHandle> own_kernel(GemmTypes types);

  std::shared_ptr<Context> context_;
  std::string cublas_file_;
  std::mutex mutex_;
  std::atomic<bool> looked_{false};  // opening cuBLAS takes 100 ms: at the first product
  std::unique_ptr<Cublas> cublas_;  // stays as it is from then on
  std::map<std::pair<ElementType, bool>, std::unique_ptr<NativeFunction>> own_;
};

}  // namespace guda::backend::cuda
