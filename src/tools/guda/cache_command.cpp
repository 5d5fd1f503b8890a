// guda cache: the cache of compiled kernels, shown or cleared.
#include <fmt/format.h>

#include <cstdio>

#include "runtime/module/cache.h"
#include "tools/guda/command.h"
#include "tools/guda/json.h"

namespace guda::cli {

int cache_command(Arguments arguments) {
  bool clear = false, as_json = false;
  for (const char* argument : arguments) {
    const std::string_view text = argument;
    if (text == "--clear") {
      clear = true;
    } else if (text == "--json") {
      as_json = true;
    } else {
      return usage_error("cache", fmt::format("unknown argument {}", text));
    }
  }
  runtime::KernelCache& cache = runtime::KernelCache::process_cache();
  const runtime::KernelCache::Usage usage = clear ? cache.clear() : cache.usage();
  if (as_json) {
    JsonWriter json;
    json.begin_object();
    json.field("directory", cache.directory()).field("enabled", cache.enabled());
    json.field("cleared", clear).field("kernels", usage.files).field("bytes", usage.bytes);
    json.field("max_bytes", cache.max_bytes()).end_object();
    fmt::print("{}", json.take());
  } else if (clear) {
    fmt::print("{}: {} kernels deleted, {:.1f} MiB\n", cache.directory(), usage.files,
               static_cast<double>(usage.bytes) / (1 << 20));
  } else {
    fmt::print("{}: {} kernels, {:.1f} of {:.0f} MiB{}\n", cache.directory(), usage.files,
               static_cast<double>(usage.bytes) / (1 << 20),
               static_cast<double>(cache.max_bytes()) / (1 << 20),
               cache.enabled() ? "" : " (disabled)");
  }
  return 0;
}

}  // namespace guda::cli
