// A matrix transposed through padded and unpadded shared tiles, ragged at both edges.
#include "check.h"

template <int kPadding>
__global__ void transpose(const float* in, float* out, int width, int height) {
  __shared__ float tile[32][32 + kPadding];
  int x = blockIdx.x * 32 + threadIdx.x;
  int y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += blockDim.y) {
    if (x < width && y + j < height) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];
  }
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += blockDim.y) {
    if (x < height && y + j < width) out[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];
  }
}

template <int kPadding>
void run(int width, int height) {
  std::vector<float> values(width * height);
  for (int i = 0; i < width * height; ++i) values[i] = i;
  check::DeviceArray<float> in(values), out(width * height);
  transpose<kPadding>
      <<<dim3((width + 31) / 32, (height + 31) / 32), dim3(32, 8)>>>(in, out, width, height);
  KERNEL_OK();
  const auto result = out.host();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      EXPECT_EQ(result[x * height + y], values[y * width + x], "%d,%d of %dx%d", x, y, width,
                height);
    }
  }
}

int main() {
  run<0>(128, 64);
  run<1>(128, 64);
  run<1>(100, 33);
  run<0>(31, 77);
  run<1>(1, 200);
  return check::finish("shared_transpose");
}
