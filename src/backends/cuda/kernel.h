// Native modules, loaded once per PTX text, and kernels in them.
#pragma once

#include "backends/cuda/address_space.h"
#include "backends/cuda/context.h"
#include "backends/device.h"
#include "compiler/ptx/ast.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace guda::backend::cuda {

/// A module in the device's memory; unloaded with its last user.
class NativeModule {
 public:
  /// Errors: the driver's, with its log.
  /// `image`: PTX with a null character at its end, a cubin or a fatbin.
  static Result<std::shared_ptr<NativeModule>> load(std::shared_ptr<Context> context,
                                                    const void* image, const std::string& name);
  ~NativeModule();
  NativeModule(const NativeModule&) = delete;
  NativeModule& operator=(const NativeModule&) = delete;

  /// Errors: not_found.
  Result<FunctionHandle> function(const std::string& name);
  ModuleHandle handle() const { return handle_; }

 private:
  explicit NativeModule(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  std::shared_ptr<Context> context_;
  ModuleHandle handle_ = nullptr;
};

/// A function of a native module and what has been set for it.
class NativeFunction {
 public:
  static Result<std::unique_ptr<NativeFunction>> find(std::shared_ptr<Context> context,
                                                      std::shared_ptr<NativeModule> module,
                                                      const std::string& name);
  FunctionHandle handle() const { return handle_; }
  /// Allows launches with that much dynamic shared memory, as a program does with cudaFuncSetAttribute above 48 KiB.
  Status allow_dynamic_shared(uint32_t bytes);
  /// The same with clusters of more blocks than every device takes.
  Status allow_large_clusters();

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<NativeModule> module_;
  FunctionHandle handle_ = nullptr;
  std::mutex mutex_;  // held while allowed_ changes
  std::atomic<uint32_t> allowed_{0};
};

/// What the driver gets at a time: a module of the program, or one of its kernels with what that reaches.
struct ModulePart {
  std::string name;
  std::shared_ptr<const std::string> text;  // with our variables in it; null: machine code
  std::shared_ptr<NativeModule> native;
};

/// The modules of a device: one for each PTX text and places of its variables. The kernels of a large module are
/// compiled one by one, as they are used.
class ModuleCache {
 public:
  /// `capability`: of the device, 90 for 9.0.
  ModuleCache(std::shared_ptr<Context> context, const AddressSpace& space, unsigned capability)
      : context_(std::move(context)),
        space_(space),
        own_target_("sm_" + std::to_string(capability)),
        capability_(capability) {}

  /// As Device::load says.
  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source);

  /// Modules with more kernels than this are taken apart.
  static constexpr size_t kKernelsTogether = 8;

 private:
  /// A module as the program brought it. Kept for the next kernel: programs have few, but large ones.
  struct ProgramModule {
    std::string name;
    std::shared_ptr<const std::string> text;
    /// Bodies parsed when needed; absent when our parser does not read it.
    std::optional<ptx::Module> syntax;
    bool apart = false;
    /// PTX linked from several places has the newest one's target, though it may need less: the driver refuses targets
    /// beyond its device, so the device's own takes its place.
    bool retarget = false;
    std::map<std::string, std::weak_ptr<ModulePart>, std::less<>> parts;  // by kernel, or ""
  };
  using Key = std::vector<uint64_t>;

  Result<ProgramModule*> program_module(const KernelSource& source);
  Result<std::shared_ptr<ModulePart>> part(ProgramModule& program, const KernelSource& source);

  std::shared_ptr<Context> context_;
  AddressSpace space_;
  std::string own_target_;
  unsigned capability_;
  std::mutex mutex_;  // also while a module is being loaded: the next one mostly waits for the same
  std::map<Key, ProgramModule> modules_;
};

class CudaKernel final : public DeviceKernel {
 public:
  /// `pointer_offsets`: of parameters that are addresses of the program's.
  CudaKernel(std::shared_ptr<Context> context, const AddressSpace& space,
             std::shared_ptr<ModulePart> module, std::string name,
             std::unique_ptr<NativeFunction> function, std::span<const uint32_t> pointer_offsets)
      : context_(std::move(context)),
        space_(space),
        pointer_offsets_(pointer_offsets.begin(), pointer_offsets.end()),
        module_(std::move(module)),
        name_(std::move(name)),
        function_(std::move(function)) {}

  Status launch(StreamHandle stream, const Launch& launch) const;

 private:
  /// The kernel with hidden parameters for the first block and the grid (ptx/slice_rewriter.h), in a module of
  /// its own, made at the first launch that needs it.
  struct Sliced {
    std::once_flag once;
    Status status;
    std::unique_ptr<NativeFunction> function;
    uint32_t parameter_offset = 0;
  };
  Status launch_here(StreamHandle stream, const Launch& launch) const;
  Status make_sliced() const;
  Status launch_slice(StreamHandle stream, const Launch& launch) const;
  Status start(StreamHandle stream, NativeFunction& function, const Launch& launch,
               std::span<const std::byte> params) const;

  std::shared_ptr<Context> context_;
  AddressSpace space_;
  std::vector<uint32_t> pointer_offsets_;
  std::shared_ptr<ModulePart> module_;
  std::string name_;
  std::unique_ptr<NativeFunction> function_;
  mutable Sliced sliced_;
};

}  // namespace guda::backend::cuda
