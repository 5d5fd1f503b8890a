#include "compiler/spmd/normalize.h"

#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Transforms/Scalar/DCE.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/FixIrreducible.h>
#include <llvm/Transforms/Utils/LCSSA.h>
#include <llvm/Transforms/Utils/LoopSimplify.h>
#include <llvm/Transforms/Utils/LowerSwitch.h>
#include <llvm/Transforms/Utils/UnifyFunctionExitNodes.h>

namespace guda::spmd {
namespace {

/// A lane that reaches `unreachable` has left the kernel (trap, assert): let it return, so that the
/// other lanes of its warp are not affected.
void return_instead_of_unreachable(llvm::Function& function) {
  for (llvm::BasicBlock& block : function) {
    if (!llvm::isa<llvm::UnreachableInst>(block.getTerminator())) continue;
    block.getTerminator()->eraseFromParent();
    llvm::ReturnInst::Create(function.getContext(), &block);
  }
}

void drop_assumptions(llvm::Function& function) {
  for (llvm::BasicBlock& block : function) {
    for (llvm::Instruction& instruction : llvm::make_early_inc_range(block)) {
      if (llvm::isa<llvm::AssumeInst>(instruction)) instruction.eraseFromParent();
    }
  }
}

}  // namespace

void run_passes(llvm::Function& function, llvm::FunctionPassManager passes) {
  llvm::LoopAnalysisManager loop_analyses;
  llvm::FunctionAnalysisManager function_analyses;
  llvm::CGSCCAnalysisManager graph_analyses;
  llvm::ModuleAnalysisManager module_analyses;
  llvm::PassBuilder builder;
  builder.registerModuleAnalyses(module_analyses);
  builder.registerCGSCCAnalyses(graph_analyses);
  builder.registerFunctionAnalyses(function_analyses);
  builder.registerLoopAnalyses(loop_analyses);
  builder.crossRegisterProxies(loop_analyses, function_analyses, graph_analyses, module_analyses);
  passes.run(function, function_analyses);
}

void normalize(llvm::Function& function) {
  drop_assumptions(function);
  return_instead_of_unreachable(function);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::LowerSwitchPass());
  passes.addPass(llvm::UnifyFunctionExitNodesPass());
  passes.addPass(llvm::FixIrreduciblePass());
  passes.addPass(llvm::LoopSimplifyPass());
  passes.addPass(llvm::LCSSAPass());
  passes.addPass(llvm::DCEPass());
  run_passes(function, std::move(passes));
}

}  // namespace guda::spmd
