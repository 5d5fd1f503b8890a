// Integer work: SHA-256 of many messages, and int8 matrix times vector with dp4a.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

__constant__ uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

__device__ uint32_t rotate(uint32_t x, int by) { return __funnelshift_r(x, x, by); }

// Messages of 52 bytes: thirteen big-endian words, so padding and length fit into one block.
__global__ void sha256(int messages, const uint32_t* words, uint32_t* digests) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= messages) return;
  uint32_t w[16];
  for (int k = 0; k < 13; ++k) w[k] = words[i * 13 + k];
  w[13] = 0x80000000u;
  w[14] = 0;
  w[15] = 52 * 8;
  uint32_t a = 0x6a09e667, b = 0xbb67ae85, c = 0x3c6ef372, d = 0xa54ff53a;
  uint32_t e = 0x510e527f, f = 0x9b05688c, g = 0x1f83d9ab, h = 0x5be0cd19;
#pragma unroll
  for (int round = 0; round < 64; ++round) {
    if (round >= 16) {
      const uint32_t x = w[(round + 1) & 15], y = w[(round + 14) & 15];
      w[round & 15] += (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[(round + 9) & 15] +
                       (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    const uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +
                        round_constants[round] + w[round & 15];
    const uint32_t t2 =
        (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  uint32_t* out = digests + i * 8;
  out[0] = a + 0x6a09e667;
  out[1] = b + 0xbb67ae85;
  out[2] = c + 0x3c6ef372;
  out[3] = d + 0xa54ff53a;
  out[4] = e + 0x510e527f;
  out[5] = f + 0x9b05688c;
  out[6] = g + 0x1f83d9ab;
  out[7] = h + 0x5be0cd19;
}

// A warp per row; each lane takes sixteen bytes at a time.
__global__ void int8_matvec(int rows, int columns, const int4* matrix, const int4* x, int* y) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const int steps = columns / 16;
  const int4* from = matrix + row * steps;
  int sum = 0;
  for (int k = lane; k < steps; k += 32) {
    const int4 a = from[k], b = x[k];
    sum = __dp4a(a.x, b.x, sum);
    sum = __dp4a(a.y, b.y, sum);
    sum = __dp4a(a.z, b.z, sum);
    sum = __dp4a(a.w, b.w, sum);
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(~0u, sum, offset);
  if (lane == 0) y[row] = sum;
}

class Sha256 final : public Benchmark {
 public:
  const char* name() const override { return "sha256"; }
  void prepare() override {
    Random random(24);
    words_.resize(kMessages * 13);
    for (uint32_t& w : words_) w = random.bits();
    digests_.assign(kMessages * 8, 0);
    device_words_.upload(words_);
    device_digests_.resize(digests_.size());
  }
  void device() override {
    sha256<<<kMessages / 128, 128>>>(kMessages, device_words_, device_digests_);
  }
  void native() override { native::sha256(kMessages, words_.data(), digests_.data()); }
  double difference() override { return max_difference(device_digests_.download(), digests_); }
  double tolerance() const override { return 0; }

 private:
  static constexpr int kMessages = 1 << 16;
  std::vector<uint32_t> words_, digests_;
  DeviceBuffer<uint32_t> device_words_, device_digests_;
};

class Int8Product final : public Benchmark {
 public:
  const char* name() const override { return "dp4a_matvec"; }
  void prepare() override {
    Random random(25);
    matrix_.resize(size_t{kRows} * kColumns);
    x_.resize(kColumns);
    for (int8_t& v : matrix_) v = static_cast<int8_t>(random.bits());
    for (int8_t& v : x_) v = static_cast<int8_t>(random.bits());
    y_.assign(kRows, 0);
    device_matrix_.upload(matrix_);
    device_x_.upload(x_);
    device_y_.resize(kRows);
  }
  void device() override {
    int8_matvec<<<kRows / 8, 256>>>(
        kRows, kColumns, reinterpret_cast<int4*>(static_cast<int8_t*>(device_matrix_)),
        reinterpret_cast<int4*>(static_cast<int8_t*>(device_x_)), device_y_);
  }
  void native() override {
    native::int8_matvec(kRows, kColumns, matrix_.data(), x_.data(), y_.data());
  }
  double difference() override { return max_difference(device_y_.download(), y_); }
  double tolerance() const override { return 0; }

 private:
  static constexpr int kRows = 4096, kColumns = 4096;
  std::vector<int8_t> matrix_, x_;
  std::vector<int> y_;
  DeviceBuffer<int8_t> device_matrix_, device_x_;
  DeviceBuffer<int> device_y_;
};

}  // namespace

void add_integers(BenchmarkList& list) {
  list.push_back(std::make_unique<Sha256>());
  list.push_back(std::make_unique<Int8Product>());
}

}  // namespace bench
