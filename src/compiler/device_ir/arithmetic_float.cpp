// Floating-point arithmetic (PTX ISA 9.7.3 to 9.7.5): f32, f64, f16, bf16 and packed types.
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/float_operations.h"

namespace guda::device_ir {

using llvm::Value;

llvm::Value* flush(Lowering& l, ScalarType type, Value* value) {
  if (type == ScalarType::f32) {
    if (auto* constant = llvm::dyn_cast<llvm::ConstantFP>(value)) {
      if (!constant->getValueAPF().isDenormal()) return value;
      return llvm::ConstantFP::getZero(value->getType(), constant->isNegative());
    }
    return l.call("ptx.ftz.f32", value->getType(), {value});
  }
  if (type == ScalarType::f16 || type == ScalarType::f16x2) {
    Value* magnitude = l.intrinsic(llvm::Intrinsic::fabs, {value});
    Value* smallest = llvm::ConstantFP::get(value->getType(), 0x1p-14);
    Value* small = l.b.CreateFCmpOLT(magnitude, smallest);
    Value* zero = l.intrinsic(llvm::Intrinsic::copysign,
                              {llvm::Constant::getNullValue(value->getType()), value});
    return l.b.CreateSelect(small, zero, value);
  }
  if (type == ScalarType::f32x2) {
    for (uint64_t lane = 0; lane < 2; ++lane) {
      Value* flushed = flush(l, ScalarType::f32, l.b.CreateExtractElement(value, lane));
      value = l.b.CreateInsertElement(value, flushed, lane);
    }
  }
  return value;
}

llvm::Type* arithmetic_type(Lowering& l, ScalarType type) {
  if (type == ScalarType::bf16) return l.b.getFloatTy();
  if (type == ScalarType::bf16x2) return llvm::FixedVectorType::get(l.b.getFloatTy(), 2);
  return l.llvm_type(type);
}

Value* float_in(Lowering& l, size_t index, ScalarType type) {
  if (type == ScalarType::bf16) {
    Value* bits = l.b.CreateZExt(l.in(index, ScalarType::b16), l.b.getInt32Ty());
    return l.b.CreateBitCast(l.b.CreateShl(bits, 16), l.b.getFloatTy());
  }
  if (type == ScalarType::bf16x2) {
    Value* bits = l.in(index, ScalarType::b32);
    Value* low = l.b.CreateBitCast(l.b.CreateShl(bits, 16), l.b.getFloatTy());
    Value* high = l.b.CreateBitCast(l.b.CreateAnd(bits, l.i32(0xffff0000)), l.b.getFloatTy());
    Value* packed = llvm::PoisonValue::get(arithmetic_type(l, type));
    packed = l.b.CreateInsertElement(packed, low, uint64_t{0});
    return l.b.CreateInsertElement(packed, high, uint64_t{1});
  }
  Value* value = l.in(index, type);
  return l.has("ftz") ? flush(l, type, value) : value;
}

Value* round_to_bf16(Lowering& l, Value* value, bool toward_zero) {
  auto& b = l.b;
  llvm::Type* type = value->getType()->getWithNewType(b.getInt32Ty());
  auto constant = [&](uint32_t bits) { return llvm::ConstantInt::get(type, bits); };
  Value* bits = b.CreateBitCast(value, type);
  Value* rounded = bits;
  if (!toward_zero) {
    Value* odd = b.CreateAnd(b.CreateLShr(bits, 16), 1);
    rounded = b.CreateAdd(bits, b.CreateAdd(odd, constant(0x7fff)));
  }
  rounded = b.CreateLShr(rounded, 16);
  Value* is_nan = b.CreateFCmpUNO(value, value);
  rounded = b.CreateSelect(is_nan, constant(0x7fff), rounded);
  return b.CreateTrunc(rounded, type->getWithNewType(b.getInt16Ty()));
}

Value* saturate(Lowering& l, Value* value) {
  Value* positive = l.intrinsic(llvm::Intrinsic::maximumnum,
                                {value, llvm::Constant::getNullValue(value->getType())});
  return l.intrinsic(llvm::Intrinsic::minimumnum,
                     {positive, llvm::ConstantFP::get(value->getType(), 1.0)});
}

void float_out(Lowering& l, ScalarType type, Value* value, bool exact) {
  if (l.has("relu")) {
    value = l.intrinsic(llvm::Intrinsic::maximum,
                        {value, llvm::Constant::getNullValue(value->getType())});
  }
  if (l.has("sat")) value = saturate(l, value);
  if (type == ScalarType::bf16 || type == ScalarType::bf16x2) {
    if (exact) {
      llvm::Type* integer = value->getType()->getWithNewType(l.b.getInt32Ty());
      value = l.b.CreateLShr(l.b.CreateBitCast(value, integer), 16);
      value = l.b.CreateTrunc(value, integer->getWithNewType(l.b.getInt16Ty()));
    } else {
      value = round_to_bf16(l, value);
    }
    if (type == ScalarType::bf16) {
      l.out(0, ScalarType::b16, value);
    } else {
      l.out(0, ScalarType::b32, l.b.CreateBitCast(value, l.b.getInt32Ty()));
    }
    return;
  }
  if (l.has("ftz")) value = flush(l, type, value);
  l.out(0, type, value);
}

std::string_view rounding(Lowering& l) {
  const std::string_view mode = l.one_of("rn rz rm rp");
  return mode.empty() ? "rn" : mode;
}

namespace {

// ptx.<op>.<rounding>.<type> for a directed rounding, lane by lane for packed types.
Value* directed(Lowering& l, std::string_view operation, ScalarType type,
                llvm::ArrayRef<Value*> arguments) {
  const std::string name =
      fmt::format("ptx.{}.{}.{}", operation, rounding(l), ptx::to_string(lane_type(type)));
  llvm::Type* result = l.llvm_type(type);
  if (!is_packed(type)) return l.call(name, result, arguments);
  Value* packed = llvm::PoisonValue::get(result);
  for (uint64_t lane = 0; lane < 2; ++lane) {
    llvm::SmallVector<Value*, 3> parts;
    for (Value* argument : arguments) parts.push_back(l.b.CreateExtractElement(argument, lane));
    packed =
        l.b.CreateInsertElement(packed, l.call(name, l.llvm_type(lane_type(type)), parts), lane);
  }
  return packed;
}

// The result's type is the first modifier type; a second one (add.f32.f16) is that of the first
// operands, converted exactly.
Value* operand_in(Lowering& l, size_t index) {
  const ScalarType to = l.type(0);
  if (l.types.size() < 2 || (l.ast.opcode != "fma" && index == 2) || index == 3) {
    return float_in(l, index, to);
  }
  Value* value = float_in(l, index, l.type(1));
  return value->getType() == l.llvm_type(to) ? value : l.b.CreateFPExt(value, l.llvm_type(to));
}

void lower_add_sub_mul(Lowering& l) {
  const ScalarType type = l.type();
  Value* left = operand_in(l, 1);
  Value* right = operand_in(l, 2);
  Value* result = nullptr;
  if (rounding(l) != "rn") {
    result = directed(l, l.ast.opcode, type, {left, right});
  } else if (l.ast.opcode == "add") {
    result = l.b.CreateFAdd(left, right);
  } else if (l.ast.opcode == "sub") {
    result = l.b.CreateFSub(left, right);
  } else {
    result = l.b.CreateFMul(left, right);
  }
  float_out(l, type, result);
}

// left * right + addend in f32 for a result that is rounded once more: the last bit is set when the
// sum is not exact (round to odd), so that the second rounding sees on which side of a tie it is.
Value* sticky_fma(Lowering& l, Value* left, Value* right, Value* addend) {
  auto& b = l.b;
  Value* product = b.CreateFMul(left, right);  // exact unless it overflows
  Value* sum = l.intrinsic(llvm::Intrinsic::fma, {left, right, addend});
  Value* second = b.CreateFSub(sum, product);
  Value* error =
      b.CreateFAdd(b.CreateFSub(product, b.CreateFSub(sum, second)), b.CreateFSub(addend, second));
  llvm::Type* integer = sum->getType()->getWithNewType(b.getInt32Ty());
  Value* zero = llvm::Constant::getNullValue(integer);
  Value* bits = b.CreateBitCast(sum, integer);
  Value* error_bits = b.CreateBitCast(error, integer);
  // Ordered comparison: infinities make the error NaN and stay as they are.
  Value* inexact = b.CreateFCmpONE(error, llvm::Constant::getNullValue(error->getType()));
  Value* even = b.CreateICmpEQ(b.CreateAnd(bits, 1), zero);
  Value* toward_zero = b.CreateICmpSLT(b.CreateXor(bits, error_bits), zero);
  Value* one = llvm::ConstantInt::get(integer, 1);
  Value* adjusted = b.CreateSelect(toward_zero, b.CreateSub(bits, one), b.CreateAdd(bits, one));
  Value* result = b.CreateSelect(b.CreateAnd(inexact, even), adjusted, bits);
  return b.CreateBitCast(result, sum->getType());
}

void lower_fma(Lowering& l) {
  const ScalarType type = l.type();
  Value* left = operand_in(l, 1);
  Value* right = operand_in(l, 2);
  Value* addend = operand_in(l, 3);
  Value* result = nullptr;
  if (lane_type(type) == ScalarType::bf16) {
    result = sticky_fma(l, left, right, addend);
  } else if (rounding(l) == "rn") {
    result = l.intrinsic(llvm::Intrinsic::fma, {left, right, addend});
  } else {
    result = directed(l, "fma", type, {left, right, addend});
  }
  float_out(l, type, result);
}

void lower_div(Lowering& l) {
  const ScalarType type = l.type();
  Value* left = float_in(l, 1, type);
  Value* right = float_in(l, 2, type);
  Value* result = nullptr;
  if (const std::string_view kind = l.one_of("approx full"); !kind.empty()) {
    result = l.call(fmt::format("ptx.div.{}.f32", kind), left->getType(), {left, right});
  } else if (rounding(l) == "rn") {
    result = l.b.CreateFDiv(left, right);
  } else {
    result = directed(l, "div", type, {left, right});
  }
  float_out(l, type, result);
}

void lower_rcp(Lowering& l) {
  const ScalarType type = l.type();
  Value* value = float_in(l, 1, type);
  Value* result = nullptr;
  if (l.has("approx")) {
    const char* name = type == ScalarType::f64 ? "ptx.rcp.approx.ftz.f64" : "ptx.rcp.approx.f32";
    result = l.call(name, value->getType(), {value});
  } else if (rounding(l) == "rn") {
    result = l.b.CreateFDiv(llvm::ConstantFP::get(value->getType(), 1.0), value);
  } else {
    result = directed(l, "rcp", type, {value});
  }
  float_out(l, type, result);
}

void lower_sqrt(Lowering& l) {
  const ScalarType type = l.type();
  Value* value = float_in(l, 1, type);
  Value* result = nullptr;
  if (l.has("approx")) {
    result = l.call("ptx.sqrt.approx.f32", value->getType(), {value});
  } else if (rounding(l) == "rn") {
    result = l.intrinsic(llvm::Intrinsic::sqrt, {value});
  } else {
    result = directed(l, "sqrt", type, {value});
  }
  float_out(l, type, result);
}

void lower_rsqrt(Lowering& l) {
  const ScalarType type = l.type();
  Value* value = float_in(l, 1, type);
  std::string name = "ptx.rsqrt.approx.f32";
  if (type == ScalarType::f64) {
    name = l.has("ftz") ? "ptx.rsqrt.approx.ftz.f64" : "ptx.rsqrt.approx.f64";
  }
  float_out(l, type, l.call(name, value->getType(), {value}));
}

Value* approximate(Lowering& l, Value* value) {
  return l.call(fmt::format("ptx.{}.approx.f32", l.ast.opcode), l.b.getFloatTy(), {value});
}

void lower_approximate(Lowering& l) {
  const ScalarType type = l.type();
  float_out(l, type, approximate(l, float_in(l, 1, type)));
}

// ex2 and tanh of half types: through f32, which is more accurate than they ask for.
void lower_approximate_half(Lowering& l) {
  const ScalarType type = l.type();
  Value* value = float_in(l, 1, type);
  const bool is_half = lane_type(type) == ScalarType::f16;
  auto one = [&](Value* lane) {
    if (!is_half) return approximate(l, lane);
    return l.b.CreateFPTrunc(approximate(l, l.b.CreateFPExt(lane, l.b.getFloatTy())),
                             l.b.getHalfTy());
  };
  if (!is_packed(type)) {
    float_out(l, type, one(value));
    return;
  }
  Value* packed = llvm::PoisonValue::get(value->getType());
  for (uint64_t lane = 0; lane < 2; ++lane) {
    packed = l.b.CreateInsertElement(packed, one(l.b.CreateExtractElement(value, lane)), lane);
  }
  float_out(l, type, packed);
}

void lower_abs(Lowering& l) {
  float_out(l, l.type(), l.intrinsic(llvm::Intrinsic::fabs, {float_in(l, 1, l.type())}), true);
}

void lower_neg(Lowering& l) {
  float_out(l, l.type(), l.b.CreateFNeg(float_in(l, 1, l.type())), true);
}

void lower_min_max(Lowering& l) {
  const ScalarType type = l.type();
  const bool minimum = l.ast.opcode == "min";
  unsigned id = minimum ? llvm::Intrinsic::minimumnum : llvm::Intrinsic::maximumnum;
  if (l.has("NaN")) id = minimum ? llvm::Intrinsic::minimum : llvm::Intrinsic::maximum;
  Value* left = float_in(l, 1, type);
  Value* right = float_in(l, 2, type);
  Value* sign_source = nullptr;
  const bool xorsign = l.has("xorsign");
  const bool magnitudes = l.has("abs");
  if (xorsign) {
    // The sign is that of the product.
    const unsigned bits = left->getType()->getPrimitiveSizeInBits().getFixedValue();
    llvm::Type* integer = l.b.getIntNTy(bits);
    Value* both =
        l.b.CreateXor(l.b.CreateBitCast(left, integer), l.b.CreateBitCast(right, integer));
    sign_source = l.b.CreateBitCast(both, left->getType());
  }
  auto magnitude = [&](Value* value) {
    return magnitudes ? l.intrinsic(llvm::Intrinsic::fabs, {value}) : value;
  };
  Value* result = l.intrinsic(id, {magnitude(left), magnitude(right)});
  if (l.operand_count() == 4) {
    result = l.intrinsic(id, {result, magnitude(float_in(l, 3, type))});
  }
  if (sign_source != nullptr) {
    result = l.intrinsic(llvm::Intrinsic::copysign, {result, sign_source});
  }
  float_out(l, type, result, true);
}

void lower_copysign(Lowering& l) {
  Value* sign = l.in(1);
  l.out(l.intrinsic(llvm::Intrinsic::copysign, {l.in(2), sign}));
}

// The masks are LLVM's FPClassTest bits; the ISA counts zero among the normal numbers.
void lower_testp(Lowering& l) {
  struct Class {
    std::string_view name;
    unsigned mask;
  };
  constexpr Class kClasses[] = {
      {"finite", llvm::fcFinite},
      {"infinite", llvm::fcInf},
      {"number", llvm::fcFinite | llvm::fcInf},
      {"notanumber", llvm::fcNan},
      {"normal", llvm::fcNormal | llvm::fcZero},
      {"subnormal", llvm::fcSubnormal},
  };
  for (const Class& entry : kClasses) {
    if (!l.has(entry.name)) continue;
    l.out(0, ScalarType::pred, l.b.createIsFPClass(l.in(1), entry.mask));
    return;
  }
  l.fail("unknown property");
}

constexpr Row kRows[] = {
    {"add", "$rnd? ftz? sat? f32", 3, 3, Execution::pure, lower_add_sub_mul},
    {"sub", "$rnd? ftz? sat? f32", 3, 3, Execution::pure, lower_add_sub_mul},
    {"mul", "$rnd? ftz? sat? f32", 3, 3, Execution::pure, lower_add_sub_mul},
    {"add", "$rnd? ftz? f32x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"sub", "$rnd? ftz? f32x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"mul", "$rnd? ftz? f32x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"add", "$rnd? f64", 3, 3, Execution::pure, lower_add_sub_mul},
    {"sub", "$rnd? f64", 3, 3, Execution::pure, lower_add_sub_mul},
    {"mul", "$rnd? f64", 3, 3, Execution::pure, lower_add_sub_mul},
    {"add", "rn? ftz? sat? f16|f16x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"sub", "rn? ftz? sat? f16|f16x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"mul", "rn? ftz? sat? f16|f16x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"add", "rn? bf16|bf16x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"sub", "rn? bf16|bf16x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"mul", "rn? bf16|bf16x2", 3, 3, Execution::pure, lower_add_sub_mul},
    {"add", "$rnd? sat? f32 f16|bf16", 3, 3, Execution::pure, lower_add_sub_mul},
    {"sub", "$rnd? sat? f32 f16|bf16", 3, 3, Execution::pure, lower_add_sub_mul},
    {"fma", "$rnd ftz? sat? f32", 4, 4, Execution::pure, lower_fma},
    {"fma", "$rnd ftz? f32x2", 4, 4, Execution::pure, lower_fma},
    {"fma", "$rnd f64", 4, 4, Execution::pure, lower_fma},
    {"fma", "rn ftz? sat? relu? f16|f16x2", 4, 4, Execution::pure, lower_fma},
    {"fma", "rn relu? bf16|bf16x2", 4, 4, Execution::pure, lower_fma},
    {"fma", "$rnd sat? f32 f16|bf16", 4, 4, Execution::pure, lower_fma},
    {"mad", "$rnd? ftz? sat? f32", 4, 4, Execution::pure, lower_fma},
    {"mad", "$rnd? f64", 4, 4, Execution::pure, lower_fma},
    {"div", "approx|full|rn|rz|rm|rp? ftz? f32", 3, 3, Execution::pure, lower_div},
    {"div", "$rnd? f64", 3, 3, Execution::pure, lower_div},
    {"rcp", "approx|rn|rz|rm|rp ftz? f32|f64", 2, 2, Execution::pure, lower_rcp},
    {"sqrt", "approx|rn|rz|rm|rp ftz? f32", 2, 2, Execution::pure, lower_sqrt},
    {"sqrt", "$rnd f64", 2, 2, Execution::pure, lower_sqrt},
    {"rsqrt", "approx ftz? f32|f64", 2, 2, Execution::pure, lower_rsqrt},
    {"sin", "approx ftz? f32", 2, 2, Execution::pure, lower_approximate},
    {"cos", "approx ftz? f32", 2, 2, Execution::pure, lower_approximate},
    {"lg2", "approx ftz? f32", 2, 2, Execution::pure, lower_approximate},
    {"ex2", "approx ftz? f32", 2, 2, Execution::pure, lower_approximate},
    {"tanh", "approx ftz? f32", 2, 2, Execution::pure, lower_approximate},
    {"ex2", "approx ftz? $half", 2, 2, Execution::pure, lower_approximate_half},
    {"tanh", "approx $half", 2, 2, Execution::pure, lower_approximate_half},
    {"abs", "ftz? f32|f64|f16|f16x2|bf16|bf16x2", 2, 2, Execution::pure, lower_abs},
    {"neg", "ftz? f32|f64|f16|f16x2|bf16|bf16x2", 2, 2, Execution::pure, lower_neg},
    {"min", "ftz? NaN? xorsign? abs? f32", 3, 4, Execution::pure, lower_min_max},
    {"max", "ftz? NaN? xorsign? abs? f32", 3, 4, Execution::pure, lower_min_max},
    {"min", "f64", 3, 3, Execution::pure, lower_min_max},
    {"max", "f64", 3, 3, Execution::pure, lower_min_max},
    {"min", "ftz? NaN? xorsign? abs? $half", 3, 3, Execution::pure, lower_min_max},
    {"max", "ftz? NaN? xorsign? abs? $half", 3, 3, Execution::pure, lower_min_max},
    {"copysign", "f32|f64", 3, 3, Execution::pure, lower_copysign},
    {"testp", "finite|infinite|number|notanumber|normal|subnormal f32|f64", 2, 2, Execution::pure,
     lower_testp},
};

}  // namespace

std::span<const Row> float_rows() { return kRows; }

}  // namespace guda::device_ir
