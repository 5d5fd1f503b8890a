#include "backends/opencl/gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>

#include "backends/opencl/state.h"
#include "compiler/driver/compiler_api.h"
#include "support/log.h"

namespace guda::backend::opencl {
namespace {

/// Of A and B, C, the sums, and a part of a sum.
struct Bytes {
  size_t input, output, sum, part;
};

Bytes bytes_of(const GemmProblem& problem) {
  switch (problem.input) {
    case ElementType::f32: return {4, 4, 4, 4};
    case ElementType::f64: return {8, 8, 8, 8};
    case ElementType::c32: return {8, 8, 8, 4};
    case ElementType::c64: return {16, 16, 16, 8};
    case ElementType::f16:
    case ElementType::bf16: return {2, problem.sums_out ? size_t{4} : 2, 4, 4};
    case ElementType::s8: return {1, problem.sums_out ? size_t{4} : 1, 4, 4};
  }
  return {};
}

/// Real and imaginary part of alpha or beta, as the kernel takes them.
struct Scalar {
  std::array<std::array<std::byte, 8>, 2> parts{};

  Scalar(const void* value, Bytes bytes) {
    for (size_t part = 0; part * bytes.part < bytes.sum; ++part)
      std::memcpy(parts[part].data(), static_cast<const std::byte*>(value) + part * bytes.part,
                  bytes.part);
  }
  bool is_zero(ElementType type) const {
    return std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
      if (type == ElementType::f64 || type == ElementType::c64) return value<double>(part) == 0;
      if (type == ElementType::s8) return value<int32_t>(part) == 0;
      return value<float>(part) == 0;
    });
  }

 private:
  template <typename T>
  static T value(const std::array<std::byte, 8>& part) {
    T result;
    std::memcpy(&result, part.data(), sizeof result);
    return result;
  }
};

/// From the first element to the last, as the matrix lies in memory.
size_t extent(bool as_it_is, int64_t rows, int64_t columns, int64_t leading, size_t element) {
  if (!as_it_is) std::swap(rows, columns);
  if (rows <= 0 || columns <= 0) return 0;
  return static_cast<size_t>((columns - 1) * leading + rows) * element;
}

int64_t blocks(int64_t size, int64_t block) { return (size + block - 1) / block; }

/// Parts of a dimension: at most `most` each, at least `wanted` of them, multiples of `step`.
uint32_t part_of(int64_t size, uint32_t most, uint32_t step, int64_t wanted) {
  const int64_t count = std::max(blocks(size, most), std::min(wanted, blocks(size, step)));
  return static_cast<uint32_t>(blocks(blocks(size, count), step) * step);
}

}  // namespace

void MatrixProducts::release() {
  for (const auto& [key, built] : built_) {
    if (built.kernel) state_.api.clReleaseKernel(built.kernel);
    if (built.program) state_.api.clReleaseProgram(built.program);
  }
  built_.clear();
}

Result<const MatrixProducts::Built*> MatrixProducts::built(const GemmTypes& types) {
  const uint32_t key =
      static_cast<uint32_t>(types.input) << 8 | static_cast<uint32_t>(types.sums_out) << 4 |
      static_cast<uint32_t>(types.transpose_a) << 2 | static_cast<uint32_t>(types.transpose_b);
  if (const auto known = built_.find(key); known != built_.end()) return &known->second;

  Built made;
  made.shape = gemm_shape(types.input, state_.gemm_device);
  const std::string source = gemm_source(types, made.shape);
  const char* text = source.c_str();
  const size_t length = source.size();
  cl_int code = kSuccess;
  made.program = state_.api.clCreateProgramWithSource(state_.context, 1, &text, &length, &code);
  if (code != kSuccess) return state_.check(code, "clCreateProgramWithSource");
  code = state_.api.clBuildProgram(made.program, 1, &state_.id, "", nullptr, nullptr);
  if (code != kSuccess) {
    const std::string why = build_log(state_, made.program);
    state_.api.clReleaseProgram(made.program);
    return Status(
        StatusCode::not_supported,
        fmt::format("matrix product: {}: {}", state_.check(code, "clBuildProgram").message(), why));
  }
  made.kernel = state_.api.clCreateKernel(made.program, kGemmKernel, &code);
  if (code != kSuccess) {
    state_.api.clReleaseProgram(made.program);
    return state_.check(code, "clCreateKernel");
  }
  if (state_.shared_addresses) {
    const cl_uint yes = 1;
    code = state_.api.clSetKernelExecInfo(made.kernel, kExecInfoFineGrainSystem, sizeof yes, &yes);
    if (code != kSuccess)
      log(LogPart::blas, LogLevel::debug, "clSetKernelExecInfo: OpenCL error {}", code);
  }
  return &built_.emplace(key, made).first->second;
}

Result<GemmTypes> MatrixProducts::types_of(const GemmProblem& problem) const {
  const bool half = problem.input == ElementType::f16 || problem.input == ElementType::bf16;
  const bool byte = problem.input == ElementType::s8;
  const bool complex = problem.input == ElementType::c32 || problem.input == ElementType::c64;
  GemmTypes types{problem.input, problem.sums_out, problem.transpose_a, problem.transpose_b};
  if (half && problem.output == ElementType::f32) types.sums_out = true;
  if (!half && !byte) types.sums_out = true;  // one type
  for (Transpose* transpose : {&types.transpose_a, &types.transpose_b})
    if (!complex && *transpose == Transpose::conjugate) *transpose = Transpose::transpose;
  const auto refused = [](const char* why) { return Status(StatusCode::not_supported, why); };
  if (!types.sums_out && problem.output != problem.input)
    return refused("no product with these types");
  const bool wide = problem.input == ElementType::f64 || problem.input == ElementType::c64;
  if (wide && (state_.features & kGudaOpenclDouble) == 0)
    return refused("the device has no double precision");
  if (!state_.compiles_source) return refused("the driver has no compiler for OpenCL C");
  return types;
}

Status MatrixProducts::prepare(const GemmProblem& problem) {
  auto types = types_of(problem);
  if (!types) return types.status();
  const std::lock_guard lock(mutex_);
  return built(*types).status();
}

Status MatrixProducts::run(CommandQueue queue, const GemmProblem& problem) {
  if (problem.m < 0 || problem.n < 0 || problem.k < 0)
    return {StatusCode::invalid_value, "a negative size"};
  if (problem.m == 0 || problem.n == 0) return Status::ok();
  auto types = types_of(problem);
  if (!types) return types.status();
  constexpr int64_t kLargest = INT_MAX - 4096;
  if (problem.m > kLargest || problem.n > kLargest || problem.k > kLargest)
    return {StatusCode::not_supported, "a product of this size"};

  const std::lock_guard lock(mutex_);
  auto kernel = built(*types);
  if (!kernel) return kernel.status();
  GemmProblem changed = problem;
  changed.sums_out = types->sums_out;
  return enqueue(queue, **kernel, changed);
}

Status MatrixProducts::enqueue(CommandQueue queue, const Built& built, const GemmProblem& problem) {
  const Bytes bytes = bytes_of(problem);
  const Scalar alpha(problem.alpha, bytes), beta(problem.beta, bytes);
  // Without a factor A and B are not looked at.
  const int64_t k = alpha.is_zero(problem.input) ? 0 : problem.k;

  const Api& api = state_.api;
  cl_uint index = 0;
  cl_int code = kSuccess;
  const auto set = [&](size_t size, const void* value) {
    const cl_int result = api.clSetKernelArg(built.kernel, index++, size, value);
    if (code == kSuccess) code = result;
  };
  const auto set_matrix = [&](const void* matrix, size_t size) -> Status {
    const auto address = reinterpret_cast<uint64_t>(matrix);
    if (state_.shared_addresses || size == 0) {
      set(sizeof(Memory), nullptr);
      set(sizeof address, &address);
      return Status::ok();
    }
    const BufferPart part = state_.buffers.find(address);
    if (!part.buffer || part.bytes == 0)
      return {StatusCode::invalid_value,
              fmt::format("a matrix at {:#x} is not in the device's memory", address)};
    if (part.bytes < size)
      return {StatusCode::not_supported, "a matrix that several buffers share"};
    const cl_ulong offset = part.offset;
    set(sizeof part.buffer, &part.buffer);
    set(sizeof offset, &offset);
    return Status::ok();
  };
  const size_t a =
      extent(problem.transpose_a == Transpose::none, problem.m, k, problem.lda, bytes.input);
  const size_t b =
      extent(problem.transpose_b == Transpose::none, k, problem.n, problem.ldb, bytes.input);
  const size_t c = extent(true, problem.m, problem.n, problem.ldc, bytes.output);
  if (Status status = set_matrix(problem.a, a); !status) return status;
  if (Status status = set_matrix(problem.b, b); !status) return status;
  if (Status status = set_matrix(problem.c, c); !status) return status;
  for (const int64_t* leading : {&problem.lda, &problem.ldb, &problem.ldc})
    set(sizeof *leading, leading);
  for (const int64_t size : {problem.m, problem.n, k}) {
    const auto word = static_cast<cl_int>(size);
    set(sizeof word, &word);
  }
  for (const Scalar* scalar : {&alpha, &beta})
    for (const auto& part : scalar->parts) set(bytes.part, part.data());
  const cl_int reads_c = beta.is_zero(problem.input) ? 0 : 1;
  set(sizeof reads_c, &reads_c);

  const GemmShape& shape = built.shape;
  uint32_t rows = shape.rows, columns = shape.columns;
  if (shape.one_item) {
    // Enough groups for all cores to have about the same to do; a core alone gains nothing from small ones.
    rows = part_of(problem.m, shape.rows, shape.row_step, 1);
    const int64_t units = state_.info.compute_units;
    const int64_t wanted = units > 1 ? blocks(3 * units, blocks(problem.m, rows)) : 1;
    columns = part_of(problem.n, shape.columns, shape.column_step, wanted);
  }
  const auto rows_argument = static_cast<cl_int>(rows);
  const auto columns_argument = static_cast<cl_int>(columns);
  set(sizeof rows_argument, &rows_argument);
  set(sizeof columns_argument, &columns_argument);
  if (code != kSuccess) return state_.check(code, "clSetKernelArg");

  const size_t local[] = {shape.across, shape.across};
  const size_t global[] = {static_cast<size_t>(blocks(problem.m, rows)) * shape.across,
                           static_cast<size_t>(blocks(problem.n, columns)) * shape.across};
  return state_.check(api.clEnqueueNDRangeKernel(queue, built.kernel, 2, nullptr, global, local, 0,
                                                 nullptr, nullptr),
                      "clEnqueueNDRangeKernel");
}

}  // namespace guda::backend::opencl
