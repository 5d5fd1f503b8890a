#include "compiler/device_ir/types.h"

#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Type.h>

namespace guda::device_ir {

llvm::Type* value_type(llvm::LLVMContext& context, ScalarType type) {
  switch (type) {
    case ScalarType::f16: return llvm::Type::getHalfTy(context);
    case ScalarType::bf16: return llvm::Type::getBFloatTy(context);
    case ScalarType::f32: return llvm::Type::getFloatTy(context);
    case ScalarType::f64: return llvm::Type::getDoubleTy(context);
    case ScalarType::f16x2:
    case ScalarType::bf16x2:
    case ScalarType::f32x2:
    case ScalarType::u16x2:
    case ScalarType::s16x2:
      return llvm::FixedVectorType::get(value_type(context, lane_type(type)), 2);
    default: {
      const unsigned bits = ptx::bit_width(type);
      return llvm::Type::getIntNTy(context, bits == 0 ? 64 : bits);
    }
  }
}

llvm::Type* register_type(llvm::LLVMContext& context, ScalarType type) {
  switch (type) {
    case ScalarType::f32: return llvm::Type::getFloatTy(context);
    case ScalarType::f64: return llvm::Type::getDoubleTy(context);
    default: {
      const unsigned bits = ptx::bit_width(type);
      return llvm::Type::getIntNTy(context, bits == 0 ? 64 : bits);
    }
  }
}

bool is_signed(ScalarType type) {
  switch (type) {
    case ScalarType::s8:
    case ScalarType::s16:
    case ScalarType::s32:
    case ScalarType::s64:
    case ScalarType::s16x2: return true;
    default: return false;
  }
}

bool is_float(ScalarType type) {
  switch (type) {
    case ScalarType::f16:
    case ScalarType::bf16:
    case ScalarType::f32:
    case ScalarType::f64:
    case ScalarType::f16x2:
    case ScalarType::bf16x2:
    case ScalarType::f32x2: return true;
    default: return false;
  }
}

bool is_integer(ScalarType type) { return type >= ScalarType::b8 && type <= ScalarType::s64; }

bool is_packed(ScalarType type) { return lane_type(type) != type; }

ScalarType lane_type(ScalarType type) {
  switch (type) {
    case ScalarType::f16x2: return ScalarType::f16;
    case ScalarType::bf16x2: return ScalarType::bf16;
    case ScalarType::f32x2: return ScalarType::f32;
    case ScalarType::u16x2: return ScalarType::u16;
    case ScalarType::s16x2: return ScalarType::s16;
    default: return type;
  }
}

ScalarType bits_type(unsigned bits) {
  switch (bits) {
    case 1: return ScalarType::pred;
    case 8: return ScalarType::b8;
    case 16: return ScalarType::b16;
    case 32: return ScalarType::b32;
    case 128: return ScalarType::b128;
    default: return ScalarType::b64;
  }
}

ScalarType signed_type(unsigned bits) {
  switch (bits) {
    case 8: return ScalarType::s8;
    case 16: return ScalarType::s16;
    case 32: return ScalarType::s32;
    default: return ScalarType::s64;
  }
}

unsigned address_space(StateSpace space) {
  switch (space) {
    case StateSpace::global: return 1;
    case StateSpace::shared: return 3;
    case StateSpace::constant: return 4;
    default: return 0;
  }
}

}  // namespace guda::device_ir
