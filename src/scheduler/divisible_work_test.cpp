#include "scheduler/divisible_work.h"

#include <gtest/gtest.h>

#include <numeric>

namespace guda::scheduler {
namespace {

using backend::GemmProblem;
using backend::Transpose;

float element(const float* matrix, int64_t leading, Transpose transpose, int64_t i, int64_t j) {
  return transpose == Transpose::none ? matrix[i + j * leading] : matrix[j + i * leading];
}

Status multiply(const GemmProblem& p) {
  const auto* a = static_cast<const float*>(p.a);
  const auto* b = static_cast<const float*>(p.b);
  auto* c = static_cast<float*>(p.c);
  const float alpha = *static_cast<const float*>(p.alpha);
  const float beta = *static_cast<const float*>(p.beta);
  for (int64_t j = 0; j < p.n; ++j) {
    for (int64_t i = 0; i < p.m; ++i) {
      float sum = 0;
      for (int64_t k = 0; k < p.k; ++k) {
        sum += element(a, p.lda, p.transpose_a, i, k) * element(b, p.ldb, p.transpose_b, k, j);
      }
      float& out = c[i + j * p.ldc];
      out = alpha * sum + (beta == 0 ? 0 : beta * out);
    }
  }
  return Status::ok();
}

TEST(DivisibleGemm, PartsOfEveryLayoutAreTheWholeProduct) {
  for (const auto& [m, n] : {std::pair{9, 14}, {14, 9}}) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      const int64_t k = 5;
      const auto ta = (transposes & 1) != 0 ? Transpose::transpose : Transpose::none;
      const auto tb = (transposes & 2) != 0 ? Transpose::transpose : Transpose::none;
      std::vector<float> a(400);
      std::vector<float> b(400);
      std::iota(a.begin(), a.end(), 1.0f);
      std::iota(b.begin(), b.end(), -50.0f);
      std::vector<float> whole(20 * 20, 3);
      std::vector<float> parts = whole;
      const float alpha = 2;
      const float beta = 0.5f;
      GemmProblem p;
      p.transpose_a = ta;
      p.transpose_b = tb;
      p.m = m, p.n = n, p.k = k;
      p.alpha = &alpha, p.beta = &beta;
      p.a = a.data(), p.b = b.data(), p.c = whole.data();
      p.lda = p.ldb = 17;
      p.ldc = 20;
      ASSERT_TRUE(multiply(p));
      p.c = parts.data();
      const DivisibleGemm gemm(p, multiply);
      EXPECT_EQ(gemm.cuts_columns(), n > m);
      EXPECT_EQ(gemm.units(), 14u);
      for (const Chunk chunk : {Chunk{5, 14}, Chunk{0, 3}, Chunk{3, 5}}) {
        ASSERT_TRUE(gemm.run_on_host(chunk));
      }
      EXPECT_EQ(parts, whole) << m << "x" << n << ", transposes " << transposes;
    }
  }
}

TEST(DivisibleGemm, ClaimsExactlyWhatItWrites) {
  std::vector<float> a(400, 1);
  std::vector<float> b(400, 1);
  for (const auto& [m, n] : {std::pair{9, 14}, {14, 9}}) {
    std::vector<float> c(20 * 20, 0);
    const float one = 1;
    const float zero = 0;
    GemmProblem p;
    p.m = m, p.n = n, p.k = 4;
    p.alpha = &one, p.beta = &zero;
    p.a = a.data(), p.b = b.data(), p.c = c.data();
    p.lda = p.ldb = p.ldc = 20;
    const DivisibleGemm gemm(p, multiply);
    const Chunk chunk{3, 7};
    ASSERT_TRUE(gemm.run_on_host(chunk));
    const ChunkMemory memory = gemm.memory(chunk);
    size_t claimed = 0;
    for (const memory::Range& range : memory.written) {
      for (uintptr_t at = range.begin; at < range.end; at += sizeof(float)) {
        EXPECT_NE(*reinterpret_cast<const float*>(at), 0);
        ++claimed;
      }
    }
    EXPECT_EQ(claimed, static_cast<size_t>(
                           std::count_if(c.begin(), c.end(), [](float x) { return x != 0; })));
    EXPECT_EQ(memory.overwritten, memory.written);  // beta is zero
  }
}

TEST(DivisibleLaunch, SlicesAlongItsAxisOnly) {
  backend::Launch launch;
  launch.grid = launch.count = {4, 6, 10};
  std::vector<backend::Launch> seen;
  const DivisibleLaunch work(
      launch, 2, [](Chunk) { return ChunkMemory{}; },
      [&](const backend::Launch& slice) {
        seen.push_back(slice);
        return Status::ok();
      });
  ASSERT_TRUE(work.run_on_host({3, 7}));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].first.z, 3u);
  EXPECT_EQ(seen[0].count.z, 4u);
  EXPECT_EQ(seen[0].count.x, 4u);
  EXPECT_EQ(seen[0].count.y, 6u);
  EXPECT_EQ(seen[0].grid.z, 10u);
}

}  // namespace
}  // namespace guda::scheduler
