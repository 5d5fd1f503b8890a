// Device code of memory_test.cpp.
extern "C" {
__device__ int counter = 7;
__device__ float table[6] = {1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f};
__constant__ int weights[4];
}

struct Parameters {
  char tag;
  double scale;
  short offsets[3];
};

extern "C" __global__ void read_symbols(int* out) {
  if (threadIdx.x == 0) counter += 1;
  __syncthreads();
  out[threadIdx.x] =
      counter * 1000 + weights[threadIdx.x % 4] + static_cast<int>(table[threadIdx.x % 6]);
}

extern "C" __global__ void by_value(Parameters p, double* out) {
  out[threadIdx.x] = p.tag + p.scale * p.offsets[threadIdx.x % 3];
}

extern "C" __global__ void local_array(const int* index, int* out) {
  int values[32];
  for (int i = 0; i < 32; ++i) values[i] = i * i + threadIdx.x;
  for (int i = 0; i < 32; ++i) values[index[(threadIdx.x + i) & 31]] += i;
  out[threadIdx.x] = values[index[threadIdx.x & 31]];
}

extern "C" __global__ void vectors(const float4* in, float4* out) {
  const float4 v = in[threadIdx.x];
  out[blockDim.x - 1 - threadIdx.x] = make_float4(v.w, v.z, v.y, v.x);
}

extern "C" __global__ void far_store(int* p, long long offset) { p[offset] = 1; }
