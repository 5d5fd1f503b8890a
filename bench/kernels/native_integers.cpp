#include <bit>

#include "native.h"

namespace bench::native {
namespace {

constexpr uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// Sixteen messages side by side, element k of each array belonging to message k.
constexpr int kWidth = 16;
using Lanes = uint32_t[kWidth];

void sha256_lanes(const uint32_t* words, uint32_t* digests) {
  Lanes w[16], s[8];
  constexpr uint32_t kStart[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int k = 0; k < 13; ++k) {
    for (int l = 0; l < kWidth; ++l) w[k][l] = words[l * 13 + k];
  }
  for (int l = 0; l < kWidth; ++l) {
    w[13][l] = 0x80000000u;
    w[14][l] = 0;
    w[15][l] = 52 * 8;
    for (int k = 0; k < 8; ++k) s[k][l] = kStart[k];
  }
  for (int round = 0; round < 64; ++round) {
    // The state rotates through the eight arrays instead of being moved.
    uint32_t *a = s[(64 - round) & 7], *b = s[(65 - round) & 7], *c = s[(66 - round) & 7];
    uint32_t *d = s[(67 - round) & 7], *e = s[(68 - round) & 7], *f = s[(69 - round) & 7];
    uint32_t *g = s[(70 - round) & 7], *h = s[(71 - round) & 7];
    uint32_t* now = w[round & 15];
    if (round >= 16) {
      const uint32_t *x = w[(round + 1) & 15], *y = w[(round + 14) & 15], *z = w[(round + 9) & 15];
#pragma omp simd
      for (int l = 0; l < kWidth; ++l) {
        now[l] += (std::rotr(x[l], 7) ^ std::rotr(x[l], 18) ^ x[l] >> 3) + z[l] +
                  (std::rotr(y[l], 17) ^ std::rotr(y[l], 19) ^ y[l] >> 10);
      }
    }
    const uint32_t constant = kRoundConstants[round];
#pragma omp simd
    for (int l = 0; l < kWidth; ++l) {
      const uint32_t t1 = h[l] + (std::rotr(e[l], 6) ^ std::rotr(e[l], 11) ^ std::rotr(e[l], 25)) +
                          ((e[l] & f[l]) ^ (~e[l] & g[l])) + constant + now[l];
      const uint32_t t2 = (std::rotr(a[l], 2) ^ std::rotr(a[l], 13) ^ std::rotr(a[l], 22)) +
                          ((a[l] & b[l]) ^ (a[l] & c[l]) ^ (b[l] & c[l]));
      d[l] += t1;
      h[l] = t1 + t2;
    }
  }
  for (int k = 0; k < 8; ++k) {
    for (int l = 0; l < kWidth; ++l) digests[l * 8 + k] = s[k][l] + kStart[k];
  }
}

}  // namespace

void sha256(int messages, const uint32_t* words, uint32_t* digests) {
#pragma omp parallel for
  for (int first = 0; first < messages; first += kWidth) {
    sha256_lanes(words + first * 13, digests + first * 8);
  }
}

void int8_matvec(int rows, int columns, const int8_t* matrix, const int8_t* x, int* y) {
#pragma omp parallel for
  for (int row = 0; row < rows; ++row) {
    const int8_t* from = matrix + static_cast<size_t>(row) * columns;
    int sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < columns; ++k) sum += from[k] * x[k];
    y[row] = sum;
  }
}

}  // namespace bench::native
