// Launches and matrix products on each of two engines alone and split between them: throughput of the split against the
// sum of both, and whether all three gave the same results. "at once" is what the machine leaves of that sum when both
// engines work at the same time on things of their own.
//
//   GUDA_NUM_THREADS=1 POCL_MAX_PTHREAD_COUNT=1 GUDA_DEVICES=cpu,opencl bench_split [runs [name]]
//
// `name` is a kernel's, or "kernels" or "products" for all of them.
#include <cuda_runtime.h>
#include <guda/scheduler.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "split_kernels.h"

extern "C" {
int cublasCreate_v2(void** handle);
int cublasDestroy_v2(void* handle);
int cublasSetStream_v2(void* handle, cudaStream_t stream);
int cublasSgemm_v2(void*, int, int, int, int, int, const float*, const float*, int, const float*,
                   int, const float*, float*, int);
int cublasDgemm_v2(void*, int, int, int, int, int, const double*, const double*, int, const double*,
                   int, const double*, double*, int);
}

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
  std::vector<std::byte> result{};
};

/// A launch or a product.
struct Subject {
  std::string name;
  /// The result goes to `out`, or to another place of the same size.
  std::function<void(cudaStream_t stream, bool elsewhere)> start;
  void* out;
  size_t bytes;
  bool same_bits = true;  // on all engines
  double tolerance = 0;  // otherwise: of results in `out`, which are floats or doubles
  bool doubles = false;
};

double run(const Subject& subject, Way& way) {
  guda_scheduler_set_devices(way.devices.c_str());
  guda_scheduler_set_split(way.split);
  const auto start = std::chrono::steady_clock::now();
  subject.start(nullptr, false);
  check(cudaDeviceSynchronize(), subject.name.c_str());
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  if (std::getenv("BENCH_SPLIT_VERBOSE") != nullptr) {
    char why[512];
    guda_scheduler_explain_last(why, sizeof why);
    std::printf("  %.3f ms: %s\n", time.count(), why);
  }
  return time.count();
}

template <class T>
bool near(const std::vector<std::byte>& a, const std::vector<std::byte>& b, double tolerance) {
  for (size_t i = 0; i < a.size(); i += sizeof(T)) {
    T x, y;
    std::memcpy(&x, &a[i], sizeof x);
    std::memcpy(&y, &b[i], sizeof y);
    if (!(std::abs(static_cast<double>(x - y)) <= tolerance)) return false;
  }
  return true;
}

/// Whether the results of both are the same.
bool agree(const Subject& subject, const Way& a, const Way& b) {
  if (subject.same_bits) return a.result == b.result;
  return subject.doubles ? near<double>(a.result, b.result, subject.tolerance)
                         : near<float>(a.result, b.result, subject.tolerance);
}

class Bench {
 public:
  Bench(std::string first, std::string second, int runs)
      : first_(std::move(first)), second_(std::move(second)), runs_(runs) {}

  /// One line of the table. False when results differ.
  bool measure(const Subject& subject) const {
    Way ways[3] = {{first_, GUDA_SPLIT_NEVER},
                   {second_, GUDA_SPLIT_NEVER},
                   {first_ + "," + second_, GUDA_SPLIT_AUTO}};
    for (int i = 0; i < runs_; ++i)
      for (Way& way : ways) way.best_ms = std::min(way.best_ms, run(subject, way));
    for (Way& way : ways) {
      check(cudaMemset(subject.out, 0, subject.bytes), "cudaMemset");
      run(subject, way);
      way.result.resize(subject.bytes);
      check(cudaMemcpy(way.result.data(), subject.out, subject.bytes, cudaMemcpyDeviceToHost),
            "cudaMemcpy");
    }
    const double together = both_at_once(subject);
    const bool equal = agree(subject, ways[0], ways[2]) && agree(subject, ways[1], ways[2]);
    const double sum = 1 / ways[0].best_ms + 1 / ways[1].best_ms;
    std::printf("%-12s %12.3f %12.3f %12.3f %8.2f %8.2f  %s\n", subject.name.c_str(),
                ways[0].best_ms, ways[1].best_ms, ways[2].best_ms, 1 / ways[2].best_ms / sum,
                together / sum,
                !equal              ? "DIFFERENT"
                : subject.same_bits ? "same bits"
                                    : "equal");
    return equal;
  }

 private:
  /// Runs in a millisecond, of both engines, each of which repeats the whole work on its own.
  double both_at_once(const Subject& subject) const {
    guda_scheduler_set_devices((first_ + "," + second_).c_str());
    guda_scheduler_set_split(GUDA_SPLIT_NEVER);
    double best_ms[2] = {1e300, 1e300};
    std::atomic<int> left{2};
    const auto repeat = [&](int engine) {
      guda_scheduler_force_engine(engine);
      cudaStream_t stream;
      check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
      // The first of the two to be done keeps the other one company.
      for (int i = 0; i < runs_ || left.load() > 0; ++i) {
        if (i == runs_) --left;
        const auto start = std::chrono::steady_clock::now();
        subject.start(stream, engine == 1);
        check(cudaStreamSynchronize(stream), subject.name.c_str());
        const std::chrono::duration<double, std::milli> time =
            std::chrono::steady_clock::now() - start;
        if (i > 0) best_ms[engine] = std::min(best_ms[engine], time.count());
      }
      check(cudaStreamDestroy(stream), "cudaStreamDestroy");
    };
    std::thread second(repeat, 1);
    repeat(0);
    second.join();
    guda_scheduler_force_engine(-1);
    return 1 / best_ms[0] + 1 / best_ms[1];
  }

  std::string first_, second_;
  int runs_;
};

bool measure_kernel(const Bench& bench, const bench::SplitKernel& kernel) {
  const int n = kernel.elements;
  const size_t bytes = static_cast<size_t>(n) * sizeof(float);
  std::vector<float> host(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) host[static_cast<size_t>(i)] = static_cast<float>(i % 997) * 0.0017f;
  float* in = nullptr;
  float* out[2] = {};
  check(cudaMalloc(&in, bytes), "cudaMalloc");
  for (float*& each : out) check(cudaMalloc(&each, bytes), "cudaMalloc");
  check(cudaMemcpy(in, host.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  const auto start = [&](cudaStream_t stream, bool elsewhere) {
    kernel.launch(in, out[elsewhere ? 1 : 0], n, stream);
  };
  const bool same = bench.measure({kernel.name, start, out[0], bytes});
  check(cudaFree(in), "cudaFree");
  for (float* each : out) check(cudaFree(each), "cudaFree");
  return same;
}

void multiply(void* handle, int n, const float* a, const float* b, float* c) {
  const float one = 1, zero = 0;
  if (cublasSgemm_v2(handle, 0, 0, n, n, n, &one, a, n, b, n, &zero, c, n) != 0) std::exit(1);
}
void multiply(void* handle, int n, const double* a, const double* b, double* c) {
  const double one = 1, zero = 0;
  if (cublasDgemm_v2(handle, 0, 0, n, n, n, &one, a, n, b, n, &zero, c, n) != 0) std::exit(1);
}

template <class T>
bool measure_product(const Bench& bench, const char* name, std::span<void* const> handles, int n) {
  const size_t elements = static_cast<size_t>(n) * static_cast<size_t>(n);
  std::vector<T> host(elements);
  for (size_t i = 0; i < elements; ++i) host[i] = static_cast<T>(i % 997) / 997 - T{1} / 2;
  T* matrices[4];
  for (T*& matrix : matrices) check(cudaMalloc(&matrix, elements * sizeof(T)), "cudaMalloc");
  for (int i = 0; i < 2; ++i)
    check(cudaMemcpy(matrices[i], host.data(), elements * sizeof(T), cudaMemcpyHostToDevice),
          "cudaMemcpy");
  Subject subject{name + std::to_string(n),
                  [&](cudaStream_t stream, bool elsewhere) {
                    void* handle = handles[elsewhere ? 1 : 0];
                    cublasSetStream_v2(handle, stream);
                    multiply(handle, n, matrices[0], matrices[1], matrices[elsewhere ? 3 : 2]);
                  },
                  matrices[2], elements * sizeof(T)};
  subject.same_bits = false;  // sums in another order
  subject.doubles = sizeof(T) == 8;
  subject.tolerance = n * (subject.doubles ? 1e-15 : 1e-6);
  const bool same = bench.measure(subject);
  for (T* matrix : matrices) check(cudaFree(matrix), "cudaFree");
  return same;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 8;
  const std::string_view only = argc > 2 ? argv[2] : "";
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
  std::printf("%-12s %12s %12s %12s %8s %8s  %s\n", "ms", ids[0].c_str(), ids[1].c_str(), "split",
              "of sum", "at once", "results");
  const Bench bench(ids[0], ids[1], runs);
  bool same = true;
  if (only != "products") {
    int count = 0;
    const bench::SplitKernel* kernels = bench::split_kernels(&count);
    for (int k = 0; k < count; ++k) {
      if (!only.empty() && only != "kernels" && only != kernels[k].name) continue;
      same = measure_kernel(bench, kernels[k]) && same;
    }
  }
  if (only.empty() || only == "products") {
    void* handles[2] = {};
    for (void*& handle : handles)
      if (cublasCreate_v2(&handle) != 0) return 1;
    for (int n : {1024, 2048}) {
      same = measure_product<float>(bench, "sgemm ", handles, n) && same;
      same = measure_product<double>(bench, "dgemm ", handles, n) && same;
    }
    for (void* handle : handles) cublasDestroy_v2(handle);
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
