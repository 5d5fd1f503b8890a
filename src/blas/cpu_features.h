// The processor as GEMM sees it: instruction set and caches.
#pragma once

#include <cstdint>

namespace guda::blas {

/// Ordered: each level includes those before it.
enum class InstructionSet : uint8_t { portable, avx2, avx512 };

struct CpuFeatures {
  InstructionSet level = InstructionSet::portable;
  bool vnni = false;        // vpdpbusd, 512 bits
  bool bf16 = false;        // vdpbf16ps
  bool fast_bf16 = false;   // ... at the rate of f32 FMA, so twice its throughput
  int64_t l1_bytes = 32 * 1024;
  int64_t l2_bytes = 512 * 1024;  // of one core
  int64_t l3_bytes = 8 * 1024 * 1024;
};

/// Read once; GUDA_CPU lowers the level ("x86-64-v3": AVX2, "x86-64-v4": AVX-512 without VNNI and
/// BF16, "x86-64-v2": portable).
const CpuFeatures& cpu_features();

}  // namespace guda::blas
