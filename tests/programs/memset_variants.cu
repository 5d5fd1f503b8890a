// cudaMemset of every alignment and length touches exactly its bytes; 2D and asynchronous forms; host
// memory and managed memory as targets.
#include "check.h"

int main() {
  const int size = 4096;
  check::DeviceArray<unsigned char> data(size);
  std::vector<unsigned char> model(size);
  check::Random random(71);
  for (int round = 0; round < 200; ++round) {
    const int from = random.below(size), length = random.below(size - from + 1);
    const int value = random.bits() & 0xffff;  // only the low byte counts
    if (round & 1) {
      CUDA_OK(cudaMemset(data + from, value, length));
    } else {
      CUDA_OK(cudaMemsetAsync(data + from, value, length, 0));
    }
    std::memset(model.data() + from, value & 255, length);
    if (round % 10 == 9) EXPECT(data.host() == model);
  }
  const int pitch = 64;
  CUDA_OK(cudaMemset2D(data + 3, pitch, 0xab, 17, 20));
  CUDA_OK(cudaMemset2DAsync(data + 2048, pitch, 0xcd, 64, 5, 0));
  for (int y = 0; y < 20; ++y) std::memset(model.data() + 3 + y * pitch, 0xab, 17);
  std::memset(model.data() + 2048, 0xcd, 64 * 5);
  CUDA_OK(cudaDeviceSynchronize());
  EXPECT(data.host() == model);
  CUDA_OK(cudaMemset(data, 1, 0));
  EXPECT(data.host() == model);

  unsigned char *pinned, *managed;
  CUDA_OK(cudaMallocHost(&pinned, 256));
  CUDA_OK(cudaMallocManaged(&managed, 256));
  CUDA_OK(cudaMemset(pinned, 0x5a, 256));
  CUDA_OK(cudaMemset(managed, 0x6b, 255));
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 255; ++i) EXPECT(pinned[i] == 0x5a && managed[i] == 0x6b);
  CUDA_OK(cudaFreeHost(pinned));
  CUDA_OK(cudaFree(managed));
  return check::finish("memset_variants");
}
