// guda compile: every kernel of the given files into the cache, on all cores.
#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "runtime/module/compiler_client.h"
#include "runtime/module/module.h"
#include "tools/guda/command.h"
#include "tools/guda/kernel_files.h"
#include "tools/guda/progress.h"

namespace guda::cli {
namespace {

using runtime::Kernel;

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
  KernelFiles sources;
  Counts counts;
  for (const std::string& file : files) {
    if (Status status = sources.read(file); !status) {
      fmt::print(stderr, "guda compile: {}\n", status.message());
      counts.failed.fetch_add(1);
    }
  }
  const std::vector<Kernel*> kernels = sources.kernels();
  compile_all(kernels, jobs, counts);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  fmt::print("{} kernels: {} compiled, {} already cached, {} failed, {:.1f} s\n", kernels.size(),
             counts.compiled.load(), counts.cached.load(), counts.failed.load(), elapsed.count());
  return counts.failed.load() == 0 ? 0 : 1;
}

}  // namespace guda::cli
