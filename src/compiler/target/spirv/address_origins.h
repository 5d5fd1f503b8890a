// Where the addresses of a kernel come from: parameters, module variables, shared memory, local variables, or
// memory. Decides the address space of generic accesses and which parameters are pointers.
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallBitVector.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/Instructions.h>

#include <optional>
#include <vector>

namespace guda::target {

inline constexpr unsigned kPtxGlobal = 1, kPtxShared = 3, kPtxConst = 4;

/// One place that an address may come from: eight bytes of the parameters, or a module variable.
struct AddressRoot {
  const llvm::GlobalVariable* variable = nullptr;
  uint32_t offset = 0;  // in the parameters, when variable is null
};

struct AddressOrigin {
  bool global = false;
  bool shared = false;
  bool local = false;
  bool memory = false;  // a value that was loaded: may be any address, or a distance
  llvm::SmallBitVector roots;

  bool is_address() const { return global || shared || local; }
  bool operator==(const AddressOrigin&) const = default;
};

/// Offset in the parameter block of a load's address when it is constant.
std::optional<uint32_t> parameter_offset(const llvm::Value* pointer, const llvm::Function& kernel);
/// True for any address in the parameter block.
bool is_parameter_address(const llvm::Value* pointer, const llvm::Function& kernel);

class AddressOrigins {
 public:
  explicit AddressOrigins(llvm::Function& kernel);

  const std::vector<AddressRoot>& roots() const { return roots_; }
  /// Of an integer or a pointer.
  const AddressOrigin& of(const llvm::Value* value) const;
  /// Roots that are addresses in an access, or are compared with such ones.
  llvm::SmallBitVector pointers() const;
  /// Roots whose value gets into memory or into arithmetic that is not an address's.
  llvm::SmallBitVector escaping(const llvm::SmallBitVector& pointers) const;

 private:
  void number_roots();
  void propagate(bool memory);
  AddressOrigin compute(const llvm::Value& value, bool memory) const;
  AddressOrigin combine(const llvm::Value& left, const llvm::Value& right, bool memory) const;

  llvm::Function& kernel_;
  std::vector<AddressRoot> roots_;
  llvm::DenseMap<const llvm::Value*, AddressOrigin> origins_;
  AddressOrigin nothing_;
};

/// Pointer operand of a load, store or atomic operation, else null.
llvm::Value* accessed_pointer(llvm::Instruction& instruction);

}  // namespace guda::target
