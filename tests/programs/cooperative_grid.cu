// Grid-wide synchronisation in a cooperative launch: every block sees what all others wrote before.
#include <cooperative_groups.h>

#include "check.h"

namespace cg = cooperative_groups;

__global__ void ring(int* a, int* b, int steps) {
  cg::grid_group grid = cg::this_grid();
  const int n = grid.size(), i = grid.thread_rank();
  for (int s = 0; s < steps; ++s) {
    b[i] = a[(i + 1) % n] + a[(i + n - 33) % n] % 7;
    grid.sync();
    int* swap = a;
    a = b;
    b = swap;
  }
}

int main() {
  int supported = 0, multiprocessors = 0, per = 0;
  CUDA_OK(cudaDeviceGetAttribute(&supported, cudaDevAttrCooperativeLaunch, 0));
  CUDA_OK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  EXPECT_EQ(supported, 1);
  CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per, ring, 128, 0));
  const int limit = multiprocessors * per, blocks = limit < 6 ? limit : 6;
  const int n = blocks * 128, steps = 9;
  std::vector<int> a(n), b(n);
  for (int i = 0; i < n; ++i) a[i] = i * 17 % 101;
  check::DeviceArray<int> da(a), db(n);
  int *pa = da, *pb = db, count = steps;
  void* arguments[] = {&pa, &pb, &count};
  CUDA_OK(cudaLaunchCooperativeKernel(ring, dim3(blocks), dim3(128), arguments, 0, nullptr));
  KERNEL_OK();
  for (int s = 0; s < steps; ++s) {
    for (int i = 0; i < n; ++i) b[i] = a[(i + 1) % n] + a[(i + n - 33) % n] % 7;
    a.swap(b);
  }
  const auto result = steps % 2 ? db.host() : da.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], a[i], "%d", i);
  EXPECT_ERROR(
      cudaLaunchCooperativeKernel(ring, dim3(limit * 2 + 1000), dim3(128), arguments, 0, nullptr),
      cudaErrorCooperativeLaunchTooLarge);
  cudaGetLastError();
  return check::finish("cooperative_grid");
}
