#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/amx/tile_kernels.h"

namespace guda::kernels::amx {

#if defined(__x86_64__)

bool request_tiles() {
  constexpr unsigned kNeeded = (1u << 22) | (1u << 24) | (1u << 25);  // bf16, tiles, int8
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kNeeded) != kNeeded) return false;
  constexpr unsigned kVectors = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  if ((b & kVectors) != kVectors || (c & bit_AVX512VBMI) == 0) return false;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return false;
  uint32_t low = 0, high = 0;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr uint32_t kTileState = (3u << 17) | 0xe6;  // with the registers of AVX-512
  if ((low & kTileState) != kTileState) return false;
  // Linux enlarges a process's saved state only on demand; alternate signal stacks that are too small for
  // it make this fail.
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

#else

bool request_tiles() { return false; }

#endif

}  // namespace guda::kernels::amx
