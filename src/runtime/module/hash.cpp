// MurmurHash3_x64_128 and the identification of the processor: what cache keys are made of.
#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "runtime/module/cache.h"

#if defined(__x86_64__)
#include <cpuid.h>
#else
#include <sys/auxv.h>
#endif

namespace guda::runtime {
namespace {

constexpr uint64_t kC1 = 0x87c37b91114253d5u;
constexpr uint64_t kC2 = 0x4cf5ad432745937fu;

uint64_t load64(const unsigned char* bytes) {
  uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

uint64_t finish(uint64_t k) {
  k = (k ^ (k >> 33)) * 0xff51afd7ed558ccdu;
  k = (k ^ (k >> 33)) * 0xc4ceb9fe1a85ec53u;
  return k ^ (k >> 33);
}

uint64_t mix1(uint64_t k) { return std::rotl(k * kC1, 31) * kC2; }
uint64_t mix2(uint64_t k) { return std::rotl(k * kC2, 33) * kC1; }

#if defined(__x86_64__)
/// Family, model and stepping decide the tuning; feature words decide the instructions; XCR0 says which
/// registers the system saves.
std::string processor_identity() {
  struct Leaf {
    unsigned a, b, c, d;
  };
  const auto leaf = [](unsigned number, unsigned sub) {
    Leaf r{};
    __get_cpuid_count(number, sub, &r.a, &r.b, &r.c, &r.d);
    return r;
  };
  const Leaf vendor = leaf(0, 0), basic = leaf(1, 0), extended = leaf(7, 0), more = leaf(7, 1),
             amd = leaf(0x80000001u, 0);
  unsigned xcr0 = 0, high = 0;
  constexpr unsigned kOsXsave = 1u << 27;
  if ((basic.c & kOsXsave) != 0) __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  // Leaf 1's ebx holds the id of the core that happens to run this, and is left out.
  return fmt::format("{:x}.{:x}.{:x}-{:x}-{:x}.{:x}-{:x}.{:x}.{:x}-{:x}.{:x}-{:x}.{:x}-{:x}",
                     vendor.b, vendor.c, vendor.d, basic.a, basic.c, basic.d, extended.b,
                     extended.c, extended.d, more.a, more.d, amd.c, amd.d, xcr0);
}
#else
std::string processor_identity() {
  return fmt::format("{:x}-{:x}", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
}
#endif

}  // namespace

Hash128 hash128(const void* data, size_t size, uint64_t seed) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t h1 = seed, h2 = seed;
  const size_t blocks = size / 16;
  for (size_t i = 0; i < blocks; ++i) {
    h1 ^= mix1(load64(bytes + 16 * i));
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= mix2(load64(bytes + 16 * i + 8));
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  unsigned char tail[16] = {};
  if (const size_t rest = size % 16; rest != 0) {
    std::memcpy(tail, bytes + 16 * blocks, rest);
    h2 ^= mix2(load64(tail + 8));
    h1 ^= mix1(load64(tail));
  }
  h1 ^= size;
  h2 ^= size;
  h1 += h2;
  h2 += h1;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 += h2;
  h2 += h1;
  return {h1, h2};
}

std::string to_hex(const Hash128& hash) {
  return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

std::string resolved_cpu(std::string_view cpu) {
  if (cpu != "native") return std::string(cpu);
  static const std::string native = "native:" + processor_identity();
  return native;
}

}  // namespace guda::runtime
