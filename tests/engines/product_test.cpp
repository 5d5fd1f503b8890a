// Products of cuBLAS on several engines: GUDA_DEVICES and GUDA_SPLIT say which (CMakeLists.txt).
#include <gtest/gtest.h>
#include <guda/scheduler.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

extern "C" {
int cudaMalloc(void** pointer, size_t bytes);
int cudaFree(void* pointer);
int cudaIpcGetMemHandle(void* handle, void* pointer);
int cudaMemcpy(void* to, const void* from, size_t bytes, int kind);
int cudaDeviceSynchronize();
int cudaLaunchHostFunc(void* stream, void (*function)(void*), void* data);
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

int gemm(void* handle, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda,
         const float* b, int ldb, float beta, float* c, int ldc) {
  return cublasSgemm_v2(handle, ta, tb, m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc);
}
int gemm(void* handle, int ta, int tb, int m, int n, int k, double alpha, const double* a, int lda,
         const double* b, int ldb, double beta, double* c, int ldc) {
  return cublasDgemm_v2(handle, ta, tb, m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc);
}

template <class T>
class DeviceMatrix {
 public:
  explicit DeviceMatrix(const std::vector<T>& values) : bytes_(values.size() * sizeof(T)) {
    EXPECT_EQ(cudaMalloc(&memory_, bytes_), 0);
    EXPECT_EQ(cudaMemcpy(memory_, values.data(), bytes_, 1), 0);
  }
  ~DeviceMatrix() { cudaFree(memory_); }
  DeviceMatrix(const DeviceMatrix&) = delete;
  DeviceMatrix& operator=(const DeviceMatrix&) = delete;
  T* get() const { return static_cast<T*>(memory_); }
  std::vector<T> read() const {
    std::vector<T> values(bytes_ / sizeof(T));
    EXPECT_EQ(cudaMemcpy(values.data(), memory_, bytes_, 2), 0);
    return values;
  }

 private:
  void* memory_ = nullptr;
  size_t bytes_;
};

template <class T>
std::vector<T> numbers(size_t count, uint32_t seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<T>(static_cast<int32_t>(seed) >> 16) / 32768;
  }
  return values;
}

struct Shape {
  int ta, tb, m, n, k, extra;  // extra rows in every leading dimension
};

template <class T>
void check(void* handle, const Shape& s) {
  const int rows_a = (s.ta ? s.k : s.m), rows_b = (s.tb ? s.n : s.k);
  const int lda = rows_a + s.extra, ldb = rows_b + s.extra, ldc = s.m + s.extra;
  const auto a = numbers<T>(size_t(lda) * (s.ta ? s.m : s.k), 1);
  const auto b = numbers<T>(size_t(ldb) * (s.tb ? s.k : s.n), 2);
  const auto c = numbers<T>(size_t(ldc) * s.n, 3);
  DeviceMatrix<T> da(a), db(b), dc(c);
  for (int round = 0; round < 3; ++round) {  // the second finds operands where the first left them
    ASSERT_EQ(gemm(handle, s.ta, s.tb, s.m, s.n, s.k, T(0.5), da.get(), lda, db.get(), ldb,
                   T(round == 0 ? 0.25 : 0), dc.get(), ldc),
              0);
    const auto result = dc.read();
    for (int j = 0; j < s.n; j += 7) {
      for (int i = 0; i < ldc; i += i < s.m - 8 ? 5 : 1) {
        const size_t at = size_t(j) * ldc + i;
        if (i >= s.m) {
          ASSERT_EQ(result[at], c[at]) << "behind column " << j;
          continue;
        }
        double sum = 0;
        for (int l = 0; l < s.k; ++l) {
          const double x = s.ta ? a[size_t(i) * lda + l] : a[size_t(l) * lda + i];
          const double y = s.tb ? b[size_t(l) * ldb + j] : b[size_t(j) * ldb + l];
          sum += x * y;
        }
        const double expected = 0.5 * sum + (round == 0 ? 0.25 * c[at] : 0);
        ASSERT_NEAR(result[at], expected, (sizeof(T) == 4 ? 2e-6 : 1e-14) * s.k + 1e-6)
            << i << ", " << j << ", round " << round;
      }
    }
  }
}

TEST(ProductsOnEngines, AreRight) {
  void* handle = nullptr;
  ASSERT_EQ(cublasCreate_v2(&handle), 0);
  for (const Shape& shape : {Shape{0, 0, 300, 500, 130, 0}, Shape{1, 0, 257, 301, 64, 5},
                             Shape{0, 1, 700, 90, 200, 1}, Shape{1, 1, 129, 640, 77, 3}}) {
    check<float>(handle, shape);
    check<double>(handle, shape);
  }
  EXPECT_EQ(cublasDestroy_v2(handle), 0);

  guda_scheduler_counters counters;
  ASSERT_EQ(guda_scheduler_get_counters(&counters), 0);
  const char* devices = std::getenv("GUDA_DEVICES");
  const char* split = std::getenv("GUDA_SPLIT");
  if (devices == nullptr) {
    EXPECT_EQ(counters.decisions, 0u);  // nothing to choose from
    return;
  }
  // What belongs at home is not decided every time.
  const bool home =
      std::getenv("GUDA_WRITE_BACK") != nullptr || std::string_view(devices).starts_with("cuda");
  EXPECT_GE(counters.decisions, home ? 8u : 24u);
  if (split != nullptr && std::string_view(split) == "always") {
    EXPECT_GE(counters.splits, 24u);
  }
  guda_engine engine;
  uint64_t on_devices = 0;
  for (int i = 0; guda_scheduler_engine(i, &engine) == 0; ++i) {
    EXPECT_EQ(engine.failures, 0u) << engine.id;
    if (std::string_view(engine.id) != "cpu") on_devices += engine.placed + engine.split_parts;
  }
  EXPECT_GT(on_devices, 0u);
}

TEST(ProductsOnEngines, RunWhereTheThreadThatCalledWishesWhoeverRunsTheQueue) {
  int engines = 0;
  ASSERT_EQ(guda_scheduler_engine_count(&engines), 0);
  void* handle = nullptr;
  ASSERT_EQ(cublasCreate_v2(&handle), 0);
  constexpr int n = 200;
  DeviceMatrix<float> a(numbers<float>(n * n, 1)), c(numbers<float>(n * n, 2));
  for (int round = 0; round < 2 * engines; ++round) {
    const int wished = round % engines;
    const auto placed = [&](bool there) {
      uint64_t count = 0;
      guda_engine engine;
      for (int i = 0; guda_scheduler_engine(i, &engine) == 0; ++i)
        count += (i == wished) == there ? engine.placed : 0;
      return count;
    };
    const uint64_t before = placed(true), elsewhere = placed(false);
    std::atomic<bool> open{false};
    ASSERT_EQ(cudaLaunchHostFunc(
                  nullptr,
                  [](void* data) {
                    while (!static_cast<std::atomic<bool>*>(data)->load())
                      std::this_thread::yield();
                  },
                  &open),
              0);
    ASSERT_EQ(guda_scheduler_force_engine(wished), 0);
    EXPECT_EQ(gemm(handle, 0, 0, n, n, n, 1.0f, a.get(), n, a.get(), n, 0.0f, c.get(), n), 0);
    ASSERT_EQ(guda_scheduler_force_engine(-1), 0);
    open = true;
    ASSERT_EQ(cudaDeviceSynchronize(), 0);
    if (engines < 2) continue;
    EXPECT_GT(placed(true), before);
    EXPECT_EQ(placed(false), elsewhere);
  }
  EXPECT_EQ(cublasDestroy_v2(handle), 0);
}

/// Products of one shape and the same matrices, again and again: what is known of the last one must not be used once the
/// matrices are somewhere else.
TEST(ProductsOnEngines, FollowMatricesThatLeaveTheDevices) {
  void* handle = nullptr;
  ASSERT_EQ(cublasCreate_v2(&handle), 0);
  constexpr int n = 48;  // so small that no other engine is asked
  std::vector<float> identity(n * n, 0.0f);
  for (int i = 0; i < n; ++i) identity[size_t(i) * n + i] = 1;
  // Memory of its own: small blocks share theirs with others.
  DeviceMatrix<float> a(std::vector<float>(1 << 21, 0.0f)), b(identity), c(identity);
  const auto expect_copy = [&](uint32_t seed) {
    const auto values = numbers<float>(n * n, seed);
    ASSERT_EQ(cudaMemcpy(a.get(), values.data(), values.size() * sizeof(float), 1), 0);
    for (int round = 0; round < 4; ++round)
      ASSERT_EQ(gemm(handle, 0, 0, n, n, n, 1.0f, a.get(), n, b.get(), n, 0.0f, c.get(), n), 0);
    EXPECT_EQ(c.read(), values);
  };
  expect_copy(5);
  expect_copy(6);
  unsigned char shared[64];
  ASSERT_EQ(cudaIpcGetMemHandle(shared, a.get()), 0);  // from now on the host's alone
  expect_copy(7);
  expect_copy(8);
  EXPECT_EQ(cublasDestroy_v2(handle), 0);
}

TEST(ProductsOnEngines, AreRightWhileOtherThreadsAllocate) {
  void* handle = nullptr;
  ASSERT_EQ(cublasCreate_v2(&handle), 0);
  constexpr int n = 48;
  std::vector<float> twice(n * n, 0.0f);
  for (int i = 0; i < n; ++i) twice[size_t(i) * n + i] = 2;
  const auto values = numbers<float>(n * n, 9);
  DeviceMatrix<float> a(values), b(twice), c(values);
  std::atomic<bool> done{false};
  std::thread other([&] {
    for (uint32_t i = 0; !done.load(); ++i) {
      DeviceMatrix<float> from(numbers<float>(i % 3 == 0 ? 1 << 20 : 1000, i)), to(values);
      EXPECT_EQ(
          gemm(handle, 0, 0, 16, 16, 16, 1.0f, from.get(), 16, b.get(), n, 0.0f, to.get(), 16), 0);
      EXPECT_EQ(cudaDeviceSynchronize(), 0);
    }
  });
  for (int round = 0; round < 200; ++round)
    EXPECT_EQ(gemm(handle, 0, 0, n, n, n, 0.5f, a.get(), n, b.get(), n, 0.0f, c.get(), n), 0);
  done = true;
  other.join();
  EXPECT_EQ(c.read(), values);
  EXPECT_EQ(cublasDestroy_v2(handle), 0);
}

}  // namespace
