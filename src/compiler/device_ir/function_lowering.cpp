#include "compiler/device_ir/function_lowering.h"

#include <fmt/format.h>
#include <llvm/IR/Dominators.h>
#include <llvm/Transforms/Utils/Local.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

#include "compiler/device_ir/call_signature.h"

namespace guda::device_ir {
namespace {

// Beyond any device's memory; keeps sizes of LLVM types sane.
constexpr uint64_t kMaxVariableBytes = uint64_t{1} << 40;

}  // namespace

FunctionLowering::FunctionLowering(ModuleLowering& module, const ptx::Function& source,
                                   llvm::Function& target)
    : module_(module), source_(source), target_(target), builder_(module.context()) {
  entry_ = llvm::BasicBlock::Create(module.context(), "entry", &target_);
  llvm::BasicBlock* body = llvm::BasicBlock::Create(module.context(), "body", &target_);
  builder_.SetInsertPoint(entry_);
  builder_.CreateBr(body);
  builder_.SetInsertPoint(body);
}

Status FunctionLowering::run() {
  collect_scopes();
  declare_parameters();
  size_t next_scope = 0;
  for (const ptx::Statement& statement : source_.body) {
    if (failed()) return status_;
    if (const auto* instruction = std::get_if<ptx::Instruction>(&statement)) {
      lower(*instruction);
    } else if (const auto* variable = std::get_if<ptx::Variable>(&statement)) {
      declare(*variable);
    } else if (const auto* named = std::get_if<ptx::Label>(&statement)) {
      llvm::BasicBlock* block = label(named->name);
      if (builder_.GetInsertBlock()->getTerminator() == nullptr) builder_.CreateBr(block);
      if (block != &target_.back()) block->moveAfter(&target_.back());
      builder_.SetInsertPoint(block);
    } else if (std::holds_alternative<ptx::ScopeBegin>(statement)) {
      scope_ = ++next_scope;
    } else if (std::holds_alternative<ptx::ScopeEnd>(statement)) {
      scope_ = scopes_[scope_].parent;
    }
  }
  if (!failed()) finish();
  return status_;
}

void FunctionLowering::fail(std::string reason) {
  if (failed()) return;
  const uint32_t line = current_ != nullptr ? current_->location.line : source_.location.line;
  const std::string_view what = current_ != nullptr ? current_->text : source_.name;
  status_ = Status(StatusCode::invalid_ptx,
                   fmt::format("{}:{}: {}: {}", module_.file_name(), line, what, reason));
}

// Labels are visible before they stand, so scopes are numbered and filled with them first.
void FunctionLowering::collect_scopes() {
  scopes_.push_back({});
  size_t scope = 0;
  for (const ptx::Statement& statement : source_.body) {
    if (const auto* named = std::get_if<ptx::Label>(&statement)) {
      llvm::BasicBlock*& block = scopes_[scope].labels[named->name];
      if (block != nullptr) fail(fmt::format("label '{}' is defined twice", named->name));
      block = llvm::BasicBlock::Create(module_.context(), llvm::StringRef(named->name), &target_);
    } else if (const auto* list = std::get_if<ptx::TargetList>(&statement)) {
      scopes_[scope].target_lists[list->name] = list;
    } else if (const auto* prototype = std::get_if<ptx::CallPrototype>(&statement)) {
      scopes_[scope].prototypes[prototype->name] = prototype;
    } else if (std::holds_alternative<ptx::ScopeBegin>(statement)) {
      scopes_.push_back({});
      scopes_.back().parent = scope;
      scope = scopes_.size() - 1;
    } else if (std::holds_alternative<ptx::ScopeEnd>(statement)) {
      scope = scopes_[scope].parent;
    }
  }
}

void FunctionLowering::declare_parameters() {
  Scope& scope = scopes_[0];
  if (source_.is_entry) {
    uint64_t offset = 0;
    for (const ptx::Variable& parameter : source_.parameters) {
      const uint64_t alignment = std::max<uint64_t>(parameter.effective_alignment(), 1);
      offset = (offset + alignment - 1) / alignment * alignment;
      llvm::Value* pointer = target_.getArg(0);
      if (offset != 0) {
        pointer = builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), pointer, offset);
      }
      scope.storages[parameter.name] = {pointer, StateSpace::param, &parameter};
      offset += parameter.size_in_bytes();
    }
    return;
  }
  unsigned index = 0;
  for (const ptx::Variable& result : source_.results) {
    if (passed_by_value(result)) {
      declare(result);
    } else {
      scope.storages[result.name] = {target_.getArg(index++), StateSpace::param, &result};
    }
  }
  for (const ptx::Variable& parameter : source_.parameters) {
    llvm::Value* argument = target_.getArg(index++);
    argument->setName(llvm::StringRef(parameter.name));
    if (!passed_by_value(parameter)) {
      scope.storages[parameter.name] = {argument, StateSpace::param, &parameter};
      continue;
    }
    declare(parameter);
    const Symbol symbol = resolve(parameter.name);
    if (symbol.storage != nullptr) {
      builder_.CreateStore(argument, symbol.storage->pointer);
    } else if (symbol.cell != nullptr) {
      write_cell(symbol.cell, bits_type(argument->getType()->getIntegerBitWidth()), argument);
    }
  }
}

void FunctionLowering::declare(const ptx::Variable& variable) {
  Scope& scope = scopes_[scope_];
  const uint32_t alignment = std::max(variable.effective_alignment(), 1u);
  if (variable.space != StateSpace::reg &&
      (!llvm::isPowerOf2_32(alignment) || variable.size_in_bytes() > kMaxVariableBytes)) {
    current_ = nullptr;
    fail(fmt::format("variable '{}' has an impossible size or alignment", variable.name));
    return;
  }
  switch (variable.space) {
    case StateSpace::reg: scope.registers[variable.name] = {&variable, {}}; break;
    case StateSpace::local:
    case StateSpace::param: {
      const uint32_t count = variable.range.value_or(1);
      auto* type = llvm::ArrayType::get(builder_.getInt8Ty(), variable.size_in_bytes() * count);
      scope.storages[variable.name] = {entry_alloca(type, alignment, variable.name), variable.space,
                                       &variable};
      break;
    }
    case StateSpace::shared:
      scope.storages[variable.name] = {module_.create_shared(variable), StateSpace::shared,
                                       &variable};
      break;
    default:
      current_ = nullptr;
      fail(fmt::format("variable '{}' has a state space that a function cannot declare",
                       variable.name));
  }
}

llvm::AllocaInst* FunctionLowering::entry_alloca(llvm::Type* type, uint64_t alignment,
                                                 std::string_view name) {
  llvm::IRBuilder<> builder(entry_->getTerminator());
  llvm::AllocaInst* storage = builder.CreateAlloca(type, nullptr, llvm::StringRef(name));
  if (alignment != 0) storage->setAlignment(llvm::Align(alignment));
  return storage;
}

llvm::BasicBlock* FunctionLowering::new_block(const char* name) {
  return llvm::BasicBlock::Create(module_.context(), name, &target_);
}

llvm::AllocaInst* FunctionLowering::cell(RegisterSet& set, size_t index) {
  llvm::AllocaInst*& cell = set.cells[index];
  if (cell == nullptr) {
    cell = entry_alloca(register_type(module_.context(), set.declaration->type), 0, {});
    registers_.push_back(cell);
  }
  return cell;
}

bool FunctionLowering::find_register(Scope& scope, std::string_view name,
                                     std::string_view component, Symbol& symbol) {
  RegisterSet* set = nullptr;
  size_t index = 0;
  const auto exact = scope.registers.find(name);
  if (exact != scope.registers.end() && !exact->second.declaration->range) {
    set = &exact->second;
  } else {
    // %rd12 is register 12 of the set %rd<n>.
    uint64_t number = 0, scale = 1;
    for (size_t length = name.size(); length > 1;) {
      const char digit = name[--length];
      if (digit < '0' || digit > '9' || scale > 1000000000) break;
      number += static_cast<uint64_t>(digit - '0') * scale;
      scale *= 10;
      if (digit == '0' && length + 1 != name.size()) continue;  // no leading zeros
      const auto found = scope.registers.find(name.substr(0, length));
      if (found == scope.registers.end() || !found->second.declaration->range) continue;
      if (number >= *found->second.declaration->range) continue;
      set = &found->second;
      index = number;
      break;
    }
  }
  if (set == nullptr) return false;
  const size_t width = set->declaration->vector_width;
  if (width == 1) {
    symbol.cell = cell(*set, index);
    return true;
  }
  for (size_t i = 0; i < width; ++i) symbol.components.push_back(cell(*set, index * width + i));
  if (!component.empty()) {
    const size_t position = std::string_view("xyzw").find(component);
    const size_t color = std::string_view("rgba").find(component);
    const size_t selected = std::min(position, color);
    if (selected < width) {
      symbol.cell = symbol.components[selected];
      symbol.components.clear();
    }
  }
  return true;
}

Symbol FunctionLowering::resolve(std::string_view name, std::string_view component) {
  Symbol symbol;
  for (size_t scope = scope_;; scope = scopes_[scope].parent) {
    if (find_register(scopes_[scope], name, component, symbol)) return symbol;
    const auto storage = scopes_[scope].storages.find(name);
    if (storage != scopes_[scope].storages.end()) {
      symbol.storage = &storage->second;
      return symbol;
    }
    if (scope == 0) break;
  }
  if (llvm::GlobalVariable* global = module_.variable(name)) {
    const StateSpace space = global->getAddressSpace() == 3   ? StateSpace::shared
                             : global->getAddressSpace() == 4 ? StateSpace::constant
                                                              : StateSpace::global;
    module_storage_ = {global, space, nullptr};
    symbol.storage = &module_storage_;
    return symbol;
  }
  symbol.function = module_.find_function(name);
  return symbol;
}

llvm::BasicBlock* FunctionLowering::label(std::string_view name) {
  for (size_t scope = scope_;; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].labels.find(name);
    if (found != scopes_[scope].labels.end()) return found->second;
    if (scope == 0) break;
  }
  fail(fmt::format("unknown label '{}'", name));
  return new_block("unknown");
}

const ptx::TargetList* FunctionLowering::target_list(std::string_view name) const {
  for (size_t scope = scope_;; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].target_lists.find(name);
    if (found != scopes_[scope].target_lists.end()) return found->second;
    if (scope == 0) return nullptr;
  }
}

const ptx::CallPrototype* FunctionLowering::prototype(std::string_view name) const {
  for (size_t scope = scope_;; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].prototypes.find(name);
    if (found != scopes_[scope].prototypes.end()) return found->second;
    if (scope == 0) return nullptr;
  }
}

void FunctionLowering::lower(const ptx::Instruction& instruction) {
  current_ = &instruction;
  if (builder_.GetInsertBlock()->getTerminator() != nullptr) {
    builder_.SetInsertPoint(new_block("dead"));
  }
  std::string reason;
  const Row* row = find_row(instruction, reason);
  if (row == nullptr) {
    fail(std::move(reason));
    return;
  }
  Lowering lowering(*this, instruction);
  if (!instruction.predicate || row->execution == Execution::control) {
    row->lower(lowering);
  } else if (row->execution == Execution::pure) {
    guard_ = lowering.condition();
    if (!failed()) row->lower(lowering);
    guard_ = nullptr;
  } else {
    llvm::Value* condition = lowering.condition();
    llvm::BasicBlock* then = new_block("then");
    llvm::BasicBlock* next = new_block("next");
    builder_.CreateCondBr(condition, then, next);
    builder_.SetInsertPoint(then);
    row->lower(lowering);
    if (builder_.GetInsertBlock()->getTerminator() == nullptr) builder_.CreateBr(next);
    builder_.SetInsertPoint(next);
  }
  current_ = nullptr;
}

void FunctionLowering::return_from_function() {
  if (source_.is_entry) {
    builder_.CreateRetVoid();
    return;
  }
  llvm::SmallVector<llvm::Value*, 2> values;
  for (const ptx::Variable& result : source_.results) {
    if (!passed_by_value(result)) continue;
    const unsigned bits = ptx::bit_width(result.type);
    llvm::Type* type = builder_.getIntNTy(bits == 0 ? 64 : bits);
    const Symbol symbol = resolve(result.name);
    if (symbol.storage != nullptr) {
      values.push_back(builder_.CreateLoad(type, symbol.storage->pointer));
    } else if (symbol.cell != nullptr) {
      llvm::Value* value = builder_.CreateLoad(symbol.cell->getAllocatedType(), symbol.cell);
      values.push_back(builder_.CreateBitCast(value, type));
    }
  }
  if (values.empty()) {
    builder_.CreateRetVoid();
  } else if (values.size() == 1) {
    builder_.CreateRet(values[0]);
  } else {
    builder_.CreateAggregateRet(values.data(), values.size());
  }
}

void FunctionLowering::exit_thread() {
  if (source_.is_entry) {
    builder_.CreateRetVoid();
    return;
  }
  builder_.CreateCall(module_.ptx_function("ptx.exit", builder_.getVoidTy(), {}, Effects::service));
  builder_.CreateUnreachable();
}

void FunctionLowering::finish() {
  current_ = nullptr;
  for (llvm::BasicBlock& block : target_) {
    if (block.getTerminator() != nullptr) continue;
    builder_.SetInsertPoint(&block);
    return_from_function();
  }
  llvm::removeUnreachableBlocks(target_);
  llvm::DominatorTree dominators(target_);
  if (carry_ != nullptr) registers_.push_back(carry_);
  llvm::PromoteMemToReg(registers_, dominators);
}

llvm::Value* FunctionLowering::read_carry() {
  if (carry_ == nullptr) carry_ = entry_alloca(builder_.getInt1Ty(), 0, "carry");
  return builder_.CreateLoad(builder_.getInt1Ty(), carry_);
}

void FunctionLowering::write_carry(llvm::Value* carry) {
  llvm::Value* old = read_carry();
  builder_.CreateStore(guard_ != nullptr ? builder_.CreateSelect(guard_, carry, old) : carry,
                       carry_);
}

}  // namespace guda::device_ir
