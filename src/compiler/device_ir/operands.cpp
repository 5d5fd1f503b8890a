// Reading and writing operands: registers, immediates, symbols, addresses.
#include <fmt/format.h>
#include <llvm/ADT/APFloat.h>
#include <llvm/IR/Constants.h>

#include <bit>

#include "compiler/device_ir/function_address.h"
#include "compiler/device_ir/function_lowering.h"
#include "compiler/device_ir/special_registers.h"

namespace guda::device_ir {
namespace {

unsigned bits_of(llvm::Type* type) { return type->getPrimitiveSizeInBits().getFixedValue(); }

llvm::Value* as_integer(llvm::IRBuilder<>& b, llvm::Value* value) {
  return b.CreateBitCast(value, b.getIntNTy(bits_of(value->getType())));
}

llvm::Constant* floating_constant(const ptx::Operand& operand, llvm::Type* type) {
  llvm::APFloat value =
      operand.is_single ? llvm::APFloat(std::bit_cast<float>(static_cast<uint32_t>(operand.bits)))
                        : llvm::APFloat(std::bit_cast<double>(operand.bits));
  bool inexact = false;
  value.convert(type->getFltSemantics(), llvm::APFloat::rmNearestTiesToEven, &inexact);
  return llvm::ConstantFP::get(type->getContext(), value);
}

}  // namespace

llvm::Value* FunctionLowering::convert_bits(llvm::Value* value, ScalarType type) {
  llvm::Type* to = value_type(module_.context(), type);
  const unsigned from_bits = bits_of(value->getType()), to_bits = bits_of(to);
  if (from_bits == to_bits) return builder_.CreateBitCast(value, to);
  if (from_bits < to_bits || to_bits == 1) {
    fail(fmt::format("a {}-bit register does not fit type .{}", from_bits, ptx::to_string(type)));
    return llvm::PoisonValue::get(to);
  }
  llvm::Value* bits =
      builder_.CreateTrunc(as_integer(builder_, value), builder_.getIntNTy(to_bits));
  return builder_.CreateBitCast(bits, to);
}

llvm::Value* FunctionLowering::read(const ptx::Operand& operand, ScalarType type) {
  llvm::Type* to = value_type(module_.context(), type);
  switch (operand.kind) {
    case ptx::Operand::Kind::name: return read_name(operand, type);
    case ptx::Operand::Kind::integer: {
      if (to->isIntegerTy()) {
        if (to->isIntegerTy(1)) return builder_.getInt1(operand.bits != 0);
        const bool negative = to->getIntegerBitWidth() > 64 && !operand.is_unsigned;
        return llvm::ConstantInt::get(
            module_.context(),
            llvm::APInt(to->getIntegerBitWidth(), operand.bits, negative, /*implicitTrunc=*/true));
      }
      if (to->isVectorTy()) {
        return builder_.CreateBitCast(builder_.getIntN(bits_of(to), operand.bits), to);
      }
      if (operand.bits == 0) return llvm::Constant::getNullValue(to);
      fail("an integer constant where a floating-point operand is needed");
      return llvm::PoisonValue::get(to);
    }
    case ptx::Operand::Kind::floating: {
      if (to->isFloatingPointTy()) return floating_constant(operand, to);
      if (to->isIntegerTy(32)) {
        return builder_.CreateBitCast(floating_constant(operand, builder_.getFloatTy()), to);
      }
      if (to->isIntegerTy(64)) {
        return builder_.CreateBitCast(floating_constant(operand, builder_.getDoubleTy()), to);
      }
      fail("a floating-point constant does not fit here");
      return llvm::PoisonValue::get(to);
    }
    case ptx::Operand::Kind::vector: {
      // {a, b} read as one value: the first element in the low bits.
      const unsigned total = bits_of(to);
      const unsigned count = operand.elements.size();
      if (count == 0 || total % count != 0 || total / count < 8) break;
      const unsigned part = total / count;
      if (part != 8 && part != 16 && part != 32 && part != 64) break;
      llvm::Type* wide = builder_.getIntNTy(total);
      llvm::Value* value = nullptr;
      for (unsigned i = 0; i < count; ++i) {
        llvm::Value* element =
            builder_.CreateZExt(read(operand.elements[i], bits_type(part)), wide);
        if (i != 0) element = builder_.CreateShl(element, i * part);
        value = value == nullptr ? element : builder_.CreateOr(value, element);
      }
      return builder_.CreateBitCast(value, to);
    }
    default: break;
  }
  fail("operand of an unexpected kind");
  return llvm::PoisonValue::get(to);
}

llvm::Value* FunctionLowering::read_name(const ptx::Operand& operand, ScalarType type) {
  llvm::Type* to = value_type(module_.context(), type);
  const Symbol symbol = resolve(operand.name, operand.component);
  llvm::Value* value = nullptr;
  if (symbol.cell != nullptr) {
    value = convert_bits(builder_.CreateLoad(symbol.cell->getAllocatedType(), symbol.cell), type);
  } else if (symbol.storage != nullptr && to->isIntegerTy()) {
    llvm::Value* pointer = symbol.storage->pointer;
    if (operand.offset != 0) {
      pointer = builder_.CreateConstGEP1_64(builder_.getInt8Ty(), pointer,
                                            static_cast<uint64_t>(operand.offset));
    }
    value = convert_bits(builder_.CreatePtrToInt(pointer, builder_.getInt64Ty()), type);
  } else if (symbol.function != nullptr && to->isIntegerTy()) {
    value = convert_bits(
        builder_.getInt64(function_address(module_.source(), symbol.function->name)), type);
  } else if (symbol.components.empty() && symbol.storage == nullptr) {
    value = read_special_register(module_, builder_, operand.name, operand.component);
    if (value != nullptr) {
      if (value->getType()->isIntegerTy(32) && bits_of(to) == 64) {
        value = builder_.CreateZExt(value, builder_.getInt64Ty());
      }
      value = convert_bits(value, type);
    }
  }
  if (value == nullptr) {
    fail(fmt::format("unknown or unsuitable operand '{}'", operand.name));
    return llvm::PoisonValue::get(to);
  }
  if (!operand.negated) return value;
  if (to->isIntegerTy(1)) return builder_.CreateNot(value);
  return to->isFPOrFPVectorTy() ? builder_.CreateFNeg(value) : builder_.CreateNeg(value);
}

void FunctionLowering::write_cell(llvm::AllocaInst* cell, ScalarType type, llvm::Value* value) {
  llvm::Type* to = cell->getAllocatedType();
  const unsigned from_bits = bits_of(value->getType()), to_bits = bits_of(to);
  if (from_bits > to_bits || (from_bits == 1 && to_bits != 1)) {
    fail(fmt::format("type .{} does not fit a {}-bit register", ptx::to_string(type), to_bits));
    return;
  }
  if (from_bits < to_bits) {
    value = as_integer(builder_, value);
    value = is_signed(type) ? builder_.CreateSExt(value, builder_.getIntNTy(to_bits))
                            : builder_.CreateZExt(value, builder_.getIntNTy(to_bits));
  }
  value = builder_.CreateBitCast(value, to);
  if (guard_ != nullptr) {
    value = builder_.CreateSelect(guard_, value, builder_.CreateLoad(to, cell));
  }
  builder_.CreateStore(value, cell);
}

void FunctionLowering::write(const ptx::Operand& operand, ScalarType type, llvm::Value* value) {
  if (failed() || operand.kind == ptx::Operand::Kind::sink) return;
  if (operand.kind == ptx::Operand::Kind::name) {
    if (operand.name == "_") return;
    const Symbol symbol = resolve(operand.name, operand.component);
    if (symbol.cell != nullptr) {
      write_cell(symbol.cell, type, value);
      return;
    }
  } else if (operand.kind == ptx::Operand::Kind::vector && !operand.elements.empty()) {
    // One value split over {a, b}: the low bits go to the first element.
    const unsigned total = bits_of(value->getType());
    const unsigned count = operand.elements.size();
    const unsigned part = total / count;
    if (total % count == 0 && (part == 8 || part == 16 || part == 32 || part == 64)) {
      llvm::Value* bits = as_integer(builder_, value);
      for (unsigned i = 0; i < count; ++i) {
        llvm::Value* element = i == 0 ? bits : builder_.CreateLShr(bits, i * part);
        write(operand.elements[i], bits_type(part),
              builder_.CreateTrunc(element, builder_.getIntNTy(part)));
      }
      return;
    }
  }
  fail("the destination is not a register");
}

llvm::Value* FunctionLowering::pointer(const ptx::Operand& operand, StateSpace space) {
  llvm::Type* type = llvm::PointerType::get(module_.context(), address_space(space));
  if (operand.kind != ptx::Operand::Kind::address && operand.kind != ptx::Operand::Kind::name) {
    fail("the operand is not an address");
    return llvm::PoisonValue::get(type);
  }
  const bool is_name = operand.kind == ptx::Operand::Kind::name;
  const std::string_view base = is_name ? operand.name : operand.address.base;
  const int64_t offset = is_name ? operand.offset : operand.address.offset;
  if (base.empty()) {
    return builder_.CreateIntToPtr(builder_.getInt64(static_cast<uint64_t>(offset)), type);
  }
  const Symbol symbol = resolve(base, is_name ? operand.component : std::string_view());
  if (symbol.storage != nullptr) {
    llvm::Value* pointer = symbol.storage->pointer;
    if (offset != 0) {
      pointer =
          builder_.CreateConstGEP1_64(builder_.getInt8Ty(), pointer, static_cast<uint64_t>(offset));
    }
    return pointer->getType() == type ? pointer : builder_.CreateAddrSpaceCast(pointer, type);
  }
  if (symbol.cell == nullptr || !symbol.cell->getAllocatedType()->isIntegerTy()) {
    fail(fmt::format("'{}' is no address", base));
    return llvm::PoisonValue::get(type);
  }
  llvm::Value* address = builder_.CreateLoad(symbol.cell->getAllocatedType(), symbol.cell);
  const unsigned bits = address->getType()->getIntegerBitWidth();
  if (bits != 32 && bits != 64) {
    fail(fmt::format("a {}-bit register is no address", bits));
    return llvm::PoisonValue::get(type);
  }
  if (offset == 0) return builder_.CreateIntToPtr(address, type);
  if (bits == 32) {
    // 32-bit addresses wrap: a base below the window plus an offset into it is legal.
    address = builder_.CreateAdd(address, builder_.getInt32(static_cast<uint32_t>(offset)));
    return builder_.CreateIntToPtr(address, type);
  }
  return builder_.CreateConstGEP1_64(builder_.getInt8Ty(), builder_.CreateIntToPtr(address, type),
                                     static_cast<uint64_t>(offset));
}

}  // namespace guda::device_ir
