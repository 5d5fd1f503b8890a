#include "compiler/driver/kernel_info.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>

namespace guda::driver {
namespace {

using llvm::Constant;

Constant* private_constant(llvm::Module& module, Constant* value) {
  auto* variable = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                            llvm::GlobalValue::PrivateLinkage, value, "guda.info");
  return variable;
}

Constant* text(llvm::Module& module, const std::string& value) {
  return private_constant(module, llvm::ConstantDataArray::getString(module.getContext(), value));
}

}  // namespace

void emit_kernel_info(llvm::Module& module, const KernelDescription& description) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* word = llvm::Type::getInt32Ty(context);
  auto* pointer = llvm::PointerType::get(context, 0);
  Constant* null = llvm::ConstantPointerNull::get(pointer);
  auto number = [&](uint32_t value) -> Constant* { return llvm::ConstantInt::get(word, value); };
  auto function = [&](llvm::Function* value) -> Constant* { return value ? value : null; };

  for (llvm::Function& other : module)
    if (!other.isDeclaration()) other.setLinkage(llvm::GlobalValue::InternalLinkage);

  Constant* symbols = null;
  if (!description.symbols.empty()) {
    std::vector<Constant*> names;
    for (const std::string& name : description.symbols) names.push_back(text(module, name));
    auto* type = llvm::ArrayType::get(pointer, names.size());
    symbols = private_constant(module, llvm::ConstantArray::get(type, names));
  }
  // Same order as kernel::KernelInfo.
  Constant* info = llvm::ConstantStruct::getAnon(
      context,
      {number(kernel::kAbiVersion), number(description.flags), number(description.lanes),
       number(description.static_shared_bytes), number(description.local_bytes),
       number(description.frame_bytes), number(description.param_bytes),
       number(static_cast<uint32_t>(description.symbols.size())), text(module, description.name),
       symbols, description.note.empty() ? null : text(module, description.note),
       function(description.run_block), function(description.run_warps),
       function(description.run_thread),
       private_constant(module, llvm::ConstantDataArray::getString(context, description.access,
                                                                   /*AddNull=*/false)),
       llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), description.access.size())});
  static_assert(sizeof(kernel::KernelInfo) == 8 * 4 + 8 * 8);
  static_assert(offsetof(kernel::KernelInfo, run_thread) == 8 * 4 + 5 * 8);
  auto* variable =
      new llvm::GlobalVariable(module, info->getType(), /*isConstant=*/true,
                               llvm::GlobalValue::ExternalLinkage, info, kernel::kKernelSymbol);
  variable->setAlignment(llvm::Align(64));
}

uint32_t kernel_flags(const llvm::Module& module) {
  uint32_t flags = 0;
  for (const llvm::Function& function : module) {
    const llvm::StringRef name = function.getName();
    if (function.isDeclaration() && !function.use_empty() && name.starts_with("ptx.")) {
      const llvm::StringRef operation = name.drop_front(4);
      if (operation.starts_with("bar.warp.") || operation.starts_with("shfl.") ||
          operation.starts_with("vote.") || operation.starts_with("match.") ||
          operation.starts_with("redux.") || operation.starts_with("elect.") ||
          operation.starts_with("activemask"))
        flags |= kernel::kUsesWarpOps;
      else if (operation.starts_with("bar."))
        flags |= kernel::kUsesBarrier;
      else if (operation.starts_with("syscall.vprintf"))
        flags |= kernel::kUsesPrintf;
    }
    for (const llvm::Instruction& instruction : llvm::instructions(function))
      if (llvm::isa<llvm::AtomicRMWInst, llvm::AtomicCmpXchgInst>(instruction))
        flags |= kernel::kUsesAtomics;
  }
  return flags;
}

}  // namespace guda::driver
