// 8- and 16-byte vector loads and stores of every element type, from global and shared memory, read
// through the read-only path, and with cache hints.
#include "check.h"

template <typename V, typename T, int kWidth>
__global__ void rotate(const T* in, T* out, int n) {
  __shared__ V stage[128];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  V v{};
  if (i < n) v = reinterpret_cast<const V*>(in)[i];
  stage[threadIdx.x] = v;
  __syncthreads();
  V w = stage[threadIdx.x ^ 1];
  T* parts = reinterpret_cast<T*>(&w);
  const T first = parts[0];
  for (int k = 0; k + 1 < kWidth; ++k) parts[k] = parts[k + 1];
  parts[kWidth - 1] = first + T(1);
  if (i < n) reinterpret_cast<V*>(out)[i] = w;
}

template <typename V, typename T, int kWidth>
void run(const char* name) {
  const int n = 512;
  std::vector<T> in(n * kWidth);
  for (int i = 0; i < n * kWidth; ++i) in[i] = T(i * 3 + 1);
  check::DeviceArray<T> device(in), out(n * kWidth);
  rotate<V, T, kWidth><<<4, 128>>>(device, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    const T* source = &in[(i ^ 1) * kWidth];
    for (int k = 0; k < kWidth; ++k) {
      const T expected = k + 1 < kWidth ? source[k + 1] : T(source[0] + T(1));
      EXPECT_EQ(result[i * kWidth + k], expected, "%s %d.%d", name, i, k);
    }
  }
}

__global__ void cached(const float4* __restrict__ in, float4* out, const int* plain, int* hinted) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float4 a = __ldg(&in[i]);
  const float4 b = __ldcs(&in[i ^ 3]);
  out[i] = make_float4(a.x + b.w, a.y + b.z, a.z + b.y, a.w + b.x);
  __stcg(&hinted[i], __ldcg(&plain[i]) + __ldca(&plain[i]) + __ldlu(&plain[i]) + __ldcv(&plain[i]));
}

int main() {
  run<float2, float, 2>("float2");
  run<float4, float, 4>("float4");
  run<int2, int, 2>("int2");
  run<uint4, unsigned, 4>("uint4");
  run<double2, double, 2>("double2");
  run<longlong2, long long, 2>("longlong2");
  run<short4, short, 4>("short4");
  run<ushort2, unsigned short, 2>("ushort2");
  run<uchar4, unsigned char, 4>("uchar4");
  run<char2, signed char, 2>("char2");
  run<float3, float, 3>("float3");

  const int n = 256;
  std::vector<float4> in(n);
  std::vector<int> plain(n);
  for (int i = 0; i < n; ++i) {
    in[i] = make_float4(i, i * 2, i * 3, i * 4);
    plain[i] = i * i;
  }
  check::DeviceArray<float4> device(in), out(n);
  check::DeviceArray<int> device_plain(plain), hinted(n);
  cached<<<2, 128>>>(device, out, device_plain, hinted);
  KERNEL_OK();
  const auto r = out.host();
  const auto h = hinted.host();
  for (int i = 0; i < n; ++i) {
    const float4 a = in[i], b = in[i ^ 3];
    EXPECT_EQ(r[i].x, a.x + b.w, "%d", i);
    EXPECT_EQ(r[i].y, a.y + b.z, "%d", i);
    EXPECT_EQ(r[i].z, a.z + b.y, "%d", i);
    EXPECT_EQ(r[i].w, a.w + b.x, "%d", i);
    EXPECT_EQ(h[i], 4 * plain[i], "%d", i);
  }
  return check::finish("vector_loads");
}
