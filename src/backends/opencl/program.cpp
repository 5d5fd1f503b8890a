// From the program's PTX to a built OpenCL kernel.
#include <fmt/format.h>

#include "backends/opencl/state.h"
#include "compiler/driver/compiler_api.h"
#include "support/log.h"

namespace guda::backend::opencl {
std::string build_log(const DeviceState& state, Program program) {
  size_t size = 0;
  if (state.api.clGetProgramBuildInfo(program, state.id, kProgramBuildLog, 0, nullptr, &size) !=
          kSuccess ||
      size == 0)
    return {};
  std::string text(size, '\0');
  state.api.clGetProgramBuildInfo(program, state.id, kProgramBuildLog, size, text.data(), nullptr);
  text.resize(std::min(text.size(), text.find('\0')));
  // One line.
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

namespace {

Result<Program> create_program(DeviceState& state, const driver::OpenclKernel& kernel) {
  cl_int code = kSuccess;
  Program program = nullptr;
  if (state.takes_spirv) {
    program = state.api.clCreateProgramWithIL(state.context, kernel.spirv.data(),
                                              kernel.spirv.size(), &code);
    if (Status status = state.check(code, "clCreateProgramWithIL"); !status) return status;
    return program;
  }
  auto bitcode = spirv_to_bitcode(kernel.spirv);
  if (!bitcode) return bitcode.status();
  const auto* bytes = reinterpret_cast<const unsigned char*>(bitcode->data());
  const size_t size = bitcode->size();
  program = state.api.clCreateProgramWithBinary(state.context, 1, &state.id, &size, &bytes, nullptr,
                                                &code);
  if (Status status = state.check(code, "clCreateProgramWithBinary"); !status) return status;
  return program;
}

size_t parameter_bytes(const driver::OpenclKernel& kernel) {
  size_t bytes = 7 * sizeof(uint32_t) + 2 * sizeof(void*);
  for (const driver::OpenclArgument& argument : kernel.arguments)
    bytes += argument.kind == driver::OpenclArgument::Kind::word ? 8 : 16;
  return bytes;
}

Result<std::vector<uint64_t>> find_symbols(const driver::OpenclKernel& kernel,
                                           const KernelSource& source) {
  std::vector<uint64_t> addresses;
  for (const std::string& symbol : kernel.symbols) {
    const auto variable = std::find_if(source.variables.begin(), source.variables.end(),
                                       [&](const Variable& v) { return v.name == symbol; });
    if (variable == source.variables.end())
      return Status(StatusCode::not_found,
                    fmt::format("{}: the module has no variable {}", kernel.name, symbol));
    addresses.push_back(reinterpret_cast<uint64_t>(variable->address));
  }
  return addresses;
}

}  // namespace

namespace {

/// Warps of blocks of this size are sub-groups, by what the driver has made of the kernel.
bool warps_are_sub_groups(const DeviceState& state, KernelHandle kernel, const Dim3& block) {
  const size_t range[] = {block.x, block.y, block.z};
  size_t width = 0, count = 0;
  const auto ask = [&](cl_uint what, size_t& value) {
    return state.api.clGetKernelSubGroupInfo(kernel, state.id, what, sizeof range, range,
                                             sizeof value, &value, nullptr) == kSuccess;
  };
  const size_t threads = range[0] * range[1] * range[2];
  return ask(kSubGroupSizeForRange, width) && ask(kSubGroupCountForRange, count) && width == 32 &&
         count == (threads + 31) / 32;
}

Result<std::shared_ptr<DeviceKernel>> load_kernel(const std::shared_ptr<DeviceState>& state,
                                                  const KernelSource& source, uint32_t features) {
  auto bytes = state->options.compile(source, features);
  if (!bytes) return bytes.status();
  auto kernel = driver::parse_opencl_kernel(*bytes);
  if (!kernel) return kernel.status();
  if (parameter_bytes(*kernel) > state->parameter_bytes)
    return Status(StatusCode::not_supported,
                  fmt::format("{}: {} bytes of parameters, the device takes {}", kernel->name,
                              parameter_bytes(*kernel), state->parameter_bytes));
  auto symbols = find_symbols(*kernel, source);
  if (!symbols) return symbols.status();
  auto program = create_program(*state, *kernel);
  if (!program) return program.status();

  const Api& api = state->api;
  const char* options =
      kernel->correctly_rounded_division ? "-cl-fp32-correctly-rounded-divide-sqrt" : "";
  cl_int code = api.clBuildProgram(*program, 1, &state->id, options, nullptr, nullptr);
  if (code != kSuccess) {
    const std::string text = build_log(*state, *program);
    api.clReleaseProgram(*program);
    Status status = state->check(code, "clBuildProgram");
    return Status(StatusCode::not_supported,
                  fmt::format("{}: {}: {}", kernel->name, status.message(), text));
  }
  KernelHandle handle = api.clCreateKernel(*program, driver::kOpenclEntry, &code);
  if (code != kSuccess) {
    api.clReleaseProgram(*program);
    return state->check(code, "clCreateKernel");
  }
  if (kernel->sub_groups && !warps_are_sub_groups(*state, handle, source.block)) {
    api.clReleaseKernel(handle);
    api.clReleaseProgram(*program);
    return load_kernel(state, source, features & ~uint32_t{kGudaOpenclSubGroups});
  }
  size_t threads = state->max_work_group;
  api.clGetKernelWorkGroupInfo(handle, state->id, kKernelWorkGroupSize, sizeof threads, &threads,
                               nullptr);
  if (state->shared_addresses) {
    const cl_uint yes = 1;
    code = api.clSetKernelExecInfo(handle, kExecInfoFineGrainSystem, sizeof yes, &yes);
    if (code != kSuccess)
      log(LogPart::runtime, LogLevel::debug, "clSetKernelExecInfo: OpenCL error {}", code);
  }
  return std::shared_ptr<DeviceKernel>(std::make_shared<LoadedKernel>(
      state, std::move(*kernel), source.block, *program, handle, threads, std::move(*symbols)));
}

}  // namespace

Result<std::shared_ptr<DeviceKernel>> load_kernel(const std::shared_ptr<DeviceState>& state,
                                                  const KernelSource& source) {
  return load_kernel(state, source, state->features);
}

}  // namespace guda::backend::opencl
