#include "compiler/driver/pipeline.h"

#include <llvm/ADT/SCCIterator.h>
#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/CallGraph.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassManager.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/IPO/AlwaysInliner.h>
#include <llvm/Transforms/IPO/GlobalDCE.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ADCE.h>
#include <llvm/Transforms/Scalar/DeadStoreElimination.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/GVN.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/Reassociate.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/LowerSwitch.h>

#include "compiler/device_ir/local_pointers.h"

namespace guda::driver {
namespace {

struct LocalPointersPass : llvm::PassInfoMixin<LocalPointersPass> {
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager&) {
    if (!device_ir::recover_local_pointers(function)) return llvm::PreservedAnalyses::all();
    llvm::PreservedAnalyses preserved;
    preserved.preserveSet<llvm::CFGAnalyses>();
    return preserved;
  }
};

/// The analysis managers of one run, with everything registered.
class Passes {
 public:
  explicit Passes(llvm::TargetMachine* machine = nullptr) : builder_(machine) {
    builder_.registerModuleAnalyses(module_analyses_);
    builder_.registerCGSCCAnalyses(graph_analyses_);
    builder_.registerFunctionAnalyses(function_analyses_);
    builder_.registerLoopAnalyses(loop_analyses_);
    builder_.crossRegisterProxies(loop_analyses_, function_analyses_, graph_analyses_,
                                  module_analyses_);
  }

  void run(llvm::Module& module, llvm::ModulePassManager& passes) {
    passes.run(module, module_analyses_);
  }
  void run(llvm::Module& module, llvm::FunctionPassManager&& passes) {
    llvm::ModulePassManager all;
    all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
    run(module, all);
  }

 private:
  llvm::LoopAnalysisManager loop_analyses_;
  llvm::FunctionAnalysisManager function_analyses_;
  llvm::CGSCCAnalysisManager graph_analyses_;
  llvm::ModuleAnalysisManager module_analyses_;
  llvm::PassBuilder builder_;
};

/// Marks what the inliner takes: every defined function but the kernel and the recursive ones.
void mark_for_inlining(llvm::Module& module) {
  llvm::CallGraph graph(module);
  for (auto component = llvm::scc_begin(&graph); !component.isAtEnd(); ++component) {
    for (llvm::CallGraphNode* node : *component) {
      llvm::Function* function = node->getFunction();
      if (!function || function->isDeclaration() || !function->hasLocalLinkage()) continue;
      function->removeFnAttr(llvm::Attribute::NoInline);
      function->removeFnAttr(llvm::Attribute::OptimizeNone);
      if (!component.hasCycle()) function->addFnAttr(llvm::Attribute::AlwaysInline);
    }
  }
}

/// `merge_branches`: move what both sides of a branch have in common out of it. Good for scalar
/// device code (less divergence); it would undo the versions that the vectoriser made.
llvm::SimplifyCFGOptions cfg_options(bool merge_branches) {
  llvm::SimplifyCFGOptions options;
  options.convertSwitchRangeToICmp(true)
      .hoistCommonInsts(merge_branches)
      .sinkCommonInsts(merge_branches)
      .needCanonicalLoops(false);
  return options;
}

template <typename Pass>
void add_loop_pass(llvm::FunctionPassManager& passes, Pass pass) {
  llvm::LoopPassManager loops;
  loops.addPass(std::move(pass));
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(loops), /*UseMemorySSA=*/true));
}

}  // namespace

void optimize_device_ir(llvm::Module& module) {
  Passes passes;
  mark_for_inlining(module);
  llvm::ModulePassManager inlining;
  inlining.addPass(llvm::AlwaysInlinerPass(/*InsertLifetime=*/false));
  inlining.addPass(llvm::GlobalDCEPass());
  passes.run(module, inlining);

  llvm::FunctionPassManager scalar;
  scalar.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  scalar.addPass(llvm::EarlyCSEPass());
  scalar.addPass(LocalPointersPass());
  scalar.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  scalar.addPass(llvm::InstCombinePass());
  scalar.addPass(llvm::SimplifyCFGPass(cfg_options(true)));
  scalar.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  scalar.addPass(LocalPointersPass());
  scalar.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  scalar.addPass(llvm::InstCombinePass());
  scalar.addPass(llvm::GVNPass());
  scalar.addPass(llvm::InstCombinePass());
  scalar.addPass(llvm::DSEPass());
  scalar.addPass(llvm::ADCEPass());
  scalar.addPass(llvm::SimplifyCFGPass(cfg_options(true)));
  scalar.addPass(llvm::LowerSwitchPass());
  passes.run(module, std::move(scalar));
}

void optimize_lowered_ir(llvm::Module& module) {
  llvm::FunctionPassManager scalar;
  scalar.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  scalar.addPass(llvm::InstCombinePass());
  add_loop_pass(scalar, llvm::LICMPass(llvm::LICMOptions()));
  scalar.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  Passes().run(module, std::move(scalar));
}

void optimize_target_ir(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::FunctionPassManager code;
  code.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  code.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  code.addPass(llvm::InstCombinePass());
  code.addPass(llvm::SimplifyCFGPass(cfg_options(false)));
  add_loop_pass(code, llvm::LICMPass(llvm::LICMOptions()));
  code.addPass(llvm::GVNPass());
  code.addPass(llvm::InstCombinePass());
  code.addPass(llvm::DSEPass());
  code.addPass(llvm::ADCEPass());
  code.addPass(llvm::SimplifyCFGPass(cfg_options(false)));
  Passes(&machine).run(module, std::move(code));
}

}  // namespace guda::driver
