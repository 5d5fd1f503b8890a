// Pitched allocations and strided copies in two and three dimensions, in all directions, with
// offsets, and the errors of a pitch that is too small.
#include "check.h"

__global__ void fill(char* base, size_t pitch, int width, int height) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
  if (x < width && y < height) reinterpret_cast<float*>(base + y * pitch)[x] = y * 100.0f + x;
}

__global__ void add_volume(cudaPitchedPtr volume, int width, int height, int depth) {
  const int x = threadIdx.x, y = blockIdx.x, z = blockIdx.y;
  if (x >= width || y >= height || z >= depth) return;
  char* slice = static_cast<char*>(volume.ptr) + z * volume.pitch * height;
  reinterpret_cast<int*>(slice + y * volume.pitch)[x] += x + y * 1000 + z * 1000000;
}

int main() {
  const int width = 75, height = 40;
  char* image;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, width * sizeof(float), height));
  EXPECT(pitch >= width * sizeof(float) && pitch % 32 == 0);
  fill<<<dim3(1, height), 128>>>(image, pitch, width, height);
  KERNEL_OK();
  const int host_pitch = 90;
  std::vector<float> host(host_pitch * height, -1);
  CUDA_OK(cudaMemcpy2D(host.data(), host_pitch * 4, image, pitch, width * 4, height,
                       cudaMemcpyDeviceToHost));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < host_pitch; ++x) {
      EXPECT_EQ(host[y * host_pitch + x], x < width ? y * 100.0f + x : -1.0f, "%d,%d", x, y);
    }
  }

  // A sub-rectangle from the host, then device to device, then back.
  char* other;
  size_t other_pitch = 0;
  CUDA_OK(cudaMallocPitch(&other, &other_pitch, 32 * 4, 16));
  CUDA_OK(cudaMemset2D(other, other_pitch, 0xff, 32 * 4, 16));
  std::vector<float> patch(10 * 6, 5.5f);
  CUDA_OK(cudaMemcpy2DAsync(image + 3 * pitch + 20 * 4, pitch, patch.data(), 10 * 4, 10 * 4, 6,
                            cudaMemcpyHostToDevice, 0));
  CUDA_OK(cudaMemcpy2D(other + 2 * other_pitch + 8, other_pitch, image + 2 * pitch + 19 * 4, pitch,
                       12 * 4, 8, cudaMemcpyDeviceToDevice));
  std::vector<float> back(32 * 16);
  CUDA_OK(cudaMemcpy2D(back.data(), 32 * 4, other, other_pitch, 32 * 4, 16, cudaMemcpyDefault));
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 32; ++x) {
      const float value = back[y * 32 + x];
      const int sx = x - 2 + 19, sy = y;  // where it came from in the image
      if (x < 2 || x >= 14 || y < 2 || y >= 10) {
        EXPECT(std::isnan(value));
      } else if (sx >= 20 && sx < 30 && sy >= 3 && sy < 9) {
        EXPECT_EQ(value, 5.5f, "%d,%d", x, y);
      } else {
        EXPECT_EQ(value, sy * 100.0f + sx, "%d,%d", x, y);
      }
    }
  }
  EXPECT_ERROR(
      cudaMemcpy2D(host.data(), 4, image, pitch, width * 4, height, cudaMemcpyDeviceToHost),
      cudaErrorInvalidPitchValue);
  cudaGetLastError();

  // Three dimensions.
  const int w = 20, h = 7, d = 5;
  cudaPitchedPtr volume;
  CUDA_OK(cudaMalloc3D(&volume, make_cudaExtent(w * sizeof(int), h, d)));
  CUDA_OK(cudaMemset3D(volume, 0, make_cudaExtent(w * sizeof(int), h, d)));
  std::vector<int> source(w * h * d), target(w * h * d, -7);
  for (int i = 0; i < w * h * d; ++i) source[i] = i;
  cudaMemcpy3DParms copy{};
  copy.srcPtr = make_cudaPitchedPtr(source.data(), w * sizeof(int), w, h);
  copy.dstPtr = volume;
  copy.extent = make_cudaExtent(w * sizeof(int), h, d);
  copy.kind = cudaMemcpyHostToDevice;
  CUDA_OK(cudaMemcpy3D(&copy));
  add_volume<<<dim3(h, d), 32>>>(volume, w, h, d);
  KERNEL_OK();
  cudaMemcpy3DParms part{};
  part.srcPtr = volume;
  part.srcPos = make_cudaPos(4 * sizeof(int), 2, 1);
  part.dstPtr = make_cudaPitchedPtr(target.data(), w * sizeof(int), w, h);
  part.dstPos = make_cudaPos(1 * sizeof(int), 1, 2);
  part.extent = make_cudaExtent(9 * sizeof(int), 4, 3);
  part.kind = cudaMemcpyDeviceToHost;
  CUDA_OK(cudaMemcpy3DAsync(&part, 0));
  CUDA_OK(cudaDeviceSynchronize());
  for (int z = 0; z < d; ++z) {
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const bool inside = x >= 1 && x < 10 && y >= 1 && y < 5 && z >= 2;
        const int sx = x + 3, sy = y + 1, sz = z - 1;
        const int expected = inside ? (sz * h + sy) * w + sx + sx + sy * 1000 + sz * 1000000 : -7;
        EXPECT_EQ(target[(z * h + y) * w + x], expected, "%d,%d,%d", x, y, z);
      }
    }
  }
  CUDA_OK(cudaFree(volume.ptr));
  CUDA_OK(cudaFree(image));
  CUDA_OK(cudaFree(other));
  return check::finish("copies_2d_3d");
}
