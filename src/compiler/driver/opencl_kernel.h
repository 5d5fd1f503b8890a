// A kernel compiled for OpenCL: SPIR-V, and how its arguments are made from a CUDA launch. Plain data that
// backends read without LLVM.
//
// The SPIR-V function is kOpenclEntry. Its arguments, in this order:
//   6 x u32   first block of the slice (x, y, z), then the whole grid (x, y, z)
//   u32       bytes of dynamic shared memory
//   local     the shared window: static_shared_bytes + dynamic
//   local     exchange area, only with uses_exchange: exchange_bytes(threads of the block)
//   then one or two per element of `arguments`:
//     word      u64: 8 bytes of the parameter block from `offset` (zeros beyond its end)
//     pointer   buffer and u64 displacement: together the address that those 8 bytes are. A value that is no
//               address of device memory is passed as null buffer and the value.
//     symbol    buffer and u64 displacement of the module variable symbols[offset]
// With shared_addresses the device sees the program's addresses: symbols are u64 and nothing is a pointer.
#pragma once

#include "support/status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace guda::driver {

inline constexpr const char* kOpenclEntry = "guda_kernel";

struct OpenclArgument {
  enum class Kind : uint32_t { word, pointer, symbol };
  Kind kind = Kind::word;
  uint32_t offset = 0;
  /// A pointer whose value the kernel also stores or combines with other data: must not be translated.
  bool escapes = false;
};

struct OpenclKernel {
  std::string name;  // mangled
  uint32_t param_bytes = 0;
  uint32_t static_shared_bytes = 0;
  bool uses_exchange = false;
  bool sub_groups = false;  // has to run with sub-groups of 32
  bool shared_addresses = false;
  bool uses_double = false;
  bool correctly_rounded_division = false;  // build with the option of that name
  std::vector<OpenclArgument> arguments;
  /// Every address that the kernel accesses through parameters: the arguments it may come from. One of them
  /// has to be a pointer into device memory, or all are null.
  std::vector<std::vector<uint32_t>> address_groups;
  std::vector<std::string> symbols;
  std::string spirv;

  static uint32_t exchange_bytes(uint32_t threads) {
    const uint32_t warps = (threads + 31) / 32;
    return 16 + 16 * warps + 2 * 8 * 32 * warps;
  }
};

/// As bytes for a cache file, and back. Error of the latter: invalid_image.
std::string serialize(const OpenclKernel& kernel);
Result<OpenclKernel> parse_opencl_kernel(std::string_view bytes);

}  // namespace guda::driver
