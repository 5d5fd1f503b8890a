// IEEE arithmetic with a rounding mode. AVX-512 has it in the instruction; elsewhere the operation
// stands between two loads of MXCSR, in one piece of assembly so that nothing can move in between.
#include <llvm/IR/Constants.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <string>

#include "compiler/target/lane_ops.h"
#include "compiler/target/target.h"

namespace guda::target {
namespace {

using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

constexpr uint32_t kDefaultControl = 0x1f80;  // MXCSR: all exceptions masked, round to nearest
constexpr unsigned kRoundingShift = 13;
constexpr uint32_t kFlushBits = 0x8040;  // FTZ, DAZ

/// Operand 8 | mode of the embedded-rounding intrinsics.
Value* embedded(LaneBuilder& b, Rounding rounding) {
  return b.getInt32(8u | static_cast<uint32_t>(rounding));
}

Value* avx512_arithmetic(LaneBuilder& b, Arithmetic operation, Rounding rounding, bool is_double,
                         llvm::ArrayRef<Value*> arguments) {
  struct Pair {
    Intrinsic::ID single, twice;
  };
  static constexpr Pair kIntrinsics[] = {
      {Intrinsic::x86_avx512_add_ps_512, Intrinsic::x86_avx512_add_pd_512},
      {Intrinsic::x86_avx512_sub_ps_512, Intrinsic::x86_avx512_sub_pd_512},
      {Intrinsic::x86_avx512_mul_ps_512, Intrinsic::x86_avx512_mul_pd_512},
      {Intrinsic::x86_avx512_div_ps_512, Intrinsic::x86_avx512_div_pd_512},
      {Intrinsic::x86_avx512_vfmadd_ps_512, Intrinsic::x86_avx512_vfmadd_pd_512},
      {Intrinsic::x86_avx512_sqrt_ps_512, Intrinsic::x86_avx512_sqrt_pd_512},
  };
  const Pair& pair = kIntrinsics[static_cast<size_t>(operation)];
  return b.in_pieces(is_double ? 8 : 16, arguments, [&](llvm::ArrayRef<Value*> pieces) {
    llvm::SmallVector<Value*> operands(pieces.begin(), pieces.end());
    operands.push_back(embedded(b, rounding));
    return b.x86(is_double ? pair.twice : pair.single, operands);
  });
}

/// A read-only word for vldmxcsr.
Value* control_word(LaneBuilder& b, uint32_t value) {
  llvm::Module& module = *b.GetInsertBlock()->getModule();
  const std::string name = "guda.mxcsr." + std::to_string(value);
  if (llvm::GlobalVariable* known = module.getNamedGlobal(name)) return known;
  return new llvm::GlobalVariable(module, b.getInt32Ty(), /*isConstant=*/true,
                                  llvm::GlobalValue::InternalLinkage, b.getInt32(value), name);
}

/// `instruction` (AT&T, operands $0 result, $1...) under `rounding`.
Value* under_control(LaneBuilder& b, Rounding rounding, const std::string& instruction,
                     const std::string& inputs, llvm::Type* result,
                     llvm::ArrayRef<Value*> arguments) {
  const size_t first = arguments.size() + 1;
  const std::string text = "vldmxcsr $" + std::to_string(first) + "\n\t" + instruction +
                           "\n\tvldmxcsr $" + std::to_string(first + 1);
  llvm::SmallVector<Value*> operands(arguments.begin(), arguments.end());
  const bool flushes = b.GetInsertBlock()->getModule()->getModuleFlag(kFlushModeFlag) != nullptr;
  const uint32_t control = flushes ? kDefaultControl | kFlushBits : kDefaultControl;
  operands.push_back(control_word(b, control | static_cast<uint32_t>(rounding) << kRoundingShift));
  operands.push_back(control_word(b, control));
  llvm::SmallVector<llvm::Type*> types;
  for (Value* operand : operands) types.push_back(operand->getType());
  auto* type = llvm::FunctionType::get(result, types, false);
  auto* assembly = llvm::InlineAsm::get(type, text, "=x" + inputs + ",*m,*m",
                                        /*hasSideEffects=*/false);
  llvm::CallInst* call = b.CreateCall(type, assembly, operands);
  for (size_t i = arguments.size(); i < operands.size(); ++i)
    call->addParamAttr(
        static_cast<unsigned>(i),
        llvm::Attribute::get(b.getContext(), llvm::Attribute::ElementType, b.getInt32Ty()));
  call->setDoesNotThrow();
  call->setDoesNotAccessMemory();  // the control words are constants
  return call;
}

Value* avx2_arithmetic(LaneBuilder& b, Arithmetic operation, Rounding rounding, bool is_double,
                       llvm::ArrayRef<Value*> arguments) {
  static constexpr const char* kMnemonics[] = {"vadd", "vsub",      "vmul",
                                               "vdiv", "vfmadd213", "vsqrt"};
  std::string instruction =
      std::string(kMnemonics[static_cast<size_t>(operation)]) + (is_double ? "pd" : "ps");
  std::string inputs;
  switch (operation) {
    case Arithmetic::sqrt:
      instruction += " $1, $0";
      inputs = ",x";
      break;
    case Arithmetic::fma:
      instruction += " $3, $2, $0";
      inputs = ",0,x,x";
      break;
    default: instruction += " $2, $1, $0"; inputs = ",x,x";
  }
  return b.in_pieces(is_double ? 4 : 8, arguments, [&](llvm::ArrayRef<Value*> pieces) {
    return under_control(b, rounding, instruction, inputs, pieces[0]->getType(), pieces);
  });
}

Value* nearest_arithmetic(LaneBuilder& b, Arithmetic operation, llvm::ArrayRef<Value*> a) {
  switch (operation) {
    case Arithmetic::add: return b.CreateFAdd(a[0], a[1]);
    case Arithmetic::sub: return b.CreateFSub(a[0], a[1]);
    case Arithmetic::mul: return b.CreateFMul(a[0], a[1]);
    case Arithmetic::div: return b.CreateFDiv(a[0], a[1]);
    case Arithmetic::fma: return b.fma(a[0], a[1], a[2]);
    case Arithmetic::sqrt: return b.CreateUnaryIntrinsic(Intrinsic::sqrt, a[0]);
  }
  return nullptr;
}

std::optional<Arithmetic> arithmetic_named(llvm::StringRef opcode) {
  if (opcode == "add") return Arithmetic::add;
  if (opcode == "sub") return Arithmetic::sub;
  if (opcode == "mul") return Arithmetic::mul;
  if (opcode == "div" || opcode == "rcp") return Arithmetic::div;
  if (opcode == "fma" || opcode == "mad") return Arithmetic::fma;
  if (opcode == "sqrt") return Arithmetic::sqrt;
  return std::nullopt;
}

/// rcp.approx.ftz.f64 sees subnormal numbers as zero and returns none.
Value* flush_f64(LaneBuilder& b, Value* value) {
  Value* tiny = b.CreateFCmpOLT(b.fabs(value), b.f64_constant(0x1p-1022));
  Value* zero = b.CreateBinaryIntrinsic(Intrinsic::copysign, b.f64_constant(0.0), value);
  return b.CreateSelect(tiny, zero, value);
}

}  // namespace

Value* rounded_arithmetic(LaneBuilder& b, Arithmetic operation, Rounding rounding,
                          llvm::ArrayRef<Value*> arguments) {
  if (rounding == Rounding::nearest) return nearest_arithmetic(b, operation, arguments);
  const bool is_double = arguments[0]->getType()->getScalarType()->isDoubleTy();
  return b.features().avx512 ? avx512_arithmetic(b, operation, rounding, is_double, arguments)
                             : avx2_arithmetic(b, operation, rounding, is_double, arguments);
}

Value* rounded_narrowing(LaneBuilder& b, Rounding rounding, Value* value) {
  if (rounding == Rounding::nearest) return b.CreateFPTrunc(value, b.f32());
  if (!b.features().avx512) {
    return b.in_pieces(4, {value}, [&](llvm::ArrayRef<Value*> pieces) {
      return under_control(b, rounding, "vcvtpd2ps $1, $0", ",x",
                           llvm::FixedVectorType::get(b.getFloatTy(), 4), pieces);
    });
  }
  return b.in_pieces(8, {value}, [&](llvm::ArrayRef<Value*> pieces) {
    auto* type = llvm::FixedVectorType::get(b.getFloatTy(), 8);
    return b.x86(
        Intrinsic::x86_avx512_mask_cvtpd2ps_512,
        {pieces[0], llvm::Constant::getNullValue(type), b.getInt8(0xff), embedded(b, rounding)});
  });
}

/// add, sub, mul, fma, div, rcp, sqrt: .rn/.rz/.rm/.rp, and the approximate forms, for which the
/// exact result is the best approximation. (lane_divide.cpp hands f32 and f64 div to this.)
Value* expand_rounded(LaneBuilder& b, const LaneCall& call) {
  const auto operation = arithmetic_named(call.parts.front());
  llvm::Type* element = call.result->getScalarType();
  if (!operation || (!element->isFloatTy() && !element->isDoubleTy())) return nullptr;
  const bool flush = call.has("ftz");
  auto flushed = [&](Value* value) {
    if (!flush) return value;
    return element->isDoubleTy() ? flush_f64(b, value) : flush_subnormal(b, value);
  };
  llvm::SmallVector<Value*> arguments;
  if (call.parts.front() == "rcp") arguments.push_back(b.number(call.arguments[0], 1.0));
  for (Value* argument : call.arguments) arguments.push_back(flushed(argument));
  Value* result =
      rounded_arithmetic(b, *operation, call.rounding().value_or(Rounding::nearest), arguments);
  result = flushed(result);
  if (call.has("sat")) {
    result =
        b.CreateSelect(b.CreateFCmpOGT(result, b.number(result, 0)), result, b.number(result, 0));
    result =
        b.CreateSelect(b.CreateFCmpOLT(result, b.number(result, 1)), result, b.number(result, 1));
  }
  return result;
}

}  // namespace guda::target
