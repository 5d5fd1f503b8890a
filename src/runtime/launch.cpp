#include "runtime/launch.h"

#include "backends/cpu/executor.h"
#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/engines.h"
#include "runtime/occupancy.h"
#include "runtime/registry.h"
#include "runtime/slice_check.h"
#include "runtime/submit.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <tuple>

namespace guda::runtime {
namespace {

/// Launches that take less than this run on the launching thread when the stream is idle: waking
/// another thread costs about as much.
constexpr uint64_t kInlineNanoseconds = 10000;

constexpr int kClusterLaunch = 120;  // cudaDevAttrClusterLaunch

std::atomic<uint64_t> next_grid_id{1};

size_t round_up_64(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

KernelOperation::KernelOperation(Kernel& kernel, const LoadedKernel& loaded,
                                 const LaunchConfiguration& configuration)
    : kernel_(kernel),
      loaded_(loaded),
      configuration_(configuration),
      param_bytes_(std::max(loaded.layout->param_bytes, loaded.info->param_bytes)) {
  if (param_bytes_ > kInlineBytes)
    large_ = std::make_unique<std::byte[]>(round_up_64(param_bytes_) + 64);
}

KernelOperation::KernelOperation(const KernelOperation& other)
    : Operation(other),
      kernel_(other.kernel_),
      loaded_(other.loaded_),
      configuration_(other.configuration_),
      param_bytes_(other.param_bytes_) {
  if (param_bytes_ > kInlineBytes)
    large_ = std::make_unique<std::byte[]>(round_up_64(param_bytes_) + 64);
  if (param_bytes_ > 0) std::memcpy(params(), other.params(), param_bytes_);
}

const std::byte* KernelOperation::params() const {
  if (!large_) return small_.data();
  auto address = reinterpret_cast<uintptr_t>(large_.get());
  return large_.get() + (round_up_64(address) - address);
}

std::byte* KernelOperation::params() {
  return const_cast<std::byte*>(static_cast<const KernelOperation*>(this)->params());
}

void KernelOperation::pack(void* const* arguments) {
  std::byte* block = params();
  size_t index = 0;
  for (const KernelParameter& parameter : loaded_.layout->parameters) {
    const void* from = arguments[index++];
    std::byte* to = block + parameter.offset;
    switch (parameter.size) {  // the usual sizes without a call
      case 4: std::memcpy(to, from, 4); break;
      case 8: std::memcpy(to, from, 8); break;
      default: std::memcpy(to, from, parameter.size);
    }
  }
}

void KernelOperation::pack_block(const void* block, size_t size) {
  size_t given = std::min(size, param_bytes_);
  std::memcpy(params(), block, given);
  std::memset(params() + given, 0, param_bytes_ - given);
}

void** KernelOperation::argument_pointers() {
  argument_pointers_.clear();
  for (const KernelParameter& parameter : loaded_.layout->parameters) {
    argument_pointers_.push_back(params() + parameter.offset);
  }
  return argument_pointers_.data();
}

Status KernelOperation::execute() {
  if (!on_cpu())
    return {StatusCode::no_binary_for_gpu,
            fmt::format("{}: only a GPU could run it, and it is not there", kernel_.name())};
  cpu::LaunchDescription description;
  description.kernel = loaded_.info;
  description.params = {params(), param_bytes_};
  description.symbols = loaded_.symbols.data();
  description.grid = configuration_.grid;
  description.block = configuration_.block;
  description.dynamic_shared_bytes = static_cast<uint32_t>(configuration_.dynamic_shared);
  description.cooperative = configuration_.cooperative;
  description.grid_id = next_grid_id.fetch_add(1, std::memory_order_relaxed);
  if (slice_check_enabled()) return run_with_slice_check(kernel_, description);
  return cpu::Executor::instance().run(description);
}

uint64_t KernelOperation::expected_ns() const {
  if (may_wait()) return kMayWait;
  if (!on_cpu()) return 0;
  cpu::LaunchDescription description;
  description.kernel = loaded_.info;
  description.grid = configuration_.grid;
  description.block = configuration_.block;
  return cpu::Executor::instance().predicted_ns(description);
}

bool KernelOperation::runs_inline() const {
  uint64_t expected = expected_ns();
  return expected != 0 && expected <= kInlineNanoseconds;
}

namespace {
Status bad(const Kernel& kernel, const std::string& why) {
  return {StatusCode::invalid_value, fmt::format("{}: {}", kernel.name(), why)};
}
}  // namespace

Status check_dimensions(Kernel& kernel, const KernelLayout& layout,
                        const LaunchConfiguration& configuration) {
  const DeviceProperties& device = device_properties();
  const auto& grid = configuration.grid;
  const auto& block = configuration.block;
  auto beyond = [](uint32_t value, int limit) {
    return value == 0 || value > static_cast<uint32_t>(limit);
  };
  if (beyond(grid.x, device.max_grid[0]) || beyond(grid.y, device.max_grid[1]) ||
      beyond(grid.z, device.max_grid[2])) {
    return bad(kernel, fmt::format("grid {} x {} x {}", grid.x, grid.y, grid.z));
  }
  if (beyond(block.x, device.max_block[0]) || beyond(block.y, device.max_block[1]) ||
      beyond(block.z, device.max_block[2])) {
    return bad(kernel, fmt::format("block {} x {} x {}", block.x, block.y, block.z));
  }
  uint64_t threads = uint64_t{block.x} * block.y * block.z;
  uint32_t bound =
      std::min(static_cast<uint32_t>(device.max_threads_per_block), layout.max_threads_per_block());
  if (threads > bound)
    return bad(kernel, fmt::format("{} threads per block, {} allowed", threads, bound));
  auto& required = layout.required_threads;
  if (required[0] != 0 &&
      threads != uint64_t{required[0]} * std::max(required[1], 1u) * std::max(required[2], 1u)) {
    return bad(kernel, "block differs from __block_size__ / .reqntid");
  }
  return Status::ok();
}

namespace {

/// Clusters need a device that has them, and a grid of whole ones.
Status check_clusters(Kernel& kernel, const KernelLayout& layout,
                      const LaunchConfiguration& configuration) {
  constexpr auto kInvalidClusterSize = static_cast<StatusCode>(912);
  constexpr uint32_t kPortableBlocks = 8;
  if (Engines::with_home() == nullptr || device_attribute(kClusterLaunch).value_or(0) == 0)
    return {StatusCode::not_supported,
            fmt::format("{}: thread block clusters need a GPU of compute capability 9.0",
                        kernel.name())};
  const auto& [grid, fixed] = std::tie(configuration.grid, layout.required_cluster);
  kernel::Dim3 cluster = configuration.cluster;
  if (fixed[0] != 0) cluster = {fixed[0], std::max(fixed[1], 1u), std::max(fixed[2], 1u)};
  const uint64_t blocks = uint64_t{cluster.x} * cluster.y * cluster.z;
  const bool whole = blocks != 0 && cluster.x <= grid.x && cluster.y <= grid.y &&
                     cluster.z <= grid.z && grid.x % cluster.x == 0 && grid.y % cluster.y == 0 &&
                     grid.z % cluster.z == 0;
  if (whole &&
      (blocks <= kPortableBlocks || Registry::instance().settings(&kernel).non_portable_cluster))
    return Status::ok();
  return {kInvalidClusterSize,
          fmt::format("{}: clusters of {} x {} x {} blocks in a grid of {} x {} x {}",
                      kernel.name(), cluster.x, cluster.y, cluster.z, grid.x, grid.y, grid.z)};
}

}  // namespace

Status check_resources(Kernel& kernel, const LoadedKernel& loaded,
                       const LaunchConfiguration& configuration) {
  const DeviceProperties& device = device_properties();
  const auto& [grid, block, dynamic_shared, cooperative, cluster] = configuration;
  uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (configuration.clustered(*loaded.layout)) {
    if (Status status = check_clusters(kernel, *loaded.layout, configuration); !status)
      return status;
  }
  if (dynamic_shared != 0) {
    size_t used = loaded.info->static_shared_bytes + dynamic_shared;
    if (used > device.shared_per_block) {
      int allowed = Registry::instance().settings(&kernel).max_dynamic_shared;
      if (allowed < 0 || dynamic_shared > static_cast<size_t>(allowed) ||
          used > device.shared_per_block_optin) {
        return bad(kernel, fmt::format("{} bytes of shared memory", used));
      }
    }
  }
  if (cooperative) {
    int resident = blocks_per_multiprocessor(kernel, loaded.info->static_shared_bytes,
                                             static_cast<int>(threads), dynamic_shared);
    uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
    if (blocks > static_cast<uint64_t>(resident) * static_cast<uint64_t>(device.multiprocessors)) {
      return {StatusCode::cooperative_launch_too_large,
              fmt::format("{}: {} blocks, {} fit at once", kernel.name(), blocks,
                          resident * device.multiprocessors)};
    }
  }
  return Status::ok();
}

namespace {

/// Everything up to packing: code for this block, limits checked.
Result<const LoadedKernel*> checked_code(Kernel& kernel, const LaunchConfiguration& configuration,
                                         bool has_arguments) {
  auto layout = kernel.layout();
  if (!layout) return layout.status();
  if (Status status = check_dimensions(kernel, **layout, configuration); !status) return status;
  auto loaded = kernel.load({configuration.block.x, configuration.block.y, configuration.block.z});
  if (!loaded) return loaded.status();
  if (Status status = check_resources(kernel, **loaded, configuration); !status) return status;
  if (!has_arguments && !(*layout)->parameters.empty()) {
    return Status(StatusCode::invalid_value, fmt::format("{}: no arguments given", kernel.name()));
  }
  return loaded;
}

}  // namespace

Result<std::unique_ptr<KernelOperation>> prepare_launch(Kernel& kernel,
                                                        const LaunchConfiguration& configuration,
                                                        void* const* arguments, const void* block,
                                                        size_t block_size) {
  auto code = checked_code(kernel, configuration, arguments || block);
  if (!code) return code.status();
  auto operation = std::make_unique<KernelOperation>(kernel, **code, configuration);
  if (block) {
    operation->pack_block(block, block_size);
  } else if (arguments) {
    operation->pack(arguments);
  }
  return operation;
}

namespace {

Status submit_launch(Stream& stream, KernelOperation& operation) {
  Engines* engines = Engines::active();
  const bool home = engines != nullptr && Engines::with_home() != nullptr;
  if (engines != nullptr && !home) [[unlikely]]
    engines->prepare(operation);  // on its way to a home device it gets what it needs itself
  const bool short_run = !stream.capture() && !home && stream.idle() && operation.runs_inline();
  if (Status status = submit(stream, operation, short_run); !status) return status;
  if (Context::instance().launch_blocking() && !stream.capture()) stream.synchronize();
  return Status::ok();
}

}  // namespace

Status launch(Stream& stream, Kernel& kernel, const LaunchConfiguration& configuration,
              void* const* arguments) {
  auto code = checked_code(kernel, configuration, arguments != nullptr);
  if (!code) return code.status();
  KernelOperation operation(kernel, **code, configuration);
  if (arguments) operation.pack(arguments);
  return submit_launch(stream, operation);
}

Status launch_block(Stream& stream, Kernel& kernel, const LaunchConfiguration& configuration,
                    const void* block, size_t block_size) {
  auto code = checked_code(kernel, configuration, true);
  if (!code) return code.status();
  KernelOperation operation(kernel, **code, configuration);
  operation.pack_block(block, block_size);
  return submit_launch(stream, operation);
}

namespace {
thread_local std::vector<CallConfiguration> call_configurations;
}

void push_call_configuration(const CallConfiguration& configuration) {
  call_configurations.push_back(configuration);
}

bool pop_call_configuration(CallConfiguration& configuration) {
  if (call_configurations.empty()) return false;
  configuration = call_configurations.back();
  call_configurations.pop_back();
  return true;
}

}  // namespace guda::runtime
