// A kernel of a module: its parameter layout, its attributes and, once used, its machine code.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backends/machine_code.h"
#include "compiler/access/launch_access.h"
#include "compiler/driver/kernel_abi.h"
#include "support/status.h"

namespace guda::ptx {
struct Function;
}

namespace guda::runtime {

class KernelObject;
class Module;

struct KernelParameter {
  uint32_t offset = 0;     // bytes from the start of the parameter block
  uint32_t size = 0;
  uint32_t alignment = 1;
};

/// What PTX says about a kernel; known without compiling it.
struct KernelLayout {
  std::vector<KernelParameter> parameters;
  uint32_t param_bytes = 0;                      // of the whole block
  std::array<uint32_t, 3> max_threads{};  // .maxntid (__launch_bounds__); zeros when absent
  std::array<uint32_t, 3> required_threads{};  // .reqntid
  std::array<uint32_t, 3> required_cluster{};  // .reqnctapercluster
  uint32_t min_blocks_per_multiprocessor = 0;
  uint32_t max_registers = 0;
  uint32_t registers = 0;  // that machine code uses; 0: not known
  uint32_t ptx_version = 0;  // 10 * sm major + minor of the PTX's target, e.g. 75

  /// Threads per block that a launch may not exceed: from max_threads or required_threads, else 1024.
  uint32_t max_threads_per_block() const;
};

/// Static memory of a kernel and everything that it calls, from its PTX.
struct KernelFootprint {
  uint32_t static_shared_bytes = 0;
  uint32_t local_bytes = 0;  // per thread, .local variables
  uint32_t const_bytes = 0;  // .const variables of the module
};

using BlockDim = std::array<uint32_t, 3>;

/// A kernel ready to run; never changes or moves until the module is destroyed.
struct LoadedKernel {
  BlockDim block{};  // what its code is specialised for; zeros: any block
  const kernel::KernelInfo* info = nullptr;
  std::vector<void*> symbols;  // addresses in the order of info->symbols
  const KernelLayout* layout = nullptr;
  std::shared_ptr<KernelObject> object;  // keeps the shared object mapped; null: see on_cpu()

  bool fits(const BlockDim& wanted) const { return block[0] == 0 || block == wanted; }
  /// False: there is no code of the CPU's; only the device that data lives on runs the kernel.
  bool on_cpu() const { return object != nullptr; }
};

class Kernel {
 public:
  Kernel(Module& module, std::string_view name, const void* host_function)
      : module_(module), name_(name), host_function_(host_function) {}

  Module& module() const { return module_; }
  /// Mangled name.
  std::string_view name() const { return name_; }
  /// Host stub that it was registered with; null for kernels found by name.
  const void* host_function() const { return host_function_; }

  /// Parameter layout and attributes; loads the module on first use. Errors: those of Module::load(),
  /// not_found when the module has no such kernel.
  Result<const KernelLayout*> layout();

  /// Memory that the kernel declares; parses bodies on first use. Errors: as layout(), invalid_ptx.
  Result<const KernelFootprint*> footprint();

  /// The kernel's machine code for blocks of these dimensions (zeros: for any): from the cache, else
  /// compiled now, specialised for the first few dimensions that come and for any block after those. An
  /// atomic load and a comparison when it is there; concurrent first calls compile once. A failure is
  /// remembered. Errors: as layout(), and the compiler's.
  Result<const LoadedKernel*> load(const BlockDim& block = {}) {
    if (const LoadedKernel* ready = loaded(block)) return ready;
    return load_slow(block);
  }
  /// Null when there is no code for such blocks yet.
  const LoadedKernel* loaded(const BlockDim& block) const noexcept {
    for (const auto& variant : variants_) {
      const LoadedKernel* ready = variant.load(std::memory_order_acquire);
      if (ready == nullptr) break;
      if (ready->fits(block)) return ready;
    }
    return nullptr;
  }

  /// What the kernel does to memory: from its code when there is some for such blocks, else analysed without
  /// making code (kernels that run on other devices only). Errors: as layout(), and the compiler's.
  Result<access::AccessEvaluator*> access(const BlockDim& block = {});

  /// Its code on the device that the module's machine code is for; null: the module is PTX. After layout().
  const std::shared_ptr<backend::DeviceKernel>& machine_code() const { return machine_.code; }

  /// What other engines than the CPU keep for this kernel (runtime/engines.h); goes with the kernel.
  std::shared_ptr<void>& engine_data() { return engine_data_; }

  /// Builds the kernel object into the on-disk cache without opening it (guda compile). Sets
  /// `was_cached` when it was there. Errors: as load().
  Status prebuild(bool& was_cached);

 private:
  Result<const LoadedKernel*> load_slow(const BlockDim& block);
  Status ensure_layout();
  Status ensure_footprint();
  Result<std::unique_ptr<LoadedKernel>> load_object(const BlockDim& block);
  /// For kernels that only a device runs.
  std::unique_ptr<LoadedKernel> without_object(const BlockDim& block, uint32_t static_shared_bytes);
  Status find_machine_code();
  Status explain(const Status& failure);

  Module& module_;
  std::string_view name_;
  const void* host_function_;
  static constexpr size_t kVariants = 5;  // the last one is for any block
  std::array<std::atomic<const LoadedKernel*>, kVariants> variants_{};
  std::shared_ptr<void> engine_data_;
  std::atomic<const KernelLayout*> ready_layout_{nullptr};
  std::mutex mutex_;  // guards everything below
  std::vector<std::unique_ptr<LoadedKernel>> variant_storage_;
  std::unique_ptr<KernelLayout> layout_storage_;
  std::unique_ptr<KernelFootprint> footprint_storage_;
  backend::MachineKernel machine_;
  kernel::KernelInfo device_info_{};  // of without_object()
  Status failure_;
  struct BlockAccess {
    BlockDim block{};  // zeros: any
    std::unique_ptr<access::AccessEvaluator> evaluator;
  };
  std::mutex access_mutex_;  // guards what follows
  std::vector<BlockAccess> access_;
  Status access_failure_;
};

/// Parameter block layout by the rules of PTX: each parameter at its own alignment, in order.
KernelLayout kernel_layout(const ptx::Function& function);

}  // namespace guda::runtime
