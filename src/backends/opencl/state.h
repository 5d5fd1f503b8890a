// What a device, its queues and its kernels share.
#pragma once

#include "backends/device.h"
#include "backends/opencl/buffers.h"
#include "backends/opencl/gemm.h"
#include "backends/opencl/opencl_api.h"
#include "backends/opencl/opencl_device.h"
#include "compiler/driver/opencl_kernel.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace guda::backend::opencl {

struct DeviceState {
  DeviceState(const Api& loader, DeviceId device_id, Context device_context)
      : api(loader), id(device_id), context(device_context), buffers(loader, device_context) {}
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;
  ~DeviceState();

  const Api& api;
  DeviceId id;
  Context context;
  Buffers buffers;
  DeviceInfo info;
  bool shared_addresses = false;
  bool takes_spirv = false;
  bool takes_bitcode = false;
  uint32_t features = 0;  // GudaOpenclFeature
  size_t max_work_group = 0;
  size_t local_memory = 0;
  size_t parameter_bytes = 0;
  bool compiles_source = false;
  GemmDevice gemm_device;
  OpenclOptions options;
  std::atomic<bool> lost = false;
  MatrixProducts products{*this};

  /// Notes a device that is gone.
  Status check(cl_int code, const char* function);
};

/// A built kernel. Arguments are part of the handle, so launches take turns.
class LoadedKernel final : public DeviceKernel {
 public:
  LoadedKernel(std::shared_ptr<DeviceState> state, driver::OpenclKernel description, Dim3 block,
               Program program, KernelHandle handle, size_t max_threads,
               std::vector<uint64_t> symbols)
      : state_(std::move(state)),
        description_(std::move(description)),
        block_(block),
        program_(program),
        handle_(handle),
        max_threads_(max_threads),
        symbols_(std::move(symbols)) {}
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;
  ~LoadedKernel() override;

  /// Puts the launch on the queue.
  Status enqueue(CommandQueue queue, const Launch& launch) const;

 private:
  Status check_launch(const Launch& launch) const;
  Status set_arguments(const Launch& launch) const;
  uint64_t parameter(const Launch& launch, uint32_t offset) const;

  std::shared_ptr<DeviceState> state_;
  driver::OpenclKernel description_;
  Dim3 block_;  // that it was compiled for; zeros: any
  Program program_;
  KernelHandle handle_;
  size_t max_threads_;
  std::vector<uint64_t> symbols_;  // addresses
  mutable std::mutex mutex_;
};

/// What the driver's compiler says, on one line.
std::string build_log(const DeviceState& state, Program program);
/// Compiles and builds. Errors as Device::load.
Result<std::shared_ptr<DeviceKernel>> load_kernel(const std::shared_ptr<DeviceState>& state,
                                                  const KernelSource& source);
Result<std::unique_ptr<Queue>> make_queue(const std::shared_ptr<DeviceState>& state);

/// SPIR-V to the LLVM bitcode that pocl up to version 3 takes, by the program llvm-spirv. Error: not_supported
/// when that is not installed or fails.
Result<std::string> spirv_to_bitcode(const std::string& spirv);
bool have_bitcode_translator();

/// Through libguda_compiler.so and the kernel cache.
Result<std::string> compile_with_cache(const KernelSource& source, uint32_t features);

}  // namespace guda::backend::opencl
