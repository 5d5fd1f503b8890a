// Every instruction variant that the ISA defines exactly, compiled for both tiers and every
// instruction set this machine has, against what an H200 computed (vectors.bin.zst; generate.py
// says how it came about).
#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/driver/compiler_api.h"
#include "compiler/driver/kernel_abi.h"

namespace guda {
namespace {

struct Case {
  std::string_view result_type;
  std::string_view instruction;
  std::string_view ptx;
  const char* inputs;   // samples x 4 u64
  const char* outputs;  // samples x u64
};

struct alignas(32) Words {
  uint64_t word[4];
};

struct Vectors {
  std::string storage;
  uint32_t samples = 0;
  std::vector<Case> cases;
};

uint32_t take_number(const char*& at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

std::string_view take_text(const char*& at) {
  const uint32_t length = take_number(at);
  const std::string_view text(at, length);
  at += length;
  return text;
}

const Vectors& vectors() {
  static const Vectors instance = [] {
    Vectors loaded;
    std::ifstream file(GUDA_CONFORMANCE_VECTORS, std::ios::binary);
    const std::string packed((std::istreambuf_iterator<char>(file)), {});
    const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return loaded;
    loaded.storage.resize(size);
    ZSTD_decompress(loaded.storage.data(), size, packed.data(), packed.size());
    const char* at = loaded.storage.data();
    const uint32_t count = take_number(at);
    loaded.samples = take_number(at);
    for (uint32_t i = 0; i < count; ++i) {
      Case entry;
      entry.result_type = take_text(at);
      entry.instruction = take_text(at);
      entry.ptx = take_text(at);
      entry.inputs = at;
      at += size_t{loaded.samples} * 32;
      entry.outputs = at;
      at += size_t{loaded.samples} * 8;
      loaded.cases.push_back(entry);
    }
    return loaded;
  }();
  return instance;
}

bool is_nan(std::string_view type, uint64_t bits) {
  if (type == "f64") return std::isnan(std::bit_cast<double>(bits));
  if (type == "f16") return (bits & 0x7fff) > 0x7c00;
  if (type == "bf16") return (bits & 0x7fff) > 0x7f80;
  if (type == "f32" || type == "tf32") return (bits & 0x7fffffff) > 0x7f800000;
  return false;
}

// Equal bits, or both NaN: the ISA leaves the payload of NaN open.
bool agree(std::string_view type, uint64_t expected, uint64_t actual) {
  if (expected == actual) return true;
  if (type.ends_with("x2")) {
    const std::string_view lane = type.substr(0, type.size() - 2);
    return agree(lane, expected & 0xffff, actual & 0xffff) &&
           agree(lane, expected >> 16, actual >> 16);
  }
  return is_nan(type, expected) && is_nan(type, actual);
}

struct Mode {
  const char* name;
  const char* cpu;
  bool tier_c;
  size_t step;  // every step-th case: compiling is what takes the time
};

// Compiles and runs case `index`; fills one word per sample.
std::string run_case(const Case& entry, size_t index, const Mode& mode,
                     std::vector<uint64_t>& outputs) {
  const std::string path =
      fmt::format("{}guda_conformance_{}_{}.so", ::testing::TempDir(), getpid(), index);
  const std::string kernel = fmt::format("t{}", index);
  GudaCompileRequest request = {};
  request.struct_size = sizeof request;
  request.ptx = entry.ptx.data();
  request.ptx_size = entry.ptx.size();
  request.module_name = "conformance.ptx";
  request.kernel = kernel.c_str();
  request.cpu = mode.cpu;
  request.output_path = path.c_str();
  request.force_tier_c = mode.tier_c ? 1 : 0;
  GudaCompileResult result = {};
  if (guda_compile_kernel(&request, &result) != 0) return result.message;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  unlink(path.c_str());
  if (library == nullptr) return dlerror();
  const auto* info = static_cast<const kernel::KernelInfo*>(dlsym(library, kernel::kKernelSymbol));
  // The kernels load pairs of words, which must be aligned as such.
  std::vector<Words> inputs(vectors().samples);
  std::memcpy(inputs.data(), entry.inputs, inputs.size() * sizeof(Words));
  alignas(64) std::byte params[64] = {};
  const void* in = inputs.data();
  void* out = outputs.data();
  std::memcpy(params, &in, sizeof in);
  std::memcpy(params + 8, &out, sizeof out);
  static kernel::Services services = {};
  alignas(128) static std::byte memory[1 << 16];
  kernel::LaunchState launch = {};
  launch.params = params;
  launch.services = &services;
  launch.grid = {1, 1, 1};
  launch.block = {vectors().samples, 1, 1};
  kernel::BlockState block = {};
  block.launch = &launch;
  block.shared = memory;
  block.local = memory;
  std::string problem;
  if (info->run_block != nullptr) {
    info->run_block(&launch, &block);
  } else if (info->run_thread != nullptr && mode.tier_c) {
    for (uint32_t i = 0; i < vectors().samples; ++i) {
      kernel::ThreadState thread = {};
      thread.block = &block;
      thread.launch = &launch;
      thread.index = {i, 0, 0};
      thread.linear = i;
      thread.lane = i % 32;
      thread.local = memory;
      info->run_thread(&thread);
    }
  } else {
    problem = "not vectorised";
  }
  dlclose(library);
  return problem;
}

class Conformance : public testing::TestWithParam<Mode> {};

TEST_P(Conformance, InstructionsComputeWhatAnH200Computes) {
  const Mode& mode = GetParam();
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "no AVX2";
  ASSERT_GT(vectors().cases.size(), 1000u) << "cannot read " << GUDA_CONFORMANCE_VECTORS;
  for (size_t i = 0; i < vectors().cases.size(); i += mode.step) {
    const Case& entry = vectors().cases[i];
    std::vector<uint64_t> outputs(vectors().samples, 0xdeadbeefdeadbeef);
    const std::string problem = run_case(entry, i, mode, outputs);
    EXPECT_EQ(problem, "") << entry.instruction;
    if (!problem.empty()) continue;
    for (uint32_t sample = 0; sample < vectors().samples; ++sample) {
      uint64_t expected = 0;
      std::memcpy(&expected, entry.outputs + size_t{sample} * 8, sizeof expected);
      if (agree(entry.result_type, expected, outputs[sample])) continue;
      uint64_t words[4];
      std::memcpy(words, entry.inputs + size_t{sample} * 32, sizeof words);
      ADD_FAILURE() << fmt::format("{} of {:#x}, {:#x}, {:#x}, {:#x}: {:#x} instead of {:#x}",
                                   entry.instruction, words[0], words[1], words[2], words[3],
                                   outputs[sample], expected);
      break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, Conformance,
                         testing::Values(Mode{"Native", "native", false, 1},
                                         Mode{"Avx2", "x86-64-v3", false, 3},
                                         Mode{"Lanes", "native", true, 3}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace guda
