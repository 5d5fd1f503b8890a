// Operands that are not there: the operation fails on its stream, as a kernel that touches them does, and
// the context keeps the error.
#include "abi/cublas/cublas_test.h"

#include <functional>

namespace guda::cublas::test {
namespace {

constexpr int kIllegalAddress = 700, kSize = 600;

/// A page in the middle of nowhere.
template <class T>
T* nowhere() {
  return reinterpret_cast<T*>(uintptr_t{0x7f0000001000});
}

struct Operands {
  Cublas cublas;
  Array<float> a{kSize * kSize, 1.0f}, b{kSize * kSize, 1.0f}, c{kSize * kSize};
  float one = 1, zero = 0;

  int gemm(const float* left, float* product, int n) {
    return call("cublasSgemm_v2", cublas.handle, kN, kN, n, n, n, &one, left, n, b.get(), n, &zero,
                product, n);
  }
};

/// What every fault leaves behind.
void expect_broken_context(Operands& o) {
  EXPECT_EQ(call("cudaDeviceSynchronize"), kIllegalAddress);
  EXPECT_EQ(o.gemm(o.a.get(), o.c.get(), 16), kExecutionFailed);
  float norm = 0;
  EXPECT_EQ(call("cublasSnrm2_v2", o.cublas.handle, 16, o.a.get(), 1, &norm), kExecutionFailed);
  void* handle = nullptr;
  EXPECT_EQ(call("cublasCreate_v2", &handle), kNotInitialized);
}

/// An error stays with the context, so that each case has a process of its own.
void in_own_process(const std::function<void(Operands&)>& body) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        auto* operands = new Operands;  // freeing fails with the error
        body(*operands);
        std::_Exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(CublasFaultDeathTest, SmallProductIntoNowhere) {
  in_own_process([](Operands& o) {
    EXPECT_EQ(o.gemm(o.a.get(), nowhere<float>(), 16), 0);
    expect_broken_context(o);
  });
}

/// Large enough for several threads, each of which meets the end of A.
TEST(CublasFaultDeathTest, LargeProductFromNowhere) {
  in_own_process([](Operands& o) {
    EXPECT_EQ(o.gemm(nowhere<float>(), o.c.get(), kSize), 0);
    expect_broken_context(o);
  });
}

TEST(CublasFaultDeathTest, WorkBehindOtherWorkOfAStream) {
  in_own_process([](Operands& o) {
    void* stream = nullptr;
    EXPECT_EQ(call("cudaStreamCreate", &stream), 0);
    EXPECT_EQ(call("cublasSetStream_v2", o.cublas.handle, stream), 0);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(o.gemm(o.a.get(), o.c.get(), kSize), 0);
    EXPECT_EQ(o.gemm(nowhere<float>(), o.c.get(), kSize), 0);
    EXPECT_EQ(call("cudaStreamSynchronize", stream), kIllegalAddress);
    expect_broken_context(o);
  });
}

TEST(CublasFaultDeathTest, BatchWithOneBadPointer) {
  in_own_process([](Operands& o) {
    Array<float*> a(3), b(3), c(3);
    for (int i = 0; i < 3; ++i) {
      a[i] = i == 1 ? nowhere<float>() : o.a.get();
      b[i] = o.b.get();
      c[i] = o.c.get() + i * 1024;
    }
    EXPECT_EQ(call("cublasSgemmBatched", o.cublas.handle, kN, kN, 32, 32, 32, &o.one, a.get(), 32,
                   b.get(), 32, &o.zero, c.get(), 32, 3),
              0);
    expect_broken_context(o);
  });
}

TEST(CublasFaultDeathTest, VectorsAndScalarsOfTheDevice) {
  in_own_process([](Operands& o) {
    o.cublas.pointer_mode(kDevicePointers);
    EXPECT_EQ(call("cublasSaxpy_v2", o.cublas.handle, 100, nowhere<const float>(), o.a.get(), 1,
                   o.c.get(), 1),
              0);
    EXPECT_EQ(call("cudaDeviceSynchronize"), kIllegalAddress);
  });
}

/// The call waits for its result, so it knows.
TEST(CublasFaultDeathTest, ResultInHostMemory) {
  in_own_process([](Operands& o) {
    float norm = 0;
    EXPECT_EQ(call("cublasSnrm2_v2", o.cublas.handle, 1000, nowhere<const float>(), 1, &norm),
              kMappingError);
    expect_broken_context(o);
  });
}

/// Copies look before they leap: the context stays whole.
TEST(CublasFault, CopiesToNowhereAreRefused) {
  Cublas cublas;
  float host[16] = {};
  EXPECT_EQ(call("cublasSetVector", 4, 4, host, 1, nowhere<void>(), 1), kMappingError);
  EXPECT_EQ(call("cublasSetMatrix", 4, 4, 4, host, 4, nowhere<void>(), 4), kMappingError);
  EXPECT_EQ(call("cudaDeviceSynchronize"), 0);
}

}  // namespace
}  // namespace guda::cublas::test
