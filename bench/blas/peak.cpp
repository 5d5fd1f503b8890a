#include "peak.h"

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "kernels/amx/tile_kernels.h"

namespace guda::bench {
namespace {

constexpr int kSteps = 4000;
constexpr int kSums = 12;
constexpr int kTileSteps = 500;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

#define GUDA_PEAK_LOOP(name, isa, Vector, init, step)                       \
  __attribute__((target(isa))) void name() {                                \
    Vector sum[kSums];                                                      \
    _Pragma("GCC unroll 12") for (int i = 0; i < kSums; ++i) sum[i] = init; \
    Vector x = init;                                                        \
    for (int k = 0; k < kSteps; ++k) {                                      \
      _Pragma("GCC unroll 12") for (int i = 0; i < kSums; ++i) {            \
        sum[i] = step;                                                      \
        asm volatile("" : "+v"(sum[i]));                                    \
      }                                                                     \
    }                                                                       \
  }

GUDA_PEAK_LOOP(fma_512, "avx512f", __m512, _mm512_set1_ps(1e-3f), _mm512_fmadd_ps(x, x, sum[i]))
GUDA_PEAK_LOOP(fma_256, "avx2,fma", __m256, _mm256_set1_ps(1e-3f), _mm256_fmadd_ps(x, x, sum[i]))
GUDA_PEAK_LOOP(dot_512, "avx512f,avx512vnni", __m512i, _mm512_set1_epi32(1),
               _mm512_dpbusd_epi32(sum[i], x, x))

// Tiles are zero, which costs no time: they take as long for any values.
#define GUDA_TILE_LOOP(name, instruction)                                           \
  void name() {                                                                     \
    kernels::amx::hardware.bf16.acquire_tiles();                                    \
    asm volatile("tilezero %tmm4; tilezero %tmm5; tilezero %tmm6; tilezero %tmm7"); \
    asm volatile("tilezero %tmm0; tilezero %tmm1; tilezero %tmm2; tilezero %tmm3"); \
    for (int k = 0; k < kTileSteps; ++k) {                                          \
      asm volatile(instruction " %tmm6, %tmm4, %tmm0");                             \
      asm volatile(instruction " %tmm7, %tmm4, %tmm1");                             \
      asm volatile(instruction " %tmm6, %tmm5, %tmm2");                             \
      asm volatile(instruction " %tmm7, %tmm5, %tmm3");                             \
    }                                                                               \
    kernels::amx::hardware.bf16.release_tiles();                                    \
  }

GUDA_TILE_LOOP(tile_bf16, "tdpbf16ps")
GUDA_TILE_LOOP(tile_int8, "tdpbusd")

struct Loop {
  void (*run)() = nullptr;
  double operations = 0;
};

Loop loop_of(Unit unit) {
  constexpr double kVector = 2.0 * kSteps * kSums;
  constexpr double kTile = 2.0 * 16 * 16 * 4 * kTileSteps;
  switch (unit) {
    case Unit::f32:
      if (__builtin_cpu_supports("avx512f")) return {fma_512, 16 * kVector};
      return {fma_256, 8 * kVector};
    case Unit::dot_int8:
      if (__builtin_cpu_supports("avx512vnni")) return {dot_512, 64 * kVector};
      break;
    case Unit::tile_bf16:
      if (kernels::amx::request_tiles()) return {tile_bf16, 32 * kTile};
      break;
    case Unit::tile_int8:
      if (kernels::amx::request_tiles()) return {tile_int8, 64 * kTile};
      break;
  }
  return {};
}

// The shortest of many short runs.
double peak_of_one(const Loop& loop) {
  double best = 0;
  for (int i = 0; i < 300; ++i) {
    const auto start = Clock::now();
    loop.run();
    best = std::max(best, loop.operations / seconds_since(start));
  }
  return best;
}

// What all do together in a tenth of a second, as long as a large product takes: the best of a few.
double peak_together(const Loop& loop, int threads) {
  std::atomic<int> ready{0};
  std::atomic<bool> stop{false};
  std::atomic<int64_t> runs{0};
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      loop.run();
      ready.fetch_add(1);
      while (!stop.load(std::memory_order_relaxed)) {
        loop.run();
        runs.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  while (ready.load() != threads) std::this_thread::yield();
  double best = 0;
  for (int round = 0; round < 4; ++round) {
    const int64_t before = runs.load();
    const auto start = Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const auto done = static_cast<double>(runs.load() - before);
    best = std::max(best, done * loop.operations / seconds_since(start));
  }
  stop.store(true);
  for (std::thread& thread : all) thread.join();
  return best;
}

}  // namespace

double peak(Unit unit, int threads) {
  const Loop loop = loop_of(unit);
  if (loop.run == nullptr) return 0;
  return threads == 1 ? peak_of_one(loop) : peak_together(loop, threads);
}

}  // namespace guda::bench
