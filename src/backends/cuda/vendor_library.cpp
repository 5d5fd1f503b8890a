#include "backends/cuda/vendor_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace guda::backend::cuda {
namespace {

/// libguda.so exports it, and each of GUDA's libraries needs libguda.so.
constexpr const char* kOwnMarker = "guda_cuda_cuInit";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// Files called `name` in the loader's cache (glibc: dl-cache.h, new format). None when there is no such cache.
std::vector<std::string> in_loader_cache(std::string_view name) {
  constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
  constexpr size_t kHeader = 48, kEntry = 24;
  std::ifstream file("/etc/ld.so.cache", std::ios::binary);
  std::string cache{std::istreambuf_iterator<char>(file), {}};
  size_t start = cache.find(kMagic);
  if (start == std::string::npos || cache.size() < start + kHeader) return {};
  auto number = [&](size_t offset) {
    uint32_t value = 0;
    std::memcpy(&value, cache.data() + offset, sizeof value);
    return value;
  };
  auto text = [&](size_t offset) {
    offset += start;  // offsets count from the header
    return offset < cache.size() ? std::string_view(cache.c_str() + offset) : std::string_view();
  };
  std::vector<std::string> files;
  size_t count = number(start + kMagic.size());
  for (size_t i = 0; i < count && start + kHeader + (i + 1) * kEntry <= cache.size(); ++i) {
    size_t entry = start + kHeader + i * kEntry;  // flags, name, path, ...
    if (text(number(entry + 4)) == name) files.emplace_back(text(number(entry + 8)));
  }
  return files;
}

/// Gives the C library of a new namespace variables of its own, as the program has them now: it starts with the program's
/// array, which the program's setenv() moves and frees.
void copy_environment(void* c_library) {
  auto** there = static_cast<char***>(dlsym(c_library, "environ"));
  if (there == nullptr) return;
  size_t count = 0;
  while (environ != nullptr && environ[count] != nullptr) ++count;
  auto** copy = static_cast<char**>(std::calloc(count + 1, sizeof(char*)));
  if (copy == nullptr) return;
  for (size_t i = 0, kept = 0; i < count; ++i) {
    if (char* entry = strdup(environ[i])) copy[kept++] = entry;
  }
  // For the life of the process, as the namespace itself, whose variables leak detection does not know.
  static std::mutex mutex;
  static auto* const copies = new std::vector<char**>;
  const std::lock_guard lock(mutex);
  copies->push_back(copy);
  *there = copy;
}

/// glibc keeps the values of this many keys in the thread's descriptor itself, those of further ones in blocks that one
/// C library would allocate and the other free.
constexpr pthread_key_t kKeysInDescriptor = 32;
/// Keys of the new namespace: from here to the end of the descriptor, as far as the program does not use them
/// already. The program has those before and all others. (The driver and cuBLAS use fewer than kFewestKeys.)
constexpr pthread_key_t kFirstKey = 16;
constexpr size_t kFewestKeys = 8;

/// Numbers of keys that the process's own C library will not give to anybody: it does so in ascending order.
std::vector<pthread_key_t> reserve_keys() {
  std::vector<pthread_key_t> ours, others;
  pthread_key_t key = 0;
  while (pthread_key_create(&key, nullptr) == 0) {
    (key >= kFirstKey && key < kKeysInDescriptor ? ours : others).push_back(key);
    if (key >= kKeysInDescriptor) break;
  }
  for (pthread_key_t other : others) pthread_key_delete(other);
  return ours;
}

/// Leaves `keys` as the only ones that the new namespace can have.
bool restrict_keys(void* c_library, const std::vector<pthread_key_t>& keys) {
  auto create =
      reinterpret_cast<decltype(&pthread_key_create)>(dlsym(c_library, "pthread_key_create"));
  auto remove =
      reinterpret_cast<decltype(&pthread_key_delete)>(dlsym(c_library, "pthread_key_delete"));
  if (create == nullptr || remove == nullptr || keys.size() < kFewestKeys) return false;
  pthread_key_t key = 0;
  while (create(&key, nullptr) == 0) {
  }
  for (pthread_key_t each : keys) remove(each);
  return true;
}

}  // namespace

std::vector<std::string> find_library(std::initializer_list<std::string_view> names,
                                      std::initializer_list<std::string_view> folders) {
  std::vector<std::string> found;
  std::set<std::pair<dev_t, ino_t>> seen;
  auto consider = [&](const std::string& path) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (seen.emplace(status.st_dev, status.st_ino).second) found.push_back(path);
  };
  for (std::string_view name : names) {
    if (const char* path = std::getenv("LD_LIBRARY_PATH")) {
      for (const std::string& folder : split(path, ':'))
        consider(fmt::format("{}/{}", folder, name));
    }
    for (const std::string& file : in_loader_cache(name)) consider(file);
    for (std::string_view folder : folders) consider(fmt::format("{}/{}", folder, name));
  }
  return found;
}

Status LinkNamespace::create() {
  void* c_library = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW | RTLD_LOCAL);
  if (c_library == nullptr || dlinfo(c_library, RTLD_DI_LMID, &id_) != 0) {
    const char* why = dlerror();
    return {StatusCode::not_supported,
            fmt::format("no link namespace: {}", why != nullptr ? why : "the loader refuses")};
  }
  static const std::vector<pthread_key_t> keys =
      reserve_keys();  // all namespaces share them: tests make several
  if (!restrict_keys(c_library, keys))
    return {StatusCode::not_supported,
            "no link namespace: the program uses too many thread-specific keys"};
  copy_environment(c_library);
  // What pthread_create's own start routine does for a new thread.
  initialise_thread_ = reinterpret_cast<void (*)()>(dlsym(c_library, "__ctype_init"));
  if (initialise_thread_ == nullptr)
    return {StatusCode::not_supported, "no link namespace: this C library cannot adopt threads"};
  created_ = true;
  return Status::ok();
}

Result<void*> LinkNamespace::open(const std::string& file) {
  if (!created_) {
    if (Status status = create(); !status) return status;
  }
  void* library = dlmopen(id_, file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return Status(StatusCode::file_not_found, why != nullptr ? why : file);
  }
  if (dlsym(library, kOwnMarker) != nullptr) {
    dlclose(library);
    return Status(StatusCode::stub_library, fmt::format("{} is GUDA's own", file));
  }
  return library;
}

}  // namespace guda::backend::cuda
