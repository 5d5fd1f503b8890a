// A kernel's fault costs the home device everything; that shows when the device is waited for, also while its memory is
// being taken away. On the fake CUDA driver, whose device has 1 GiB.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "tests/backends/kernels.h"

namespace {

TEST(LostHome, IsNoticedWhileItsMemoryIsTakenAway) {
  constexpr size_t kMostOfIt = size_t{700} << 20;
  cudaLibrary_t library;
  cudaKernel_t add;
  ASSERT_EQ(cudaLibraryLoadData(&library, guda::backend::conformance::kKernels.data(), nullptr,
                                nullptr, 0, nullptr, nullptr, 0),
            cudaSuccess);
  ASSERT_EQ(cudaLibraryGetKernel(&add, library, "vector_add"), cudaSuccess);
  void *first = nullptr, *second = nullptr;
  ASSERT_EQ(cudaMalloc(&first, kMostOfIt), cudaSuccess);
  ASSERT_EQ(cudaMemset(first, 0, 1 << 20), cudaSuccess);
  auto launch = [&](void* a) {
    uint32_t count = 128;
    void* arguments[] = {&a, &first, &first, &count};
    return cudaLaunchKernel(reinterpret_cast<void*>(add), dim3(1), dim3(128), arguments, 0,
                            nullptr);
  };
  ASSERT_EQ(launch(first), cudaSuccess);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(launch(reinterpret_cast<void*>(16)), cudaSuccess) << "nobody has waited for it";
  // There is no room for both, and before the first one goes the device is waited for.
  (void)cudaMalloc(&second, kMostOfIt);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaMemset(first, 2, 1 << 20), cudaErrorIllegalAddress) << "for good";
}

}  // namespace
