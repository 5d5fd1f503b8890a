#include "compiler/driver/compile_opencl.h"

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/raw_ostream.h>

#include <memory>
#include <string>

#include "compiler/device_ir/lower.h"
#include "compiler/driver/flush_mode.h"
#include "compiler/driver/opencl_kernel.h"
#include "compiler/driver/pipeline.h"
#include "compiler/driver/specialize.h"
#include "compiler/ptx/parser.h"
#include "compiler/target/spirv/spirv.h"

namespace guda::driver {
namespace {

target::SpirvOptions options_of(const GudaOpenclRequest& request) {
  target::SpirvOptions options;
  for (int i = 0; i < 3; ++i) options.block_dim[i] = request.block_dim[i];
  const auto has = [&](uint32_t flag) { return (request.device & flag) != 0; };
  options.shared_addresses = has(kGudaOpenclSharedAddresses);
  options.generic_addresses = has(kGudaOpenclGenericAddresses);
  options.fp64 = has(kGudaOpenclDouble);
  options.fp16 = has(kGudaOpenclHalf);
  options.int64_atomics = has(kGudaOpenclAtomics64);
  options.correctly_rounded_division = has(kGudaOpenclExactDivision);
  options.spirv_fences = has(kGudaOpenclFences);
  options.sub_groups = has(kGudaOpenclSubGroups);
  return options;
}

Status write_file(const char* path, llvm::StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (!error) {
    file << bytes;
    file.close();
    error = file.error();
    file.clear_error();
  }
  if (error) return {StatusCode::operating_system, std::string(path) + ": " + error.message()};
  return Status::ok();
}

}  // namespace

Status compile_opencl(const GudaOpenclRequest& request) {
  if (request.struct_size != sizeof(GudaOpenclRequest))
    return {StatusCode::invalid_value, "libguda and libguda_compiler differ in version"};
  if (!request.ptx || !request.kernel || !request.output_path)
    return {StatusCode::invalid_value, "incomplete compile request"};
  const std::string name = request.module_name ? request.module_name : "ptx";
  auto source = std::make_shared<const std::string>(request.ptx, request.ptx_size);
  auto parsed = ptx::parse_module(source, name, {.lazy_bodies = true});
  if (!parsed) return parsed.status();
  llvm::LLVMContext context;
  auto lowered = device_ir::lower_kernel(*parsed, request.kernel, name, context);
  if (!lowered) return lowered.status();
  llvm::Module& module = **lowered;
  llvm::Function* kernel = module.getFunction(request.kernel);
  if (!kernel || kernel->isDeclaration())
    return {StatusCode::not_found, std::string("device code has no kernel ") + request.kernel};
  specialize_block(module, request.block_dim);
  optimize_device_ir(module);
  remove_redundant_flushes(module);

  auto compiled = target::compile_to_spirv(module, *kernel, options_of(request));
  if (request.dump_directory) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream, nullptr);
    const std::string base =
        std::string(request.dump_directory) + "/" + std::string(request.kernel).substr(0, 200);
    llvm::sys::fs::create_directories(request.dump_directory);
    if (Status status = write_file((base + ".opencl.ll").c_str(), text); !status) return status;
    if (compiled)
      if (Status status = write_file((base + ".spv").c_str(), compiled->spirv); !status)
        return status;
  }
  if (!compiled)
    return {compiled.status().code(),
            std::string(request.kernel) + ": " + compiled.status().message()};
  return write_file(request.output_path, serialize(*compiled));
}

}  // namespace guda::driver
