// Floating-point pieces shared by the instruction groups: flushing, saturation, rounding names.
#pragma once

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {

/// Flushes subnormal values of f32 (ptx.ftz.f32) and f16 (written out) to zero of the same sign.
llvm::Value* flush(Lowering& l, ScalarType type, llvm::Value* value);
/// Operand `index` as floating point, flushed when the instruction has .ftz.
llvm::Value* float_in(Lowering& l, size_t index, ScalarType type);
/// Writes operand 0 after .relu, .sat and .ftz of the instruction.
void float_out(Lowering& l, ScalarType type, llvm::Value* value);
/// [0, 1] with NaN to 0.
llvm::Value* saturate(Lowering& l, llvm::Value* value);

/// "rn", "rz", "rm" or "rp"; rn when the instruction does not say.
std::string_view rounding(Lowering& l);

}  // namespace guda::device_ir
