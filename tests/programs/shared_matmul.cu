// Tiled matrix product: two shared tiles, two barriers per step, ragged edges.
#include "check.h"

constexpr int kTile = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float tile_a[kTile][kTile];
  __shared__ float tile_b[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y;
  const int column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int t = 0; t < k; t += kTile) {
    tile_a[threadIdx.y][threadIdx.x] =
        row < m && t + threadIdx.x < k ? a[row * k + t + threadIdx.x] : 0;
    tile_b[threadIdx.y][threadIdx.x] =
        column < n && t + threadIdx.y < k ? b[(t + threadIdx.y) * n + column] : 0;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kTile; ++i) {
      sum = fmaf(tile_a[threadIdx.y][i], tile_b[i][threadIdx.x], sum);
    }
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

int main() {
  const int sizes[][3] = {{64, 64, 64}, {33, 50, 71}, {1, 100, 17}, {96, 16, 128}};
  check::Random random(3);
  for (const auto& [m, n, k] : sizes) {
    std::vector<float> a(m * k), b(k * n);
    for (float& v : a) v = random.between(-1, 1);
    for (float& v : b) v = random.between(-1, 1);
    check::DeviceArray<float> device_a(a), device_b(b), device_c(m * n);
    const dim3 grid((n + kTile - 1) / kTile, (m + kTile - 1) / kTile);
    matmul<<<grid, dim3(kTile, kTile)>>>(device_a, device_b, device_c, m, n, k);
    KERNEL_OK();
    const auto c = device_c.host();
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        float sum = 0;
        for (int l = 0; l < k; ++l) sum = std::fma(a[i * k + l], b[l * n + j], sum);
        EXPECT_BITS(c[i * n + j], sum, "%d,%d of %dx%dx%d", i, j, m, n, k);
      }
    }
  }
  return check::finish("shared_matmul");
}
