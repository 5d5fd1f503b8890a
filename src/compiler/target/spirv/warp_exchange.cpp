// Warp operations by sub-groups of 32, where the device has them and warps are such; else, as block-wide reductions,
// through local memory and barriers.
//
// Layout of the exchange area, W warps: three words for the block (16 bytes); for each warp three words (16
// bytes); two times one 8-byte slot per lane. An operation needs one barrier, after all have written: the next
// one writes to the other slots, or to the next of the three words. The word after next is cleared on the way.
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>

#include <algorithm>
#include <vector>

#include "compiler/target/spirv/convergent_operations.h"
#include "compiler/target/spirv/device_values.h"
#include "compiler/target/spirv/spirv.h"

namespace guda::target {
namespace {

using llvm::cast;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::Value;
using Builder = llvm::IRBuilder<>;

constexpr uint32_t kBlockWords = 0, kWarpWords = 16, kBytesPerWarp = 16, kSlotBytes = 8;
constexpr uint32_t kLanes = 32;

Value* special_register(Builder& b, llvm::StringRef name) {
  llvm::FunctionCallee callee = b.GetInsertBlock()->getModule()->getOrInsertFunction(
      ("ptx.sreg." + name).str(), llvm::FunctionType::get(b.getInt32Ty(), false));
  return b.CreateCall(callee);
}

class ExchangeExpansion {
 public:
  ExchangeExpansion(llvm::Function& kernel, bool sub_groups)
      : kernel_(kernel), sub_groups_(sub_groups) {}

  bool uses_area() const { return area_ != nullptr; }
  bool uses_sub_groups() const { return uses_sub_groups_; }

  Status run() {
    std::vector<llvm::CallInst*> calls;
    for (Instruction& instruction : llvm::instructions(kernel_))
      if (auto* call = dyn_cast<llvm::CallInst>(&instruction);
          call && call->getCalledFunction() &&
          call->getCalledFunction()->getName().starts_with(kTogether))
        calls.push_back(call);
    if (calls.empty()) return Status::ok();
    begin(!sub_groups_ || std::any_of(calls.begin(), calls.end(), [](llvm::CallInst* call) {
      const llvm::StringRef name =
          call->getCalledFunction()->getName().drop_front(kTogether.size());
      return name == kBlockAny || name.starts_with("bar.red.");
    }));
    for (llvm::CallInst* call : calls) {
      Builder b(call);
      const llvm::StringRef name =
          call->getCalledFunction()->getName().drop_front(kTogether.size());
      Value* value = expand(b, name, *call);
      if (!value && !call->getType()->isVoidTy())
        return Status(StatusCode::not_supported, "it uses " + name.str());
      if (value) call->replaceAllUsesWith(value);
      call->eraseFromParent();
    }
    return Status::ok();
  }

 private:
  void begin(bool with_area) {
    llvm::BasicBlock& entry = kernel_.getEntryBlock();
    Builder b(&entry, entry.getFirstNonPHIOrDbgOrAlloca());
    if (!with_area) {
      lane_ = special_register(b, "laneid");
      return;
    }
    slot_turn_ = b.CreateAlloca(b.getInt32Ty());
    word_turn_ = b.CreateAlloca(b.getInt32Ty());
    b.CreateStore(b.getInt32(0), slot_turn_);
    b.CreateStore(b.getInt32(0), word_turn_);
    area_ = exchange_area(b);
    lane_ = special_register(b, "laneid");
    warp_ = special_register(b, "warpid");
    Value* warps = special_register(b, "nwarpid");
    slots_ = at(b, area_,
                b.CreateAdd(b.CreateMul(warps, b.getInt32(kBytesPerWarp)), b.getInt32(kWarpWords)));
    slots_per_turn_ = b.CreateMul(warps, b.getInt32(kLanes));
    // Everybody writes the same zeros.
    for (Value* words : {block_words(b), warp_words(b)}) b.CreateStore(b.getInt32(0), words);
    barrier(b);
  }

  Value* at(Builder& b, Value* base, Value* bytes) {
    return b.CreateGEP(b.getInt8Ty(), base, b.CreateZExt(bytes, b.getInt64Ty()));
  }
  Value* block_words(Builder& b) { return at(b, area_, b.getInt32(kBlockWords)); }
  Value* warp_words(Builder& b) {
    return at(b, area_,
              b.CreateAdd(b.CreateMul(warp_, b.getInt32(kBytesPerWarp)), b.getInt32(kWarpWords)));
  }
  Value* slot(Builder& b, Value* turn, Value* lane) {
    Value* index = b.CreateAdd(b.CreateMul(turn, slots_per_turn_),
                               b.CreateAdd(b.CreateMul(warp_, b.getInt32(kLanes)), lane));
    return at(b, slots_, b.CreateMul(index, b.getInt32(kSlotBytes)));
  }

  static void barrier(Builder& b) {
    llvm::FunctionCallee callee = b.GetInsertBlock()->getModule()->getOrInsertFunction(
        "ptx.bar.sync",
        llvm::FunctionType::get(b.getVoidTy(), {b.getInt32Ty(), b.getInt32Ty()}, false));
    cast<llvm::Function>(callee.getCallee())->setConvergent();
    b.CreateCall(callee, {b.getInt32(0), b.getInt32(0)});
  }

  /// A built-in function of OpenCL's that all lanes of a sub-group call.
  llvm::CallInst* call_together(Builder& b, llvm::StringRef mangled, llvm::Type* result,
                                llvm::ArrayRef<Value*> arguments) {
    uses_sub_groups_ = true;
    std::vector<llvm::Type*> types;
    for (Value* argument : arguments) types.push_back(argument->getType());
    llvm::FunctionCallee callee = kernel_.getParent()->getOrInsertFunction(
        mangled, llvm::FunctionType::get(result, types, false));
    auto* function = cast<llvm::Function>(callee.getCallee());
    function->setCallingConv(llvm::CallingConv::SPIR_FUNC);
    function->setConvergent();
    llvm::CallInst* call = b.CreateCall(callee, arguments);
    call->setCallingConv(llvm::CallingConv::SPIR_FUNC);
    call->setConvergent();
    return call;
  }
  Value* ballot_of_sub_group(Builder& b, Value* condition) {
    Value* words =
        call_together(b, "_Z16sub_group_balloti", llvm::FixedVectorType::get(b.getInt32Ty(), 4),
                      {b.CreateZExt(condition, b.getInt32Ty())});
    return b.CreateExtractElement(words, uint64_t{0});
  }
  Value* shuffle_in_sub_group(Builder& b, Value* value, Value* lane) {
    const bool wide = value->getType()->isIntegerTy(64);
    return call_together(b, wide ? "_Z17sub_group_shufflelj" : "_Z17sub_group_shuffleij",
                         value->getType(), {value, lane});
  }
  /// Of the warp's execution and memory.
  void warp_barrier(Builder& b) {
    if (!sub_groups_) return barrier(b);
    constexpr uint32_t kSubgroup = 3;  // Scope
    constexpr uint32_t kBoth =
        0x8 | 0x100 | 0x200;  // AcquireRelease, WorkgroupMemory, CrossWorkgroupMemory
    call_together(b, "_Z22__spirv_ControlBarrieriii", b.getVoidTy(),
                  {b.getInt32(kSubgroup), b.getInt32(kSubgroup), b.getInt32(kBoth)});
  }

  /// Every lane's value in its slot; afterwards lane(i) reads them.
  void publish(Builder& b, Value* value) {
    if (sub_groups_) {
      published_ = value;
      return;
    }
    turn_ = b.CreateLoad(b.getInt32Ty(), slot_turn_);
    b.CreateStore(b.CreateXor(turn_, b.getInt32(1)), slot_turn_);
    b.CreateStore(value, slot(b, turn_, lane_));
  }
  Value* published(Builder& b, llvm::Type* type, Value* lane) {
    if (sub_groups_) return shuffle_in_sub_group(b, published_, lane);
    return b.CreateLoad(type, slot(b, turn_, lane));
  }

  /// Adds to (block) or sets bits in (warp) the current word, where `condition` holds; the word's address.
  Value* contribute(Builder& b, bool block, Value* condition) {
    Value* words = block ? block_words(b) : warp_words(b);
    Value* turn = b.CreateLoad(b.getInt32Ty(), word_turn_);
    auto word = [&](Value* index) { return at(b, words, b.CreateMul(index, b.getInt32(4))); };
    auto following = [&](Value* index) {
      return b.CreateSelect(b.CreateICmpEQ(index, b.getInt32(2)), b.getInt32(0),
                            b.CreateAdd(index, b.getInt32(1)));
    };
    Value* next = following(turn);
    b.CreateStore(next, word_turn_);
    // Both kinds take turns together.
    b.CreateStore(b.getInt32(0), at(b, block_words(b), b.CreateMul(next, b.getInt32(4))));
    b.CreateStore(b.getInt32(0), at(b, warp_words(b), b.CreateMul(next, b.getInt32(4))));
    Value* own = word(turn);
    Value* bits = block ? static_cast<Value*>(b.getInt32(1)) : b.CreateShl(b.getInt32(1), lane_);
    Instruction* then =
        llvm::SplitBlockAndInsertIfThen(condition, &*b.GetInsertPoint(), /*Unreachable=*/false);
    Builder inner(then);
    inner.CreateAtomicRMW(block ? llvm::AtomicRMWInst::Add : llvm::AtomicRMWInst::Or, own, bits,
                          llvm::Align(4), llvm::AtomicOrdering::Monotonic);
    return own;
  }

  /// Sum over the block, or the lanes of the warp, in which `condition` holds.
  Value* collect(Builder& b, bool block, Value* condition) {
    if (sub_groups_ && !block) return ballot_of_sub_group(b, condition);
    Instruction* position = &*b.GetInsertPoint();
    Value* word = contribute(b, block, condition);
    b.SetInsertPoint(position);
    barrier(b);
    return b.CreateLoad(b.getInt32Ty(), word);
  }

  Value* pair(Builder& b, llvm::Type* type, Value* value, Value* predicate) {
    Value* both = b.CreateInsertValue(llvm::PoisonValue::get(type), value, 0);
    return b.CreateInsertValue(both, predicate, 1);
  }

  Value* expand(Builder& b, llvm::StringRef name, llvm::CallInst& call) {
    const unsigned last = call.arg_size() - 1;
    Value* active = call.getArgOperand(last);
    auto argument = [&](unsigned index) { return call.getArgOperand(index); };
    if (name == kBlockAny) return b.CreateICmpNE(collect(b, true, active), b.getInt32(0));
    if (name == "bar.warp.sync") {
      warp_barrier(b);
      return nullptr;
    }
    if (name == "activemask") return collect(b, false, active);
    if (name.consume_front("bar.red.")) {
      Value* predicate = argument(2);
      const bool all = name == "and";
      if (all) predicate = b.CreateNot(predicate);
      Value* sum = collect(b, true, b.CreateAnd(active, predicate));
      if (name == "popc") return sum;
      return all ? b.CreateICmpEQ(sum, b.getInt32(0)) : b.CreateICmpNE(sum, b.getInt32(0));
    }
    if (name.consume_front("vote.sync.")) return vote(b, name, argument(0), argument(1), active);
    if (name.consume_front("shfl.sync.")) return shuffle(b, name, call);
    if (name.consume_front("match.")) return match(b, name, call, active);
    if (name.consume_front("redux.sync.")) return reduce(b, name, call, active);
    if (name == "elect.sync") {
      Value* leader = b.CreateBinaryIntrinsic(llvm::Intrinsic::cttz, argument(0), b.getFalse());
      return pair(b, call.getType(), leader, b.CreateICmpEQ(leader, lane_));
    }
    return nullptr;
  }

  Value* vote(Builder& b, llvm::StringRef name, Value* predicate, Value* mask, Value* active) {
    auto ballot = [&](Value* condition) {
      return b.CreateAnd(collect(b, false, b.CreateAnd(active, condition)), mask);
    };
    Value* zero = b.getInt32(0);
    if (name == "ballot") return ballot(predicate);
    if (name == "any") return b.CreateICmpNE(ballot(predicate), zero);
    Value* against = b.CreateICmpEQ(ballot(b.CreateNot(predicate)), zero);
    if (name == "all") return against;
    if (name != "uni") return nullptr;
    return b.CreateOr(against, b.CreateICmpEQ(ballot(predicate), zero));
  }

  /// PTX ISA, "shfl.sync": operands a, b, c, member mask.
  Value* shuffle(Builder& b, llvm::StringRef name, llvm::CallInst& call) {
    Value* thirty_one = b.getInt32(31);
    Value* distance = b.CreateAnd(call.getArgOperand(1), thirty_one);
    Value* clamp = b.CreateAnd(call.getArgOperand(2), thirty_one);
    Value* segment = b.CreateAnd(b.CreateLShr(call.getArgOperand(2), 8), thirty_one);
    Value* minimum = b.CreateAnd(lane_, segment);
    Value* maximum = b.CreateOr(minimum, b.CreateAnd(clamp, b.CreateNot(segment)));
    Value* source = nullptr;
    if (name == "up.b32") source = b.CreateSub(lane_, distance);
    if (name == "down.b32") source = b.CreateAdd(lane_, distance);
    if (name == "bfly.b32") source = b.CreateXor(lane_, distance);
    if (name == "idx.b32")
      source = b.CreateOr(minimum, b.CreateAnd(distance, b.CreateNot(segment)));
    if (!source) return nullptr;
    Value* inside =
        name == "up.b32" ? b.CreateICmpSGE(source, maximum) : b.CreateICmpSLE(source, maximum);
    source = b.CreateSelect(inside, source, lane_);
    publish(b, call.getArgOperand(0));
    if (!sub_groups_) barrier(b);
    return pair(b, call.getType(), published(b, b.getInt32Ty(), source), inside);
  }

  /// Lanes of `mask` at the operation, with their values published.
  Value* gather(Builder& b, Value* value, Value* mask, Value* active) {
    publish(b, value);
    return b.CreateAnd(collect(b, false, active), mask);
  }

  Value* match(Builder& b, llvm::StringRef name, llvm::CallInst& call, Value* active) {
    Value* value = call.getArgOperand(0);
    Value* members = gather(b, value, call.getArgOperand(1), active);
    Value* same = b.getInt32(0);
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      Value* equal = b.CreateICmpEQ(published(b, value->getType(), b.getInt32(lane)), value);
      same = b.CreateOr(same, b.CreateShl(b.CreateZExt(equal, b.getInt32Ty()), lane));
    }
    same = b.CreateAnd(same, members);
    if (name.starts_with("any.")) return same;
    Value* all = b.CreateICmpEQ(same, members);
    return pair(b, call.getType(), b.CreateSelect(all, members, b.getInt32(0)), all);
  }

  Value* reduce(Builder& b, llvm::StringRef name, llvm::CallInst& call, Value* active) {
    Value* members = gather(b, call.getArgOperand(0), call.getArgOperand(1), active);
    const auto [operation, type] = name.split('.');
    const bool is_signed = type == "s32";
    auto extreme = [&](bool larger, Value* x, Value* y) {
      using llvm::CmpInst;
      const CmpInst::Predicate predicate =
          larger ? (is_signed ? CmpInst::ICMP_SGT : CmpInst::ICMP_UGT)
                 : (is_signed ? CmpInst::ICMP_SLT : CmpInst::ICMP_ULT);
      return b.CreateSelect(b.CreateICmp(predicate, x, y), x, y);
    };
    uint32_t neutral = 0;
    if (operation == "and") neutral = ~0u;
    if (operation == "min") neutral = is_signed ? 0x7fffffffu : ~0u;
    if (operation == "max") neutral = is_signed ? 0x80000000u : 0;
    Value* result = b.getInt32(neutral);
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      Value* member = b.CreateICmpNE(b.CreateAnd(members, b.getInt32(1u << lane)), b.getInt32(0));
      Value* value = b.CreateSelect(member, published(b, b.getInt32Ty(), b.getInt32(lane)),
                                    b.getInt32(neutral));
      if (operation == "add")
        result = b.CreateAdd(result, value);
      else if (operation == "and")
        result = b.CreateAnd(result, value);
      else if (operation == "or")
        result = b.CreateOr(result, value);
      else if (operation == "xor")
        result = b.CreateXor(result, value);
      else if (operation == "min" || operation == "max")
        result = extreme(operation == "max", value, result);
      else
        return nullptr;
    }
    return result;
  }

  llvm::Function& kernel_;
  const bool sub_groups_;
  bool uses_sub_groups_ = false;
  Value* published_ = nullptr;  // last, with sub-groups
  Value* slot_turn_ = nullptr;
  Value* word_turn_ = nullptr;
  Value* area_ = nullptr;
  Value* lane_ = nullptr;
  Value* warp_ = nullptr;
  Value* slots_ = nullptr;
  Value* slots_per_turn_ = nullptr;
  Value* turn_ = nullptr;  // of the values published last
};

}  // namespace

Status expand_exchanges(llvm::Function& kernel, const SpirvOptions& options,
                        driver::OpenclKernel& result) {
  ExchangeExpansion expansion(kernel, options.warps_are_sub_groups());
  Status status = expansion.run();
  result.uses_exchange = expansion.uses_area();
  result.sub_groups = expansion.uses_sub_groups();
  return status;
}

}  // namespace guda::target
