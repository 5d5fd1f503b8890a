#include "compiler/target/address_residue.h"

#include <llvm/ADT/MapVector.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Operator.h>
#include <llvm/Support/KnownBits.h>

#include <tuple>

namespace guda::target {

using llvm::dyn_cast;
using llvm::Instruction;
using llvm::Value;

namespace {

constexpr unsigned kSearchLimit = 100;  // values looked at for one address
constexpr size_t kMaxTerms = 3;  // more are dearer to add up than the address itself

bool keeps_low_bits(const llvm::Type* type) {
  return type->isPointerTy() || (type->isIntegerTy() && type->getIntegerBitWidth() >= 8);
}

}  // namespace

AddressResidue::AddressResidue(Value* address, uint64_t alignment, const llvm::DataLayout& layout)
    : AddressResidue(alignment, layout) {
  unsigned steps = kSearchLimit;
  steps_left_ = &steps;
  add(address, 0);
  if (terms_.size() > kMaxTerms) {
    terms_.clear();
    constant_ = 0;
    add_term({address, 0});
  }
  steps_left_ = nullptr;
}

bool AddressResidue::is_multiple(const Value* value, unsigned shift) const {
  const unsigned zeros = llvm::computeKnownBits(value, *layout_).countMinTrailingZeros();
  return zeros + shift >= llvm::Log2_64(alignment_);
}

void AddressResidue::add_constant(uint64_t value) {
  constant_ = (constant_ + value) & (alignment_ - 1);
}

void AddressResidue::add_term(Term term) {
  const auto key = [](const Term& t) { return std::tuple(t.value, t.shift); };
  auto* place = llvm::lower_bound(terms_, term,
                                  [&](const Term& a, const Term& b) { return key(a) < key(b); });
  terms_.insert(place, term);
}

void AddressResidue::add(Value* value, unsigned shift) {
  if (shift >= llvm::Log2_64(alignment_)) return;
  if (const auto* constant = dyn_cast<llvm::ConstantInt>(value)) {
    add_constant(
        constant->getValue().extractBitsAsZExtValue(std::min(8u, constant->getBitWidth()), 0)
        << shift);
    return;
  }
  if (is_multiple(value, shift)) return;
  if (*steps_left_ > 0) {
    --*steps_left_;
    if (add_parts(value, shift)) return;
  }
  add_term({value, shift});
}

bool AddressResidue::add_parts(Value* value, unsigned shift) {
  if (auto* gep = dyn_cast<llvm::GEPOperator>(value)) {
    llvm::SmallMapVector<Value*, llvm::APInt, 4> scales;
    llvm::APInt offset(64, 0);
    if (!gep->collectOffset(*layout_, 64, scales, offset)) return false;
    for (const auto& [index, scale] : scales) {
      if (!scale.isPowerOf2() && !is_multiple(index, shift + scale.countr_zero())) return false;
    }
    add(gep->getPointerOperand(), shift);
    for (const auto& [index, scale] : scales) add(index, shift + scale.countr_zero());
    add_constant(offset.getZExtValue() << shift);
    return true;
  }
  auto* instruction = dyn_cast<Instruction>(value);
  if (instruction == nullptr) return false;
  switch (instruction->getOpcode()) {
    case Instruction::IntToPtr:
    case Instruction::PtrToInt:
    case Instruction::SExt:
    case Instruction::ZExt:
    case Instruction::Trunc:
      if (!keeps_low_bits(instruction->getType()) ||
          !keeps_low_bits(instruction->getOperand(0)->getType())) {
        return false;
      }
      add(instruction->getOperand(0), shift);
      return true;
    case Instruction::Or:
      if (!llvm::cast<llvm::PossiblyDisjointInst>(instruction)->isDisjoint()) return false;
      [[fallthrough]];
    case Instruction::Add:
      add(instruction->getOperand(0), shift);
      add(instruction->getOperand(1), shift);
      return true;
    case Instruction::Sub:
      if (!is_multiple(instruction->getOperand(1), shift)) return false;
      add(instruction->getOperand(0), shift);
      return true;
    case Instruction::Shl: {
      const auto* amount = dyn_cast<llvm::ConstantInt>(instruction->getOperand(1));
      if (amount == nullptr || !amount->getValue().ult(64)) return false;
      add(instruction->getOperand(0), shift + static_cast<unsigned>(amount->getZExtValue()));
      return true;
    }
    case Instruction::PHI: return add_phi(*llvm::cast<llvm::PHINode>(instruction), shift);
    default: return false;
  }
}

bool AddressResidue::add_phi(llvm::PHINode& phi, unsigned shift) {
  // By induction: the phi's residue is R when every incoming value's is R or that of the phi itself.
  if (llvm::is_contained(open_phis_, &phi)) return false;
  AddressResidue itself(alignment_, *layout_);
  itself.add_term({&phi, shift});
  std::optional<AddressResidue> common;
  for (Value* incoming : phi.incoming_values()) {
    AddressResidue next(alignment_, *layout_);
    next.steps_left_ = steps_left_;
    next.open_phis_ = open_phis_;
    next.open_phis_.push_back(&phi);
    next.add(incoming, shift);
    if (next == itself) continue;
    if (common && !(*common == next)) return false;
    common = std::move(next);
  }
  if (!common || common->terms_.size() > kMaxTerms) return false;
  // A term that belongs to the loop is not there yet when the loop starts.
  for (const Term& term : common->terms_)
    if (term.value == &phi) return false;
  for (const Term& term : common->terms_) add_term(term);
  add_constant(common->constant_);
  return true;
}

Value* AddressResidue::emit(llvm::IRBuilderBase& builder) const {
  Value* sum = nullptr;
  for (const Term& term : terms_) {
    Value* part = term.value->getType()->isPointerTy()
                      ? builder.CreatePtrToInt(term.value, builder.getInt32Ty())
                      : builder.CreateZExtOrTrunc(term.value, builder.getInt32Ty());
    if (term.shift != 0) part = builder.CreateShl(part, term.shift);
    sum = sum == nullptr ? part : builder.CreateAdd(sum, part);
  }
  Value* constant = builder.getInt32(static_cast<uint32_t>(constant_));
  if (sum == nullptr) return constant;
  return constant_ == 0 ? sum : builder.CreateAdd(sum, constant);
}

}  // namespace guda::target
