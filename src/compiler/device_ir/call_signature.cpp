#include "compiler/device_ir/call_signature.h"

#include "compiler/device_ir/types.h"

namespace guda::device_ir {

bool passed_by_value(const ptx::Variable& variable) {
  return variable.dimensions.empty() && variable.vector_width == 1;
}

llvm::FunctionType* call_signature(llvm::LLVMContext& context,
                                   const std::vector<ptx::Variable>& results,
                                   const std::vector<ptx::Variable>& parameters) {
  llvm::Type* pointer = llvm::PointerType::get(context, 0);
  auto integer = [&](const ptx::Variable& variable) {
    const unsigned bits = ptx::bit_width(variable.type);
    return llvm::Type::getIntNTy(context, bits == 0 ? 64 : bits);
  };
  std::vector<llvm::Type*> types;
  std::vector<llvm::Type*> values;
  for (const ptx::Variable& result : results) {
    if (passed_by_value(result)) {
      values.push_back(integer(result));
    } else {
      types.push_back(pointer);
    }
  }
  for (const ptx::Variable& parameter : parameters) {
    types.push_back(passed_by_value(parameter) ? integer(parameter) : pointer);
  }
  llvm::Type* result = values.empty()       ? llvm::Type::getVoidTy(context)
                       : values.size() == 1 ? values[0]
                                            : llvm::StructType::get(context, values);
  return llvm::FunctionType::get(result, types, false);
}

}  // namespace guda::device_ir
