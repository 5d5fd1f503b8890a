#include "blas/tile_engines.h"

#include "blas/gemm_engines.h"

namespace guda::blas {
namespace {

namespace amx = kernels::amx;
using amx::SplitProducts;

// The rest of the code for tiles needs AVX-512; GUDA_CPU can rule out both.
const amx::TileKernelSet* tiles() {
  static const bool available = cpu_features().level >= InstructionSet::avx512 &&
                                cpu_features().vnni && cpu_features().bf16 && amx::request_tiles();
  return available ? &amx::hardware : nullptr;
}

template <class From, class In>
void run_serially(const GemmEngine<From, In, float, float>& engine,
                  const GemmProblem<From, float, float>& p) {
  const GemmBlocking blocking =
      choose_blocking(engine, p.m, p.n, p.k, p.transpose_a, p.lda, p.transpose_b, p.ldb);
  if (blocking.pack_b && multiply_strips(engine, p, blocking, 1, Wake::if_awake)) return;
  multiply_parts(engine, p, blocking, 1, Wake::if_awake);
}

void multiply_f32(const GemmProblem<float, float, float>& p) {
  run_serially(*gemm_engine<float>(), p);
}

void multiply_f16(const GemmProblem<uint16_t, float, float>& p) { run_serially(*f16_engine(), p); }

}  // namespace

TileEngine<uint16_t, float> bf16_engine_on(const amx::TileKernelSet& set) {
  return {&set.bf16, nullptr};
}
TileEngine<uint16_t, float> f16_engine_on(const amx::TileKernelSet& set) {
  return {&set.f16, multiply_f16};
}
TileEngine<float, float> split_engine_on(const amx::TileKernelSet& set, SplitProducts products) {
  return {&set.f32[static_cast<int>(products)], multiply_f32};
}

const TileEngine<uint16_t, float>* bf16_tile_engine() {
  static const auto engine = bf16_engine_on(amx::hardware);
  return tiles() != nullptr ? &engine : nullptr;
}

const TileEngine<uint16_t, float>* f16_tile_engine() {
  static const auto engine = f16_engine_on(amx::hardware);
  return tiles() != nullptr ? &engine : nullptr;
}

const TileEngine<uint8_t, int32_t>* s8_tile_engine() {
  static const TileEngine<uint8_t, int32_t> engine{&amx::hardware.s8s8, nullptr};
  return tiles() != nullptr ? &engine : nullptr;
}

const TileEngine<uint8_t, int32_t>* u8s8_tile_engine() {
  static const TileEngine<uint8_t, int32_t> engine{&amx::hardware.u8s8, nullptr};
  return tiles() != nullptr ? &engine : nullptr;
}

const TileEngine<float, float>* split_tile_engine(SplitProducts products) {
  static const TileEngine<float, float> engines[] = {
      split_engine_on(amx::hardware, SplitProducts::one),
      split_engine_on(amx::hardware, SplitProducts::three),
      split_engine_on(amx::hardware, SplitProducts::six),
      split_engine_on(amx::hardware, SplitProducts::nine)};
  return tiles() != nullptr ? &engines[static_cast<int>(products)] : nullptr;
}

}  // namespace guda::blas
