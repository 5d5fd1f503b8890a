// Device code of arithmetic_test.cpp.
extern "C" __global__ void vector_add(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

extern "C" __global__ void saxpy(int n, float a, const float* x, float* y) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    y[i] = fmaf(a, x[i], y[i]);
  }
}

extern "C" __global__ void integers(const int* a, const int* b, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const int x = a[i], y = b[i];
  int* r = out + i * 8;
  r[0] = x / y;
  r[1] = x % y;
  r[2] = __popc(x) + __clz(y);
  r[3] = __mulhi(x, y);
  r[4] = x >> (y & 31);
  r[5] = static_cast<int>(static_cast<unsigned>(x) >> (y & 31));
  r[6] = static_cast<int>(__funnelshift_l(x, y, 5));
  r[7] = __dp4a(x, y, 7);
}

extern "C" __global__ void functions(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[i * 4] = expf(in[i]);
  out[i * 4 + 1] = sinf(in[i]);
  out[i * 4 + 2] = sqrtf(fabsf(in[i]));
  out[i * 4 + 3] = in[i] / 3.0f;
}
