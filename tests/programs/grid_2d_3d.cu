// Thread and block indices in two and three dimensions, and how they linearise into warps.
#include "check.h"

struct Seen {
  unsigned tid, ctaid, lane, visits;
};

__global__ void record(Seen* seen) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned size = blockDim.x * blockDim.y * blockDim.z;
  unsigned lane;
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
  Seen& entry = seen[block * size + thread];
  entry.tid = threadIdx.x | threadIdx.y << 10 | threadIdx.z << 20;
  entry.ctaid = blockIdx.x | blockIdx.y << 10 | blockIdx.z << 20;
  entry.lane = lane;
  entry.visits += 1;
}

__global__ void image(float* out, int width, int height, int pitch) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < width && y < height) out[y * pitch + x] = x * 1000.0f + y;
}

int main() {
  const dim3 blocks[] = {{3, 2, 1}, {2, 3, 4}, {1, 5, 2}, {1, 1, 7}};
  const dim3 threads[] = {{8, 4, 2}, {5, 3, 1}, {1, 16, 4}, {33, 2, 3}, {16, 16, 1}, {1, 1, 64}};
  for (const dim3 grid : blocks) {
    for (const dim3 block : threads) {
      const unsigned size = block.x * block.y * block.z;
      const unsigned total = size * grid.x * grid.y * grid.z;
      check::DeviceArray<Seen> device(total);
      record<<<grid, block>>>(device);
      KERNEL_OK();
      const auto seen = device.host();
      for (unsigned i = 0; i < total; ++i) {
        const unsigned t = i % size, b = i / size;
        const unsigned tid =
            t % block.x | t / block.x % block.y << 10 | t / (block.x * block.y) << 20;
        const unsigned ctaid = b % grid.x | b / grid.x % grid.y << 10 | b / (grid.x * grid.y) << 20;
        EXPECT_EQ(seen[i].tid, tid, "%u", i);
        EXPECT_EQ(seen[i].ctaid, ctaid, "%u", i);
        EXPECT_EQ(seen[i].lane, t % 32, "%u", i);
        EXPECT_EQ(seen[i].visits, 1u, "%u", i);
      }
    }
  }
  const int width = 101, height = 67, pitch = 112;
  check::DeviceArray<float> pixels(pitch * height);
  image<<<dim3((width + 15) / 16, (height + 7) / 8), dim3(16, 8)>>>(pixels, width, height, pitch);
  KERNEL_OK();
  const auto result = pixels.host();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < pitch; ++x) {
      EXPECT_EQ(result[y * pitch + x], x < width ? x * 1000.0f + y : 0.0f, "%d,%d", x, y);
    }
  }
  return check::finish("grid_2d_3d");
}
