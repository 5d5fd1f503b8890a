// Programs' own PTX with slice parameters added is PTX that NVIDIA's assembler takes.
//
//   sliced_ptx_test <ptxas> <scratch directory> <program>...
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compiler/ptx/parser.h"
#include "compiler/ptx/slice_rewriter.h"
#include "runtime/module/module.h"
#include "tools/guda/kernel_files.h"

namespace {

/// False when ptxas refuses `text`.
bool assembles(const std::string& ptxas, const std::string& directory, const std::string& text,
               const std::string& target) {
  const std::string path = directory + "/sliced.ptx";
  std::ofstream(path) << text;
  const std::string command =
      fmt::format("'{}' -O1 -w -arch={} -o '{}/sliced.cubin' '{}' 2> '{}/sliced.log'", ptxas,
                  target, directory, path, directory);
  if (std::system(command.c_str()) == 0) return true;
  std::ifstream log(directory + "/sliced.log");
  fmt::print("{}\n", std::string((std::istreambuf_iterator<char>(log)), {}).substr(0, 2000));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  size_t modules = 0, failures = 0;
  for (int i = 3; i < argc; ++i) {
    guda::cli::KernelFiles files;
    if (guda::Status status = files.read(argv[i]); !status) {
      // Programs without kernels have no device code.
      fmt::print("{}\n", status.message());
    }
    std::set<const guda::runtime::Module*> seen;
    for (guda::runtime::Kernel* kernel : files.kernels()) {
      if (!seen.insert(&kernel->module()).second) continue;
      ++modules;
      auto parsed = guda::ptx::parse_module(kernel->module().ptx_text(), argv[i]);
      if (!parsed) {
        fmt::print("{}: {}\n", argv[i], parsed.status().message());
        ++failures;
        continue;
      }
      const std::string target(parsed->target);
      const auto sliced = guda::ptx::add_slice_parameters(*parsed, {}, argv[i]);
      if (!sliced) {
        fmt::print("{}: {}\n", argv[i], sliced.status().message());
        ++failures;
      } else if (!assembles(argv[1], argv[2], *sliced, target)) {
        fmt::print("{}: ptxas refuses the sliced module\n", argv[i]);
        ++failures;
      }
    }
  }
  fmt::print("{} modules, {} failures\n", modules, failures);
  return failures == 0 && modules > 0 ? 0 : 1;
}
