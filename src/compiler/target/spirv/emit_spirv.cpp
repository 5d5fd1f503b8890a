// The SPIR-V binary of a module, through LLVM's code generator.
#include <llvm-c/Target.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "compiler/target/spirv/spirv.h"

namespace guda::target {
namespace {

extern "C" {
void LLVMInitializeSPIRVTargetInfo();
void LLVMInitializeSPIRVTarget();
void LLVMInitializeSPIRVTargetMC();
void LLVMInitializeSPIRVAsmPrinter();
}

/// The code generator ends the process when it meets what it cannot select. While it runs on this thread, it
/// is left by a jump instead; what it had allocated is lost then.
struct Escape {
  std::jmp_buf jump;
  char message[256];
};
thread_local Escape* current_escape = nullptr;

void leave_generator(void*, const char* reason, bool) {
  if (current_escape == nullptr) return;  // not ours: LLVM prints and ends the process
  std::strncpy(current_escape->message, reason, sizeof current_escape->message - 1);
  std::longjmp(current_escape->jump, 1);
}

const llvm::Target* spirv_target(std::string& error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeSPIRVTargetInfo();
    LLVMInitializeSPIRVTarget();
    LLVMInitializeSPIRVTargetMC();
    LLVMInitializeSPIRVAsmPrinter();
    llvm::install_fatal_error_handler(leave_generator);
  });
  return llvm::TargetRegistry::lookupTarget(llvm::Triple(kSpirvTriple), error);
}

/// Runs the passes; false when the generator gave up. Nothing with a destructor may live in this frame.
bool run_guarded(llvm::legacy::PassManager* passes, llvm::Module* module, Escape* escape) {
  current_escape = escape;
  const bool finished = setjmp(escape->jump) == 0;
  if (finished) passes->run(*module);
  current_escape = nullptr;
  return finished;
}

/// Whether a type, constant, function, variable or label has the id of another one: LLVM's generator does that now and
/// then, in a few kernels out of a hundred, not in every run.
bool defines_twice(llvm::StringRef binary) {
  constexpr uint32_t kFirstType = 19, kLastType = 38, kFirstConstant = 41, kLastConstant = 52;
  constexpr uint32_t kFunction = 54, kFunctionParameter = 55, kVariable = 59, kLabel = 248;
  std::vector<uint32_t> words(binary.size() / 4);
  std::memcpy(words.data(), binary.data(), words.size() * 4);
  std::set<uint32_t> defined;
  for (size_t at = 5; at < words.size();) {
    const uint32_t count = words[at] >> 16, opcode = words[at] & 0xffff;
    if (count == 0 || at + count > words.size()) return true;
    uint32_t id = 0;
    if (opcode >= kFirstType && opcode <= kLastType && count >= 2) id = words[at + 1];
    if (opcode >= kFirstConstant && opcode <= kLastConstant && count >= 3) id = words[at + 2];
    if (opcode == kLabel && count >= 2) id = words[at + 1];
    if ((opcode == kFunction || opcode == kFunctionParameter || opcode == kVariable) && count >= 3)
      id = words[at + 2];
    if (id != 0 && !defined.insert(id).second) return true;
    at += count;
  }
  return false;
}

/// Zeros of scalar type as OpConstant: some readers take OpConstantNull for aggregates and pointers only.
std::string write_out_zeros(llvm::StringRef binary) {
  constexpr size_t kHeaderWords = 5;
  constexpr uint32_t kTypeInt = 21, kTypeFloat = 22, kConstant = 43, kConstantNull = 46;
  std::vector<uint32_t> words(binary.size() / 4);
  std::memcpy(words.data(), binary.data(), words.size() * 4);
  std::vector<uint32_t> out(words.begin(), words.begin() + std::min(kHeaderWords, words.size()));
  std::map<uint32_t, uint32_t> widths;  // of scalar types
  for (size_t at = kHeaderWords; at < words.size();) {
    const uint32_t count = words[at] >> 16, opcode = words[at] & 0xffff;
    if (count == 0 || at + count > words.size()) return binary.str();
    if ((opcode == kTypeInt || opcode == kTypeFloat) && count >= 3)
      widths[words[at + 1]] = words[at + 2];
    const auto width = opcode == kConstantNull ? widths.find(words[at + 1]) : widths.end();
    if (width != widths.end()) {
      const uint32_t literals = width->second == 64 ? 2 : 1;
      out.push_back((3 + literals) << 16 | kConstant);
      out.push_back(words[at + 1]);
      out.push_back(words[at + 2]);
      out.insert(out.end(), literals, 0);
    } else {
      out.insert(out.end(), words.begin() + at, words.begin() + at + count);
    }
    at += count;
  }
  return {reinterpret_cast<const char*>(out.data()), out.size() * 4};
}

}  // namespace

Result<std::unique_ptr<llvm::TargetMachine>> make_spirv_machine(const char* triple) {
  std::string error;
  const llvm::Target* target = spirv_target(error);
  if (!target) return Status(StatusCode::not_supported, "no SPIR-V code generator: " + error);
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(llvm::Triple(triple), "", "", llvm::TargetOptions(), std::nullopt,
                                  std::nullopt, llvm::CodeGenOptLevel::None));
  if (!machine) return Status(StatusCode::not_supported, "no SPIR-V target machine");
  return machine;
}

Result<std::string> emit_spirv(llvm::Module& module, llvm::TargetMachine& machine) {
  std::string broken;
  llvm::raw_string_ostream broken_stream(broken);
  if (llvm::verifyModule(module, &broken_stream))
    return Status(StatusCode::unknown,
                  "generated code is malformed: " + broken.substr(0, broken.find('\n')));
  llvm::SmallVector<char, 0> binary;
  llvm::raw_svector_ostream stream(binary);
  auto passes = std::make_unique<llvm::legacy::PassManager>();
  if (machine.addPassesToEmitFile(*passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile,
                                  /*DisableVerify=*/true))
    return Status(StatusCode::not_supported, "the target cannot write SPIR-V");
  Escape escape = {};
  if (!run_guarded(passes.get(), &module, &escape)) {
    (void)passes.release();  // stopped in the middle: cannot be taken apart
    return Status(StatusCode::not_supported,
                  std::string("the SPIR-V generator gave up: ") + escape.message);
  }
  const llvm::StringRef bytes(binary.data(), binary.size());
  if (defines_twice(bytes))
    return Status(StatusCode::unknown, "the SPIR-V generator used an id twice");
  return write_out_zeros(bytes);
}

}  // namespace guda::target
