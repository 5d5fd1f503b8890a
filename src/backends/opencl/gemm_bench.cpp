// Products of the machine's first OpenCL device, by type and transposes; of a CPU device on one core also as a share
// of that core's peak, measured in turns with them.
//
//   POCL_MAX_PTHREAD_COUNT=1 opencl_gemm_bench [n [runs [columns]]]
#include "backends/opencl/opencl_device.h"
#include "blas/peak.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

namespace {

using namespace guda;
using namespace guda::backend;

struct Row {
  const char* name;
  ElementType type;
  size_t element;
  double operations;  // of an element's multiply-add
};

constexpr Row kRows[] = {{"f32", ElementType::f32, 4, 2}, {"f64", ElementType::f64, 8, 2},
                         {"c32", ElementType::c32, 8, 8}, {"c64", ElementType::c64, 16, 8},
                         {"f16", ElementType::f16, 2, 2}, {"bf16", ElementType::bf16, 2, 2},
                         {"s8", ElementType::s8, 1, 2}};

double seconds_of(Queue& queue, const GemmProblem& problem) {
  const auto start = std::chrono::steady_clock::now();
  Status status = queue.gemm(problem);
  if (status) status = queue.synchronize();
  if (!status) {
    fmt::print("{}\n", status.message());
    std::exit(1);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t n = argc > 1 ? std::atoll(argv[1]) : 1024;
  const int runs = argc > 2 ? std::atoi(argv[2]) : 8;
  Discovery found = discover_opencl();
  if (found.devices.empty()) {
    fmt::print("{}\n", found.note);
    return 1;
  }
  Device& device = *found.devices.front();
  const size_t square = static_cast<size_t>(n * n) * 16, bytes = (3 * square + 4095) / 4096 * 4096;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto* base = static_cast<std::byte*>(memory);
  if (!device.info().host_memory && !device.map(base, bytes)) return 1;
  auto queue = device.create_queue();
  if (!queue) return 1;
  // A small number in every type.
  if (!(*queue)->fill(base, 0x3c003c00, 4, bytes) || !(*queue)->synchronize()) return 1;
  fmt::print("{}, n = {}\n{:6}{:>8}{:>12}{:>12}\n", device.info().name, n, "type", "form", "G op/s",
             "of peak");
  for (const Row& row : kRows) {
    for (int form = 0; form < 4; ++form) {
      alignas(16) std::byte one[16]{}, zero[16]{};
      one[0] = std::byte{1};  // of any type: not zero
      GemmProblem problem;
      problem.input = problem.output = row.type;
      problem.sums_out = row.type == ElementType::s8;
      problem.transpose_a = form & 1 ? Transpose::transpose : Transpose::none;
      problem.transpose_b = form & 2 ? Transpose::transpose : Transpose::none;
      problem.m = problem.n = problem.k = problem.lda = problem.ldb = problem.ldc = n;
      if (argc > 3) problem.n = std::min<int64_t>(n, std::atoll(argv[3]));
      problem.alpha = one;
      problem.beta = zero;
      problem.a = base;
      problem.b = base + square;
      problem.c = base + 2 * square;
      double best = 1e30, peak = 0;
      seconds_of(**queue, problem);
      for (int i = 0; i < runs; ++i) {
        best = std::min(best, seconds_of(**queue, problem));
        if (device.info().host_cores) peak = std::max(peak, bench::peak(bench::Unit::f32, 1));
      }
      const bool wide = row.type == ElementType::f64 || row.type == ElementType::c64;
      const double rate = row.operations * static_cast<double>(n * problem.n * n) / best;
      fmt::print("{:6}{:>7}{}{:>12.1f}", row.name, form & 1 ? 'T' : 'N', form & 2 ? 'T' : 'N',
                 rate * 1e-9);
      if (peak > 0) fmt::print("{:>12.2f}", rate / (wide ? peak / 2 : peak));
      fmt::print("\n");
    }
  }
}
