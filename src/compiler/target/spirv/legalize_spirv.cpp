// Rewrites the LLVM instructions and intrinsics that the SPIR-V generator lacks, gets wrong, or gives to
// functions of a weaker precision, and refuses what has no form.
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PatternMatch.h>
#include <llvm/Transforms/Utils/Local.h>

#include "compiler/target/spirv/spirv.h"

namespace guda::target {
namespace {

using llvm::cast;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::isa;
using llvm::Value;
namespace Intrinsic = llvm::Intrinsic;

Status refuse(std::string reason) { return {StatusCode::not_supported, std::move(reason)}; }

class Legalization {
 public:
  Legalization(llvm::Function& kernel, const SpirvOptions& options)
      : kernel_(kernel), options_(options) {}

  Status run() {
    // Expansions may make what is itself to be expanded.
    for (bool changed = true; changed;) {
      changed = false;
      for (Instruction& instruction : llvm::make_early_inc_range(llvm::instructions(kernel_))) {
        llvm::IRBuilder<> builder(&instruction);
        Value* value = rewrite(builder, instruction);
        if (!value) continue;
        if (!instruction.getType()->isVoidTy()) instruction.replaceAllUsesWith(value);
        instruction.eraseFromParent();
        changed = true;
      }
    }
    drop_dead_instructions();
    for (Instruction& instruction : llvm::instructions(kernel_)) {
      instruction.dropUnknownNonDebugMetadata();
      instruction.dropPoisonGeneratingFlags();
      if (Status status = check(instruction); !status) return status;
    }
    return Status::ok();
  }

 private:
  using Builder = llvm::IRBuilder<>;

  void drop_dead_instructions() {
    llvm::SmallVector<llvm::WeakTrackingVH, 16> dead;
    for (Instruction& instruction : llvm::instructions(kernel_))
      if (llvm::isInstructionTriviallyDead(&instruction)) dead.emplace_back(&instruction);
    llvm::RecursivelyDeleteTriviallyDeadInstructionsPermissive(dead);
  }

  Value* rewrite(Builder& b, Instruction& instruction) {
    if (auto* call = dyn_cast<llvm::IntrinsicInst>(&instruction))
      return rewrite_intrinsic(b, *call);
    if (auto* freeze = dyn_cast<llvm::FreezeInst>(&instruction)) {
      Value* operand = freeze->getOperand(0);
      return isa<llvm::UndefValue>(operand) ? llvm::Constant::getNullValue(operand->getType())
                                            : operand;
    }
    if (instruction.getOpcode() == Instruction::FDiv && instruction.getType()->isFloatTy() &&
        !options_.correctly_rounded_division && options_.fp64)
      return divide(b, instruction.getOperand(0), instruction.getOperand(1));
    if (auto* cut = dyn_cast<llvm::TruncInst>(&instruction)) return high_product(b, *cut);
    return nullptr;
  }

  /// In f64 and rounded again: exact, since 53 bits are more than twice 24 and two.
  Value* divide(Builder& b, Value* x, Value* y) {
    Value* quotient =
        b.CreateFDiv(b.CreateFPExt(x, b.getDoubleTy()), b.CreateFPExt(y, b.getDoubleTy()));
    return b.CreateFPTrunc(quotient, b.getFloatTy());
  }

  /// trunc (shift right (mul (zext x to i128), (zext y to i128)), 64 or more), or with sext.
  Value* high_product(Builder& b, llvm::TruncInst& cut) {
    using namespace llvm::PatternMatch;
    if (cut.getType()->getIntegerBitWidth() > 64 || !cut.getOperand(0)->getType()->isIntegerTy(128))
      return nullptr;
    Value *left = nullptr, *right = nullptr;
    const llvm::APInt* distance = nullptr;
    if (!match(cut.getOperand(0), m_Shr(m_Mul(m_Value(left), m_Value(right)), m_APInt(distance))) ||
        distance->ult(64) || distance->ugt(127))
      return nullptr;
    const auto factor = [&](Value* value, bool is_signed) -> Value* {
      Value* narrow = nullptr;
      const llvm::APInt* constant = nullptr;
      if (is_signed ? match(value, m_SExt(m_Value(narrow))) : match(value, m_ZExt(m_Value(narrow))))
        return narrow->getType()->getIntegerBitWidth() > 64 ? nullptr
               : is_signed                                  ? b.CreateSExt(narrow, b.getInt64Ty())
                                                            : b.CreateZExt(narrow, b.getInt64Ty());
      if (!match(value, m_APInt(constant))) return nullptr;
      if (is_signed ? constant->getSignificantBits() > 64 : constant->getActiveBits() > 64)
        return nullptr;
      return b.getInt64(constant->trunc(64).getZExtValue());
    };
    const bool arithmetic = cast<Instruction>(cut.getOperand(0))->getOpcode() == Instruction::AShr;
    const uint64_t rest = distance->getZExtValue() - 64;
    // What is shifted in is seen by a wide result only.
    const bool sees_sign = cut.getType()->getIntegerBitWidth() > 64 - rest;
    for (const bool is_signed : {false, true}) {
      Value *x = factor(left, is_signed), *y = factor(right, is_signed);
      if (!x || !y) continue;
      Value* high = is_signed ? signed_high(b, x, y) : unsigned_high(b, x, y);
      if (sees_sign && rest != 0 && arithmetic) {
        high = b.CreateAShr(high, rest);
      } else {
        high = b.CreateLShr(high, rest);
      }
      return b.CreateZExtOrTrunc(high, cut.getType());
    }
    return nullptr;
  }

  static Value* unsigned_high(Builder& b, Value* x, Value* y) {
    Value* mask = b.getInt64(0xffffffff);
    Value *x0 = b.CreateAnd(x, mask), *x1 = b.CreateLShr(x, 32);
    Value *y0 = b.CreateAnd(y, mask), *y1 = b.CreateLShr(y, 32);
    Value* middle = b.CreateAdd(b.CreateMul(x1, y0), b.CreateLShr(b.CreateMul(x0, y0), 32));
    Value* low = b.CreateAdd(b.CreateMul(x0, y1), b.CreateAnd(middle, mask));
    return b.CreateAdd(b.CreateAdd(b.CreateMul(x1, y1), b.CreateLShr(middle, 32)),
                       b.CreateLShr(low, 32));
  }

  static Value* signed_high(Builder& b, Value* x, Value* y) {
    Value* high = unsigned_high(b, x, y);
    high = b.CreateSub(high, b.CreateAnd(b.CreateAShr(x, 63), y));
    return b.CreateSub(high, b.CreateAnd(b.CreateAShr(y, 63), x));
  }

  /// Smaller (or larger) operand; a NaN only when both are, or (`propagate`) when one is.
  Value* extreme(Builder& b, llvm::IntrinsicInst& call, bool larger, bool propagate) {
    Value *x = call.getArgOperand(0), *y = call.getArgOperand(1);
    llvm::Type* type = x->getType();
    llvm::Type* bits = b.getIntNTy(type->getScalarSizeInBits());
    Value* first = larger ? b.CreateFCmpOGT(x, y) : b.CreateFCmpOLT(x, y);
    Value* result = b.CreateSelect(first, x, y);
    // Equal: the same bits, or zeros of different sign.
    Value *xb = b.CreateBitCast(x, bits), *yb = b.CreateBitCast(y, bits);
    Value* both = larger ? b.CreateAnd(xb, yb) : b.CreateOr(xb, yb);
    result = b.CreateSelect(b.CreateFCmpOEQ(x, y), b.CreateBitCast(both, type), result);
    Value *x_nan = b.CreateFCmpUNO(x, x), *y_nan = b.CreateFCmpUNO(y, y);
    // The canonical NaN of PTX is all ones but the sign.
    Value* nan = b.CreateBitCast(
        llvm::ConstantInt::get(bits, llvm::APInt::getSignedMaxValue(bits->getIntegerBitWidth())),
        type);
    if (propagate) return b.CreateSelect(b.CreateOr(x_nan, y_nan), nan, result);
    result = b.CreateSelect(x_nan, y, b.CreateSelect(y_nan, x, result));
    return b.CreateSelect(b.CreateAnd(x_nan, y_nan), nan, result);
  }

  static Value* reverse_bits(Builder& b, Value* x) {
    const unsigned width = x->getType()->getScalarSizeInBits();
    for (unsigned step = 1; step < width; step *= 2) {
      const llvm::APInt mask =
          llvm::APInt::getSplat(width, llvm::APInt::getLowBitsSet(2 * step, step));
      Value* keep = llvm::ConstantInt::get(x->getType(), mask);
      x = b.CreateOr(b.CreateShl(b.CreateAnd(x, keep), step),
                     b.CreateAnd(b.CreateLShr(x, step), keep));
    }
    return x;
  }

  static Value* swap_bytes(Builder& b, Value* x) {
    const unsigned width = x->getType()->getScalarSizeInBits();
    for (unsigned step = 8; step < width; step *= 2) {
      const llvm::APInt mask =
          llvm::APInt::getSplat(width, llvm::APInt::getLowBitsSet(2 * step, step));
      Value* keep = llvm::ConstantInt::get(x->getType(), mask);
      x = b.CreateOr(b.CreateShl(b.CreateAnd(x, keep), step),
                     b.CreateAnd(b.CreateLShr(x, step), keep));
    }
    return x;
  }

  /// The generator's own function shifts by the width when the distance is 0.
  static Value* funnel(Builder& b, llvm::IntrinsicInst& call, bool left) {
    Value *high = call.getArgOperand(0), *low = call.getArgOperand(1);
    llvm::Type* type = high->getType();
    const unsigned width = type->getScalarSizeInBits();
    if (!llvm::isPowerOf2_32(width)) return nullptr;
    Value* last = llvm::ConstantInt::get(type, width - 1);
    Value* distance = b.CreateAnd(call.getArgOperand(2), last);
    Value* rest = b.CreateXor(distance, last);  // width - 1 - distance
    Value* one = llvm::ConstantInt::get(type, 1);
    return left
               ? b.CreateOr(b.CreateShl(high, distance), b.CreateLShr(b.CreateLShr(low, one), rest))
               : b.CreateOr(b.CreateShl(b.CreateShl(high, one), rest), b.CreateLShr(low, distance));
  }

  static Value* with_overflow(Builder& b, llvm::WithOverflowInst& call) {
    Value *x = call.getLHS(), *y = call.getRHS();
    Value *result = nullptr, *overflow = nullptr;
    Value* zero = llvm::Constant::getNullValue(x->getType());
    switch (call.getIntrinsicID()) {
      case Intrinsic::uadd_with_overflow:
        result = b.CreateAdd(x, y);
        overflow = b.CreateICmpULT(result, x);
        break;
      case Intrinsic::usub_with_overflow:
        result = b.CreateSub(x, y);
        overflow = b.CreateICmpULT(x, y);
        break;
      case Intrinsic::sadd_with_overflow:
        result = b.CreateAdd(x, y);
        overflow =
            b.CreateICmpSLT(b.CreateAnd(b.CreateXor(x, result), b.CreateXor(y, result)), zero);
        break;
      case Intrinsic::ssub_with_overflow:
        result = b.CreateSub(x, y);
        overflow = b.CreateICmpSLT(b.CreateAnd(b.CreateXor(x, y), b.CreateXor(x, result)), zero);
        break;
      default: return nullptr;
    }
    Value* pair = b.CreateInsertValue(llvm::PoisonValue::get(call.getType()), result, 0);
    return b.CreateInsertValue(pair, overflow, 1);
  }

  static Value* saturating(Builder& b, llvm::IntrinsicInst& call) {
    Value *x = call.getArgOperand(0), *y = call.getArgOperand(1);
    llvm::Type* type = x->getType();
    const unsigned width = type->getScalarSizeInBits();
    Value* zero = llvm::Constant::getNullValue(type);
    const Intrinsic::ID id = call.getIntrinsicID();
    if (id == Intrinsic::uadd_sat) {
      Value* sum = b.CreateAdd(x, y);
      return b.CreateSelect(b.CreateICmpULT(sum, x), llvm::Constant::getAllOnesValue(type), sum);
    }
    if (id == Intrinsic::usub_sat)
      return b.CreateSelect(b.CreateICmpULT(x, y), zero, b.CreateSub(x, y));
    const bool add = id == Intrinsic::sadd_sat;
    Value* result = add ? b.CreateAdd(x, y) : b.CreateSub(x, y);
    Value* other = add ? b.CreateXor(y, result) : b.CreateXor(x, y);
    Value* overflow = b.CreateICmpSLT(b.CreateAnd(b.CreateXor(x, result), other), zero);
    // The extreme of x's sign.
    Value* limit = b.CreateXor(b.CreateAShr(x, width - 1),
                               llvm::ConstantInt::get(type, llvm::APInt::getSignedMaxValue(width)));
    return b.CreateSelect(overflow, limit, result);
  }

  Value* rewrite_intrinsic(Builder& b, llvm::IntrinsicInst& call) {
    const llvm::Type* type = call.getType();
    if (type->isVectorTy()) return nullptr;
    switch (call.getIntrinsicID()) {
      case Intrinsic::assume:
      case Intrinsic::lifetime_start:
      case Intrinsic::lifetime_end:
      case Intrinsic::experimental_noalias_scope_decl: return b.getTrue();  // nothing
      case Intrinsic::expect: return call.getArgOperand(0);
      case Intrinsic::minimumnum:
      case Intrinsic::minnum: return extreme(b, call, false, false);
      case Intrinsic::maximumnum:
      case Intrinsic::maxnum: return extreme(b, call, true, false);
      case Intrinsic::minimum: return extreme(b, call, false, true);
      case Intrinsic::maximum: return extreme(b, call, true, true);
      case Intrinsic::fshl: return funnel(b, call, true);
      case Intrinsic::fshr: return funnel(b, call, false);
      case Intrinsic::bitreverse: return reverse_bits(b, call.getArgOperand(0));
      case Intrinsic::bswap: return swap_bytes(b, call.getArgOperand(0));
      case Intrinsic::cttz: {
        Value* x = call.getArgOperand(0);
        Value* below =
            b.CreateAnd(b.CreateNot(x), b.CreateSub(x, llvm::ConstantInt::get(x->getType(), 1)));
        return b.CreateUnaryIntrinsic(Intrinsic::ctpop, below);
      }
      case Intrinsic::ctlz: {
        // clz(0) is the width in OpenCL. LLVM would put a branch around it.
        if (match(call.getArgOperand(1), llvm::PatternMatch::m_One())) return nullptr;
        return b.CreateBinaryIntrinsic(Intrinsic::ctlz, call.getArgOperand(0), b.getTrue());
      }
      case Intrinsic::abs: {
        Value* x = call.getArgOperand(0);
        return b.CreateSelect(b.CreateICmpSLT(x, llvm::Constant::getNullValue(x->getType())),
                              b.CreateNeg(x), x);
      }
      case Intrinsic::smin: return choose(b, call, llvm::CmpInst::ICMP_SLT);
      case Intrinsic::smax: return choose(b, call, llvm::CmpInst::ICMP_SGT);
      case Intrinsic::umin: return choose(b, call, llvm::CmpInst::ICMP_ULT);
      case Intrinsic::umax: return choose(b, call, llvm::CmpInst::ICMP_UGT);
      case Intrinsic::scmp: return three_way(b, call, true);
      case Intrinsic::ucmp: return three_way(b, call, false);
      case Intrinsic::uadd_sat:
      case Intrinsic::usub_sat:
      case Intrinsic::sadd_sat:
      case Intrinsic::ssub_sat: return saturating(b, call);
      case Intrinsic::sqrt:
        if (!type->isFloatTy() || options_.correctly_rounded_division || !options_.fp64)
          return nullptr;
        return b.CreateFPTrunc(
            b.CreateUnaryIntrinsic(Intrinsic::sqrt,
                                   b.CreateFPExt(call.getArgOperand(0), b.getDoubleTy())),
            b.getFloatTy());
      default: break;
    }
    if (auto* overflow = dyn_cast<llvm::WithOverflowInst>(&call))
      return with_overflow(b, *overflow);
    return nullptr;
  }

  static Value* choose(Builder& b, llvm::IntrinsicInst& call, llvm::CmpInst::Predicate predicate) {
    Value *x = call.getArgOperand(0), *y = call.getArgOperand(1);
    return b.CreateSelect(b.CreateICmp(predicate, x, y), x, y);
  }

  static Value* three_way(Builder& b, llvm::IntrinsicInst& call, bool is_signed) {
    Value *x = call.getArgOperand(0), *y = call.getArgOperand(1);
    using llvm::CmpInst;
    Value* more = b.CreateICmp(is_signed ? CmpInst::ICMP_SGT : CmpInst::ICMP_UGT, x, y);
    Value* less = b.CreateICmp(is_signed ? CmpInst::ICMP_SLT : CmpInst::ICMP_ULT, x, y);
    return b.CreateSub(b.CreateZExt(more, call.getType()), b.CreateZExt(less, call.getType()));
  }

  Status check_type(const llvm::Type& type) const {
    if (type.isVoidTy() || type.isPointerTy()) return Status::ok();
    if (auto* structure = dyn_cast<llvm::StructType>(&type)) {
      for (const llvm::Type* element : structure->elements())
        if (Status status = check_type(*element); !status) return status;
      return Status::ok();
    }
    if (auto* array = dyn_cast<llvm::ArrayType>(&type)) return check_type(*array->getElementType());
    if (auto* vector = dyn_cast<llvm::FixedVectorType>(&type)) {
      const unsigned count = vector->getNumElements();
      if (count != 2 && count != 3 && count != 4 && count != 8 && count != 16)
        return refuse("it has vectors of a length that OpenCL lacks");
      return check_type(*vector->getElementType());
    }
    if (type.isIntegerTy()) {
      const unsigned width = type.getIntegerBitWidth();
      if (width == 1 || width == 8 || width == 16 || width == 32 || width == 64)
        return Status::ok();
      return refuse("it has integers of " + std::to_string(width) + " bits");
    }
    if (type.isFloatTy()) return Status::ok();
    if (type.isDoubleTy())
      return options_.fp64 ? Status::ok() : refuse("the device has no double precision");
    if (type.isHalfTy())
      return options_.fp16 ? Status::ok() : refuse("the device has no half precision");
    return refuse("it has values of a type that OpenCL lacks");
  }

  Status check(const Instruction& instruction) const {
    if (Status status = check_type(*instruction.getType()); !status) return status;
    for (const llvm::Use& operand : instruction.operands()) {
      if (operand->getType()->isLabelTy() || isa<llvm::Function>(operand) ||
          isa<llvm::InlineAsm>(operand) || operand->getType()->isMetadataTy())
        continue;
      if (Status status = check_type(*operand->getType()); !status) return status;
    }
    const auto* call = dyn_cast<llvm::CallInst>(&instruction);
    if (!call) {
      if (isa<llvm::SwitchInst, llvm::IndirectBrInst>(instruction))
        return refuse("it has a switch that was not taken apart");
      return Status::ok();
    }
    const llvm::Function* callee = call->getCalledFunction();
    if (!callee) return refuse("it needs an operation in a directed rounding mode");
    if (const Intrinsic::ID id = callee->getIntrinsicID(); id != Intrinsic::not_intrinsic) {
      switch (id) {
        case Intrinsic::fma:
        case Intrinsic::sqrt:
        case Intrinsic::fabs:
        case Intrinsic::copysign:
        case Intrinsic::floor:
        case Intrinsic::ceil:
        case Intrinsic::trunc:
        case Intrinsic::rint:
        case Intrinsic::roundeven:
        case Intrinsic::ctpop:
        case Intrinsic::ctlz: return Status::ok();
        default: return refuse("it uses " + callee->getName().str());
      }
    }
    llvm::StringRef name = callee->getName();
    if (callee->isDeclaration() && name.starts_with("_Z")) return Status::ok();
    if (name.consume_front("ptx.")) return refuse("it uses " + name.str());
    return refuse("it calls " + name.str());
  }

  llvm::Function& kernel_;
  const SpirvOptions& options_;
};

}  // namespace

Status legalize_for_spirv(llvm::Function& kernel, const SpirvOptions& options) {
  return Legalization(kernel, options).run();
}

}  // namespace guda::target
