#include "backends/cuda/driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace guda::backend::cuda {

void* Driver::symbol(const char* name) const { return dlsym(library_, name); }

Status Driver::load(const std::string& file) {
  auto library = namespace_.open(file);
  if (!library) return library.status();
  library_ = *library;
  namespace_.enter_thread();
  file_ = file;
  std::string missing;
#define GUDA_CUDA_FIND(member, name, parameters) \
  api_.member = reinterpret_cast<decltype(api_.member)>(symbol(name));
#define GUDA_CUDA_FIND_REQUIRED(member, name, parameters) \
  GUDA_CUDA_FIND(member, name, parameters)                \
  if (api_.member == nullptr) missing += std::string(" ") + (name);
  GUDA_CUDA_REQUIRED_FUNCTIONS(GUDA_CUDA_FIND_REQUIRED)
  GUDA_CUDA_OPTIONAL_FUNCTIONS(GUDA_CUDA_FIND)
#undef GUDA_CUDA_FIND_REQUIRED
#undef GUDA_CUDA_FIND
  if (!missing.empty())
    return {StatusCode::not_supported, fmt::format("{} is too old, it lacks{}", file, missing)};
  if (DriverResult code = api_.init(0); code != 0)
    return failure(code, fmt::format("cuInit of {}", file));
  api_.driver_version(&version_);
  return Status::ok();
}

Result<std::shared_ptr<Driver>> Driver::open(const std::string& file) {
  std::vector<std::string> files;
  if (!file.empty()) {
    files = {file};
  } else {
    files = find_library({"libcuda.so.1"},
                         {"/usr/local/nvidia/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64",
                          "/usr/lib/wsl/lib", "/run/opengl-driver/lib", "/usr/lib"});
  }
  std::string reasons;
  for (const std::string& each : files) {
    auto driver = std::make_shared<Driver>();
    Status status = driver->load(each);
    if (status) return driver;
    if (status.code() == StatusCode::stub_library && file.empty()) continue;
    reasons += (reasons.empty() ? "" : "; ") + status.message();
  }
  return Status(StatusCode::no_device,
                reasons.empty() ? "no NVIDIA driver (libcuda.so.1) found" : reasons);
}

std::span<std::byte> Driver::reservation(size_t number) {
  // Room for many times what a device has: addresses cost nothing until they are used.
  constexpr size_t kMost = size_t{1} << 40, kLeast = size_t{64} << 30;
  std::unique_lock lock(mutex_);
  if (reservations_.size() <= number) reservations_.resize(number + 1);
  std::span<std::byte>& range = reservations_[number];
  const size_t wanted = number == 0 ? kMost : reservations_[0].size();
  const size_t least = number == 0 ? kLeast : std::max(wanted, kLeast);
  // Old devices have fewer address bits.
  for (size_t bytes = wanted; range.empty() && bytes >= least; bytes /= 2) {
    DevicePointer start = 0;
    if (api_.memory_reserve(&start, bytes, 0, 0, 0) == 0)
      range = {reinterpret_cast<std::byte*>(start), bytes};
  }
  return range;
}

Status Driver::failure(DriverResult code, const std::string& what) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (api_.error_name == nullptr || api_.error_name(code, &name) != 0) name = nullptr;
  if (api_.error_string == nullptr || api_.error_string(code, &text) != 0) text = nullptr;
  return {static_cast<StatusCode>(code), fmt::format("{}: {} ({})", what, text ? text : "error",
                                                     name ? name : std::to_string(code))};
}

}  // namespace guda::backend::cuda
