// The runtime's side of libguda_compiler.so: found next to libguda.so, opened at the first kernel that is
// not in the cache, never closed.
#pragma once

#include <array>
#include <mutex>
#include <string>
#include <string_view>

#include "compiler/driver/compiler_api.h"
#include "support/status.h"

namespace guda::runtime {

/// Compiler options of this process, from GUDA_CPU, GUDA_TIER and GUDA_DUMP; read once.
struct CompileOptions {
  std::string cpu;
  std::string resolved_cpu;  // what the cache key holds
  bool force_tier_c = false;
  std::string dump_directory;  // empty: none
};
const CompileOptions& compile_options();

struct CompileJob {
  std::string_view ptx;  // whole module text
  std::string_view module_name;
  std::string kernel;
  std::array<uint32_t, 3> block_dim{};
};

class CompilerClient {
 public:
  explicit CompilerClient(std::string library_path) : path_(std::move(library_path)) {}
  /// The compiler of this process: libguda_compiler.so beside the library or program that holds this
  /// code, or in ../lib from there, else wherever the loader finds it.
  static CompilerClient& process_compiler();
  /// Replaces the library of process_compiler(); for tests, before the first compilation.
  static void use_library(std::string path);

  /// What distinguishes one compiler from another: the library's build id, or its size and time. Reads the
  /// file, does not open the library.
  const std::string& identity();
  const std::string& path() const { return path_; }
  bool is_open() const { return function_ != nullptr; }

  /// Compiles one kernel to a shared object at `output_path`. Errors: the compiler's;
  /// shared_object_symbol_not_found when the library cannot be opened.
  Status compile(const CompileJob& job, const std::string& output_path);
  /// Writes what the kernel does to memory (access::AccessSummary, serialized); makes no code. Errors: as
  /// compile().
  Status analyze(const CompileJob& job, const std::string& output_path);

 private:
  Status open();
  static Status call(GudaCompileKernelFn function, const CompileJob& job,
                     const std::string& output_path);

  std::string path_;
  std::once_flag identity_once_;
  std::string identity_;
  std::mutex mutex_;
  GudaCompileKernelFn function_ = nullptr;
  GudaCompileKernelFn analyze_ = nullptr;
};

}  // namespace guda::runtime
