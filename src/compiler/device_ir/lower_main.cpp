// guda_lower file.ptx [kernel ...] [-O] [-q]: prints the device IR of kernels (default: all of the
// module, each in a module of its own). -O simplifies it first, -q prints only what fails.
#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassManager.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "compiler/device_ir/lower.h"
#include "compiler/ptx/parser.h"

namespace {

void simplify(llvm::Module& module) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
  passes.addPass(llvm::EarlyCSEPass(true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  for (llvm::Function& function : module) {
    if (!function.isDeclaration()) passes.run(function, functions);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::vector<std::string> kernels;
  bool optimize = false, quiet = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "-O") {
      optimize = true;
    } else if (argument == "-q") {
      quiet = true;
    } else if (file.empty()) {
      file = argument;
    } else {
      kernels.push_back(argument);
    }
  }
  std::ifstream stream(file);
  if (!stream) {
    std::fprintf(stderr, "usage: guda_lower file.ptx [kernel ...] [-O] [-q]\n");
    return 2;
  }
  std::ostringstream text;
  text << stream.rdbuf();
  auto source = std::make_shared<const std::string>(text.str());
  auto module = guda::ptx::parse_module(source, file, {.lazy_bodies = true});
  if (!module) {
    std::fprintf(stderr, "%s\n", module.status().message().c_str());
    return 1;
  }
  if (kernels.empty()) {
    for (const auto& function : module->functions) {
      if (function.is_entry && function.has_body) kernels.emplace_back(function.name);
    }
  }
  int failures = 0;
  for (const std::string& kernel : kernels) {
    llvm::LLVMContext context;
    auto lowered = guda::device_ir::lower_kernel(*module, kernel, file, context);
    if (!lowered) {
      std::fprintf(stderr, "%s: %s\n", kernel.c_str(), lowered.status().message().c_str());
      ++failures;
      continue;
    }
    if (optimize) simplify(**lowered);
    if (!quiet) (*lowered)->print(llvm::outs(), nullptr);
  }
  return failures == 0 ? 0 : 1;
}
