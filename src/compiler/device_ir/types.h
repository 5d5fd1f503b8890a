// PTX scalar types as LLVM types.
#pragma once

#include "compiler/ptx/ast.h"

namespace llvm {
class LLVMContext;
class Type;
}  // namespace llvm

namespace guda::device_ir {

using ptx::ScalarType;
using ptx::StateSpace;

/// Type a value of this PTX type has while an instruction works on it: iN, half, bfloat, float,
/// double, i1 (pred), or a two-lane vector for packed types. Types without arithmetic (b, tf32,
/// fp8) are integers.
llvm::Type* value_type(llvm::LLVMContext& context, ScalarType type);
/// Type of a register declared with this PTX type: i1, float, double, else iN.
llvm::Type* register_type(llvm::LLVMContext& context, ScalarType type);

bool is_signed(ScalarType type);   // s8 ... s64, s16x2
bool is_float(ScalarType type);    // f16, bf16, f32, f64 and the packed forms
bool is_integer(ScalarType type);  // u, s and b types of one lane
bool is_packed(ScalarType type);   // f16x2, bf16x2, f32x2, u16x2, s16x2
/// Type of one lane of a packed type; other types unchanged.
ScalarType lane_type(ScalarType type);
/// Integer type of the same width: b8 ... b128.
ScalarType bits_type(unsigned bits);
ScalarType signed_type(unsigned bits);

unsigned address_space(StateSpace space);

}  // namespace guda::device_ir
