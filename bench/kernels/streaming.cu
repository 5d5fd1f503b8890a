// Kernels that are bound by memory bandwidth: saxpy and the f64 triad.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

__global__ void saxpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

__global__ void triad(int n, double s, const double* b, const double* c, double* a) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = b[i] + s * c[i];
}

class Saxpy final : public Benchmark {
 public:
  const char* name() const override { return "saxpy"; }
  void prepare() override {
    x_ = random_floats(kSize, 1, -1, 1);
    y_ = random_floats(kSize, 2, -1, 1);
    device_x_.upload(x_);
    device_y_.upload(y_);
  }
  void device() override {
    saxpy<<<(kSize + 255) / 256, 256>>>(kSize, kFactor, device_x_, device_y_);
  }
  void native() override { native::saxpy(kSize, kFactor, x_.data(), y_.data()); }
  double difference() override { return max_difference(device_y_.download(), y_); }

 private:
  static constexpr int kSize = 1 << 24;
  static constexpr float kFactor = 1e-3f;
  std::vector<float> x_, y_;
  DeviceBuffer<float> device_x_, device_y_;
};

class Triad final : public Benchmark {
 public:
  const char* name() const override { return "triad_f64"; }
  void prepare() override {
    Random random(3);
    a_.resize(kSize);
    b_.resize(kSize);
    c_.resize(kSize);
    for (int i = 0; i < kSize; ++i) {
      b_[i] = random.between(-1, 1);
      c_[i] = random.between(-1, 1);
    }
    device_a_.resize(kSize);
    device_b_.upload(b_);
    device_c_.upload(c_);
  }
  void device() override {
    triad<<<(kSize + 255) / 256, 256>>>(kSize, 3.0, device_b_, device_c_, device_a_);
  }
  void native() override { native::triad(kSize, 3.0, b_.data(), c_.data(), a_.data()); }
  double difference() override { return max_difference(device_a_.download(), a_); }

 private:
  static constexpr int kSize = 1 << 23;
  std::vector<double> a_, b_, c_;
  DeviceBuffer<double> device_a_, device_b_, device_c_;
};

}  // namespace

void add_streaming(BenchmarkList& list) {
  list.push_back(std::make_unique<Saxpy>());
  list.push_back(std::make_unique<Triad>());
}

}  // namespace bench
