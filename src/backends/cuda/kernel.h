// Native modules, loaded once per PTX text, and kernels in them.
#pragma once

#include "backends/cuda/context.h"
#include "backends/device.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace guda::backend::cuda {

/// A module in the device's memory; unloaded with its last user.
class NativeModule {
 public:
  /// Errors: the driver's, with its log.
  static Result<std::shared_ptr<NativeModule>> load(std::shared_ptr<Context> context,
                                                    const std::string& ptx,
                                                    const std::string& name);
  ~NativeModule();
  NativeModule(const NativeModule&) = delete;
  NativeModule& operator=(const NativeModule&) = delete;

  /// Errors: not_found.
  Result<FunctionHandle> function(const std::string& name);

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

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<NativeModule> module_;
  FunctionHandle handle_ = nullptr;
  std::mutex mutex_;  // held while allowed_ changes
  std::atomic<uint32_t> allowed_{0};
};

/// The modules of a device: one for each PTX text and places of its variables.
class ModuleCache {
 public:
  explicit ModuleCache(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  /// As Device::load says.
  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source);

 private:
  /// A program's module: its text as it came, and the native one.
  struct Loaded;
  using Key = std::vector<uint64_t>;

  Result<std::shared_ptr<Loaded>> module(const KernelSource& source);

  std::shared_ptr<Context> context_;
  std::mutex mutex_;  // also while a module is being loaded: the next one mostly waits for the same
  std::map<Key, std::weak_ptr<Loaded>> modules_;
};

class CudaKernel final : public DeviceKernel {
 public:
  CudaKernel(std::shared_ptr<Context> context, std::shared_ptr<void> source, std::string name,
             std::unique_ptr<NativeFunction> function)
      : context_(std::move(context)),
        source_(std::move(source)),
        name_(std::move(name)),
        function_(std::move(function)) {}

  Status launch(StreamHandle stream, const Launch& launch) const;

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<void> source_;  // keeps the module in the cache
  std::string name_;
  std::unique_ptr<NativeFunction> function_;
};

}  // namespace guda::backend::cuda
