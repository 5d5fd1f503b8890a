#include "compiler/driver/compile.h"

#include <llvm/IR/DiagnosticHandler.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>

#include "compiler/access/access_analysis.h"
#include "compiler/driver/flush_mode.h"
#include "compiler/driver/kernel_info.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/specialize.h"
#include "compiler/target/alignment_checks.h"
#include "compiler/target/target.h"
#include "support/log.h"
#ifdef GUDA_HAVE_PTX
#include "compiler/ptx/parser.h"
#endif
#ifdef GUDA_HAVE_DEVICE_IR
#include "compiler/device_ir/lower.h"
#endif
#ifdef GUDA_HAVE_SPMD
#include "compiler/spmd/vectorize.h"
#endif
#ifdef GUDA_HAVE_LANES
#include "compiler/lanes/lanes.h"
#endif

namespace guda::driver {
namespace {

/// Processor time per phase, for GUDA_LOG=compiler=debug.
class PhaseTimer {
 public:
  void finish(std::string_view phase) {
    if (!enabled_) return;
    const double now = cpu_milliseconds();
    text_ += fmt::format("{}{} {:.2f}", text_.empty() ? "" : ", ", phase, now - last_);
    last_ = now;
  }
  void report(std::string_view kernel) const {
    if (!enabled_) return;
    const std::chrono::duration<double, std::milli> total =
        std::chrono::steady_clock::now() - start_;
    log(LogPart::compiler, LogLevel::debug, "{}: {:.2f} ms; processor time {:.2f} ({})", kernel,
        total.count(), last_ - first_, text_);
  }

 private:
  static double cpu_milliseconds() {
    timespec time = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
  }

  bool enabled_ = log_enabled(LogPart::compiler, LogLevel::debug);
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double first_ = cpu_milliseconds();
  double last_ = first_;
  std::string text_;
};

/// Keeps the first error instead of printing it and ending the process, as LLVM does by default.
class ErrorCollector : public llvm::DiagnosticHandler {
 public:
  explicit ErrorCollector(std::string& first) : first_(first) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getSeverity() != llvm::DS_Error) return true;
    if (first_.empty()) {
      llvm::raw_string_ostream stream(first_);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }

 private:
  std::string& first_;
};

class Compilation {
 public:
  explicit Compilation(const GudaCompileRequest& request)
      : request_(request), kernel_(request.kernel) {
    context_.setDiagnosticHandler(std::make_unique<ErrorCollector>(code_error_));
  }

  Status run() {
    if (Status status = raise(); !status) return status;
    if (Status status = optimize(); !status) return status;
    if (Status status = prepare(); !status) return status;
    if (Status status = choose_tier(); !status) return status;
    if (Status status = generate(); !status) return status;
    timer_.report(kernel_);
    return Status::ok();
  }

  /// What the kernel does to memory, and no code.
  Result<access::AccessSummary> summarize() {
    if (Status status = raise(); !status) return status;
    if (Status status = optimize(); !status) return status;
    timer_.report(kernel_);
    return std::move(summary_);
  }

 private:
  /// PTX text to device IR.
  Status raise() {
#if defined(GUDA_HAVE_PTX) && defined(GUDA_HAVE_DEVICE_IR)
    auto source = std::make_shared<const std::string>(request_.ptx, request_.ptx_size);
    const std::string name = request_.module_name ? request_.module_name : "ptx";
    if (request_.dump_directory) dump_text(".ptx", *source);
    auto parsed = ptx::parse_module(source, name, {.lazy_bodies = true});
    if (!parsed) return parsed.status();
    timer_.finish("parse");
    auto lowered = device_ir::lower_kernel(*parsed, kernel_, name, context_);
    if (!lowered) return lowered.status();
    module_ = std::move(*lowered);
    module_->setModuleIdentifier(kernel_);
    timer_.finish("device ir");
    dump(".device.ll", *module_);
    return Status::ok();
#else
    return Status(StatusCode::not_supported, "built without the PTX front end");
#endif
  }

  /// Scalar optimisation, and what can be read off the result.
  Status optimize() {
    llvm::Function* kernel = module_->getFunction(kernel_);
    if (!kernel || kernel->isDeclaration())
      return Status(StatusCode::not_found, "device code has no kernel " + kernel_);
    kernel->getFnAttribute("guda.param_bytes")
        .getValueAsString()
        .getAsInteger(10, description_.param_bytes);
    specialize_block(*module_, request_.block_dim);
    optimize_device_ir(*module_);
    remove_redundant_flushes(*module_);
    timer_.finish("optimize");
    summary_ = access::analyze(*kernel);
    std::copy(std::begin(request_.block_dim), std::end(request_.block_dim), summary_.block.begin());
    timer_.finish("access");
    return Status::ok();
  }

  /// Lowering of the state spaces.
  Status prepare() {
    auto machine = target::make_target_machine(request_.cpu ? request_.cpu : "native");
    if (!machine) return machine.status();
    machine_ = std::move(*machine);
    auto layout = target::lower_memory(*module_);
    if (!layout) return layout.status();
    module_->setTargetTriple(machine_->getTargetTriple());
    module_->setDataLayout(machine_->createDataLayout());
    optimize_lowered_ir(*module_);
    target::add_alignment_checks(*module_);
    timer_.finish("lower memory");
    dump(".opt.ll", *module_);

    description_.name = kernel_;
    description_.static_shared_bytes = layout->static_shared_bytes;
    description_.symbols = std::move(layout->symbols);
    description_.flags = kernel_flags(*module_);
    description_.access = access::serialize(summary_);
    return Status::ok();
  }

  Status choose_tier() {
    if (!request_.force_tier_c) {
      if (Status status = vectorize(); status || status.code() != StatusCode::not_supported)
        return status;
      log(LogPart::compiler, LogLevel::info, "{}: lane by lane, because {}", kernel_,
          description_.note);
    } else {
      description_.note = "lane-by-lane execution was asked for";
    }
    return scalarize();
  }

  /// Tier A, on a clone: a refusal leaves the module half changed.
  Status vectorize() {
#ifdef GUDA_HAVE_SPMD
    std::unique_ptr<llvm::Module> clone = llvm::CloneModule(*module_);
    spmd::Options options;
    options.vector_bits = target::vector_bits(*machine_);
    for (int i = 0; i < 3; ++i) options.block_dim[i] = request_.block_dim[i];
    const bool flush_mode = take_flush_mode(*clone->getFunction(kernel_));
    auto vectorized = spmd::vectorize(*clone->getFunction(kernel_), options);
    timer_.finish("vectorize");
    if (!vectorized) {
      description_.note = vectorized.status().message();
      return vectorized.status();
    }
    if (flush_mode) {
      llvm::Function*& entry =
          vectorized->run_block ? vectorized->run_block : vectorized->run_warps;
      entry = enter_flush_mode(*entry);
    }
    dump(".spmd.ll", *clone);
    set_code_attributes(*clone);
    if (Status status = target::expand_lane_ops(*clone, *machine_); !status) {
      // Lane by lane there may be a service for it (textures).
      description_.note = status.message();
      return Status(StatusCode::not_supported, status.message());
    }
    timer_.finish("expand");
    module_ = std::move(clone);
    description_.run_block = vectorized->run_block;
    description_.run_warps = vectorized->run_warps;
    description_.lanes = vectorized->lanes;
    description_.local_bytes = vectorized->local_bytes;
    description_.frame_bytes = vectorized->frame_bytes;
    return Status::ok();
#else
    description_.note = "built without the vectorizer";
    return Status(StatusCode::not_supported, description_.note);
#endif
  }

  Status scalarize() {
#ifdef GUDA_HAVE_LANES
    auto scalarized = lanes::scalarize(*module_->getFunction(kernel_));
    timer_.finish("scalarize");
    if (!scalarized) return scalarized.status();
    description_.run_thread = scalarized->run_thread;
    description_.lanes = 1;
    description_.local_bytes = scalarized->local_bytes;
    description_.flags |= scalarized->flags;
    dump(".spmd.ll", *module_);
    set_code_attributes(*module_);
    if (Status status = target::expand_lane_ops(*module_, *machine_); !status) return status;
    timer_.finish("expand");
    return Status::ok();
#else
    return Status(StatusCode::not_supported, kernel_ + ": built without lane-by-lane execution");
#endif
  }

  Status generate() {
    emit_kernel_info(*module_, description_);
    optimize_target_ir(*module_, *machine_);
    timer_.finish("optimize target");
    dump(".final.ll", *module_);
    dump_assembly();
    if (Status status = target::emit_shared_object(*module_, *machine_, request_.output_path);
        !status)
      return status;
    if (!code_error_.empty())
      return Status(StatusCode::unknown, kernel_ + ": code generation: " + code_error_);
    timer_.finish("emit and link");
    return Status::ok();
  }

  void set_code_attributes(llvm::Module& module) const {
    const std::string bits = std::to_string(target::vector_bits(*machine_));
    for (llvm::Function& function : module) {
      if (function.isDeclaration()) continue;
      function.addFnAttr("target-cpu", machine_->getTargetCPU());
      function.addFnAttr("target-features", machine_->getTargetFeatureString());
      function.addFnAttr("prefer-vector-width", bits);
      function.addFnAttr("min-legal-vector-width", bits);
      function.removeFnAttr(llvm::Attribute::AlwaysInline);
      // Debuggers, profilers and the runtime's unwinding go through kernels.
      function.setUWTableKind(llvm::UWTableKind::Async);
    }
  }

  std::string dump_path(std::string_view suffix) const {
    // Mangled C++ names can exceed what file systems take.
    return fmt::format("{}/{}{}", request_.dump_directory, kernel_.substr(0, 200), suffix);
  }
  void dump_text(std::string_view suffix, std::string_view text) const {
    std::error_code error;
    llvm::sys::fs::create_directories(request_.dump_directory);
    llvm::raw_fd_ostream file(dump_path(suffix), error);
    if (!error) file << llvm::StringRef(text.data(), text.size());
  }
  void dump(std::string_view suffix, const llvm::Module& module) const {
    if (!request_.dump_directory) return;
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream, nullptr);
    dump_text(suffix, text);
  }
  void dump_assembly() {
    if (!request_.dump_directory) return;
    std::unique_ptr<llvm::Module> clone =
        llvm::CloneModule(*module_);  // code generation changes it
    llvm::SmallVector<char, 0> text;
    llvm::raw_svector_ostream stream(text);
    llvm::legacy::PassManager passes;
    if (machine_->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
      return;
    passes.run(*clone);
    dump_text(".s", std::string_view(text.data(), text.size()));
  }

  const GudaCompileRequest& request_;
  std::string kernel_;
  PhaseTimer timer_;
  std::string code_error_;
  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
  std::unique_ptr<llvm::TargetMachine> machine_;
  KernelDescription description_;
  access::AccessSummary summary_;
};

}  // namespace

namespace {

Status check(const GudaCompileRequest& request) {
  if (request.struct_size != sizeof(GudaCompileRequest))
    return Status(StatusCode::invalid_value, "libguda and libguda_compiler differ in version");
  if (!request.ptx || !request.kernel || !request.output_path)
    return Status(StatusCode::invalid_value, "incomplete compile request");
  return Status::ok();
}

}  // namespace

Status compile_kernel(const GudaCompileRequest& request) {
  if (Status status = check(request); !status) return status;
  return Compilation(request).run();
}

Status analyze_kernel(const GudaCompileRequest& request) {
  if (Status status = check(request); !status) return status;
  auto summary = Compilation(request).summarize();
  if (!summary) return summary.status();
  std::error_code error;
  llvm::raw_fd_ostream file(request.output_path, error);
  if (!error) {
    file << access::serialize(*summary);
    file.close();
    error = file.error();
  }
  if (!error) return Status::ok();
  file.clear_error();
  return Status(StatusCode::operating_system,
                fmt::format("cannot write {}: {}", request.output_path, error.message()));
}

}  // namespace guda::driver
