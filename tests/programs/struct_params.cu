// Structures by value: members of mixed alignment, 16-byte alignment, the 4 KB parameter limit of
// older PTX, a parameter that is indexed dynamically, and one that is modified in the kernel.
#include "check.h"

struct Mixed {
  char tag;
  double weight;
  short offset;
  float3 position;
  unsigned char bytes[5];
  long long big;
};

struct __align__(16) Aligned {
  float4 v;
  int n;
};

struct Empty {};

struct Large {
  int values[1000];
};

__global__ void mixed(char c, Mixed m, short s, Aligned a, Empty, double d, double* out) {
  if (threadIdx.x == 0) {
    out[0] = c;
    out[1] = m.tag;
    out[2] = m.weight;
    out[3] = m.offset;
    out[4] = m.position.x;
    out[5] = m.position.y;
    out[6] = m.position.z;
    for (int i = 0; i < 5; ++i) out[7 + i] = m.bytes[i];
    out[12] = static_cast<double>(m.big);
    out[13] = s;
    out[14] = a.v.x + 10 * a.v.y + 100 * a.v.z + 1000 * a.v.w;
    out[15] = a.n;
    out[16] = d;
  }
}

__global__ void dynamic_index(Large large, const int* index, int* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = large.values[index[i]];
}

__global__ void modified(Large large, int* out) {
  const int i = threadIdx.x;
  for (int k = 0; k < 32; ++k) large.values[(i + k) % 32] += i;
  int sum = 0;
  for (int k = 0; k < 32; ++k) sum += large.values[k] * (k + 1);
  out[i] = sum;
}

int main() {
  Mixed m{};
  m.tag = 'x';
  m.weight = 1.0 / 3.0;
  m.offset = -1234;
  m.position = make_float3(1.5f, -2.5f, 3.5f);
  for (int i = 0; i < 5; ++i) m.bytes[i] = 250 + i;
  m.big = -(1ll << 52);
  Aligned a{};
  a.v = make_float4(1, 2, 3, 4);
  a.n = 77;
  check::DeviceArray<double> out(17);
  mixed<<<1, 32>>>('c', m, -7, a, Empty{}, 2.5, out);
  KERNEL_OK();
  const double expected[] = {'c', 'x', 1.0 / 3.0, -1234,   1.5, -2.5, 3.5, 250, 251,
                             252, 253, 254,       -0x1p52, -7,  4321, 77,  2.5};
  const auto result = out.host();
  for (int i = 0; i < 17; ++i) EXPECT_EQ(result[i], expected[i], "%d", i);

  Large large;
  for (int i = 0; i < 1000; ++i) large.values[i] = i * i - 17;
  std::vector<int> index(256);
  for (int i = 0; i < 256; ++i) index[i] = (i * 389) % 1000;
  check::DeviceArray<int> device_index(index), picked(256);
  dynamic_index<<<2, 128>>>(large, device_index, picked);
  KERNEL_OK();
  const auto values = picked.host();
  for (int i = 0; i < 256; ++i) EXPECT_EQ(values[i], large.values[index[i]], "%d", i);

  check::DeviceArray<int> sums(64);
  modified<<<1, 64>>>(large, sums);
  KERNEL_OK();
  const auto sum = sums.host();
  for (int i = 0; i < 64; ++i) {
    int expect = 0;
    for (int k = 0; k < 32; ++k) expect += (large.values[k] + i) * (k + 1);
    EXPECT_EQ(sum[i], expect, "%d", i);
  }
  return check::finish("struct_params");
}
