#include <fmt/format.h>
#include <llvm/Analysis/VectorUtils.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/spmd/device_calls.h"
#include "compiler/spmd/emitter.h"
#include "compiler/target/alignment_checks.h"

namespace guda::spmd {

using llvm::BasicBlock;

namespace {

Status unsupported(const llvm::Instruction& instruction, std::string_view why) {
  return {StatusCode::not_supported, fmt::format("{}: {}", instruction.getOpcodeName(), why)};
}

bool is_signed_extension(const llvm::Instruction& instruction) {
  // A zext of a value known to be non-negative is a sext for the lanes that count, and only as a sext
  // is it also right for the base when lane 0 is not active.
  return llvm::isa<llvm::SExtInst>(instruction) ||
         (llvm::isa<llvm::ZExtInst>(instruction) && instruction.hasNonNeg());
}

}  // namespace

llvm::Value* Emitter::scalar_load_field(Value* object, uint64_t offset, llvm::Type* type,
                                        bool invariant) {
  Value* address = builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), object, offset);
  llvm::LoadInst* load = builder_.CreateLoad(type, address);
  if (invariant) {
    load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                      llvm::MDNode::get(out_.getContext(), {}));
  }
  return load;
}

void Emitter::make_thread_indices() {
  if (tid_base_[0] != nullptr || tid_vector_[0] != nullptr) return;
  llvm::IRBuilder<>::InsertPointGuard guard(builder_);
  builder_.SetInsertPoint(entry_);
  llvm::Type* word = builder_.getInt32Ty();
  Value* extent[2];
  for (unsigned i = 0; i < 2; ++i) {
    extent[i] =
        context_.layout.known()
            ? static_cast<Value*>(builder_.getInt32(context_.layout.block[i]))
            : scalar_load_field(launch_, offsetof(kernel::LaunchState, block) + 4 * i, word, true);
  }
  const auto split = [&](Value* linear, Value* x_extent, Value* y_extent, Value** out) {
    if (context_.layout.one_dimensional) {
      out[0] = linear;
      out[1] = out[2] = llvm::Constant::getNullValue(linear->getType());
      return;
    }
    out[0] = builder_.CreateURem(linear, x_extent);
    Value* rows = builder_.CreateUDiv(linear, x_extent);
    out[1] = builder_.CreateURem(rows, y_extent);
    out[2] = builder_.CreateUDiv(rows, y_extent);
  };
  if (context_.layout.rows) {
    split(first_thread_, extent[0], extent[1], tid_base_);
  } else {
    Value* linear = builder_.CreateAdd(splat(first_thread_), lane_numbers(word, 1));
    split(linear, splat(extent[0]), splat(extent[1]), tid_vector_);
  }
}

Status Emitter::emit_special_register(llvm::StringRef name, const llvm::CallBase& call) {
  llvm::Type* word = builder_.getInt32Ty();
  const auto uniform_word = [&](Value* value) {
    define(call, value, nullptr, nullptr);
    return Status::ok();
  };
  const auto field = [&](Value* object, uint64_t offset) {
    return uniform_word(scalar_load_field(object, offset, call.getType(), true));
  };
  const llvm::StringRef full = name;
  const auto axis_of = [](llvm::StringRef text) {
    return text.ends_with(".x") ? 0u : text.ends_with(".y") ? 1u : 2u;
  };
  const unsigned axis = axis_of(full);
  using kernel::BlockState;
  using kernel::LaunchState;
  if (full.starts_with("tid.")) {
    make_thread_indices();
    if (!context_.layout.rows) {
      define(call, nullptr, tid_vector_[axis], nullptr);
    } else if (axis == 0) {
      define(call, nullptr, nullptr, tid_base_[0]);
    } else {
      return uniform_word(tid_base_[axis]);
    }
    return Status::ok();
  }
  if (full.starts_with("ntid.")) {
    if (context_.layout.known())
      return uniform_word(builder_.getInt32(context_.layout.block[axis]));
    return field(launch_, offsetof(LaunchState, block) + 4 * axis);
  }
  if (full.starts_with("ctaid.")) return field(block_, offsetof(BlockState, index) + 4 * axis);
  if (full.starts_with("nctaid.")) return field(launch_, offsetof(LaunchState, grid) + 4 * axis);
  if (full == "laneid") {
    Value* first = lanes_ == 32 ? static_cast<Value*>(builder_.getInt32(0))
                                : builder_.CreateAnd(first_thread_, builder_.getInt32(31));
    define(call, nullptr, nullptr, first);
    return Status::ok();
  }
  if (full == "warpid") return uniform_word(builder_.CreateLShr(first_thread_, 5));
  if (full == "nwarpid") return uniform_word(builder_.getInt32(48));
  if (full == "smid") return field(block_, offsetof(BlockState, worker));
  if (full == "nsmid") return uniform_word(builder_.getInt32(1));
  if (full == "gridid") return field(launch_, offsetof(LaunchState, grid_id));
  if (full == "dynamic_smem_size") {
    return field(launch_, offsetof(LaunchState, dynamic_shared_bytes));
  }
  if (full == "total_smem_size") {
    Value* fixed =
        scalar_load_field(launch_, offsetof(LaunchState, static_shared_bytes), word, true);
    Value* dynamic =
        scalar_load_field(launch_, offsetof(LaunchState, dynamic_shared_bytes), word, true);
    return uniform_word(builder_.CreateAdd(fixed, dynamic));
  }
  if (full.starts_with("lanemask_")) {
    Value* lane =
        builder_.CreateAnd(builder_.CreateAdd(splat(first_thread_), lane_numbers(word, 1)),
                           splat(builder_.getInt32(31)));
    Value* one = builder_.CreateShl(splat(builder_.getInt32(1)), lane);
    Value* below = builder_.CreateSub(one, splat(builder_.getInt32(1)));
    Value* result = nullptr;
    if (full.ends_with("_eq"))
      result = one;
    else if (full.ends_with("_lt"))
      result = below;
    else if (full.ends_with("_le"))
      result = builder_.CreateOr(one, below);
    else if (full.ends_with("_gt"))
      result = builder_.CreateNot(builder_.CreateOr(one, below));
    else
      result = builder_.CreateNot(below);
    define(call, nullptr, result, nullptr);
    return Status::ok();
  }
  if (full == "clock" || full == "clock64" || full == "clock_hi") {
    Value* cycles = builder_.CreateIntrinsic(
        builder_.getInt64Ty(), llvm::Intrinsic::readcyclecounter, llvm::ArrayRef<Value*>{});
    if (full == "clock_hi") cycles = builder_.CreateLShr(cycles, 32);
    return uniform_word(builder_.CreateTrunc(cycles, call.getType()));
  }
  if (full.starts_with("globaltimer")) {
    Value* services =
        scalar_load_field(launch_, offsetof(LaunchState, services), builder_.getPtrTy(), true);
    Value* function = scalar_load_field(services, offsetof(kernel::Services, globaltimer),
                                        builder_.getPtrTy(), true);
    Value* now =
        builder_.CreateCall(llvm::FunctionType::get(builder_.getInt64Ty(), false), function);
    if (full.ends_with("_hi")) now = builder_.CreateLShr(now, 32);
    return uniform_word(builder_.CreateTrunc(now, call.getType()));
  }
  return unsupported(call, "special register " + full.str());
}

llvm::Value* Emitter::affine_base(const Instruction& instruction) {
  switch (instruction.getOpcode()) {
    case Instruction::Or:
      return builder_.CreateAdd(base(instruction.getOperand(0)), base(instruction.getOperand(1)));
    case Instruction::SExt:
    case Instruction::ZExt:
      return emit_extension(instruction, base(instruction.getOperand(0)), instruction.getType());
    case Instruction::Select:
      return builder_.CreateSelect(uniform(instruction.getOperand(0)),
                                   base(instruction.getOperand(1)),
                                   base(instruction.getOperand(2)));
    default: {
      Instruction* copy = instruction.clone();
      for (unsigned i = 0; i < copy->getNumOperands(); ++i) {
        copy->setOperand(i, base(instruction.getOperand(i)));
      }
      // Lane 0 need not be active: what holds for active lanes may be untrue for it.
      copy->dropPoisonGeneratingFlags();
      copy->dropUnknownNonDebugMetadata();
      return builder_.Insert(copy);
    }
  }
}

llvm::Value* Emitter::emit_extension(const Instruction& extension, Value* source,
                                     llvm::Type* type) {
  return is_signed_extension(extension) ? builder_.CreateSExt(source, type)
                                        : builder_.CreateZExt(source, type);
}

llvm::Value* Emitter::wrap_test(const Affine& shape) {
  Value* result = nullptr;
  for (const Affine::Check& check : shape.checks) {
    const llvm::Value* source = check.extension->getOperand(0);
    const Affine& progression = *affine(source);
    Value* first = base(source);
    llvm::Type* type = first->getType();
    const int64_t spread = progression.stride * static_cast<int64_t>(lanes_ - 1);
    Value* test = nullptr;
    if (is_signed_extension(*check.extension)) {
      // See Affine: no test needed for an address.
    } else if (spread >= 0) {
      Value* last = builder_.CreateAdd(first, llvm::ConstantInt::getSigned(type, spread));
      test = builder_.CreateICmpUGE(last, first);
    } else {
      test = builder_.CreateICmpUGE(first, llvm::ConstantInt::getSigned(type, -spread));
    }
    for (Value* part : {test, wrap_test(progression)}) {
      if (part != nullptr) result = result == nullptr ? part : builder_.CreateAnd(result, part);
    }
  }
  return result;
}

void Emitter::for_each_lane(Value* mask, llvm::function_ref<void(Value* lane)> body) {
  llvm::LLVMContext& context = out_.getContext();
  BasicBlock* before = builder_.GetInsertBlock();
  BasicBlock* loop = BasicBlock::Create(context, "lane", &out_);
  BasicBlock* done = BasicBlock::Create(context, "lanes_done", &out_);
  Value* all = mask_bits(mask);
  Value* none = builder_.getIntN(lanes_, 0);
  builder_.CreateCondBr(builder_.CreateICmpNE(all, none), loop, done);
  builder_.SetInsertPoint(loop);
  auto* left = builder_.CreatePHI(all->getType(), 2);
  left->addIncoming(all, before);
  Value* lane = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::cttz, left, builder_.getTrue());
  const auto uniform_before = uniform_here_;
  const auto vector_before = vector_here_;
  const auto base_before = base_here_;
  body(builder_.CreateZExtOrTrunc(lane, builder_.getInt32Ty()));
  uniform_here_ = uniform_before;
  vector_here_ = vector_before;
  base_here_ = base_before;
  Value* rest = builder_.CreateAnd(left, builder_.CreateSub(left, builder_.getIntN(lanes_, 1)));
  left->addIncoming(rest, builder_.GetInsertBlock());
  builder_.CreateCondBr(builder_.CreateICmpNE(rest, none), loop, done);
  builder_.SetInsertPoint(done);
}

llvm::Value* Emitter::emit_vector_element(const Instruction& instruction) {
  const auto* small = llvm::dyn_cast<llvm::FixedVectorType>(instruction.getOperand(0)->getType());
  const unsigned count = small->getNumElements();
  llvm::SmallVector<int, 128> indices;
  if (const auto* extract = llvm::dyn_cast<llvm::ExtractElementInst>(&instruction)) {
    const auto* index = llvm::dyn_cast<llvm::ConstantInt>(extract->getIndexOperand());
    if (index == nullptr) return nullptr;
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      indices.push_back(static_cast<int>(lane * count + index->getZExtValue()));
    }
    return builder_.CreateShuffleVector(vector(extract->getVectorOperand()), indices);
  }
  if (const auto* insert = llvm::dyn_cast<llvm::InsertElementInst>(&instruction)) {
    const auto* index = llvm::dyn_cast<llvm::ConstantInt>(insert->getOperand(2));
    if (index == nullptr) return nullptr;
    llvm::SmallVector<int, 128> spread(lanes_ * count, llvm::PoisonMaskElem);
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      spread[lane * count + index->getZExtValue()] = static_cast<int>(lane);
      for (unsigned i = 0; i < count; ++i) {
        const unsigned at = lane * count + i;
        indices.push_back(static_cast<int>(i == index->getZExtValue() ? at + lanes_ * count : at));
      }
    }
    Value* element = builder_.CreateShuffleVector(vector(insert->getOperand(1)), spread);
    return builder_.CreateShuffleVector(vector(insert->getOperand(0)), element, indices);
  }
  const auto* shuffle = llvm::cast<llvm::ShuffleVectorInst>(&instruction);
  for (unsigned lane = 0; lane < lanes_; ++lane) {
    for (const int from : shuffle->getShuffleMask()) {
      if (from < 0)
        indices.push_back(llvm::PoisonMaskElem);
      else if (static_cast<unsigned>(from) < count)
        indices.push_back(static_cast<int>(lane * count) + from);
      else
        indices.push_back(static_cast<int>((lanes_ + lane) * count) + from -
                          static_cast<int>(count));
    }
  }
  return builder_.CreateShuffleVector(vector(shuffle->getOperand(0)),
                                      vector(shuffle->getOperand(1)), indices);
}

Status Emitter::emit_lane_wise(const Instruction& instruction) {
  if (const auto* select = llvm::dyn_cast<llvm::SelectInst>(&instruction)) {
    Value* left = vector(select->getTrueValue());
    Value* right = vector(select->getFalseValue());
    const llvm::Value* condition = select->getCondition();
    Value* result = nullptr;
    if (is_uniform(condition) && !condition->getType()->isVectorTy()) {
      result = builder_.CreateSelect(uniform(condition), left, right);
    } else if (condition->getType()->isVectorTy()) {
      result = builder_.CreateSelect(vector(condition), left, right);
    } else {
      result = blend_lanes(vector(condition), left, right, select->getType());
    }
    define(instruction, nullptr, result, nullptr);
    return Status::ok();
  }
  if (llvm::isa<llvm::ExtractElementInst, llvm::InsertElementInst, llvm::ShuffleVectorInst>(
          instruction)) {
    Value* result = emit_vector_element(instruction);
    if (result == nullptr) return unsupported(instruction, "vector index is not constant");
    define(instruction, nullptr, result, nullptr);
    return Status::ok();
  }
  if (const auto* extract = llvm::dyn_cast<llvm::ExtractValueInst>(&instruction)) {
    define(
        instruction, nullptr,
        builder_.CreateExtractValue(vector(extract->getAggregateOperand()), extract->getIndices()),
        nullptr);
    return Status::ok();
  }
  if (const auto* insert = llvm::dyn_cast<llvm::InsertValueInst>(&instruction)) {
    define(
        instruction, nullptr,
        builder_.CreateInsertValue(vector(insert->getAggregateOperand()),
                                   vector(insert->getInsertedValueOperand()), insert->getIndices()),
        nullptr);
    return Status::ok();
  }
  if (const auto* gep = llvm::dyn_cast<llvm::GetElementPtrInst>(&instruction)) {
    llvm::SmallVector<Value*, 4> indices;
    for (const llvm::Value* index : gep->indices()) {
      indices.push_back(is_uniform(index) ? uniform(index) : vector(index));
    }
    Value* pointer = is_uniform(gep->getPointerOperand()) ? uniform(gep->getPointerOperand())
                                                          : vector(gep->getPointerOperand());
    define(instruction, nullptr, builder_.CreateGEP(gep->getSourceElementType(), pointer, indices),
           nullptr);
    return Status::ok();
  }
  if (!llvm::isa<llvm::BinaryOperator, llvm::UnaryOperator, llvm::CastInst, llvm::CmpInst,
                 llvm::FreezeInst>(instruction)) {
    return unsupported(instruction, "no SIMD form");
  }
  Value* result = nullptr;
  if (const auto* cast = llvm::dyn_cast<llvm::CastInst>(&instruction)) {
    result =
        builder_.CreateCast(cast->getOpcode(), vector(cast->getOperand(0)), widen(cast->getType()));
  } else if (const auto* compare = llvm::dyn_cast<llvm::CmpInst>(&instruction)) {
    result = builder_.CreateCmp(compare->getPredicate(), vector(compare->getOperand(0)),
                                vector(compare->getOperand(1)));
  } else if (llvm::isa<llvm::FreezeInst>(instruction)) {
    result = builder_.CreateFreeze(vector(instruction.getOperand(0)));
  } else if (instruction.getOpcode() == Instruction::FNeg) {
    result = builder_.CreateFNeg(vector(instruction.getOperand(0)));
  } else {
    result =
        builder_.CreateBinOp(static_cast<Instruction::BinaryOps>(instruction.getOpcode()),
                             vector(instruction.getOperand(0)), vector(instruction.getOperand(1)));
  }
  if (auto* made = llvm::dyn_cast<Instruction>(result);
      made != nullptr && made->getOpcode() == instruction.getOpcode()) {
    made->copyIRFlags(&instruction);
  }
  define(instruction, nullptr, result, nullptr);
  return Status::ok();
}

Status Emitter::emit_intrinsic(const llvm::IntrinsicInst& call) {
  const llvm::Intrinsic::ID id = call.getIntrinsicID();
  if (call.isLifetimeStartOrEnd() || id == llvm::Intrinsic::assume ||
      id == llvm::Intrinsic::experimental_noalias_scope_decl) {
    return Status::ok();
  }
  if (llvm::isa<llvm::MemIntrinsic>(call)) {
    for_each_lane(mask_, [&](Value* lane) {
      auto* copy = llvm::cast<llvm::CallInst>(call.clone());
      for (unsigned i = 0; i < copy->arg_size(); ++i) {
        const llvm::Value* argument = call.getArgOperand(i);
        copy->setArgOperand(i, is_uniform(argument)
                                   ? uniform(argument)
                                   : builder_.CreateExtractElement(vector(argument), lane));
      }
      builder_.Insert(copy);
    });
    return Status::ok();
  }
  const bool overflow = llvm::isa<llvm::WithOverflowInst>(call);
  if (!overflow && !llvm::isTriviallyVectorizable(id)) {
    return unsupported(call, std::string(llvm::Intrinsic::getBaseName(id)) + " has no SIMD form");
  }
  llvm::SmallVector<Value*, 4> arguments;
  llvm::SmallVector<llvm::Type*, 4> types;
  if (overflow) {
    types.push_back(widen(call.getArgOperand(0)->getType()));
  } else if (llvm::isVectorIntrinsicWithOverloadTypeAtArg(id, -1, nullptr)) {
    types.push_back(widen(call.getType()));
  }
  for (unsigned i = 0; i < call.arg_size(); ++i) {
    const llvm::Value* argument = call.getArgOperand(i);
    const bool scalar = !overflow && llvm::isVectorIntrinsicWithScalarOpAtArg(id, i, nullptr);
    if (scalar && !is_uniform(argument)) return unsupported(call, "operand must be uniform");
    arguments.push_back(scalar ? uniform(argument) : vector(argument));
    if (!overflow &&
        llvm::isVectorIntrinsicWithOverloadTypeAtArg(id, static_cast<int>(i), nullptr)) {
      types.push_back(arguments.back()->getType());
    }
  }
  llvm::Function* callee = llvm::Intrinsic::getOrInsertDeclaration(&module_, id, types);
  llvm::CallInst* result = builder_.CreateCall(callee, arguments);
  if (llvm::isa<llvm::FPMathOperator>(result)) result->copyIRFlags(&call);
  define(call, nullptr, result, nullptr);
  return Status::ok();
}

/// One call for each lane; arguments and results pass through arrays.
Status Emitter::emit_serial_loop(const llvm::CallBase& call) {
  auto* results = llvm::cast<llvm::StructType>(call.getType());
  llvm::SmallVector<llvm::AllocaInst*, 8> arrays;
  for (llvm::Type* type : results->elements()) {
    llvm::IRBuilder<> at(entry_, entry_->begin());
    arrays.push_back(at.CreateAlloca(widen(type), nullptr, "loop_result"));
  }
  llvm::SmallVector<Value*, 16> arguments;
  for (const llvm::Value* argument : call.args()) {
    arguments.push_back(is_uniform(argument) ? uniform(argument) : spill(vector(argument)));
  }
  for_each_lane(mask_, [&](Value* lane) {
    llvm::SmallVector<Value*, 16> scalars;
    for (unsigned i = 0; i < arguments.size(); ++i) {
      const llvm::Value* argument = call.getArgOperand(i);
      if (is_uniform(argument)) {
        scalars.push_back(arguments[i]);
        continue;
      }
      llvm::Type* type = argument->getType();
      scalars.push_back(builder_.CreateLoad(type, builder_.CreateGEP(type, arguments[i], lane)));
    }
    llvm::CallInst* one = builder_.CreateCall(call.getCalledFunction(), scalars);
    for (unsigned i = 0; i < arrays.size(); ++i) {
      llvm::Type* type = results->getElementType(i);
      builder_.CreateStore(builder_.CreateExtractValue(one, i),
                           builder_.CreateGEP(type, arrays[i], lane));
    }
  });
  Value* all = llvm::PoisonValue::get(widen(results));
  for (unsigned i = 0; i < arrays.size(); ++i) {
    all = builder_.CreateInsertValue(
        all, builder_.CreateLoad(widen(results->getElementType(i)), arrays[i]), i);
  }
  define(call, nullptr, all, nullptr);
  return Status::ok();
}

Status Emitter::emit_call(const llvm::CallBase& call) {
  llvm::StringRef name = device_function(call);
  if (call.getCalledFunction() != nullptr &&
      call.getCalledFunction()->hasFnAttribute(kSerialLoop)) {
    return emit_serial_loop(call);
  }
  using kernel::BlockState;
  using kernel::LaunchState;
  if (name == "guda.shared") {
    define(call, scalar_load_field(block_, offsetof(BlockState, shared), builder_.getPtrTy(), true),
           nullptr, nullptr);
    return Status::ok();
  }
  if (name == "guda.symbol") {
    Value* table =
        scalar_load_field(launch_, offsetof(LaunchState, symbols), builder_.getPtrTy(), true);
    const uint64_t index = llvm::cast<llvm::ConstantInt>(call.getArgOperand(0))->getZExtValue();
    define(call, scalar_load_field(table, 8 * index, builder_.getPtrTy(), true), nullptr, nullptr);
    return Status::ok();
  }
  if (name == "guda.local") {
    Value* local =
        scalar_load_field(block_, offsetof(BlockState, local), builder_.getPtrTy(), true);
    if (context_.per_warp_local) {
      Value* offset =
          builder_.CreateMul(builder_.CreateZExt(warp_, builder_.getInt64Ty()),
                             builder_.getInt64(uint64_t{context_.local_bytes} * lanes_));
      local = builder_.CreateGEP(builder_.getInt8Ty(), local, offset);
    }
    define(call, local, nullptr, nullptr);
    return Status::ok();
  }
  if (name == "guda.lane") {
    define(call, nullptr, nullptr, builder_.getInt32(0));
    return Status::ok();
  }
  if (name.starts_with("guda.first.")) {
    Value* first = builder_.CreateExtractElement(vector(call.getArgOperand(0)), uint64_t{0});
    define(call, builder_.CreateFreeze(first), nullptr, nullptr);
    return Status::ok();
  }
  if (name == "guda.all") {
    Value* condition = vector(call.getArgOperand(0));
    Value* failing = logical_and(mask_, builder_.CreateNot(condition));
    define(call, builder_.CreateNot(any(failing)), nullptr, nullptr);
    return Status::ok();
  }
  if (name == target::kAlignmentCheck) return emit_alignment_check(call);
  if (!name.consume_front("ptx.")) return unsupported(call, "call");
  if (name.consume_front("sreg.")) return emit_special_register(name, call);
  if (name.starts_with("syscall.") || name == "trap" || name == "brkpt" || name == "nanosleep") {
    return emit_system_call(name, call);
  }
  if (name.starts_with("bar.") && !name.starts_with("bar.warp")) return emit_barrier(name, call);
  for (const llvm::StringRef prefix :
       {"bar.warp", "shfl.", "vote.", "match.", "redux.", "elect", "activemask"}) {
    if (name.starts_with(prefix)) return emit_warp_operation(name, call);
  }
  for (const llvm::StringRef prefix : {"tex.", "tld4.", "suld.", "sust.", "txq.", "suq."}) {
    if (name.starts_with(prefix)) return emit_texture(name, call);
  }
  // Lane-wise: the same function on scalars or on vectors, expanded by target::expand_lane_ops.
  const bool is_scalar = is_uniform(&call);
  llvm::SmallVector<Value*, 4> arguments;
  llvm::SmallVector<llvm::Type*, 4> types;
  for (const llvm::Value* argument : call.args()) {
    arguments.push_back(is_scalar ? uniform(argument) : vector(argument));
    types.push_back(arguments.back()->getType());
  }
  const std::string symbol =
      is_scalar ? call.getCalledFunction()->getName().str()
                : fmt::format("{}.v{}", std::string(call.getCalledFunction()->getName()), lanes_);
  llvm::FunctionCallee callee = module_.getOrInsertFunction(
      symbol,
      llvm::FunctionType::get(is_scalar ? call.getType() : widen(call.getType()), types, false));
  if (auto* function = llvm::dyn_cast<llvm::Function>(callee.getCallee())) {
    if (!is_scalar) {
      function->setAttributes(llvm::AttributeList::get(
          out_.getContext(), llvm::AttributeList::FunctionIndex,
          llvm::AttrBuilder(out_.getContext(),
                            call.getCalledFunction()->getAttributes().getFnAttrs())));
    }
  }
  Value* result = builder_.CreateCall(callee, arguments);
  if (!call.getType()->isVoidTy()) {
    define(call, is_scalar ? result : nullptr, is_scalar ? nullptr : result, nullptr);
  }
  return Status::ok();
}

Status Emitter::emit_instruction(const Instruction& instruction) {
  if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) return emit_load(*load);
  if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) return emit_store(*store);
  if (llvm::isa<llvm::AtomicRMWInst, llvm::AtomicCmpXchgInst>(instruction)) {
    return emit_atomic(instruction);
  }
  if (llvm::isa<llvm::FenceInst>(instruction)) {
    builder_.Insert(instruction.clone());
    return Status::ok();
  }
  const auto* intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
  if (intrinsic == nullptr || llvm::isa<llvm::MemIntrinsic>(instruction)) {
    if (const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction)) {
      return intrinsic != nullptr ? emit_intrinsic(*intrinsic) : emit_call(*call);
    }
  }
  if (instruction.getType()->isVoidTy()) {
    return intrinsic != nullptr ? emit_intrinsic(*intrinsic)
                                : unsupported(instruction, "no SIMD form");
  }
  if (is_uniform(&instruction)) {
    Instruction* copy = instruction.clone();
    for (unsigned i = 0; i < copy->getNumOperands(); ++i) {
      const llvm::Value* operand = instruction.getOperand(i);
      if (intrinsic != nullptr && operand == intrinsic->getCalledOperand()) continue;
      // Uniform by alignment (tid.x / 32): lane 0 speaks for all.
      if (!is_uniform(operand)) copy->dropPoisonGeneratingFlags();
      copy->setOperand(i, base(operand));
    }
    copy->dropUnknownNonDebugMetadata();
    define(instruction, builder_.Insert(copy), nullptr, nullptr);
    return Status::ok();
  }
  if (affine(&instruction) != nullptr) {
    define(instruction, nullptr, nullptr, affine_base(instruction));
    return Status::ok();
  }
  return intrinsic != nullptr ? emit_intrinsic(*intrinsic) : emit_lane_wise(instruction);
}

}  // namespace guda::spmd
