// On-disk cache of compiled kernels.
//
// One file per kernel in cache_directory()/kernels, named <kernel>-<key>.so: an ordinary ELF shared
// object followed by a trailer (magic, size, checksum), which the dynamic loader ignores. Files appear by
// atomic rename, so any number of processes may share the directory. A file whose trailer does not fit
// is deleted and counts as a miss. The total is bounded by CUDA_CACHE_MAXSIZE; files least recently used
// go first (a hit renews the file's time).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "support/status.h"

namespace guda::runtime {

struct Hash128 {
  uint64_t low = 0, high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

/// MurmurHash3 x64 128 (Austin Appleby's published algorithm): for keys and checksums, not for security.
Hash128 hash128(const void* data, size_t size, uint64_t seed = 0);
inline Hash128 hash128(std::string_view text, uint64_t seed = 0) {
  return hash128(text.data(), text.size(), seed);
}
std::string to_hex(const Hash128& hash);

/// Everything that a kernel's machine code depends on.
struct KernelKey {
  Hash128 ptx;  // of the (linked) module text
  std::string_view kernel;
  std::string cpu;  // GUDA_CPU; for "native" with the machine's identification
  uint32_t force_tier_c = 0;
  std::array<uint32_t, 3> block_dim{};  // specialisation; zeros: none
  std::string compiler;  // identity of libguda_compiler: build id, or size and time
};

/// Key as text, 32 hexadecimal digits. kernel::kAbiVersion is part of it.
std::string key_digest(const KernelKey& key);

/// GUDA_CPU made specific: "native" becomes "native:" and the processor's identification and features.
std::string resolved_cpu(std::string_view cpu);

class KernelCache {
 public:
  /// `directory` need not exist; it is made at the first store. `max_bytes` 0: nothing is kept.
  KernelCache(std::string directory, uint64_t max_bytes);
  /// The process's cache, from the options (CUDA_CACHE_DISABLE, CUDA_CACHE_MAXSIZE, cache_directory()).
  static KernelCache& process_cache();

  bool enabled() const { return max_bytes_ != 0; }
  /// Directory of the kernel objects.
  const std::string& directory() const { return directory_; }
  uint64_t max_bytes() const { return max_bytes_; }

  /// Path of the verified object, or empty: not there, or it was damaged and has been deleted.
  std::string find(std::string_view kernel, const std::string& digest);
  /// The verified file's content, as it was stored; empty: not there.
  std::string read(std::string_view kernel, const std::string& digest);
  /// True when a file is there; not verified.
  bool contains(std::string_view kernel, const std::string& digest) const;
  /// A fresh path in the cache directory for the compiler to write to. Errors: operating_system.
  Result<std::string> temporary_path();
  /// Seals the object at `temporary` with its trailer and moves it into place; evicts. Returns the path.
  /// Errors: operating_system (the temporary file is then still there).
  Result<std::string> store(const std::string& temporary, std::string_view kernel,
                            const std::string& digest);
  /// Forgets one object.
  void remove(std::string_view kernel, const std::string& digest);

  struct Usage {
    uint64_t files = 0;
    uint64_t bytes = 0;
  };
  Usage usage() const;
  /// Deletes every object; returns what there was.
  Usage clear();
  /// Deletes least recently used objects until the total is at most `limit` bytes.
  void evict_to(uint64_t limit);

 private:
  std::string path_of(std::string_view kernel, const std::string& digest) const;

  std::string directory_;
  uint64_t max_bytes_;
};

}  // namespace guda::runtime
