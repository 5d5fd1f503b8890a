#include "tools/guda/diagnosis.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "tools/guda/device_code.h"
#include "tools/guda/elf_image.h"
#include "tools/guda/install.h"
#include "tools/guda/launch_environment.h"
#include "tools/guda/library_search.h"

namespace guda::cli {
namespace {

bool defines_function(const std::vector<ElfSymbol>& symbols, std::string_view name) {
  return std::any_of(symbols.begin(), symbols.end(), [&](const ElfSymbol& symbol) {
    return symbol.is_defined && symbol.is_function && symbol.name == name;
  });
}

RuntimeLinkage runtime_linkage(const ElfImage& image, bool has_device_code) {
  for (const std::string_view name : image.needed()) {
    if (name.starts_with("libcudart.so") || name.starts_with("libguda.so")) {
      return RuntimeLinkage::dynamic;
    }
  }
  if (defines_function(image.symbols(), "cudaLaunchKernel")) return RuntimeLinkage::static_visible;
  if (!has_device_code) return RuntimeLinkage::none;
  const auto imports = image.dynamic_symbols();
  const bool registers = std::any_of(imports.begin(), imports.end(), [](const ElfSymbol& symbol) {
    return !symbol.is_defined && symbol.name == "__cudaRegisterFatBinary";
  });
  return registers ? RuntimeLinkage::dynamic : RuntimeLinkage::static_stripped;
}

void find_libraries(const std::string& path, const ElfImage& image, Diagnosis& diagnosis) {
  const auto plain = search_libraries(path, image, LoaderEnvironment::current());
  const auto under_guda =
      search_libraries(path, image, loader_environment(launch_environment(path)));
  const auto lookup = [](const std::vector<FoundLibrary>& all, const std::string& name) {
    const auto it =
        std::find_if(all.begin(), all.end(), [&](const FoundLibrary& l) { return l.name == name; });
    return it != all.end() ? *it : FoundLibrary{name, "", "", ""};
  };
  for (const FoundLibrary& library : plain) {
    if (library.reason == "LD_PRELOAD" && library.needed_by.empty()) continue;
    if (!is_cuda_library(library.name)) {
      if (library.path.empty() && lookup(under_guda, library.name).path.empty()) {
        diagnosis.missing.push_back(library.name);
      }
      continue;
    }
    const FoundLibrary ours = lookup(under_guda, library.name);
    diagnosis.libraries.push_back({library.name, library.needed_by, library.path, library.reason,
                                   ours.path, ours.reason,
                                   ours.path == library_directory() + "/" + library.name});
  }
}

std::string shorten(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

void judge_libraries(Diagnosis& d) {
  for (const CudaLibrary& library : d.libraries) {
    if (library.from_guda) continue;
    if (is_guda_library(library.name) && !provides(library.name)) {
      d.problems.push_back({fmt::format("this installation of GUDA has no {} in {}", library.name,
                                        library_directory()),
                            "install GUDA completely, or for this CUDA version", true});
    } else if (!provides(library.name)) {
      const bool found = !library.guda_path.empty();
      d.problems.push_back(
          {fmt::format("{} (needed by {}) is not a part of GUDA{}", library.name, library.needed_by,
                       found ? "" : " and not found"),
           found
               ? "NVIDIA's library stays in use; its GPU code cannot run here, so calls of it fail"
               : "install the library, or build the program without it",
           !found});
    } else {
      d.problems.push_back({fmt::format("{} comes from {} ({}) even under guda run", library.name,
                                        library.guda_path, library.guda_reason),
                            "remove the program's RPATH: patchelf --remove-rpath", true});
    }
  }
  for (const std::string& name : d.missing) {
    d.problems.push_back(
        {fmt::format("{} is not found", name),
         "install the package that has it, or add its directory to LD_LIBRARY_PATH", true});
  }
}

void judge_runtime(Diagnosis& d) {
  const bool preload = access((library_directory() + "/libguda_preload.so").c_str(), R_OK) == 0;
  if (d.runtime == RuntimeLinkage::static_stripped) {
    d.problems.push_back(
        {"the CUDA runtime is linked statically and the symbol table is stripped, so "
         "that its functions cannot be found",
         "relink with nvcc -cudart shared, or keep the symbols (no strip, no -s)", true});
  } else if (d.runtime == RuntimeLinkage::static_visible && !preload) {
    d.problems.push_back({"the CUDA runtime is linked statically (nvcc's default)",
                          "relink with nvcc -cudart shared", true});
  }
}

void judge_modules(Diagnosis& d) {
  for (size_t i = 0; i < d.modules.size(); ++i) {
    const DeviceModule& module = d.modules[i];
    if (module.usable) continue;
    std::string found;
    for (const std::string& entry : module.entries) found += (found.empty() ? "" : "; ") + entry;
    d.problems.push_back(
        {fmt::format("device module {} has no PTX, only {}{}", i, found,
                     module.kernels.empty() ? "" : "; kernels: " + shorten(module.kernels)),
         "rebuild with nvcc -arch=sm_80 or -gencode arch=compute_80,code=compute_80, without "
         "-dlto; machine code runs "
         "on a CUDA device of its kind only, first in GUDA_DEVICES",
         true});
  }
}

}  // namespace

const char* to_string(RuntimeLinkage linkage) {
  switch (linkage) {
    case RuntimeLinkage::none: return "none";
    case RuntimeLinkage::dynamic: return "dynamic";
    case RuntimeLinkage::static_visible: return "static";
    case RuntimeLinkage::static_stripped: return "static, stripped";
  }
  return "unknown";
}

bool Diagnosis::is_healthy() const {
  return std::none_of(problems.begin(), problems.end(), [](const Problem& p) { return p.fatal; });
}

Result<Diagnosis> diagnose(const std::string& path) {
  auto image = ElfImage::open(path);
  if (!image) return image.status();
  Diagnosis diagnosis;
  diagnosis.path = path;
  diagnosis.stripped = image->is_stripped();
  if (image->machine() != EM_X86_64) {
    diagnosis.problems.push_back(
        {"the program is for another processor architecture than this GUDA",
         "use a build for x86-64", true});
  }
  auto code = read_device_code(*image);
  if (code) {
    for (const DeviceCodeContainer& container : *code) {
      if (container.link_product) continue;
      DeviceModule module{
          container.relocatable, container.is_usable(), {}, kernel_names(container)};
      for (const auto& entry : container.entries) module.entries.push_back(describe(entry));
      diagnosis.modules.push_back(std::move(module));
    }
  } else {
    diagnosis.problems.push_back({code.status().message(), "rebuild the program", true});
  }
  diagnosis.runtime = runtime_linkage(*image, !diagnosis.modules.empty());
  find_libraries(path, *image, diagnosis);
  judge_runtime(diagnosis);
  judge_libraries(diagnosis);
  judge_modules(diagnosis);
  return diagnosis;
}

}  // namespace guda::cli
