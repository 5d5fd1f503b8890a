#include "tools/guda/kernel_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "runtime/module/fatbin.h"
#include "tools/guda/device_code.h"
#include "tools/guda/install.h"

namespace guda::cli {
namespace {

using runtime::Module;

/// Variables need an address to be laid out, nothing more: no kernel runs here. Pages that only
/// initialisers touch stay small.
class ScratchStorage : public runtime::ModuleHost {
 public:
  Result<void*> allocate(size_t bytes, size_t alignment, runtime::VariableSpace) override {
    void* memory = nullptr;
    if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), bytes) != 0) {
      return Status{StatusCode::out_of_memory, fmt::format("{} bytes for module variables", bytes)};
    }
    return memory;
  }
  void release(void* address, size_t, runtime::VariableSpace) noexcept override {
    std::free(address);
  }
};

}  // namespace

KernelFiles::KernelFiles() : storage_(std::make_unique<ScratchStorage>()) {}

KernelFiles::~KernelFiles() = default;

std::vector<runtime::Kernel*> KernelFiles::kernels() const { return kernels_; }

Status KernelFiles::read(const std::string& name) {
  const std::string found = find_program(name);
  const std::string& path = found.empty() ? name : found;
  if (auto image = ElfImage::open(path)) return read_program(*image, path);
  std::ifstream file(path, std::ios::binary);
  if (!file) return {StatusCode::file_not_found, fmt::format("{}: cannot be read", path)};
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (bytes.empty()) return {StatusCode::invalid_image, fmt::format("{}: empty file", path)};
  return add(Module::from_image(bytes.data(), bytes.size(), path, *storage_));
}

Status KernelFiles::read_program(const ElfImage& image, const std::string& path) {
  auto code = read_device_code(image);
  if (!code) return {code.status().code(), fmt::format("{}: {}", path, code.status().message())};
  if (code->empty()) {
    return {StatusCode::invalid_image, fmt::format("{}: no device code in this file", path)};
  }
  std::vector<std::string> units;
  Status first_error;
  const auto keep = [&](Status status) {
    if (first_error && !status) first_error = std::move(status);
  };
  for (const DeviceCodeContainer& container : *code) {
    if (container.link_product) continue;
    auto text = runtime::read_ptx(container.entries, runtime::device_capability(), path);
    if (!text) {
      keep(text.status());
    } else if (container.relocatable) {
      units.push_back(std::move(*text));
    } else {
      keep(add(Module::from_ptx(std::move(*text), path, *storage_)));
    }
  }
  if (!units.empty()) keep(add(Module::from_ptx_units(std::move(units), path, *storage_)));
  return first_error;
}

Status KernelFiles::add(Result<std::unique_ptr<Module>> module) {
  if (!module) return module.status();
  auto kernels = (*module)->kernels();
  if (!kernels) return kernels.status();
  modules_.push_back(std::move(*module));
  kernels_.insert(kernels_.end(), kernels->begin(), kernels->end());
  return Status::ok();
}

}  // namespace guda::cli
