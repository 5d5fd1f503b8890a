#include "backends/cuda/testing/fake_kernels.h"

#include "backends/cuda/gemm_ptx.h"
#include "backends/cuda/testing/fake_machine_code.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>

namespace guda::backend::cuda::testing {

namespace {

void vector_add(Grid& g) {
  auto a = g.param<uint64_t>(0), b = g.param<uint64_t>(8), c = g.param<uint64_t>(16);
  // A slice has its first block behind the kernel's own parameters.
  const unsigned first = g.param_bytes > 28 ? g.param<uint32_t>(28) * g.block[0] : 0;
  for (unsigned i = first; i < first + g.threads() && i < g.param<uint32_t>(24); ++i)
    g.element<float>(c, i) = g.element<float>(a, i) + g.element<float>(b, i);
}

void where(Grid& g) {
  // A slice has its first block and the whole grid behind the kernel's own parameters.
  uint32_t first[3] = {}, whole[3] = {g.grid[0], g.grid[1], g.grid[2]};
  for (size_t i = 0; g.param_bytes > 8 && i < 3; ++i) {
    first[i] = g.param<uint32_t>(8 + 4 * i);
    whole[i] = g.param<uint32_t>(20 + 4 * i);
  }
  unsigned threads = g.block[0] * g.block[1];
  for (unsigned z = first[2]; z < first[2] + g.grid[2]; ++z) {
    for (unsigned y = first[1]; y < first[1] + g.grid[1]; ++y) {
      for (unsigned x = first[0]; x < first[0] + g.grid[0]; ++x) {
        uint64_t n = ((uint64_t{z} * whole[1] + y) * whole[0] + x) * threads * 8;
        for (unsigned t = 0; t < threads; ++t) {
          for (unsigned value :
               {x, y, z, whole[0], whole[1], whole[2], t % g.block[0], t / g.block[0]})
            g.element<uint32_t>(g.param<uint64_t>(0), n++) = value;
        }
      }
    }
  }
}

void parameters(Grid& g) {
  const uint64_t values[] = {g.param<uint8_t>(8), g.param<uint16_t>(10), g.param<uint32_t>(12),
                             g.param<uint64_t>(16), g.param<uint64_t>(40)};
  for (uint64_t i = 0; i < 5; ++i) g.element<uint64_t>(g.param<uint64_t>(0), i) = values[i];
}

void block_sum(Grid& g) {
  for (unsigned block = 0; block < g.grid[0]; ++block) {
    uint32_t sum = 0;
    for (unsigned i = 0; i < 128; ++i)
      sum += g.element<uint32_t>(g.param<uint64_t>(0), block * 128 + i);
    g.element<uint32_t>(g.param<uint64_t>(8), block) = sum;
  }
}

void reverse(Grid& g) {
  if (g.shared < g.block[0] * 4) {
    g.bad = true;
    return;
  }
  auto data = g.param<uint64_t>(0);
  for (unsigned block = 0; block < g.grid[0]; ++block)
    for (unsigned i = 0; i < g.block[0] / 2; ++i)
      std::swap(g.element<uint32_t>(data, block * g.block[0] + i),
                g.element<uint32_t>(data, (block + 1) * g.block[0] - 1 - i));
}

void histogram(Grid& g) {
  for (unsigned i = 0; i < g.threads(); ++i)
    ++g.element<uint32_t>(g.param<uint64_t>(8), g.element<uint32_t>(g.param<uint64_t>(0), i) % 16);
}

void warp_sum(Grid& g) {
  auto data = g.param<uint64_t>(0);
  for (unsigned warp = 0; warp < g.threads() / 32; ++warp) {
    uint32_t sum = 0;
    for (unsigned i = 0; i < 32; ++i) sum += g.element<uint32_t>(data, warp * 32 + i);
    for (unsigned i = 0; i < 32; ++i) g.element<uint32_t>(data, warp * 32 + i) = sum;
  }
}

/// Adds to the module's variable `counter`.
void count_up(Grid& g) {
  uintptr_t counter = 0;
  size_t bytes = 0;
  g.bad |= find_variable(*g.module, "counter", counter, bytes) != 0;
  g.element<uint32_t>(counter, 0) += g.param<uint32_t>(0) * g.threads();
}

void follow(Grid& g) {
  auto pointer = g.element<uint64_t>(g.param<uint64_t>(0), 0);
  g.element<uint32_t>(g.param<uint64_t>(8), 0) = g.element<uint32_t>(pointer, 0);
}

/// Texels of a texture of floats to memory.
void texels(Grid& g) {
  for (unsigned i = 0; i < g.threads(); ++i) {
    std::byte* texel = textures().texel(g.param<uint64_t>(0), false, i);
    if (texel == nullptr)
      g.bad = true;
    else
      std::memcpy(&g.element<float>(g.param<uint64_t>(8), i), texel, sizeof(float));
  }
}

/// i + 0.5 to texel i of a surface of floats.
void store_texels(Grid& g) {
  for (unsigned i = 0; i < g.threads(); ++i) {
    const float value = static_cast<float>(i) + 0.5f;
    std::byte* texel = textures().texel(g.param<uint64_t>(0), true, i);
    if (texel == nullptr)
      g.bad = true;
    else
      std::memcpy(texel, &value, sizeof value);
  }
}

template <typename T>
void gemm(Grid& g) {
  auto p = g.param<GemmParameters>(0);
  auto matrix = [&](const void* pointer, int64_t last) {
    auto* memory =
        at(reinterpret_cast<uintptr_t>(pointer), static_cast<size_t>(last + 1) * sizeof(T));
    g.bad |= memory == nullptr;
    return reinterpret_cast<T*>(memory);
  };
  const T* a = matrix(p.a, (p.m - 1) * p.a_row + (p.k - 1) * p.a_depth);
  const T* b = matrix(p.b, (p.k - 1) * p.b_depth + (p.n - 1) * p.b_column);
  T* c = matrix(p.c, p.m - 1 + (p.n - 1) * p.ldc);
  if (g.bad) return;
  T alpha, beta;
  std::memcpy(&alpha, p.alpha, sizeof alpha);
  std::memcpy(&beta, p.beta, sizeof beta);
  for (int64_t j = 0; j < p.n; ++j) {
    for (int64_t i = 0; i < p.m; ++i) {
      T sum{};
      for (int64_t l = 0; l < p.k; ++l)
        sum += a[i * p.a_row + l * p.a_depth] * b[l * p.b_depth + j * p.b_column];
      T& out = c[i + j * p.ldc];
      out = alpha * sum + ((p.flags & kReadC) != 0 ? beta * out : T{});
    }
  }
}

DriverResult run(const Function& function, Grid& g) {
  static const std::map<std::string, void (*)(Grid&)> kKernels = {
      {"vector_add", vector_add}, {"where", where},      {"parameters", parameters},
      {"block_sum", block_sum},   {"reverse", reverse},  {"histogram", histogram},
      {"warp_sum", warp_sum},     {"follow", follow},    {"empty", [](Grid&) {}},
      {"texels", texels},         {"texels_1d", texels}, {"store_texels", store_texels},
      {"guda_gemm", nullptr},     {"trap", nullptr},     {"count_up", count_up},
  };
  if (function.name == "trap") return kLaunchFailed;
  auto found = kKernels.find(function.name);
  if (found == kKernels.end()) return kNotSupported;
  g.module = function.module;
  if (function.name == kGemmKernel)
    (function.module->ptx.find("fma.rn.f64") != std::string::npos ? gemm<double> : gemm<float>)(g);
  else
    found->second(g);
  return g.bad ? kIllegalAddress : 0;
}

/// Of products, when they take time instead of computing; 0: they compute.
double gemm_rate() {
  static const double rate = [] {
    const char* text = std::getenv("FAKE_CUDA_GEMM_RATE");
    return text != nullptr ? std::atof(text) : 0.0;
  }();
  return rate;
}

}  // namespace

DriverResult run_kernel(const Function& function, Grid& g, Stream& stream) {
  if (function.name == kGemmKernel && gemm_rate() > 0) {
    const auto p = g.param<GemmParameters>(0);
    const double operations =
        2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    auto* busy = &stream.busy_until;
    *busy = std::max(*busy, Clock::now()) +
            std::chrono::nanoseconds(static_cast<int64_t>(operations / gemm_rate()));
    return 0;
  }
  DriverResult code = run(function, g);
  if (code == kNotSupported) return code;
  if (code != 0 && state().pending_fault == 0) state().pending_fault = code;
  return 0;  // shows when somebody waits
}

}  // namespace guda::backend::cuda::testing
