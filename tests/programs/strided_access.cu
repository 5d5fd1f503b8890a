// Addresses that step by -1, 2, 3, 7 or wrap in 32 bits before they are widened: the compiler may
// only treat them as contiguous where that is true.
#include "check.h"

__global__ void reverse(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[n - 1 - i] = in[i];
}

__global__ void strided(const int* in, int* out, int n, int stride) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i * stride];
}

__global__ void strided_constant(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[2 * i + 1] = in[3 * i];
}

__global__ void negative_pointer(const int* last, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = last[-i];
}

// The index wraps through 2^32 in the middle of a warp.
__global__ void wrapping(const int* in, int* out, unsigned start, int n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < unsigned(n)) out[i] = in[(start + i) & 0xffu] + in[unsigned(start + i) % 251u];
}

__global__ void masked_index(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i ^ 1] - in[i & ~3];
}

// Unsigned index arithmetic in 32 bits that wraps below zero and comes back.
__global__ void unsigned_offset(const int* in, int* out, unsigned minus, int n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < unsigned(n)) {
    const unsigned shifted = i - minus;  // huge for i < minus
    out[i] = shifted < unsigned(n) ? in[shifted] : -1;
  }
}

int main() {
  const int n = 1000;
  std::vector<int> values(8 * n);
  for (int i = 0; i < 8 * n; ++i) values[i] = i * 7 + 3;
  check::DeviceArray<int> in(values), out(4 * n);
  const int blocks = (n + 127) / 128;

  reverse<<<blocks, 128>>>(in, out, n);
  KERNEL_OK();
  auto result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], values[n - 1 - i], "%d", i);

  for (const int stride : {0, 1, 2, 3, 5, 7}) {
    strided<<<blocks, 128>>>(in, out, n, stride);
    KERNEL_OK();
    result = out.host();
    for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], values[i * stride], "%d * %d", i, stride);
  }
  strided<<<blocks, 128>>>(in.get() + n - 1, out, n, -1);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], values[n - 1 - i], "%d", i);

  strided_constant<<<blocks, 128>>>(in, out, n);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[2 * i + 1], values[3 * i], "%d", i);

  negative_pointer<<<blocks, 128>>>(in.get() + n, out, n);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], values[n - i], "%d", i);

  const unsigned start = 0u - 77u;
  wrapping<<<blocks, 128>>>(in, out, start, n);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) {
    const unsigned k = start + i;
    EXPECT_EQ(result[i], values[k & 0xff] + values[k % 251], "%d", i);
  }

  masked_index<<<blocks, 128>>>(in, out, n);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], values[i ^ 1] - values[i & ~3], "%d", i);

  unsigned_offset<<<blocks, 128>>>(in, out, 45, n);
  KERNEL_OK();
  result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], i < 45 ? -1 : values[i - 45], "%d", i);
  return check::finish("strided_access");
}
