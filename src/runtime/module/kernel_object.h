// A kernel's shared object, opened in this process.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/driver/access_summary.h"
#include "compiler/driver/kernel_abi.h"
#include "runtime/module/cache.h"
#include "runtime/module/compiler_client.h"
#include "support/status.h"

namespace guda::runtime {

/// Keeps a kernel object mapped; closes it when destroyed.
class KernelObject {
 public:
  /// Opens the object at `path` and checks that it is kernel `name` in this build's binary interface.
  /// Where the file system forbids execution the object is opened from memory. Errors: invalid_image.
  static Result<std::shared_ptr<KernelObject>> open(const std::string& path, std::string_view name);
  /// Same through a memfd: the file at `path` may be deleted afterwards.
  static Result<std::shared_ptr<KernelObject>> open_in_memory(const std::string& path,
                                                              std::string_view name);
  ~KernelObject();
  KernelObject(const KernelObject&) = delete;
  KernelObject& operator=(const KernelObject&) = delete;

  const kernel::KernelInfo& info() const { return *info_; }

 private:
  KernelObject(void* library, const kernel::KernelInfo* info) : library_(library), info_(info) {}
  static Result<std::shared_ptr<KernelObject>> check(void* library, std::string_view name);

  void* library_;
  const kernel::KernelInfo* info_;
};

/// Which kernel, of which text.
struct KernelSource {
  std::string_view ptx;
  Hash128 ptx_hash;
  std::string_view module_name;
  std::string_view kernel;
  std::array<uint32_t, 3> block_dim{};  // zeros: for any block
};

/// An object, and the block dimensions that its code is for (zeros: any).
struct ObtainedObject {
  std::shared_ptr<KernelObject> object;
  std::array<uint32_t, 3> block_dim{};
};

/// The kernel's object: from the cache (the specialised one, else one for any block, as guda compile makes
/// them), else compiled and cached; compiled into memory when there is no cache or it cannot be written.
/// Errors: the compiler's; invalid_image.
Result<ObtainedObject> obtain_kernel_object(const KernelSource& source, KernelCache& cache,
                                            CompilerClient& compiler);

/// What the kernel does to memory, in any block, without making code for it: from the cache, else analysed now
/// and cached. Errors: the compiler's.
Result<access::AccessSummary> obtain_access_summary(const KernelSource& source, KernelCache& cache,
                                                    CompilerClient& compiler);

/// Compiles the kernel into the cache unless it is there already (`was_cached`). Errors: the compiler's;
/// operating_system when the cache is disabled or cannot be written.
Status build_kernel_object(const KernelSource& source, KernelCache& cache, CompilerClient& compiler,
                           bool& was_cached);

}  // namespace guda::runtime
