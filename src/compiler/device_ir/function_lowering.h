// Lowers the body of one PTX function: scopes, registers, storage, blocks, operands. What an
// instruction means is in the instruction group files, which see it through class Lowering.
#pragma once

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "compiler/device_ir/instruction_table.h"
#include "compiler/device_ir/module_lowering.h"
#include "compiler/device_ir/types.h"
#include "support/status.h"

namespace guda::device_ir {

/// A declared `.reg` name: one cell per index (%r<n>) and vector component, made on first use.
struct RegisterSet {
  const ptx::Variable* declaration;
  std::unordered_map<size_t, llvm::AllocaInst*> cells;
};

/// A variable in memory.
struct Storage {
  llvm::Value* pointer;
  StateSpace space;
  const ptx::Variable* declaration;  // null for module-scope variables
};

/// What a name in an operand stands for.
struct Symbol {
  llvm::AllocaInst* cell = nullptr;                    // register
  llvm::SmallVector<llvm::AllocaInst*, 4> components;  // vector register
  const Storage* storage = nullptr;                    // variable
  const ptx::Function* function = nullptr;
};

class FunctionLowering {
 public:
  FunctionLowering(ModuleLowering& module, const ptx::Function& source, llvm::Function& target);

  Status run();

  llvm::IRBuilder<>& builder() { return builder_; }
  ModuleLowering& module() { return module_; }
  const ptx::Function& source() const { return source_; }
  llvm::Function& target() { return target_; }

  void fail(std::string reason);
  bool failed() const { return !status_.is_ok(); }

  Symbol resolve(std::string_view name, std::string_view component = {});
  llvm::BasicBlock* label(std::string_view name);
  const ptx::TargetList* target_list(std::string_view name) const;
  const ptx::CallPrototype* prototype(std::string_view name) const;

  llvm::Value* read(const ptx::Operand& operand, ScalarType type);
  void write(const ptx::Operand& operand, ScalarType type, llvm::Value* value);
  /// Address as a pointer in the address space of `space`.
  llvm::Value* pointer(const ptx::Operand& operand, StateSpace space);

  llvm::Value* read_carry();
  void write_carry(llvm::Value* carry);

  llvm::BasicBlock* new_block(const char* name);
  /// Starts a fresh block after a terminator.
  void continue_in(llvm::BasicBlock* block) { builder_.SetInsertPoint(block); }
  llvm::AllocaInst* entry_alloca(llvm::Type* type, uint64_t alignment, std::string_view name);
  void return_from_function();
  void exit_thread();

 private:
  struct Scope {
    size_t parent;
    std::unordered_map<std::string_view, llvm::BasicBlock*> labels;
    std::unordered_map<std::string_view, const ptx::TargetList*> target_lists;
    std::unordered_map<std::string_view, const ptx::CallPrototype*> prototypes;
    std::unordered_map<std::string_view, RegisterSet> registers;
    std::unordered_map<std::string_view, Storage> storages;
  };

  void collect_scopes();
  void declare_parameters();
  void declare(const ptx::Variable& variable);
  void lower(const ptx::Instruction& instruction);
  void finish();
  bool find_register(Scope& scope, std::string_view name, std::string_view component,
                     Symbol& symbol);
  llvm::AllocaInst* cell(RegisterSet& set, size_t index);
  llvm::Value* special_register(std::string_view name, std::string_view component, bool& known);
  llvm::Value* read_name(const ptx::Operand& operand, ScalarType type);
  llvm::Value* convert_bits(llvm::Value* value, ScalarType type);
  void write_cell(llvm::AllocaInst* cell, ScalarType type, llvm::Value* value);

  ModuleLowering& module_;
  const ptx::Function& source_;
  llvm::Function& target_;
  llvm::BasicBlock* entry_;  // allocas only; branches to the first block of the body
  llvm::IRBuilder<> builder_;
  std::vector<Scope> scopes_;
  size_t scope_ = 0;
  std::vector<llvm::AllocaInst*> registers_;
  llvm::AllocaInst* carry_ = nullptr;
  llvm::Value* guard_ = nullptr;  // writes are selects on this
  const ptx::Instruction* current_ = nullptr;
  Storage module_storage_{};
  Status status_;
};

/// One instruction as its lowering function sees it.
class Lowering {
 public:
  Lowering(FunctionLowering& function, const ptx::Instruction& instruction);

  FunctionLowering& fn;
  const ptx::Instruction& ast;
  llvm::IRBuilder<>& b;
  llvm::SmallVector<ScalarType, 4> types;  // the modifiers that name types, in order

  bool has(std::string_view modifier) const;
  /// The first modifier out of the list (blank separated) that is present, or "".
  std::string_view one_of(std::string_view list) const;
  ScalarType type(size_t index = 0) const;
  size_t operand_count() const { return ast.operands.size(); }
  const ptx::Operand& operand(size_t index) const;

  llvm::Value* in(size_t index, ScalarType type);
  llvm::Value* in(size_t index) { return in(index, type()); }
  void out(size_t index, ScalarType type, llvm::Value* value);
  void out(llvm::Value* value) { out(0, type(), value); }
  /// Operands d|p: value and predicate; without a pair only the value.
  void out_pair(size_t index, ScalarType type, llvm::Value* value, llvm::Value* predicate);
  /// Elements of a vector operand ({a, b}), or the operand itself.
  llvm::ArrayRef<ptx::Operand> elements(size_t index) const;

  llvm::Value* call(std::string_view name, llvm::Type* result,
                    llvm::ArrayRef<llvm::Value*> arguments, Effects effects = Effects::lane);
  llvm::Value* intrinsic(unsigned id, llvm::ArrayRef<llvm::Value*> arguments);
  /// Condition under which a control instruction takes effect; null when it is not predicated.
  llvm::Value* condition();

  llvm::LLVMContext& context() { return b.getContext(); }
  llvm::Type* llvm_type(ScalarType type) { return value_type(context(), type); }
  llvm::Constant* integer(ScalarType type, uint64_t value);
  llvm::Constant* i32(uint32_t value) { return b.getInt32(value); }
  llvm::Constant* i64(uint64_t value) { return b.getInt64(value); }
  void fail(std::string reason) { fn.fail(std::move(reason)); }
};

// Shifts with PTX's clamping of the amount; any integer width, amount of the same type or i32.
llvm::Value* shift_left(llvm::IRBuilder<>& b, llvm::Value* value, llvm::Value* amount);
llvm::Value* shift_right(llvm::IRBuilder<>& b, llvm::Value* value, llvm::Value* amount,
                         bool arithmetic);

}  // namespace guda::device_ir
