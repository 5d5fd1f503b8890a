// The processor's tiles. Only for files whose code runs where request_tiles() has succeeded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/amx/tile_dot.h"

namespace guda::kernels::amx {
namespace {

/// Assembly and not intrinsics: g++ 12's are macros that take a tile's number as a literal only.
class HardwareTiles {
 public:
  static constexpr bool kPrefetches = true;

  static void acquire() {
    struct alignas(64) Configuration {
      uint8_t palette = 1;
      uint8_t start_row = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static constexpr Configuration kConfiguration;
    asm volatile("ldtilecfg %0" : : "m"(kConfiguration));
  }
  static void release() { asm volatile("tilerelease"); }

  template <int kT>
  void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kT));
  }
  template <int kT>
  void load(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kT) : "memory");
  }
  template <int kT>
  void store(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kT) : "memory");
  }
  /// Tile kC += tile kA times tile kB.
  template <Dot kDot, int kC, int kA, int kB>
  void dot() {
    if constexpr (kDot == Dot::bf16)
      asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
    else if constexpr (kDot == Dot::s8s8)
      asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
    else if constexpr (kDot == Dot::s8u8)
      asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
    else if constexpr (kDot == Dot::u8s8)
      asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
    else
      asm volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
  }
};

}  // namespace
}  // namespace guda::kernels::amx
