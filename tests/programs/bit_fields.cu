// bfe, bfi, bfind, szext-like shifts, prmt in every mode, and 64-bit forms, with positions and
// lengths beyond the register (up to 255, as far as the ISA defines them).
#include "check.h"

constexpr int kResults = 16;

__global__ void run(const unsigned* a, const unsigned* b, const unsigned* p, const unsigned* l,
                    unsigned* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned x = a[i], y = b[i], pos = p[i], len = l[i];
  unsigned* r = out + i * kResults;
  asm("bfe.u32 %0, %1, %2, %3;" : "=r"(r[0]) : "r"(x), "r"(pos), "r"(len));
  asm("bfe.s32 %0, %1, %2, %3;" : "=r"(r[1]) : "r"(x), "r"(pos), "r"(len));
  asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(r[2]) : "r"(x), "r"(y), "r"(pos), "r"(len));
  asm("bfind.u32 %0, %1;" : "=r"(r[3]) : "r"(x));
  asm("bfind.s32 %0, %1;" : "=r"(r[4]) : "r"(x));
  asm("bfind.shiftamt.u32 %0, %1;" : "=r"(r[5]) : "r"(x));
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(r[6]) : "r"(x), "r"(y), "r"(pos * 257 + len * 4099));
  asm("prmt.b32.f4e %0, %1, %2, %3;" : "=r"(r[7]) : "r"(x), "r"(y), "r"(pos));
  asm("prmt.b32.b4e %0, %1, %2, %3;" : "=r"(r[8]) : "r"(x), "r"(y), "r"(pos));
  asm("prmt.b32.rc8 %0, %1, %2, %3;" : "=r"(r[9]) : "r"(x), "r"(y), "r"(pos));
  asm("prmt.b32.ecl %0, %1, %2, %3;" : "=r"(r[10]) : "r"(x), "r"(y), "r"(pos));
  asm("prmt.b32.ecr %0, %1, %2, %3;" : "=r"(r[11]) : "r"(x), "r"(y), "r"(pos));
  asm("prmt.b32.rc16 %0, %1, %2, %3;" : "=r"(r[12]) : "r"(x), "r"(y), "r"(pos));
  const unsigned long long w = (unsigned long long)x << 32 | y;
  unsigned long long wide;
  asm("bfe.u64 %0, %1, %2, %3;" : "=l"(wide) : "l"(w), "r"(pos), "r"(len));
  r[13] = unsigned(wide ^ wide >> 32);
  asm("bfe.s64 %0, %1, %2, %3;" : "=l"(wide) : "l"(w), "r"(pos), "r"(len));
  r[14] = unsigned(wide ^ wide >> 32);
  asm("bfi.b64 %0, %1, %2, %3, %4;" : "=l"(wide) : "l"(w), "l"(~w), "r"(pos), "r"(len));
  r[15] = unsigned(wide ^ wide >> 32);
}

// The PTX ISA's definition of bfe, bit by bit.
template <typename U>
U extract(U a, unsigned position, unsigned length, bool is_signed) {
  const unsigned msb = sizeof(U) * 8 - 1, pos = position & 255, len = length & 255;
  const bool sign = is_signed && len ? a >> (pos + len - 1 < msb ? pos + len - 1 : msb) & 1 : false;
  U d = 0;
  for (unsigned i = 0; i <= msb; ++i) {
    const U bit = i < len && pos + i <= msb ? a >> (pos + i) & 1 : U(sign);
    d |= bit << i;
  }
  return d;
}

template <typename U>
U insert(U a, U b, unsigned position, unsigned length) {
  const unsigned msb = sizeof(U) * 8 - 1, pos = position & 255, len = length & 255;
  for (unsigned i = 0; i < len && pos + i <= msb; ++i) {
    b = (b & ~(U(1) << (pos + i))) | (a >> i & 1) << (pos + i);
  }
  return b;
}

unsigned permute(unsigned x, unsigned y, const unsigned (&selectors)[4]) {
  const uint64_t both = uint64_t(y) << 32 | x;
  unsigned out = 0;
  for (int k = 0; k < 4; ++k) {
    unsigned byte = both >> 8 * (selectors[k] & 7) & 255;
    if (selectors[k] & 8) byte = byte & 0x80 ? 255 : 0;
    out |= byte << 8 * k;
  }
  return out;
}

int main() {
  std::vector<unsigned> a, b, p, l;
  check::Random random(2);
  const unsigned lengths[] = {0, 1, 5, 8, 16, 31, 32, 33, 63, 64, 100, 254, 255};
  for (const unsigned position : lengths) {
    for (const unsigned length : lengths) {
      for (int k = 0; k < 4; ++k) {
        a.push_back(k == 0 ? 0 : k == 1 ? ~0u : random.bits());
        b.push_back(random.bits());
        p.push_back(position);
        l.push_back(length);
      }
    }
  }
  const int n = static_cast<int>(a.size());
  check::DeviceArray<unsigned> da(a), db(b), dp(p), dl(l), out(n * kResults);
  run<<<(n + 63) / 64, 64>>>(da, db, dp, dl, out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    const unsigned x = a[i], y = b[i], pos = p[i], len = l[i];
    const unsigned c = pos * 257 + len * 4099, m = pos & 3;
    const uint64_t w = uint64_t(x) << 32 | y;
    const int top = x ? 31 - __builtin_clz(x) : -1;
    const unsigned flipped = int(x) < 0 ? ~x : x;
    const auto fold = [](uint64_t v) { return unsigned(v ^ v >> 32); };
    const unsigned expected[kResults] = {
        extract(x, pos, len, false),
        extract(x, pos, len, true),
        insert(x, y, pos, len),
        unsigned(top),
        flipped ? 31u - __builtin_clz(flipped) : ~0u,
        x ? 31u - top : ~0u,
        permute(x, y, {c & 15, c >> 4 & 15, c >> 8 & 15, c >> 12 & 15}),
        permute(x, y, {m, m + 1, m + 2, m + 3}),
        permute(x, y, {m, (m + 7) & 7, (m + 6) & 7, (m + 5) & 7}),
        permute(x, y, {m, m, m, m}),
        permute(x, y, {m, m > 1 ? m : 1, m > 2 ? m : 2, 3}),
        permute(x, y, {0, m < 1 ? m : 1, m < 2 ? m : 2, m}),
        permute(x, y, {(m & 1) * 2, (m & 1) * 2 + 1, (m & 1) * 2, (m & 1) * 2 + 1}),
        fold(extract(w, pos, len, false)),
        fold(extract(w, pos, len, true)),
        fold(insert(w, ~w, pos, len))};
    for (int k = 0; k < kResults; ++k) {
      EXPECT_EQ(result[i * kResults + k], expected[k], "operation %d of %x %x at %u length %u", k,
                x, y, pos, len);
    }
  }
  return check::finish("bit_fields");
}
