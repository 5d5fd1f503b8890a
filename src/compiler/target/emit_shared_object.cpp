// Machine code generation and the link, both in this process.
#include <lld/Common/CommonLinkerContext.h>
#include <lld/Common/Driver.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/Signals.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

#include "compiler/target/memory_functions.h"
#include "compiler/target/target.h"

LLD_HAS_DRIVER(elf)

namespace guda::target {
namespace {

/// An anonymous in-memory file, readable by path while this object lives.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : descriptor_(memfd_create(name, MFD_CLOEXEC)) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  bool write(llvm::StringRef bytes) {
    while (descriptor_ >= 0 && !bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes = bytes.drop_front(static_cast<size_t>(written));
    }
    return descriptor_ >= 0;
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// LLVM installs handlers for most signals when it first creates a temporary file, as lld does for its
/// output, and a program's own handlers would be gone. Let it do so once, and put everything back.
void keep_signal_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction actions[NSIG] = {};
    bool known[NSIG] = {};
    for (int number = 1; number < NSIG; ++number)
      known[number] = sigaction(number, nullptr, &actions[number]) == 0;
    stack_t stack = {};
    sigaltstack(nullptr, &stack);
    const llvm::StringRef nothing = "/nonexistent/guda";
    llvm::sys::RemoveFileOnSignal(nothing);
    llvm::sys::DontRemoveFileOnSignal(nothing);
    for (int number = 1; number < NSIG; ++number)
      if (known[number]) sigaction(number, &actions[number], nullptr);
    sigaltstack(&stack, nullptr);
  });
}

/// The linker's complaint as one line: which symbols nobody defines, or its first error.
Status link_failure(llvm::StringRef kernel, llvm::StringRef messages) {
  constexpr llvm::StringLiteral kUndefined = "undefined symbol: ";
  std::string symbols;
  for (llvm::StringRef rest = messages;;) {
    const size_t at = rest.find(kUndefined);
    if (at == llvm::StringRef::npos) break;
    rest = rest.drop_front(at + kUndefined.size());
    if (!symbols.empty()) symbols += ", ";
    symbols += rest.take_until([](char c) { return c == '\n'; }).str();
  }
  if (!symbols.empty())
    return Status(
        StatusCode::invalid_ptx,
        ("kernel object " + kernel + " needs functions that do not exist: ").str() + symbols);
  return Status(
      StatusCode::operating_system,
      ("linking " + kernel + ": " + messages.take_until([](char c) { return c == '\n'; })).str());
}

Status link_object(llvm::StringRef object, llvm::StringRef name, const std::string& output) {
  MemoryFile file("guda-kernel.o");
  if (!file.write(object))
    return Status(StatusCode::operating_system,
                  std::string("cannot keep the kernel object in memory: ") + std::strerror(errno));
  const std::string input = file.path();
  const char* arguments[] = {"ld.lld",
                             "-shared",
                             "--no-undefined",
                             "--gc-sections",
                             "-Bsymbolic",
                             "--hash-style=gnu",
                             "--eh-frame-hdr",
                             "--build-id=none",
                             "--threads=1",
                             "-znow",
                             "-o",
                             output.c_str(),
                             input.c_str()};
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  keep_signal_handlers();
  // lld keeps its state in globals.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const bool linked = lld::elf::link(arguments, stream, stream, /*exitEarly=*/false,
                                     /*disableOutput=*/false);
  lld::CommonLinkerContext::destroy();
  return linked ? Status::ok() : link_failure(name, messages);
}

}  // namespace

Status emit_shared_object(llvm::Module& module, llvm::TargetMachine& machine,
                          const std::string& path) {
  define_memory_functions(module);
  std::string broken;
  llvm::raw_string_ostream broken_stream(broken);
  if (llvm::verifyModule(module, &broken_stream))
    return Status(StatusCode::unknown,
                  "generated code is malformed: " + broken.substr(0, broken.find('\n')));

  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile,
                                  /*DisableVerify=*/true))
    return Status(StatusCode::not_supported, "the target cannot write object files");
  passes.run(module);
  return link_object(llvm::StringRef(object.data(), object.size()), module.getName(), path);
}

}  // namespace guda::target
