// Runs every kernel under GUDA and natively, alternating, and prints the ratio of the medians.
//
//   bench_kernels [--only REGEX] [--repetitions N] [--json] [--cpu-time] [--best]
//
// What to look at on a busy machine: --cpu-time compares processor time instead of elapsed time,
// --best the best samples instead of the medians.
#include <cuda_runtime.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <regex>
#include <string>
#include <vector>

#include "benchmark.h"

namespace {

struct Result {
  std::string name;
  double device_ms = 0, native_ms = 0, difference = 0;
  bool correct = false;
  double ratio() const { return native_ms / device_ms; }
};

bool use_cpu_time = false;
bool use_best = false;

/// Elapsed time, or that of all threads of this process on their processors.
double now_ms() {
  timespec time{};
  clock_gettime(use_cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

/// The median, or the least.
double representative(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  if (use_best) return values[0];
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

bool synchronise(const char* name) {
  const cudaError_t code = cudaDeviceSynchronize();
  if (code == cudaSuccess) return true;
  std::fprintf(stderr, "%s: %s\n", name, cudaGetErrorString(code));
  return false;
}

Result measure(bench::Benchmark& benchmark, int repetitions) {
  Result result;
  result.name = benchmark.name();
  benchmark.prepare();
  benchmark.device();
  if (!synchronise(benchmark.name())) return result;
  benchmark.native();
  result.difference = benchmark.difference();
  result.correct = result.difference <= benchmark.tolerance();

  // A sample is repeated until it takes about ten milliseconds.
  const auto device = [&](int runs) {
    const double start = now_ms();
    for (int i = 0; i < runs; ++i) benchmark.device();
    synchronise(benchmark.name());
    return (now_ms() - start) / runs;
  };
  const auto native = [&](int runs) {
    const double start = now_ms();
    for (int i = 0; i < runs; ++i) benchmark.native();
    return (now_ms() - start) / runs;
  };
  const auto runs_for = [](double ms) {
    return std::clamp(static_cast<int>(std::ceil(10.0 / (ms + 1e-6))), 1, 1000);
  };
  device(1);
  const int device_runs = runs_for(device(1)), native_runs = runs_for(native(1));
  std::vector<double> device_times, native_times;
  for (int r = 0; r < repetitions; ++r) {
    device_times.push_back(device(device_runs));
    native_times.push_back(native(native_runs));
  }
  result.device_ms = representative(device_times);
  result.native_ms = representative(native_times);
  return result;
}

// The two halves' threads must not fight: by default OpenMP's threads spin for a while after each
// parallel loop. libgomp reads its settings as it is loaded, so the program starts itself again.
void quiet_openmp(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", arguments);
}

}  // namespace

int main(int count, char** arguments) {
  std::string only = ".*";
  int repetitions = 9;
  bool json = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--only" && i + 1 < count) {
      only = arguments[++i];
    } else if (argument == "--repetitions" && i + 1 < count) {
      repetitions = std::max(1, std::atoi(arguments[++i]));
    } else if (argument == "--json") {
      json = true;
    } else if (argument == "--cpu-time") {
      use_cpu_time = true;
    } else if (argument == "--best") {
      use_best = true;
    } else {
      std::fprintf(stderr,
                   "usage: %s [--only REGEX] [--repetitions N] [--json] [--cpu-time] [--best]\n",
                   arguments[0]);
      return 2;
    }
  }
  quiet_openmp(arguments);

  bench::BenchmarkList list;
  bench::add_streaming(list);
  bench::add_stencils(list);
  bench::add_arithmetic(list);
  bench::add_tiles(list);
  bench::add_reductions(list);
  bench::add_rows(list);
  bench::add_graphs(list);
  bench::add_integers(list);

  const std::regex pattern(only);
  double logarithms = 0;
  int measured = 0, wrong = 0;
  if (json) {
    std::printf("[");
  } else {
    std::printf("%-18s %10s %10s %8s\n", "kernel", "GUDA ms", "native ms", "ratio");
  }
  for (auto& benchmark : list) {
    if (!std::regex_search(benchmark->name(), pattern)) continue;
    const Result r = measure(*benchmark, repetitions);
    benchmark.reset();
    if (json) {
      std::printf(
          "%s\n  {\"kernel\": \"%s\", \"guda_ms\": %.4f, \"native_ms\": %.4f, "
          "\"ratio\": %.3f, \"correct\": %s}",
          measured + wrong ? "," : "", r.name.c_str(), r.device_ms, r.native_ms,
          r.correct ? r.ratio() : 0.0, r.correct ? "true" : "false");
    } else if (r.correct) {
      std::printf("%-18s %10.3f %10.3f %8.2f\n", r.name.c_str(), r.device_ms, r.native_ms,
                  r.ratio());
    } else {
      std::printf("%-18s wrong: differs by %g\n", r.name.c_str(), r.difference);
    }
    std::fflush(stdout);
    if (r.correct) {
      logarithms += std::log(r.ratio());
      ++measured;
    } else {
      ++wrong;
    }
  }
  const double mean = measured ? std::exp(logarithms / measured) : 0;
  if (json) {
    std::printf("\n]\n");
  } else {
    std::printf("%-18s %10s %10s %8.2f\n", "geometric mean", "", "", mean);
    if (wrong) std::printf("%d kernels gave wrong results\n", wrong);
  }
  return wrong != 0;
}
