#include "backends/opencl/opencl_device.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "backends/opencl/state.h"
#include "compiler/driver/compiler_api.h"
#include "support/log.h"

namespace guda::backend {
namespace opencl {

DeviceState::~DeviceState() {
  products.release();
  api.clReleaseContext(context);
}

Status DeviceState::check(cl_int code, const char* function) {
  if (code == kDeviceNotAvailable) lost = true;
  return to_status(code, function);
}

namespace {

class OpenclDevice final : public Device {
 public:
  explicit OpenclDevice(std::shared_ptr<DeviceState> state) : state_(std::move(state)) {}

  const DeviceInfo& info() const override { return state_->info; }
  bool usable() const override { return !state_->lost; }
  Status map(void* address, size_t bytes, int) override {
    if (state_->shared_addresses)
      return {StatusCode::invalid_value, "the device works in the program's memory"};
    if (reinterpret_cast<uint64_t>(address) % info().map_alignment != 0 ||
        bytes % info().map_alignment != 0)
      return {StatusCode::invalid_value, "a range that is not aligned"};
    return state_->buffers.map(address, bytes);
  }
  Status unmap(void* address, size_t bytes) override {
    return state_->buffers.unmap(address, bytes);
  }
  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source) override {
    return load_kernel(state_, source);
  }
  Result<std::unique_ptr<Queue>> create_queue() override { return make_queue(state_); }
  Status prepare_gemm(const GemmProblem& problem) override {
    return state_->products.prepare(problem);
  }

 private:
  std::shared_ptr<DeviceState> state_;
};

template <typename T>
T device_value(const Api& api, DeviceId id, DeviceQuery query) {
  T value{};
  if (api.clGetDeviceInfo(id, query, sizeof value, &value, nullptr) != kSuccess) return T{};
  return value;
}

template <typename Get>
std::string text_of(Get get) {
  size_t size = 0;
  if (get(0, nullptr, &size) != kSuccess || size == 0) return {};
  std::string text(size, '\0');
  if (get(size, text.data(), nullptr) != kSuccess) return {};
  return text.c_str();
}

std::string device_text(const Api& api, DeviceId id, DeviceQuery query) {
  return text_of([&](size_t size, void* value, size_t* needed) {
    return api.clGetDeviceInfo(id, query, size, value, needed);
  });
}

std::string platform_text(const Api& api, Platform platform, PlatformInfo query) {
  return text_of([&](size_t size, void* value, size_t* needed) {
    return api.clGetPlatformInfo(platform, query, size, value, needed);
  });
}

/// "SPIR-V_1.0 SPIR-V_1.2": whether 1.`minor` or newer is among them.
bool takes_spirv(std::string_view versions, char minor) {
  constexpr std::string_view kPrefix = "SPIR-V_1.";
  for (size_t at = versions.find(kPrefix); at != std::string_view::npos;
       at = versions.find(kPrefix, at + 1))
    if (at + kPrefix.size() < versions.size() && versions[at + kPrefix.size()] >= minor)
      return true;
  return false;
}

/// Of 32 when a kernel wants that.
bool has_sub_groups(const Api& api, DeviceId id) {
  size_t sizes[32] = {}, bytes = 0;
  if (api.clGetKernelSubGroupInfo == nullptr ||
      api.clGetDeviceInfo(id, kDeviceSubGroupSizes, sizeof sizes, sizes, &bytes) != kSuccess)
    return false;
  const size_t* end = sizes + std::min(bytes, sizeof sizes) / sizeof sizes[0];
  return std::find(static_cast<const size_t*>(sizes), end, size_t{32}) != end;
}

uint32_t feature_flags(const Api& api, DeviceId id, std::string_view extensions,
                       const DeviceState& state) {
  const auto has = [&](std::string_view name) {
    return extensions.find(name) != std::string_view::npos;
  };
  uint32_t features = 0;
  if (state.shared_addresses) features |= kGudaOpenclSharedAddresses;
  if (device_value<cl_uint>(api, id, kDeviceGenericAddresses))
    features |= kGudaOpenclGenericAddresses;
  if (device_value<cl_bitfield>(api, id, kDeviceDoubleConfig)) features |= kGudaOpenclDouble;
  if (has("cl_khr_fp16")) features |= kGudaOpenclHalf;
  if (has("cl_khr_int64_base_atomics") && has("cl_khr_int64_extended_atomics"))
    features |= kGudaOpenclAtomics64;
  if (device_value<cl_bitfield>(api, id, kDeviceSingleConfig) & kFpExactDivision)
    features |= kGudaOpenclExactDivision;
  // pocl 3 has no fences in bitcode.
  if (state.takes_spirv) features |= kGudaOpenclFences;
  if (state.options.sub_groups && takes_spirv(device_text(api, id, kDeviceIlVersion), '3') &&
      has("cl_khr_subgroup_shuffle ") && has("cl_khr_subgroup_ballot ") &&
      has("cl_intel_required_subgroup_size ") && has_sub_groups(api, id))
    features |= kGudaOpenclSubGroups;
  return features;
}

std::unique_ptr<Device> open_device(const Api& api, Platform platform, DeviceId id,
                                    const OpenclOptions& options, uint32_t ordinal,
                                    std::string& note) {
  const std::string name = device_text(api, id, kDeviceName);
  cl_int code = kSuccess;
  Context context = api.clCreateContext(nullptr, 1, &id, nullptr, nullptr, &code);
  if (code != kSuccess) {
    note += fmt::format("{}: {}; ", name, to_status(code, "clCreateContext").message());
    return nullptr;
  }
  auto state = std::make_shared<DeviceState>(api, id, context);
  const std::string extensions = device_text(api, id, kDeviceExtensions) + ' ';
  state->takes_spirv =
      api.clCreateProgramWithIL && takes_spirv(device_text(api, id, kDeviceIlVersion), '2');
  state->takes_bitcode = !state->takes_spirv &&
                         extensions.find("cl_khr_spir ") != std::string::npos &&
                         have_bitcode_translator();
  if (!state->takes_spirv && !state->takes_bitcode) {
    note += fmt::format("{}: its driver takes no SPIR-V; ", name);
    api.clReleaseContext(context);
    return nullptr;
  }
  const auto svm = device_value<cl_bitfield>(api, id, kDeviceSvmCapabilities);
  state->shared_addresses = options.shared_addresses && (svm & kSvmFineGrainSystem) &&
                            api.clEnqueueSVMMemcpy && api.clEnqueueSVMMemFill &&
                            api.clSetKernelExecInfo;
  state->options = options;
  state->features = feature_flags(api, id, extensions, *state);
  state->max_work_group = device_value<size_t>(api, id, kDeviceMaxWorkGroupSize);
  state->local_memory = device_value<cl_ulong>(api, id, kDeviceLocalMemory);
  state->parameter_bytes = device_value<size_t>(api, id, kDeviceMaxParameters);
  state->compiles_source = device_value<cl_uint>(api, id, kDeviceCompilerAvailable) != 0;

  DeviceInfo& info = state->info;
  info.backend = "opencl";
  info.ordinal = ordinal;
  info.name = name;
  info.driver = fmt::format("{} {}", platform_text(api, platform, kPlatformName),
                            device_text(api, id, kDriverVersion));
  info.compute_units = std::max<cl_uint>(1, device_value<cl_uint>(api, id, kDeviceComputeUnits));
  info.host_memory = state->shared_addresses;
  info.stored_pointers = state->shared_addresses;
  info.host_cores = (device_value<cl_bitfield>(api, id, kDeviceType) & kDeviceTypeCpu) != 0;
  GemmDevice& gemm = state->gemm_device;
  gemm.cpu = options.gemm == OpenclGemm::by_device ? info.host_cores
                                                   : options.gemm == OpenclGemm::for_cpus;
  gemm.vector_bytes = 4 * std::max<cl_uint>(4, device_value<cl_uint>(api, id, kDeviceFloatVector));
  gemm.local_memory = state->local_memory;
  gemm.work_group = state->max_work_group;
  if (!info.host_memory) info.memory_bytes = device_value<cl_ulong>(api, id, kDeviceGlobalMemory);
  return std::make_unique<OpenclDevice>(std::move(state));
}

}  // namespace
}  // namespace opencl

Discovery discover_opencl(OpenclOptions options) {
  using namespace opencl;
  Discovery found;
  auto loaded = open_opencl();
  if (!loaded) {
    found.note = loaded.status().message();
    return found;
  }
  const Api& api = **loaded;
  if (!options.compile) options.compile = compile_with_cache;
  cl_uint count = 0;
  Platform platforms[32] = {};
  const cl_int code = api.clGetPlatformIDs(32, platforms, &count);
  if (code != kSuccess || count == 0) {
    found.note = "no OpenCL driver is installed";
    return found;
  }
  for (cl_uint p = 0; p < std::min<cl_uint>(count, 32); ++p) {
    const std::string name = platform_text(api, platforms[p], kPlatformName);
    if (name.find("NVIDIA") != std::string::npos) continue;
    if (name.find(options.platform) == std::string::npos) continue;
    DeviceId ids[64] = {};
    cl_uint devices = 0;
    if (api.clGetDeviceIDs(platforms[p], kAllDevices, 64, ids, &devices) != kSuccess) continue;
    for (cl_uint d = 0; d < std::min<cl_uint>(devices, 64); ++d) {
      auto device = open_device(api, platforms[p], ids[d], options,
                                static_cast<uint32_t>(found.devices.size()), found.note);
      if (device) found.devices.push_back(std::move(device));
    }
  }
  if (found.devices.empty() && found.note.empty()) found.note = "no OpenCL device";
  return found;
}

Discovery discover_opencl() { return discover_opencl(OpenclOptions{}); }

bool opencl_is_likely() {
  if (std::getenv("OCL_ICD_FILENAMES")) return true;
  const char* folder = std::getenv("OCL_ICD_VENDORS");
  // Every CUDA program asks this at its start: std::filesystem takes several times as long.
  const std::unique_ptr<DIR, int (*)(DIR*)> vendors(
      opendir(folder ? folder : "/etc/OpenCL/vendors"), closedir);
  if (!vendors) return false;
  while (const dirent* entry = readdir(vendors.get())) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(".icd")) continue;
    const bool host = name.starts_with("pocl") || name.find("cpu") != std::string_view::npos ||
                      name.find("fpga_emu") != std::string_view::npos;
    // NVIDIA's devices are the CUDA backend's.
    if (!host && name.find("nvidia") == std::string_view::npos) return true;
  }
  return false;
}

}  // namespace guda::backend
