// Builds the same computation for one lane (scalar types) or for a vector of lanes.
#pragma once

#include <llvm/ADT/ArrayRef.h>
#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>

#include <cstdint>

namespace llvm {
class TargetMachine;
}

namespace guda::target {

/// What the expansions ask about the machine.
struct CpuFeatures {
  bool avx512 = false;  // F, BW, DQ, VL, CD
  bool vnni = false;    // vpdpbusd on 512-bit registers
  bool fp16 = false;    // half arithmetic
  bool portable = false;  // scalar code for another machine: no x86 instructions
};

CpuFeatures cpu_features(const llvm::TargetMachine& machine);

/// PTX .rn, .rm, .rp, .rz; the values are x86's rounding control.
enum class Rounding : uint8_t { nearest = 0, down = 1, up = 2, zero = 3 };

/// An IRBuilder with a number of lanes: 0 for scalar values, N for <N x T>.
class LaneBuilder : public llvm::IRBuilder<> {
 public:
  LaneBuilder(llvm::Instruction* at, unsigned lanes, const CpuFeatures& features)
      : llvm::IRBuilder<>(at), lanes_(lanes), features_(features) {}

  unsigned lanes() const { return lanes_; }
  const CpuFeatures& features() const { return features_; }

  /// `element`, or a vector of it.
  llvm::Type* shaped(llvm::Type* element) const;
  llvm::Type* i8() { return shaped(getInt8Ty()); }
  llvm::Type* i16() { return shaped(getInt16Ty()); }
  llvm::Type* i32() { return shaped(getInt32Ty()); }
  llvm::Type* i64() { return shaped(getInt64Ty()); }
  llvm::Type* f32() { return shaped(getFloatTy()); }
  llvm::Type* f64() { return shaped(getDoubleTy()); }
  /// Integer of the same width as `value`, same shape.
  llvm::Type* bits_type(llvm::Value* value);

  llvm::Value* f32_constant(float value);
  llvm::Value* f64_constant(double value);
  /// Splat of `value` in the type of `like` (integer or floating point).
  llvm::Value* number(llvm::Value* like, double value);
  llvm::Value* integer(llvm::Type* type, uint64_t value);
  llvm::Value* i32_constant(uint32_t value) { return integer(i32(), value); }

  llvm::Value* to_bits(llvm::Value* value) { return CreateBitCast(value, bits_type(value)); }
  llvm::Value* as_f32(llvm::Value* bits) { return CreateBitCast(bits, f32()); }
  llvm::Value* as_f64(llvm::Value* bits) { return CreateBitCast(bits, f64()); }
  llvm::Value* fma(llvm::Value* a, llvm::Value* b, llvm::Value* c);
  llvm::Value* fabs(llvm::Value* a) { return CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a); }
  llvm::Value* is_nan(llvm::Value* a) { return CreateFCmpUNO(a, a); }
  /// x[0] + x[1] * v + ... by Horner's scheme with fma.
  llvm::Value* polynomial(llvm::Value* v, llvm::ArrayRef<double> coefficients);

  using Native = llvm::function_ref<llvm::Value*(llvm::ArrayRef<llvm::Value*>)>;
  /// Applies `operation`, which takes and returns vectors of exactly `width` lanes, to values of
  /// this builder's shape: cut into pieces, the last one padded with poison.
  llvm::Value* in_pieces(unsigned width, llvm::ArrayRef<llvm::Value*> values, Native operation);

  llvm::Value* x86(llvm::Intrinsic::ID id, llvm::ArrayRef<llvm::Value*> arguments) {
    return CreateIntrinsic(id, {}, arguments);
  }

 private:
  unsigned lanes_;
  const CpuFeatures& features_;
};

}  // namespace guda::target
