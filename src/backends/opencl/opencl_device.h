// Devices with an OpenCL driver.
//
// Two ways to give a device the program's memory. A device with fine-grained system SVM works in the program's
// memory. Any other has buffers, one for each mapped range; a kernel gets those that its pointer arguments point
// into, so kernels that follow pointers in memory are refused.
//
// Two forms of code: SPIR-V for drivers that take it, and LLVM bitcode (SPIR 1.2), which the program llvm-spirv
// makes of SPIR-V, for pocl up to version 3.
#pragma once

#include "backends/device.h"

#include <functional>
#include <string>

namespace guda::backend {

/// Kernels for matrix products: those for the device's type, or for tests the others.
enum class OpenclGemm : uint8_t { by_device, for_cpus, for_gpus };

struct OpenclOptions {
  /// Use shared memory where the device has it. Off: buffers always (for tests).
  bool shared_addresses = true;
  /// Use sub-groups for warp operations where the device has them. Off: local memory always (for tests).
  bool sub_groups = true;
  /// Only platforms whose name contains it; empty: all.
  std::string platform;
  OpenclGemm gemm = OpenclGemm::by_device;
  /// Compiles a kernel for GudaOpenclFeature flags; the serialised driver::OpenclKernel.
  std::function<Result<std::string>(const KernelSource&, uint32_t features)> compile;
};

/// Devices of all OpenCL platforms but NVIDIA's, which the CUDA backend serves. `compile` empty: through
/// libguda_compiler.so and the kernel cache.
Discovery discover_opencl(OpenclOptions options);
Discovery discover_opencl();

/// Whether drivers other than those for the host's own processors are installed. Reads a directory.
bool opencl_is_likely();

}  // namespace guda::backend
