#include "runtime/module/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

#include "compiler/driver/kernel_abi.h"
#include "runtime/module/file_descriptor.h"
#include "support/log.h"
#include "support/options.h"

namespace guda::runtime {
namespace fs = std::filesystem;
namespace {

constexpr char kTrailerMagic[8] = {'G', 'U', 'D', 'A', 'K', 'O', 'B', '1'};
constexpr std::string_view kTemporaryPrefix = "new-";

/// At the end of every cached object.
struct Trailer {
  char magic[8];
  uint64_t size;      // of the ELF image in front
  uint64_t low, high; // hash128 of it
};

Status system_error(std::string_view what, const std::string& path) {
  return {StatusCode::operating_system, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

/// A whole file mapped for reading; empty when it cannot be read.
class MappedFile {
 public:
  explicit MappedFile(int descriptor) {
    struct stat info{};
    if (descriptor < 0 || fstat(descriptor, &info) != 0 || info.st_size <= 0) return;
    void* address = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ,
                         MAP_PRIVATE | MAP_POPULATE, descriptor, 0);
    if (address == MAP_FAILED) return;
    address_ = address;
    size_ = static_cast<size_t>(info.st_size);
  }
  ~MappedFile() {
    if (address_ != nullptr) munmap(address_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const char* data() const { return static_cast<const char*>(address_); }
  size_t size() const { return size_; }

 private:
  void* address_ = nullptr;
  size_t size_ = 0;
};

bool is_sealed(const MappedFile& file) {
  if (file.size() <= sizeof(Trailer)) return false;
  Trailer trailer;
  std::memcpy(&trailer, file.data() + file.size() - sizeof trailer, sizeof trailer);
  if (std::memcmp(trailer.magic, kTrailerMagic, sizeof kTrailerMagic) != 0 ||
      trailer.size != file.size() - sizeof trailer) {
    return false;
  }
  return hash128(file.data(), trailer.size) == Hash128{trailer.low, trailer.high};
}

struct CachedFile {
  fs::path path;
  uint64_t bytes;
  fs::file_time_type used;
};

std::vector<CachedFile> list_objects(const std::string& directory) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".so") continue;
    std::error_code gone;  // another process may be evicting at this moment
    const uint64_t bytes = it->file_size(gone);
    const auto used = it->last_write_time(gone);
    if (!gone) files.push_back({it->path(), bytes, used});
  }
  return files;
}

/// Files of processes that ended while they compiled.
void remove_abandoned(const std::string& directory) {
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->path().filename().string().starts_with(kTemporaryPrefix) &&
        it->last_write_time(gone) < old && !gone) {
      fs::remove(it->path(), gone);
    }
  }
}

/// Kernel names are symbols, but symbols may be longer than file names and hold any character.
std::string file_stem(std::string_view kernel) {
  std::string stem(kernel.substr(0, 80));
  for (char& c : stem) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || c == '$';
    if (!plain) c = '_';
  }
  return stem;
}

}  // namespace

std::string key_digest(const KernelKey& key) {
  const std::string text = fmt::format(
      "guda|{}|{}|{}|{}|{}|{}x{}x{}|{}", kernel::kAbiVersion, to_hex(key.ptx), key.kernel, key.cpu,
      key.force_tier_c, key.block_dim[0], key.block_dim[1], key.block_dim[2], key.compiler);
  return to_hex(hash128(text));
}

KernelCache::KernelCache(std::string directory, uint64_t max_bytes)
    : directory_(std::move(directory) + "/kernels"), max_bytes_(max_bytes) {
  // The program may change its directory.
  std::error_code error;
  const fs::path absolute = fs::absolute(directory_, error);
  if (!error) directory_ = absolute.string();
}

KernelCache& KernelCache::process_cache() {
  static KernelCache cache = [] {
    const int64_t size = option_integer(Option::cuda_cache_maxsize);
    bool disabled = option_flag(Option::cuda_cache_disable) || size <= 0;
    std::string directory = cache_directory();
    if (directory.empty() && !disabled) {
      log(LogPart::module, LogLevel::warn,
          "kernels are not cached: no directory that only this user can write to; set "
          "GUDA_CACHE_DIR");
      disabled = true;
    }
    return KernelCache(std::move(directory), disabled ? 0 : static_cast<uint64_t>(size));
  }();
  return cache;
}

std::string KernelCache::path_of(std::string_view kernel, const std::string& digest) const {
  return fmt::format("{}/{}-{}.so", directory_, file_stem(kernel), digest);
}

std::string KernelCache::find(std::string_view kernel, const std::string& digest) {
  if (!enabled()) return {};
  std::string path = path_of(kernel, digest);
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  if (!is_sealed(MappedFile(file.get()))) {
    log(LogPart::module, LogLevel::info, "{}: damaged cache file, deleted", path);
    unlink(path.c_str());
    return {};
  }
  futimens(file.get(), nullptr);  // used now; not allowed in a read-only cache, which is fine
  return path;
}

std::string KernelCache::read(std::string_view kernel, const std::string& digest) {
  const std::string path = find(kernel, digest);
  if (path.empty()) return {};
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  const MappedFile image(file.get());
  if (image.size() < sizeof(Trailer)) return {};
  return {reinterpret_cast<const char*>(image.data()), image.size() - sizeof(Trailer)};
}

bool KernelCache::contains(std::string_view kernel, const std::string& digest) const {
  return enabled() && access(path_of(kernel, digest).c_str(), R_OK) == 0;
}

Result<std::string> KernelCache::temporary_path() {
  static std::atomic<uint64_t> counter{0};
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error || access(directory_.c_str(), W_OK) != 0) {
    if (error) errno = error.value();
    return system_error("cannot write to", directory_);
  }
  return fmt::format("{}/{}{}-{}", directory_, kTemporaryPrefix, getpid(), counter.fetch_add(1));
}

Result<std::string> KernelCache::store(const std::string& temporary, std::string_view kernel,
                                       const std::string& digest) {
  {
    const FileDescriptor file(open(temporary.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
    if (!file) return system_error("cannot open", temporary);
    const MappedFile image(file.get());
    if (image.size() == 0) return system_error("cannot read", temporary);
    const Hash128 hash = hash128(image.data(), image.size());
    Trailer trailer{{}, image.size(), hash.low, hash.high};
    std::memcpy(trailer.magic, kTrailerMagic, sizeof kTrailerMagic);
    if (write(file.get(), &trailer, sizeof trailer) != static_cast<ssize_t>(sizeof trailer)) {
      return system_error("cannot write", temporary);
    }
  }
  std::string path = path_of(kernel, digest);
  if (rename(temporary.c_str(), path.c_str()) != 0) return system_error("cannot rename", temporary);

  // Listing the directory for every new kernel would make a cold start quadratic.
  static std::atomic<uint32_t> stores{0};
  if (stores.fetch_add(1) % 32 == 0) evict_to(max_bytes_);
  return path;
}

void KernelCache::remove(std::string_view kernel, const std::string& digest) {
  unlink(path_of(kernel, digest).c_str());
}

KernelCache::Usage KernelCache::usage() const {
  Usage usage;
  for (const CachedFile& file : list_objects(directory_)) {
    ++usage.files;
    usage.bytes += file.bytes;
  }
  return usage;
}

KernelCache::Usage KernelCache::clear() {
  const Usage before = usage();
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    std::error_code ignored;
    if (it->path().extension() == ".so" || name.starts_with(kTemporaryPrefix)) {
      fs::remove(it->path(), ignored);
    }
  }
  return before;
}

void KernelCache::evict_to(uint64_t limit) {
  remove_abandoned(directory_);
  std::vector<CachedFile> files = list_objects(directory_);
  uint64_t total = 0;
  for (const CachedFile& file : files) total += file.bytes;
  if (total <= limit) return;
  std::sort(files.begin(), files.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.used < b.used; });
  // A little below the limit, so that the next store does not evict again.
  const uint64_t goal = limit - limit / 16;
  for (const CachedFile& file : files) {
    if (total <= goal) break;
    std::error_code error;
    if (fs::remove(file.path, error)) total -= file.bytes;
  }
}

}  // namespace guda::runtime
