// Launches on each of two engines alone and split between them: throughput of the split against the sum of both, and
// whether all three gave the same bits.
//
//   GUDA_NUM_THREADS=1 POCL_MAX_PTHREAD_COUNT=1 GUDA_DEVICES=cpu,opencl bench_split [runs [kernel]]
#include <cuda_runtime.h>
#include <guda/scheduler.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "split_kernels.h"

namespace {

void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(code));
  std::exit(1);
}

struct Way {
  std::string devices;
  guda_split_mode split;
  double best_ms = 1e300;
  std::vector<float> result{};
};

void run(const bench::SplitKernel& kernel, const float* in, float* out, Way& way) {
  guda_scheduler_set_devices(way.devices.c_str());
  guda_scheduler_set_split(way.split);
  const auto start = std::chrono::steady_clock::now();
  kernel.launch(in, out, kernel.elements);
  check(cudaDeviceSynchronize(), kernel.name);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  way.best_ms = std::min(way.best_ms, time.count());
  if (std::getenv("BENCH_SPLIT_VERBOSE") != nullptr) {
    char why[512];
    guda_scheduler_explain_last(why, sizeof why);
    std::printf("  %.3f ms: %s\n", time.count(), why);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 8;
  check(cudaFree(nullptr), "cudaFree");
  int engines = 0;
  guda_scheduler_engine_count(&engines);
  if (engines < 2) {
    std::fprintf(stderr, "one engine only; GUDA_DEVICES names two, such as cpu,opencl\n");
    return 1;
  }
  std::string ids[2];
  for (int i = 0; i < 2; ++i) {
    guda_engine engine;
    guda_scheduler_engine(i, &engine);
    ids[i] = engine.id;
    std::printf("%s: %s\n", engine.id, engine.name);
  }
  int count = 0;
  const bench::SplitKernel* kernels = bench::split_kernels(&count);
  bool same = true;
  std::printf("%-12s %12s %12s %12s %8s  %s\n", "ms", ids[0].c_str(), ids[1].c_str(), "split",
              "of sum", "bits");
  for (int k = 0; k < count; ++k) {
    if (argc > 2 && std::strcmp(argv[2], kernels[k].name) != 0) continue;
    const int n = kernels[k].elements;
    const size_t bytes = static_cast<size_t>(n) * sizeof(float);
    std::vector<float> host(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i)
      host[static_cast<size_t>(i)] = static_cast<float>(i % 997) * 0.0017f;
    float* in = nullptr;
    float* out = nullptr;
    check(cudaMalloc(&in, bytes), "cudaMalloc");
    check(cudaMalloc(&out, bytes), "cudaMalloc");
    check(cudaMemcpy(in, host.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
    Way ways[3] = {{ids[0], GUDA_SPLIT_NEVER},
                   {ids[1], GUDA_SPLIT_NEVER},
                   {ids[0] + "," + ids[1], GUDA_SPLIT_AUTO}};
    for (int i = 0; i < runs; ++i) {
      for (Way& way : ways) run(kernels[k], in, out, way);
    }
    for (Way& way : ways) {
      check(cudaMemset(out, 0, bytes), "cudaMemset");
      run(kernels[k], in, out, way);
      way.result.resize(static_cast<size_t>(n));
      check(cudaMemcpy(way.result.data(), out, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
    }
    const bool equal = std::memcmp(ways[0].result.data(), ways[2].result.data(), bytes) == 0 &&
                       std::memcmp(ways[1].result.data(), ways[2].result.data(), bytes) == 0;
    same = same && equal;
    const double sum = 1 / ways[0].best_ms + 1 / ways[1].best_ms;
    std::printf("%-12s %12.3f %12.3f %12.3f %8.2f  %s\n", kernels[k].name, ways[0].best_ms,
                ways[1].best_ms, ways[2].best_ms, 1 / ways[2].best_ms / sum,
                equal ? "equal" : "DIFFERENT");
    check(cudaFree(in), "cudaFree");
    check(cudaFree(out), "cudaFree");
  }
  guda_scheduler_counters counters;
  guda_scheduler_get_counters(&counters);
  std::printf(
      "%llu decisions, %llu splits, %llu explored; median error of predictions %.1f %% of %llu\n",
      static_cast<unsigned long long>(counters.decisions),
      static_cast<unsigned long long>(counters.splits),
      static_cast<unsigned long long>(counters.explored), 100 * counters.median_error,
      static_cast<unsigned long long>(counters.predictions));
  return same ? 0 : 1;
}
