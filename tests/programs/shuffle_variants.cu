// shfl.sync idx, up, down and xor for every width 2..32, sources beyond the segment, partial masks,
// 64-bit values, and the predicate of the PTX form, all against a model on the host.
#include "check.h"

enum Mode { kIdx, kUp, kDown, kXor };

__global__ void shuffle(int mode, int width, const int* operand, unsigned mask, int* out) {
  const int lane = threadIdx.x;
  const int value = lane * 10 + 1;
  int result = -1;
  if (mask >> lane & 1) {
    switch (mode) {
      case kIdx: result = __shfl_sync(mask, value, operand[lane], width); break;
      case kUp: result = __shfl_up_sync(mask, value, operand[0], width); break;
      case kDown: result = __shfl_down_sync(mask, value, operand[0], width); break;
      case kXor: result = __shfl_xor_sync(mask, value, operand[0], width); break;
    }
  }
  out[lane] = result;
}

// Source lane by the PTX ISA's rules, or -1 where the source is out of range.
int source(int mode, int width, int operand, int lane) {
  const int first = lane / width * width, last = first + width - 1;
  switch (mode) {
    case kIdx: return first + (operand & (width - 1));
    case kUp: return lane - operand >= first ? lane - operand : -1;
    case kDown: return lane + operand <= last ? lane + operand : -1;
    default: return (lane ^ operand) <= last ? lane ^ operand : -1;
  }
}

__global__ void predicate(unsigned clamp, int offset, int* value, int* valid) {
  int v = threadIdx.x, p, r;
  asm volatile(
      "{ .reg .pred q;\n"
      "  shfl.sync.down.b32 %0|q, %2, %3, %4, 0xffffffff;\n"
      "  selp.b32 %1, 1, 0, q; }"
      : "=r"(r), "=r"(p)
      : "r"(v), "r"(offset), "r"(clamp));
  value[threadIdx.x] = r;
  valid[threadIdx.x] = p;
}

__global__ void wide(double* d, long long* l, float2* f) {
  const int lane = threadIdx.x;
  d[lane] = __shfl_xor_sync(~0u, lane + 0.125, 5);
  l[lane] = __shfl_up_sync(~0u, (1ll << 40) * lane - 7, 3);
  float2 pair = make_float2(lane, -lane);
  pair.x = __shfl_sync(~0u, pair.x, 31 - lane);
  pair.y = __shfl_sync(~0u, pair.y, lane / 2);
  f[lane] = pair;
}

int main() {
  check::DeviceArray<int> operands(32), out(32);
  const unsigned masks[] = {0xffffffffu, 0x0000ffffu, 0xffff0000u, 0x0f0f0f0fu, 0x80000001u};
  for (const unsigned mask : masks) {
    for (int mode = kIdx; mode <= kXor; ++mode) {
      for (int width = 2; width <= 32; width *= 2) {
        for (const int operand : {0, 1, 2, 3, 5, 8, 16, 31}) {
          std::vector<int> per_lane(32, operand);
          if (mode == kIdx) {
            for (int i = 0; i < 32; ++i) per_lane[i] = operand * i + 1;
          }
          operands.set(per_lane);
          shuffle<<<1, 32>>>(mode, width, operands, mask, out);
          KERNEL_OK();
          const auto result = out.host();
          for (int lane = 0; lane < 32; ++lane) {
            if (!(mask >> lane & 1)) {
              EXPECT_EQ(result[lane], -1, "lane %d", lane);
              continue;
            }
            int from = source(mode, width, per_lane[lane], lane);
            if (from < 0) from = lane;
            if (!(mask >> from & 1)) continue;  // reading an inactive lane is undefined
            EXPECT_EQ(result[lane], from * 10 + 1, "mode %d width %d operand %d lane %d mask %x",
                      mode, width, per_lane[lane], lane, mask);
          }
        }
      }
    }
  }

  check::DeviceArray<int> value(32), valid(32);
  for (const unsigned clamp : {0x1fu, 0x181fu, 0x1c1fu, 0x0fu, 0x07u}) {
    for (const int offset : {0, 1, 4, 31}) {
      predicate<<<1, 32>>>(clamp, offset, value, valid);
      KERNEL_OK();
      const auto v = value.host(), p = valid.host();
      const int segment_mask = clamp >> 8 & 31, bound = clamp & 31;
      for (int lane = 0; lane < 32; ++lane) {
        const int last = (lane & segment_mask) | (bound & ~segment_mask);
        const bool inside = lane + offset <= last;
        EXPECT_EQ(v[lane], inside ? lane + offset : lane, "clamp %x offset %d lane %d", clamp,
                  offset, lane);
        EXPECT_EQ(p[lane], inside ? 1 : 0, "clamp %x offset %d lane %d", clamp, offset, lane);
      }
    }
  }

  check::DeviceArray<double> d(32);
  check::DeviceArray<long long> l(32);
  check::DeviceArray<float2> f(32);
  wide<<<1, 32>>>(d, l, f);
  KERNEL_OK();
  const auto doubles = d.host();
  const auto longs = l.host();
  const auto pairs = f.host();
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(doubles[lane], (lane ^ 5) + 0.125, "%d", lane);
    EXPECT_EQ(longs[lane], (1ll << 40) * (lane >= 3 ? lane - 3 : lane) - 7, "%d", lane);
    EXPECT_EQ(pairs[lane].x, float(31 - lane), "%d", lane);
    EXPECT_EQ(pairs[lane].y, float(-(lane / 2)), "%d", lane);
  }
  return check::finish("shuffle_variants");
}
