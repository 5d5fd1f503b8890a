#include "runtime/module/kernel_object.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "runtime/module/file_descriptor.h"
#include "support/log.h"

namespace guda::runtime {
namespace {

/// The loader takes two equal names for the same library, and descriptor numbers are reused after a
/// close; so every memfd gets a name of its own, spelt in the slashes of its path.
std::string unique_descriptor_path(int descriptor) {
  static std::atomic<uint32_t> counter{0};
  std::string path = "/proc/self/fd";
  for (uint32_t n = counter.fetch_add(1); n != 0; n >>= 1) path += (n & 1) != 0 ? "/." : "/";
  return fmt::format("{}/{}", path, descriptor);
}

/// Removes a file at the end of a scope, whatever became of it.
struct RemoveFile {
  const std::string& path;
  ~RemoveFile() { unlink(path.c_str()); }
};

std::string scratch_path() {
  static std::atomic<uint64_t> counter{0};
  const char* directory = std::getenv("TMPDIR");
  for (const char* place : {directory, "/tmp", "/dev/shm", "."}) {
    if (place != nullptr && ::access(place, W_OK | X_OK) == 0) {
      return fmt::format("{}/guda-kernel-{}-{}.so", place, getpid(), counter.fetch_add(1));
    }
  }
  return fmt::format("guda-kernel-{}-{}.so", getpid(), counter.fetch_add(1));
}

std::string digest_of(const KernelSource& source, CompilerClient& compiler) {
  const CompileOptions& options = compile_options();
  KernelKey key;
  key.ptx = source.ptx_hash;
  key.kernel = source.kernel;
  key.cpu = options.resolved_cpu;
  key.force_tier_c = options.force_tier_c ? 1 : 0;
  key.block_dim = source.block_dim;
  key.compiler = compiler.identity();
  return key_digest(key);
}

Status compile_to(const KernelSource& source, CompilerClient& compiler, const std::string& path) {
  const auto start = std::chrono::steady_clock::now();
  Status status = compiler.compile(
      {source.ptx, source.module_name, std::string(source.kernel), source.block_dim}, path);
  const std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  if (status) {
    log(LogPart::module, LogLevel::info, "compiled {} in {:.1f} ms", source.kernel,
        elapsed.count());
  }
  return status;
}

/// Compiles and stores; the path in the cache.
Result<std::string> compile_to_cache(const KernelSource& source, KernelCache& cache,
                                     CompilerClient& compiler, const std::string& digest) {
  auto temporary = cache.temporary_path();
  if (!temporary) return temporary.status();
  const RemoveFile cleanup{*temporary};
  if (Status status = compile_to(source, compiler, *temporary); !status) return status;
  return cache.store(*temporary, source.kernel, digest);
}

/// The cached object, opened; null when there is none that works.
std::shared_ptr<KernelObject> open_cached(const KernelSource& source, KernelCache& cache,
                                          const std::string& digest) {
  const std::string path = cache.find(source.kernel, digest);
  if (path.empty()) return nullptr;
  if (auto object = KernelObject::open(path, source.kernel)) return *object;
  log(LogPart::module, LogLevel::info, "{}: unusable cache file, deleted", path);
  cache.remove(source.kernel, digest);
  return nullptr;
}

}  // namespace

KernelObject::~KernelObject() { dlclose(library_); }

Result<std::shared_ptr<KernelObject>> KernelObject::check(void* library, std::string_view name) {
  const auto* info = static_cast<const kernel::KernelInfo*>(dlsym(library, kernel::kKernelSymbol));
  // From here on the object closes the library, also when it turns out to be a wrong one.
  std::shared_ptr<KernelObject> object(new KernelObject(library, info));
  std::string problem;
  if (info == nullptr) {
    problem = fmt::format("has no {}", kernel::kKernelSymbol);
  } else if (info->abi_version != kernel::kAbiVersion) {
    problem =
        fmt::format("is of interface version {}, not {}", info->abi_version, kernel::kAbiVersion);
  } else if (info->name == nullptr || info->name != name) {
    problem = fmt::format("is kernel {}", info->name != nullptr ? info->name : "without name");
  } else if ((info->run_block != nullptr) + (info->run_warps != nullptr) +
                 (info->run_thread != nullptr) !=
             1) {
    problem = "does not have one way to run";
  }
  if (!problem.empty()) {
    return Status{StatusCode::invalid_image, fmt::format("object of kernel {} {}", name, problem)};
  }
  return object;
}

Result<std::shared_ptr<KernelObject>> KernelObject::open(const std::string& path,
                                                         std::string_view name) {
  // Absolute or with a slash, or the loader would search for it.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return check(library, name);
  // A noexec mount refuses the mapping of a sound file.
  log(LogPart::module, LogLevel::debug, "{}", dlerror());
  return open_in_memory(path, name);
}

Result<std::shared_ptr<KernelObject>> KernelObject::open_in_memory(const std::string& path,
                                                                   std::string_view name) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!file || fstat(file.get(), &info) != 0) {
    return Status{StatusCode::invalid_image,
                  fmt::format("cannot open {}: {}", path, std::strerror(errno))};
  }
  // The name is what profilers show; the kernel limits it to 249 bytes.
  const FileDescriptor memory(memfd_create(std::string(name.substr(0, 200)).c_str(), MFD_CLOEXEC));
  for (off_t at = 0; memory && at < info.st_size;) {
    if (sendfile(memory.get(), file.get(), &at, static_cast<size_t>(info.st_size - at)) <= 0) {
      return Status{StatusCode::operating_system,
                    fmt::format("cannot copy kernel {} to memory: {}", name, std::strerror(errno))};
    }
  }
  void* library = dlopen(unique_descriptor_path(memory.get()).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Status{StatusCode::invalid_image,
                  fmt::format("cannot load the object of kernel {}: {}", name, dlerror())};
  }
  return check(library, name);
}

Result<ObtainedObject> obtain_kernel_object(const KernelSource& source, KernelCache& cache,
                                            CompilerClient& compiler) {
  if (cache.enabled()) {
    const std::string digest = digest_of(source, compiler);
    // Intermediate files only exist when something is compiled.
    if (compile_options().dump_directory.empty()) {
      if (auto object = open_cached(source, cache, digest))
        return ObtainedObject{object, source.block_dim};
      if (source.block_dim[0] != 0) {
        KernelSource general = source;
        general.block_dim = {};
        if (auto object = open_cached(general, cache, digest_of(general, compiler))) {
          return ObtainedObject{object, {}};
        }
      }
    }
    const auto path = compile_to_cache(source, cache, compiler, digest);
    if (path) {
      // Another process's eviction may have been faster than this dlopen.
      if (auto object = KernelObject::open(*path, source.kernel)) {
        return ObtainedObject{*object, source.block_dim};
      }
      cache.remove(source.kernel, digest);
    } else if (path.status().code() != StatusCode::operating_system) {
      return path.status();
    } else {
      static std::atomic_flag told;
      if (!told.test_and_set()) {
        log(LogPart::module, LogLevel::warn, "kernels are not cached: {}", path.status().message());
      }
    }
  }
  const std::string scratch = scratch_path();
  const RemoveFile cleanup{scratch};
  if (Status status = compile_to(source, compiler, scratch); !status) return status;
  auto object = KernelObject::open_in_memory(scratch, source.kernel);
  if (!object) return object.status();
  return ObtainedObject{*object, source.block_dim};
}

namespace {

Result<access::AccessSummary> summary_from(const std::string& bytes) {
  return access::deserialize({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

}  // namespace

Result<access::AccessSummary> obtain_access_summary(const KernelSource& source, KernelCache& cache,
                                                    CompilerClient& compiler) {
  // The same on every processor; nothing else in the key differs from that of a kernel's code.
  KernelKey key;
  key.ptx = source.ptx_hash;
  key.kernel = source.kernel;
  key.cpu = fmt::format("access summary {}", access::kSummaryVersion);
  key.compiler = compiler.identity();
  const std::string digest = key_digest(key);
  if (const std::string bytes = cache.read(source.kernel, digest); !bytes.empty()) {
    if (auto summary = summary_from(bytes)) return summary;
    cache.remove(source.kernel, digest);
  }
  std::string path;
  if (cache.enabled()) {
    if (auto temporary = cache.temporary_path()) path = *temporary;
  }
  const bool keep = !path.empty();
  if (!keep) path = scratch_path();
  const RemoveFile cleanup{path};
  const CompileJob job{source.ptx, source.module_name, std::string(source.kernel), {}};
  if (Status status = compiler.analyze(job, path); !status) return status;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (keep) {
    if (auto stored = cache.store(path, source.kernel, digest); !stored) {
      log(LogPart::module, LogLevel::info, "access summary not cached: {}",
          stored.status().message());
    }
  }
  return summary_from(bytes);
}

Status build_kernel_object(const KernelSource& source, KernelCache& cache, CompilerClient& compiler,
                           bool& was_cached) {
  was_cached = false;
  if (!cache.enabled()) return {StatusCode::operating_system, "the kernel cache is disabled"};
  const std::string digest = digest_of(source, compiler);
  if (!cache.find(source.kernel, digest).empty()) {
    was_cached = true;
    return Status::ok();
  }
  return compile_to_cache(source, cache, compiler, digest).status();
}

}  // namespace guda::runtime
