#include "compiler/driver/specialize.h"

#include <llvm/IR/ConstantRange.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/InstrTypes.h>

#include <string>

namespace guda::driver {
namespace {

void replace_calls(llvm::Module& module, const std::string& name, uint32_t value) {
  llvm::Function* function = module.getFunction(name);
  if (function == nullptr) return;
  for (llvm::User* user : llvm::make_early_inc_range(function->users())) {
    auto* call = llvm::dyn_cast<llvm::CallBase>(user);
    if (call == nullptr || call->getCalledOperand() != function) continue;
    call->replaceAllUsesWith(llvm::ConstantInt::get(call->getType(), value));
    call->eraseFromParent();
  }
}

void narrow_calls(llvm::Module& module, const std::string& name, uint32_t limit) {
  llvm::Function* function = module.getFunction(name);
  if (function == nullptr) return;
  const unsigned bits = function->getReturnType()->getIntegerBitWidth();
  function->addRangeRetAttr(llvm::ConstantRange(llvm::APInt(bits, 0), llvm::APInt(bits, limit)));
}

}  // namespace

void specialize_block(llvm::Module& module, const uint32_t (&block_dim)[3]) {
  if (block_dim[0] == 0) return;
  for (unsigned axis = 0; axis < 3; ++axis) {
    const char letter = "xyz"[axis];
    const uint32_t extent = block_dim[axis];
    replace_calls(module, std::string("ptx.sreg.ntid.") + letter, extent);
    const std::string index = std::string("ptx.sreg.tid.") + letter;
    if (extent == 1) {
      replace_calls(module, index, 0);
    } else {
      narrow_calls(module, index, extent);
    }
  }
}

}  // namespace guda::driver
