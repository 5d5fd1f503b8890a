#include <llvm/ADT/APInt.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassManager.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ADCE.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/GVN.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <llvm/Transforms/Utils/LowerSwitch.h>

#include <memory>
#include <vector>

#include "compiler/lanes/polling_loops.h"
#include "compiler/spmd/normalize.h"
#include "compiler/target/spirv/spirv.h"
#include "compiler/target/target.h"

namespace guda::target {
namespace {

/// What OpenCL has no way to do at all, by the name of the device function.
Status find_impossible(llvm::Function& kernel) {
  for (const llvm::Instruction& instruction : llvm::instructions(kernel)) {
    const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    if (!call || !call->getCalledFunction()) continue;
    const llvm::StringRef name = call->getCalledFunction()->getName();
    const char* what = nullptr;
    if (name == "ptx.syscall.vprintf") what = "it prints";
    if (name == "ptx.syscall.malloc" || name == "ptx.syscall.free") what = "it allocates memory";
    if (name == "ptx.syscall.assertfail") what = "it has assertions";
    if (name == "ptx.trap" || name == "ptx.brkpt") what = "it may trap";
    if (name.starts_with("ptx.tex.") || name.starts_with("ptx.tld4.") ||
        name.starts_with("ptx.suld.") || name.starts_with("ptx.sust.") ||
        name.starts_with("ptx.txq.") || name.starts_with("ptx.suq."))
      what = "it uses textures or surfaces";
    if (!call->getCalledFunction()->isDeclaration()) what = "it is recursive";
    if (what) return {StatusCode::not_supported, what};
  }
  if (!lanes::polling_latches(kernel).empty())
    return {StatusCode::not_supported, "it waits for other threads in a loop"};
  return Status::ok();
}

/// Variables that the steps before introduced become values again.
void promote_variables(llvm::Function& function) {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::ADCEPass());
  spmd::run_passes(function, std::move(passes));
}

void optimize(llvm::Function& function) {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  llvm::LoopPassManager loops;
  loops.addPass(llvm::LICMPass(llvm::LICMOptions()));
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(loops), /*UseMemorySSA=*/true));
  passes.addPass(llvm::GVNPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::ADCEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::LowerSwitchPass());
  spmd::run_passes(function, std::move(passes));
}

/// Attributes and metadata of device IR mean nothing to the generator, and some end it.
void drop_decorations(llvm::Module& module, llvm::Function& kernel) {
  for (llvm::Function& function : llvm::make_early_inc_range(module)) {
    if (&function != &kernel && function.use_empty()) {
      function.eraseFromParent();
      continue;
    }
    const bool convergent = function.isConvergent();
    function.setAttributes(llvm::AttributeList());
    if (convergent) function.setConvergent();
  }
  for (llvm::Instruction& instruction : llvm::instructions(kernel)) {
    auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    if (!call) continue;
    const bool convergent = call->isConvergent();
    call->setAttributes(llvm::AttributeList());
    if (convergent) call->setConvergent();
  }
  for (llvm::NamedMDNode& node : llvm::make_early_inc_range(module.named_metadata()))
    node.eraseFromParent();
}

/// What the generator does wrong depends on addresses that are used again, so another attempt needs others: takes blocks
/// of the sizes that it asks for.
void take_addresses(int attempt, std::vector<std::unique_ptr<char[]>>& blocks) {
  constexpr size_t kSmallest = 16, kLargest = 512;
  for (int i = 0; i < attempt; ++i) {
    for (size_t size = kSmallest + 8 * static_cast<size_t>(attempt); size <= kLargest; size += 24)
      blocks.push_back(std::make_unique<char[]>(size));
  }
}

/// Sub-groups as wide as warps.
void ask_for_sub_groups(llvm::Function& kernel) {
  llvm::LLVMContext& context = kernel.getContext();
  auto* width = llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), 32);
  kernel.setMetadata("intel_reqd_sub_group_size",
                     llvm::MDNode::get(context, llvm::ConstantAsMetadata::get(width)));
}

}  // namespace

Result<driver::OpenclKernel> compile_to_spirv(llvm::Module& module, llvm::Function& kernel,
                                              const SpirvOptions& options) {
  driver::OpenclKernel result;
  result.name = kernel.getName().str();
  result.shared_addresses = options.shared_addresses;
  result.correctly_rounded_division = options.correctly_rounded_division;
  kernel.getFnAttribute("guda.param_bytes").getValueAsString().getAsInteger(10, result.param_bytes);

  if (Status status = find_impossible(kernel); !status) return status;
  if (Status status = make_convergent(kernel, options); !status) return status;
  if (Status status = expand_exchanges(kernel, options, result); !status) return status;
  promote_variables(kernel);
  auto entry = make_arguments(kernel, options, result);
  if (!entry) return entry.status();
  if (Status status = lower_builtins(**entry, options); !status) return status;
  if (Status status = expand_lane_ops_portably(module); !status)
    return Status(StatusCode::not_supported, status.message());
  const char* triple = result.sub_groups ? kSubGroupTriple : kSpirvTriple;
  auto machine = make_spirv_machine(triple);
  if (!machine) return machine.status();
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  optimize(**entry);
  if (Status status = legalize_for_spirv(**entry, options); !status) return status;
  drop_decorations(module, **entry);
  if (result.sub_groups) ask_for_sub_groups(**entry);
  // See defines_twice in emit_spirv.cpp. Generation changes the module.
  constexpr int kAttempts = 16;
  Result<std::string> binary = Status(StatusCode::unknown, "not generated");
  std::vector<std::unique_ptr<char[]>> in_the_way;
  for (int i = 0; i < kAttempts && binary.status().code() == StatusCode::unknown; ++i) {
    take_addresses(i, in_the_way);
    auto fresh = make_spirv_machine(triple);
    if (!fresh) return fresh.status();
    binary = emit_spirv(*llvm::CloneModule(module), **fresh);
  }
  if (!binary) return binary.status();
  result.spirv = std::move(*binary);
  return result;
}

}  // namespace guda::target
