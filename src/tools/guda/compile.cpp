// guda compile: every kernel of the given files into the cache, on all cores.
#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <thread>

#include "runtime/module/compiler_client.h"
#include "runtime/module/module.h"
#include "tools/guda/command.h"
#include "tools/guda/device_code.h"
#include "tools/guda/install.h"
#include "tools/guda/progress.h"

namespace guda::cli {
namespace {

using runtime::Kernel;
using runtime::Module;

/// Variables need an address to be laid out, nothing more: no kernel runs here. Pages that only
/// initialisers touch stay small.
class ScratchStorage : public runtime::VariableStorage {
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

struct Source {
  std::unique_ptr<Module> module;
  std::vector<Kernel*> kernels;
};

class SourceReader {
 public:
  SourceReader(runtime::VariableStorage& storage, std::vector<Source>& sources)
      : storage_(storage), sources_(sources) {}

  Status read(const std::string& path) {
    if (auto image = ElfImage::open(path)) return read_program(*image, path);
    std::ifstream file(path, std::ios::binary);
    if (!file) return {StatusCode::file_not_found, fmt::format("{}: cannot be read", path)};
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    if (bytes.empty()) return {StatusCode::invalid_image, fmt::format("{}: empty file", path)};
    return add(Module::from_image(bytes.data(), bytes.size(), path, storage_));
  }

 private:
  Status read_program(const ElfImage& image, const std::string& path) {
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
        keep(add(Module::from_ptx(std::move(*text), path, storage_)));
      }
    }
    if (!units.empty()) keep(add(Module::from_ptx_units(std::move(units), path, storage_)));
    return first_error;
  }

  Status add(Result<std::unique_ptr<Module>> module) {
    if (!module) return module.status();
    auto kernels = (*module)->kernels();
    if (!kernels) return kernels.status();
    sources_.push_back({std::move(*module), std::move(*kernels)});
    return Status::ok();
  }

  runtime::VariableStorage& storage_;
  std::vector<Source>& sources_;
};

struct Counts {
  std::atomic<size_t> compiled{0}, cached{0}, failed{0};
};

void compile_all(const std::vector<Kernel*>& kernels, size_t jobs, Counts& counts) {
  Progress progress(kernels.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < kernels.size(); i = next.fetch_add(1)) {
      bool was_cached = false;
      const Status status = kernels[i]->prebuild(was_cached);
      if (!status) {
        counts.failed.fetch_add(1);
        progress.line(status.message());
      } else {
        (was_cached ? counts.cached : counts.compiled).fetch_add(1);
      }
      progress.step(kernels[i]->name());
    }
  };
  std::vector<std::thread> threads;
  for (size_t t = 1; t < std::min(jobs, kernels.size()); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int compile_command(Arguments arguments) {
  size_t jobs = std::max(std::thread::hardware_concurrency(), 1u);
  std::vector<std::string> files;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view text = arguments[i];
    if (text == "--jobs" || text == "-j") {
      const std::string_view number = ++i < arguments.size() ? arguments[i] : "";
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), jobs);
      if (error != std::errc{} || end != number.data() + number.size() || jobs == 0) {
        return usage_error("compile", "--jobs needs a number");
      }
    } else if (text.starts_with("-")) {
      return usage_error("compile", fmt::format("unknown option {}", text));
    } else {
      files.emplace_back(text);
    }
  }
  if (files.empty()) return usage_error("compile", "no file given");
  if (!runtime::KernelCache::process_cache().enabled()) {
    fmt::print(stderr,
               "guda compile: the cache is disabled (CUDA_CACHE_DISABLE, CUDA_CACHE_MAXSIZE)\n");
    return 1;
  }

  const auto start = std::chrono::steady_clock::now();
  ScratchStorage storage;
  std::vector<Source> sources;
  Counts counts;
  for (const std::string& file : files) {
    const std::string path = find_program(file);
    if (Status status = SourceReader(storage, sources).read(path.empty() ? file : path); !status) {
      fmt::print(stderr, "guda compile: {}\n", status.message());
      counts.failed.fetch_add(1);
    }
  }
  std::vector<Kernel*> kernels;
  for (const Source& source : sources) {
    kernels.insert(kernels.end(), source.kernels.begin(), source.kernels.end());
  }
  compile_all(kernels, jobs, counts);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  fmt::print("{} kernels: {} compiled, {} already cached, {} failed, {:.1f} s\n", kernels.size(),
             counts.compiled.load(), counts.cached.load(), counts.failed.load(), elapsed.count());
  return counts.failed.load() == 0 ? 0 : 1;
}

}  // namespace guda::cli
