// Code generation for the host CPU: device IR in, ELF shared object out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/status.h"

namespace llvm {
class Function;
class Module;
class TargetMachine;
}  // namespace llvm

namespace guda::target {

/// GUDA_CPU value to a target machine (x86 only for now). "native" takes the host's name and
/// features; prefer-vector-width follows the ISA (512 with AVX-512, else 256).
Result<std::unique_ptr<llvm::TargetMachine>> make_target_machine(std::string_view cpu);

/// Native vector register width of the machine in bits: 512, 256 or 128.
unsigned vector_bits(const llvm::TargetMachine& machine);

struct MemoryLayout {
  uint32_t static_shared_bytes = 0;
  std::vector<std::string> symbols;  // module variables in index order
};

/// Device IR pass: lays out shared variables and turns all address spaces into plain pointers
/// (docs/device_ir.md, "Address spaces").
Result<MemoryLayout> lower_memory(llvm::Module& module);

/// Replaces every remaining lane-wise call `ptx.<op>[.v<N>]` (scalar or vector typed) by
/// instructions for `machine`. Works on any function after lanes or spmd. Error: invalid_ptx naming the
/// function when an operation has no expansion.
Status expand_lane_ops(llvm::Module& module, const llvm::TargetMachine& machine);

/// The same in scalar code for any machine: what only x86 instructions do stays a call or inline assembly.
Status expand_lane_ops_portably(llvm::Module& module);

/// True when expand_lane_ops handles the operation on vectors without scalarising per lane.
bool has_lane_op(std::string_view ptx_name);

/// Module flag: the code runs with the hardware's flush-to-zero mode on (all f32 operations are .ftz).
inline constexpr const char* kFlushModeFlag = "guda.flush_mode";

/// Machine code for the module as one ELF shared object written to `path`, linked in process.
Status emit_shared_object(llvm::Module& module, llvm::TargetMachine& machine,
                          const std::string& path);

}  // namespace guda::target
