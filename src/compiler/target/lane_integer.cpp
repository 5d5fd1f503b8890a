// Byte permutation and dot products of packed integers.
#include <llvm/IR/Constants.h>
#include <llvm/IR/IntrinsicsX86.h>

#include "compiler/target/lane_ops.h"

namespace guda::target {
namespace {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

std::optional<uint64_t> constant_splat(Value* value) {
  auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  if (!constant) return std::nullopt;
  if (constant->getType()->isVectorTy()) constant = constant->getSplatValue();
  auto* number = llvm::dyn_cast_or_null<llvm::ConstantInt>(constant);
  if (!number) return std::nullopt;
  return number->getZExtValue();
}

/// Selector nibble `position` of the special prmt modes (PTX ISA, "prmt"), from the low bits of c.
Value* mode_nibble(LaneBuilder& b, llvm::StringRef mode, Value* c, unsigned position) {
  Value* low = b.CreateAnd(c, b.i32_constant(3));
  Value* index = b.i32_constant(position);
  if (mode == "f4e") return b.CreateAdd(low, index);
  if (mode == "b4e") return b.CreateAnd(b.CreateSub(low, index), b.i32_constant(7));
  if (mode == "rc8") return low;
  if (mode == "ecl") return b.CreateBinaryIntrinsic(Intrinsic::umax, low, index);
  if (mode == "ecr") return b.CreateBinaryIntrinsic(Intrinsic::umin, low, index);
  if (mode == "rc16")
    return b.CreateAdd(b.CreateShl(b.CreateAnd(c, b.i32_constant(1)), b.i32_constant(1)),
                       b.i32_constant(position & 1));
  return nullptr;
}

/// The byte that a selector nibble names, in the low bits; others zero.
Value* selected_byte(LaneBuilder& b, Value* pair, Value* nibble, bool may_replicate_sign) {
  Value* shift = b.CreateShl(b.CreateAnd(nibble, b.i32_constant(7)), b.i32_constant(3));
  Value* byte = b.CreateTrunc(b.CreateLShr(pair, b.CreateZExt(shift, b.i64())), b.i32());
  byte = b.CreateAnd(byte, b.i32_constant(0xff));
  if (!may_replicate_sign) return byte;
  Value* sign = b.CreateAnd(b.CreateAShr(b.CreateShl(byte, b.i32_constant(24)), b.i32_constant(31)),
                            b.i32_constant(0xff));
  Value* replicate = b.CreateICmpNE(b.CreateAnd(nibble, b.i32_constant(8)), b.i32_constant(0));
  return b.CreateSelect(replicate, sign, byte);
}

/// Constant selector on vectors without sign replication: one byte shuffle.
Value* shuffle_bytes(LaneBuilder& b, Value* x, Value* y, uint64_t selector) {
  const unsigned bytes = b.lanes() * 4;
  auto* type = llvm::FixedVectorType::get(b.getInt8Ty(), bytes);
  llvm::SmallVector<int> mask;
  for (unsigned lane = 0; lane < b.lanes(); ++lane) {
    for (unsigned position = 0; position < 4; ++position) {
      const unsigned nibble = static_cast<unsigned>(selector >> (4 * position)) & 7;
      mask.push_back(static_cast<int>(lane * 4 + (nibble & 3) + (nibble & 4 ? bytes : 0)));
    }
  }
  Value* shuffled = b.CreateShuffleVector(b.CreateBitCast(x, type), b.CreateBitCast(y, type), mask);
  return b.CreateBitCast(shuffled, b.i32());
}

bool is_signed_type(llvm::StringRef type) { return type.starts_with("s"); }

/// Bytes or halves number `index` of every lane, extended to i32.
Value* element(LaneBuilder& b, Value* packed, unsigned index, unsigned bits, bool is_signed) {
  Value* up = b.CreateShl(packed, b.i32_constant(32 - bits * (index + 1)));
  return is_signed ? b.CreateAShr(up, b.i32_constant(32 - bits))
                   : b.CreateLShr(up, b.i32_constant(32 - bits));
}

/// sum += a.u8[i] * b.s8[i] over the four bytes of a lane.
Value* vnni(LaneBuilder& b, Value* sum, Value* unsigned_bytes, Value* signed_bytes) {
  return b.in_pieces(16, {sum, unsigned_bytes, signed_bytes}, [&](llvm::ArrayRef<Value*> v) {
    auto* bytes = llvm::FixedVectorType::get(b.getInt8Ty(), 64);
    return b.x86(Intrinsic::x86_avx512_vpdpbusd_512,
                 {v[0], b.CreateBitCast(v[1], bytes), b.CreateBitCast(v[2], bytes)});
  });
}

Value* dp4a_vnni(LaneBuilder& b, Value* x, Value* y, Value* sum, bool x_signed, bool y_signed) {
  if (x_signed && !y_signed) {
    std::swap(x, y);
    std::swap(x_signed, y_signed);
  }
  Value* flip = b.i32_constant(0x80808080);
  if (!x_signed && y_signed) return vnni(b, sum, x, y);
  if (x_signed) {  // (x + 128) * y - 128 * y; -128 * y = (x = 128 as unsigned) subtracted
    Value* offset = vnni(b, b.i32_constant(0), flip, y);
    return b.CreateSub(vnni(b, sum, b.CreateXor(x, flip), y), offset);
  }
  // x * (y - 128) + 128 * x, the latter as 2 * (64 * x)
  Value* result = vnni(b, sum, x, b.CreateXor(y, flip));
  Value* sixty_four = b.i32_constant(0x40404040);
  return vnni(b, vnni(b, result, x, sixty_four), x, sixty_four);
}

}  // namespace

Value* expand_prmt(LaneBuilder& b, const LaneCall& call) {
  if (call.arguments.size() != 3 || !call.result->isIntOrIntVectorTy(32)) return nullptr;
  Value* x = call.arguments[0];
  Value* y = call.arguments[1];
  Value* c = call.arguments[2];
  const llvm::StringRef mode = call.type();
  const bool general = mode == "b32";
  const auto selector = constant_splat(c);
  const bool replicates = general && !(selector && (*selector & 0x8888) == 0);
  if (general && b.lanes() && selector && !replicates) return shuffle_bytes(b, x, y, *selector);

  Value* pair = b.CreateOr(b.CreateZExt(x, b.i64()),
                           b.CreateShl(b.CreateZExt(y, b.i64()), b.integer(b.i64(), 32)));
  Value* result = nullptr;
  for (unsigned position = 0; position < 4; ++position) {
    Value* nibble =
        general ? b.CreateAnd(b.CreateLShr(c, b.i32_constant(4 * position)), b.i32_constant(15))
                : mode_nibble(b, mode, c, position);
    if (!nibble) return nullptr;
    Value* byte =
        b.CreateShl(selected_byte(b, pair, nibble, replicates), b.i32_constant(8 * position));
    result = result ? b.CreateOr(result, byte) : byte;
  }
  return result;
}

/// dp4a.<type of a>.<type of b>(a, b, c)
Value* expand_dp4a(LaneBuilder& b, const LaneCall& call) {
  if (call.parts.size() < 3 || call.arguments.size() != 3) return nullptr;
  const bool x_signed = is_signed_type(call.parts[1]);
  const bool y_signed = is_signed_type(call.parts[2]);
  Value* x = call.arguments[0];
  Value* y = call.arguments[1];
  Value* sum = call.arguments[2];
  if (b.lanes() && b.features().vnni) return dp4a_vnni(b, x, y, sum, x_signed, y_signed);
  if (b.lanes()) {
    // Even and odd bytes as 16-bit numbers, multiplied and added in pairs by vpmaddwd.
    const unsigned width = b.features().avx512 ? 16 : 8;
    return b.in_pieces(width, {x, y, sum}, [&](llvm::ArrayRef<Value*> v) {
      auto* words = llvm::FixedVectorType::get(b.getInt16Ty(), width * 2);
      Value* eight = llvm::ConstantInt::get(words, 8);
      auto odd = [&](Value* value, bool is_signed) {
        return is_signed ? b.CreateAShr(value, eight) : b.CreateLShr(value, eight);
      };
      auto even = [&](Value* value, bool is_signed) {
        return odd(b.CreateShl(value, eight), is_signed);
      };
      Value* left = b.CreateBitCast(v[0], words);
      Value* right = b.CreateBitCast(v[1], words);
      const auto multiply_add =
          width == 16 ? Intrinsic::x86_avx512_pmaddw_d_512 : Intrinsic::x86_avx2_pmadd_wd;
      Value* result =
          b.CreateAdd(v[2], b.x86(multiply_add, {even(left, x_signed), even(right, y_signed)}));
      return b.CreateAdd(result, b.x86(multiply_add, {odd(left, x_signed), odd(right, y_signed)}));
    });
  }
  for (unsigned i = 0; i < 4; ++i)
    sum =
        b.CreateAdd(sum, b.CreateMul(element(b, x, i, 8, x_signed), element(b, y, i, 8, y_signed)));
  return sum;
}

/// permute.b32(values, indices): lane i gets values[indices[i] mod lanes]. Not a PTX instruction: the
/// vectoriser's shuffles with computed lanes.
Value* expand_permute(LaneBuilder& b, const LaneCall& call) {
  const unsigned lanes = b.lanes();
  if (lanes == 0) return call.arguments[0];
  Value* values = call.arguments[0];
  Value* indices = call.arguments[1];
  auto slice = [&](Value* vector, unsigned first, unsigned count) {
    llvm::SmallVector<int> mask;
    for (unsigned i = 0; i < count; ++i) mask.push_back(static_cast<int>(first + i));
    return b.CreateShuffleVector(vector, mask);
  };
  if (b.features().avx512 && lanes == 32) {
    Value* low = slice(values, 0, 16);
    Value* high = slice(values, 16, 16);
    return b.in_pieces(16, {indices}, [&](llvm::ArrayRef<Value*> pieces) {
      return b.x86(Intrinsic::x86_avx512_vpermi2var_d_512, {low, pieces[0], high});
    });
  }
  if (b.features().avx512 && lanes == 16)
    return b.x86(Intrinsic::x86_avx512_permvar_si_512, {values, indices});
  if (lanes % 8 == 0 && lanes <= 32) {
    // Every register of eight, permuted alike, then the one that holds the lane.
    return b.in_pieces(8, {indices}, [&](llvm::ArrayRef<Value*> pieces) {
      Value* which = b.CreateAnd(b.CreateLShr(pieces[0], b.number(pieces[0], 3)),
                                 b.number(pieces[0], lanes / 8 - 1));
      Value* result = nullptr;
      for (unsigned part = 0; part < lanes / 8; ++part) {
        Value* moved = b.x86(Intrinsic::x86_avx2_permd, {slice(values, part * 8, 8), pieces[0]});
        result = result
                     ? b.CreateSelect(b.CreateICmpEQ(which, b.number(which, part)), moved, result)
                     : moved;
      }
      return result;
    });
  }
  Value* result = llvm::PoisonValue::get(values->getType());
  for (unsigned lane = 0; lane < lanes; ++lane) {
    Value* index = b.CreateURem(b.CreateExtractElement(indices, lane), b.getInt32(lanes));
    result = b.CreateInsertElement(result, b.CreateExtractElement(values, index), lane);
  }
  return result;
}

/// fns.b32(mask, base, offset): position of the offset-th set bit from base upwards (offset > 0) or
/// downwards (< 0), base included; offset 0: base if its bit is set. All ones when there is none.
Value* expand_fns(LaneBuilder& b, const LaneCall& call) {
  if (b.lanes() || call.arguments.size() != 3) return nullptr;  // lane by lane
  Value* mask = call.arguments[0];
  Value* base = b.CreateAnd(call.arguments[1], b.getInt32(31));
  Value* offset = call.arguments[2];
  Value* downwards = b.CreateICmpSLT(offset, b.getInt32(0));
  Value* ones = b.getInt32(0xffffffff);
  // Downwards is upwards in the mirrored word.
  Value* word =
      b.CreateSelect(downwards, b.CreateUnaryIntrinsic(Intrinsic::bitreverse, mask), mask);
  Value* start = b.CreateSelect(downwards, b.CreateSub(b.getInt32(31), base), base);
  word = b.CreateAnd(word, b.CreateShl(ones, start));
  Value* rank =
      b.CreateSub(b.CreateBinaryIntrinsic(Intrinsic::abs, offset, b.getFalse()), b.getInt32(1));
  Value* found = b.CreateICmpULT(rank, b.CreateUnaryIntrinsic(Intrinsic::ctpop, word));
  Value* bit = b.x86(Intrinsic::x86_bmi_pdep_32,
                     {b.CreateShl(b.getInt32(1), b.CreateAnd(rank, b.getInt32(31))), word});
  Value* position = b.CreateBinaryIntrinsic(Intrinsic::cttz, bit, b.getFalse());
  position = b.CreateSelect(downwards, b.CreateSub(b.getInt32(31), position), position);
  Value* at_base =
      b.CreateICmpNE(b.CreateAnd(mask, b.CreateShl(b.getInt32(1), base)), b.getInt32(0));
  Value* here = b.CreateSelect(at_base, base, ones);
  return b.CreateSelect(b.CreateICmpEQ(offset, b.getInt32(0)), here,
                        b.CreateSelect(found, position, ones));
}

/// dp2a.<lo|hi>.<type of a>.<type of b>(a, b, c): two halves of a times two bytes of b. The mode may
/// stand anywhere in the name.
Value* expand_dp2a(LaneBuilder& b, const LaneCall& call) {
  llvm::SmallVector<bool> types;
  for (llvm::StringRef part : call.parts)
    if (part == "u32" || part == "s32") types.push_back(is_signed_type(part));
  if (types.size() != 2 || call.arguments.size() != 3) return nullptr;
  const unsigned first = call.has("hi") ? 2 : 0;
  Value* sum = call.arguments[2];
  for (unsigned i = 0; i < 2; ++i)
    sum = b.CreateAdd(sum, b.CreateMul(element(b, call.arguments[0], i, 16, types[0]),
                                       element(b, call.arguments[1], first + i, 8, types[1])));
  return sum;
}

}  // namespace guda::target
