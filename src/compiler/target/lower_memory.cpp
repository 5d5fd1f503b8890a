// PTX state spaces become plain pointers: shared addresses are offsets from @guda.shared(), module
// variables @guda.symbol(index).
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/ReplaceConstant.h>
#include <llvm/Support/Alignment.h>

#include <map>

#include "compiler/target/target.h"

namespace guda::target {
namespace {

using llvm::cast;
using llvm::Constant;
using llvm::dyn_cast;
using llvm::Function;
using llvm::Instruction;
using llvm::isa;
using llvm::Value;

constexpr unsigned kGlobalSpace = 1;
constexpr unsigned kSharedSpace = 3;
constexpr unsigned kConstantSpace = 4;
// Dynamic shared memory starts at least this aligned, as extern arrays of vector types expect.
constexpr uint64_t kDynamicSharedAlignment = 16;
// kernel_abi.h: LaunchState::params and BlockState::shared.
constexpr uint64_t kParameterAlignment = 64;
constexpr uint64_t kSharedWindowAlignment = 128;

bool is_spaced_pointer(const llvm::Type* type) {
  return type->isPointerTy() && type->getPointerAddressSpace() != 0;
}

bool is_shared_pointer(const llvm::Type* type) {
  return type->isPointerTy() && type->getPointerAddressSpace() == kSharedSpace;
}

/// A constant expression that mentions another address space has to become instructions.
bool is_spaced_expression(const Value* value) {
  const auto* expression = dyn_cast<llvm::ConstantExpr>(value);
  if (!expression) return false;
  if (is_spaced_pointer(expression->getType())) return true;
  for (const llvm::Use& operand : expression->operands())
    if (is_spaced_pointer(operand->getType()) || is_spaced_expression(operand)) return true;
  return false;
}

class MemoryLowering {
 public:
  explicit MemoryLowering(llvm::Module& module)
      : module_(module),
        context_(module.getContext()),
        pointer_(llvm::PointerType::get(context_, 0)) {}

  Result<MemoryLayout> run() {
    lay_out_shared();
    number_symbols();
    for (Function& function : module_) {
      if (function.isDeclaration()) continue;
      if (Status status = lower_function(function); !status) return status;
    }
    drop_lowered();
    remangle_intrinsics();
    return std::move(layout_);
  }

 private:
  /// Gives every shared variable its offset; all extern ones start where the static ones end.
  void lay_out_shared() {
    uint64_t size = 0;
    uint64_t dynamic_alignment = 0;
    auto place = [&](llvm::GlobalVariable& variable, uint64_t offset) {
      variable.replaceAllUsesWith(llvm::ConstantExpr::getIntToPtr(
          llvm::ConstantInt::get(llvm::Type::getInt64Ty(context_), offset), variable.getType()));
    };
    const llvm::DataLayout& data = module_.getDataLayout();
    std::vector<llvm::GlobalVariable*> dynamic;
    for (llvm::GlobalVariable& variable : module_.globals()) {
      if (variable.getAddressSpace() != kSharedSpace) continue;
      const uint64_t alignment = variable.getAlign().valueOrOne().value();
      if (variable.hasExternalLinkage()) {
        dynamic.push_back(&variable);
        dynamic_alignment = std::max(dynamic_alignment, alignment);
        continue;
      }
      size = llvm::alignTo(size, alignment);
      place(variable, size);
      size += data.getTypeAllocSize(variable.getValueType());
    }
    if (!dynamic.empty()) {
      size = llvm::alignTo(size, std::max(dynamic_alignment, kDynamicSharedAlignment));
      for (llvm::GlobalVariable* variable : dynamic) place(*variable, size);
    }
    layout_.static_shared_bytes = static_cast<uint32_t>(size);
  }

  void number_symbols() {
    std::vector<Constant*> variables;
    for (llvm::GlobalVariable& variable : module_.globals()) {
      const unsigned space = variable.getAddressSpace();
      if (space != kGlobalSpace && space != kConstantSpace) continue;
      variable.removeDeadConstantUsers();
      if (variable.use_empty()) continue;
      symbols_[&variable] = static_cast<uint32_t>(layout_.symbols.size());
      symbol_alignments_.push_back(variable.getAlign().valueOrOne());
      layout_.symbols.push_back(variable.getName().str());
      variables.push_back(&variable);
    }
    llvm::convertUsersOfConstantsToInstructions(variables);
  }

  Status lower_function(Function& function) {
    shared_base_ = nullptr;
    symbol_values_.clear();
    for (const llvm::Argument& argument : function.args())
      if (is_spaced_pointer(argument.getType()))
        return Status(StatusCode::invalid_ptx,
                      "function " + function.getName().str() + " takes a state-space pointer");

    if (!function.hasLocalLinkage() && function.arg_size() == 1) {  // the kernel
      function.addParamAttr(
          0, llvm::Attribute::getWithAlignment(context_, llvm::Align(kParameterAlignment)));
    }
    materialize_constants(function);
    std::vector<Instruction*> instructions;
    for (Instruction& instruction : llvm::instructions(function))
      instructions.push_back(&instruction);
    for (Instruction* instruction : instructions) lower_operands(function, *instruction);
    for (Instruction* instruction : instructions) lower_instruction(function, *instruction);
    return Status::ok();
  }

  /// Where code that computes an operand for `user` goes.
  static Instruction* insertion_point(Instruction& user, unsigned operand) {
    auto* phi = dyn_cast<llvm::PHINode>(&user);
    return phi ? phi->getIncomingBlock(operand)->getTerminator() : &user;
  }

  void materialize_constants(Function& function) {
    std::vector<Instruction*> work;
    for (Instruction& instruction : llvm::instructions(function)) work.push_back(&instruction);
    // A phi lists a predecessor once per edge, each time with the same value.
    std::map<std::pair<Instruction*, llvm::BasicBlock*>, Value*> phi_values;
    while (!work.empty()) {
      Instruction* user = work.back();
      work.pop_back();
      for (unsigned i = 0; i < user->getNumOperands(); ++i) {
        Value* operand = user->getOperand(i);
        if (!is_spaced_expression(operand)) continue;
        auto* phi = dyn_cast<llvm::PHINode>(user);
        Value** known = phi ? &phi_values[{user, phi->getIncomingBlock(i)}] : nullptr;
        if (known && *known) {
          user->setOperand(i, *known);
          continue;
        }
        Instruction* instruction = cast<llvm::ConstantExpr>(operand)->getAsInstruction();
        instruction->insertBefore(insertion_point(*user, i)->getIterator());
        user->setOperand(i, instruction);
        if (known) *known = instruction;
        work.push_back(instruction);
      }
    }
  }

  /// Replaces the constant operands that name module variables or the shared window's start.
  void lower_operands(Function& function, Instruction& instruction) {
    for (unsigned i = 0; i < instruction.getNumOperands(); ++i) {
      Value* operand = instruction.getOperand(i);
      if (!isa<Constant>(operand) || !is_spaced_pointer(operand->getType())) continue;
      Value* replacement = nullptr;
      if (auto* variable = dyn_cast<llvm::GlobalVariable>(operand)) {
        replacement = symbol_value(function, symbols_.at(variable));
      } else if (isa<llvm::PoisonValue>(operand)) {
        replacement = llvm::PoisonValue::get(pointer_);
      } else if (isa<llvm::UndefValue>(operand)) {
        replacement = llvm::UndefValue::get(pointer_);
      } else if (is_shared_pointer(operand->getType())) {
        replacement = shared_base(function);  // null: offset 0
      } else {
        replacement = llvm::ConstantPointerNull::get(pointer_);
      }
      instruction.setOperand(i, replacement);
    }
  }

  // An operand may or may not be lowered already; `is_shared` knows what it was.
  void lower_instruction(Function& function, Instruction& instruction) {
    llvm::IRBuilder<> builder(&instruction);
    if (auto* call = dyn_cast<llvm::CallInst>(&instruction)) {
      if (lower_call(function, *call)) return;
    } else if (auto* cast_in = dyn_cast<llvm::IntToPtrInst>(&instruction);
               cast_in && is_shared_pointer(cast_in->getType())) {
      Value* offset = builder.CreateZExtOrTrunc(cast_in->getOperand(0), builder.getInt64Ty());
      Value* address = builder.CreateGEP(builder.getInt8Ty(), shared_base(function), offset);
      replace(instruction, address);
      return;
    } else if (auto* cast_out = dyn_cast<llvm::PtrToIntInst>(&instruction);
               cast_out && is_shared(cast_out->getOperand(0))) {
      Value* address = builder.CreatePtrToInt(cast_out->getOperand(0), builder.getInt64Ty());
      Value* base = builder.CreatePtrToInt(shared_base(function), builder.getInt64Ty());
      replace(instruction,
              builder.CreateZExtOrTrunc(builder.CreateSub(address, base), cast_out->getType()));
      return;
    } else if (auto* between = dyn_cast<llvm::AddrSpaceCastInst>(&instruction)) {
      // The target space decides what a later ptrtoint means.
      if (is_shared_pointer(between->getType())) {
        replace(instruction, copy_pointer(*between));
      } else {
        Value* source = between->getOperand(0);
        replace(instruction, is_shared(source) ? copy_pointer(*between) : source);
      }
      return;
    }
    if (is_spaced_pointer(instruction.getType())) {
      if (is_shared_pointer(instruction.getType())) shared_.insert(&instruction);
      instruction.mutateType(pointer_);
    }
    if (auto* memory = dyn_cast<llvm::AllocaInst>(&instruction);
        memory && is_spaced_pointer(memory->getAllocatedType()))
      memory->setAllocatedType(pointer_);
  }

  /// The operand of a cast as a value of its own, so that shared and generic uses stay apart.
  Value* copy_pointer(llvm::AddrSpaceCastInst& conversion) {
    llvm::Type* byte = llvm::Type::getInt8Ty(context_);
    auto* copy = llvm::GetElementPtrInst::Create(
        byte, conversion.getOperand(0),
        {llvm::ConstantInt::get(llvm::Type::getInt64Ty(context_), 0)}, "",
        conversion.getIterator());
    copy->mutateType(pointer_);  // the operand may not have been lowered yet
    return copy;
  }

  bool is_shared(const Value* value) const {
    return is_shared_pointer(value->getType()) || shared_.contains(value);
  }

  void replace(Instruction& instruction, Value* value) {
    // The value stands for a shared pointer when the instruction did, or when it is computed from the
    // window's start.
    if (is_shared_pointer(instruction.getType())) shared_.insert(value);
    // Uses change type on the way, which replaceAllUsesWith would reject.
    for (llvm::Use& use : llvm::make_early_inc_range(instruction.uses())) use.set(value);
    if (isa<Instruction>(value)) value->takeName(&instruction);
    instruction.eraseFromParent();
  }

  /// isspacep: the shared window is the only space that can be told from the address; local memory is
  /// known when the address is visibly that of a local variable.
  bool lower_call(Function& function, llvm::CallInst& call) {
    const Function* callee = call.getCalledFunction();
    if (!callee || !callee->getName().starts_with("ptx.isspacep.")) return false;
    const llvm::StringRef space = callee->getName().drop_front(strlen("ptx.isspacep."));
    llvm::IRBuilder<> builder(&call);
    Value* address = call.getArgOperand(0);
    Value* result = builder.getFalse();
    const bool local = is_local_address(address);
    if (space == "local") {
      result = builder.getInt1(local);
    } else if (!local && (space.starts_with("shared") || space == "global")) {
      Value* base = builder.CreatePtrToInt(shared_base(function), builder.getInt64Ty());
      llvm::FunctionCallee dynamic = module_.getOrInsertFunction(
          "ptx.sreg.dynamic_smem_size", llvm::FunctionType::get(builder.getInt32Ty(), false));
      mark_pure(cast<Function>(dynamic.getCallee()));
      Value* size =
          builder.CreateAdd(builder.CreateZExt(builder.CreateCall(dynamic), builder.getInt64Ty()),
                            builder.getInt64(layout_.static_shared_bytes));
      result = builder.CreateICmpULT(builder.CreateSub(address, base), size);
      if (space == "global") result = builder.CreateNot(result);
    }
    call.replaceAllUsesWith(result);
    call.eraseFromParent();
    return true;
  }

  static bool is_local_address(const Value* address) {
    const auto* conversion = dyn_cast<llvm::PtrToIntOperator>(address);
    return conversion &&
           isa<llvm::AllocaInst>(llvm::getUnderlyingObject(conversion->getPointerOperand()));
  }

  static void mark_pure(Function* function) {
    function->setDoesNotAccessMemory();
    function->setDoesNotThrow();
    function->addFnAttr(llvm::Attribute::Speculatable);
    function->addFnAttr(llvm::Attribute::WillReturn);
  }

  static llvm::IRBuilder<> entry_builder(Function& function) {
    llvm::BasicBlock& entry = function.getEntryBlock();
    return llvm::IRBuilder<>(&entry, entry.getFirstNonPHIOrDbgOrAlloca());
  }

  Value* call_base(Function& function, llvm::FunctionCallee callee,
                   llvm::ArrayRef<Value*> arguments, llvm::Align alignment) {
    llvm::CallInst* base = entry_builder(function).CreateCall(callee, arguments);
    base->addRetAttr(llvm::Attribute::getWithAlignment(context_, alignment));
    return base;
  }

  Value* shared_base(Function& function) {
    if (!shared_base_) {
      llvm::FunctionCallee callee =
          module_.getOrInsertFunction("guda.shared", llvm::FunctionType::get(pointer_, false));
      mark_pure(cast<Function>(callee.getCallee()));
      shared_base_ = call_base(function, callee, {}, llvm::Align(kSharedWindowAlignment));
      shared_.insert(shared_base_);
    }
    return shared_base_;
  }

  Value* symbol_value(Function& function, uint32_t index) {
    Value*& value = symbol_values_[index];
    if (!value) {
      llvm::Type* index_type = llvm::Type::getInt32Ty(context_);
      llvm::FunctionCallee callee = module_.getOrInsertFunction(
          "guda.symbol", llvm::FunctionType::get(pointer_, {index_type}, false));
      mark_pure(cast<Function>(callee.getCallee()));
      value = call_base(function, callee, {llvm::ConstantInt::get(index_type, index)},
                        symbol_alignments_[index]);
    }
    return value;
  }

  void drop_lowered() {
    for (Function& function : llvm::make_early_inc_range(module_))
      if (function.use_empty() && function.getName().starts_with("ptx.isspacep."))
        function.eraseFromParent();
    for (llvm::GlobalVariable& variable : llvm::make_early_inc_range(module_.globals())) {
      if (variable.getAddressSpace() == 0) continue;
      variable.removeDeadConstantUsers();
      if (variable.use_empty()) variable.eraseFromParent();
    }
  }

  /// llvm.prefetch.p1 and the like are now called with plain pointers.
  void remangle_intrinsics() {
    for (Function& function : llvm::make_early_inc_range(module_)) {
      if (!function.isIntrinsic()) continue;
      bool spaced = is_spaced_pointer(function.getReturnType());
      std::vector<llvm::Type*> parameters;
      for (llvm::Type* type : function.getFunctionType()->params()) {
        spaced |= is_spaced_pointer(type);
        parameters.push_back(is_spaced_pointer(type) ? pointer_ : type);
      }
      if (!spaced) continue;
      llvm::Type* result =
          is_spaced_pointer(function.getReturnType()) ? pointer_ : function.getReturnType();
      auto* type = llvm::FunctionType::get(result, parameters, function.isVarArg());
      llvm::SmallVector<llvm::Type*> overloads;
      const llvm::Intrinsic::ID id = function.getIntrinsicID();
      if (!llvm::Intrinsic::getIntrinsicSignature(id, type, overloads)) continue;
      Function* plain = llvm::Intrinsic::getOrInsertDeclaration(&module_, id, overloads);
      for (llvm::User* user : llvm::make_early_inc_range(function.users()))
        if (auto* call = dyn_cast<llvm::CallBase>(user)) call->setCalledFunction(plain);
      function.eraseFromParent();
    }
  }

  llvm::Module& module_;
  llvm::LLVMContext& context_;
  llvm::PointerType* pointer_;
  MemoryLayout layout_;
  std::map<llvm::GlobalVariable*, uint32_t> symbols_;
  std::vector<llvm::Align> symbol_alignments_;
  llvm::DenseSet<const Value*> shared_;  // plain pointers that were shared ones
  Value* shared_base_ = nullptr;
  std::map<uint32_t, Value*> symbol_values_;
};

}  // namespace

Result<MemoryLayout> lower_memory(llvm::Module& module) { return MemoryLowering(module).run(); }

}  // namespace guda::target
