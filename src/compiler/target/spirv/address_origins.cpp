#include "compiler/target/spirv/address_origins.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Operator.h>

namespace guda::target {

using llvm::cast;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::isa;
using llvm::Value;

namespace {

bool is_shared_pointer(const Value* value) {
  return value->getType()->isPointerTy() &&
         value->getType()->getPointerAddressSpace() == kPtxShared;
}

void merge(AddressOrigin& into, const AddressOrigin& other) {
  into.global |= other.global;
  into.shared |= other.shared;
  into.local |= other.local;
  into.memory |= other.memory;
  into.roots |= other.roots;
}

/// Bits below this are the same in an address of the program and in the device's.
constexpr uint64_t kKeptBits = 128;

bool keeps_low_bits_only(const Instruction& instruction) {
  if (instruction.getOpcode() == Instruction::And)
    if (auto* mask = dyn_cast<llvm::ConstantInt>(instruction.getOperand(1)))
      return mask->getValue().ult(kKeptBits);
  return false;
}

}  // namespace

bool is_parameter_address(const Value* pointer, const llvm::Function& kernel) {
  while (auto* element = dyn_cast<llvm::GEPOperator>(pointer))
    pointer = element->getPointerOperand();
  return kernel.arg_size() > 0 && pointer == kernel.getArg(0);
}

std::optional<uint32_t> parameter_offset(const Value* pointer, const llvm::Function& kernel) {
  llvm::APInt offset(64, 0);
  const Value* base =
      pointer->stripAndAccumulateConstantOffsets(kernel.getDataLayout(), offset, true);
  if (kernel.arg_size() == 0 || base != kernel.getArg(0) || offset.uge(1u << 20))
    return std::nullopt;
  return static_cast<uint32_t>(offset.getZExtValue());
}

Value* accessed_pointer(Instruction& instruction) {
  if (auto* load = dyn_cast<llvm::LoadInst>(&instruction)) return load->getPointerOperand();
  if (auto* store = dyn_cast<llvm::StoreInst>(&instruction)) return store->getPointerOperand();
  if (auto* update = dyn_cast<llvm::AtomicRMWInst>(&instruction))
    return update->getPointerOperand();
  if (auto* exchange = dyn_cast<llvm::AtomicCmpXchgInst>(&instruction))
    return exchange->getPointerOperand();
  return nullptr;
}

AddressOrigins::AddressOrigins(llvm::Function& kernel) : kernel_(kernel) {
  number_roots();
  nothing_.roots.resize(static_cast<unsigned>(roots_.size()));
  // First what is an address for certain; then a loaded value added to one is a distance.
  propagate(false);
  propagate(true);
}

void AddressOrigins::number_roots() {
  for (const llvm::GlobalVariable& variable : kernel_.getParent()->globals()) {
    const unsigned space = variable.getAddressSpace();
    if ((space == kPtxGlobal || space == kPtxConst) && !variable.use_empty())
      roots_.push_back({&variable, 0});
  }
  for (const Instruction& instruction : llvm::instructions(kernel_)) {
    auto* load = dyn_cast<llvm::LoadInst>(&instruction);
    if (!load || !load->getType()->isIntegerTy(64)) continue;
    const auto offset = parameter_offset(load->getPointerOperand(), kernel_);
    if (!offset) continue;
    const bool known = llvm::any_of(
        roots_, [&](const AddressRoot& root) { return !root.variable && root.offset == *offset; });
    if (!known) roots_.push_back({nullptr, *offset});
  }
}

const AddressOrigin& AddressOrigins::of(const Value* value) const {
  const auto known = origins_.find(value);
  return known == origins_.end() ? nothing_ : known->second;
}

void AddressOrigins::propagate(bool memory) {
  for (const llvm::GlobalVariable& variable : kernel_.getParent()->globals())
    origins_[&variable] = compute(variable, memory);
  for (bool changed = true; changed;) {
    changed = false;
    for (const Instruction& instruction : llvm::instructions(kernel_)) {
      for (const llvm::Use& operand : instruction.operands())
        if (auto* expression = dyn_cast<llvm::ConstantExpr>(operand.get()))
          origins_[expression] = compute(*expression, memory);
      AddressOrigin origin = compute(instruction, memory);
      AddressOrigin& old = origins_.try_emplace(&instruction, nothing_).first->second;
      if (origin == old) continue;
      old = std::move(origin);
      changed = true;
    }
  }
}

/// Of a sum: the address's, when only one side is one.
AddressOrigin AddressOrigins::combine(const Value& left, const Value& right, bool memory) const {
  const AddressOrigin& a = of(&left);
  const AddressOrigin& b = of(&right);
  AddressOrigin result = a;
  merge(result, b);
  result.memory = memory && ((a.memory && !b.is_address()) || (b.memory && !a.is_address()));
  return result;
}

AddressOrigin AddressOrigins::compute(const Value& value, bool memory) const {
  AddressOrigin origin = nothing_;
  auto root = [&](auto matches) {
    for (unsigned i = 0; i < roots_.size(); ++i)
      if (matches(roots_[i])) origin.roots.set(i);
    origin.global = true;
  };
  if (auto* variable = dyn_cast<llvm::GlobalVariable>(&value)) {
    if (variable->getAddressSpace() == kPtxShared)
      origin.shared = true;
    else
      root([&](const AddressRoot& r) { return r.variable == variable; });
    return origin;
  }
  const auto* operation = dyn_cast<llvm::Operator>(&value);
  if (!operation) return origin;
  switch (operation->getOpcode()) {
    case Instruction::Load: {
      const Value* pointer = cast<llvm::LoadInst>(operation)->getPointerOperand();
      if (!value.getType()->isIntegerTy(64)) return origin;
      if (const auto offset = parameter_offset(pointer, kernel_))
        root([&](const AddressRoot& r) { return !r.variable && r.offset == *offset; });
      else
        origin.memory = memory;
      return origin;
    }
    case Instruction::AtomicRMW:
    case Instruction::ExtractValue:
    case Instruction::ExtractElement:
      origin.memory = memory && value.getType()->isIntegerTy(64);
      return origin;
    case Instruction::Alloca: origin.local = true; return origin;
    case Instruction::PtrToInt:
      // The offset in the window is not an address.
      return is_shared_pointer(operation->getOperand(0)) ? origin : of(operation->getOperand(0));
    case Instruction::IntToPtr:
      if (!is_shared_pointer(&value)) return of(operation->getOperand(0));
      origin.shared = true;
      return origin;
    case Instruction::AddrSpaceCast:
      if (!is_shared_pointer(&value) && !is_shared_pointer(operation->getOperand(0)))
        return of(operation->getOperand(0));
      origin.shared = true;
      return origin;
    case Instruction::GetElementPtr:
    case Instruction::Freeze: return of(operation->getOperand(0));
    case Instruction::PHI:
      for (const Value* incoming : cast<llvm::PHINode>(operation)->incoming_values())
        merge(origin, of(incoming));
      return origin;
    case Instruction::Select:
      merge(origin, of(operation->getOperand(1)));
      merge(origin, of(operation->getOperand(2)));
      return origin;
    case Instruction::Add:
    case Instruction::Or:
    case Instruction::And:
    case Instruction::Xor:
      return combine(*operation->getOperand(0), *operation->getOperand(1), memory);
    case Instruction::Sub:
      if (of(operation->getOperand(1)).is_address()) return origin;  // a distance
      return combine(*operation->getOperand(0), *operation->getOperand(1), memory);
    case Instruction::Call:
      if (auto* intrinsic = dyn_cast<llvm::IntrinsicInst>(operation)) {
        switch (intrinsic->getIntrinsicID()) {
          case llvm::Intrinsic::umin:
          case llvm::Intrinsic::umax:
          case llvm::Intrinsic::smin:
          case llvm::Intrinsic::smax:
            return combine(*intrinsic->getArgOperand(0), *intrinsic->getArgOperand(1), memory);
          default: break;
        }
      }
      return origin;
    default: return origin;
  }
}

llvm::SmallBitVector AddressOrigins::pointers() const {
  llvm::SmallBitVector result(static_cast<unsigned>(roots_.size()));
  for (Instruction& instruction : llvm::instructions(kernel_))
    if (const Value* pointer = accessed_pointer(instruction))
      if (!is_parameter_address(pointer, kernel_)) result |= of(pointer).roots;
  // An end that a pointer is compared with is one, too.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Instruction& instruction : llvm::instructions(kernel_)) {
      if (!isa<llvm::ICmpInst>(instruction) && instruction.getOpcode() != Instruction::Sub)
        continue;
      llvm::SmallBitVector both = of(instruction.getOperand(0)).roots;
      both |= of(instruction.getOperand(1)).roots;
      if (!both.anyCommon(result)) continue;
      both |= result;
      changed |= both != result;
      result = both;
    }
  }
  return result;
}

llvm::SmallBitVector AddressOrigins::escaping(const llvm::SmallBitVector& pointers) const {
  llvm::SmallBitVector result(static_cast<unsigned>(roots_.size()));
  for (const Instruction& instruction : llvm::instructions(kernel_)) {
    for (const llvm::Use& operand : instruction.operands()) {
      const AddressOrigin& origin = of(operand);
      if (!origin.roots.anyCommon(pointers)) continue;
      bool harmless = of(&instruction).is_address();
      if (auto* store = dyn_cast<llvm::StoreInst>(&instruction))
        harmless = operand.get() == store->getPointerOperand();
      else if (auto* update = dyn_cast<llvm::AtomicRMWInst>(&instruction))
        harmless = operand.get() == update->getPointerOperand();
      else if (auto* exchange = dyn_cast<llvm::AtomicCmpXchgInst>(&instruction))
        harmless = operand.get() == exchange->getPointerOperand();
      else if (isa<llvm::LoadInst, llvm::BranchInst, llvm::ReturnInst>(instruction))
        harmless = true;
      else if (isa<llvm::ICmpInst>(instruction) || instruction.getOpcode() == Instruction::Sub) {
        const Value* other = instruction.getOperand(operand.getOperandNo() == 0 ? 1 : 0);
        harmless = isa<llvm::Constant>(other) || of(other).is_address() ||
                   (instruction.getOpcode() == Instruction::Sub && operand.getOperandNo() == 0);
      } else if (instruction.getOpcode() == Instruction::Trunc) {
        harmless = llvm::all_of(instruction.users(), [](const llvm::User* user) {
          return keeps_low_bits_only(*cast<Instruction>(user));
        });
      }
      if (!harmless) result |= origin.roots;
    }
  }
  result &= pointers;
  return result;
}

}  // namespace guda::target
