#include "scheduler/work.h"

#include <algorithm>
#include <bit>

namespace guda::scheduler {
namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value;
  hash *= 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

uint64_t power_of_two(int64_t size) {
  return static_cast<uint64_t>(std::bit_width(static_cast<uint64_t>(std::max<int64_t>(size, 0))));
}

}  // namespace

uint64_t launch_key(uint64_t module_hash, std::string_view kernel, uint32_t block_threads,
                    uint32_t dynamic_shared_bytes) {
  uint64_t hash = mix(1, module_hash);
  for (const char c : kernel) hash = mix(hash, static_cast<unsigned char>(c));
  hash = mix(hash, block_threads);
  return mix(hash, power_of_two(dynamic_shared_bytes));
}

uint64_t gemm_key(Arithmetic type, uint32_t transposes, int64_t m, int64_t n, int64_t k) {
  uint64_t hash = mix(2, static_cast<uint64_t>(type) * 4 + transposes);
  for (const int64_t size : {m, n, k}) hash = mix(hash, power_of_two(size));
  return hash;
}

}  // namespace guda::scheduler
