#include "scheduler/divisible_work.h"

#include <algorithm>
#include <cstring>

namespace guda::scheduler {
namespace {

using backend::ElementType;
using memory::Range;

size_t bytes_of(ElementType type) {
  switch (type) {
    case ElementType::f32: return 4;
    case ElementType::f64:
    case ElementType::c32: return 8;
    case ElementType::c64: return 16;
    case ElementType::f16:
    case ElementType::bf16: return 2;
    case ElementType::s8: return 1;
  }
  return 0;
}

/// The columns of a column-major matrix: one range when nothing lies between them.
void append_columns(const void* matrix, int64_t rows, int64_t columns, int64_t leading,
                    size_t element, std::vector<Range>& ranges) {
  if (rows <= 0 || columns <= 0) return;
  const auto* start = static_cast<const std::byte*>(matrix);
  const size_t height = static_cast<size_t>(rows) * element;
  const size_t pitch = static_cast<size_t>(leading) * element;
  if (rows == leading) {
    ranges.push_back(Range::of(start, height * static_cast<size_t>(columns)));
    return;
  }
  for (int64_t j = 0; j < columns; ++j) {
    ranges.push_back(Range::of(start + static_cast<size_t>(j) * pitch, height));
  }
}

/// The same for reading, where what lies between may be included.
void append_box(const void* matrix, int64_t rows, int64_t columns, int64_t leading, size_t element,
                std::vector<Range>& ranges) {
  if (rows <= 0 || columns <= 0) return;
  ranges.push_back(
      Range::of(matrix, static_cast<size_t>((columns - 1) * leading + rows) * element));
}

const void* advanced(const void* matrix, int64_t elements, size_t element) {
  return static_cast<const std::byte*>(matrix) + elements * static_cast<int64_t>(element);
}

size_t scalar_bytes(const backend::GemmProblem& problem) {
  switch (problem.input) {
    case ElementType::f64:
    case ElementType::c32: return 8;
    case ElementType::c64: return 16;
    default: return 4;
  }
}

}  // namespace

size_t input_bytes(const backend::GemmProblem& problem) { return bytes_of(problem.input); }

size_t output_bytes(const backend::GemmProblem& problem) {
  if (problem.input == ElementType::s8 ||
      (problem.sums_out &&
       (problem.input == ElementType::f16 || problem.input == ElementType::bf16))) {
    return 4;
  }
  return bytes_of(problem.output);
}

DivisibleLaunch::DivisibleLaunch(const backend::Launch& launch, int axis, Memory memory,
                                 OnHost on_host)
    : launch_(launch),
      params_(launch.params.begin(), launch.params.end()),
      axis_(axis),
      memory_(std::move(memory)),
      on_host_(std::move(on_host)) {
  launch_.params = params_;
}

void DivisibleLaunch::set_kernel(EngineIndex engine,
                                 std::shared_ptr<backend::DeviceKernel> kernel) {
  kernels_[engine] = std::move(kernel);
}

backend::Launch DivisibleLaunch::slice(Chunk chunk) const {
  backend::Launch slice = launch_;
  uint32_t& first = axis_ == 0 ? slice.first.x : axis_ == 1 ? slice.first.y : slice.first.z;
  uint32_t& count = axis_ == 0 ? slice.count.x : axis_ == 1 ? slice.count.y : slice.count.z;
  first += static_cast<uint32_t>(chunk.begin);
  count = static_cast<uint32_t>(chunk.units());
  return slice;
}

Status DivisibleLaunch::start(EngineIndex engine, backend::Queue& queue, Chunk chunk) const {
  if (engine >= kMaxEngines || !kernels_[engine]) {
    return {StatusCode::not_supported, "the kernel was not loaded for this engine"};
  }
  backend::Launch launch = slice(chunk);
  launch.kernel = kernels_[engine].get();
  return queue.launch(launch);
}

DivisibleGemm::DivisibleGemm(const backend::GemmProblem& problem, OnHost on_host)
    : problem_(problem), columns_(cuts_columns(problem)), on_host_(std::move(on_host)) {
  const size_t bytes = scalar_bytes(problem);
  std::memcpy(alpha_.data(), problem.alpha, bytes);
  std::memcpy(beta_.data(), problem.beta, bytes);
  problem_.alpha = alpha_.data();
  problem_.beta = beta_.data();
}

backend::GemmProblem DivisibleGemm::part(Chunk chunk) const {
  backend::GemmProblem part = problem_;
  const auto begin = static_cast<int64_t>(chunk.begin);
  const auto count = static_cast<int64_t>(chunk.units());
  const size_t in = input_bytes(problem_);
  const size_t out = output_bytes(problem_);
  if (columns_) {
    part.n = count;
    const bool by_rows = problem_.transpose_b != backend::Transpose::none;
    part.b = advanced(problem_.b, by_rows ? begin : begin * problem_.ldb, in);
    part.c = const_cast<void*>(advanced(problem_.c, begin * problem_.ldc, out));
  } else {
    part.m = count;
    const bool by_columns = problem_.transpose_a != backend::Transpose::none;
    part.a = advanced(problem_.a, by_columns ? begin * problem_.lda : begin, in);
    part.c = const_cast<void*>(advanced(problem_.c, begin, out));
  }
  return part;
}

ChunkMemory DivisibleGemm::memory(Chunk chunk) const {
  const backend::GemmProblem p = part(chunk);
  ChunkMemory result;
  const size_t in = input_bytes(p);
  const bool a_as_it_is = p.transpose_a == backend::Transpose::none;
  const bool b_as_it_is = p.transpose_b == backend::Transpose::none;
  append_box(p.a, a_as_it_is ? p.m : p.k, a_as_it_is ? p.k : p.m, p.lda, in, result.accessed);
  append_box(p.b, b_as_it_is ? p.k : p.n, b_as_it_is ? p.n : p.k, p.ldb, in, result.accessed);
  append_columns(p.c, p.m, p.n, p.ldc, output_bytes(p), result.written);
  const size_t scalar = scalar_bytes(p);
  const auto* beta = static_cast<const std::byte*>(p.beta);
  // -0.0 counts as a value here: then C is read, which does no harm.
  const bool reads_c =
      std::any_of(beta, beta + scalar, [](std::byte b) { return b != std::byte{0}; });
  std::vector<Range>& c = reads_c ? result.accessed : result.overwritten;
  c.insert(c.end(), result.written.begin(), result.written.end());
  return result;
}

}  // namespace guda::scheduler
