// __constant__ variables: initialised, set whole, in part and asynchronously, read uniformly and per
// lane, structures, and through cudaGetSymbolAddress.
#include "check.h"

struct Camera {
  float3 origin;
  float matrix[3][4];
  int flags;
};

__constant__ int initialised[8] = {3, 1, 4, 1, 5, 9, 2, 6};
__constant__ float coefficients[256];
__constant__ Camera camera;
__constant__ double scalar = 2.5;
static __constant__ const char* text = "constant text";

__global__ void read(const int* index, float* out, double* others) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < 16; ++k) sum += coefficients[k];
  out[i] = sum + coefficients[index[i]];
  if (i < 8) others[i] = initialised[i] * scalar;
  if (i == 8) others[8] = camera.origin.y + camera.matrix[2][3] * camera.flags;
  if (i >= 9 && i < 22) others[i] = text[i - 9];
}

int main() {
  const int n = 128;
  std::vector<float> values(256);
  std::vector<int> index(n);
  for (int i = 0; i < 256; ++i) values[i] = i * 0.5f;
  for (int i = 0; i < n; ++i) index[i] = i * 77 % 256;
  CUDA_OK(cudaMemcpyToSymbol(coefficients, values.data(), 256 * sizeof(float)));
  Camera host{};
  host.origin = make_float3(1, 20, 3);
  host.matrix[2][3] = 7;
  host.flags = 3;
  CUDA_OK(cudaMemcpyToSymbol(camera, &host, sizeof(host)));
  check::DeviceArray<int> device_index(index);
  check::DeviceArray<float> out(n);
  check::DeviceArray<double> others(22);

  const auto verify = [&] {
    read<<<2, 64>>>(device_index, out, others);
    KERNEL_OK();
    const auto result = out.host();
    float sum = 0;
    for (int k = 0; k < 16; ++k) sum += values[k];
    for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], sum + values[index[i]], "%d", i);
  };
  verify();
  const auto other = others.host();
  const int initial[] = {3, 1, 4, 1, 5, 9, 2, 6};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(other[i], initial[i] * 2.5, "%d", i);
  EXPECT_EQ(other[8], 41.0);
  for (int i = 0; i < 13; ++i) EXPECT_EQ(other[9 + i], double("constant text"[i]), "%d", i);

  const float patch[3] = {1000, 2000, 3000};
  CUDA_OK(cudaMemcpyToSymbol(coefficients, patch, sizeof(patch), 5 * sizeof(float)));
  std::copy(patch, patch + 3, values.begin() + 5);
  verify();

  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  float* pinned;
  CUDA_OK(cudaMallocHost(&pinned, 4));
  *pinned = -500;
  CUDA_OK(cudaMemcpyToSymbolAsync(coefficients, pinned, 4, 0, cudaMemcpyHostToDevice, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  values[0] = -500;
  verify();

  void* address = nullptr;
  CUDA_OK(cudaGetSymbolAddress(&address, coefficients));
  const float last = 12345;
  CUDA_OK(cudaMemcpy(static_cast<float*>(address) + 255, &last, 4, cudaMemcpyHostToDevice));
  values[255] = last;
  verify();
  size_t size = 0;
  CUDA_OK(cudaGetSymbolSize(&size, camera));
  EXPECT_EQ(size, sizeof(Camera));
  float back[2];
  CUDA_OK(cudaMemcpyFromSymbol(back, coefficients, sizeof(back), 6 * sizeof(float)));
  EXPECT_EQ(back[0], 2000.0f);
  EXPECT_EQ(back[1], 3000.0f);
  return check::finish("constant_memory");
}
