// The optimisation pipelines: which LLVM passes run on device IR, and which on target code.
#pragma once

namespace llvm {
class Function;
class Module;
class TargetMachine;
}  // namespace llvm

namespace guda::driver {

/// Device IR: inlines every call of a function that is not recursive, then simplifies scalar code.
/// Keeps the meaning of convergent operations.
void optimize_device_ir(llvm::Module& module);

/// After lower_memory: the address arithmetic that it introduced.
void optimize_lowered_ir(llvm::Module& module);

/// SIMD or single-lane code, after expand_lane_ops.
void optimize_target_ir(llvm::Module& module, llvm::TargetMachine& machine);

}  // namespace guda::driver
