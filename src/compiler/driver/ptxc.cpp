// guda_ptxc: compiles one kernel of a PTX file, for people who work on the compiler.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/compiler_api.h"

int main(int argc, char** argv) {
  GudaCompileRequest request = {};
  request.struct_size = sizeof request;
  request.cpu = "native";
  std::vector<const char*> positional;
  std::optional<unsigned long> opencl_features;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--tier-c")
      request.force_tier_c = 1;
    else if (argument == "--cpu" && has_value)
      request.cpu = argv[++i];
    else if (argument == "--dump" && has_value)
      request.dump_directory = argv[++i];
    else if (argument == "--opencl" && has_value)
      opencl_features = std::strtoul(argv[++i], nullptr, 0);
    else if (argument == "--block" && has_value)
      std::sscanf(argv[++i], "%u,%u,%u", &request.block_dim[0], &request.block_dim[1],
                  &request.block_dim[2]);
    else
      positional.push_back(argv[i]);
  }
  if (positional.size() != 3) {
    fmt::print(stderr,
               "usage: guda_ptxc file.ptx kernel out.so [--tier-c] [--cpu NAME] "
               "[--block X,Y,Z] [--dump DIRECTORY] [--opencl FEATURES]\n");
    return 2;
  }
  std::ifstream file(positional[0], std::ios::binary);
  if (!file) {
    fmt::print(stderr, "cannot read {}\n", positional[0]);
    return 2;
  }
  const std::string source((std::istreambuf_iterator<char>(file)), {});
  request.ptx = source.data();
  request.ptx_size = source.size();
  request.module_name = positional[0];
  request.kernel = positional[1];
  request.output_path = positional[2];
  GudaCompileResult result = {};
  int failed = 0;
  if (opencl_features) {
    GudaOpenclRequest opencl = {};
    opencl.struct_size = sizeof opencl;
    opencl.ptx = request.ptx;
    opencl.ptx_size = request.ptx_size;
    opencl.module_name = request.module_name;
    opencl.kernel = request.kernel;
    for (int i = 0; i < 3; ++i) opencl.block_dim[i] = request.block_dim[i];
    opencl.device = static_cast<uint32_t>(*opencl_features);
    opencl.output_path = request.output_path;
    opencl.dump_directory = request.dump_directory;
    failed = guda_compile_opencl(&opencl, &result);
  } else {
    failed = guda_compile_kernel(&request, &result);
  }
  if (failed != 0) {
    fmt::print(stderr, "error {}: {}\n", result.status, result.message);
    return 1;
  }
  return 0;
}
