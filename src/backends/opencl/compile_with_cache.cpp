#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <system_error>

#include "backends/opencl/state.h"
#include "compiler/driver/compiler_api.h"
#include "runtime/module/cache.h"
#include "runtime/module/compiler_client.h"

namespace guda::backend::opencl {
namespace {

using runtime::CompilerClient;
using runtime::KernelCache;

Result<GudaCompileOpenclFn> compiler_function() {
  static std::mutex mutex;
  static GudaCompileOpenclFn function = nullptr;
  const std::lock_guard lock(mutex);
  if (function) return function;
  const std::string& path = CompilerClient::process_compiler().path();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Status(StatusCode::shared_object_symbol_not_found,
                  fmt::format("cannot open the kernel compiler: {}", dlerror()));
  function = reinterpret_cast<GudaCompileOpenclFn>(dlsym(library, "guda_compile_opencl"));
  if (!function)
    return Status(StatusCode::shared_object_symbol_not_found,
                  fmt::format("{} has no guda_compile_opencl", path));
  return function;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (!file) return Status(StatusCode::operating_system, "cannot read " + path);
  return bytes;
}

Status compile(const KernelSource& source, uint32_t features, const std::string& output) {
  auto function = compiler_function();
  if (!function) return function.status();
  const std::string module_name(source.module_name), kernel(source.kernel);
  const std::string& dump = runtime::compile_options().dump_directory;
  GudaOpenclRequest request{};
  request.struct_size = sizeof request;
  request.ptx = source.ptx.data();
  request.ptx_size = source.ptx.size();
  request.module_name = module_name.c_str();
  request.kernel = kernel.c_str();
  request.block_dim[0] = source.block.x;
  request.block_dim[1] = source.block.y;
  request.block_dim[2] = source.block.z;
  request.device = features;
  request.output_path = output.c_str();
  request.dump_directory = dump.empty() ? nullptr : dump.c_str();
  const auto result = std::make_unique<GudaCompileResult>();
  if ((*function)(&request, result.get()) == 0) return Status::ok();
  const auto code = static_cast<StatusCode>(result->status);
  return {code == StatusCode::ok ? StatusCode::unknown : code, result->message};
}

}  // namespace

Result<std::string> compile_with_cache(const KernelSource& source, uint32_t features) {
  KernelCache& cache = KernelCache::process_cache();
  runtime::KernelKey key;
  key.ptx = {source.ptx_hash[0], source.ptx_hash[1]};
  key.kernel = source.kernel;
  key.cpu = fmt::format("opencl:{:x}", features);
  key.block_dim = {source.block.x, source.block.y, source.block.z};
  key.compiler = CompilerClient::process_compiler().identity();
  const std::string digest = runtime::key_digest(key);
  if (const std::string known = cache.find(source.kernel, digest); !known.empty())
    if (auto bytes = read_file(known)) return bytes;

  std::string path;
  if (cache.enabled())
    if (auto temporary = cache.temporary_path()) path = *temporary;
  const bool keep = !path.empty();
  if (!keep) {
    std::error_code error;
    const auto directory = std::filesystem::temp_directory_path(error);  // TMPDIR is asked first
    if (error) return Status(StatusCode::operating_system, "no directory for temporary files");
    std::string pattern = (directory / "guda-opencl-XXXXXX").string();
    const int file = mkstemp(pattern.data());
    if (file < 0) return Status(StatusCode::operating_system, "cannot create a temporary file");
    close(file);
    path = pattern;
  }
  if (Status status = compile(source, features, path); !status) {
    unlink(path.c_str());
    return status;
  }
  auto bytes = read_file(path);
  if (!keep || !bytes || !cache.store(path, source.kernel, digest)) unlink(path.c_str());
  return bytes;
}

}  // namespace guda::backend::opencl
