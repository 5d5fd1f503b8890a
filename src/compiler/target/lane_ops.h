// Expansions of the lane-wise ptx.* functions, by opcode. Internal to compiler/target.
#pragma once

#include <llvm/ADT/ArrayRef.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/ADT/StringRef.h>

#include <llvm/IR/Module.h>

#include <optional>

#include "compiler/target/lane_builder.h"

namespace guda::target {

/// One call `ptx.<parts[0]>.<parts[1]>...`, without the ".v<N>" of vector forms.
struct LaneCall {
  llvm::SmallVector<llvm::StringRef, 8> parts;
  llvm::SmallVector<llvm::Value*, 4> arguments;
  llvm::Type* result = nullptr;

  bool has(llvm::StringRef part) const { return llvm::is_contained(parts, part); }
  llvm::StringRef type() const { return parts.back(); }
  /// First .rn/.rz/.rm/.rp (or integer rounding .rni ...) of the name.
  std::optional<Rounding> rounding() const;
};

/// Returns the value of the call, or null when the name has no expansion (in this shape: the caller
/// then goes lane by lane).
using Expansion = llvm::Value* (*)(LaneBuilder&, const LaneCall&);

// Each in the file that its comment names.
llvm::Value* expand_rounded(LaneBuilder&, const LaneCall&);  // lane_rounding.cpp
llvm::Value* expand_convert(LaneBuilder&, const LaneCall&);  // lane_convert.cpp
llvm::Value* expand_flush(LaneBuilder&, const LaneCall&);  // lane_convert.cpp
llvm::Value* expand_exp2(LaneBuilder&, const LaneCall&);  // lane_math.cpp
llvm::Value* expand_log2(LaneBuilder&, const LaneCall&);  // lane_math.cpp
llvm::Value* expand_sin(LaneBuilder&, const LaneCall&);  // lane_math.cpp
llvm::Value* expand_cos(LaneBuilder&, const LaneCall&);  // lane_math.cpp
llvm::Value* expand_tanh(LaneBuilder&, const LaneCall&);  // lane_math.cpp
llvm::Value* expand_rsqrt(LaneBuilder&, const LaneCall&);  // lane_math.cpp
llvm::Value* expand_divide(LaneBuilder&, const LaneCall&);  // lane_divide.cpp
llvm::Value* expand_prmt(LaneBuilder&, const LaneCall&);  // lane_integer.cpp
llvm::Value* expand_dp4a(LaneBuilder&, const LaneCall&);  // lane_integer.cpp
llvm::Value* expand_dp2a(LaneBuilder&, const LaneCall&);  // lane_integer.cpp
llvm::Value* expand_permute(LaneBuilder&, const LaneCall&);  // lane_integer.cpp
llvm::Value* expand_fns(LaneBuilder&, const LaneCall&);  // lane_integer.cpp

// Pieces that several expansions use.

enum class Arithmetic : uint8_t { add, sub, mul, div, fma, sqrt };
/// IEEE operation on f32 or f64 with the given rounding.
llvm::Value* rounded_arithmetic(LaneBuilder&, Arithmetic, Rounding,
                                llvm::ArrayRef<llvm::Value*> arguments);
/// f64 to f32 with the given rounding.
llvm::Value* rounded_narrowing(LaneBuilder&, Rounding, llvm::Value* value);
/// f64 to f32, to odd: a further rounding to a format of at most 22 bits is then as good as one.
llvm::Value* narrowing_to_odd(LaneBuilder&, llvm::Value* value);
/// f32 to bf16 as bits in i16; NaN becomes 0x7fff.
llvm::Value* f32_to_bf16_bits(LaneBuilder&, Rounding, llvm::Value* value);
/// bf16 bits in i16 to f32.
llvm::Value* bf16_bits_to_f32(LaneBuilder&, llvm::Value* bits);
/// Integer to f64: exact up to 32 bits, beyond rounded to odd.
llvm::Value* integer_to_f64_odd(LaneBuilder&, llvm::Value* value, bool is_signed);
/// f32 flush to zero of subnormal values, sign kept.
llvm::Value* flush_subnormal(LaneBuilder&, llvm::Value* value);

/// Rewrites bfloat arithmetic, half fma and f64-to-half narrowing, for which LLVM would call
/// compiler-rt or round twice. lane_small_floats.cpp
void legalize_small_floats(llvm::Module& module, const CpuFeatures& features);

/// Rewrites masked loads, stores, gathers and scatters that x86 lacks. lane_memory.cpp
void legalize_masked_memory(llvm::Module& module, const CpuFeatures& features);

/// Rewrites vector division by a variable, which LLVM would do lane by lane. lane_divide.cpp
void legalize_division(llvm::Module& module, const CpuFeatures& features);

}  // namespace guda::target
