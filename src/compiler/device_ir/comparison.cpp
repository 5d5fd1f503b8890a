// Comparison and selection (PTX ISA 9.7.6 and 9.7.7).
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/float_operations.h"

namespace guda::device_ir {
namespace {

using llvm::CmpInst;
using llvm::Value;

struct Comparison {
  std::string_view name;
  CmpInst::Predicate floating;
  CmpInst::Predicate with_sign;
  CmpInst::Predicate without_sign;
};

constexpr CmpInst::Predicate kNone = CmpInst::BAD_ICMP_PREDICATE;

constexpr Comparison kComparisons[] = {
    {"eq", CmpInst::FCMP_OEQ, CmpInst::ICMP_EQ, CmpInst::ICMP_EQ},
    {"ne", CmpInst::FCMP_ONE, CmpInst::ICMP_NE, CmpInst::ICMP_NE},
    {"lt", CmpInst::FCMP_OLT, CmpInst::ICMP_SLT, CmpInst::ICMP_ULT},
    {"le", CmpInst::FCMP_OLE, CmpInst::ICMP_SLE, CmpInst::ICMP_ULE},
    {"gt", CmpInst::FCMP_OGT, CmpInst::ICMP_SGT, CmpInst::ICMP_UGT},
    {"ge", CmpInst::FCMP_OGE, CmpInst::ICMP_SGE, CmpInst::ICMP_UGE},
    {"lo", kNone, CmpInst::ICMP_ULT, CmpInst::ICMP_ULT},
    {"ls", kNone, CmpInst::ICMP_ULE, CmpInst::ICMP_ULE},
    {"hi", kNone, CmpInst::ICMP_UGT, CmpInst::ICMP_UGT},
    {"hs", kNone, CmpInst::ICMP_UGE, CmpInst::ICMP_UGE},
    {"equ", CmpInst::FCMP_UEQ, kNone, kNone},
    {"neu", CmpInst::FCMP_UNE, kNone, kNone},
    {"ltu", CmpInst::FCMP_ULT, kNone, kNone},
    {"leu", CmpInst::FCMP_ULE, kNone, kNone},
    {"gtu", CmpInst::FCMP_UGT, kNone, kNone},
    {"geu", CmpInst::FCMP_UGE, kNone, kNone},
    {"num", CmpInst::FCMP_ORD, kNone, kNone},
    {"nan", CmpInst::FCMP_UNO, kNone, kNone},
};

// Compares operands 1 and 2 as `type`; an i1, or <2 x i1> for packed types.
Value* compare(Lowering& l, ScalarType type) {
  const Comparison* comparison = nullptr;
  for (std::string_view modifier : l.ast.modifiers) {
    for (const Comparison& entry : kComparisons) {
      if (comparison == nullptr && entry.name == modifier) comparison = &entry;
    }
  }
  const CmpInst::Predicate predicate = comparison == nullptr ? kNone
                                       : is_float(type)      ? comparison->floating
                                       : is_signed(type)     ? comparison->with_sign
                                                             : comparison->without_sign;
  if (predicate == kNone) {
    l.fail("this comparison does not exist for this type");
    return llvm::PoisonValue::get(l.b.getInt1Ty());
  }
  if (is_float(type)) {
    Value* left = float_in(l, 1, type);
    return l.b.CreateFCmp(predicate, left, float_in(l, 2, type));
  }
  Value* left = l.in(1, type);
  return l.b.CreateICmp(predicate, left, l.in(2, type));
}

// The optional combination with predicate operand `index`.
Value* combine(Lowering& l, Value* predicate, size_t index) {
  if (l.operand_count() <= index) return predicate;
  Value* other = l.in(index, ScalarType::pred);
  if (l.has("and")) return l.b.CreateAnd(predicate, other);
  if (l.has("or")) return l.b.CreateOr(predicate, other);
  if (l.has("xor")) return l.b.CreateXor(predicate, other);
  l.fail("a fourth operand needs .and, .or or .xor");
  return predicate;
}

void lower_setp(Lowering& l) {
  const ScalarType type = l.type();
  Value* result = compare(l, type);
  if (l.fn.failed()) return;
  if (is_packed(type)) {
    // p|q: one predicate per lane.
    Value* low = l.b.CreateExtractElement(result, uint64_t{0});
    Value* high = l.b.CreateExtractElement(result, uint64_t{1});
    l.out_pair(0, ScalarType::pred, combine(l, low, 3), combine(l, high, 3));
    return;
  }
  // p|q: the comparison and its complement.
  Value* complement = l.b.CreateNot(result);
  l.out_pair(0, ScalarType::pred, combine(l, result, 3), combine(l, complement, 3));
}

// set: all ones for an integer result, 1.0 for a floating one.
void lower_set(Lowering& l) {
  const ScalarType to = l.type(0);
  const ScalarType from = l.type(1);
  Value* result = compare(l, from);
  if (l.fn.failed()) return;
  if (is_packed(from)) {
    Value* packed = result;
    for (uint64_t lane = 0; lane < 2; ++lane) {
      Value* part = combine(l, l.b.CreateExtractElement(result, lane), 3);
      packed = l.b.CreateInsertElement(packed, part, lane);
    }
    if (is_float(to)) {
      float_out(l, to, l.b.CreateUIToFP(packed, arithmetic_type(l, to)), true);
    } else {
      // f16x2 compared into u32: a 16-bit mask per lane.
      auto* lanes = llvm::FixedVectorType::get(l.b.getInt16Ty(), 2);
      l.out(0, to, l.b.CreateBitCast(l.b.CreateSExt(packed, lanes), l.llvm_type(to)));
    }
    return;
  }
  result = combine(l, result, 3);
  if (is_float(to)) {
    float_out(l, to, l.b.CreateUIToFP(result, arithmetic_type(l, to)), true);
  } else {
    l.out(0, to, l.b.CreateSExt(result, l.llvm_type(to)));
  }
}

void lower_selp(Lowering& l) {
  Value* chosen = l.in(1);
  Value* other = l.in(2);
  l.out(l.b.CreateSelect(l.in(3, ScalarType::pred), chosen, other));
}

void lower_slct(Lowering& l) {
  const ScalarType condition = l.type(1);
  Value* selector = is_float(condition) ? float_in(l, 3, condition) : l.in(3, condition);
  Value* zero = llvm::Constant::getNullValue(selector->getType());
  Value* not_negative =
      is_float(condition) ? l.b.CreateFCmpOGE(selector, zero) : l.b.CreateICmpSGE(selector, zero);
  Value* chosen = l.in(1);
  l.out(l.b.CreateSelect(not_negative, chosen, l.in(2)));
}

constexpr Row kRows[] = {
    {"setp", "$cmp $bool? ftz? $any|f16|f16x2|bf16|bf16x2", 3, 4, Execution::pure, lower_setp},
    {"set",
     "$cmp $bool? ftz? u32|s32|f32|u16|s16|f16|f16x2|bf16|bf16x2 "
     "$any|f16|f16x2|bf16|bf16x2",
     3, 4, Execution::pure, lower_set},
    {"selp", "$any|f16|f16x2|bf16|bf16x2", 4, 4, Execution::pure, lower_selp},
    {"slct", "ftz? $any s32|f32", 4, 4, Execution::pure, lower_slct},
};

}  // namespace

std::span<const Row> comparison_rows() { return kRows; }

}  // namespace guda::device_ir
