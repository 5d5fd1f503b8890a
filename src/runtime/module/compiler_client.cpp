#include "runtime/module/compiler_client.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/module/cache.h"
#include "runtime/module/file_descriptor.h"
#include "support/log.h"
#include "support/options.h"

namespace guda::runtime {
namespace {

constexpr const char* kLibrary = "libguda_compiler.so";
constexpr const char* kFunction = "guda_compile_kernel";
constexpr const char* kAnalyze = "guda_analyze_kernel";

std::unique_ptr<CompilerClient>& instance() {
  static std::unique_ptr<CompilerClient> client;
  return client;
}

/// Directory of the library or program that this function is in.
std::string own_directory() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_directory), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  std::string path = info.dli_fname;
  // A program knows itself as argv[0], which need not be a path.
  if (path.find('/') == std::string::npos || access(path.c_str(), F_OK) != 0) {
    char buffer[4096];
    const ssize_t length = readlink("/proc/self/exe", buffer, sizeof buffer);
    if (length > 0) path.assign(buffer, static_cast<size_t>(length));
  }
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string find_library() {
  const std::string directory = own_directory();
  for (const char* place : {"", "../lib/", "../lib64/"}) {
    std::string path = fmt::format("{}/{}{}", directory, place, kLibrary);
    std::error_code error;
    // Absolute: the program may change its directory before the first compilation.
    const auto absolute = std::filesystem::canonical(path, error);
    if (!error) return absolute.string();
  }
  return kLibrary;
}

/// Build id note of an ELF file, in hexadecimal; empty when there is none.
std::string build_id(int file) {
  Elf64_Ehdr header;
  if (pread(file, &header, sizeof header, 0) != sizeof header ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_phentsize != sizeof(Elf64_Phdr)) {
    return {};
  }
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const off_t offset = static_cast<off_t>(header.e_phoff + i * sizeof segment);
    if (pread(file, &segment, sizeof segment, offset) != sizeof segment) return {};
    if (segment.p_type != PT_NOTE || segment.p_filesz > 4096) continue;
    std::vector<unsigned char> notes(segment.p_filesz);
    if (pread(file, notes.data(), notes.size(), static_cast<off_t>(segment.p_offset)) !=
        static_cast<ssize_t>(notes.size())) {
      return {};
    }
    const auto padded = [](size_t size) { return (size + 3) & ~size_t{3}; };
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
      Elf64_Nhdr note;
      std::memcpy(&note, notes.data() + at, sizeof note);
      const size_t name = at + sizeof note;
      const size_t content = name + padded(note.n_namesz);
      if (content + note.n_descsz > notes.size()) break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
          std::memcmp(notes.data() + name, "GNU", 4) == 0) {
        std::string text;
        for (size_t b = 0; b < note.n_descsz; ++b)
          text += fmt::format("{:02x}", notes[content + b]);
        return text;
      }
      at = content + padded(note.n_descsz);
    }
  }
  return {};
}

}  // namespace

const CompileOptions& compile_options() {
  static const CompileOptions options = [] {
    CompileOptions o;
    o.cpu = option_value(Option::cpu);
    o.resolved_cpu = resolved_cpu(o.cpu);
    o.force_tier_c = option_value(Option::tier) == "c";
    o.dump_directory = option_value(Option::dump);
    return o;
  }();
  return options;
}

CompilerClient& CompilerClient::process_compiler() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (instance() == nullptr) instance() = std::make_unique<CompilerClient>(find_library());
  });
  return *instance();
}

void CompilerClient::use_library(std::string path) {
  instance() = std::make_unique<CompilerClient>(std::move(path));
}

const std::string& CompilerClient::identity() {
  std::call_once(identity_once_, [this] {
    const FileDescriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      identity_ = "unknown";
      return;
    }
    identity_ = build_id(file.get());
    if (!identity_.empty()) return;
    struct stat info{};
    fstat(file.get(), &info);
    identity_ = fmt::format("{}-{}.{}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  });
  return identity_;
}

Status CompilerClient::open() {
  const std::lock_guard lock(mutex_);
  if (function_ != nullptr) return Status::ok();
  void* library = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return {StatusCode::shared_object_symbol_not_found,
            fmt::format("cannot open the kernel compiler: {}", dlerror())};
  }
  auto function = reinterpret_cast<GudaCompileKernelFn>(dlsym(library, kFunction));
  if (function == nullptr) {
    return {StatusCode::shared_object_symbol_not_found,
            fmt::format("{} has no {}", path_, kFunction)};
  }
  analyze_ = reinterpret_cast<GudaCompileKernelFn>(dlsym(library, kAnalyze));
  function_ = function;
  return Status::ok();
}

Status CompilerClient::compile(const CompileJob& job, const std::string& output_path) {
  if (Status status = open(); !status) return status;
  return call(function_, job, output_path);
}

Status CompilerClient::analyze(const CompileJob& job, const std::string& output_path) {
  if (Status status = open(); !status) return status;
  if (analyze_ == nullptr) {
    return {StatusCode::shared_object_symbol_not_found,
            fmt::format("{} has no {}", path_, kAnalyze)};
  }
  return call(analyze_, job, output_path);
}

Status CompilerClient::call(GudaCompileKernelFn function, const CompileJob& job,
                            const std::string& output_path) {
  const CompileOptions& options = compile_options();
  const std::string module_name(job.module_name);
  GudaCompileRequest request{};
  request.struct_size = sizeof request;
  request.ptx = job.ptx.data();
  request.ptx_size = job.ptx.size();
  request.module_name = module_name.c_str();
  request.kernel = job.kernel.c_str();
  request.cpu = options.cpu.c_str();
  request.output_path = output_path.c_str();
  request.force_tier_c = options.force_tier_c ? 1 : 0;
  std::copy(job.block_dim.begin(), job.block_dim.end(), request.block_dim);
  request.dump_directory =
      options.dump_directory.empty() ? nullptr : options.dump_directory.c_str();
  const auto result = std::make_unique<GudaCompileResult>();
  if (function(&request, result.get()) == 0) return Status::ok();
  result->message[sizeof result->message - 1] = '\0';
  const auto code = static_cast<StatusCode>(result->status);
  return {code == StatusCode::ok ? StatusCode::unknown : code, result->message};
}

}  // namespace guda::runtime
