// Writes PTX kernels at random for differential tests.
//
// Every kernel is legal, ends, and gives the same result on every correct implementation: only exactly
// defined instructions are used, NaNs are made canonical before their bits are looked at, atomics
// commute, and barriers, shuffles and votes stand where the whole block arrives.
#pragma once

#include <cstdint>
#include <string>

namespace guda::test {

struct RandomKernel {
  std::string ptx;  // one entry, kernel(.u64 in, .u64 out, .u64 bins, .u32 uniform, .u64 trace)
  unsigned threads;  // per block
  unsigned blocks;
  uint32_t uniform;
  unsigned statements;  // that are traced
};

inline constexpr unsigned kInputsPerThread = 4;
inline constexpr unsigned kOutputsPerThread = 4;
inline constexpr unsigned kBins = 64;

/// The same seed gives the same kernel for ever: results of real GPUs are recorded by seed.
/// Traced kernels also store a hash of each thread's state after every statement:
/// trace[statement][thread], 32 bits each, zero where the thread did not come by.
RandomKernel random_kernel(uint64_t seed, bool traced = false);

}  // namespace guda::test
