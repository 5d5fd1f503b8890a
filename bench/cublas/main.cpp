// cuBLAS against what it stands on, interleaved in one run; best of many samples.
//
//   bench_cublas [small] [create] [lt] [batch]      all four without arguments
//
//   small   a 4 x 4 x 4 sgemm on an idle stream, in calls of cblas_sgemm
//   create  the first cublasCreate of a process, in starts of a process that does nothing
//   lt      cublasLtMatmul with its epilogues, orders and types, in plain products of the same size
//   batch   batches of small products, in the time of one call each
#include <guda/cblas.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/process.h"

// What is used of cublas_v2.h and cublasLt.h.
extern "C" {
int cublasCreate_v2(void** handle);
int cublasDestroy_v2(void* handle);
int cublasSgemm_v2(void*, int, int, int, int, int, const float*, const float*, int, const float*,
                   int, const float*, float*, int);
int cublasGemmEx(void*, int, int, int, int, int, const void*, const void*, int, int, const void*,
                 int, int, const void*, void*, int, int, int, int);
int cublasGemmStridedBatchedEx(void*, int, int, int, int, int, const void*, const void*, int, int,
                               long long, const void*, int, int, long long, const void*, void*, int,
                               int, long long, int, int, int);
int cublasSgemvStridedBatched(void*, int, int, int, const float*, const float*, int, long long,
                              const float*, int, long long, const float*, float*, int, long long,
                              int);
int cublasSgemv_v2(void*, int, int, int, const float*, const float*, int, const float*, int,
                   const float*, float*, int);
int cublasLtMatmulDescCreate(void**, int, int);
int cublasLtMatmulDescSetAttribute(void*, int, const void*, size_t);
int cublasLtMatmulDescDestroy(void*);
int cublasLtMatrixLayoutCreate(void**, int, uint64_t, uint64_t, int64_t);
int cublasLtMatrixLayoutSetAttribute(void*, int, const void*, size_t);
int cublasLtMatrixLayoutDestroy(void*);
int cublasLtMatmul(void*, void*, const void*, const void*, void*, const void*, void*, const void*,
                   const void*, void*, void*, void*, const void*, void*, size_t, void*);
int cudaMallocManaged(void**, size_t, unsigned);
int cudaDeviceSynchronize();
}

namespace {

using Clock = std::chrono::steady_clock;

void require(int status, const char* what) {
  if (status == 0) return;
  std::fprintf(stderr, "bench_cublas: %s: status %d\n", what, status);
  std::exit(1);
}

double seconds(const std::function<void()>& work) {
  auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Best time of each, taken in turns until `budget` seconds are gone.
std::vector<double> interleaved(const std::vector<std::function<void()>>& works, double budget) {
  std::vector<double> best(works.size(), 1e30);
  for (auto& work : works) work();
  auto start = Clock::now();
  int rounds = 0;
  do {
    for (size_t i = 0; i < works.size(); ++i) best[i] = std::min(best[i], seconds(works[i]));
  } while (++rounds < 3 || std::chrono::duration<double>(Clock::now() - start).count() < budget);
  return best;
}

void* memory(size_t bytes) {
  void* result = nullptr;
  require(cudaMallocManaged(&result, bytes, 1), "cudaMallocManaged");
  // Small numbers in every type: half words of 0x3e00 to 0x3fff, either sign.
  auto* words = static_cast<uint16_t*>(result);
  uint32_t state = 1;
  for (size_t i = 0; i < bytes / 2; ++i) {
    state = state * 1664525 + 1013904223;
    words[i] = static_cast<uint16_t>(0x3e00 | (state >> 16 & 0x81ee));
  }
  return result;
}

void* the_handle() {
  static void* handle = [] {
    void* made = nullptr;
    require(cublasCreate_v2(&made), "cublasCreate");
    return made;
  }();
  return handle;
}

void small() {
  constexpr int kCalls = 1000;
  auto* a = static_cast<float*>(memory(4096));
  float one = 1, zero = 0;
  auto times = interleaved({[&] {
                              for (int i = 0; i < kCalls; ++i)
                                cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, 4, 4, 4, one,
                                            a, 4, a + 16, 4, zero, a + 32, 4);
                            },
                            [&] {
                              for (int i = 0; i < kCalls; ++i)
                                cublasSgemm_v2(the_handle(), 0, 0, 4, 4, 4, &one, a, 4, a + 16, 4,
                                               &zero, a + 32, 4);
                            }},
                           1.0);
  std::printf("small: 4^3 sgemm: cblas %.1f ns, cuBLAS %.1f ns, ratio %.2f (bar 5)\n",
              times[0] / kCalls * 1e9, times[1] / kCalls * 1e9, times[1] / times[0]);
}

void create() {
  std::vector<double> starts, creates;
  for (int i = 0; i < 40; ++i) {
    starts.push_back(bench::run_process("bench_nothing", {}, {}).milliseconds);
    auto child = bench::run_process("bench_cublas", {"--first-create"}, {});
    if (!child.succeeded) std::exit(1);
    creates.push_back(std::atof(child.output.c_str()));
  }
  std::sort(starts.begin(), starts.end());
  std::sort(creates.begin(), creates.end());
  double start = starts[starts.size() / 2], created = creates[creates.size() / 2];
  std::printf(
      "create: process start %.3f ms, first cublasCreate %.4f ms, ratio %.3f (bar 0.1); medians\n",
      start, created, created / start);
}

// cublasLt ---------------------------------------------------------------------------------------------

enum Type { kF32 = 0, kF16 = 2, kS8 = 3, kS32 = 10, kBf16 = 14, kE4M3 = 28 };
int bytes_of(int type) {
  return type == kF32 || type == kS32 ? 4 : type == kF16 || type == kBf16 ? 2 : 1;
}

struct LtCase {
  const char* name;
  int operands, result;
  unsigned epilogue;
  int order;  // of all matrices
};

class LtMatmul {
 public:
  LtMatmul(const LtCase& c, int n, void* a, void* b, void* d, void* extra, void* bias)
      : a_(a), b_(b), d_(d) {
    require(cublasLtMatmulDescCreate(&operation_, c.result == kS8 ? 72 : 68, 0), "descriptor");
    int transposed = 1;
    if (c.operands == kE4M3) set(3, transposed);
    set(7, c.epilogue);
    if (c.epilogue & (4 | 16 | 256 | 512)) set(8, bias);
    if (c.epilogue & 128) {
      set(11, extra);
      set(12, int64_t{(n + 127) / 128 * 128});
    }
    for (auto [layout, type] :
         {std::pair{&left_, c.operands}, {&right_, c.operands}, {&result_, c.result}}) {
      int made = type == kE4M3 && layout == &result_ ? int{kBf16} : type;
      require(cublasLtMatrixLayoutCreate(layout, made, n, n, n), "layout");
      require(cublasLtMatrixLayoutSetAttribute(*layout, 1, &c.order, sizeof c.order), "order");
    }
  }
  LtMatmul(const LtMatmul&) = delete;
  LtMatmul& operator=(const LtMatmul&) = delete;
  ~LtMatmul() {
    cublasLtMatmulDescDestroy(operation_);
    for (void* layout : {left_, right_, result_}) cublasLtMatrixLayoutDestroy(layout);
  }
  void operator()() const {
    float one = 1, zero = 0;
    require(cublasLtMatmul(the_handle(), operation_, &one, a_, left_, b_, right_, &zero, d_,
                           result_, d_, result_, nullptr, nullptr, 0, nullptr),
            "cublasLtMatmul");
    cudaDeviceSynchronize();
  }

 private:
  template <class V>
  void set(int attribute, V value) {
    require(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value),
            "attribute");
  }
  void *a_, *b_, *d_;
  void *operation_ = nullptr, *left_ = nullptr, *right_ = nullptr, *result_ = nullptr;
};

void lt(int n) {
  constexpr LtCase kCases[] = {
      {"f32 bias", kF32, kF32, 4, 0},
      {"f32 relu + bias + mask", kF32, kF32, 134, 0},
      {"f32 gelu + bias", kF32, kF32, 36, 0},
      {"f32 gelu + bias + input", kF32, kF32, 164, 0},
      {"f32 gelu' + bias gradient", kF32, kF32, 208, 0},
      {"f32 bias gradient of B", kF32, kF32, 512, 0},
      {"f32 rows", kF32, kF32, 1, 1},
      {"f32 rows, gelu + bias", kF32, kF32, 36, 1},
      {"bf16 gelu + bias", kBf16, kBf16, 36, 0},
      {"f16 gelu + bias", kF16, kF16, 36, 0},
      {"int8 requantised", kS8, kS8, 1, 0},
      {"e4m3 to bf16", kE4M3, kBf16, 1, 0},
  };
  size_t elements = static_cast<size_t>(n) * static_cast<size_t>(n);
  void *a = memory(elements * 4), *b = memory(elements * 4), *d = memory(elements * 4);
  void *extra = memory(elements * 4 + 4096), *bias = memory(elements);
  std::printf("lt: n = %d, in plain products of the operands' type\n", n);
  for (const LtCase& c : kCases) {
    LtMatmul matmul(c, n, a, b, d, extra, bias);
    int type = c.operands == kE4M3 ? int{kBf16} : c.operands;
    int out = type == kS8 ? int{kS32} : type == kF32 ? int{kF32} : int{kF32};
    int one_whole = 1, zero_whole = 0;
    float one = 1, zero = 0;
    auto times = interleaved(
        {[&] {
           bool whole = type == kS8;
           require(cublasGemmEx(the_handle(), 0, 0, n, n, n,
                                whole ? static_cast<void*>(&one_whole) : &one, a, type, n, b, type,
                                n, whole ? static_cast<void*>(&zero_whole) : &zero, d, out, n,
                                whole ? 72 : 68, -1),
                   "cublasGemmEx");
           cudaDeviceSynchronize();
         },
         [&] { matmul(); }},
        0.6);
    std::printf("  %-28s %8.3f ms, plain %8.3f ms, ratio %.2f\n", c.name, times[1] * 1e3,
                times[0] * 1e3, times[1] / times[0]);
  }
}

// Batches ----------------------------------------------------------------------------------------------

void batch() {
  constexpr int kSize = 64, kCount = 256;
  constexpr long long kStride = kSize * kSize;
  void *a = memory(kStride * kCount * 4), *b = memory(kStride * kCount * 4);
  void* c = memory(kStride * kCount * 4);
  float one = 1, zero = 0;
  int one_whole = 1, zero_whole = 0;
  for (int type : {kF32, kF16, kBf16, kS8}) {
    bool whole = type == kS8;
    int out = whole ? int{kS32} : type, compute = whole ? 72 : 68;
    const void* alpha = whole ? static_cast<void*>(&one_whole) : &one;
    const void* beta = whole ? static_cast<void*>(&zero_whole) : &zero;
    auto at = [](void* start, int i, int of) {
      return static_cast<char*>(start) + i * kStride * bytes_of(of);
    };
    auto times = interleaved({[&] {
                                for (int i = 0; i < kCount; ++i)
                                  cublasGemmEx(the_handle(), 0, 0, kSize, kSize, kSize, alpha,
                                               at(a, i, type), type, kSize, at(b, i, type), type,
                                               kSize, beta, at(c, i, out), out, kSize, compute, -1);
                                cudaDeviceSynchronize();
                              },
                              [&] {
                                cublasGemmStridedBatchedEx(the_handle(), 0, 0, kSize, kSize, kSize,
                                                           alpha, a, type, kSize, kStride, b, type,
                                                           kSize, kStride, beta, c, out, kSize,
                                                           kStride, kCount, compute, -1);
                                cudaDeviceSynchronize();
                              }},
                             0.6);
    std::printf("batch: %d of %d^3, type %2d: %.3f ms, one by one %.3f ms, ratio %.2f\n", kCount,
                kSize, type, times[1] * 1e3, times[0] * 1e3, times[1] / times[0]);
  }
  auto* matrices = static_cast<float*>(a);
  auto *x = static_cast<float*>(b), *y = static_cast<float*>(c);
  auto times =
      interleaved({[&] {
                     for (int i = 0; i < kCount; ++i)
                       cublasSgemv_v2(the_handle(), 0, kSize, kSize, &one, matrices + i * kStride,
                                      kSize, x + i * kSize, 1, &zero, y + i * kSize, 1);
                     cudaDeviceSynchronize();
                   },
                   [&] {
                     cublasSgemvStridedBatched(the_handle(), 0, kSize, kSize, &one, matrices, kSize,
                                               kStride, x, 1, kSize, &zero, y, 1, kSize, kCount);
                     cudaDeviceSynchronize();
                   }},
                  0.6);
  std::printf("batch: %d sgemv of %d: %.3f ms, one by one %.3f ms, ratio %.2f\n", kCount, kSize,
              times[1] * 1e3, times[0] * 1e3, times[1] / times[0]);
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string_view> parts(arguments + 1, arguments + count);
  if (parts.size() == 1 && parts[0] == "--first-create") {
    void* handle = nullptr;
    double time = seconds([&] { require(cublasCreate_v2(&handle), "cublasCreate"); });
    std::printf("%.6f\n", time * 1e3);
    return 0;
  }
  auto wanted = [&](std::string_view part) {
    return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  if (wanted("small")) small();
  if (wanted("create")) create();
  if (wanted("lt")) lt(1024);
  if (wanted("batch")) batch();
  return 0;
}
