// Kernels that work in shared memory: transpose, matrix product, bitonic sort.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

constexpr int kTile = 32;

__global__ void transpose(int width, int height, const float* in, float* out) {
  __shared__ float tile[kTile][kTile + 1];
  int x = blockIdx.x * kTile + threadIdx.x, y = blockIdx.y * kTile + threadIdx.y;
  for (int j = 0; j < kTile; j += 8) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];
  __syncthreads();
  x = blockIdx.y * kTile + threadIdx.x;
  y = blockIdx.x * kTile + threadIdx.y;
  for (int j = 0; j < kTile; j += 8) out[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];
}

__global__ void matmul(int n, const float* a, const float* b, float* c) {
  __shared__ float tile_a[kTile][kTile], tile_b[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int t = 0; t < n; t += kTile) {
    tile_a[threadIdx.y][threadIdx.x] = a[row * n + t + threadIdx.x];
    tile_b[threadIdx.y][threadIdx.x] = b[(t + threadIdx.y) * n + column];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kTile; ++k) sum += tile_a[threadIdx.y][k] * tile_b[k][threadIdx.x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

constexpr int kSortChunk = 1024;

__device__ void order(unsigned& a, unsigned& b, bool ascending) {
  if ((a > b) == ascending) {
    const unsigned swap = a;
    a = b;
    b = swap;
  }
}

// Every step of stages [first, last] whose distance fits in a chunk.
__global__ void sort_chunks(unsigned* data, int first, int last) {
  __shared__ unsigned chunk[kSortChunk];
  const int base = blockIdx.x * kSortChunk, t = threadIdx.x;
  chunk[t] = data[base + t];
  chunk[t + kSortChunk / 2] = data[base + t + kSortChunk / 2];
  for (int size = first; size <= last; size *= 2) {
    for (int distance = min(size / 2, kSortChunk / 2); distance > 0; distance /= 2) {
      __syncthreads();
      const int i = 2 * t - (t & (distance - 1));
      order(chunk[i], chunk[i + distance], ((base + i) & size) == 0);
    }
  }
  __syncthreads();
  data[base + t] = chunk[t];
  data[base + t + kSortChunk / 2] = chunk[t + kSortChunk / 2];
}

__global__ void sort_step(unsigned* data, int size, int distance) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  const int i = 2 * t - (t & (distance - 1));
  unsigned a = data[i], b = data[i + distance];
  order(a, b, (i & size) == 0);
  data[i] = a;
  data[i + distance] = b;
}

class Transpose final : public Benchmark {
 public:
  const char* name() const override { return "transpose"; }
  void prepare() override {
    in_ = random_floats(size_t{kSide} * kSide, 11, 0, 1);
    out_.assign(in_.size(), 0);
    device_in_.upload(in_);
    device_out_.resize(in_.size());
  }
  void device() override {
    transpose<<<dim3(kSide / kTile, kSide / kTile), dim3(kTile, 8)>>>(kSide, kSide, device_in_,
                                                                      device_out_);
  }
  void native() override { native::transpose(kSide, kSide, in_.data(), out_.data()); }
  double difference() override { return max_difference(device_out_.download(), out_); }
  double tolerance() const override { return 0; }

 private:
  static constexpr int kSide = 2048;
  std::vector<float> in_, out_;
  DeviceBuffer<float> device_in_, device_out_;
};

class MatrixProduct final : public Benchmark {
 public:
  const char* name() const override { return "matmul"; }
  void prepare() override {
    a_ = random_floats(kSide * kSide, 12, -1, 1);
    b_ = random_floats(kSide * kSide, 13, -1, 1);
    c_.assign(a_.size(), 0);
    device_a_.upload(a_);
    device_b_.upload(b_);
    device_c_.resize(c_.size());
  }
  void device() override {
    matmul<<<dim3(kSide / kTile, kSide / kTile), dim3(kTile, kTile)>>>(kSide, device_a_, device_b_,
                                                                       device_c_);
  }
  void native() override { native::matmul(kSide, a_.data(), b_.data(), c_.data()); }
  double difference() override { return max_difference(device_c_.download(), c_, 1); }

 private:
  static constexpr int kSide = 512;
  std::vector<float> a_, b_, c_;
  DeviceBuffer<float> device_a_, device_b_, device_c_;
};

class BitonicSort final : public Benchmark {
 public:
  const char* name() const override { return "bitonic_sort"; }
  void prepare() override {
    Random random(14);
    data_.resize(kSize);
    for (unsigned& v : data_) v = random.bits();
    device_data_.upload(data_);
  }
  // The network does the same work whatever the order of its input, so it may sort again and again.
  void device() override {
    sort_chunks<<<kSize / kSortChunk, kSortChunk / 2>>>(device_data_, 2, kSortChunk);
    for (int size = 2 * kSortChunk; size <= kSize; size *= 2) {
      for (int distance = size / 2; distance >= kSortChunk; distance /= 2) {
        sort_step<<<kSize / 512, 256>>>(device_data_, size, distance);
      }
      sort_chunks<<<kSize / kSortChunk, kSortChunk / 2>>>(device_data_, size, size);
    }
  }
  void native() override { native::bitonic_sort(kSize, data_.data()); }
  double difference() override { return max_difference(device_data_.download(), data_); }
  double tolerance() const override { return 0; }

 private:
  static constexpr int kSize = 1 << 18;
  std::vector<unsigned> data_;
  DeviceBuffer<unsigned> device_data_;
};

}  // namespace

void add_tiles(BenchmarkList& list) {
  list.push_back(std::make_unique<Transpose>());
  list.push_back(std::make_unique<MatrixProduct>());
  list.push_back(std::make_unique<BitonicSort>());
}

}  // namespace bench
