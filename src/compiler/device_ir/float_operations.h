// Floating-point pieces shared by the instruction groups: flushing, saturation, rounding names.
#pragma once

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {

/// Flushes subnormal values of f32 (ptx.ftz.f32) and f16 (written out) to zero of the same sign.
llvm::Value* flush(Lowering& l, ScalarType type, llvm::Value* value);
/// The type arithmetic on `type` is done in: float for bf16 (<2 x float> for bf16x2), whose results
/// are rounded explicitly, because few machines have bf16 arithmetic and none rounds as the ISA
/// says; value_type for all others.
llvm::Type* arithmetic_type(Lowering& l, ScalarType type);
/// Operand `index` in its arithmetic type, flushed when the instruction has .ftz.
llvm::Value* float_in(Lowering& l, size_t index, ScalarType type);
/// Writes operand 0 after .relu, .sat and .ftz of the instruction. `exact`: the value needs no
/// rounding to `type`.
void float_out(Lowering& l, ScalarType type, llvm::Value* value, bool exact = false);
/// Rounds float (or <2 x float>) to bf16, in an integer of the same lanes: nearest even, or toward
/// zero.
llvm::Value* round_to_bf16(Lowering& l, llvm::Value* value, bool toward_zero = false);
/// [0, 1] with NaN to 0.
llvm::Value* saturate(Lowering& l, llvm::Value* value);

/// "rn", "rz", "rm" or "rp"; rn when the instruction does not say.
std::string_view rounding(Lowering& l);

}  // namespace guda::device_ir
