// The smallest whole CUDA program: c = a + b, one element per thread.
#include "check.h"

__global__ void vector_add(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

int main() {
  const int n = 100003;
  std::vector<float> a(n), b(n);
  for (int i = 0; i < n; ++i) {
    a[i] = 0.5f * i;
    b[i] = 1000.25f - i;
  }
  check::DeviceArray<float> device_a(a), device_b(b), device_c(n);
  vector_add<<<(n + 255) / 256, 256>>>(device_a, device_b, device_c, n);
  KERNEL_OK();
  const auto c = device_c.host();
  for (int i = 0; i < n; ++i) EXPECT_BITS(c[i], a[i] + b[i], "%d", i);
  return check::finish("vector_add");
}
