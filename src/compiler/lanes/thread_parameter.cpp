#include "compiler/lanes/thread_parameter.h"

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/lanes/thread_access.h"

namespace guda::lanes {
namespace {

using llvm::Function;
using llvm::Type;

// Parameters of `type` with the thread in front.
llvm::FunctionType* with_thread(llvm::FunctionType* type) {
  llvm::SmallVector<Type*, 8> parameters{llvm::PointerType::get(type->getContext(), 0)};
  parameters.append(type->param_begin(), type->param_end());
  return llvm::FunctionType::get(type->getReturnType(), parameters, type->isVarArg());
}

llvm::AttributeList with_thread(const llvm::AttributeList& old, unsigned parameters,
                                llvm::LLVMContext& context) {
  llvm::SmallVector<llvm::AttributeSet, 8> sets{llvm::AttributeSet()};
  for (unsigned i = 0; i < parameters; ++i) sets.push_back(old.getParamAttrs(i));
  return llvm::AttributeList::get(context, old.getFnAttrs(), old.getRetAttrs(), sets);
}

// What was inferred about the old body does not hold once it reads thread state and calls services.
void drop_effects(Function& function) {
  for (const llvm::Attribute::AttrKind kind :
       {llvm::Attribute::Memory, llvm::Attribute::NoSync, llvm::Attribute::WillReturn,
        llvm::Attribute::Speculatable, llvm::Attribute::NoFree, llvm::Attribute::MustProgress,
        llvm::Attribute::Convergent}) {
    function.removeFnAttr(kind);
  }
}

Function* rebuild(Function& old, bool is_kernel) {
  llvm::LLVMContext& context = old.getContext();
  llvm::FunctionType* type =
      is_kernel ? llvm::FunctionType::get(Type::getVoidTy(context),
                                          {llvm::PointerType::get(context, 0)}, false)
                : with_thread(old.getFunctionType());
  Function* function = Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                        old.getAddressSpace(), "", old.getParent());
  function->takeName(&old);
  function->setAttributes(is_kernel
                              ? llvm::AttributeList::get(context, old.getAttributes().getFnAttrs(),
                                                         llvm::AttributeSet(), {})
                              : with_thread(old.getAttributes(), old.arg_size(), context));
  drop_effects(*function);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  function->splice(function->begin(), &old);
  function->getArg(0)->setName("thread");
  if (is_kernel) {
    if (!old.getArg(0)->use_empty()) {
      ThreadAccess access(*function);
      old.getArg(0)->replaceAllUsesWith(
          access.launch_pointer(offsetof(kernel::LaunchState, params)));
    }
  } else {
    for (unsigned i = 0; i < old.arg_size(); ++i) {
      function->getArg(i + 1)->takeName(old.getArg(i));
      old.getArg(i)->replaceAllUsesWith(function->getArg(i + 1));
    }
  }
  old.replaceAllUsesWith(function);
  old.eraseFromParent();
  return function;
}

void pass_thread(llvm::CallInst& call) {
  llvm::SmallVector<llvm::Value*, 8> arguments{call.getFunction()->getArg(0)};
  arguments.append(call.arg_begin(), call.arg_end());
  llvm::CallInst* replacement =
      llvm::CallInst::Create(with_thread(call.getFunctionType()), call.getCalledOperand(),
                             arguments, "", call.getIterator());
  replacement->setAttributes(with_thread(call.getAttributes(), call.arg_size(), call.getContext()));
  replacement->removeFnAttr(llvm::Attribute::Memory);
  replacement->setDebugLoc(call.getDebugLoc());
  replacement->takeName(&call);
  call.replaceAllUsesWith(replacement);
  call.eraseFromParent();
}

}  // namespace

std::vector<Function*> add_thread_parameter(Function& kernel) {
  std::vector<Function*> old{&kernel};
  for (Function& function : *kernel.getParent()) {
    if (!function.isDeclaration() && &function != &kernel) old.push_back(&function);
  }
  std::vector<Function*> functions;
  for (Function* function : old) {
    functions.push_back(rebuild(*function, function == &kernel));
  }
  llvm::SmallVector<llvm::CallInst*, 16> calls;
  for (Function* function : functions) {
    for (llvm::Instruction& instruction : llvm::instructions(*function)) {
      auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
      if (call == nullptr || call->isInlineAsm()) continue;
      const Function* callee = call->getCalledFunction();
      // A direct call's callee has its new type already, so getCalledFunction does not see it.
      const auto* target = llvm::dyn_cast<Function>(call->getCalledOperand());
      if (callee == nullptr && (target == nullptr || !target->isDeclaration())) {
        calls.push_back(call);
      } else if (callee != nullptr && !callee->isDeclaration()) {
        calls.push_back(call);
      }
    }
  }
  for (llvm::CallInst* call : calls) pass_thread(*call);
  return functions;
}

}  // namespace guda::lanes
