#include "compiler/lanes/service_calls.h"

#include "compiler/driver/texture_instruction.h"
#include "compiler/target/alignment_checks.h"

#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/Local.h>

#include <array>
#include <string>

namespace guda::lanes {
namespace {

using kernel::BlockState;
using kernel::LaunchState;
using kernel::Services;
using kernel::ThreadState;
using kernel::WarpOp;
using llvm::Value;

struct WarpOpRow {
  const char* name;  // without "ptx."
  WarpOp op;
};

constexpr WarpOpRow kWarpOps[] = {
    {"shfl.sync.up.b32", WarpOp::shfl_up},
    {"shfl.sync.down.b32", WarpOp::shfl_down},
    {"shfl.sync.bfly.b32", WarpOp::shfl_bfly},
    {"shfl.sync.idx.b32", WarpOp::shfl_idx},
    {"vote.sync.all", WarpOp::vote_all},
    {"vote.sync.any", WarpOp::vote_any},
    {"vote.sync.uni", WarpOp::vote_uni},
    {"vote.sync.ballot", WarpOp::vote_ballot},
    {"match.any.sync.b32", WarpOp::match_any},
    {"match.any.sync.b64", WarpOp::match_any},
    {"match.all.sync.b32", WarpOp::match_all},
    {"match.all.sync.b64", WarpOp::match_all},
    {"redux.sync.add.u32", WarpOp::redux_add},
    {"redux.sync.add.s32", WarpOp::redux_add},
    {"redux.sync.min.u32", WarpOp::redux_min_u32},
    {"redux.sync.min.s32", WarpOp::redux_min_s32},
    {"redux.sync.max.u32", WarpOp::redux_max_u32},
    {"redux.sync.max.s32", WarpOp::redux_max_s32},
    {"redux.sync.and.b32", WarpOp::redux_and},
    {"redux.sync.or.b32", WarpOp::redux_or},
    {"redux.sync.xor.b32", WarpOp::redux_xor},
    {"bar.warp.sync", WarpOp::sync},
    {"activemask", WarpOp::activemask},
    {"elect.sync", WarpOp::elect},
};

enum class Holder : uint8_t { thread, block, launch };

struct RegisterRow {
  const char* name;  // without "ptx.sreg."
  Holder holder;
  size_t offset;
};

constexpr RegisterRow kRegisters[] = {
    {"tid.x", Holder::thread, offsetof(ThreadState, index)},
    {"tid.y", Holder::thread, offsetof(ThreadState, index) + 4},
    {"tid.z", Holder::thread, offsetof(ThreadState, index) + 8},
    {"laneid", Holder::thread, offsetof(ThreadState, lane)},
    {"warpid", Holder::thread, offsetof(ThreadState, warp)},
    {"ctaid.x", Holder::block, offsetof(BlockState, index)},
    {"ctaid.y", Holder::block, offsetof(BlockState, index) + 4},
    {"ctaid.z", Holder::block, offsetof(BlockState, index) + 8},
    {"smid", Holder::block, offsetof(BlockState, worker)},
    {"nsmid", Holder::block, offsetof(BlockState, workers)},
    {"ntid.x", Holder::launch, offsetof(LaunchState, block)},
    {"ntid.y", Holder::launch, offsetof(LaunchState, block) + 4},
    {"ntid.z", Holder::launch, offsetof(LaunchState, block) + 8},
    {"nctaid.x", Holder::launch, offsetof(LaunchState, grid)},
    {"nctaid.y", Holder::launch, offsetof(LaunchState, grid) + 4},
    {"nctaid.z", Holder::launch, offsetof(LaunchState, grid) + 8},
    {"dynamic_smem_size", Holder::launch, offsetof(LaunchState, dynamic_shared_bytes)},
};

bool starts_with_any(llvm::StringRef name, std::initializer_list<llvm::StringRef> prefixes) {
  return llvm::any_of(prefixes, [&](llvm::StringRef prefix) { return name.starts_with(prefix); });
}

}  // namespace

ServiceCalls::ServiceCalls(llvm::Function& function, bool is_kernel)
    : function_(function),
      is_kernel_(is_kernel),
      access_(function),
      builder_(function.getContext()) {}

llvm::CallInst* ServiceCalls::call_service(size_t offset, llvm::Type* result,
                                           llvm::ArrayRef<Value*> arguments) {
  llvm::SmallVector<llvm::Type*, 8> types;
  for (const Value* argument : arguments) types.push_back(argument->getType());
  llvm::CallInst* call = builder_.CreateCall(llvm::FunctionType::get(result, types, false),
                                             access_.service(offset), arguments);
  call->addFnAttr(llvm::Attribute::NoUnwind);
  return call;
}

void ServiceCalls::replace(llvm::CallInst& call, Value* value) {
  if (value != nullptr) {
    if (!value->hasName()) value->takeName(&call);
    call.replaceAllUsesWith(value);
  }
  call.eraseFromParent();
}

void ServiceCalls::call_fault(StatusCode code) {
  call_service(offsetof(Services, fault), builder_.getVoidTy(),
               {access_.block(), builder_.getInt32(static_cast<uint32_t>(code))})
      ->setDoesNotReturn();
}

void ServiceCalls::insert_yield(llvm::Instruction* position) {
  builder_.SetInsertPoint(position);
  call_service(offsetof(Services, yield), builder_.getVoidTy(), {access_.thread()});
  flags_ |= kernel::kPollsMemory;
}

Value* ServiceCalls::special_register(llvm::StringRef name) {
  for (const RegisterRow& row : kRegisters) {
    if (name != row.name) continue;
    switch (row.holder) {
      case Holder::thread: return access_.thread_word(row.offset);
      case Holder::block: return access_.block_word(row.offset);
      case Holder::launch: return access_.launch_word(row.offset);
    }
  }
  const auto lane = [&] { return access_.thread_word(offsetof(ThreadState, lane)); };
  const auto own_bit = [&] { return builder_.CreateShl(builder_.getInt32(1), lane()); };
  if (name == "nwarpid") {
    constexpr size_t kBlock = offsetof(LaunchState, block);
    Value* threads = builder_.CreateMul(
        builder_.CreateMul(access_.launch_word(kBlock), access_.launch_word(kBlock + 4)),
        access_.launch_word(kBlock + 8));
    return builder_.CreateLShr(builder_.CreateAdd(threads, builder_.getInt32(31)), 5);
  }
  if (name == "gridid") return access_.launch_quad(offsetof(LaunchState, grid_id));
  if (name == "lanemask_eq") return own_bit();
  if (name == "lanemask_lt") return builder_.CreateSub(own_bit(), builder_.getInt32(1));
  if (name == "lanemask_ge") return builder_.CreateNeg(own_bit());
  if (name == "lanemask_le") {
    return builder_.CreateNot(builder_.CreateShl(builder_.getInt32(~1u), lane()));
  }
  if (name == "lanemask_gt") return builder_.CreateShl(builder_.getInt32(~1u), lane());
  if (name == "total_smem_size") {
    return builder_.CreateAdd(access_.launch_word(offsetof(LaunchState, static_shared_bytes)),
                              access_.launch_word(offsetof(LaunchState, dynamic_shared_bytes)));
  }
  // Cooperative groups put together the address of the grid's workspace from these two.
  if (name == "envreg1" || name == "envreg2") {
    Value* workspace = access_.launch_quad(offsetof(LaunchState, grid_workspace));
    if (name == "envreg1") workspace = builder_.CreateLShr(workspace, 32);
    return builder_.CreateTrunc(workspace, builder_.getInt32Ty());
  }
  if (name.starts_with("envreg")) return builder_.getInt32(0);
  if (name == "clock" || name == "clock_hi" || name == "clock64") {
    Value* cycles =
        builder_.CreateIntrinsic(builder_.getInt64Ty(), llvm::Intrinsic::readcyclecounter, {});
    if (name == "clock64") return cycles;
    if (name == "clock_hi") cycles = builder_.CreateLShr(cycles, 32);
    return builder_.CreateTrunc(cycles, builder_.getInt32Ty());
  }
  if (name == "globaltimer") {
    return call_service(offsetof(Services, globaltimer), builder_.getInt64Ty(), {});
  }
  return nullptr;
}

// bar.sync(id, count), bar.arrive(id, count), bar.red.<op>(id, count, predicate)
Value* ServiceCalls::lower_barrier(llvm::CallInst& call, llvm::StringRef name) {
  using kernel::BarrierOp;
  flags_ |= kernel::kUsesBarrier;
  BarrierOp op = BarrierOp::sync;
  if (name == "bar.arrive") op = BarrierOp::arrive;
  if (name == "bar.red.popc") op = BarrierOp::red_popc;
  if (name == "bar.red.and") op = BarrierOp::red_and;
  if (name == "bar.red.or") op = BarrierOp::red_or;
  Value* predicate = builder_.getInt32(0);
  if (call.arg_size() > 2) {
    predicate = builder_.CreateZExtOrTrunc(call.getArgOperand(2), builder_.getInt32Ty());
  }
  Value* result = call_service(offsetof(Services, barrier), builder_.getInt32Ty(),
                               {access_.thread(), builder_.getInt32(static_cast<uint32_t>(op)),
                                call.getArgOperand(0), call.getArgOperand(1), predicate});
  if (call.getType()->isVoidTy()) return nullptr;
  if (call.getType()->isIntegerTy(1)) return builder_.CreateIsNotNull(result);
  return result;
}

// Operands in PTX order; the member mask is the last one.
Value* ServiceCalls::lower_warp_op(llvm::CallInst& call, WarpOp op) {
  flags_ |= kernel::kUsesWarpOps;
  std::array<Value*, 3> operands = {builder_.getInt64(0), builder_.getInt32(0),
                                    builder_.getInt32(0)};
  Value* mask = builder_.getInt32(~0u);
  if (op == WarpOp::activemask) {
    // Lanes are together when they are at the same call: number the calls.
    llvm::Module& module = *function_.getParent();
    llvm::NamedMDNode* calls = module.getOrInsertNamedMetadata("guda.activemask");
    operands[0] = builder_.getInt64(calls->getNumOperands());
    calls->addOperand(llvm::MDNode::get(module.getContext(), {}));
  } else {
    const unsigned last = call.arg_size() - 1;
    mask = call.getArgOperand(last);
    for (unsigned i = 0; i < last; ++i) {
      llvm::Type* type = i == 0 ? builder_.getInt64Ty() : builder_.getInt32Ty();
      operands[i] = builder_.CreateZExtOrTrunc(call.getArgOperand(i), type);
    }
  }
  Value* predicate = access_.scratch(1);
  Value* result = call_service(offsetof(Services, warp_op), builder_.getInt64Ty(),
                               {access_.thread(), builder_.getInt32(static_cast<uint32_t>(op)),
                                mask, operands[0], operands[1], operands[2], predicate});
  llvm::Type* type = call.getType();
  if (type->isVoidTy()) return nullptr;
  if (auto* pair = llvm::dyn_cast<llvm::StructType>(type)) {
    Value* value = builder_.CreateZExtOrTrunc(result, pair->getElementType(0));
    Value* flag = builder_.CreateIsNotNull(builder_.CreateLoad(builder_.getInt32Ty(), predicate));
    Value* both = builder_.CreateInsertValue(llvm::PoisonValue::get(pair), value, 0);
    return builder_.CreateInsertValue(both, flag, 1);
  }
  if (type->isIntegerTy(1)) return builder_.CreateIsNotNull(result);
  return builder_.CreateZExtOrTrunc(result, type);
}

Value* ServiceCalls::lower_system_call(llvm::CallInst& call, llvm::StringRef name) {
  const auto pointer = [&](unsigned index) {
    return builder_.CreateIntToPtr(call.getArgOperand(index), builder_.getPtrTy());
  };
  if (name == "vprintf") {
    flags_ |= kernel::kUsesPrintf;
    return call_service(offsetof(Services, vprintf), builder_.getInt32Ty(),
                        {access_.block(), pointer(0), pointer(1)});
  }
  if (name == "malloc") {
    Value* memory = call_service(offsetof(Services, malloc), builder_.getPtrTy(),
                                 {access_.block(), call.getArgOperand(0)});
    return builder_.CreatePtrToInt(memory, builder_.getInt64Ty());
  }
  if (name == "free") {
    return call_service(offsetof(Services, free), builder_.getVoidTy(),
                        {access_.block(), pointer(0)});
  }
  constexpr size_t kIndex = offsetof(ThreadState, index);
  return call_service(
      offsetof(Services, assert_fail), builder_.getVoidTy(),
      {access_.block(), access_.thread_word(kIndex), access_.thread_word(kIndex + 4),
       access_.thread_word(kIndex + 8), pointer(0), pointer(1), call.getArgOperand(2), pointer(3)});
}

void ServiceCalls::lower_exit(llvm::CallInst& call) {
  if (!is_kernel_) {
    call_service(offsetof(Services, exit_thread), builder_.getVoidTy(), {access_.thread()})
        ->setDoesNotReturn();
    call.eraseFromParent();
    return;
  }
  // Inlined into the kernel: everything after the call is gone.
  llvm::BasicBlock* block = call.getParent();
  llvm::changeToUnreachable(&call);
  llvm::Instruction* end = block->getTerminator();
  llvm::ReturnInst::Create(function_.getContext(), nullptr, end->getIterator());
  end->eraseFromParent();
}

Status ServiceCalls::lower(llvm::CallInst& call, llvm::StringRef name) {
  builder_.SetInsertPoint(&call);
  if (name == "guda.shared") {
    replace(call, access_.block_pointer(offsetof(BlockState, shared)));
    return Status::ok();
  }
  if (name == "guda.symbol") {
    const auto* index = llvm::dyn_cast<llvm::ConstantInt>(call.getArgOperand(0));
    if (index == nullptr) return {StatusCode::unknown, "guda.symbol without a constant index"};
    replace(call, access_.symbol(static_cast<uint32_t>(index->getZExtValue())));
    return Status::ok();
  }
  if (name == target::kAlignmentCheck) {
    Value* low = builder_.CreateAnd(call.getArgOperand(0), call.getArgOperand(1));
    builder_.SetInsertPoint(llvm::SplitBlockAndInsertIfThen(
        builder_.CreateIsNotNull(low), &call, /*Unreachable=*/true,
        llvm::MDBuilder(call.getContext()).createUnlikelyBranchWeights()));
    call_fault(StatusCode::misaligned_address);
    replace(call, nullptr);
    return Status::ok();
  }
  if (!name.consume_front("ptx.")) return Status::ok();
  if (name.consume_front("sreg.")) {
    Value* value = special_register(name);
    if (value == nullptr) {
      return {StatusCode::not_supported,
              "special register %" + name.str() + " is not implemented on the CPU"};
    }
    replace(call, value);
    return Status::ok();
  }
  for (const WarpOpRow& row : kWarpOps) {
    if (name != row.name) continue;
    replace(call, lower_warp_op(call, row.op));
    return Status::ok();
  }
  if (name == "bar.sync" || name == "bar.arrive" || name.starts_with("bar.red.")) {
    replace(call, lower_barrier(call, name));
    return Status::ok();
  }
  if (name.consume_front("syscall.")) {
    Value* result = lower_system_call(call, name);
    if (name == "assertfail") llvm::cast<llvm::CallInst>(result)->setDoesNotReturn();
    replace(call, call.getType()->isVoidTy() ? nullptr : result);
    return Status::ok();
  }
  if (name == "trap" || name == "brkpt") {
    call_fault(StatusCode::launch_failed);
    replace(call, nullptr);
    return Status::ok();
  }
  if (name == "nanosleep") {
    replace(call, call_service(offsetof(Services, nanosleep), builder_.getVoidTy(),
                               {access_.block(), call.getArgOperand(0)}));
    return Status::ok();
  }
  if (name == "exit") {
    lower_exit(call);
    return Status::ok();
  }
  if (const auto instruction = parse_texture_instruction(name)) {
    return lower_texture_instruction(call, *instruction);
  }
  if (starts_with_any(
          name, {"shfl.", "vote.",    "match.",   "redux.",    "bar.",      "elect.", "mma.",
                 "wmma.", "ldmatrix", "stmatrix", "movmatrix", "mbarrier.", "cp.",    "sured.",
                 "tex.",  "tld4.",    "suld.",    "sust.",     "txq.",      "suq."})) {
    return {StatusCode::not_supported, "ptx." + name.str() + " is not implemented on the CPU"};
  }
  return Status::ok();
}

Status ServiceCalls::lower_all() {
  llvm::SmallVector<llvm::WeakTrackingVH, 32> calls;
  for (llvm::Instruction& instruction : llvm::instructions(function_)) {
    const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    if (call != nullptr && call->getCalledFunction() != nullptr) calls.emplace_back(&instruction);
    if (instruction.isAtomic() &&
        !llvm::isa<llvm::FenceInst, llvm::LoadInst, llvm::StoreInst>(instruction)) {
      flags_ |= kernel::kUsesAtomics;
    }
  }
  for (const llvm::WeakTrackingVH& handle : calls) {
    // Code after an exit may be gone by now.
    auto* call = llvm::dyn_cast_or_null<llvm::CallInst>(static_cast<Value*>(handle));
    if (call == nullptr) continue;
    if (Status status = lower(*call, call->getCalledFunction()->getName()); !status.is_ok()) {
      return status;
    }
  }
  return Status::ok();
}

}  // namespace guda::lanes
