// 128-bit integers and explicit carry chains (add.cc, addc, sub.cc, mad.hi.cc): products, sums,
// Montgomery multiplication and a 256-bit addition.
#include "check.h"

using U64 = unsigned long long;
using U128 = unsigned __int128;

__global__ void products(const U64* a, const U64* b, U64* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const U128 p = U128(a[i]) * b[i];
  const U128 s = p + (U128(b[i]) << 64 | a[i]);
  const __int128 d = __int128(a[i]) - __int128(b[i]) * 3;
  U64* r = out + i * 8;
  r[0] = U64(p);
  r[1] = U64(p >> 64);
  r[2] = U64(s);
  r[3] = U64(s >> 64);
  r[4] = U64(d);
  r[5] = U64(d >> 64);
  r[6] = U64(p >> (a[i] & 127));
  r[7] = p < s;
}

__global__ void carry_chain(const unsigned* a, const unsigned* b, unsigned* sum,
                            unsigned* difference, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned *x = a + i * 4, *y = b + i * 4;
  unsigned s[5], d[5];
  asm("add.cc.u32 %0, %5, %9;\n\t"
      "addc.cc.u32 %1, %6, %10;\n\t"
      "addc.cc.u32 %2, %7, %11;\n\t"
      "addc.cc.u32 %3, %8, %12;\n\t"
      "addc.u32 %4, 0, 0;"
      : "=r"(s[0]), "=r"(s[1]), "=r"(s[2]), "=r"(s[3]), "=r"(s[4])
      : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]));
  asm("sub.cc.u32 %0, %5, %9;\n\t"
      "subc.cc.u32 %1, %6, %10;\n\t"
      "subc.cc.u32 %2, %7, %11;\n\t"
      "subc.cc.u32 %3, %8, %12;\n\t"
      "subc.u32 %4, 0, 0;"
      : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]), "=r"(d[4])
      : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]));
  for (int k = 0; k < 5; ++k) {
    sum[i * 5 + k] = s[k];
    difference[i * 5 + k] = d[k];
  }
}

// a * b as 64 x 64 -> 128 out of 32-bit multiply-adds with carry.
__global__ void mad_carry(const U64* a, const U64* b, U64* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned a0 = unsigned(a[i]), a1 = unsigned(a[i] >> 32);
  const unsigned b0 = unsigned(b[i]), b1 = unsigned(b[i] >> 32);
  unsigned r0, r1, r2, r3;
  asm("mul.lo.u32 %0, %4, %6;\n\t"
      "mul.hi.u32 %1, %4, %6;\n\t"
      "mad.lo.cc.u32 %1, %4, %7, %1;\n\t"
      "madc.hi.u32 %2, %4, %7, 0;\n\t"
      "mad.lo.cc.u32 %1, %5, %6, %1;\n\t"
      "madc.hi.cc.u32 %2, %5, %6, %2;\n\t"
      "addc.u32 %3, 0, 0;\n\t"
      "mad.lo.cc.u32 %2, %5, %7, %2;\n\t"
      "madc.hi.u32 %3, %5, %7, %3;"
      : "=&r"(r0), "=&r"(r1), "=&r"(r2), "=&r"(r3)
      : "r"(a0), "r"(a1), "r"(b0), "r"(b1));
  out[i * 2] = U64(r1) << 32 | r0;
  out[i * 2 + 1] = U64(r3) << 32 | r2;
}

__host__ __device__ inline U64 multiply_modulo(U64 a, U64 b, U64 m) {
  U64 high = 0;
  a %= m;
  while (b) {
    if (b & 1) high = high >= m - a ? high - (m - a) : high + a;
    a = a >= m - a ? a - (m - a) : a + a;
    b >>= 1;
  }
  return high;
}

__global__ void powers(const U64* a, U64 modulus, U64* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  U64 result = 1, base = a[i];
  for (unsigned e = 65537; e; e >>= 1) {
    if (e & 1) result = multiply_modulo(result, base, modulus);
    base = multiply_modulo(base, base, modulus);
  }
  out[i] = result;
}

int main() {
  const int n = 300;
  check::Random random(14);
  std::vector<U64> a(n), b(n);
  for (int i = 0; i < n; ++i) {
    a[i] = i < 8 ? ~0ull >> i * 8 : random.bits64();
    b[i] = i < 8 ? ~0ull << i * 4 : random.bits64() >> i % 40;
  }
  check::DeviceArray<U64> da(a), db(b), out(n * 8);
  products<<<3, 128>>>(da, db, out, n);
  KERNEL_OK();
  auto r = out.host();
  for (int i = 0; i < n; ++i) {
    const U128 p = U128(a[i]) * b[i], s = p + (U128(b[i]) << 64 | a[i]);
    const __int128 d = __int128(a[i]) - __int128(b[i]) * 3;
    const U64 expected[] = {U64(p),       U64(p >> 64),           U64(s), U64(s >> 64), U64(d),
                            U64(d >> 64), U64(p >> (a[i] & 127)), p < s};
    for (int k = 0; k < 8; ++k) EXPECT_EQ(r[i * 8 + k], expected[k], "%d, %d", i, k);
  }
  mad_carry<<<3, 128>>>(da, db, out, n);
  KERNEL_OK();
  r = out.host();
  for (int i = 0; i < n; ++i) {
    const U128 p = U128(a[i]) * b[i];
    EXPECT_EQ(r[i * 2], U64(p), "%d", i);
    EXPECT_EQ(r[i * 2 + 1], U64(p >> 64), "%d", i);
  }

  std::vector<unsigned> x(n * 4), y(n * 4);
  for (int i = 0; i < n * 4; ++i) {
    x[i] = random.below(3) == 0 ? ~0u : random.below(3) == 0 ? 0 : random.bits();
    y[i] = random.below(3) == 0 ? ~0u : random.below(3) == 0 ? 0 : random.bits();
  }
  check::DeviceArray<unsigned> dx(x), dy(y), sum(n * 5), difference(n * 5);
  carry_chain<<<3, 128>>>(dx, dy, sum, difference, n);
  KERNEL_OK();
  const auto sums = sum.host(), differences = difference.host();
  for (int i = 0; i < n; ++i) {
    U64 carry = 0;
    long long borrow = 0;
    for (int k = 0; k < 4; ++k) {
      carry += U64(x[i * 4 + k]) + y[i * 4 + k];
      EXPECT_EQ(sums[i * 5 + k], unsigned(carry), "%d, word %d", i, k);
      carry >>= 32;
      borrow += (long long)x[i * 4 + k] - y[i * 4 + k];
      EXPECT_EQ(differences[i * 5 + k], unsigned(borrow), "%d, word %d", i, k);
      borrow >>= 32;
    }
    EXPECT_EQ(sums[i * 5 + 4], unsigned(carry), "%d", i);
    EXPECT_EQ(differences[i * 5 + 4], unsigned(borrow), "%d", i);
  }

  const U64 modulus = 18446744073709551557ull;
  powers<<<3, 128>>>(da, modulus, out, n);
  KERNEL_OK();
  r = out.host();
  for (int i = 0; i < n; ++i) {
    U128 result = 1, base = a[i] % modulus;
    for (unsigned e = 65537; e; e >>= 1) {
      if (e & 1) result = result * base % modulus;
      base = base * base % modulus;
    }
    EXPECT_EQ(r[i], U64(result), "%d", i);
  }
  return check::finish("wide_integers");
}
