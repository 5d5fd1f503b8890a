// Large matrix products through cuBLAS, for machines with several GPUs: an ordinary CUDA program, which also runs on
// NVIDIA's libraries. Prints the time of each round, best and median, and checks samples of the result.
//
//   bench_large_product [n [rounds [warm-up rounds]]]
//
// Compare `LD_LIBRARY_PATH=<CUDA's libraries>` with `GUDA_DEVICES=cuda:0,cuda:1,cpu LD_LIBRARY_PATH=<GUDA's>`. In the
// first rounds GUDA learns how fast the devices are and brings the operands to them.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" {
int cudaMalloc(void** pointer, size_t bytes);
int cudaFree(void* pointer);
int cudaMemcpy(void* to, const void* from, size_t bytes, int kind);
int cudaDeviceSynchronize();
int cublasCreate_v2(void** handle);
int cublasDestroy_v2(void* handle);
int cublasSgemm_v2(void* handle, int transa, int transb, int m, int n, int k, const float* alpha,
                   const float* a, int lda, const float* b, int ldb, const float* beta, float* c,
                   int ldc);
int cublasDgemm_v2(void* handle, int transa, int transb, int m, int n, int k, const double* alpha,
                   const double* a, int lda, const double* b, int ldb, const double* beta,
                   double* c, int ldc);
}

namespace {

void must(int code, const char* what) {
  if (code == 0) return;
  std::fprintf(stderr, "%s: error %d\n", what, code);
  std::exit(1);
}

int gemm(void* handle, int n, const float* a, const float* b, float* c) {
  const float one = 1, zero = 0;
  return cublasSgemm_v2(handle, 0, 0, n, n, n, &one, a, n, b, n, &zero, c, n);
}
int gemm(void* handle, int n, const double* a, const double* b, double* c) {
  const double one = 1, zero = 0;
  return cublasDgemm_v2(handle, 0, 0, n, n, n, &one, a, n, b, n, &zero, c, n);
}

/// Numbers that repeat with a period that no dimension shares.
template <typename T>
std::vector<T> pattern(uint32_t seed) {
  std::vector<T> values((size_t{1} << 21) + 57);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<T>(static_cast<int32_t>(seed) >> 16) / 32768;
  }
  return values;
}

template <typename T>
T* matrix(size_t count, const std::vector<T>& values) {
  void* memory = nullptr;
  must(cudaMalloc(&memory, count * sizeof(T)), "cudaMalloc");
  auto* elements = static_cast<T*>(memory);
  for (size_t at = 0; at < count; at += values.size()) {
    const size_t part = std::min(values.size(), count - at);
    must(cudaMemcpy(elements + at, values.data(), part * sizeof(T), 1), "cudaMemcpy");
  }
  return elements;
}

/// Largest error of samples, in units of what rounding may do.
template <typename T>
double worst_error(int n, const std::vector<T>& a, const std::vector<T>& b, const T* c) {
  const auto size = static_cast<size_t>(n);
  std::vector<T> column(size);
  double worst = 0;
  // Around the middle, where devices' parts may meet, at both ends, and between.
  for (size_t j :
       {size_t{0}, size / 5, size / 2 - 1, size / 2, size / 2 + 1, size * 4 / 5, size - 1}) {
    must(cudaMemcpy(column.data(), c + j * size, size * sizeof(T), 2), "cudaMemcpy");
    for (size_t i = 0; i < size; i += i % 7 == 0 ? 1 : size / 40 + 1) {
      double sum = 0, magnitude = 0;
      for (size_t l = 0; l < size; ++l) {
        const double product = static_cast<double>(a[(l * size + i) % a.size()]) *
                               static_cast<double>(b[(j * size + l) % b.size()]);
        sum += product;
        magnitude += std::abs(product);
      }
      const double unit = magnitude * (sizeof(T) == 4 ? 6e-8 : 1.2e-16) * std::sqrt(n);
      worst = std::max(worst, std::abs(sum - static_cast<double>(column[i])) / unit);
    }
  }
  return worst;
}

/// What GUDA decided for the last product; nothing on other libraries.
void explain() {
  using Explain = int (*)(char* text, size_t bytes);
  auto* last = reinterpret_cast<Explain>(dlsym(RTLD_DEFAULT, "guda_scheduler_explain_last"));
  char text[512] = {};
  if (last != nullptr && last(text, sizeof text) == 0 && text[0] != 0) std::printf("  %s\n", text);
}

template <typename T>
bool run(void* handle, const char* name, int n, int rounds, int warm_up) {
  const auto a_values = pattern<T>(1), b_values = pattern<T>(2);
  const size_t count = static_cast<size_t>(n) * static_cast<size_t>(n);
  T* a = matrix(count, a_values);
  T* b = matrix(count, b_values);
  T* c = matrix(count, a_values);
  std::vector<double> times;
  std::printf("%s n = %d, ms:", name, n);
  for (int round = 0; round < warm_up + rounds; ++round) {
    must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    const auto start = std::chrono::steady_clock::now();
    must(gemm(handle, n, a, b, c), name);
    must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::printf(" %s%.2f", round == warm_up ? "| " : "", took.count());
    if (round >= warm_up) times.push_back(took.count());
  }
  std::printf("\n");
  explain();
  std::sort(times.begin(), times.end());
  const double operations = 2.0 * n * n * n;
  const double worst = worst_error(n, a_values, b_values, c);
  std::printf("%s best %.2f ms %.1f TFLOPS, median %.2f ms; error %.2f of the bound%s\n", name,
              times.front(), operations / times.front() * 1e-9, times[times.size() / 2], worst,
              worst <= 1 ? "" : " WRONG");
  for (T* each : {a, b, c}) must(cudaFree(each), "cudaFree");
  return worst <= 1;
}

}  // namespace

int main(int argc, char** argv) {
  const int n = argc > 1 ? std::atoi(argv[1]) : 16384;
  const int rounds = std::max(argc > 2 ? std::atoi(argv[2]) : 10, 1);
  const int warm_up = std::max(argc > 3 ? std::atoi(argv[3]) : 20, 0);
  void* handle = nullptr;
  must(cublasCreate_v2(&handle), "cublasCreate");
  bool right = run<float>(handle, "sgemm", n, rounds, warm_up);
  right = run<double>(handle, "dgemm", n, rounds, warm_up) && right;
  must(cublasDestroy_v2(handle), "cublasDestroy");
  return right ? 0 : 1;
}
