// Runs random kernels and prints a hash of each one's results: `SEED HASH`, a line each.
//
//   random_ptx FIRST COUNT            run
//   random_ptx --expect FILE COUNT    run the first COUNT seeds of FILE, which has lines like the above
//   random_ptx --print SEED           show the kernel
//   random_ptx --print-traced SEED    the same with trace instructions
//   random_ptx --trace SEED           run it and print a hash of each thread's state per statement
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "ptx_host.h"
#include "random_kernel.h"

namespace {

using namespace guda::test;

uint64_t hash(const std::vector<uint32_t>& words, uint64_t value) {
  for (const uint32_t w : words) value = (value ^ w) * 0x100000001b3ull;
  return value;
}

// The hash of what the kernel computes, or "error" and the code.
std::string run(uint64_t seed, bool traced = false) {
  const RandomKernel kernel = random_kernel(seed, traced);
  const unsigned threads = kernel.threads * kernel.blocks;
  std::vector<uint32_t> in(threads * kInputsPerThread);
  uint64_t state = seed + 99;
  for (uint32_t& w : in) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    // Small numbers as well as large ones.
    w = static_cast<uint32_t>(state >> 32) >> (state >> 27 & 31 & (state >> 20));
  }
  ptx::Array<uint32_t> device_in(in), out(threads * kOutputsPerThread), bins(kBins),
      trace(threads * kernel.statements);
  ptx::PtxModule module(ptx::Text{kernel.ptx}, {"kernel"});
  module.finish();
  const int code = module.launch("kernel", {kernel.blocks}, {kernel.threads}, 0, device_in.get(),
                                 out.get(), bins.get(), kernel.uniform, trace.get());
  if (code != 0) {
    ptx::cudaGetLastError();
    return "error" + std::to_string(code);
  }
  if (traced) {
    const auto words = trace.host();
    for (unsigned s = 0; s < kernel.statements; ++s) {
      std::printf("statement %u:", s);
      for (unsigned t = 0; t < threads; ++t) std::printf(" %08x", words[s * threads + t]);
      std::printf("\n");
    }
  }
  char text[20];
  std::snprintf(text, sizeof(text), "%016" PRIx64,
                hash(bins.host(), hash(out.host(), 0xcbf29ce484222325ull)));
  return text;
}

int run_expecting(const char* path, unsigned long limit) {
  std::ifstream file(path);
  uint64_t seed;
  std::string expected;
  unsigned long kernels = 0, wrong = 0;
  while (kernels < limit && file >> seed >> expected) {
    const std::string result = run(seed);
    ++kernels;
    if (result == expected) continue;
    ++wrong;
    std::printf("seed %" PRIu64 ": %s, expected %s\n", seed, result.c_str(), expected.c_str());
    std::fflush(stdout);
  }
  std::printf("%lu of %lu kernels differ\n", wrong, kernels);
  return wrong != 0 || kernels == 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 4 && std::strcmp(arguments[1], "--expect") == 0) {
    return run_expecting(arguments[2], std::strtoul(arguments[3], nullptr, 0));
  }
  if (count != 3) {
    std::fprintf(stderr, "usage: %s FIRST COUNT | --expect FILE COUNT | --print SEED\n",
                 arguments[0]);
    return 2;
  }
  const std::string_view option = arguments[1];
  if (option == "--print" || option == "--print-traced") {
    const bool traced = option == "--print-traced";
    std::fputs(random_kernel(std::strtoull(arguments[2], nullptr, 0), traced).ptx.c_str(), stdout);
    return 0;
  }
  if (option == "--trace") {
    std::puts(run(std::strtoull(arguments[2], nullptr, 0), true).c_str());
    return 0;
  }
  const uint64_t first = std::strtoull(arguments[1], nullptr, 0);
  const uint64_t kernels = std::strtoull(arguments[2], nullptr, 0);
  for (uint64_t seed = first; seed < first + kernels; ++seed) {
    std::printf("%" PRIu64 " %s\n", seed, run(seed).c_str());
    std::fflush(stdout);
  }
  return 0;
}
