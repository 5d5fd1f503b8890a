// The CPU engine behind the device interface. It works in host memory, or emulates a device that has memory of its
// own: then everything that an accelerator needs of GUDA (copies, coherence, scheduling, faults) runs on any
// machine. GUDA_DEVICES names the latter "emulated"; it is never used otherwise.
#pragma once

#include "backends/device.h"

#include <functional>
#include <memory>
#include <vector>

namespace guda::backend {

/// A kernel's code for the CPU. The runtime, which knows modules and the cache, finds it.
struct CpuKernel {
  const kernel::KernelInfo* info = nullptr;
  std::vector<void*> symbols;  // in the order of info->symbols
  std::shared_ptr<void> keep_alive;
};
using CpuKernelLoader = Result<CpuKernel> (*)(const KernelSource&);

/// For the whole process; before the first load().
void set_cpu_kernel_loader(CpuKernelLoader loader);

/// A matrix product in host memory. libguda_cublas provides it when it is loaded: libguda has no BLAS.
using CpuGemm = Status (*)(const GemmProblem&);
void set_cpu_gemm(CpuGemm gemm);
/// not_supported as long as nobody provides one.
Status cpu_gemm(const GemmProblem& problem);

/// The CPU engine: "cpu:0", in host memory.
std::unique_ptr<Device> make_cpu_device();

/// "emulated:0" and on, as many as GUDA_EMULATED_DEVICES says (1), each with 4 GiB that are taken as they are used.
Discovery discover_emulated();

}  // namespace guda::backend
