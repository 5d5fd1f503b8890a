#include "compiler/access/address_escape.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/DataLayout.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <map>
#include <variant>

namespace guda::access {
namespace {

/// Memory is mapped in pages of at least this size on both sides, so the lower bits of an address are the same.
constexpr unsigned kPageBits = 12;

class Escape {
 public:
  Escape(llvm::Function& kernel, std::span<const uint32_t> offsets)
      : kernel_(kernel), layout_(kernel.getParent()->getDataLayout()), offsets_(offsets) {}

  bool run() {
    for (bool changed = true; changed;) {
      changed = false;
      for (llvm::Instruction& instruction : llvm::instructions(kernel_)) {
        if (given_away(instruction)) return true;
        const uint64_t bases = bases_of(instruction);
        uint64_t& known = known_[&instruction];
        changed |= (known | bases) != known;
        known |= bases;
      }
    }
    return false;
  }

 private:
  /// One bit for each pointer that the value depends on; more than 63 pointers share the last one.
  uint64_t bases(const llvm::Value* value) {
    if (const auto* global = llvm::dyn_cast<llvm::GlobalVariable>(value))
      return global->getAddressSpace() == 3 ? 0 : bit(global);
    if (const auto* constant = llvm::dyn_cast<llvm::ConstantExpr>(value)) {
      uint64_t result = 0;
      for (const llvm::Use& operand : constant->operands()) result |= bases(operand);
      return result;
    }
    const auto found = known_.find(value);
    return found == known_.end() ? 0 : found->second;
  }

  /// For a parameter's offset or a variable.
  uint64_t bit(std::variant<uint32_t, const llvm::GlobalVariable*> base) {
    const auto [found, inserted] = numbers_.try_emplace(base, numbers_.size());
    return uint64_t{1} << std::min<size_t>(found->second, 63);
  }

  uint64_t bases_of(const llvm::Instruction& instruction) {
    if (instruction.getType()->isVoidTy() || llvm::isa<llvm::CmpInst>(instruction)) return 0;
    if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) return parameter(*load);
    if (llvm::isa<llvm::AtomicRMWInst, llvm::AtomicCmpXchgInst>(instruction)) return 0;
    if (const auto* select = llvm::dyn_cast<llvm::SelectInst>(&instruction))
      return bases(select->getTrueValue()) | bases(select->getFalseValue());
    uint64_t result = 0;
    for (const llvm::Use& operand : instruction.operands()) result |= bases(operand);
    if (result == 0) return 0;
    switch (instruction.getOpcode()) {
      case llvm::Instruction::Sub:
        // The distance of two places in one allocation.
        if (bases(instruction.getOperand(0)) == bases(instruction.getOperand(1)) &&
            (result & (result - 1)) == 0 && result >> 63 == 0)
          return 0;
        break;
      case llvm::Instruction::And:
        for (const llvm::Use& operand : instruction.operands())
          if (const auto* mask = llvm::dyn_cast<llvm::ConstantInt>(operand);
              mask != nullptr && mask->getValue().getActiveBits() <= kPageBits)
            return 0;
        break;
      case llvm::Instruction::URem:
        if (const auto* size = llvm::dyn_cast<llvm::ConstantInt>(instruction.getOperand(1));
            size != nullptr && size->getValue().isPowerOf2() &&
            size->getValue().getActiveBits() <= kPageBits + 1)
          return 0;
        break;
      case llvm::Instruction::Trunc:
        if (instruction.getType()->getScalarSizeInBits() <= kPageBits) return 0;
        break;
      default: break;
    }
    return result;
  }

  /// A load of a parameter that is an address, or of several of which one is.
  uint64_t parameter(const llvm::LoadInst& load) {
    llvm::APInt offset(64, 0);
    const llvm::Value* base = load.getPointerOperand()->stripAndAccumulateConstantOffsets(
        layout_, offset, /*AllowNonInbounds=*/true);
    if (base != kernel_.getArg(0)) return 0;
    const uint64_t begin = offset.getZExtValue();
    const uint64_t end = begin + layout_.getTypeStoreSize(load.getType()).getFixedValue();
    uint64_t result = 0;
    for (const uint32_t pointer : offsets_)
      if (pointer < end && begin < pointer + sizeof(uint64_t)) result |= bit(pointer);
    return result;
  }

  bool given_away(const llvm::Instruction& instruction) {
    if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction))
      return bases(store->getValueOperand()) != 0;
    if (const auto* atomic = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction))
      return bases(atomic->getValOperand()) != 0;
    if (const auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction))
      return bases(exchange->getNewValOperand()) != 0;
    if (const auto* copy = llvm::dyn_cast<llvm::MemTransferInst>(&instruction))
      return !offsets_.empty() && copy->getRawSource()->stripPointerCasts() == kernel_.getArg(0);
    // Surface stores and the like; addresses that are used as such are pointers.
    const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction);
    if (call == nullptr || !call->getType()->isVoidTy() || llvm::isa<llvm::IntrinsicInst>(call))
      return false;
    return std::any_of(call->arg_begin(), call->arg_end(), [&](const llvm::Use& argument) {
      return !argument->getType()->isPointerTy() && bases(argument) != 0;
    });
  }

  llvm::Function& kernel_;
  const llvm::DataLayout& layout_;
  std::span<const uint32_t> offsets_;
  llvm::DenseMap<const llvm::Value*, uint64_t> known_;
  std::map<std::variant<uint32_t, const llvm::GlobalVariable*>, size_t> numbers_;
};

}  // namespace

bool gives_addresses_away(llvm::Function& kernel, std::span<const uint32_t> pointer_offsets) {
  return Escape(kernel, pointer_offsets).run();
}

}  // namespace guda::access
