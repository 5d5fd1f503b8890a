#include "compiler/target/memory_functions.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>

namespace guda::target {
namespace {

using llvm::BasicBlock;
using llvm::Function;
using llvm::Value;

bool has_memory_intrinsics(const llvm::Module& module) {
  for (const Function& function : module)
    for (const llvm::Instruction& instruction : llvm::instructions(function))
      if (llvm::isa<llvm::MemIntrinsic>(instruction)) return true;
  return false;
}

Function* declare(llvm::Module& module, llvm::StringRef name, llvm::Type* second) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* pointer = llvm::PointerType::get(context, 0);
  auto* type =
      llvm::FunctionType::get(pointer, {pointer, second, llvm::Type::getInt64Ty(context)}, false);
  Function* function = llvm::cast<Function>(module.getOrInsertFunction(name, type).getCallee());
  if (!function->empty()) return nullptr;
  function->setLinkage(llvm::GlobalValue::ExternalLinkage);
  function->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function->addFnAttr("no-builtins");  // or the loop would become a call of itself
  function->addFnAttr(llvm::Attribute::NoUnwind);
  return function;
}

/// for (i = 0; i < count; ++i) body(i), or downwards from count - 1.
template <typename Body>
void emit_loop(Function* function, BasicBlock* from, BasicBlock* exit, Value* count, bool upwards,
               Body body) {
  llvm::LLVMContext& context = function->getContext();
  BasicBlock* loop = BasicBlock::Create(context, "loop", function);
  llvm::IRBuilder<> builder(from);
  Value* zero = builder.getInt64(0);
  builder.CreateCondBr(builder.CreateICmpEQ(count, zero), exit, loop);
  builder.SetInsertPoint(loop);
  llvm::PHINode* counter = builder.CreatePHI(builder.getInt64Ty(), 2);
  counter->addIncoming(zero, from);
  Value* next = builder.CreateAdd(counter, builder.getInt64(1));
  counter->addIncoming(next, loop);
  body(builder, upwards ? static_cast<Value*>(counter) : builder.CreateSub(count, next));
  builder.CreateCondBr(builder.CreateICmpEQ(next, count), exit, loop);
}

void define_copy(llvm::Module& module, llvm::StringRef name, bool may_overlap) {
  Function* function = declare(module, name, llvm::PointerType::get(module.getContext(), 0));
  if (!function) return;
  llvm::LLVMContext& context = module.getContext();
  Value* to = function->getArg(0);
  Value* from = function->getArg(1);
  Value* count = function->getArg(2);
  BasicBlock* entry = BasicBlock::Create(context, "entry", function);
  BasicBlock* exit = BasicBlock::Create(context, "exit", function);
  auto copy_byte = [&](llvm::IRBuilder<>& builder, Value* index) {
    Value* byte = builder.CreateLoad(builder.getInt8Ty(),
                                     builder.CreateGEP(builder.getInt8Ty(), from, index));
    builder.CreateStore(byte, builder.CreateGEP(builder.getInt8Ty(), to, index));
  };
  llvm::IRBuilder<> builder(entry);
  if (may_overlap) {
    BasicBlock* upwards = BasicBlock::Create(context, "upwards", function);
    BasicBlock* downwards = BasicBlock::Create(context, "downwards", function);
    builder.CreateCondBr(builder.CreateICmpULT(to, from), upwards, downwards);
    emit_loop(function, upwards, exit, count, true, copy_byte);
    emit_loop(function, downwards, exit, count, false, copy_byte);
  } else {
    emit_loop(function, entry, exit, count, true, copy_byte);
  }
  builder.SetInsertPoint(exit);
  builder.CreateRet(to);
}

void define_memset(llvm::Module& module) {
  llvm::LLVMContext& context = module.getContext();
  Function* function = declare(module, "memset", llvm::Type::getInt32Ty(context));
  if (!function) return;
  Value* to = function->getArg(0);
  BasicBlock* entry = BasicBlock::Create(context, "entry", function);
  BasicBlock* exit = BasicBlock::Create(context, "exit", function);
  llvm::IRBuilder<> builder(entry);
  Value* byte = builder.CreateTrunc(function->getArg(1), builder.getInt8Ty());
  emit_loop(function, entry, exit, function->getArg(2), true,
            [&](llvm::IRBuilder<>& loop, Value* index) {
              loop.CreateStore(byte, loop.CreateGEP(loop.getInt8Ty(), to, index));
            });
  builder.SetInsertPoint(exit);
  builder.CreateRet(to);
}

}  // namespace

void define_memory_functions(llvm::Module& module) {
  if (!has_memory_intrinsics(module)) return;
  define_copy(module, "memcpy", false);
  define_copy(module, "memmove", true);
  define_memset(module);
}

}  // namespace guda::target
