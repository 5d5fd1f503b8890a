// Kernel launches: checks, packing of arguments, and the way onto a stream.
#pragma once

#include "compiler/driver/kernel_abi.h"
#include "runtime/module/kernel.h"
#include "runtime/operation.h"
#include "runtime/stream.h"
#include "support/status.h"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace guda::runtime {

struct LaunchConfiguration {
  kernel::Dim3 grid{1, 1, 1};
  kernel::Dim3 block{1, 1, 1};
  size_t dynamic_shared = 0;
  bool cooperative = false;
  kernel::Dim3 cluster{1, 1,
                       1};  // blocks of a thread block cluster, where the kernel leaves it open

  /// Blocks work in clusters: the kernel says so itself (__cluster_dims__), or the launch.
  bool clustered(const KernelLayout& layout) const {
    const auto& fixed = layout.required_cluster;
    return cluster.x != 1 || cluster.y != 1 || cluster.z != 1 || fixed[0] > 1 || fixed[1] > 1 ||
           fixed[2] > 1;
  }
};

/// A launch with its arguments packed.
class KernelOperation final : public Operation {
 public:
  KernelOperation(Kernel& kernel, const LoadedKernel& loaded,
                  const LaunchConfiguration& configuration);
  KernelOperation(const KernelOperation& other);

  /// Copies the arguments (one pointer per parameter) into the parameter block.
  void pack(void* const* arguments);
  /// Takes a parameter block as it is (cuLaunchKernel's buffer form). Missing bytes are zero.
  void pack_block(const void* block, size_t size);

  /// On the CPU engine.
  Status execute() override;
  OperationKind operation_kind() const override { return OperationKind::kernel; }
  std::string_view label() const override { return kernel_.name(); }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<KernelOperation>(*this);
  }

  uint64_t expected_ns() const override;
  /// expected_ns() would be kMayWait.
  bool may_wait() const {
    return on_cpu() &&
           (configuration_.cooperative || (loaded_.info->flags & kernel::kPollsMemory) != 0);
  }
  /// There is code for the CPU engine; else the device that data lives on has to run it.
  bool on_cpu() const { return loaded_.on_cpu() && !configuration_.clustered(*loaded_.layout); }
  /// Short enough to run on the launching thread, and does not wait for anyone.
  bool runs_inline() const;

  Kernel& kernel() const { return kernel_; }
  void set_cooperative(bool cooperative) { configuration_.cooperative = cooperative; }
  const LaunchConfiguration& configuration() const { return configuration_; }
  const LoadedKernel& loaded() const { return loaded_; }
  std::span<const std::byte> parameter_block() const { return {params(), param_bytes_}; }
  /// One pointer per parameter into the block; valid while the operation lives.
  void** argument_pointers();

 private:
  static constexpr size_t kInlineBytes = 256;
  std::byte* params();
  const std::byte* params() const;

  Kernel& kernel_;
  const LoadedKernel& loaded_;
  LaunchConfiguration configuration_;
  size_t param_bytes_;
  std::unique_ptr<std::byte[]> large_;               // when the block does not fit in small_
  alignas(64) std::array<std::byte, kInlineBytes> small_;
  std::vector<void*> argument_pointers_;
};

/// Grid, block and launch bounds against the device; needs no code yet. invalid_value when the
/// configuration can never run.
Status check_dimensions(Kernel& kernel, const KernelLayout& layout,
                        const LaunchConfiguration& configuration);
/// Shared memory, and for cooperative launches that all blocks fit at once (else 720).
Status check_resources(Kernel& kernel, const LoadedKernel& loaded,
                       const LaunchConfiguration& configuration);

/// Checks and packs without launching (graph nodes). `arguments` as for launch(); `block`, when not null,
/// is the whole parameter block instead.
Result<std::unique_ptr<KernelOperation>> prepare_launch(Kernel& kernel,
                                                        const LaunchConfiguration& configuration,
                                                        void* const* arguments,
                                                        const void* block = nullptr,
                                                        size_t block_size = 0);

/// Launches on the stream (or records into its capture). Errors of loading and checking come back;
/// those of execution become sticky. `arguments`: one pointer per parameter; may be null when the
/// kernel has none.
Status launch(Stream& stream, Kernel& kernel, const LaunchConfiguration& configuration,
              void* const* arguments);

/// Same with the whole parameter block given (cuLaunchKernel's buffer form).
Status launch_block(Stream& stream, Kernel& kernel, const LaunchConfiguration& configuration,
                    const void* block, size_t block_size);

/// Launch configuration stack of `kernel<<<...>>>`, per thread.
struct CallConfiguration {
  kernel::Dim3 grid, block;
  size_t dynamic_shared;
  void* stream;
};
void push_call_configuration(const CallConfiguration& configuration);
/// False when nothing was pushed.
bool pop_call_configuration(CallConfiguration& configuration);

}  // namespace guda::runtime
