// Special registers, barriers, fences and atomic operations as OpenCL has them.
#include <llvm/CodeGen/AtomicExpandUtils.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>

#include "compiler/target/spirv/device_values.h"
#include "compiler/target/spirv/spirv.h"

namespace guda::target {
namespace {

using llvm::cast;
using llvm::dyn_cast;
using llvm::Instruction;
using llvm::Value;

constexpr unsigned kFirstBlock = 0, kGrid = 3, kDynamicBytes = 6, kWindow = 7, kExchange = 8;
constexpr uint32_t kFenceLocalAndGlobal = 3;  // CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE

Status refuse(std::string reason) { return {StatusCode::not_supported, std::move(reason)}; }

llvm::StringRef callee_name(const Instruction& instruction) {
  const auto* call = dyn_cast<llvm::CallInst>(&instruction);
  return call && call->getCalledFunction() ? call->getCalledFunction()->getName()
                                           : llvm::StringRef();
}

/// A work-item function such as get_group_id(dimension), as u32.
Value* work_item(llvm::IRBuilder<>& builder, llvm::StringRef mangled, unsigned dimension) {
  llvm::Module& module = *builder.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee = module.getOrInsertFunction(
      mangled, llvm::FunctionType::get(builder.getInt64Ty(), {builder.getInt32Ty()}, false));
  auto* function = cast<llvm::Function>(callee.getCallee());
  function->setCallingConv(llvm::CallingConv::SPIR_FUNC);
  function->setDoesNotAccessMemory();
  function->setDoesNotThrow();
  function->setWillReturn();
  llvm::CallInst* call = builder.CreateCall(callee, {builder.getInt32(dimension)});
  call->setCallingConv(llvm::CallingConv::SPIR_FUNC);
  return builder.CreateTrunc(call, builder.getInt32Ty());
}

constexpr const char* kGroupId = "_Z12get_group_idj";
constexpr const char* kLocalId = "_Z12get_local_idj";
constexpr const char* kLocalSize = "_Z14get_local_sizej";

/// x, y, z at the end of a register's name.
unsigned dimension_of(llvm::StringRef name) { return static_cast<unsigned>(name.back() - 'x'); }

class BuiltinLowering {
 public:
  BuiltinLowering(llvm::Function& kernel, const SpirvOptions& options)
      : kernel_(kernel),
        options_(options),
        device_(kernel.getContext().getOrInsertSyncScopeID("device")) {}

  Status run() {
    std::vector<Instruction*> work;
    for (Instruction& instruction : llvm::instructions(kernel_)) work.push_back(&instruction);
    for (Instruction* instruction : work) {
      Status status;
      if (callee_name(*instruction).starts_with("ptx."))
        status = lower_call(cast<llvm::CallInst>(*instruction));
      else
        status = lower_memory_order(*instruction);
      if (!status) return status;
    }
    return Status::ok();
  }

 private:
  Value* extent(llvm::IRBuilder<>& builder, unsigned dimension) {
    if (options_.block_dim[0]) return builder.getInt32(options_.block_dim[dimension]);
    return work_item(builder, kLocalSize, dimension);
  }
  Value* thread(llvm::IRBuilder<>& builder, unsigned dimension) {
    if (options_.block_dim[0] && options_.block_dim[dimension] == 1) return builder.getInt32(0);
    return work_item(builder, kLocalId, dimension);
  }
  Value* linear_thread(llvm::IRBuilder<>& builder) {
    Value* yz = builder.CreateAdd(thread(builder, 1),
                                  builder.CreateMul(thread(builder, 2), extent(builder, 1)));
    return builder.CreateAdd(thread(builder, 0), builder.CreateMul(yz, extent(builder, 0)));
  }

  Value* special_register(llvm::IRBuilder<>& builder, llvm::StringRef name) {
    if (name.starts_with("tid.")) return thread(builder, dimension_of(name));
    if (name.starts_with("ntid.")) return extent(builder, dimension_of(name));
    const auto lane = [&] { return builder.CreateAnd(linear_thread(builder), 31); };
    const auto own_bit = [&] { return builder.CreateShl(builder.getInt32(1), lane()); };
    const auto above = [&] { return builder.CreateShl(builder.getInt32(~1u), lane()); };
    if (name == "laneid") return lane();
    if (name == "warpid") return builder.CreateLShr(linear_thread(builder), 5);
    if (name == "nwarpid") {
      Value* threads = builder.CreateMul(builder.CreateMul(extent(builder, 0), extent(builder, 1)),
                                         extent(builder, 2));
      return builder.CreateLShr(builder.CreateAdd(threads, builder.getInt32(31)), 5);
    }
    if (name == "lanemask_eq") return own_bit();
    if (name == "lanemask_lt") return builder.CreateSub(own_bit(), builder.getInt32(1));
    if (name == "lanemask_ge") return builder.CreateNeg(own_bit());
    if (name == "lanemask_gt") return above();
    if (name == "lanemask_le") return builder.CreateNot(above());
    // Which multiprocessor runs a block is not for programs to rely on.
    if (name == "smid") return builder.getInt32(0);
    if (name == "nsmid") return builder.getInt32(1);
    if (name == "gridid") return builder.getInt64(0);
    return nullptr;
  }

  Status lower_call(llvm::CallInst& call) {
    llvm::IRBuilder<> builder(&call);
    llvm::StringRef name = callee_name(call).drop_front(strlen("ptx."));
    Value* value = nullptr;
    if (name.consume_front("sreg.")) {
      value = special_register(builder, name);
      if (!value) return refuse("it reads %" + name.str());
    } else if (name == "bar.sync") {
      barrier(builder);
    } else if (name == "nanosleep") {
      // Only a hint.
    } else {
      return Status::ok();  // an operation of one lane; what nobody expands is refused at the end
    }
    if (value) call.replaceAllUsesWith(value);
    call.eraseFromParent();
    return Status::ok();
  }

  static void barrier(llvm::IRBuilder<>& builder) {
    llvm::Module& module = *builder.GetInsertBlock()->getModule();
    llvm::FunctionCallee callee = module.getOrInsertFunction(
        "_Z7barrierj", llvm::FunctionType::get(builder.getVoidTy(), {builder.getInt32Ty()}, false));
    auto* function = cast<llvm::Function>(callee.getCallee());
    function->setCallingConv(llvm::CallingConv::SPIR_FUNC);
    function->setConvergent();
    llvm::CallInst* call = builder.CreateCall(callee, {builder.getInt32(kFenceLocalAndGlobal)});
    call->setCallingConv(llvm::CallingConv::SPIR_FUNC);
    call->setConvergent();
  }

  void fence(llvm::IRBuilder<>& builder, llvm::AtomicOrdering ordering) {
    if (options_.spirv_fences) {
      builder.CreateFence(ordering, device_);
      return;
    }
    builder.CreateAtomicRMW(llvm::AtomicRMWInst::Or, kernel_.getArg(kWindow), builder.getInt32(0),
                            llvm::Align(4), llvm::AtomicOrdering::SequentiallyConsistent, device_);
  }

  Status lower_memory_order(Instruction& instruction) {
    llvm::IRBuilder<> builder(&instruction);
    if (auto* old = dyn_cast<llvm::FenceInst>(&instruction)) {
      fence(builder, old->getOrdering());
      old->eraseFromParent();
    } else if (auto* load = dyn_cast<llvm::LoadInst>(&instruction); load && load->isAtomic()) {
      return lower_atomic_load(*load);
    } else if (auto* store = dyn_cast<llvm::StoreInst>(&instruction); store && store->isAtomic()) {
      return lower_atomic_store(*store);
    } else if (auto* exchange = dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
      exchange->setSyncScopeID(device_);
      return check_width(*exchange->getCompareOperand()->getType());
    } else if (auto* update = dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
      update->setSyncScopeID(device_);
      return lower_update(*update);
    }
    return Status::ok();
  }

  Status check_width(const llvm::Type& type) const {
    const unsigned bits = type.isVectorTy() ? 0 : type.getScalarSizeInBits();
    if (bits == 32) return Status::ok();
    if (bits == 64 && options_.int64_atomics) return Status::ok();
    return refuse("it has an atomic operation of a size that OpenCL lacks");
  }

  /// An aligned access of up to eight bytes is one access on every OpenCL device there is; the order comes
  /// from fences. (OpenCL 1.2 has no atomic loads.)
  Status lower_atomic_load(llvm::LoadInst& load) {
    if (load.getType()->getScalarSizeInBits() > 64 || load.getType()->isVectorTy())
      return refuse("it has a 16-byte atomic load");
    const llvm::AtomicOrdering ordering = load.getOrdering();
    load.setAtomic(llvm::AtomicOrdering::NotAtomic);
    load.setVolatile(true);
    llvm::IRBuilder<> builder(load.getNextNode());
    if (llvm::isAcquireOrStronger(ordering)) fence(builder, ordering);
    return Status::ok();
  }

  Status lower_atomic_store(llvm::StoreInst& store) {
    llvm::Type* type = store.getValueOperand()->getType();
    if (type->getScalarSizeInBits() > 64 || type->isVectorTy())
      return refuse("it has a 16-byte atomic store");
    const llvm::AtomicOrdering ordering = store.getOrdering();
    store.setAtomic(llvm::AtomicOrdering::NotAtomic);
    store.setVolatile(true);
    llvm::IRBuilder<> builder(&store);
    if (llvm::isReleaseOrStronger(ordering)) fence(builder, ordering);
    return Status::ok();
  }

  Status lower_update(llvm::AtomicRMWInst& update) {
    if (Status status = check_width(*update.getType()); !status) return status;
    using Operation = llvm::AtomicRMWInst;
    switch (update.getOperation()) {
      case Operation::Xchg:
        if (!update.getType()->isIntegerTy()) break;
        [[fallthrough]];
      case Operation::Add:
      case Operation::Sub:
      case Operation::And:
      case Operation::Or:
      case Operation::Xor:
      case Operation::Max:
      case Operation::Min:
      case Operation::UMax:
      case Operation::UMin: return Status::ok();
      default: break;
    }
    llvm::expandAtomicRMWToCmpXchg(
        &update, [](llvm::IRBuilderBase& builder, Value* address, Value* loaded, Value* desired,
                    llvm::Align alignment, llvm::AtomicOrdering ordering, llvm::SyncScope::ID scope,
                    Value*& success, Value*& seen, Instruction*) {
          llvm::Type* type = loaded->getType();
          llvm::Type* bits = builder.getIntNTy(type->getScalarSizeInBits());
          llvm::AtomicCmpXchgInst* exchange = builder.CreateAtomicCmpXchg(
              address, builder.CreateBitCast(loaded, bits), builder.CreateBitCast(desired, bits),
              alignment, ordering, llvm::AtomicCmpXchgInst::getStrongestFailureOrdering(ordering),
              scope);
          success = builder.CreateExtractValue(exchange, 1);
          seen = builder.CreateBitCast(builder.CreateExtractValue(exchange, 0), type);
        });
    return Status::ok();
  }

  llvm::Function& kernel_;
  const SpirvOptions& options_;
  llvm::SyncScope::ID device_;
};

}  // namespace

void replace_device_arguments(llvm::Function& function, uint32_t static_shared_bytes) {
  for (Instruction& instruction : llvm::make_early_inc_range(llvm::instructions(function))) {
    llvm::StringRef name = callee_name(instruction);
    if (!name.starts_with("ptx.sreg.") && name != kExchangeArea) continue;
    name.consume_front("ptx.sreg.");
    llvm::IRBuilder<> builder(&instruction);
    Value* value = nullptr;
    if (name == kExchangeArea)
      value = function.getArg(kExchange);
    else if (name.starts_with("ctaid."))
      value = builder.CreateAdd(work_item(builder, kGroupId, dimension_of(name)),
                                function.getArg(kFirstBlock + dimension_of(name)));
    else if (name.starts_with("nctaid."))
      value = function.getArg(kGrid + dimension_of(name));
    else if (name == "dynamic_smem_size")
      value = function.getArg(kDynamicBytes);
    else if (name == "total_smem_size")
      value =
          builder.CreateAdd(function.getArg(kDynamicBytes), builder.getInt32(static_shared_bytes));
    if (!value) continue;
    instruction.replaceAllUsesWith(value);
    instruction.eraseFromParent();
  }
}

Status lower_builtins(llvm::Function& kernel, const SpirvOptions& options) {
  return BuiltinLowering(kernel, options).run();
}

}  // namespace guda::target
