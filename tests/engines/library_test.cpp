// Functions of cuBLAS that are no single matrix product, on memory that devices may have: GUDA_DEVICES says which
// (CMakeLists.txt). Where the home device's vendor has a cuBLAS (a fake one here), it is what computes.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

extern "C" {
int cudaMalloc(void** pointer, size_t bytes);
int cudaFree(void* pointer);
int cudaMemcpy(void* to, const void* from, size_t bytes, int kind);
int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void* stream);
int cudaMemset(void* to, int value, size_t bytes);
int cudaDeviceSynchronize();
int cudaStreamCreate(void** stream);
int cudaStreamDestroy(void* stream);
int cudaStreamSynchronize(void* stream);
int cudaLaunchHostFunc(void* stream, void (*function)(void*), void* data);
int cudaStreamBeginCapture(void* stream, int mode);
int cudaStreamEndCapture(void* stream, void** graph);
int cudaGraphInstantiate(void** executable, void* graph, unsigned long long flags);
int cudaGraphLaunch(void* executable, void* stream);
int cudaGraphExecDestroy(void* executable);
int cudaGraphDestroy(void* graph);

int cublasInit();
int cublasCreate_v2(void** handle);
int cublasDestroy_v2(void* handle);
int cublasSetStream_v2(void* handle, void* stream);
int cublasSetPointerMode_v2(void* handle, int mode);
int cublasSetMathMode(void* handle, int mode);
int cublasSetWorkspace_v2(void* handle, void* workspace, size_t bytes);
int cublasSaxpy_v2(void* handle, int n, const float* alpha, const float* x, int incx, float* y,
                   int incy);
void cublasSscal(int n, float alpha, float* x, int incx);
float cublasSasum(int n, const float* x, int incx);
int cublasSdot_v2(void* handle, int n, const float* x, int incx, const float* y, int incy,
                  float* result);
int cublasSgemv_v2(void* handle, int trans, int m, int n, const float* alpha, const float* a,
                   int lda, const float* x, int incx, const float* beta, float* y, int incy);
int cublasStrsm_v2(void* handle, int side, int uplo, int trans, int diag, int m, int n,
                   const float* alpha, const float* a, int lda, float* b, int ldb);
int cublasSgeam(void* handle, int transa, int transb, int m, int n, const float* alpha,
                const float* a, int lda, const float* beta, const float* b, int ldb, float* c,
                int ldc);
int cublasSgemm_v2(void* handle, int transa, int transb, int m, int n, int k, const float* alpha,
                   const float* a, int lda, const float* b, int ldb, const float* beta, float* c,
                   int ldc);
int cublasSgemmStridedBatched(void* handle, int transa, int transb, int m, int n, int k,
                              const float* alpha, const float* a, int lda, long long stride_a,
                              const float* b, int ldb, long long stride_b, const float* beta,
                              float* c, int ldc, long long stride_c, int count);
int cublasSgemmGroupedBatched(void* handle, const int* transa, const int* transb, const int* m,
                              const int* n, const int* k, const float* alpha, const float* const* a,
                              const int* lda, const float* const* b, const int* ldb,
                              const float* beta, float* const* c, const int* ldc, int groups,
                              const int* group_size);
int cublasSgetrfBatched(void* handle, int n, float* const* a, int lda, int* pivots, int* info,
                        int count);
int cublasSgetrsBatched(void* handle, int trans, int n, int nrhs, const float* const* a, int lda,
                        const int* pivots, float* const* b, int ldb, int* info, int count);
}

namespace {

constexpr int kSize = 96;
constexpr int kToDevice = 1, kToHost = 2;

std::vector<float> numbers(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(seed >> 16) % 1000 - 500) / 256.0f;
  }
  return values;
}

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : bytes_(values.size() * sizeof(T)) {
    EXPECT_EQ(cudaMalloc(&memory_, bytes_), 0);
    EXPECT_EQ(cudaMemcpy(memory_, values.data(), bytes_, kToDevice), 0);
  }
  ~DeviceArray() { cudaFree(memory_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  T* get() const { return static_cast<T*>(memory_); }
  std::vector<T> read() const {
    std::vector<T> values(bytes_ / sizeof(T));
    EXPECT_EQ(cudaMemcpy(values.data(), memory_, bytes_, kToHost), 0);
    return values;
  }

 private:
  void* memory_ = nullptr;
  size_t bytes_;
};

void expect_near(const std::vector<float>& expected, const std::vector<float>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(expected[i], actual[i], 1e-3f * (1 + std::fabs(expected[i]))) << "at " << i;
}

/// C = A B, column-major squares.
std::vector<float> product(const float* a, const float* b, int n) {
  std::vector<float> c(static_cast<size_t>(n * n));
  for (int j = 0; j < n; ++j)
    for (int p = 0; p < n; ++p)
      for (int i = 0; i < n; ++i) c[i + j * n] += a[i + p * n] * b[p + j * n];
  return c;
}

bool refuses(const std::string& function) {
  const char* fails = std::getenv("FAKE_CUBLAS_FAILS");
  return fails != nullptr && function.find(fails) != std::string::npos;
}

/// How often the vendor's library was asked to do `function`; every line since the start of the process.
int vendor_calls(const std::string& function) {
  const char* file = std::getenv("FAKE_CUBLAS_LOG");
  std::ifstream log(file != nullptr ? file : "");
  int count = 0;
  for (std::string line; std::getline(log, line);)
    count += line == function + (refuses(function) ? " refused" : "");
  return count;
}

/// `function` is called in the scope: by the vendor's library, if there is one.
class ByVendor {
 public:
  explicit ByVendor(std::string function, int times = 1)
      : function_(std::move(function)), times_(times), before_(vendor_calls(function_)) {}
  ~ByVendor() {
    EXPECT_EQ(cudaDeviceSynchronize(), 0);
    if (std::getenv("FAKE_CUBLAS_LOG") == nullptr) return;
    const int calls = vendor_calls(function_) - before_;
    if (refuses(function_))
      EXPECT_GE(calls, times_) << function_;
    else
      EXPECT_EQ(calls, times_) << function_;
  }
  ByVendor(const ByVendor&) = delete;
  ByVendor& operator=(const ByVendor&) = delete;

 private:
  std::string function_;
  int times_, before_;
};

class Library : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(cublasCreate_v2(&handle_), 0); }
  void TearDown() override { EXPECT_EQ(cublasDestroy_v2(handle_), 0); }
  void* handle_ = nullptr;
};

TEST_F(Library, VectorsAndScalarsOfBothKinds) {
  const auto x = numbers(10000, 1), y = numbers(10000, 2);
  DeviceArray<float> dx(x), dy(y), scalars({2.0f, 0.0f});
  auto expected = y;
  for (size_t i = 0; i < y.size(); ++i) expected[i] += 3.0f * x[i];
  {
    ByVendor call("cublasSaxpy_v2", 2);
    float one = 1;
    ASSERT_EQ(cublasSaxpy_v2(handle_, 10000, &one, dx.get(), 1, dy.get(), 1), 0);
    one = 77;
    ASSERT_EQ(cublasSetPointerMode_v2(handle_, 1), 0);
    ASSERT_EQ(cublasSaxpy_v2(handle_, 10000, scalars.get(), dx.get(), 1, dy.get(), 1), 0);
  }
  expect_near(expected, dy.read());
  double dot = 0;
  for (size_t i = 0; i < x.size(); ++i) dot += double(x[i]) * expected[i];
  {
    ByVendor call("cublasSdot_v2", 2);
    ASSERT_EQ(cublasSdot_v2(handle_, 10000, dx.get(), 1, dy.get(), 1, scalars.get() + 1), 0);
    ASSERT_EQ(cublasSetPointerMode_v2(handle_, 0), 0);
    float result = 0;
    ASSERT_EQ(cublasSdot_v2(handle_, 10000, dx.get(), 1, dy.get(), 1, &result), 0);
    EXPECT_NEAR(result, dot, std::fabs(dot) * 1e-3 + 1);
    EXPECT_NEAR(scalars.read()[1], result, 1e-3 * std::fabs(result));
  }
}

TEST_F(Library, InterfaceOfCublasH) {
  auto x = numbers(5000, 3);
  DeviceArray<float> dx(x);
  ASSERT_EQ(cublasInit(), 0);
  ByVendor scale("cublasSscal_v2"), sum("cublasSasum_v2");
  cublasSscal(5000, -2.0f, dx.get(), 1);
  double expected = 0;
  for (float& value : x) expected += std::fabs(value *= -2.0f);
  EXPECT_NEAR(cublasSasum(5000, dx.get(), 1), expected, expected * 1e-3);
  expect_near(x, dx.read());
}

TEST_F(Library, MatricesBetweenCopies) {
  const auto a = numbers(kSize * kSize, 4), b = numbers(kSize * kSize, 5), x = numbers(kSize, 6);
  DeviceArray<float> da(a), db(b), dx(x), dy(x), dc(b);
  const float one = 1, zero = 0, minus = -1;
  ByVendor vector("cublasSgemv_v2"), sum("cublasSgeam");
  ASSERT_EQ(cublasSgemv_v2(handle_, 1, kSize, kSize, &one, da.get(), kSize, dx.get(), 1, &zero,
                           dy.get(), 1),
            0);
  std::vector<float> expected(kSize);
  for (int j = 0; j < kSize; ++j)
    for (int i = 0; i < kSize; ++i) expected[j] += a[i + j * kSize] * x[i];
  expect_near(expected, dy.read());
  // A part of C; the rest stays.
  ASSERT_EQ(cublasSgeam(handle_, 1, 0, 40, 30, &one, da.get(), kSize, &minus, db.get(), kSize,
                        dc.get() + 7, kSize),
            0);
  auto c = b;
  for (int j = 0; j < 30; ++j)
    for (int i = 0; i < 40; ++i) c[7 + i + j * kSize] = a[j + i * kSize] - b[i + j * kSize];
  expect_near(c, dc.read());
}

TEST_F(Library, TriangularSystem) {
  auto a = numbers(kSize * kSize, 7);
  for (int i = 0; i < kSize; ++i) a[i + i * kSize] = 200;
  for (int j = 0; j < kSize; ++j)
    for (int i = 0; i < j; ++i) a[i + j * kSize] = 0;
  const auto solution = numbers(kSize * kSize, 8);
  DeviceArray<float> da(a), db(product(a.data(), solution.data(), kSize));
  const float one = 1;
  {
    ByVendor call("cublasStrsm_v2");
    ASSERT_EQ(
        cublasStrsm_v2(handle_, 0, 0, 0, 0, kSize, kSize, &one, da.get(), kSize, db.get(), kSize),
        0);
  }
  expect_near(solution, db.read());
}

TEST_F(Library, BatchesByStrideAndByPointers) {
  constexpr int kCount = 5, kElements = kSize * kSize;
  const auto a = numbers(kCount * kElements, 9), b = numbers(kCount * kElements, 10);
  DeviceArray<float> da(a), db(b), dc(b);
  const float one = 1, zero = 0;
  {
    ByVendor call("cublasSgemmStridedBatched");
    ASSERT_EQ(cublasSgemmStridedBatched(handle_, 0, 0, kSize, kSize, kSize, &one, da.get(), kSize,
                                        kElements, db.get(), kSize, kElements, &zero, dc.get(),
                                        kSize, kElements, kCount),
              0);
  }
  std::vector<float> expected;
  for (int i = 0; i < kCount; ++i) {
    auto each = product(&a[i * kElements], &b[i * kElements], kSize);
    expected.insert(expected.end(), each.begin(), each.end());
  }
  expect_near(expected, dc.read());

  // Pointers stored in device memory: A is factored, then A X = C is solved for X = B.
  std::vector<float*> to_a, to_c;
  for (int i = 0; i < kCount; ++i) {
    to_a.push_back(da.get() + i * kElements);
    to_c.push_back(dc.get() + i * kElements);
  }
  auto dominant = a;
  for (int i = 0; i < kCount; ++i)
    for (int j = 0; j < kSize; ++j) dominant[i * kElements + j * (kSize + 1)] += 300;
  ASSERT_EQ(cudaMemcpy(da.get(), dominant.data(), dominant.size() * 4, kToDevice), 0);
  expected.clear();
  for (int i = 0; i < kCount; ++i) {
    auto each = product(&dominant[i * kElements], &b[i * kElements], kSize);
    expected.insert(expected.end(), each.begin(), each.end());
  }
  ASSERT_EQ(cudaMemcpy(dc.get(), expected.data(), expected.size() * 4, kToDevice), 0);
  DeviceArray<float*> pointers_a(to_a), pointers_c(to_c);
  DeviceArray<int> pivots(std::vector<int>(kCount * kSize)), info(std::vector<int>(kCount, 5));
  {
    ByVendor factor("cublasSgetrfBatched"), solve("cublasSgetrsBatched");
    ASSERT_EQ(cublasSgetrfBatched(handle_, kSize, pointers_a.get(), kSize, pivots.get(), info.get(),
                                  kCount),
              0);
    int status = 7;
    ASSERT_EQ(cublasSgetrsBatched(handle_, 0, kSize, kSize, pointers_a.get(), kSize, pivots.get(),
                                  pointers_c.get(), kSize, &status, kCount),
              0);
    EXPECT_EQ(status, 0);
  }
  expect_near(b, dc.read());
  EXPECT_EQ(info.read(), std::vector<int>(kCount));
}

/// Arguments in host memory may change as soon as the call returns, although it has to wait for the stream.
TEST_F(Library, ArgumentsOfWorkThatWaits) {
  void* stream = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), 0);
  ASSERT_EQ(cublasSetStream_v2(handle_, stream), 0);
  const auto a = numbers(kSize * kSize, 11), b = numbers(kSize * kSize, 12);
  DeviceArray<float> da(a), db(b), dc(b);
  DeviceArray<float*> to_a({da.get(), da.get()}), to_b({db.get(), db.get()}),
      to_c({dc.get(), dc.get() + 32 * kSize});
  std::atomic<bool> go{false};
  auto expected = b;
  {
    ByVendor scaled("cublasSaxpy_v2"), grouped("cublasSgemmGroupedBatched");
    ASSERT_EQ(cudaLaunchHostFunc(
                  stream,
                  [](void* data) {
                    while (!*static_cast<std::atomic<bool>*>(data)) std::this_thread::yield();
                  },
                  &go),
              0);
    float factor = 2;
    ASSERT_EQ(cublasSaxpy_v2(handle_, kSize * kSize, &factor, da.get(), 1, db.get(), 1), 0);
    factor = 1e9f;
    std::vector<int> none(2, 0), rows{20, 30}, columns{16, 8}, depth{10, 40}, ld(2, kSize),
        one_each(2, 1);
    std::vector<float> alpha{1, -1}, beta{0, 1};
    ASSERT_EQ(cublasSgemmGroupedBatched(handle_, none.data(), none.data(), rows.data(),
                                        columns.data(), depth.data(), alpha.data(), to_a.get(),
                                        ld.data(), to_b.get(), ld.data(), beta.data(), to_c.get(),
                                        ld.data(), 2, one_each.data()),
              0);
    for (auto* each : {&none, &rows, &columns, &depth, &ld, &one_each})
      std::fill(each->begin(), each->end(), 1000000);
    std::fill(alpha.begin(), alpha.end(), 1e9f);
    go = true;
    ASSERT_EQ(cudaStreamSynchronize(stream), 0);
  }
  auto scaled = b;
  for (size_t i = 0; i < b.size(); ++i) scaled[i] += 2 * a[i];
  expect_near(scaled, db.read());
  for (int group = 0; group < 2; ++group) {
    const int m = group ? 30 : 20, n = group ? 8 : 16, k = group ? 40 : 10;
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < m; ++i) {
        float sum = 0;
        for (int p = 0; p < k; ++p) sum += a[i + p * kSize] * scaled[p + j * kSize];
        float& c = expected[i + (j + 32 * group) * kSize];
        c = group ? c - sum : sum;
      }
  }
  expect_near(expected, dc.read());
  EXPECT_EQ(cudaStreamDestroy(stream), 0);
}

TEST_F(Library, CallsInGraphs) {
  void *stream = nullptr, *graph = nullptr, *executable = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), 0);
  ASSERT_EQ(cublasSetStream_v2(handle_, stream), 0);
  const auto x = numbers(4000, 13), y = numbers(4000, 14);
  DeviceArray<float> dx(x), dy(y);
  ByVendor call("cublasSaxpy_v2", 3);
  ASSERT_EQ(cudaStreamBeginCapture(stream, 0), 0);
  float factor = 0.5f;
  ASSERT_EQ(cublasSaxpy_v2(handle_, 4000, &factor, dx.get(), 1, dy.get(), 1), 0);
  factor = 1e9f;
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), 0);
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), 0);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(cudaGraphLaunch(executable, stream), 0);
  ASSERT_EQ(cudaStreamSynchronize(stream), 0);
  auto expected = y;
  for (size_t i = 0; i < y.size(); ++i) expected[i] += 1.5f * x[i];
  expect_near(expected, dy.read());
  EXPECT_EQ(cudaGraphExecDestroy(executable), 0);
  EXPECT_EQ(cudaGraphDestroy(graph), 0);
  EXPECT_EQ(cudaStreamDestroy(stream), 0);
}

/// A product that depends on the handle's settings is the vendor's business; also with a workspace of the program's.
TEST_F(Library, ProductsWithSettings) {
  const auto a = numbers(kSize * kSize, 15), b = numbers(kSize * kSize, 16);
  DeviceArray<float> da(a), db(b), dc(b), workspace(std::vector<float>(1 << 16));
  const float one = 1, zero = 0;
  {
    ByVendor call("cublasSgemm_v2");
    ASSERT_EQ(cublasSetMathMode(handle_, 2), 0);  // pedantic
    ASSERT_EQ(cublasSetWorkspace_v2(handle_, workspace.get(), 4 << 16), 0);
    ASSERT_EQ(cublasSgemm_v2(handle_, 0, 0, kSize, kSize, kSize, &one, da.get(), kSize, db.get(),
                             kSize, &zero, dc.get(), kSize),
              0);
  }
  expect_near(product(a.data(), b.data(), kSize), dc.read());
}

/// What the vendor's library refuses as invalid, although GUDA would do it, the program is told.
TEST_F(Library, Refusals) {
  const char* error = std::getenv("FAKE_CUBLAS_ERROR");
  if (error == nullptr || std::string(error) != "400") GTEST_SKIP() << "nothing is refused here";
  DeviceArray<float> x(numbers(100, 17)), y(numbers(100, 18));
  const float one = 1;
  EXPECT_EQ(cublasSdot_v2(handle_, 100, x.get(), 1, y.get(), 1, const_cast<float*>(&one)), 7);
  EXPECT_EQ(y.read(), numbers(100, 18));
  EXPECT_EQ(cudaDeviceSynchronize(), 0);
}

}  // namespace
