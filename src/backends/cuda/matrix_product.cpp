#include "backends/cuda/matrix_product.h"

#include "support/log.h"

#include <fmt/format.h>

#include <climits>
#include <cstring>

namespace guda::backend::cuda {
namespace {

void copy_scalar(uint64_t (&slots)[2], const void* value, ElementType type) {
  size_t bytes = scalar_bytes(type);
  bool complex = type == ElementType::c32 || type == ElementType::c64;
  size_t part = complex ? bytes / 2 : bytes;
  std::memcpy(&slots[0], value, part);
  if (complex) std::memcpy(&slots[1], static_cast<const std::byte*>(value) + part, part);
}

bool is_zero(const void* value, ElementType type) {
  // -0.0 is a zero, too.
  if (type == ElementType::s8) {
    int32_t whole = 0;
    std::memcpy(&whole, value, sizeof whole);
    return whole == 0;
  }
  bool wide = type == ElementType::f64 || type == ElementType::c64;
  size_t step = wide ? 8 : 4;
  for (size_t i = 0; i < scalar_bytes(type); i += step) {
    double part = 0;
    if (wide) {
      std::memcpy(&part, static_cast<const std::byte*>(value) + i, 8);
    } else {
      float single = 0;
      std::memcpy(&single, static_cast<const std::byte*>(value) + i, 4);
      part = static_cast<double>(single);
    }
    if (part != 0) return false;
  }
  return true;
}

}  // namespace

Cublas* MatrixProducts::look_for_cublas() {
  std::unique_lock lock(mutex_);
  if (looked_.load(std::memory_order_relaxed)) return cublas_.get();
  if (cublas_file_ != "none") {
    auto opened = Cublas::open(context_, cublas_file_);
    if (opened)
      cublas_ = std::move(*opened);
    else
      log(LogPart::blas, LogLevel::info, "cuda:{} uses kernels of GUDA's own: {}",
          context_->device(), opened.status().message());
  }
  looked_.store(true, std::memory_order_release);
  return cublas_.get();
}

Status MatrixProducts::run(StreamHandle stream, BlasBinding& binding, const GemmProblem& problem) {
  if (problem.m < 0 || problem.n < 0 || problem.k < 0)
    return {StatusCode::invalid_value, "a negative size"};
  if (problem.m == 0 || problem.n == 0) return Status::ok();
  if (Cublas* library = cublas()) {
    Status status = library->run(stream, binding, problem);
    if (status.code() != StatusCode::not_supported) return status;
  }
  return run_own(stream, problem);
}

Status MatrixProducts::call(StreamHandle stream, BlasBinding& binding, LibraryCall& call) {
  if (Cublas* library = cublas()) return library->call(stream, binding, call);
  return {StatusCode::not_supported, "no cuBLAS of NVIDIA found"};
}

bool MatrixProducts::has_function(const char* name) {
  Cublas* library = cublas();
  return library != nullptr && library->find(name) != nullptr;
}

Result<FunctionHandle> MatrixProducts::own_kernel(GemmTypes types) {
  std::unique_lock lock(mutex_);
  auto& entry = own_[{types.input, types.sums_out}];
  if (entry == nullptr) {
    auto module = NativeModule::load(context_, gemm_ptx(types).c_str(), "GUDA's matrix product");
    if (!module) return module.status();
    auto function = NativeFunction::find(context_, std::move(*module), kGemmKernel);
    if (!function) return function.status();
    entry = std::move(*function);
  }
  return entry->handle();
}

Status MatrixProducts::run_own(StreamHandle stream, const GemmProblem& problem) {
  bool half = problem.input == ElementType::f16 || problem.input == ElementType::bf16;
  GemmTypes types{problem.input, true};
  if (!problem.sums_out && problem.output != problem.input &&
      !(half && problem.output == ElementType::f32))
    return {StatusCode::not_supported, "no product with these types"};
  if (!problem.sums_out && problem.output == problem.input && half) types.sums_out = false;
  if (!problem.sums_out && problem.input == ElementType::s8) types.sums_out = false;

  auto tile = static_cast<int64_t>(gemm_tile(types));
  int64_t rows = (problem.m + tile - 1) / tile, columns = (problem.n + tile - 1) / tile;
  constexpr int64_t kLargest = INT_MAX - 256;
  if (problem.m > kLargest || problem.n > kLargest || problem.k > kLargest || columns > 65535)
    return {StatusCode::not_supported, "a product of this size"};
  auto kernel = own_kernel(types);
  if (!kernel) return kernel.status();

  GemmParameters parameters{};
  parameters.a = problem.a;
  parameters.b = problem.b;
  parameters.c = problem.c;
  bool plain_a = problem.transpose_a == Transpose::none;
  bool plain_b = problem.transpose_b == Transpose::none;
  parameters.a_row = plain_a ? 1 : problem.lda;
  parameters.a_depth = plain_a ? problem.lda : 1;
  parameters.b_depth = plain_b ? 1 : problem.ldb;
  parameters.b_column = plain_b ? problem.ldb : 1;
  parameters.ldc = problem.ldc;
  copy_scalar(parameters.alpha, problem.alpha, problem.input);
  copy_scalar(parameters.beta, problem.beta, problem.input);
  parameters.m = static_cast<int32_t>(problem.m);
  parameters.n = static_cast<int32_t>(problem.n);
  parameters.k = static_cast<int32_t>(problem.k);
  parameters.flags = (plain_a ? 0u : kDepthFirstA) | (plain_b ? kDepthFirstB : 0u) |
                     (problem.transpose_a == Transpose::conjugate ? kConjugateA : 0u) |
                     (problem.transpose_b == Transpose::conjugate ? kConjugateB : 0u) |
                     (is_zero(problem.beta, problem.input) ? 0u : kReadC);
  size_t size = sizeof parameters;
  void* extra[] = {reinterpret_cast<void*>(kLaunchParamBuffer), &parameters,
                   reinterpret_cast<void*>(kLaunchParamBufferSize), &size,
                   reinterpret_cast<void*>(kLaunchParamEnd)};
  return context_->check(context_->api().launch_kernel(
                             *kernel, static_cast<unsigned>(rows), static_cast<unsigned>(columns),
                             1, kGemmThreads, 1, 1, 0, stream, nullptr, extra),
                         "GUDA's matrix product");
}

Status MatrixProducts::prepare(StreamHandle stream, BlasBinding& binding) {
  context_->enter();
  Cublas* library = cublas();
  return library != nullptr ? library->bind(stream, binding) : Status::ok();
}

void MatrixProducts::release(BlasBinding& binding) {
  if (binding.handle != nullptr) cublas_->release(binding);
}

}  // namespace guda::backend::cuda
