#include <fmt/format.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/LowerAtomic.h>

#include <functional>

#include "compiler/spmd/emitter.h"

namespace guda::spmd {

using llvm::Align;
using llvm::BasicBlock;

namespace {

constexpr unsigned kMaxStride = 4;  // in elements; wider strides are gathered

unsigned elements(const llvm::Type* type) {
  const auto* small = llvm::dyn_cast<llvm::FixedVectorType>(type);
  return small != nullptr ? small->getNumElements() : 1;
}

/// The address lies in the block's shared memory, which one worker owns.
bool is_shared(const llvm::Value* pointer) {
  const auto* base = llvm::dyn_cast<llvm::Instruction>(llvm::getUnderlyingObject(pointer, 0));
  return base != nullptr && device_function(*base) == "guda.shared";
}

}  // namespace

llvm::Value* Emitter::safe_address(Value* pointer) {
  if (current_->never_empty) return pointer;
  if (dummy_ == nullptr) {
    llvm::IRBuilder<> at(entry_, entry_->begin());
    llvm::AllocaInst* dummy = at.CreateAlloca(at.getInt8Ty(), at.getInt32(64), "dummy");
    dummy->setAlignment(Align(64));
    dummy_ = dummy;
  }
  return builder_.CreateSelect(any(mask_), pointer, dummy_);
}

llvm::Value* Emitter::vector_address(const llvm::Value* pointer) {
  // A scalar base and one narrow index make a cheaper gather than 64-bit addresses.
  llvm::SmallVector<std::pair<const llvm::Value*, uint64_t>, 4> varying;
  llvm::SmallVector<std::pair<const llvm::Value*, uint64_t>, 4> fixed;
  const llvm::Value* root = nullptr;  // uniform pointer
  const std::function<bool(const llvm::Value*, uint64_t)> add_terms = [&](const llvm::Value* value,
                                                                          uint64_t scale) {
    if (is_uniform(value)) {
      fixed.emplace_back(value, scale);
      return true;
    }
    const auto* instruction = llvm::dyn_cast<Instruction>(value);
    if (instruction != nullptr && instruction->getOpcode() == Instruction::Add) {
      return add_terms(instruction->getOperand(0), scale) &&
             add_terms(instruction->getOperand(1), scale);
    }
    if (instruction != nullptr && instruction->getOpcode() == Instruction::Shl) {
      const auto* amount = llvm::dyn_cast<llvm::ConstantInt>(instruction->getOperand(1));
      if (amount != nullptr && amount->getZExtValue() < 8) {
        return add_terms(instruction->getOperand(0), scale << amount->getZExtValue());
      }
    }
    varying.emplace_back(value, scale);
    return varying.size() <= 1;
  };
  const llvm::Value* walk = pointer;
  bool good = true;
  while (good && root == nullptr) {
    if (is_uniform(walk)) {
      root = walk;
    } else if (const auto* gep = llvm::dyn_cast<llvm::GetElementPtrInst>(walk);
               gep != nullptr && gep->getNumIndices() == 1 &&
               gep->getOperand(1)->getType()->isIntegerTy(64)) {
      const uint64_t size = layout_.getTypeAllocSize(gep->getSourceElementType()).getFixedValue();
      good = add_terms(gep->getOperand(1), size);
      walk = gep->getPointerOperand();
    } else if (const auto* cast = llvm::dyn_cast<llvm::IntToPtrInst>(walk);
               cast != nullptr && cast->getOperand(0)->getType()->isIntegerTy(64)) {
      good = add_terms(cast->getOperand(0), 1);
      break;
    } else {
      good = false;
    }
  }
  if (!good || varying.size() != 1) return vector(pointer);
  const auto [index, scale] = varying[0];
  if (scale != 1 && scale != 2 && scale != 4 && scale != 8) return vector(pointer);
  Value* address = nullptr;
  if (root != nullptr) address = uniform(root);
  Value* offset = nullptr;
  for (const auto& [term, factor] : fixed) {
    Value* part = builder_.CreateMul(uniform(term), builder_.getInt64(factor));
    offset = offset == nullptr ? part : builder_.CreateAdd(offset, part);
  }
  if (address == nullptr) {
    address = builder_.CreateIntToPtr(offset != nullptr ? offset : builder_.getInt64(0),
                                      builder_.getPtrTy());
  } else if (offset != nullptr) {
    address = builder_.CreateGEP(builder_.getInt8Ty(), address, offset);
  }
  return builder_.CreateGEP(builder_.getIntNTy(static_cast<unsigned>(8 * scale)), address,
                            vector(index));
}

llvm::Value* Emitter::gather(const Instruction& access, const llvm::Value* pointer,
                             llvm::Type* type, Align alignment, Value* mask) {
  const unsigned count = elements(type);
  if (count == 1) {
    return builder_.CreateMaskedGather(widen(type), vector_address(pointer), alignment, mask);
  }
  (void)access;
  llvm::Type* element = type->getScalarType();
  const uint64_t size = layout_.getTypeStoreSize(element).getFixedValue();
  Value* addresses = vector_address(pointer);
  Value* result = llvm::PoisonValue::get(widen(type));
  for (unsigned i = 0; i < count; ++i) {
    Value* at = builder_.CreateGEP(builder_.getInt8Ty(), addresses, builder_.getInt64(i * size));
    Value* part = builder_.CreateMaskedGather(widen(element), at,
                                              llvm::commonAlignment(alignment, i * size), mask);
    llvm::SmallVector<int, 128> spread(lanes_ * count, llvm::PoisonMaskElem), merge;
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      spread[lane * count + i] = static_cast<int>(lane);
    }
    for (unsigned k = 0; k < lanes_ * count; ++k) {
      merge.push_back(static_cast<int>(k % count == i ? k + lanes_ * count : k));
    }
    result =
        builder_.CreateShuffleVector(result, builder_.CreateShuffleVector(part, spread), merge);
  }
  return result;
}

void Emitter::scatter(Value* value, const llvm::Value* pointer, llvm::Type* type, Align alignment,
                      Value* mask) {
  const unsigned count = elements(type);
  Value* addresses = vector_address(pointer);
  if (count == 1) {
    builder_.CreateMaskedScatter(value, addresses, alignment, mask);
    return;
  }
  const uint64_t size = layout_.getTypeStoreSize(type->getScalarType()).getFixedValue();
  for (unsigned i = 0; i < count; ++i) {
    llvm::SmallVector<int, 128> pick;
    for (unsigned lane = 0; lane < lanes_; ++lane)
      pick.push_back(static_cast<int>(lane * count + i));
    Value* at = builder_.CreateGEP(builder_.getInt8Ty(), addresses, builder_.getInt64(i * size));
    builder_.CreateMaskedScatter(builder_.CreateShuffleVector(value, pick), at,
                                 llvm::commonAlignment(alignment, i * size), mask);
  }
}

namespace {

/// Stride of an affine access in units of the accessed element, when it is one worth a wide access.
int64_t element_stride(const Affine& shape, uint64_t size) {
  if (size == 0 || shape.stride % static_cast<int64_t>(size) != 0) return 0;
  const int64_t stride = shape.stride / static_cast<int64_t>(size);
  return stride == -1 || (stride >= 1 && stride <= kMaxStride) ? stride : 0;
}

}  // namespace

llvm::Value* Emitter::early_parameter(const llvm::LoadInst& load) {
  // Parameters can be read whether or not some lane asks. Then all warps of a block share the value and
  // what is computed from it. Not in functions that begin anew at every barrier.
  if (return_value_ != nullptr || load.isVolatile() ||
      !load.hasMetadata(llvm::LLVMContext::MD_invariant_load)) {
    return nullptr;
  }
  llvm::APInt offset(64, 0);
  const llvm::Value* root =
      load.getPointerOperand()->stripAndAccumulateConstantOffsets(layout_, offset, true);
  uint64_t bytes = 0;
  context_.kernel->getFnAttribute("guda.param_bytes").getValueAsString().getAsInteger(10, bytes);
  const uint64_t size = layout_.getTypeStoreSize(load.getType()).getFixedValue();
  if (root != context_.kernel->getArg(0) || offset.ugt(bytes) ||
      offset.getZExtValue() + size > bytes) {
    return nullptr;
  }
  llvm::IRBuilder<> prologue(entry_);
  auto* copy = llvm::cast<llvm::LoadInst>(load.clone());
  copy->setOperand(0, prologue.CreateGEP(prologue.getInt8Ty(), params_,
                                         prologue.getInt64(offset.getZExtValue())));
  return prologue.Insert(copy);
}

Status Emitter::emit_load(const llvm::LoadInst& load) {
  const llvm::Value* pointer = load.getPointerOperand();
  llvm::Type* type = load.getType();
  if (Value* parameter = early_parameter(load)) {
    define(load, parameter, nullptr, nullptr);
    return Status::ok();
  }
  const Affine* shape = affine(pointer);
  if (is_uniform(pointer) || (shape != nullptr && shape->stride == 0 && shape->checks.empty())) {
    auto* copy = llvm::cast<llvm::LoadInst>(load.clone());
    copy->setOperand(0, safe_address(base(pointer)));
    copy->dropUnknownNonDebugMetadata({llvm::LLVMContext::MD_invariant_load});
    Value* value = builder_.Insert(copy);
    if (is_uniform(&load))
      define(load, value, nullptr, nullptr);
    else
      define(load, nullptr, splat(value), nullptr);
    return Status::ok();
  }
  const uint64_t size = layout_.getTypeStoreSize(type).getFixedValue();
  const unsigned count = elements(type);
  const int64_t stride = shape != nullptr ? element_stride(*shape, size) : 0;
  if (stride == 0 || (stride != 1 && count > 1)) {
    define(load, nullptr, gather(load, pointer, type, load.getAlign(), mask_), nullptr);
    return Status::ok();
  }
  if (stride == 1) prefetch_next_block(load, pointer, size * lanes_, false);
  const auto contiguous = [&]() -> Value* {
    Value* first = base(pointer);
    if (stride == 1) {
      auto* result =
          builder_.CreateMaskedLoad(widen(type), first, load.getAlign(), repeat_mask(mask_, count));
      if (load.hasMetadata(llvm::LLVMContext::MD_invariant_load)) {
        result->setMetadata(llvm::LLVMContext::MD_invariant_load,
                            llvm::MDNode::get(out_.getContext(), {}));
      }
      return result;
    }
    llvm::SmallVector<int, 128> spread, pick;
    if (stride == -1) {
      first = builder_.CreateGEP(builder_.getInt8Ty(), first,
                                 builder_.getInt64(-static_cast<int64_t>(size * (lanes_ - 1))));
      for (unsigned lane = 0; lane < lanes_; ++lane)
        pick.push_back(static_cast<int>(lanes_ - 1 - lane));
      Value* reversed = builder_.CreateShuffleVector(mask_, pick);
      Value* wide = builder_.CreateMaskedLoad(widen(type), first, load.getAlign(), reversed);
      return builder_.CreateShuffleVector(wide, pick);
    }
    for (unsigned k = 0; k < lanes_ * stride; ++k) {
      spread.push_back(static_cast<int>(k % stride == 0 ? k / stride : lanes_));
    }
    for (unsigned lane = 0; lane < lanes_; ++lane) pick.push_back(static_cast<int>(lane * stride));
    Value* mask =
        builder_.CreateShuffleVector(mask_, llvm::Constant::getNullValue(mask_->getType()), spread);
    Value* wide = builder_.CreateMaskedLoad(
        llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes_ * stride)), first,
        load.getAlign(), mask);
    return builder_.CreateShuffleVector(wide, pick);
  };
  Value* test = wrap_test(*shape);
  if (test == nullptr) {
    define(load, nullptr, contiguous(), nullptr);
    return Status::ok();
  }
  base(pointer);
  llvm::LLVMContext& context = out_.getContext();
  BasicBlock* fast = BasicBlock::Create(context, "contiguous", &out_);
  BasicBlock* slow = BasicBlock::Create(context, "wrapping", &out_);
  BasicBlock* join = BasicBlock::Create(context, "loaded", &out_);
  builder_.CreateCondBr(test, fast, slow);
  builder_.SetInsertPoint(fast);
  Value* quick = contiguous();
  builder_.CreateBr(join);
  builder_.SetInsertPoint(slow);
  const auto vector_before = vector_here_;
  const auto uniform_before = uniform_here_;
  const auto base_before = base_here_;
  Value* general = gather(load, pointer, type, load.getAlign(), mask_);
  vector_here_ = vector_before;
  uniform_here_ = uniform_before;
  base_here_ = base_before;
  BasicBlock* slow_end = builder_.GetInsertBlock();
  builder_.CreateBr(join);
  builder_.SetInsertPoint(join);
  llvm::PHINode* value = builder_.CreatePHI(quick->getType(), 2);
  value->addIncoming(quick, fast);
  value->addIncoming(general, slow_end);
  define(load, nullptr, value, nullptr);
  return Status::ok();
}

Status Emitter::emit_store(const llvm::StoreInst& store) {
  const llvm::Value* pointer = store.getPointerOperand();
  const llvm::Value* stored = store.getValueOperand();
  llvm::Type* type = stored->getType();
  const unsigned count = elements(type);
  const Affine* shape = affine(pointer);
  if (is_uniform(pointer) || (shape != nullptr && shape->stride == 0 && shape->checks.empty())) {
    Value* value = nullptr;
    if (is_uniform(stored)) {
      value = uniform(stored);
    } else {
      // One of the lanes wins; take the last active one.
      Value* bits = mask_bits(mask_);
      Value* leading =
          builder_.CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, bits, builder_.getFalse());
      Value* last =
          builder_.CreateAnd(builder_.CreateSub(builder_.getIntN(lanes_, lanes_ - 1), leading),
                             builder_.getIntN(lanes_, lanes_ - 1));
      last = builder_.CreateZExtOrTrunc(last, builder_.getInt32Ty());
      Value* all = vector(stored);
      if (count == 1) {
        value = builder_.CreateExtractElement(all, last);
      } else {
        value = llvm::PoisonValue::get(type);
        for (unsigned i = 0; i < count; ++i) {
          Value* at = builder_.CreateAdd(builder_.CreateMul(last, builder_.getInt32(count)),
                                         builder_.getInt32(i));
          value = builder_.CreateInsertElement(value, builder_.CreateExtractElement(all, at),
                                               builder_.getInt32(i));
        }
      }
    }
    auto* copy = llvm::cast<llvm::StoreInst>(store.clone());
    copy->setOperand(0, value);
    copy->setOperand(1, safe_address(base(pointer)));
    copy->dropUnknownNonDebugMetadata();
    builder_.Insert(copy);
    return Status::ok();
  }
  const uint64_t size = layout_.getTypeStoreSize(type).getFixedValue();
  const int64_t stride = shape != nullptr ? element_stride(*shape, size) : 0;
  Value* value = vector(stored);
  if (stride == 0 || (stride != 1 && count > 1)) {
    scatter(value, pointer, type, store.getAlign(), mask_);
    return Status::ok();
  }
  if (stride == 1) prefetch_next_block(store, pointer, size * lanes_, true);
  const auto contiguous = [&] {
    Value* first = base(pointer);
    if (stride == 1) {
      builder_.CreateMaskedStore(value, first, store.getAlign(), repeat_mask(mask_, count));
      return;
    }
    llvm::SmallVector<int, 128> spread, mask_spread;
    if (stride == -1) {
      first = builder_.CreateGEP(builder_.getInt8Ty(), first,
                                 builder_.getInt64(-static_cast<int64_t>(size * (lanes_ - 1))));
      for (unsigned lane = 0; lane < lanes_; ++lane) {
        spread.push_back(static_cast<int>(lanes_ - 1 - lane));
      }
      builder_.CreateMaskedStore(builder_.CreateShuffleVector(value, spread), first,
                                 store.getAlign(), builder_.CreateShuffleVector(mask_, spread));
      return;
    }
    for (unsigned k = 0; k < lanes_ * stride; ++k) {
      spread.push_back(k % stride == 0 ? static_cast<int>(k / stride) : llvm::PoisonMaskElem);
      mask_spread.push_back(static_cast<int>(k % stride == 0 ? k / stride : lanes_));
    }
    builder_.CreateMaskedStore(
        builder_.CreateShuffleVector(value, spread), first, store.getAlign(),
        builder_.CreateShuffleVector(mask_, llvm::Constant::getNullValue(mask_->getType()),
                                     mask_spread));
  };
  Value* test = wrap_test(*shape);
  if (test == nullptr) {
    contiguous();
    return Status::ok();
  }
  base(pointer);
  llvm::LLVMContext& context = out_.getContext();
  BasicBlock* fast = BasicBlock::Create(context, "contiguous", &out_);
  BasicBlock* slow = BasicBlock::Create(context, "wrapping", &out_);
  BasicBlock* join = BasicBlock::Create(context, "stored", &out_);
  builder_.CreateCondBr(test, fast, slow);
  builder_.SetInsertPoint(fast);
  contiguous();
  builder_.CreateBr(join);
  builder_.SetInsertPoint(slow);
  const auto vector_before = vector_here_;
  const auto uniform_before = uniform_here_;
  const auto base_before = base_here_;
  scatter(value, pointer, type, store.getAlign(), mask_);
  vector_here_ = vector_before;
  uniform_here_ = uniform_before;
  base_here_ = base_before;
  builder_.CreateBr(join);
  builder_.SetInsertPoint(join);
  return Status::ok();
}

Status Emitter::emit_atomic(const Instruction& instruction) {
  const auto* update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction);
  const auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction);
  const llvm::Value* pointer =
      update != nullptr ? update->getPointerOperand() : exchange->getPointerOperand();
  const bool shared = is_shared(pointer);
  const bool used = !instruction.use_empty();

  if (update != nullptr && !used && is_uniform(pointer) && update->getType()->isIntegerTy()) {
    llvm::Intrinsic::ID reduction = llvm::Intrinsic::not_intrinsic;
    uint64_t identity = 0;
    const unsigned width = update->getType()->getIntegerBitWidth();
    using Update = llvm::AtomicRMWInst;
    switch (update->getOperation()) {
      case Update::Add: reduction = llvm::Intrinsic::vector_reduce_add; break;
      case Update::Or: reduction = llvm::Intrinsic::vector_reduce_or; break;
      case Update::Xor: reduction = llvm::Intrinsic::vector_reduce_xor; break;
      case Update::UMax: reduction = llvm::Intrinsic::vector_reduce_umax; break;
      case Update::And:
        reduction = llvm::Intrinsic::vector_reduce_and;
        identity = ~uint64_t{0};
        break;
      case Update::UMin:
        reduction = llvm::Intrinsic::vector_reduce_umin;
        identity = ~uint64_t{0};
        break;
      case Update::Max:
        reduction = llvm::Intrinsic::vector_reduce_smax;
        identity = uint64_t{1} << (width - 1);
        break;
      case Update::Min:
        reduction = llvm::Intrinsic::vector_reduce_smin;
        identity = (uint64_t{1} << (width - 1)) - 1;
        break;
      default: break;
    }
    if (reduction != llvm::Intrinsic::not_intrinsic && width <= 64) {
      Value* total = nullptr;
      Value* address = safe_address(uniform(pointer));
      if (update->getOperation() == Update::Add && is_uniform(update->getValOperand())) {
        Value* active = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, mask_bits(mask_));
        total = builder_.CreateMul(builder_.CreateZExtOrTrunc(active, update->getType()),
                                   uniform(update->getValOperand()));
      } else {
        Value* neutral = splat(llvm::ConstantInt::get(update->getType(), identity, false, true));
        total = builder_.CreateUnaryIntrinsic(
            reduction, builder_.CreateSelect(mask_, vector(update->getValOperand()), neutral));
      }
      if (shared) {
        Value* old = builder_.CreateLoad(update->getType(), address);
        builder_.CreateStore(
            llvm::buildAtomicRMWValue(update->getOperation(), builder_, old, total), address);
      } else {
        auto* copy = llvm::cast<llvm::AtomicRMWInst>(update->clone());
        copy->setOperand(0, address);
        copy->setOperand(1, total);
        copy->dropUnknownNonDebugMetadata();
        builder_.Insert(copy);
      }
      return Status::ok();
    }
  }

  // One lane after the other; results pass through a small array.
  llvm::Type* result_type =
      update != nullptr ? update->getType() : exchange->getCompareOperand()->getType();
  llvm::AllocaInst* results = nullptr;
  if (used) {
    llvm::IRBuilder<> at(entry_, entry_->begin());
    results = at.CreateAlloca(llvm::ArrayType::get(result_type, lanes_), nullptr, "atomic_results");
  }
  const unsigned operands = update != nullptr ? 2 : 3;
  Value* vectors[3] = {};
  for (unsigned i = 0; i < operands; ++i) {
    const llvm::Value* operand = instruction.getOperand(i);
    vectors[i] = is_uniform(operand) ? uniform(operand) : spill(vector(operand));
  }
  for_each_lane(mask_, [&](Value* lane) {
    Value* scalars[3] = {};
    for (unsigned i = 0; i < operands; ++i) {
      const llvm::Value* operand = instruction.getOperand(i);
      if (is_uniform(operand)) {
        scalars[i] = vectors[i];
      } else {
        scalars[i] = builder_.CreateLoad(operand->getType(),
                                         builder_.CreateGEP(operand->getType(), vectors[i], lane));
      }
    }
    Value* old = nullptr;
    if (shared) {
      old = builder_.CreateLoad(result_type, scalars[0]);
      Value* next = nullptr;
      if (update != nullptr) {
        next = llvm::buildAtomicRMWValue(update->getOperation(), builder_, old, scalars[1]);
      } else {
        next = builder_.CreateSelect(builder_.CreateICmpEQ(old, scalars[1]), scalars[2], old);
      }
      builder_.CreateStore(next, scalars[0]);
    } else {
      Instruction* copy = instruction.clone();
      for (unsigned i = 0; i < operands; ++i) copy->setOperand(i, scalars[i]);
      copy->dropUnknownNonDebugMetadata();
      old = builder_.Insert(copy);
      if (exchange != nullptr) old = builder_.CreateExtractValue(old, 0);
    }
    if (used) {
      builder_.CreateStore(old, builder_.CreateGEP(result_type, results, lane));
    }
  });
  if (!used) return Status::ok();
  Value* all =
      builder_.CreateAlignedLoad(widen(result_type), results, layout_.getABITypeAlign(result_type));
  if (exchange != nullptr) {
    Value* expected = vector(exchange->getCompareOperand());
    Value* success = builder_.CreateICmpEQ(all, expected);
    Value* pair = llvm::PoisonValue::get(widen(instruction.getType()));
    pair = builder_.CreateInsertValue(pair, all, 0);
    all = builder_.CreateInsertValue(pair, success, 1);
  }
  define(instruction, nullptr, all, nullptr);
  return Status::ok();
}

}  // namespace guda::spmd
