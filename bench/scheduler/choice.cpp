// Launches and matrix products in the steady state, as any CUDA program makes them: with data that stays on the device,
// and with data that comes from the host and goes back each time. Run with one engine and with several, it shows whether
// the choice among them ever costs something (bench/overhead/compare.py runs it in turns):
//
//   bench_choice [samples]
//
// One line "name value unit" each, medians.
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "split_kernels.h"

namespace {

void check(int code, const char* what) {
  if (code == 0) return;
  std::fprintf(stderr, "%s: error %d\n", what, code);
  std::exit(1);
}

void report(const std::string& name, int samples, const std::function<void()>& body) {
  // Enough for whatever is learnt on the way.
  for (int i = 0; i < 12; ++i) body();
  std::vector<double> times;
  for (int i = 0; i < samples; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    times.push_back(time.count());
  }
  std::nth_element(times.begin(), times.begin() + samples / 2, times.end());
  std::printf("%s %.3f us\n", name.c_str(), times[static_cast<size_t>(samples / 2)]);
}

void launches(const bench::SplitKernel& kernel, int samples) {
  for (const int divisor : {1, 16, 256}) {
    const int n = kernel.elements / divisor;
    const size_t bytes = static_cast<size_t>(n) * sizeof(float);
    std::vector<float> host(static_cast<size_t>(n)), result(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i)
      host[static_cast<size_t>(i)] = static_cast<float>(i % 997) * 0.0017f;
    float *in = nullptr, *out = nullptr;
    check(cudaMalloc(&in, bytes), "cudaMalloc");
    check(cudaMalloc(&out, bytes), "cudaMalloc");
    check(cudaMemcpy(in, host.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
    const std::string name = std::string(kernel.name) + "_" + std::to_string(n);
    report(name + "_stays", samples, [&] {
      kernel.launch(in, out, n, nullptr);
      check(cudaDeviceSynchronize(), "a launch");
    });
    report(name + "_comes_and_goes", samples, [&] {
      check(cudaMemcpy(in, host.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
      kernel.launch(in, out, n, nullptr);
      check(cudaMemcpy(result.data(), out, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
    });
    check(cudaFree(in), "cudaFree");
    check(cudaFree(out), "cudaFree");
  }
}

int multiply(cublasHandle_t handle, int n, const float* a, const float* b, float* c) {
  const float one = 1, zero = 0;
  return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, b, n, &zero, c, n);
}
int multiply(cublasHandle_t handle, int n, const double* a, const double* b, double* c) {
  const double one = 1, zero = 0;
  return cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, b, n, &zero, c, n);
}

template <class T>
void products(cublasHandle_t handle, const char* type, int n, int samples) {
  const size_t elements = static_cast<size_t>(n) * static_cast<size_t>(n),
               bytes = elements * sizeof(T);
  std::vector<T> host(elements, T{1} / 4), result(elements);
  T* matrices[3];
  for (T*& matrix : matrices) {
    check(cudaMalloc(&matrix, bytes), "cudaMalloc");
    check(cudaMemcpy(matrix, host.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  const std::string name = std::string(type) + "_" + std::to_string(n);
  report(name + "_stays", samples, [&] {
    check(multiply(handle, n, matrices[0], matrices[1], matrices[2]), "a product");
    check(cudaDeviceSynchronize(), "a product");
  });
  report(name + "_comes_and_goes", samples, [&] {
    for (int i = 0; i < 2; ++i)
      check(cudaMemcpy(matrices[i], host.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
    check(multiply(handle, n, matrices[0], matrices[1], matrices[2]), "a product");
    check(cudaMemcpy(result.data(), matrices[2], bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  });
  for (T* matrix : matrices) check(cudaFree(matrix), "cudaFree");
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 30;
  int count = 0;
  const bench::SplitKernel* kernels = bench::split_kernels(&count);
  for (int k = 0; k < count; ++k) launches(kernels[k], samples);
  cublasHandle_t handle;
  check(cublasCreate(&handle), "cublasCreate");
  for (const int n : {64, 512, 2048}) {
    products<float>(handle, "sgemm", n, samples);
    products<double>(handle, "dgemm", n, samples);
  }
  check(cublasDestroy(handle), "cublasDestroy");
  return 0;
}
