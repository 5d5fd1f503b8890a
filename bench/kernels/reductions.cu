// Block reduction with shuffles, and a histogram with atomics on shared memory.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

__global__ void block_sums(int n, const float* in, float* partial) {
  __shared__ float warps[32];
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    sum += in[i];
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(~0u, sum, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0.0f;
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(~0u, sum, offset);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
  }
}

__global__ void histogram(int n, const uint32_t* words, uint32_t* bins) {
  __shared__ uint32_t local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    const uint32_t w = words[i];
    atomicAdd(&local[w & 255], 1u);
    atomicAdd(&local[w >> 8 & 255], 1u);
    atomicAdd(&local[w >> 16 & 255], 1u);
    atomicAdd(&local[w >> 24], 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x) atomicAdd(&bins[i], local[i]);
}

class BlockReduction final : public Benchmark {
 public:
  const char* name() const override { return "block_reduction"; }
  void prepare() override {
    in_ = random_floats(kSize, 15, 0, 1);
    device_in_.upload(in_);
    device_partial_.resize(kBlocks);
    device_total_.resize(1);
  }
  void device() override {
    block_sums<<<kBlocks, 256>>>(kSize, device_in_, device_partial_);
    block_sums<<<1, 256>>>(kBlocks, device_partial_, device_total_);
  }
  void native() override { total_ = native::sum(kSize, in_.data()); }
  double difference() override {
    return std::fabs(device_total_.download()[0] - total_) / (total_ + 1);
  }
  double tolerance() const override { return 1e-4; }

 private:
  static constexpr int kSize = 1 << 24, kBlocks = 512;
  std::vector<float> in_;
  float total_ = 0;
  DeviceBuffer<float> device_in_, device_partial_, device_total_;
};

class Histogram final : public Benchmark {
 public:
  const char* name() const override { return "histogram"; }
  void prepare() override {
    Random random(16);
    words_.resize(kWords);
    for (uint32_t& w : words_) w = random.bits() & random.bits();  // skewed
    bins_.resize(256);
    device_words_.upload(words_);
    device_bins_.resize(256);
  }
  void device() override {
    cuda_ok(cudaMemsetAsync(device_bins_, 0, 256 * sizeof(uint32_t)), "cudaMemsetAsync");
    histogram<<<256, 256>>>(kWords, device_words_, device_bins_);
  }
  void native() override { native::histogram(kWords, words_.data(), bins_.data()); }
  double difference() override { return max_difference(device_bins_.download(), bins_); }
  double tolerance() const override { return 0; }

 private:
  static constexpr int kWords = 1 << 22;
  std::vector<uint32_t> words_, bins_;
  DeviceBuffer<uint32_t> device_words_, device_bins_;
};

}  // namespace

void add_reductions(BenchmarkList& list) {
  list.push_back(std::make_unique<BlockReduction>());
  list.push_back(std::make_unique<Histogram>());
}

}  // namespace bench
