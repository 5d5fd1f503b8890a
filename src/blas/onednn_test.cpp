// A second opinion: products of random shapes next to oneDNN's. Skipped, visibly, where there is no oneDNN.
#include "blas/onednn.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "blas/gemm.h"
#include "blas/onednn_gemm.h"
#include "blas/worker_pool.h"
#include "support/options.h"

namespace guda::blas {
namespace {

class OneDnnTest : public ::testing::Test {
 protected:
  void SetUp() override {
    library_ = onednn();
    if (library_ == nullptr) GTEST_SKIP() << "oneDNN: " << onednn_state();
  }

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  // Column-major, with gaps.
  struct Shape {
    int64_t m, n, k;
    Transpose a, b;
    int64_t lda, ldb, ldc;
  };
  Shape random_shape() {
    Shape s{};
    const auto size = [&] { return pick(0, 3) == 0 ? pick(1, 300) : pick(1, 70); };
    s.m = size();
    s.n = size();
    s.k = size();
    s.a = pick(0, 1) == 0 ? Transpose::no : Transpose::yes;
    s.b = pick(0, 1) == 0 ? Transpose::no : Transpose::yes;
    s.lda = (s.a == Transpose::no ? s.m : s.k) + pick(0, 3);
    s.ldb = (s.b == Transpose::no ? s.k : s.n) + pick(0, 3);
    s.ldc = s.m + pick(0, 3);
    return s;
  }
  static size_t a_size(const Shape& s) {
    return static_cast<size_t>(s.lda * (s.a == Transpose::no ? s.k : s.m));
  }
  static size_t b_size(const Shape& s) {
    return static_cast<size_t>(s.ldb * (s.b == Transpose::no ? s.n : s.k));
  }
  static char letter(Transpose op) { return op == Transpose::no ? 'N' : 'T'; }
  template <class T>
  std::vector<T> random_matrix(size_t size, int low, int high) {
    std::vector<T> x(size);
    for (T& value : x) value = static_cast<T>(pick(low, high));
    return x;
  }
  std::vector<float> random_floats(size_t size) {
    std::uniform_real_distribution<float> distribution(-1, 1);
    std::vector<float> x(size);
    for (float& value : x) value = distribution(random_);
    return x;
  }
  static std::string name(const Shape& s) {
    return std::to_string(s.m) + " x " + std::to_string(s.n) + " x " + std::to_string(s.k) + " " +
           letter(s.a) + letter(s.b);
  }
  // Sums of k products of numbers up to 1, rounded differently.
  static void expect_close(const Shape& s, const std::vector<float>& got,
                           const std::vector<float>& expected, double unit) {
    const double bound = unit * (static_cast<double>(s.k) + 8);
    for (int64_t j = 0; j < s.n; ++j)
      for (int64_t i = 0; i < s.m; ++i) {
        const auto place = static_cast<size_t>(i + j * s.ldc);
        ASSERT_NEAR(got[place], expected[place], bound) << name(s) << " at " << i << ", " << j;
      }
  }

  static constexpr int kRounds = 60;
  const OneDnn* library_ = nullptr;
  std::mt19937 random_{7};
};

TEST_F(OneDnnTest, SinglePrecisionAgrees) {
  for (int round = 0; round < kRounds; ++round) {
    const Shape s = random_shape();
    const auto a = random_floats(a_size(s)), b = random_floats(b_size(s));
    auto got = random_floats(static_cast<size_t>(s.ldc * s.n)), expected = got;
    gemm(s.a, s.b, s.m, s.n, s.k, 0.5f, a.data(), s.lda, b.data(), s.ldb, 2.0f, got.data(), s.ldc);
    ASSERT_EQ(library_->sgemm(letter(s.b), letter(s.a), s.n, s.m, s.k, 0.5f, b.data(), s.ldb,
                              a.data(), s.lda, 2.0f, expected.data(), s.ldc),
              0);
    expect_close(s, got, expected, 1.2e-7);
  }
}

TEST_F(OneDnnTest, Bfloat16Agrees) {
  if (library_->gemm_bf16bf16f32 == nullptr) GTEST_SKIP() << "not exported";
  for (int round = 0; round < kRounds; ++round) {
    const Shape s = random_shape();
    const auto narrow = [](const std::vector<float>& x) {
      std::vector<uint16_t> bits(x.size());
      for (size_t i = 0; i < x.size(); ++i)
        bits[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(x[i]) >> 16);
      return bits;
    };
    const auto a = narrow(random_floats(a_size(s))), b = narrow(random_floats(b_size(s)));
    auto got = std::vector<float>(static_cast<size_t>(s.ldc * s.n)), expected = got;
    if (library_->gemm_bf16bf16f32(letter(s.b), letter(s.a), s.n, s.m, s.k, 1, b.data(), s.ldb,
                                   a.data(), s.lda, 0, expected.data(), s.ldc) != 0)
      GTEST_SKIP() << "oneDNN has no bf16 products on this processor";
    gemm_mixed<bfloat16, float, float>(
        s.a, s.b, s.m, s.n, s.k, 1, reinterpret_cast<const bfloat16*>(a.data()), s.lda,
        reinterpret_cast<const bfloat16*>(b.data()), s.ldb, 0, got.data(), s.ldc);
    expect_close(s, got, expected, 1.2e-7);
  }
}

// Numbers so small that its sums of pairs do not saturate on processors without VNNI.
TEST_F(OneDnnTest, SignedBytesAgreeExactly) {
  if (library_->gemm_s8s8s32 == nullptr) GTEST_SKIP() << "not exported";
  for (int round = 0; round < kRounds; ++round) {
    const Shape s = random_shape();
    const auto a = random_matrix<int8_t>(a_size(s), -64, 63);
    const auto b = random_matrix<int8_t>(b_size(s), -64, 63);
    auto got = random_matrix<int32_t>(static_cast<size_t>(s.ldc * s.n), -9, 9), expected = got;
    const int32_t offset = 0;
    ASSERT_EQ(
        library_->gemm_s8s8s32(letter(s.b), letter(s.a), 'F', s.n, s.m, s.k, 1, b.data(), s.ldb, 0,
                               a.data(), s.lda, 0, 1, expected.data(), s.ldc, &offset),
        0);
    gemm_mixed<int8_t, int32_t, int32_t>(s.a, s.b, s.m, s.n, s.k, 1, a.data(), s.lda, b.data(),
                                         s.ldb, 1, got.data(), s.ldc);
    ASSERT_EQ(got, expected) << name(s);
  }
}

TEST_F(OneDnnTest, UnsignedTimesSignedBytesAgreeExactly) {
  if (library_->gemm_u8s8s32 == nullptr) GTEST_SKIP() << "not exported";
  for (int round = 0; round < kRounds; ++round) {
    const Shape s = random_shape();
    const auto a = random_matrix<uint8_t>(a_size(s), 0, 127);
    const auto b = random_matrix<int8_t>(b_size(s), -64, 63);
    std::vector<int32_t> got(static_cast<size_t>(s.ldc * s.n));
    std::vector<int32_t> rows(static_cast<size_t>(s.m * s.n));
    // Its unsigned operand is the left one, as ours: a row-major C, then.
    const int32_t offset = 0;
    const auto turned = [](Transpose op) { return op == Transpose::no ? 'T' : 'N'; };
    ASSERT_EQ(library_->gemm_u8s8s32(turned(s.a), turned(s.b), 'F', s.m, s.n, s.k, 1, a.data(),
                                     s.lda, 0, b.data(), s.ldb, 0, 0, rows.data(), s.n, &offset),
              0);
    gemm_u8s8(s.a, s.b, s.m, s.n, s.k, 1, a.data(), s.lda, b.data(), s.ldb, 0, got.data(), s.ldc);
    for (int64_t j = 0; j < s.n; ++j)
      for (int64_t i = 0; i < s.m; ++i)
        ASSERT_EQ(got[static_cast<size_t>(i + j * s.ldc)], rows[static_cast<size_t>(i * s.n + j)])
            << name(s) << " at " << i << ", " << j;
  }
}

// The way that gemm takes on processors without AVX-512.
TEST_F(OneDnnTest, ProductsByOneDnnAreThoseOfGuda) {
  if (option_value(Option::onednn) != "always") GTEST_SKIP() << "only with GUDA_ONEDNN=always";
  for (int round = 0; round < kRounds; ++round) {
    const Shape s = random_shape();
    const auto a = random_floats(a_size(s)), b = random_floats(b_size(s));
    const auto before = random_floats(static_cast<size_t>(s.ldc * s.n));
    auto one = before, all = before;
    set_worker_limit(1);
    ASSERT_TRUE(multiply_by_onednn(s.a, s.b, s.m, s.n, s.k, -1, a.data(), s.lda, b.data(), s.ldb,
                                   0.5f, one.data(), s.ldc));
    set_worker_limit(0);
    ASSERT_TRUE(multiply_by_onednn(s.a, s.b, s.m, s.n, s.k, -1, a.data(), s.lda, b.data(), s.ldb,
                                   0.5f, all.data(), s.ldc));
    ASSERT_EQ(one, all) << name(s);
    auto doubles = std::vector<float>(before);
    for (int64_t j = 0; j < s.n; ++j)
      for (int64_t i = 0; i < s.m; ++i) {
        double sum = 0;
        for (int64_t p = 0; p < s.k; ++p)
          sum += static_cast<double>(
                     a[static_cast<size_t>(s.a == Transpose::no ? i + p * s.lda : p + i * s.lda)]) *
                 b[static_cast<size_t>(s.b == Transpose::no ? p + j * s.ldb : j + p * s.ldb)];
        float& value = doubles[static_cast<size_t>(i + j * s.ldc)];
        value = static_cast<float>(0.5 * static_cast<double>(value) - sum);
      }
    expect_close(s, one, doubles, 1.2e-7);
  }
}

TEST(OneDnnStateTest, SaysWhatThereIs) { EXPECT_FALSE(onednn_state().empty()); }

}  // namespace
}  // namespace guda::blas
