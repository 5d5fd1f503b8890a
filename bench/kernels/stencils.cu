// Neighbours on grids: 5-point and 7-point stencils, and a d2q9 lattice Boltzmann step.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

__global__ void stencil_2d(int width, int height, const float* in, float* out) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 1 || y < 1 || x >= width - 1 || y >= height - 1) return;
  const int i = y * width + x;
  out[i] = 0.5f * in[i] + 0.125f * (in[i - 1] + in[i + 1] + in[i - width] + in[i + width]);
}

__global__ void stencil_3d(int nx, int ny, int nz, const float* in, float* out) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  const int z = blockIdx.z;
  if (x < 1 || y < 1 || z < 1 || x >= nx - 1 || y >= ny - 1 || z >= nz - 1) return;
  const int plane = nx * ny, i = z * plane + y * nx + x;
  out[i] = 0.4f * in[i] +
           0.1f * (in[i - 1] + in[i + 1] + in[i - nx] + in[i + nx] + in[i - plane] + in[i + plane]);
}

// One pull step on a periodic lattice; the nine populations are planes of one array.
__global__ void lattice_boltzmann(int width, int height, float omega, const float* in, float* out) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  const int west = x > 0 ? x - 1 : width - 1, east = x < width - 1 ? x + 1 : 0;
  const int south = y > 0 ? y - 1 : height - 1, north = y < height - 1 ? y + 1 : 0;
  const int plane = width * height;
  const float f0 = in[y * width + x];
  const float f1 = in[plane + y * width + west];
  const float f2 = in[2 * plane + south * width + x];
  const float f3 = in[3 * plane + y * width + east];
  const float f4 = in[4 * plane + north * width + x];
  const float f5 = in[5 * plane + south * width + west];
  const float f6 = in[6 * plane + south * width + east];
  const float f7 = in[7 * plane + north * width + east];
  const float f8 = in[8 * plane + north * width + west];
  const float density = f0 + f1 + f2 + f3 + f4 + f5 + f6 + f7 + f8;
  const float u = (f1 + f5 + f8 - f3 - f6 - f7) / density;
  const float v = (f2 + f5 + f6 - f4 - f7 - f8) / density;
  const float base = 1 - 1.5f * (u * u + v * v);
  const auto relax = [&](float f, float weight, float c) {
    return f - omega * (f - weight * density * (base + 3 * c + 4.5f * c * c));
  };
  float* cell = out + y * width + x;
  cell[0] = relax(f0, 4.0f / 9, 0);
  cell[plane] = relax(f1, 1.0f / 9, u);
  cell[2 * plane] = relax(f2, 1.0f / 9, v);
  cell[3 * plane] = relax(f3, 1.0f / 9, -u);
  cell[4 * plane] = relax(f4, 1.0f / 9, -v);
  cell[5 * plane] = relax(f5, 1.0f / 36, u + v);
  cell[6 * plane] = relax(f6, 1.0f / 36, v - u);
  cell[7 * plane] = relax(f7, 1.0f / 36, -u - v);
  cell[8 * plane] = relax(f8, 1.0f / 36, u - v);
}

class Stencil2D final : public Benchmark {
 public:
  const char* name() const override { return "stencil_2d"; }
  void prepare() override {
    in_ = random_floats(size_t{kSide} * kSide, 4, 0, 1);
    out_.assign(in_.size(), 0);
    device_in_.upload(in_);
    device_out_.resize(in_.size());
  }
  void device() override {
    stencil_2d<<<dim3(kSide / 32, kSide / 8), dim3(32, 8)>>>(kSide, kSide, device_in_, device_out_);
  }
  void native() override { native::stencil_2d(kSide, kSide, in_.data(), out_.data()); }
  double difference() override { return max_difference(device_out_.download(), out_); }

 private:
  static constexpr int kSide = 3072;
  std::vector<float> in_, out_;
  DeviceBuffer<float> device_in_, device_out_;
};

class Stencil3D final : public Benchmark {
 public:
  const char* name() const override { return "stencil_3d"; }
  void prepare() override {
    in_ = random_floats(size_t{kSide} * kSide * kSide, 5, 0, 1);
    out_.assign(in_.size(), 0);
    device_in_.upload(in_);
    device_out_.resize(in_.size());
  }
  void device() override {
    stencil_3d<<<dim3(kSide / 32, kSide / 8, kSide), dim3(32, 8)>>>(kSide, kSide, kSide, device_in_,
                                                                    device_out_);
  }
  void native() override { native::stencil_3d(kSide, kSide, kSide, in_.data(), out_.data()); }
  double difference() override { return max_difference(device_out_.download(), out_); }

 private:
  static constexpr int kSide = 224;
  std::vector<float> in_, out_;
  DeviceBuffer<float> device_in_, device_out_;
};

class LatticeBoltzmann final : public Benchmark {
 public:
  const char* name() const override { return "lattice_boltzmann"; }
  void prepare() override {
    in_ = random_floats(size_t{9} * kWidth * kHeight, 6, 0.09f, 0.13f);
    out_.assign(in_.size(), 0);
    device_in_.upload(in_);
    device_out_.resize(in_.size());
  }
  void device() override {
    lattice_boltzmann<<<dim3(kWidth / 64, kHeight / 4), dim3(64, 4)>>>(kWidth, kHeight, 1.2f,
                                                                       device_in_, device_out_);
  }
  void native() override {
    native::lattice_boltzmann(kWidth, kHeight, 1.2f, in_.data(), out_.data());
  }
  double difference() override { return max_difference(device_out_.download(), out_); }

 private:
  static constexpr int kWidth = 1024, kHeight = 768;
  std::vector<float> in_, out_;
  DeviceBuffer<float> device_in_, device_out_;
};

}  // namespace

void add_stencils(BenchmarkList& list) {
  list.push_back(std::make_unique<Stencil2D>());
  list.push_back(std::make_unique<Stencil3D>());
  list.push_back(std::make_unique<LatticeBoltzmann>());
}

}  // namespace bench
