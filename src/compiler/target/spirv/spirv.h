// Code generation for OpenCL devices: optimised device IR in, a SPIR-V kernel out, one work-item per thread.
#pragma once

#include "compiler/driver/opencl_kernel.h"
#include "support/status.h"

#include <memory>

namespace llvm {
class Function;
class Module;
class TargetMachine;
}  // namespace llvm

namespace guda::target {

/// What the device can do, as far as code depends on it.
struct SpirvOptions {
  uint32_t block_dim[3] = {0, 0, 0};  // zeros: any
  bool shared_addresses = false;  // SVM: the program's addresses are the device's
  bool generic_addresses = false;  // OpenCL 2.0 generic address space
  bool fp64 = true;
  bool fp16 = false;
  bool int64_atomics = true;
  bool correctly_rounded_division = false;  // of f32, with the build option that asks for it
  bool spirv_fences =
      true;  // OpMemoryBarrier works; else fences are atomic operations on local memory
  bool sub_groups = false;  // of 32 work-items, with shuffles and ballots

  /// Warps are sub-groups: those are made along x, so rows have to be whole warps unless there is only one.
  bool warps_are_sub_groups() const {
    return sub_groups && block_dim[0] != 0 &&
           (block_dim[0] % 32 == 0 || (block_dim[1] == 1 && block_dim[2] == 1));
  }
};

/// Rewrites the kernel (the only function with external linkage that has a body) and generates its code.
/// Error: not_supported with the reason when OpenCL cannot express the kernel.
Result<driver::OpenclKernel> compile_to_spirv(llvm::Module& module, llvm::Function& kernel,
                                              const SpirvOptions& options);

// The steps, in this order.

/// Every work-item reaches every barrier and warp operation, as OpenCL demands, whatever the kernel's control
/// flow: afterwards they stand in blocks that all execute, with the lanes that take part as a value. Warp
/// operations become guda.exchange.* (warp_exchange.cpp).
Status make_convergent(llvm::Function& kernel, const SpirvOptions& options);
/// Warp operations by sub-groups where warps are such, else through local memory, as block-wide reductions are.
Status expand_exchanges(llvm::Function& kernel, const SpirvOptions& options,
                        driver::OpenclKernel& result);
/// Parameters, shared memory and module variables become OpenCL arguments. Returns the new function.
Result<llvm::Function*> make_arguments(llvm::Function& kernel, const SpirvOptions& options,
                                       driver::OpenclKernel& result);
/// Special registers, barriers, fences and atomics become OpenCL's.
Status lower_builtins(llvm::Function& kernel, const SpirvOptions& options);
/// Rewrites what the SPIR-V generator lacks, and refuses what is left.
Status legalize_for_spirv(llvm::Function& kernel, const SpirvOptions& options);
/// The binary. Error: not_supported when the generator gives up.
Result<std::string> emit_spirv(llvm::Module& module, llvm::TargetMachine& machine);

/// SPIR-V 1.2, the newest that every reader takes; sub-groups need 1.3.
inline constexpr const char* kSpirvTriple = "spirv64v1.2-unknown-unknown";
inline constexpr const char* kSubGroupTriple = "spirv64v1.3-unknown-unknown";
Result<std::unique_ptr<llvm::TargetMachine>> make_spirv_machine(const char* triple);

}  // namespace guda::target
