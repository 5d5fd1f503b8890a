#include "backends/cuda/cublas.h"

#include "backends/cuda/vendor_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <vector>

namespace guda::backend::cuda {
namespace {

// cublasStatus_t
constexpr int kAllocationFailed = 3, kInvalidValue = 7, kArchitectureMismatch = 8,
              kNotSupported = 15;

/// How cuBLAS calls the types (cudaDataType, cublasComputeType_t).
struct Types {
  int input, output, compute;
};

Types types_of(const GemmProblem& problem) {
  auto data_type = [](ElementType type) {
    switch (type) {
      case ElementType::f32: return 0;
      case ElementType::f64: return 1;
      case ElementType::f16: return 2;
      case ElementType::s8: return 3;
      case ElementType::c32: return 4;
      case ElementType::c64: return 5;
      case ElementType::bf16: return 14;
    }
    return -1;
  };
  constexpr int kF32 = 0, kS32 = 10;
  constexpr int kComputeF32 = 68, kComputeF64 = 70, kComputeS32 = 72;
  Types types{data_type(problem.input), data_type(problem.output), kComputeF32};
  switch (problem.input) {
    case ElementType::f64:
    case ElementType::c64: types.compute = kComputeF64; break;
    case ElementType::s8:
      types.compute = kComputeS32;
      if (problem.sums_out) types.output = kS32;
      break;
    case ElementType::f16:
    case ElementType::bf16:
      if (problem.sums_out) types.output = kF32;
      break;
    default: break;
  }
  return types;
}

/// Settings of a handle and the functions that set them; versions before 13.1 lack the last ones.
struct Setting {
  const char* function;
  int BlasSettings::* value;
};
constexpr Setting kSettings[] = {
    {"cublasSetPointerMode_v2", &BlasSettings::pointer_mode},
    {"cublasSetAtomicsMode", &BlasSettings::atomics_mode},
    {"cublasSetMathMode", &BlasSettings::math_mode},
    {"cublasSetSmCountTarget", &BlasSettings::multiprocessor_target},
    {"cublasSetEmulationStrategy", &BlasSettings::emulation_strategy},
    {"cublasSetEmulationSpecialValuesSupport", &BlasSettings::emulation_special_values},
    {"cublasSetFixedPointEmulationMantissaControl", &BlasSettings::mantissa_control},
    {"cublasSetFixedPointEmulationMaxMantissaBitCount", &BlasSettings::max_mantissa_bits},
    {"cublasSetFixedPointEmulationMantissaBitOffset", &BlasSettings::mantissa_bit_offset},
};

class Library final : public VendorLibrary {
 public:
  Library(Cublas& cublas, void* handle, void* stream)
      : VendorLibrary(handle, stream), cublas_(cublas) {}
  void* find(const char* name) override { return cublas_.find(name); }

 private:
  Cublas& cublas_;
};

}  // namespace

size_t scalar_bytes(ElementType type) {
  switch (type) {
    case ElementType::f64:
    case ElementType::c32: return 8;
    case ElementType::c64: return 16;
    default: return 4;
  }
}

Status Cublas::load(const std::string& file) {
  LinkNamespace& libraries = context_->driver().libraries();
  // libcublas needs libcublasLt, which the loader would look for in places of its own.
  std::filesystem::path light = std::filesystem::path(file);
  std::string name = light.filename().string();
  if (size_t at = name.find("libcublas.so"); at == 0) {
    light.replace_filename("libcublasLt" + name.substr(std::string("libcublas").size()));
    if (std::filesystem::exists(light)) {
      if (auto opened = libraries.open(light.string()); !opened) return opened.status();
    }
  }
  auto library = libraries.open(file);
  if (!library) return library.status();
  api_.create = reinterpret_cast<decltype(api_.create)>(dlsym(*library, "cublasCreate_v2"));
  api_.destroy = reinterpret_cast<decltype(api_.destroy)>(dlsym(*library, "cublasDestroy_v2"));
  api_.set_stream =
      reinterpret_cast<decltype(api_.set_stream)>(dlsym(*library, "cublasSetStream_v2"));
  api_.gemm = reinterpret_cast<decltype(api_.gemm)>(dlsym(*library, "cublasGemmEx"));
  if (!api_.create || !api_.destroy || !api_.set_stream || !api_.gemm)
    return {StatusCode::shared_object_symbol_not_found, fmt::format("{} is no cuBLAS", file)};
  file_ = file;
  library_ = *library;
  return Status::ok();
}

Result<std::unique_ptr<Cublas>> Cublas::open(const std::shared_ptr<Context>& context,
                                             const std::string& file) {
  // A major version goes with the driver's: 13 needs a driver for CUDA 13.
  std::vector<std::string> files;
  if (!file.empty())
    files = {file};
  else if (context->driver().version() >= 13000)
    files = find_library({"libcublas.so.13", "libcublas.so.12"},
                         {"/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"});
  else
    files = find_library({"libcublas.so.12"},
                         {"/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"});
  std::string reasons;
  for (const std::string& each : files) {
    std::unique_ptr<Cublas> library(new Cublas(context));
    Status status = library->load(each);
    if (status) return library;
    if (status.code() != StatusCode::stub_library || !file.empty())
      reasons += (reasons.empty() ? "" : "; ") + status.message();
  }
  return Status(StatusCode::not_found, reasons.empty() ? "no cuBLAS of NVIDIA found" : reasons);
}

Status Cublas::create_handle(StreamHandle stream, BlasBinding& binding) {
  int code = api_.create(&binding.handle);
  if (code != 0) {
    binding.handle = nullptr;
  } else if (code = api_.set_stream(binding.handle, stream); code != 0) {
    release(binding);
  }
  if (code == 0) return Status::ok();
  return {code == kAllocationFailed ? StatusCode::out_of_memory : StatusCode::not_supported,
          fmt::format("cuBLAS does not start: status {}", code)};
}

void Cublas::release(BlasBinding& binding) {
  if (binding.handle != nullptr) (void)api_.destroy(binding.handle);
  binding = {};
}

void* Cublas::find(const char* name) {
  std::unique_lock lock(functions_mutex_);
  auto [entry, added] = functions_.try_emplace(name, nullptr);
  if (added) entry->second = dlsym(library_, name);
  return entry->second;
}

Status Cublas::apply(BlasBinding& binding, StreamHandle stream, const BlasSettings& settings) {
  BlasSettings& now = binding.settings;
  if (now == settings) return Status::ok();
  auto refused = [](const char* function, int code) {
    return Status(StatusCode::not_supported, fmt::format("{}: status {}", function, code));
  };
  for (const Setting& setting : kSettings) {
    const int value = settings.*setting.value;
    if (now.*setting.value == value) continue;
    if (auto* set = reinterpret_cast<int (*)(Handle, int)>(find(setting.function))) {
      if (int code = set(binding.handle, value); code != 0) return refused(setting.function, code);
    }
    now.*setting.value = value;
  }
  if (now.mantissa_bit_count != settings.mantissa_bit_count) {
    constexpr const char* kName = "cublasSetFixedPointEmulationMantissaBitCountPointer";
    if (auto* set = reinterpret_cast<int (*)(Handle, int*)>(find(kName))) {
      if (int code = set(binding.handle, settings.mantissa_bit_count); code != 0)
        return refused(kName, code);
    }
    now.mantissa_bit_count = settings.mantissa_bit_count;
  }
  if (now.workspace != settings.workspace || now.workspace_bytes != settings.workspace_bytes) {
    // Setting the stream brings the library's own workspace back.
    constexpr const char* kName = "cublasSetWorkspace_v2";
    auto* set = reinterpret_cast<int (*)(Handle, void*, size_t)>(find(kName));
    int code = api_.set_stream(binding.handle, stream);
    if (code == 0 && settings.workspace != nullptr && set != nullptr)
      code = set(binding.handle, settings.workspace, settings.workspace_bytes);
    if (code != 0) return refused(kName, code);
    now.workspace = settings.workspace;
    now.workspace_bytes = settings.workspace_bytes;
  }
  return Status::ok();
}

Status Cublas::failure(int code, StreamHandle stream, const char* function) {
  if (code == kAllocationFailed)
    return {StatusCode::out_of_memory, fmt::format("{}: no workspace", function)};
  // Whatever else goes wrong is the stream's error.
  Status status = context_->check(context_->api().stream_query(stream), function);
  if (!status && status.code() != StatusCode::not_ready) return status;
  return {StatusCode::launch_failed, fmt::format("{}: status {}", function, code)};
}

Status Cublas::call(StreamHandle stream, BlasBinding& binding, LibraryCall& call) {
  if (find(call.function()) == nullptr)
    return {StatusCode::not_supported, fmt::format("{} has no {}", file_, call.function())};
  if (Status status = bind(stream, binding); !status) return status;
  if (Status status = apply(binding, stream, call.settings()); !status) return status;
  Library library(*this, binding.handle, stream);
  const int code = call.call(library);
  if (code == 0) return Status::ok();
  if (code == kNotSupported || code == kArchitectureMismatch)
    return {StatusCode::not_supported, fmt::format("{}: not supported", call.function())};
  if (code == kAllocationFailed) return failure(code, stream, call.function());
  call.refusal.store(code, std::memory_order_relaxed);
  if (code == kInvalidValue)
    return {StatusCode::not_supported, fmt::format("{}: an invalid value", call.function())};
  return failure(code, stream, call.function());
}

Status Cublas::run(StreamHandle stream, BlasBinding& binding, const GemmProblem& problem) {
  for (int64_t size : {problem.m, problem.n, problem.k, problem.lda, problem.ldb, problem.ldc}) {
    if (size > INT_MAX) return {StatusCode::not_supported, "sizes beyond 31 bits"};
  }
  if (Status status = bind(stream, binding); !status) return status;
  if (Status status = apply(binding, stream, {}); !status) return status;
  auto narrow = [](int64_t value) { return static_cast<int>(value); };
  Types types = types_of(problem);
  // cuBLAS reads complex scalars as if they were aligned to their size: it crashed where they were not.
  alignas(16) std::array<std::byte, 16> alpha{}, beta{};
  std::memcpy(alpha.data(), problem.alpha, scalar_bytes(problem.input));
  std::memcpy(beta.data(), problem.beta, scalar_bytes(problem.input));
  int code = api_.gemm(binding.handle, static_cast<int>(problem.transpose_a),
                       static_cast<int>(problem.transpose_b), narrow(problem.m), narrow(problem.n),
                       narrow(problem.k), alpha.data(), problem.a, types.input, narrow(problem.lda),
                       problem.b, types.input, narrow(problem.ldb), beta.data(), problem.c,
                       types.output, narrow(problem.ldc), types.compute, -1);
  if (code == 0) return Status::ok();
  if (code == kNotSupported || code == kInvalidValue)
    return {StatusCode::not_supported, "cuBLAS has no product of these types and sizes"};
  return failure(code, stream, "cublasGemmEx");
}

}  // namespace guda::backend::cuda
