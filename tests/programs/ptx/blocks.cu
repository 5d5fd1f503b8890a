// Device code of blocks_test.cpp.
extern "C" __global__ void transpose(const float* in, float* out, int width, int height) {
  __shared__ float tile[16][17];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < width && y < height) tile[threadIdx.y][threadIdx.x] = in[y * width + x];
  __syncthreads();
  x = blockIdx.y * 16 + threadIdx.x;
  y = blockIdx.x * 16 + threadIdx.y;
  if (x < height && y < width) out[y * height + x] = tile[threadIdx.x][threadIdx.y];
}

extern "C" __global__ void block_sum(const int* in, int* out, int n) {
  extern __shared__ int stage[];
  int sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    sum += in[i];
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(~0u, sum, offset);
  if (threadIdx.x % 32 == 0) stage[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < blockDim.x / 32; ++w) sum += stage[w];
    out[blockIdx.x] = sum;
  }
}

extern "C" __global__ void scan(int* data, int steps) {
  __shared__ int buffer[2][256];
  const int t = threadIdx.x;
  int from = 0;
  buffer[0][t] = data[t];
  for (int s = 0; s < steps; ++s) {
    __syncthreads();
    const int offset = 1 << s;
    buffer[1 - from][t] = buffer[from][t] + (t >= offset ? buffer[from][t - offset] : 0);
    from = 1 - from;
  }
  data[t] = buffer[from][t];
}

extern "C" __global__ void histogram(const unsigned char* in, int n, unsigned* bins) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    atomicAdd(&local[in[i]], 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x) atomicAdd(&bins[i], local[i]);
}

// Block b continues where block b - 1 left off.
extern "C" __global__ void relay(volatile int* baton, int* out) {
  if (threadIdx.x == 0) {
    while (*baton != static_cast<int>(blockIdx.x)) {
    }
    out[blockIdx.x] = blockIdx.x * 2 + (blockIdx.x ? out[blockIdx.x - 1] : 0);
    __threadfence();
    *baton = blockIdx.x + 1;
  }
}
