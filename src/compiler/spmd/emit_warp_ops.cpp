#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>

#include "compiler/driver/kernel_abi.h"
#include "compiler/spmd/emitter.h"

namespace guda::spmd {

namespace {

Status unsupported(llvm::StringRef name, std::string_view why) {
  return {StatusCode::not_supported, fmt::format("{}: {}", std::string(name), why)};
}

const llvm::ConstantInt* constant(const llvm::Value* value) {
  return llvm::dyn_cast<llvm::ConstantInt>(value);
}

}  // namespace

llvm::Value* Emitter::permute(Value* values, Value* indices) {
  llvm::FunctionCallee callee = module_.getOrInsertFunction(
      fmt::format("ptx.permute.b32.v{}", lanes_),
      llvm::FunctionType::get(values->getType(), {values->getType(), indices->getType()}, false));
  auto* function = llvm::cast<llvm::Function>(callee.getCallee());
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
  return builder_.CreateCall(callee, {values, indices});
}

Status Emitter::emit_shuffle(llvm::StringRef mode, const llvm::CallBase& call) {
  // PTX ISA, shfl.sync: segment mask in bits 8-12 of c, clamp value in bits 0-4.
  const llvm::Value* lane_operand = call.getArgOperand(1);
  const llvm::Value* clamp_operand = call.getArgOperand(2);
  llvm::Type* word = builder_.getInt32Ty();
  Value* lane = lane_numbers(word, 1);
  Value* values = vector(call.getArgOperand(0));
  Value* offset = vector(lane_operand);
  Value* clamp = vector(clamp_operand);
  const auto all = [&](uint32_t bits) { return splat(builder_.getInt32(bits)); };
  Value* segment = builder_.CreateAnd(builder_.CreateLShr(clamp, all(8)), all(31));
  Value* low = builder_.CreateAnd(offset, all(31));
  Value* max_lane = builder_.CreateOr(
      builder_.CreateAnd(lane, segment),
      builder_.CreateAnd(builder_.CreateAnd(clamp, all(31)), builder_.CreateNot(segment)));
  Value* min_lane = builder_.CreateAnd(lane, segment);
  Value* source = nullptr;
  Value* valid = nullptr;
  if (mode == "up") {
    source = builder_.CreateSub(lane, low);
    valid = builder_.CreateICmpSGE(source, max_lane);
  } else if (mode == "down") {
    source = builder_.CreateAdd(lane, low);
    valid = builder_.CreateICmpSLE(source, max_lane);
  } else if (mode == "bfly") {
    source = builder_.CreateXor(lane, low);
    valid = builder_.CreateICmpSLE(source, max_lane);
  } else {
    source = builder_.CreateOr(min_lane, builder_.CreateAnd(low, builder_.CreateNot(segment)));
    valid = builder_.CreateICmpSLE(source, max_lane);
  }
  source = builder_.CreateAnd(builder_.CreateSelect(valid, source, lane), all(31));
  Value* result = nullptr;
  if (auto* fixed = llvm::dyn_cast<llvm::Constant>(source)) {
    llvm::SmallVector<int, 32> indices;
    for (unsigned i = 0; i < lanes_; ++i) {
      const auto* index = llvm::dyn_cast_or_null<llvm::ConstantInt>(fixed->getAggregateElement(i));
      indices.push_back(index != nullptr ? static_cast<int>(index->getZExtValue())
                                         : static_cast<int>(i));
    }
    result = builder_.CreateShuffleVector(values, indices);
  } else if (mode == "idx" && is_uniform(lane_operand) && constant(clamp_operand) != nullptr &&
             constant(clamp_operand)->getZExtValue() == 31) {
    result = splat(builder_.CreateExtractElement(
        values, builder_.CreateAnd(uniform(lane_operand), builder_.getInt32(31))));
  } else {
    result = permute(values, source);
  }
  Value* pair = llvm::PoisonValue::get(widen(call.getType()));
  pair = builder_.CreateInsertValue(pair, result, 0);
  pair = builder_.CreateInsertValue(pair, valid, 1);
  define(call, nullptr, pair, nullptr);
  return Status::ok();
}

Status Emitter::emit_match(llvm::StringRef name, const llvm::CallBase& call) {
  Value* values = vector(call.getArgOperand(0));
  Value* members = vector(call.getArgOperand(1));
  Value* result = llvm::Constant::getNullValue(members->getType());
  llvm::SmallVector<int, 32> broadcast(lanes_);
  for (unsigned i = 0; i < lanes_; ++i) {
    std::fill(broadcast.begin(), broadcast.end(), static_cast<int>(i));
    Value* one = builder_.CreateShuffleVector(values, broadcast);
    Value* active = builder_.CreateShuffleVector(mask_, broadcast);
    Value* equal = builder_.CreateSelect(active, builder_.CreateICmpEQ(one, values),
                                         llvm::Constant::getNullValue(mask_->getType()));
    result = builder_.CreateOr(
        result, builder_.CreateSelect(equal, splat(builder_.getInt32(1u << i)),
                                      llvm::Constant::getNullValue(result->getType())));
  }
  result = builder_.CreateAnd(result, members);
  if (name.starts_with("match.any")) {
    define(call, nullptr, result, nullptr);
    return Status::ok();
  }
  Value* active = builder_.CreateAnd(members, splat(mask_bits(mask_)));
  Value* same = builder_.CreateICmpEQ(result, active);
  Value* pair = llvm::PoisonValue::get(widen(call.getType()));
  pair = builder_.CreateInsertValue(
      pair, builder_.CreateSelect(same, members, llvm::Constant::getNullValue(members->getType())),
      0);
  pair = builder_.CreateInsertValue(pair, same, 1);
  define(call, nullptr, pair, nullptr);
  return Status::ok();
}

Status Emitter::emit_warp_operation(llvm::StringRef name, const llvm::CallBase& call) {
  if (name.starts_with("bar.warp")) {
    builder_.CreateFence(llvm::AtomicOrdering::AcquireRelease, llvm::SyncScope::SingleThread);
    return Status::ok();
  }
  if (lanes_ != 32) return unsupported(name, "warps are not 32 lanes wide");
  if (name.consume_front("shfl.sync.")) return emit_shuffle(name.split('.').first, call);
  if (name.starts_with("match.")) return emit_match(name, call);
  if (name == "activemask") {
    define(call, mask_bits(mask_), nullptr, nullptr);
    return Status::ok();
  }
  const bool uniform_result = is_uniform(&call);
  const llvm::Value* member_operand = call.getArgOperand(call.arg_size() - 1);
  const auto finish = [&](Value* scalar) {
    define(call, scalar, nullptr, nullptr);
    return Status::ok();
  };
  if (name.starts_with("elect")) {
    Value* members = builder_.CreateAnd(vector(member_operand), splat(mask_bits(mask_)));
    Value* first =
        builder_.CreateBinaryIntrinsic(llvm::Intrinsic::cttz, members, builder_.getFalse());
    Value* pair = llvm::PoisonValue::get(widen(call.getType()));
    pair = builder_.CreateInsertValue(pair, first, 0);
    pair = builder_.CreateInsertValue(
        pair, builder_.CreateICmpEQ(first, lane_numbers(builder_.getInt32Ty(), 1)), 1);
    define(call, nullptr, pair, nullptr);
    return Status::ok();
  }
  if (name.consume_front("vote.sync.")) {
    Value* condition = logical_and(mask_, vector(call.getArgOperand(0)));
    Value* set = mask_bits(condition);
    Value* active = mask_bits(mask_);
    if (uniform_result) {
      Value* members = builder_.CreateAnd(active, uniform(member_operand));
      Value* votes = builder_.CreateAnd(set, members);
      if (name.starts_with("ballot")) return finish(votes);
      Value* none = builder_.CreateICmpEQ(votes, builder_.getInt32(0));
      Value* every = builder_.CreateICmpEQ(votes, members);
      if (name.starts_with("any")) return finish(builder_.CreateNot(none));
      if (name.starts_with("all")) return finish(every);
      return finish(builder_.CreateOr(none, every));
    }
    Value* members = builder_.CreateAnd(vector(member_operand), splat(active));
    Value* votes = builder_.CreateAnd(splat(set), members);
    Value* none = builder_.CreateICmpEQ(votes, llvm::Constant::getNullValue(votes->getType()));
    Value* every = builder_.CreateICmpEQ(votes, members);
    Value* result = name.starts_with("ballot") ? votes
                    : name.starts_with("any")  ? builder_.CreateNot(none)
                    : name.starts_with("all")  ? every
                                               : builder_.CreateOr(none, every);
    define(call, nullptr, result, nullptr);
    return Status::ok();
  }
  if (name.consume_front("redux.sync.")) {
    llvm::Intrinsic::ID reduction = llvm::Intrinsic::not_intrinsic;
    uint32_t identity = 0;
    if (name.starts_with("add"))
      reduction = llvm::Intrinsic::vector_reduce_add;
    else if (name.starts_with("and")) {
      reduction = llvm::Intrinsic::vector_reduce_and;
      identity = ~0u;
    } else if (name.starts_with("or"))
      reduction = llvm::Intrinsic::vector_reduce_or;
    else if (name.starts_with("xor"))
      reduction = llvm::Intrinsic::vector_reduce_xor;
    else if (name == "min.u32") {
      reduction = llvm::Intrinsic::vector_reduce_umin;
      identity = ~0u;
    } else if (name == "max.u32")
      reduction = llvm::Intrinsic::vector_reduce_umax;
    else if (name == "min.s32") {
      reduction = llvm::Intrinsic::vector_reduce_smin;
      identity = 0x7fffffff;
    } else if (name == "max.s32") {
      reduction = llvm::Intrinsic::vector_reduce_smax;
      identity = 0x80000000;
    } else
      return unsupported(name, "unknown reduction");
    Value* values = vector(call.getArgOperand(0));
    Value* neutral = splat(builder_.getInt32(identity));
    if (uniform_result) {
      Value* members = builder_.CreateBitCast(
          builder_.CreateAnd(mask_bits(mask_), uniform(member_operand)), mask_->getType());
      return finish(builder_.CreateUnaryIntrinsic(reduction,
                                                  builder_.CreateSelect(members, values, neutral)));
    }
    // Tiles: reduce once for each distinct member mask.
    llvm::AllocaInst* results = nullptr;
    {
      llvm::IRBuilder<> at(entry_, entry_->begin());
      results =
          at.CreateAlloca(llvm::ArrayType::get(builder_.getInt32Ty(), lanes_), nullptr, "redux");
    }
    Value* members = vector(member_operand);
    Value* active = mask_bits(mask_);
    for_each_lane(mask_, [&](Value* lane) {
      Value* group = builder_.CreateBitCast(
          builder_.CreateAnd(builder_.CreateExtractElement(members, lane), active),
          mask_->getType());
      Value* total =
          builder_.CreateUnaryIntrinsic(reduction, builder_.CreateSelect(group, values, neutral));
      builder_.CreateStore(total, builder_.CreateGEP(builder_.getInt32Ty(), results, lane));
    });
    define(call, nullptr, builder_.CreateAlignedLoad(values->getType(), results, llvm::Align(4)),
           nullptr);
    return Status::ok();
  }
  return unsupported(name, "no SIMD form");
}

Status Emitter::emit_barrier(llvm::StringRef name, const llvm::CallBase& call) {
  const llvm::Value* id = call.getArgOperand(0);
  const llvm::Value* count = call.getArgOperand(1);
  if (!is_uniform(id) || !is_uniform(count)) return unsupported(name, "barrier differs in a warp");
  llvm::Type* word = builder_.getInt32Ty();
  llvm::FunctionCallee barrier = module_.getOrInsertFunction(
      "guda.barrier", llvm::FunctionType::get(builder_.getVoidTy(), {word, word}, false));
  llvm::cast<llvm::Function>(barrier.getCallee())->setConvergent();
  if (name == "bar.sync") {
    builder_.CreateCall(barrier, {uniform(id), uniform(count)});
    return Status::ok();
  }
  if (!name.consume_front("bar.red.")) return unsupported(name, "no SIMD form");
  const auto* all = constant(count);
  if (all == nullptr || !all->isZero() || lanes_ < 8) {
    return unsupported(name, "reduction over a part of the block");
  }
  // Every warp leaves its count in a word of its own; all of them add up after the barrier.
  Value* condition = vector(call.getArgOperand(2));
  if (name.starts_with("and")) condition = builder_.CreateNot(condition);
  Value* votes = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop,
                                               mask_bits(logical_and(mask_, condition)));
  Value* words = builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), block_,
                                                     offsetof(kernel::BlockState, warp_scratch));
  builder_.CreateStore(builder_.CreateZExtOrTrunc(votes, word),
                       builder_.CreateGEP(word, words, warp_));
  builder_.CreateCall(barrier, {uniform(id), uniform(count)});
  Value* threads = builder_.getInt32(1);
  for (unsigned i = 0; i < 3; ++i) {
    threads = builder_.CreateMul(
        threads,
        context_.layout.known()
            ? static_cast<Value*>(builder_.getInt32(context_.layout.block[i]))
            : scalar_load_field(launch_, offsetof(kernel::LaunchState, block) + 4 * i, word, true));
  }
  Value* warps = builder_.CreateUDiv(builder_.CreateAdd(threads, builder_.getInt32(lanes_ - 1)),
                                     builder_.getInt32(lanes_));
  llvm::LLVMContext& context = out_.getContext();
  llvm::BasicBlock* before = builder_.GetInsertBlock();
  llvm::BasicBlock* loop = llvm::BasicBlock::Create(context, "sum", &out_);
  llvm::BasicBlock* done = llvm::BasicBlock::Create(context, "summed", &out_);
  builder_.CreateBr(loop);
  builder_.SetInsertPoint(loop);
  llvm::PHINode* index = builder_.CreatePHI(word, 2);
  llvm::PHINode* sum = builder_.CreatePHI(word, 2);
  index->addIncoming(builder_.getInt32(0), before);
  sum->addIncoming(builder_.getInt32(0), before);
  // Recomputed after the barrier: the address must not be carried across it.
  Value* total =
      builder_.CreateAdd(sum, builder_.CreateLoad(word, builder_.CreateGEP(word, words, index)));
  Value* next = builder_.CreateAdd(index, builder_.getInt32(1));
  index->addIncoming(next, loop);
  sum->addIncoming(total, loop);
  builder_.CreateCondBr(builder_.CreateICmpULT(next, warps), loop, done);
  builder_.SetInsertPoint(done);
  builder_.CreateCall(barrier, {uniform(id), uniform(count)});
  // A warp that has left the kernel must not be counted again.
  builder_.CreateStore(builder_.getInt32(0), builder_.CreateGEP(word, words, warp_));
  Value* result = total;
  if (name.starts_with("and"))
    result = builder_.CreateICmpEQ(total, builder_.getInt32(0));
  else if (name.starts_with("or"))
    result = builder_.CreateICmpNE(total, builder_.getInt32(0));
  define(call, result, nullptr, nullptr);
  return Status::ok();
}

Status Emitter::emit_system_call(llvm::StringRef name, const llvm::CallBase& call) {
  using kernel::LaunchState;
  using kernel::Services;
  llvm::Type* word = builder_.getInt32Ty();
  llvm::Type* pointer = builder_.getPtrTy();
  const auto service = [&](uint64_t offset) {
    Value* services = scalar_load_field(launch_, offsetof(LaunchState, services), pointer, true);
    return scalar_load_field(services, offset, pointer, true);
  };
  if (name == "brkpt") return Status::ok();
  if (name == "nanosleep") {
    Value* ns = base(call.getArgOperand(0));
    if (!is_uniform(call.getArgOperand(0))) return unsupported(name, "time differs in a warp");
    builder_.CreateCall(llvm::FunctionType::get(builder_.getVoidTy(), {pointer, word}, false),
                        service(offsetof(Services, nanosleep)), {block_, ns});
    return Status::ok();
  }
  const bool has_result = !call.getType()->isVoidTy();
  llvm::AllocaInst* results = nullptr;
  if (has_result) {
    llvm::IRBuilder<> at(entry_, entry_->begin());
    results = at.CreateAlloca(llvm::ArrayType::get(call.getType(), lanes_), nullptr, "results");
  }
  make_thread_indices();
  llvm::SmallVector<Value*, 8> arguments;
  for (const llvm::Value* argument : call.args()) {
    arguments.push_back(is_uniform(argument) ? uniform(argument) : vector(argument));
  }
  Status status = Status::ok();
  for_each_lane(mask_, [&](Value* lane) {
    const auto scalar = [&](unsigned i) {
      return is_uniform(call.getArgOperand(i)) ? arguments[i]
                                               : builder_.CreateExtractElement(arguments[i], lane);
    };
    const auto address = [&](unsigned i) { return builder_.CreateIntToPtr(scalar(i), pointer); };
    Value* result = nullptr;
    if (name == "syscall.vprintf") {
      result = builder_.CreateCall(
          llvm::FunctionType::get(word, {pointer, pointer, pointer}, false),
          service(offsetof(Services, vprintf)), {block_, address(0), address(1)});
    } else if (name == "syscall.malloc") {
      result = builder_.CreatePtrToInt(
          builder_.CreateCall(
              llvm::FunctionType::get(pointer, {pointer, builder_.getInt64Ty()}, false),
              service(offsetof(Services, malloc)), {block_, scalar(0)}),
          builder_.getInt64Ty());
    } else if (name == "syscall.free") {
      builder_.CreateCall(llvm::FunctionType::get(builder_.getVoidTy(), {pointer, pointer}, false),
                          service(offsetof(Services, free)), {block_, address(0)});
    } else if (name == "trap") {
      builder_.CreateCall(llvm::FunctionType::get(builder_.getVoidTy(), {pointer, word}, false),
                          service(offsetof(Services, fault)), {block_, builder_.getInt32(719)});
    } else if (name == "syscall.assertfail") {
      Value* tid[3];
      for (unsigned i = 0; i < 3; ++i) {
        if (tid_vector_[i] != nullptr)
          tid[i] = builder_.CreateExtractElement(tid_vector_[i], lane);
        else
          tid[i] = i == 0 ? builder_.CreateAdd(tid_base_[0], lane) : tid_base_[i];
      }
      builder_.CreateCall(
          llvm::FunctionType::get(builder_.getVoidTy(),
                                  {pointer, word, word, word, pointer, pointer, word, pointer},
                                  false),
          service(offsetof(Services, assert_fail)),
          {block_, tid[0], tid[1], tid[2], address(0), address(1), scalar(2), address(3)});
    } else {
      status = unsupported(name, "unknown system call");
    }
    if (has_result && result != nullptr) {
      builder_.CreateStore(result, builder_.CreateGEP(call.getType(), results, lane));
    }
  });
  if (has_result) {
    Value* all = builder_.CreateAlignedLoad(widen(call.getType()), results,
                                            layout_.getABITypeAlign(call.getType()));
    define(call, nullptr, all, nullptr);
  }
  return status;
}

}  // namespace guda::spmd
