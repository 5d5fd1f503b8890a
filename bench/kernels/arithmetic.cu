// Kernels that are bound by arithmetic: n-body, Black-Scholes, Mandelbrot, Monte Carlo.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

constexpr int kBlock = 256;

__global__ void n_body(int n, const float4* bodies, float* ax, float* ay, float* az) {
  __shared__ float4 tile[kBlock];
  const int i = blockIdx.x * kBlock + threadIdx.x;
  const float4 self = bodies[i];
  float x = 0, y = 0, z = 0;
  for (int first = 0; first < n; first += kBlock) {
    tile[threadIdx.x] = bodies[first + threadIdx.x];
    __syncthreads();
#pragma unroll 8
    for (int j = 0; j < kBlock; ++j) {
      const float4 other = tile[j];
      const float dx = other.x - self.x, dy = other.y - self.y, dz = other.z - self.z;
      const float squared = dx * dx + dy * dy + dz * dz + 1e-3f;
      const float inverse = rsqrtf(squared);
      const float weight = other.w * inverse * inverse * inverse;
      x += dx * weight;
      y += dy * weight;
      z += dz * weight;
    }
    __syncthreads();
  }
  ax[i] = x;
  ay[i] = y;
  az[i] = z;
}

__device__ float normal_distribution(float d) {
  const float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
  const float tail =
      0.39894228f * expf(-0.5f * d * d) *
      (k * (0.31938153f +
            k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f)))));
  return d > 0 ? 1.0f - tail : tail;
}

__global__ void black_scholes(int n, const float* price, const float* strike, const float* years,
                              float* call, float* put) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  constexpr float kRate = 0.02f, kVolatility = 0.3f;
  const float s = price[i], x = strike[i], t = years[i];
  const float root = sqrtf(t);
  const float d1 =
      (logf(s / x) + (kRate + 0.5f * kVolatility * kVolatility) * t) / (kVolatility * root);
  const float d2 = d1 - kVolatility * root;
  const float n1 = normal_distribution(d1), n2 = normal_distribution(d2);
  const float discounted = x * expf(-kRate * t);
  call[i] = s * n1 - discounted * n2;
  put[i] = discounted * (1.0f - n2) - s * (1.0f - n1);
}

__global__ void mandelbrot(int width, int height, int limit, int* out) {
  const int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
  if (px >= width || py >= height) return;
  const float cx = -2.2f + 3.0f * px / width, cy = -1.2f + 2.4f * py / height;
  float x = 0, y = 0;
  int i = 0;
  for (; i < limit; ++i) {
    const float xx = x * x, yy = y * y;
    if (xx + yy > 4.0f) break;
    y = 2.0f * x * y + cy;
    x = xx - yy + cx;
  }
  out[py * width + px] = i;
}

// Philox 4x32 with ten rounds: counters in, four random words out.
__device__ uint4 philox(uint4 c, uint2 key) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned h0 = __umulhi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
    const unsigned h1 = __umulhi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;
    c = make_uint4(h1 ^ c.y ^ key.x, l1, h0 ^ c.w ^ key.y, l0);
    key.x += 0x9E3779B9u;
    key.y += 0xBB67AE85u;
  }
  return c;
}

__global__ void monte_carlo(int streams, int samples, unsigned* inside) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= streams) return;
  unsigned count = 0;
  for (int s = 0; s < samples; s += 2) {
    const uint4 r = philox(make_uint4(s, i, 0, 0), make_uint2(17, 42));
    const float x0 = r.x * 0x1p-32f, y0 = r.y * 0x1p-32f;
    const float x1 = r.z * 0x1p-32f, y1 = r.w * 0x1p-32f;
    count += x0 * x0 + y0 * y0 < 1.0f;
    count += x1 * x1 + y1 * y1 < 1.0f;
  }
  inside[i] = count;
}

class NBody final : public Benchmark {
 public:
  const char* name() const override { return "n_body"; }
  void prepare() override {
    const auto values = random_floats(kBodies * 4, 7, 0, 1);
    for (auto& part : bodies_) part.resize(kBodies);
    std::vector<float4> device(kBodies);
    for (int i = 0; i < kBodies; ++i) {
      const float* v = &values[i * 4];
      for (int k = 0; k < 4; ++k) bodies_[k][i] = v[k];
      device[i] = make_float4(v[0], v[1], v[2], v[3]);
    }
    device_bodies_.upload(device);
    for (int k = 0; k < 3; ++k) {
      result_[k].assign(kBodies, 0);
      device_[k].resize(kBodies);
    }
  }
  void device() override {
    n_body<<<kBodies / kBlock, kBlock>>>(kBodies, device_bodies_, device_[0], device_[1],
                                         device_[2]);
  }
  void native() override {
    native::n_body(kBodies, bodies_[0].data(), bodies_[1].data(), bodies_[2].data(),
                   bodies_[3].data(), result_[0].data(), result_[1].data(), result_[2].data());
  }
  double difference() override {
    double worst = 0;
    for (int k = 0; k < 3; ++k) {
      worst = std::max(worst, max_difference(device_[k].download(), result_[k], 100));
    }
    return worst;
  }
  double tolerance() const override { return 1e-3; }

 private:
  static constexpr int kBodies = 8192;
  std::vector<float> bodies_[4], result_[3];
  DeviceBuffer<float4> device_bodies_;
  DeviceBuffer<float> device_[3];
};

class BlackScholes final : public Benchmark {
 public:
  const char* name() const override { return "black_scholes"; }
  void prepare() override {
    price_ = random_floats(kOptions, 8, 5, 30);
    strike_ = random_floats(kOptions, 9, 1, 100);
    years_ = random_floats(kOptions, 10, 0.25f, 10);
    call_.assign(kOptions, 0);
    put_.assign(kOptions, 0);
    device_price_.upload(price_);
    device_strike_.upload(strike_);
    device_years_.upload(years_);
    device_call_.resize(kOptions);
    device_put_.resize(kOptions);
  }
  void device() override {
    black_scholes<<<(kOptions + 127) / 128, 128>>>(kOptions, device_price_, device_strike_,
                                                   device_years_, device_call_, device_put_);
  }
  void native() override {
    native::black_scholes(kOptions, price_.data(), strike_.data(), years_.data(), call_.data(),
                          put_.data());
  }
  double difference() override {
    return std::max(max_difference(device_call_.download(), call_, 1),
                    max_difference(device_put_.download(), put_, 1));
  }
  double tolerance() const override { return 1e-4; }

 private:
  static constexpr int kOptions = 1 << 20;
  std::vector<float> price_, strike_, years_, call_, put_;
  DeviceBuffer<float> device_price_, device_strike_, device_years_, device_call_, device_put_;
};

class Mandelbrot final : public Benchmark {
 public:
  const char* name() const override { return "mandelbrot"; }
  void prepare() override {
    out_.assign(kWidth * kHeight, 0);
    device_out_.resize(out_.size());
  }
  void device() override {
    mandelbrot<<<dim3(kWidth / 16, kHeight / 16), dim3(16, 16)>>>(kWidth, kHeight, kLimit,
                                                                  device_out_);
  }
  void native() override { native::mandelbrot(kWidth, kHeight, kLimit, out_.data()); }
  double difference() override {
    // The start coordinates may round differently, so single pixels on the border may differ.
    const auto device = device_out_.download();
    size_t different = 0;
    for (size_t i = 0; i < device.size(); ++i) different += device[i] != out_[i];
    return static_cast<double>(different) / static_cast<double>(device.size());
  }
  double tolerance() const override { return 0.02; }

 private:
  static constexpr int kWidth = 1024, kHeight = 768, kLimit = 256;
  std::vector<int> out_;
  DeviceBuffer<int> device_out_;
};

class MonteCarlo final : public Benchmark {
 public:
  const char* name() const override { return "monte_carlo"; }
  void prepare() override {
    inside_.assign(kStreams, 0);
    device_inside_.resize(kStreams);
  }
  void device() override {
    monte_carlo<<<kStreams / 128, 128>>>(kStreams, kSamples, device_inside_);
  }
  void native() override { native::monte_carlo(kStreams, kSamples, inside_.data()); }
  double difference() override { return max_difference(device_inside_.download(), inside_); }
  // Points on the circle may fall on either side: each compiler fuses as it likes.
  double tolerance() const override { return 0.02; }

 private:
  static constexpr int kStreams = 1 << 14, kSamples = 256;
  std::vector<unsigned> inside_;
  DeviceBuffer<unsigned> device_inside_;
};

}  // namespace

void add_arithmetic(BenchmarkList& list) {
  list.push_back(std::make_unique<NBody>());
  list.push_back(std::make_unique<BlackScholes>());
  list.push_back(std::make_unique<Mandelbrot>());
  list.push_back(std::make_unique<MonteCarlo>());
}

}  // namespace bench
