// clz, ffs, popc, brev, byte_perm, funnel shifts, dp4a, dp2a, mulhi, mul24, sad, averages, clamping
// shifts, and the per-byte video forms that still compile, against models on the host.
#include "check.h"

constexpr int kResults = 40;

__global__ void run(const unsigned* a, const unsigned* b, const unsigned* c, unsigned* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned x = a[i], y = b[i], z = c[i];
  const unsigned long long w = (unsigned long long)x << 32 | y;
  unsigned* r = out + i * kResults;
  r[0] = __clz(x);
  r[1] = __ffs(x);
  r[2] = __popc(x);
  r[3] = __brev(x);
  r[4] = __clzll(w);
  r[5] = __ffsll(w);
  r[6] = __popcll(w);
  r[7] = unsigned(__brevll(w));
  r[8] = __byte_perm(x, y, z);
  r[9] = __funnelshift_l(x, y, z);
  r[10] = __funnelshift_r(x, y, z);
  r[11] = __funnelshift_lc(x, y, z & 63);
  r[12] = __funnelshift_rc(x, y, z & 63);
  r[13] = __dp4a(int(x), int(y), int(z));
  r[14] = __dp4a(x, y, z);
  r[15] = __dp2a_lo(int(x), int(y), int(z));
  r[16] = __dp2a_hi(int(x), int(y), int(z));
  r[17] = __mulhi(int(x), int(y));
  r[18] = __umulhi(x, y);
  r[19] = unsigned(__mul64hi((long long)w, (long long)(w * 3)) >> 20);
  r[20] = unsigned(__umul64hi(w, ~w) >> 20);
  r[21] = __mul24(int(x), int(y));
  r[22] = __umul24(x, y);
  r[23] = __sad(int(x), int(y), z);
  r[24] = __usad(x, y, z);
  r[25] = __hadd(int(x), int(y));
  r[26] = __rhadd(int(x), int(y));
  r[27] = __uhadd(x, y);
  r[28] = __urhadd(x, y);
  unsigned shifted;
  asm("shl.b32 %0, %1, %2;" : "=r"(shifted) : "r"(x), "r"(z & 0xff));
  r[29] = shifted;
  asm("shr.u32 %0, %1, %2;" : "=r"(shifted) : "r"(x), "r"(z & 0xff));
  r[30] = shifted;
  asm("shr.s32 %0, %1, %2;" : "=r"(shifted) : "r"(x), "r"(z & 0xff));
  r[31] = shifted;
  r[32] = min(int(x), int(y));
  r[33] = max(x, y);
  r[34] = abs(int(x));
  asm("lop3.b32 %0, %1, %2, %3, 0xCA;" : "=r"(shifted) : "r"(x), "r"(y), "r"(z));
  r[35] = shifted;
  asm("lop3.b32 %0, %1, %2, %3, 0x96;" : "=r"(shifted) : "r"(x), "r"(y), "r"(z));
  r[36] = shifted;
  r[37] = __vadd4(x, y);
  r[38] = __vabsdiffu4(x, y);
  r[39] = __vcmpgtu2(x, y);
}

int clz32(unsigned x) { return x ? __builtin_clz(x) : 32; }
int dot4(unsigned x, unsigned y, int z, bool is_signed) {
  for (int k = 0; k < 32; k += 8) {
    z += is_signed ? int8_t(x >> k) * int8_t(y >> k) : int(uint8_t(x >> k) * uint8_t(y >> k));
  }
  return z;
}
int dot2(unsigned x, unsigned y, int z, int half) {
  for (int k = 0; k < 2; ++k) z += int16_t(x >> 16 * k) * int8_t(y >> (16 * half + 8 * k));
  return z;
}
int sign24(unsigned x) { return int(x << 8) >> 8; }

void reference(unsigned x, unsigned y, unsigned z, unsigned* r) {
  const unsigned long long w = (unsigned long long)x << 32 | y;
  const int sx = int(x), sy = int(y);
  const auto reverse = [](unsigned v) {
    unsigned o = 0;
    for (int k = 0; k < 32; ++k) o |= (v >> k & 1) << (31 - k);
    return o;
  };
  r[0] = clz32(x);
  r[1] = __builtin_ffs(sx);
  r[2] = __builtin_popcount(x);
  r[3] = reverse(x);
  r[4] = w ? __builtin_clzll(w) : 64;
  r[5] = __builtin_ffsll((long long)w);
  r[6] = __builtin_popcountll(w);
  r[7] = reverse(x);
  const unsigned long long both = (unsigned long long)y << 32 | x;
  r[8] = 0;
  for (int k = 0; k < 4; ++k) {
    const unsigned selector = z >> 4 * k & 7;  // __byte_perm takes three bits of each nibble
    r[8] |= unsigned(both >> 8 * selector & 255) << 8 * k;
  }
  const unsigned s = z & 31, clamped = (z & 63) > 32 ? 32 : z & 63;
  r[9] = unsigned(both << s >> 32);
  r[10] = unsigned(both >> s);
  r[11] = clamped == 32 ? x : unsigned(both << clamped >> 32);
  r[12] = clamped == 32 ? y : unsigned(both >> clamped);
  r[13] = dot4(x, y, int(z), true);
  r[14] = dot4(x, y, int(z), false);
  r[15] = dot2(x, y, int(z), 0);
  r[16] = dot2(x, y, int(z), 1);
  r[17] = unsigned((long long)sx * sy >> 32);
  r[18] = unsigned((unsigned long long)x * y >> 32);
  r[19] = unsigned((long long)((__int128)(long long)w * (long long)(w * 3) >> 64) >> 20);
  r[20] = unsigned((unsigned long long)((unsigned __int128)w * ~w >> 64) >> 20);
  r[21] = unsigned((long long)sign24(x) * sign24(y));
  r[22] = unsigned((unsigned long long)(x & 0xffffff) * (y & 0xffffff));
  r[23] = unsigned(std::llabs((long long)sx - sy)) + z;
  r[24] = (x > y ? x - y : y - x) + z;
  r[25] = unsigned(((long long)sx + sy) >> 1);
  r[26] = unsigned(((long long)sx + sy + 1) >> 1);
  r[27] = unsigned(((unsigned long long)x + y) >> 1);
  r[28] = unsigned(((unsigned long long)x + y + 1) >> 1);
  const unsigned count = z & 0xff;
  r[29] = count > 31 ? 0 : x << count;
  r[30] = count > 31 ? 0 : x >> count;
  r[31] = unsigned(sx >> (count > 31 ? 31 : count));
  r[32] = unsigned(sx < sy ? sx : sy);
  r[33] = x > y ? x : y;
  r[34] = sx < 0 ? 0u - x : x;
  r[35] = (x & y) | (~x & z);
  r[36] = x ^ y ^ z;
  r[37] = r[38] = r[39] = 0;
  for (int k = 0; k < 32; k += 8) {
    const int p = x >> k & 255, q = y >> k & 255;
    r[37] |= unsigned((p + q) & 255) << k;
    r[38] |= unsigned(std::abs(p - q)) << k;
  }
  for (int k = 0; k < 32; k += 16) {
    if ((x >> k & 0xffff) > (y >> k & 0xffff)) r[39] |= 0xffffu << k;
  }
}

int main() {
  const unsigned special[] = {0,      1,          2,           31,          32,
                              33,     63,         64,          0x7f,        0x80,
                              0xff,   0x7fffffff, 0x80000000u, 0x80000001u, 0xffffffffu,
                              0xffff, 0x10000,    0x00800000,  0x55aa55aa};
  std::vector<unsigned> a, b, c;
  check::Random random(8);
  for (const unsigned x : special) {
    for (const unsigned y : special) {
      a.push_back(x);
      b.push_back(y);
      c.push_back(special[random.below(19)]);
    }
  }
  while (a.size() < 1500) {
    a.push_back(random.bits());
    b.push_back(random.bits());
    c.push_back(random.bits());
  }
  const int n = static_cast<int>(a.size());
  check::DeviceArray<unsigned> device_a(a), device_b(b), device_c(c), out(n * kResults);
  run<<<(n + 127) / 128, 128>>>(device_a, device_b, device_c, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    unsigned expected[kResults];
    reference(a[i], b[i], c[i], expected);
    for (int k = 0; k < kResults; ++k) {
      EXPECT_EQ(result[i * kResults + k], expected[k], "operation %d of %x %x %x", k, a[i], b[i],
                c[i]);
    }
  }
  return check::finish("integer_intrinsics");
}
