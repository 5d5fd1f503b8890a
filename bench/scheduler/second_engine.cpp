// What the layer between streams and engines costs where one engine wins anyway: the CPU with a second engine beside
// it against the CPU alone, in processes that take turns; best of many samples, and every process begins with what
// earlier ones have learnt.
//
//   GUDA_NUM_THREADS=1 POCL_MAX_PTHREAD_COUNT=1 bench_second_engine [rounds [second engine]]
#include <cuda_runtime.h>
#include <guda/scheduler.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "launch/process.h"
#include "split_kernels.h"

extern "C" {
int cublasCreate_v2(void** handle);
int cublasSgemm_v2(void*, int, int, int, int, int, const float*, const float*, int, const float*,
                   int, const float*, float*, int);
}

namespace {

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "bench_second_engine: %s\n", what);
  std::exit(1);
}

float* memory(size_t elements) {
  float* made = nullptr;
  require(cudaMalloc(&made, elements * sizeof(float)) == cudaSuccess, "cudaMalloc");
  require(cudaMemset(made, 0x3e, elements * sizeof(float)) == cudaSuccess, "cudaMemset");
  return made;
}

/// Best time of one call with the wait for it, in microseconds.
double best_us(const std::function<void()>& start, double seconds) {
  using Clock = std::chrono::steady_clock;
  double best = 1e300;
  const auto begun = Clock::now();
  do {
    const auto before = Clock::now();
    start();
    require(cudaDeviceSynchronize() == cudaSuccess, "cudaDeviceSynchronize");
    best = std::min(best, std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  } while (std::chrono::duration<double>(Clock::now() - begun).count() < seconds);
  return best;
}

/// One process of the comparison: times on standard output.
void measure() {
  int count = 0;
  const bench::SplitKernel& polynomial = bench::split_kernels(&count)[0];
  constexpr int kElements = 4 << 10, kLarge = 32 << 10, n = 512;
  float* in = memory(kLarge);
  float* out = memory(kLarge);
  const double launch = best_us([&] { polynomial.launch(in, out, kElements, nullptr); }, 0.3);
  const double larger = best_us([&] { polynomial.launch(in, out, kLarge, nullptr); }, 0.3);
  void* handle = nullptr;
  require(cublasCreate_v2(&handle) == 0, "cublasCreate");
  float* a = memory(n * n);
  float* b = memory(n * n);
  float* c = memory(n * n);
  const float one = 1, zero = 0;
  const double product =
      best_us([&] { cublasSgemm_v2(handle, 0, 0, n, n, n, &one, a, n, b, n, &zero, c, n); }, 0.5);
  char why[512] = "";
  guda_scheduler_explain_last(why, sizeof why);
  std::printf("%.3f %.3f %.3f %s\n", launch, larger, product, why);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "measure") == 0) {
    measure();
    return 0;
  }
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 8;
  const std::string second = argc > 2 ? argv[2] : "opencl";
  const std::string devices[2] = {"GUDA_DEVICES=cpu", "GUDA_DEVICES=cpu," + second};
  double best[2][3] = {{1e300, 1e300, 1e300}, {1e300, 1e300, 1e300}};
  std::string why;
  for (int round = 0; round < rounds; ++round) {
    for (int way = 0; way < 2; ++way) {
      const auto result = bench::run_process("bench_second_engine", {"measure"}, {devices[way]});
      double times[3] = {};
      int used = 0;
      require(result.succeeded && std::sscanf(result.output.c_str(), "%lf %lf %lf %n", &times[0],
                                              &times[1], &times[2], &used) == 3,
              "a measuring process failed");
      for (int i = 0; i < 3; ++i) best[way][i] = std::min(best[way][i], times[i]);
      if (way == 1) why = result.output.substr(static_cast<size_t>(used));
    }
  }
  std::printf("%-24s %12s %12s %9s\n", "us", "cpu", ("cpu," + second).c_str(), "overhead");
  const char* names[3] = {"launch", "larger launch", "sgemm, n = 512"};
  for (int i = 0; i < 3; ++i)
    std::printf("%-24s %12.2f %12.2f %8.2f %%\n", names[i], best[0][i], best[1][i],
                100 * (best[1][i] / best[0][i] - 1));
  std::printf("last product: %s", why.c_str());
}
