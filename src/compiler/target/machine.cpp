// Target machines for GUDA_CPU values.
#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Target/TargetOptions.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/SubtargetFeature.h>
#include <llvm/TargetParser/X86TargetParser.h>

#include <mutex>

#include "compiler/target/target.h"

namespace guda::target {
namespace {

void initialize_x86() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();  // inline assembly
    // Scheduling after register allocation takes a third of code generation on large kernels and
    // brings out-of-order cores nothing. LLVM has no other switch for it.
    auto& options = llvm::cl::getRegisteredOptions();
    if (auto found = options.find("disable-post-ra"); found != options.end())
      static_cast<llvm::cl::opt<bool>*>(found->second)->setValue(true);
  });
}

}  // namespace

Result<std::unique_ptr<llvm::TargetMachine>> make_target_machine(std::string_view cpu) {
  initialize_x86();
  std::string name(cpu);
  std::string features;
  if (cpu.empty() || cpu == "native") {
    name = llvm::sys::getHostCPUName().str();
    llvm::SubtargetFeatures list;
    for (const auto& feature : llvm::sys::getHostCPUFeatures())
      list.AddFeature(feature.getKey(), feature.getValue());
    features = list.getString();
  }
  const auto unknown_cpu = [&] {
    return Status(StatusCode::invalid_value, "GUDA_CPU: unknown CPU '" + std::string(cpu) + "'");
  };
  if (llvm::X86::parseArchX86(name, /*Only64Bit=*/true) == llvm::X86::CK_None) return unknown_cpu();

  const llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return Status(StatusCode::not_supported, "no x86 code generator: " + error);

  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // PTX: nothing fuses but fma
  options.FunctionSections = true;  // the linker drops what is not reached
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, name, features, options, llvm::Reloc::PIC_,
                                  llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (!machine) return unknown_cpu();
  if (!machine->getMCSubtargetInfo()->checkFeatures("+avx2,+fma,+f16c"))
    return Status(StatusCode::not_supported,
                  "CPU '" + name + "' lacks AVX2, FMA or F16C, which compiled kernels need");
  return machine;
}

unsigned vector_bits(const llvm::TargetMachine& machine) {
  const llvm::MCSubtargetInfo& subtarget = *machine.getMCSubtargetInfo();
  // The lane operations use byte, word and quadword forms: the first AVX-512 generation that GUDA
  // treats as 512-bit is Skylake server (x86-64-v4).
  if (subtarget.checkFeatures("+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512cd")) return 512;
  return subtarget.checkFeatures("+avx2") ? 256 : 128;
}

}  // namespace guda::target
