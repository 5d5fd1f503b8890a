#include "blas/cpu_features.h"

#include <unistd.h>

#include <string>

#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

#include "support/options.h"

namespace guda::blas {
namespace {

#if defined(__x86_64__) && __has_include(<sys/platform/x86.h>)
// What the C library has read when the process started: in a virtual machine, each cpuid instruction takes
// longer than a small product.
void detect(CpuFeatures& cpu) {
  if (!CPU_FEATURE_ACTIVE(AVX2) || !CPU_FEATURE_ACTIVE(FMA) || !CPU_FEATURE_ACTIVE(F16C)) return;
  cpu.level = InstructionSet::avx2;
  if (!CPU_FEATURE_ACTIVE(AVX512F) || !CPU_FEATURE_ACTIVE(AVX512BW) ||
      !CPU_FEATURE_ACTIVE(AVX512DQ) || !CPU_FEATURE_ACTIVE(AVX512VL)) {
    return;
  }
  cpu.level = InstructionSet::avx512;
  cpu.vnni = CPU_FEATURE_ACTIVE(AVX512_VNNI);
  cpu.bf16 = CPU_FEATURE_ACTIVE(AVX512_BF16);
  // Intel's cores issue vdpbf16ps every other cycle on one port of two; AMD's, which alone have SSE4a,
  // at full rate.
  cpu.fast_bf16 = cpu.bf16 && CPU_FEATURE_PRESENT(SSE4A);
}
#elif defined(__x86_64__)
// Whether the operating system saves what `features` of XCR0 stand for.
bool system_saves(uint32_t features) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return false;
  uint32_t low = 0, high = 0;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & features) == features;
}

void detect(CpuFeatures& cpu) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return;
  const bool fma = (c & bit_FMA) != 0 && (c & bit_F16C) != 0;
  unsigned a7 = 0, b7 = 0, c7 = 0, d7 = 0;
  if (__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7) == 0) return;
  constexpr uint32_t kYmm = 0x6;
  constexpr uint32_t kZmm = 0xe6;
  if (fma && (b7 & bit_AVX2) != 0 && system_saves(kYmm)) cpu.level = InstructionSet::avx2;
  constexpr unsigned kNeeded = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  if (cpu.level == InstructionSet::avx2 && (b7 & kNeeded) == kNeeded && system_saves(kZmm)) {
    cpu.level = InstructionSet::avx512;
    cpu.vnni = (c7 & bit_AVX512VNNI) != 0;
    unsigned a71 = 0, b71 = 0, c71 = 0, d71 = 0;
    __get_cpuid_count(7, 1, &a71, &b71, &c71, &d71);
    cpu.bf16 = (a71 & bit_AVX512BF16) != 0;
    // Intel's cores issue vdpbf16ps every other cycle on one port of two; AMD's at full rate.
    unsigned vendor_a = 0, vendor_b = 0, vendor_c = 0, vendor_d = 0;
    __get_cpuid(0, &vendor_a, &vendor_b, &vendor_c, &vendor_d);
    cpu.fast_bf16 = cpu.bf16 && vendor_b == signature_AMD_ebx;
  }
}
#else
void detect(CpuFeatures&) {}
#endif

void read_cache(int name, int64_t& bytes) {
  const long value = sysconf(name);
  if (value > 0) bytes = value;
}

CpuFeatures read_features() {
  CpuFeatures cpu;
  detect(cpu);
  read_cache(_SC_LEVEL1_DCACHE_SIZE, cpu.l1_bytes);
  read_cache(_SC_LEVEL2_CACHE_SIZE, cpu.l2_bytes);
  read_cache(_SC_LEVEL3_CACHE_SIZE, cpu.l3_bytes);
  const std::string wanted = option_value(Option::cpu);
  InstructionSet limit = InstructionSet::avx512;
  if (wanted == "x86-64-v3") limit = InstructionSet::avx2;
  if (wanted == "x86-64-v2" || wanted == "x86-64") limit = InstructionSet::portable;
  if (wanted == "x86-64-v4" || limit < InstructionSet::avx512) {
    cpu.vnni = cpu.bf16 = cpu.fast_bf16 = false;
  }
  if (limit < cpu.level) cpu.level = limit;
  return cpu;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = read_features();
  return features;
}

}  // namespace guda::blas
