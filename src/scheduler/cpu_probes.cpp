#include "scheduler/cpu_probes.h"

#include "backends/cpu/executor.h"
#include "compiler/driver/kernel_abi.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace guda::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
using kernel::BlockState;
using kernel::LaunchState;

constexpr int kChains = 10;  // covers the latency of two multiply-add units

struct Arguments {
  std::byte* from = nullptr;
  std::byte* to = nullptr;
  uint64_t count = 0;
};

const Arguments& arguments_of(const LaunchState* launch) {
  return *reinterpret_cast<const Arguments*>(launch->params);
}

void nothing(const LaunchState*, BlockState*) {}

/// Each block copies `count` bytes.
void stream(const LaunchState* launch, BlockState* block) {
  const Arguments& arguments = arguments_of(launch);
  const size_t offset = size_t{block->index.x} * arguments.count;
  std::memcpy(arguments.to + offset, arguments.from + offset, arguments.count);
}

// `count` times kChains multiply-adds of whole vectors. The empty assembly keeps each result alive; separate
// variables, since g++ keeps an array in memory.
#define GUDA_STEP(variable, expression) \
  {                                     \
    auto& value = variable;             \
    value = expression;                 \
    __asm__ volatile("" : "+v"(value)); \
  }
#define GUDA_ARITHMETIC_PROBE(name, features, vector, start, expression)                   \
  [[gnu::target(features)]] void name(const LaunchState* launch, BlockState*) {            \
    const vector a = start;                                                                \
    vector v0 = a, v1 = a, v2 = a, v3 = a, v4 = a, v5 = a, v6 = a, v7 = a, v8 = a, v9 = a; \
    for (uint64_t i = arguments_of(launch).count; i != 0; --i) {                           \
      GUDA_STEP(v0, expression)                                                            \
      GUDA_STEP(v1, expression)                                                            \
      GUDA_STEP(v2, expression)                                                            \
      GUDA_STEP(v3, expression)                                                            \
      GUDA_STEP(v4, expression)                                                            \
      GUDA_STEP(v5, expression) GUDA_STEP(v6, expression) GUDA_STEP(v7, expression)        \
          GUDA_STEP(v8, expression) GUDA_STEP(v9, expression)                              \
    }                                                                                      \
  }

GUDA_ARITHMETIC_PROBE(f32_avx512, "avx512f", __m512, _mm512_set1_ps(0.5f),
                      _mm512_fmadd_ps(value, a, a))
GUDA_ARITHMETIC_PROBE(f64_avx512, "avx512f", __m512d, _mm512_set1_pd(0.5),
                      _mm512_fmadd_pd(value, a, a))
GUDA_ARITHMETIC_PROBE(int32_avx512, "avx512f", __m512i, _mm512_set1_epi32(3),
                      _mm512_add_epi32(_mm512_mullo_epi32(value, a), a))
GUDA_ARITHMETIC_PROBE(f32_avx2, "avx2,fma", __m256, _mm256_set1_ps(0.5f),
                      _mm256_fmadd_ps(value, a, a))
GUDA_ARITHMETIC_PROBE(f64_avx2, "avx2,fma", __m256d, _mm256_set1_pd(0.5),
                      _mm256_fmadd_pd(value, a, a))
GUDA_ARITHMETIC_PROBE(int32_avx2, "avx2", __m256i, _mm256_set1_epi32(3),
                      _mm256_add_epi32(_mm256_mullo_epi32(value, a), a))
#undef GUDA_ARITHMETIC_PROBE
#undef GUDA_STEP

struct ArithmeticKernel {
  void (*run)(const LaunchState*, BlockState*) = nullptr;
  double lanes = 0;
};

ArithmeticKernel arithmetic_kernel(Arithmetic kind) {
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (!avx512 && !avx2) return {};
  switch (kind) {
    case Arithmetic::f32:
      return avx512 ? ArithmeticKernel{f32_avx512, 16} : ArithmeticKernel{f32_avx2, 8};
    case Arithmetic::f64:
      return avx512 ? ArithmeticKernel{f64_avx512, 8} : ArithmeticKernel{f64_avx2, 4};
    case Arithmetic::int32:
      return avx512 ? ArithmeticKernel{int32_avx512, 16} : ArithmeticKernel{int32_avx2, 8};
    default: return {};  // kernels compute these as f32
  }
}

/// The executor remembers kernels' times by their addresses, so each has a description of its own.
const kernel::KernelInfo& describe(void (*function)(const LaunchState*, BlockState*)) {
  static std::map<void (*)(const LaunchState*, BlockState*), kernel::KernelInfo> known;
  const auto [found, is_new] = known.try_emplace(function);
  if (is_new) {
    found->second.abi_version = kernel::kAbiVersion;
    found->second.lanes = 32;
    found->second.name = "calibration";
    found->second.run_block = function;
  }
  return found->second;
}

Result<double> run(void (*function)(const LaunchState*, BlockState*), uint32_t blocks,
                   const Arguments& arguments) {
  cpu::LaunchDescription launch;
  launch.kernel = &describe(function);
  launch.params = std::as_bytes(std::span(&arguments, 1));
  launch.grid = {blocks, 1, 1};
  launch.block = {32, 1, 1};
  const auto start = Clock::now();
  if (Status status = cpu::Executor::instance().run(launch); !status) return status;
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

}  // namespace

EngineIdentity cpu_identity() { return {"cpu", processor_name(), "GUDA 1", cpu::worker_count()}; }

Result<double> CpuProbes::launch_ns() {
  const uint32_t blocks = cpu::worker_count();
  return run(nothing, blocks, {});
}

Result<double> CpuProbes::arithmetic_ns(Arithmetic kind, double operations, double* done) {
  const ArithmeticKernel probe = arithmetic_kernel(kind);
  if (probe.run == nullptr) return Status(StatusCode::not_supported, "no such instructions");
  const uint32_t blocks = cpu::worker_count() * 8;
  const double per_iteration = 2 * kChains * probe.lanes * blocks;
  Arguments arguments;
  arguments.count = static_cast<uint64_t>(std::max(1.0, std::ceil(operations / per_iteration)));
  *done = per_iteration * static_cast<double>(arguments.count);
  return run(probe.run, blocks, arguments);
}

Result<double> CpuProbes::stream_ns(size_t bytes) {
  constexpr size_t kBlockBytes = 64 << 10;
  const size_t half = bytes / 2 / kBlockBytes * kBlockBytes;
  if (memory_.size() < 2 * half) memory_.assign(2 * half, std::byte{1});
  const Arguments arguments{memory_.data(), memory_.data() + half, kBlockBytes};
  return run(stream, static_cast<uint32_t>(half / kBlockBytes), arguments);
}

Result<double> CpuProbes::gemm_ns(Arithmetic kind, int64_t n) {
  if (!gemm_) return Status(StatusCode::not_supported, "no BLAS in this process");
  return gemm_(kind, n);
}

}  // namespace guda::scheduler
