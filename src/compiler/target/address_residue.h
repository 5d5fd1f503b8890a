// What an address is modulo the alignment of an access.
#pragma once

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/IRBuilder.h>

#include <optional>

namespace llvm {
class DataLayout;
class Value;
}  // namespace llvm

namespace guda::target {

/// Low bits of an address as a sum: constant + sum of (value << shift). Values whose share is known
/// to be a multiple of the alignment are left out, and a variable that grows by such multiples is
/// what it was before its loop. So the residue of `p[i]` is that of p, in and outside of loops.
class AddressResidue {
 public:
  struct Term {
    llvm::Value* value;  // integer or pointer of at least 8 bits
    unsigned shift;
    bool operator==(const Term& other) const = default;
  };

  /// `alignment`: a power of two, at most 256.
  AddressResidue(llvm::Value* address, uint64_t alignment, const llvm::DataLayout& layout);

  /// The address is a multiple of the alignment.
  bool is_zero() const { return terms_.empty() && constant_ == 0; }
  llvm::ArrayRef<Term> terms() const { return terms_; }
  uint64_t alignment() const { return alignment_; }
  /// The sum as i32; only the bits below the alignment mean something.
  llvm::Value* emit(llvm::IRBuilderBase& builder) const;

  bool operator==(const AddressResidue& other) const {
    return alignment_ == other.alignment_ && constant_ == other.constant_ && terms_ == other.terms_;
  }

 private:
  AddressResidue(uint64_t alignment, const llvm::DataLayout& layout)
      : alignment_(alignment), layout_(&layout) {}

  /// Adds `value << shift`.
  void add(llvm::Value* value, unsigned shift);
  bool add_parts(llvm::Value* value, unsigned shift);
  bool add_phi(llvm::PHINode& phi, unsigned shift);
  void add_constant(uint64_t value);
  void add_term(Term term);
  bool is_multiple(const llvm::Value* value, unsigned shift) const;

  uint64_t alignment_;
  const llvm::DataLayout* layout_;
  uint64_t constant_ = 0;
  llvm::SmallVector<Term, 4> terms_;  // ordered by value and shift
  llvm::SmallVector<const llvm::PHINode*, 4> open_phis_;
  unsigned* steps_left_ = nullptr;
};

}  // namespace guda::target
