// cuLink*: PTX of several translation units made into one. The "cubin" that comes out is the linked PTX.
#include "runtime/module/link.h"

#include "abi/cuda/api.h"
#include "abi/jit_options.h"
#include "compiler/ptx/check.h"
#include "runtime/module/fatbin.h"

#include <fmt/format.h>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace guda::cuda {
namespace {

// CUjitInputType.
enum Input : int { kCubin = 0, kPtx = 1, kFatbin = 2, kObject = 3, kLibrary = 4, kNvvm = 5 };

struct Linker {
  explicit Linker(abi::JitOptions jit) : options(jit) {}
  abi::JitOptions options;
  std::vector<std::string> units;
  std::string image;
};

std::mutex linkers_mutex;
std::vector<std::unique_ptr<Linker>>& linkers() {
  static auto* all = new std::vector<std::unique_ptr<Linker>>;
  return *all;
}

Linker* find(void* handle) {
  std::unique_lock lock(linkers_mutex);
  for (auto& linker : linkers()) {
    if (linker.get() == handle) return linker.get();
  }
  return nullptr;
}

/// PTX of one input.
Result<std::string> ptx_of(int type, const void* data, size_t size, const std::string& name) {
  auto* bytes = static_cast<const char*>(data);
  switch (type) {
    case kPtx: return std::string(bytes, std::find(bytes, bytes + size, '\0'));
    case kFatbin: {
      auto container = runtime::container_at(data, size);
      if (!container) return container.status();
      auto entries = runtime::read_fatbin(*container);
      if (!entries) return entries.status();
      return runtime::read_ptx(*entries, runtime::device_capability(), name);
    }
    case kCubin:
      // What cuLinkComplete made is text.
      if (size > 4 && std::string_view(bytes, 4) != "\177ELF")
        return std::string(bytes, std::find(bytes, bytes + size, '\0'));
      [[fallthrough]];
    default:
      return Status(
          StatusCode::no_binary_for_gpu,
          fmt::format("{}: only PTX and fatbins with PTX can be linked, not input type {}", name,
                      type));
  }
}

Error add(void* state, int type, const void* data, size_t size, const char* name) {
  Linker* linker = find(state);
  if (!linker) return kInvalidHandle;
  if (!data || size == 0 || type < kCubin || type > kNvvm) return kInvalidValue;
  const std::string unit = name ? name : "cuLinkAddData";
  auto text = ptx_of(type, data, size, unit);
  if (!text) {
    linker->options.report(fmt::format("error   : {}\n", text.status().message()));
    return finish(text.status());
  }
  // Other units may define what this one only declares.
  const auto problems = ptx::check_text(*text, {.complete = false});
  if (!problems.empty()) {
    linker->options.report(ptx::log_of(problems));
    return finish(ptx::status_of(problems, unit));
  }
  linker->units.push_back(std::move(*text));
  return kSuccess;
}

}  // namespace

GUDA_CU(cuLinkCreate_v2)(unsigned count, int* options, void** values, void** out) {
  GUDA_CU_ENTER();
  abi::JitOptions jit(count, options, values);
  if (!out || !jit.valid()) return kInvalidValue;
  auto linker = std::make_unique<Linker>(jit);
  *out = linker.get();
  std::unique_lock lock(linkers_mutex);
  linkers().push_back(std::move(linker));
  return kSuccess;
}

GUDA_CU(cuLinkAddData_v2)(void* state, int type, void* data, size_t size, const char* name,
                          unsigned, int*, void**) {
  GUDA_CU_ENTER();
  return add(state, type, data, size, name);
}

GUDA_CU(cuLinkAddFile_v2)(void* state, int type, const char* path, unsigned, int*, void**) {
  GUDA_CU_ENTER();
  if (!path) return kInvalidValue;
  std::ifstream file(path, std::ios::binary);
  if (!file) return finish({StatusCode::file_not_found, path});
  std::string image((std::istreambuf_iterator<char>(file)), {});
  return add(state, type, image.data(), image.size(), path);
}

GUDA_CU(cuLinkComplete)(void* state, void** image, size_t* size) {
  GUDA_CU_ENTER();
  Linker* linker = find(state);
  if (!linker) return kInvalidHandle;
  if (!image || linker->units.empty()) return kInvalidValue;
  auto linked = runtime::link_ptx(linker->units, "cuLinkComplete");
  if (!linked) {
    linker->options.report(fmt::format("error   : {}\n", linked.status().message()));
    return finish(linked.status());
  }
  linker->options.report({}, "");
  linker->image = std::move(*linked);
  *image = linker->image.data();
  if (size) *size = linker->image.size() + 1;  // with its end
  return kSuccess;
}

GUDA_CU(cuLinkDestroy)(void* state) {
  GUDA_CU_ENTER();
  std::unique_lock lock(linkers_mutex);
  return std::erase_if(linkers(), [&](auto& linker) { return linker.get() == state; })
             ? kSuccess
             : kInvalidHandle;
}

}  // namespace guda::cuda
