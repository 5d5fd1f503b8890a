#include <llvm/IR/CFG.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/spmd/emitter.h"

namespace guda::spmd {

using llvm::BasicBlock;

Emitter::Emitter(const EmitContext& context, llvm::Function& out, Value* launch, Value* block,
                 Value* warp, Value* mask, Value* return_value)
    : context_(context),
      shapes_(*context.shapes),
      plan_(*context.plan),
      lanes_(context.layout.lanes),
      out_(out),
      module_(*out.getParent()),
      layout_(out.getDataLayout()),
      launch_(launch),
      block_(block),
      warp_(warp),
      entry_mask_(mask),
      return_value_(return_value),
      builder_(out.getContext()) {}

llvm::Type* Emitter::widen(llvm::Type* type) const {
  if (auto* structure = llvm::dyn_cast<llvm::StructType>(type)) {
    llvm::SmallVector<llvm::Type*, 4> elements;
    for (llvm::Type* element : structure->elements()) elements.push_back(widen(element));
    return llvm::StructType::get(type->getContext(), elements);
  }
  if (auto* small = llvm::dyn_cast<llvm::FixedVectorType>(type)) {
    return llvm::FixedVectorType::get(small->getElementType(), small->getNumElements() * lanes_);
  }
  return llvm::FixedVectorType::get(type, lanes_);
}

llvm::AllocaInst* Emitter::slot(llvm::DenseMap<const llvm::Value*, llvm::AllocaInst*>& slots,
                                const llvm::Value* key, llvm::Type* type, const char* name) {
  llvm::AllocaInst*& entry = slots[key];
  if (entry == nullptr) {
    llvm::IRBuilder<> at(entry_, entry_->begin());
    entry = at.CreateAlloca(type, nullptr, name);
  }
  return entry;
}

llvm::Value* Emitter::splat(Value* scalar) {
  if (auto* small = llvm::dyn_cast<llvm::FixedVectorType>(scalar->getType())) {
    llvm::SmallVector<int, 128> indices;
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      for (unsigned i = 0; i < small->getNumElements(); ++i) indices.push_back(static_cast<int>(i));
    }
    return builder_.CreateShuffleVector(scalar, indices);
  }
  if (scalar->getType()->isStructTy()) {
    Value* result = llvm::PoisonValue::get(widen(scalar->getType()));
    for (unsigned i = 0; i < scalar->getType()->getStructNumElements(); ++i) {
      result = builder_.CreateInsertValue(result, splat(builder_.CreateExtractValue(scalar, i)), i);
    }
    return result;
  }
  if (scalar->getType()->isIntegerTy(1)) {
    // A mask register filled from a general one; a vector splat of i1 takes a detour.
    return builder_.CreateBitCast(builder_.CreateSExt(scalar, builder_.getIntNTy(lanes_)),
                                  llvm::FixedVectorType::get(builder_.getInt1Ty(), lanes_));
  }
  return builder_.CreateVectorSplat(lanes_, scalar);
}

llvm::AllocaInst* Emitter::spill(Value* vector) {
  llvm::IRBuilder<> at(entry_, entry_->begin());
  llvm::AllocaInst* array = at.CreateAlloca(vector->getType(), nullptr, "spill");
  builder_.CreateStore(vector, array);
  return array;
}

llvm::Value* Emitter::lane_numbers(llvm::Type* scalar_type, int64_t stride) {
  llvm::SmallVector<llvm::Constant*, 32> numbers;
  for (unsigned lane = 0; lane < lanes_; ++lane) {
    numbers.push_back(llvm::ConstantInt::get(scalar_type, static_cast<uint64_t>(stride) * lane,
                                             true, /*implicitTrunc=*/true));
  }
  return llvm::ConstantVector::get(numbers);
}

llvm::Value* Emitter::mask_bits(Value* mask) {
  return builder_.CreateBitCast(mask, builder_.getIntNTy(lanes_));
}

llvm::Value* Emitter::any(Value* mask) {
  return builder_.CreateICmpNE(mask_bits(mask), builder_.getIntN(lanes_, 0));
}

llvm::Value* Emitter::logical_and(Value* mask, Value* condition) {
  // Not `and`: the condition of an inactive lane may be poison.
  return builder_.CreateSelect(mask, condition, llvm::Constant::getNullValue(mask->getType()));
}

llvm::Value* Emitter::repeat_mask(Value* mask, unsigned count) {
  if (count == 1) return mask;
  llvm::SmallVector<int, 128> indices;
  for (unsigned lane = 0; lane < lanes_; ++lane) {
    indices.append(count, static_cast<int>(lane));
  }
  return builder_.CreateShuffleVector(mask, indices);
}

llvm::Value* Emitter::uniform(const llvm::Value* value) {
  if (const auto* constant = llvm::dyn_cast<llvm::Constant>(value)) {
    return const_cast<llvm::Constant*>(constant);
  }
  if (const auto found = uniform_here_.find(value); found != uniform_here_.end()) {
    return found->second;
  }
  llvm::AllocaInst* from = slot(uniform_slots_, value, value->getType(), "u");
  return uniform_here_[value] = builder_.CreateLoad(from->getAllocatedType(), from);
}

llvm::Value* Emitter::base(const llvm::Value* value) {
  if (is_uniform(value)) return uniform(value);
  if (const auto found = base_here_.find(value); found != base_here_.end()) return found->second;
  // A step of something uniform by alignment, such as tid.x >> 3 in (tid.x >> 3) & ~3.
  if (affine(value) == nullptr) return builder_.CreateExtractElement(vector(value), uint64_t{0});
  llvm::AllocaInst* from = slot(base_slots_, value, value->getType(), "b");
  return base_here_[value] = builder_.CreateLoad(from->getAllocatedType(), from);
}

llvm::Value* Emitter::vector(const llvm::Value* value) {
  if (const auto found = vector_here_.find(value); found != vector_here_.end()) {
    return found->second;
  }
  if (is_uniform(value)) return vector_here_[value] = splat(uniform(value));
  if (const Affine* shape = affine(value)) {
    // Cheaper made again from scalars than kept.
    Value* all = expand_affine(value, *shape);
    return vector_here_[value] = all;
  }
  llvm::AllocaInst* from = slot(vector_slots_, value, widen(value->getType()), "v");
  return vector_here_[value] = builder_.CreateLoad(from->getAllocatedType(), from);
}

void Emitter::define(const Instruction& instruction, Value* uniform, Value* vector, Value* base) {
  const auto keep = [&](llvm::DenseMap<const llvm::Value*, llvm::AllocaInst*>& slots,
                        llvm::DenseMap<const llvm::Value*, Value*>& here, Value* value,
                        const char* name) {
    if (value == nullptr) return;
    here[&instruction] = value;
    builder_.CreateStore(value, slot(slots, &instruction, value->getType(), name));
  };
  keep(uniform_slots_, uniform_here_, uniform, "u");
  keep(vector_slots_, vector_here_, vector, "v");
  keep(base_slots_, base_here_, base, "b");
}

llvm::Value* Emitter::expand_affine(const llvm::Value* value, const Affine& shape) {
  llvm::Type* type = value->getType();
  Value* first = base(value);
  if (type->isPointerTy()) {
    type = layout_.getIntPtrType(type);
    first = builder_.CreatePtrToInt(first, type);
  }
  Value* all = builder_.CreateAdd(splat(first), lane_numbers(type, shape.stride));
  for (const Affine::Check& check : shape.checks) {
    // The extension as it is, less what it would be without wrapping.
    const Instruction& extension = *check.extension;
    const llvm::Value* source = extension.getOperand(0);
    const int64_t stride = affine(source)->stride;
    Value* wide = emit_extension(extension, vector(source), widen(extension.getType()));
    Value* start = emit_extension(extension, base(source), extension.getType());
    Value* deviation = builder_.CreateSub(
        wide, builder_.CreateAdd(splat(start), lane_numbers(extension.getType(), stride)));
    deviation = builder_.CreateSExtOrTrunc(deviation, all->getType());
    Value* factor = splat(llvm::ConstantInt::get(type, static_cast<uint64_t>(check.factor), true,
                                                 /*implicitTrunc=*/true));
    all = builder_.CreateAdd(all, builder_.CreateMul(deviation, factor));
  }
  return value->getType()->isPointerTy() ? builder_.CreateIntToPtr(all, widen(value->getType()))
                                         : all;
}

void Emitter::emit_prologue() {
  entry_ = BasicBlock::Create(out_.getContext(), "prologue", &out_);
  builder_.SetInsertPoint(entry_);
  auto* mask_type = llvm::FixedVectorType::get(builder_.getInt1Ty(), lanes_);
  for (const BlockPlan& plan : plan_.blocks()) {
    blocks_[plan.block] = BasicBlock::Create(out_.getContext(), plan.block->getName(), &out_);
    if (plan.same_mask == nullptr) {
      llvm::AllocaInst* pending = slot(mask_pending_, plan.block, mask_type, "pending");
      const bool first = plan.block == &context_.kernel->getEntryBlock();
      builder_.CreateStore(first ? entry_mask_ : llvm::Constant::getNullValue(mask_type), pending);
    }
  }
  first_thread_ = builder_.CreateMul(warp_, builder_.getInt32(lanes_), "first_thread");
  uniform_here_[context_.kernel->getArg(0)] = nullptr;
  uniform_here_.clear();
  params_ =
      scalar_load_field(launch_, offsetof(kernel::LaunchState, params), builder_.getPtrTy(), true);
  builder_.CreateStore(
      params_, slot(uniform_slots_, context_.kernel->getArg(0), builder_.getPtrTy(), "params"));
}

llvm::Value* Emitter::blend_lanes(Value* mask, Value* value, Value* other,
                                  llvm::Type* device_type) {
  if (device_type->isStructTy()) {
    for (unsigned i = 0; i < device_type->getStructNumElements(); ++i) {
      other = builder_.CreateInsertValue(
          other,
          blend_lanes(mask, builder_.CreateExtractValue(value, i),
                      builder_.CreateExtractValue(other, i), device_type->getStructElementType(i)),
          i);
    }
    return other;
  }
  const auto* small = llvm::dyn_cast<llvm::FixedVectorType>(device_type);
  const unsigned count = small != nullptr ? small->getNumElements() : 1;
  return builder_.CreateSelect(repeat_mask(mask, count), value, other);
}

void Emitter::write_phis() {
  for (const llvm::PHINode& phi : current_->block->phis()) {
    if (is_uniform(&phi)) {
      llvm::AllocaInst* from = slot(phi_uniform_, &phi, phi.getType(), "pu");
      define(phi, builder_.CreateLoad(phi.getType(), from), nullptr, nullptr);
      continue;
    }
    if (affine(&phi) != nullptr) {
      llvm::AllocaInst* from = slot(phi_base_, &phi, phi.getType(), "pb");
      define(phi, nullptr, nullptr, builder_.CreateLoad(phi.getType(), from));
      continue;
    }
    llvm::Type* type = widen(phi.getType());
    llvm::AllocaInst* from = slot(phi_vector_, &phi, type, "pv");
    Value* value = builder_.CreateLoad(type, from);
    define(phi, nullptr, value, nullptr);
    // The next pass through the block starts afresh.
    if (!plan_.is_loop_header(phi.getParent())) {
      builder_.CreateStore(llvm::PoisonValue::get(type), from);
    }
  }
}

void Emitter::emit_edge(const BasicBlock& from, BasicBlock& to, Value* edge_mask,
                        bool never_empty) {
  // Read all incoming values before any slot of the target changes.
  struct Update {
    const llvm::PHINode* phi;
    Value* value;
  };
  llvm::SmallVector<Update, 8> updates;
  for (const llvm::PHINode& phi : to.phis()) {
    const llvm::Value* incoming = phi.getIncomingValueForBlock(&from);
    Value* value = is_uniform(&phi)          ? uniform(incoming)
                   : affine(&phi) != nullptr ? base(incoming)
                                             : vector(incoming);
    updates.push_back({&phi, value});
  }
  // Lanes that came another way, or in an earlier iteration, keep what they brought.
  const bool header = plan_.is_loop_header(&to);
  const bool blend =
      !header && (!shapes_.joins_uniformly(to) || plan_.leaves_divergent_loop(&from, &to));
  for (const Update& update : updates) {
    llvm::Type* type = update.phi->getType();
    Value* value = update.value;
    llvm::AllocaInst* into = nullptr;
    if (is_uniform(update.phi) || affine(update.phi) != nullptr) {
      into = slot(is_uniform(update.phi) ? phi_uniform_ : phi_base_, update.phi, type, "p");
      if (blend || (!never_empty && !header)) {
        value = builder_.CreateSelect(any(edge_mask), value, builder_.CreateLoad(type, into));
      }
    } else {
      into = slot(phi_vector_, update.phi, widen(type), "p");
      if (blend)
        value = blend_lanes(edge_mask, value, builder_.CreateLoad(widen(type), into), type);
    }
    builder_.CreateStore(value, into);
  }
  if (plan_.of(&to).same_mask == nullptr) {
    llvm::AllocaInst* pending = mask_pending_[&to];
    Value* old = builder_.CreateLoad(edge_mask->getType(), pending);
    builder_.CreateStore(builder_.CreateOr(old, edge_mask), pending);
  }
}

void Emitter::emit_terminator(const BlockPlan& plan, Value* mask) {
  const llvm::Instruction* terminator = plan.block->getTerminator();
  if (llvm::isa<llvm::ReturnInst>(terminator)) {
    if (return_value_ != nullptr)
      builder_.CreateRet(return_value_);
    else
      builder_.CreateRetVoid();
    return;
  }
  const auto* branch = llvm::cast<llvm::BranchInst>(terminator);
  if (plan.linear_next == nullptr) {
    if (!branch->isConditional()) {
      emit_edge(*plan.block, *branch->getSuccessor(0), mask, plan.never_empty);
      builder_.CreateBr(blocks_[plan.next[0]]);
      return;
    }
    Value* condition = uniform(branch->getCondition());
    if (!plan.never_empty) condition = builder_.CreateFreeze(condition);
    BasicBlock* edges[2];
    for (unsigned i = 0; i < 2; ++i) {
      edges[i] = BasicBlock::Create(out_.getContext(), "edge", &out_);
    }
    builder_.CreateCondBr(condition, edges[0], edges[1]);
    const auto uniform_before = uniform_here_;
    const auto vector_before = vector_here_;
    const auto base_before = base_here_;
    for (unsigned i = 0; i < 2; ++i) {
      builder_.SetInsertPoint(edges[i]);
      uniform_here_ = uniform_before;
      vector_here_ = vector_before;
      base_here_ = base_before;
      emit_edge(*plan.block, *branch->getSuccessor(i), mask, plan.never_empty);
      builder_.CreateBr(blocks_[plan.next[i]]);
    }
    return;
  }
  if (branch->isConditional()) {
    Value* condition = is_uniform(branch->getCondition()) ? splat(uniform(branch->getCondition()))
                                                          : vector(branch->getCondition());
    Value* taken = logical_and(mask, condition);
    Value* other = logical_and(mask, builder_.CreateNot(condition));
    emit_edge(*plan.block, *branch->getSuccessor(0), taken, false);
    emit_edge(*plan.block, *branch->getSuccessor(1), other, false);
  } else {
    emit_edge(*plan.block, *branch->getSuccessor(0), mask, plan.never_empty);
  }
  if (plan.repeat != nullptr) {
    Value* left = builder_.CreateLoad(mask->getType(), mask_pending_[plan.repeat]);
    builder_.CreateCondBr(any(left), blocks_[plan.repeat], blocks_[plan.linear_next]);
  } else {
    builder_.CreateBr(blocks_[plan.linear_next]);
  }
}

void Emitter::emit_block(const BlockPlan& plan) {
  current_ = &plan;
  uniform_here_.clear();
  vector_here_.clear();
  base_here_.clear();
  builder_.SetInsertPoint(blocks_[plan.block]);
  auto* mask_type = llvm::FixedVectorType::get(builder_.getInt1Ty(), lanes_);
  if (plan.same_mask != nullptr) {
    mask_ = builder_.CreateLoad(mask_type, slot(mask_slots_, plan.same_mask, mask_type, "mask"));
  } else {
    llvm::AllocaInst* pending = mask_pending_[plan.block];
    mask_ = builder_.CreateLoad(mask_type, pending);
    builder_.CreateStore(llvm::Constant::getNullValue(mask_type), pending);
  }
  builder_.CreateStore(mask_, slot(mask_slots_, plan.block, mask_type, "mask"));
  if (plan.skip != nullptr) {
    BasicBlock* body = BasicBlock::Create(out_.getContext(), "active", &out_);
    builder_.CreateCondBr(any(mask_), body, blocks_[plan.skip]);
    builder_.SetInsertPoint(body);
  }
  write_phis();
}

Status Emitter::run() {
  emit_prologue();
  for (const BlockPlan& plan : plan_.blocks()) {
    emit_block(plan);
    for (const Instruction& instruction : *plan.block) {
      if (llvm::isa<llvm::PHINode>(instruction) || instruction.isTerminator()) continue;
      if (Status status = emit_instruction(instruction); !status) return status;
    }
    emit_terminator(plan, mask_);
  }
  builder_.SetInsertPoint(entry_);
  builder_.CreateBr(blocks_[&context_.kernel->getEntryBlock()]);
  return Status::ok();
}

}  // namespace guda::spmd
