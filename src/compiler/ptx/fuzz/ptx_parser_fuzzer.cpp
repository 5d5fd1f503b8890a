// libFuzzer target: any bytes are either refused with a message or parsed to a tree that survives
// printing and parsing again, and bodies come out alike whether parsed at once or on demand.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/ptx/check.h"
#include "compiler/ptx/parser.h"
#include "compiler/ptx/printer.h"

namespace guda::ptx {
namespace {

void check(bool holds, std::string_view promise, std::string_view detail) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n%.*s\n", static_cast<int>(promise.size()), promise.data(),
               static_cast<int>(detail.size()), detail.data());
  std::abort();
}

Result<Module> parse(const std::shared_ptr<const std::string>& source, bool lazy) {
  return parse_module(source, "fuzz", {.lazy_bodies = lazy});
}

void run(std::string text) {
  const auto problems = check_text(text);
  const auto source = std::make_shared<const std::string>(std::move(text));
  const auto eager = parse(source, false);
  auto lazy = parse(source, true);
  check(!eager || lazy, "lazy parsing accepts what eager parsing accepts", lazy.status().message());
  if (lazy) {
    for (Function& function : lazy->functions) {
      const Status status = parse_body(*lazy, function, "fuzz");
      check(!eager || status, "a good body parses on demand", status.message());
    }
  }
  check(eager || !problems.empty(), "what does not parse is a problem", "");
  if (!eager) {
    check(!eager.status().message().empty(), "errors have messages", "");
    return;
  }
  const std::string printed = print_module(*eager);
  check(print_module(*lazy) == printed, "lazy and eager trees are equal", printed);
  const auto again = parse(std::make_shared<const std::string>(printed), false);
  check(bool(again), "printed text parses", again.status().message() + "\n" + printed);
  check(print_module(*again) == printed, "printed text parses to the same tree", printed);
}

}  // namespace
}  // namespace guda::ptx

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  guda::ptx::run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
