// Conveniences that instruction lowering functions share.
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {
namespace {

const ptx::Operand kSink;

}  // namespace

Lowering::Lowering(FunctionLowering& function, const ptx::Instruction& instruction)
    : fn(function), ast(instruction), b(function.builder()) {
  for (std::string_view modifier : ast.modifiers) {
    if (const auto type = ptx::parse_scalar_type(modifier)) types.push_back(*type);
  }
}

bool Lowering::has(std::string_view modifier) const {
  for (std::string_view present : ast.modifiers) {
    if (present == modifier) return true;
  }
  return false;
}

std::string_view Lowering::one_of(std::string_view list) const {
  while (!list.empty()) {
    const size_t blank = list.find(' ');
    const std::string_view name = list.substr(0, blank);
    list = blank == std::string_view::npos ? std::string_view() : list.substr(blank + 1);
    if (has(name)) return name;
  }
  return {};
}

ScalarType Lowering::type(size_t index) const {
  return index < types.size() ? types[index] : ScalarType::b32;
}

const ptx::Operand& Lowering::operand(size_t index) const {
  if (index < ast.operands.size()) return ast.operands[index];
  fn.fail("an operand is missing");
  return kSink;
}

llvm::Value* Lowering::in(size_t index, ScalarType type) { return fn.read(operand(index), type); }

void Lowering::out(size_t index, ScalarType type, llvm::Value* value) {
  const ptx::Operand& destination = operand(index);
  if (destination.kind == ptx::Operand::Kind::pair && !destination.elements.empty()) {
    fn.write(destination.elements[0], type, value);
  } else {
    fn.write(destination, type, value);
  }
}

void Lowering::out_pair(size_t index, ScalarType type, llvm::Value* value, llvm::Value* predicate) {
  const ptx::Operand& destination = operand(index);
  if (destination.kind == ptx::Operand::Kind::pair && destination.elements.size() == 2) {
    fn.write(destination.elements[0], type, value);
    fn.write(destination.elements[1], ScalarType::pred, predicate);
  } else {
    fn.write(destination, type, value);
  }
}

llvm::ArrayRef<ptx::Operand> Lowering::elements(size_t index) const {
  const ptx::Operand& vector = operand(index);
  if (vector.kind == ptx::Operand::Kind::vector) return vector.elements;
  return vector;
}

llvm::Value* Lowering::call(std::string_view name, llvm::Type* result,
                            llvm::ArrayRef<llvm::Value*> arguments, Effects effects) {
  llvm::SmallVector<llvm::Type*, 8> parameters;
  for (llvm::Value* argument : arguments) parameters.push_back(argument->getType());
  llvm::Function* function = fn.module().ptx_function(name, result, parameters, effects);
  if (function->getFunctionType() != llvm::FunctionType::get(result, parameters, false)) {
    fail(fmt::format("'{}' is used with different operands elsewhere", name));
    return result->isVoidTy() ? nullptr : llvm::PoisonValue::get(result);
  }
  return b.CreateCall(function, arguments);
}

llvm::Value* Lowering::intrinsic(unsigned id, llvm::ArrayRef<llvm::Value*> arguments) {
  return b.CreateIntrinsic(arguments[0]->getType(), id, arguments);
}

llvm::Value* Lowering::condition() {
  if (!ast.predicate) return nullptr;
  ptx::Operand predicate;
  predicate.kind = ptx::Operand::Kind::name;
  predicate.name = ast.predicate->name;
  predicate.negated = ast.predicate->negated;
  return fn.read(predicate, ScalarType::pred);
}

llvm::Constant* Lowering::integer(ScalarType type, uint64_t value) {
  return llvm::ConstantInt::get(
      context(), llvm::APInt(ptx::bit_width(type), value, false, /*implicitTrunc=*/true));
}

llvm::Value* shift_left(llvm::IRBuilder<>& b, llvm::Value* value, llvm::Value* amount) {
  llvm::Type* type = value->getType();
  const unsigned bits = type->getIntegerBitWidth();
  if (const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(amount)) {
    const uint64_t count = constant->getLimitedValue();
    return count >= bits ? llvm::Constant::getNullValue(type) : b.CreateShl(value, count);
  }
  llvm::Value* fits = b.CreateICmpULT(amount, llvm::ConstantInt::get(amount->getType(), bits));
  llvm::Value* shifted = b.CreateShl(value, b.CreateZExtOrTrunc(amount, type));
  return b.CreateSelect(fits, shifted, llvm::Constant::getNullValue(type));
}

llvm::Value* shift_right(llvm::IRBuilder<>& b, llvm::Value* value, llvm::Value* amount,
                         bool arithmetic) {
  llvm::Type* type = value->getType();
  const unsigned bits = type->getIntegerBitWidth();
  if (const auto* constant = llvm::dyn_cast<llvm::ConstantInt>(amount)) {
    const uint64_t count = constant->getLimitedValue();
    if (arithmetic) return b.CreateAShr(value, std::min<uint64_t>(count, bits - 1));
    return count >= bits ? llvm::Constant::getNullValue(type) : b.CreateLShr(value, count);
  }
  llvm::Constant* width = llvm::ConstantInt::get(amount->getType(), bits);
  llvm::Value* fits = b.CreateICmpULT(amount, width);
  if (arithmetic) {
    llvm::Value* clamped =
        b.CreateSelect(fits, amount, llvm::ConstantInt::get(amount->getType(), bits - 1));
    return b.CreateAShr(value, b.CreateZExtOrTrunc(clamped, type));
  }
  llvm::Value* shifted = b.CreateLShr(value, b.CreateZExtOrTrunc(amount, type));
  return b.CreateSelect(fits, shifted, llvm::Constant::getNullValue(type));
}

}  // namespace guda::device_ir
