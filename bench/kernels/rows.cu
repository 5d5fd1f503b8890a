// One block per row: softmax and layer normalisation, as neural networks have them.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

constexpr int kThreads = 256;

struct Sum {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

template <typename Operation>
__device__ float block_all(float value, Operation operation) {
  __shared__ float warps[kThreads / 32];
  for (int mask = 16; mask > 0; mask /= 2) {
    value = operation(value, __shfl_xor_sync(~0u, value, mask));
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = warps[0];
  for (int w = 1; w < kThreads / 32; ++w) value = operation(value, warps[w]);
  return value;
}

__global__ void softmax(int columns, const float* in, float* out) {
  const float* row = in + size_t{blockIdx.x} * columns;
  float* to = out + size_t{blockIdx.x} * columns;
  float largest = -INFINITY;
  for (int c = threadIdx.x; c < columns; c += kThreads) largest = fmaxf(largest, row[c]);
  largest = block_all(largest, Max{});
  float total = 0;
  for (int c = threadIdx.x; c < columns; c += kThreads) {
    const float e = expf(row[c] - largest);
    to[c] = e;
    total += e;
  }
  total = block_all(total, Sum{});
  const float scale = 1.0f / total;
  for (int c = threadIdx.x; c < columns; c += kThreads) to[c] *= scale;
}

__global__ void layer_norm(int columns, const float* in, const float* gain, const float* bias,
                           float* out) {
  const float* row = in + size_t{blockIdx.x} * columns;
  float* to = out + size_t{blockIdx.x} * columns;
  float total = 0;
  for (int c = threadIdx.x; c < columns; c += kThreads) total += row[c];
  const float mean = block_all(total, Sum{}) / columns;
  float squares = 0;
  for (int c = threadIdx.x; c < columns; c += kThreads) {
    const float d = row[c] - mean;
    squares += d * d;
  }
  const float scale = rsqrtf(block_all(squares, Sum{}) / columns + 1e-5f);
  for (int c = threadIdx.x; c < columns; c += kThreads) {
    to[c] = (row[c] - mean) * scale * gain[c] + bias[c];
  }
}

class Softmax final : public Benchmark {
 public:
  const char* name() const override { return "softmax"; }
  void prepare() override {
    in_ = random_floats(size_t{kRows} * kColumns, 17, -5, 5);
    out_.assign(in_.size(), 0);
    device_in_.upload(in_);
    device_out_.resize(in_.size());
  }
  void device() override { softmax<<<kRows, kThreads>>>(kColumns, device_in_, device_out_); }
  void native() override { native::softmax(kRows, kColumns, in_.data(), out_.data()); }
  double difference() override { return max_difference(device_out_.download(), out_); }

 private:
  static constexpr int kRows = 2048, kColumns = 1024;
  std::vector<float> in_, out_;
  DeviceBuffer<float> device_in_, device_out_;
};

class LayerNorm final : public Benchmark {
 public:
  const char* name() const override { return "layer_norm"; }
  void prepare() override {
    in_ = random_floats(size_t{kRows} * kColumns, 18, -5, 5);
    gain_ = random_floats(kColumns, 19, 0.5f, 1.5f);
    bias_ = random_floats(kColumns, 20, -1, 1);
    out_.assign(in_.size(), 0);
    device_in_.upload(in_);
    device_gain_.upload(gain_);
    device_bias_.upload(bias_);
    device_out_.resize(in_.size());
  }
  void device() override {
    layer_norm<<<kRows, kThreads>>>(kColumns, device_in_, device_gain_, device_bias_, device_out_);
  }
  void native() override {
    native::layer_norm(kRows, kColumns, in_.data(), gain_.data(), bias_.data(), out_.data());
  }
  double difference() override { return max_difference(device_out_.download(), out_, 1); }

 private:
  static constexpr int kRows = 4096, kColumns = 768;
  std::vector<float> in_, gain_, bias_, out_;
  DeviceBuffer<float> device_in_, device_gain_, device_bias_, device_out_;
};

}  // namespace

void add_rows(BenchmarkList& list) {
  list.push_back(std::make_unique<Softmax>());
  list.push_back(std::make_unique<LayerNorm>());
}

}  // namespace bench
