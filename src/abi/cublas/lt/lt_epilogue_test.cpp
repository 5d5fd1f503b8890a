// Epilogues of cublasLt against double precision: matrices of several tiles, so that threads share them.
#include "abi/cublas/lt/lt_test.h"

namespace guda::cublas::lt {
namespace {

using namespace test;

// Whole units of 16 bytes, and more than a tile in both directions.
constexpr int64_t kM = 1104, kNn = 144, kK = 32;
constexpr int64_t kMaskLd = (kM + 127) / 128 * 128;

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double gelu_gradient(double x) {
  double factor = std::sqrt(2 / M_PI), tangent = std::tanh(factor * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + tangent) +
         0.5 * x * (1 - tangent * tangent) * factor * (1 + 3 * 0.044715 * x * x);
}

struct Types {
  const char* name;
  DataType operands, result, bias;
  ComputeType compute;
  DataType scale;
  double relative;  // of one rounding to the result's type
};

/// Numbers that all types hold exactly, and products that single precision does.
template <class T>
void fill(Array<T>& array) {
  for (size_t i = 0; i < array.size(); ++i) {
    int value = static_cast<int>(generator()() % 7) - 3;
    array[i] = narrow<T>(static_cast<float>(value));
  }
}

/// One problem with every epilogue. In: of A and B, Out: of C, D and the auxiliary matrix.
template <class In, class Out, class Bias, class Scale>
class EveryEpilogue {
 public:
  EveryEpilogue(const Types& types, Op opa, Op opb, Order order_d)
      : types_(types),
        opa_(opa),
        opb_(opb),
        am_(types.operands, opa == kN ? kM : kK, opa == kN ? kK : kM, opa == kN ? kM : kK),
        bm_(types.operands, opb == kN ? kK : kNn, opb == kN ? kNn : kK, opb == kN ? kK : kNn),
        dm_(types.result, kM, kNn, order_d == kRow ? kNn : kM, order_d) {
    fill(a_);
    fill(b_);
    fill(c_);
    fill(bias_);
    fill(inputs_);
    for (size_t i = 0; i < mask_.size(); ++i) mask_[i] = static_cast<uint8_t>(generator()());
    auto at = [](const auto& matrix, Op op, int64_t ld, int64_t i, int64_t q) {
      return static_cast<double>(widen(matrix[op == kN ? i + q * ld : q + i * ld]));
    };
    for (int64_t j = 0; j < kNn; ++j)
      for (int64_t i = 0; i < kM; ++i) {
        double sum = 0;
        for (int64_t q = 0; q < kK; ++q)
          sum += at(a_, opa, opa == kN ? kM : kK, i, q) *
                 at(b_, opb == kN ? kT : kN, opb == kN ? kK : kNn, j, q);
        scaled_[i + j * kM] = kAlpha * sum;
      }
  }

  void check(unsigned epilogue) {
    SCOPED_TRACE(std::string(types_.name) + ", epilogue " + std::to_string(epilogue) +
                 (dm_.layout.order == kRow ? " by rows" : ""));
    bool forward = (epilogue & (kReluGradient | kGeluGradient)) == 0;
    bool of_mask = (epilogue & (kRelu | kReluGradient)) != 0;
    auto mask = mask_.values();
    auto inputs = inputs_.values();
    auto bias = bias_.values();
    Operation operation(types_.compute, types_.scale);
    operation.set(kTransA, opa_);
    operation.set(kTransB, opb_);
    operation.set(kEpilogueAttribute, epilogue);
    if (epilogue & (kBias | kBiasGradient | kBiasGradientA | kBiasGradientB))
      operation.set(kBiasPointer, bias_.get());
    if (epilogue & kAuxiliary) {
      operation.set(kAuxPointer, of_mask ? static_cast<void*>(mask_.get()) : inputs_.get());
      operation.set(kAuxLd, of_mask ? kMaskLd : kM);
    }
    Scale alpha = narrow<Scale>(kAlpha), beta = narrow<Scale>(forward ? kBeta : 0.0f);
    int status = matmul(lt_, operation, &alpha, a_.get(), am_, b_.get(), bm_, &beta, c_.get(), dm_,
                        d_.get(), dm_);
    // By rows, and as gradients, NVIDIA's has them for few types.
    if (against_nvidia() && status == kNotSupported && dm_.layout.order == kRow) return;
    ASSERT_EQ(status, 0);

    // NVIDIA's takes the hardware's tanh.
    double relative = types_.relative;
    if (against_nvidia() && (epilogue & (kGelu | kGeluGradient)))
      relative = std::max(relative, sizeof(Scale) == 8 ? 1e-9 : 3e-5);
    std::vector<double> row_sums(kM);
    for (int64_t j = 0; j < kNn; ++j)
      for (int64_t i = 0; i < kM; ++i) {
        double value = scaled_[i + j * kM];
        if (forward) value += kBeta * number_at(dm_.layout, c_.get(), i, j);
        if (epilogue & kBias) value += widen(bias[i]);
        if ((epilogue & kAuxiliary) && forward) check_auxiliary(of_mask, i, j, value);
        if (epilogue & kRelu) value = std::max(value, 0.0);
        if (epilogue & kGelu) value = gelu(value);
        if (epilogue & kReluGradient) value = bit(mask, i, j) ? value : 0;
        if (epilogue & kGeluGradient) value *= gelu_gradient(widen(inputs[i + j * kM]));
        ASSERT_NEAR(number_at(dm_.layout, d_.get(), i, j), value, relative * (1 + std::abs(value)))
            << i << ", " << j;
        row_sums[i] += value;
      }
    if (epilogue & kBiasGradient) check_bias(row_sums, kNn * relative);
    if (epilogue & kBiasGradientA) check_bias(sums(a_, opa_ == kN, kM));
    if (epilogue & kBiasGradientB) check_bias(sums(b_, opb_ != kN, kNn));
    for (size_t i = 0; i < bias.size(); ++i) bias_[i] = bias[i];
    for (size_t i = 0; i < mask.size(); ++i) mask_[i] = mask[i];
    for (size_t i = 0; i < inputs.size(); ++i) inputs_[i] = inputs[i];
  }

 private:
  static constexpr float kAlpha = 1.0f / 32, kBeta = 0.5f;

  static bool bit(const std::vector<uint8_t>& mask, int64_t i, int64_t j) {
    int64_t position = i + j * kMaskLd;
    return mask[position / 8] >> (position % 8) & 1;
  }
  void check_auxiliary(bool of_mask, int64_t i, int64_t j, double value) {
    if (of_mask) {
      int64_t position = i + j * kMaskLd;
      ASSERT_EQ(mask_[position / 8] >> (position % 8) & 1, value >= 0) << i << ", " << j;
    } else {
      ASSERT_NEAR(widen(inputs_[i + j * kM]), value, types_.relative * (1 + std::abs(value)));
    }
  }
  void check_bias(const std::vector<double>& expected, double of_sums = 0) {
    double relative = std::max({types_.relative, kNn * 1e-6, of_sums / 10});
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(widen(bias_[i]), expected[i], relative * (4 + std::abs(expected[i]))) << i;
  }
  /// Over k; `plain`: rows are results.
  static std::vector<double> sums(const Array<In>& matrix, bool plain, int64_t results) {
    std::vector<double> out(results);
    for (int64_t i = 0; i < results; ++i)
      for (int64_t q = 0; q < kK; ++q)
        out[i] += widen(matrix[plain ? i + q * results : q + i * kK]);
    return out;
  }

  Types types_;
  Op opa_, opb_;
  Lt lt_;
  Matrix am_, bm_, dm_;
  Array<In> a_{kM * kK}, b_{kNn * kK};
  Array<Out> c_{kM * kNn}, d_{kM * kNn}, inputs_{kM * kNn};
  Array<Bias> bias_{kM};
  Array<uint8_t> mask_{kMaskLd / 8 * kNn};
  std::vector<double> scaled_ = std::vector<double>(kM * kNn);
};

template <class In, class Out, class Bias, class Scale>
void every_epilogue(const Types& types, bool gradients = true) {
  for (Order order : {kColumn, kRow}) {
    // Bytes multiply as A^T B.
    Op opa = sizeof(In) == 1 ? kT : kN;
    EveryEpilogue<In, Out, Bias, Scale> problem(types, opa, kN, order);
    for (unsigned epilogue : {1u, 2u, 4u, 6u, 130u, 134u, 32u, 36u, 160u, 164u})
      problem.check(epilogue);
    if (!gradients) continue;
    for (unsigned epilogue : {136u, 152u, 192u, 208u}) problem.check(epilogue);
    problem.check(opa == kN ? kBiasGradientA : kRelu);
    if (sizeof(In) == 1) continue;
    EveryEpilogue<In, Out, Bias, Scale> other(types, kN, kT, order);
    other.check(kBiasGradientB);
  }
}

TEST(CublasLtEpilogues, SinglePrecision) {
  every_epilogue<float, float, float, float>(
      {"f32", kR32F, kR32F, kR32F, kCompute32F, kR32F, 2e-6});
}
TEST(CublasLtEpilogues, DoublePrecision) {
  every_epilogue<double, double, double, double>(
      {"f64", kR64F, kR64F, kR64F, kCompute64F, kR64F, 1e-13});
}
TEST(CublasLtEpilogues, Bfloat16) {
  every_epilogue<bfloat16, bfloat16, bfloat16, float>(
      {"bf16", kR16BF, kR16BF, kR16BF, kCompute32F, kR32F, 0.005});
  every_epilogue<bfloat16, float, float, float>(
      {"bf16 to f32", kR16BF, kR32F, kR32F, kCompute32F, kR32F, 2e-6});
}
TEST(CublasLtEpilogues, HalfPrecision) {
  every_epilogue<float16, float16, float16, float>(
      {"f16", kR16F, kR16F, kR16F, kCompute32F, kR32F, 6e-4});
}
TEST(CublasLtEpilogues, BytesRequantised) {
  // Rounded to whole numbers; the auxiliary matrix as well.
  if (against_nvidia()) GTEST_SKIP() << "auxiliary matrices of bytes are another type there";
  EveryEpilogue<int8_t, int8_t, float, float> problem(
      {"s8", kR8I, kR8I, kR32F, kCompute32I, kR32F, 0.51}, kT, kN, kColumn);
  for (unsigned epilogue : {1u, 2u, 4u, 6u, 130u, 134u, 32u, 36u}) problem.check(epilogue);
}
TEST(CublasLtEpilogues, EightBitFloats) {
  every_epilogue<float8_e4m3, bfloat16, bfloat16, float>(
      {"e4m3 to bf16", kR8E4M3, kR16BF, kR16BF, kCompute32F, kR32F, 0.005}, false);
}

/// Both maxima are those of the whole batch, and the scaled results saturate.
TEST(CublasLtEpilogues, MaximaOfEightBitFloatsOverABatch) {
  constexpr int kBatch = 3;
  Lt lt;
  Matrix a(kR8E4M3, kK, kM, kK), b(kR8E4M3, kK, kNn, kK), c(kR16BF, kM, kNn, kM),
      d(kR8E4M3, kM, kNn, kM);
  a.batch(kBatch, kM * kK);
  b.batch(kBatch, kNn * kK);
  c.batch(kBatch, kM * kNn);
  d.batch(kBatch, kM * kNn);
  Array<float8_e4m3> left(kBatch * kM * kK), right(kBatch * kNn * kK), out(kBatch * kM * kNn);
  Array<bfloat16> nothing(kBatch * kM * kNn);
  fill(left);
  fill(right);
  Array<float> scale(1, 16.0f), amax(1, -1.0f);
  Operation operation(kCompute32F, kR32F);
  operation.set(kTransA, kT);
  operation.set(kDScale, scale.get());
  operation.set(kDAmax, amax.get());
  float one = 1, zero = 0;
  ASSERT_EQ(matmul(lt, operation, &one, left.get(), a, right.get(), b, &zero, nothing.get(), c,
                   out.get(), d),
            0);
  double largest = 0;
  for (int64_t p = 0; p < kBatch; ++p)
    for (int64_t j = 0; j < kNn; ++j)
      for (int64_t i = 0; i < kM; ++i) {
        double sum = 0;
        for (int64_t q = 0; q < kK; ++q)
          sum += widen(left[q + i * kK + p * kM * kK]) * widen(right[q + j * kK + p * kNn * kK]);
        largest = std::max(largest, std::abs(sum));
        double expected = std::clamp(16 * sum, -448.0, 448.0);
        ASSERT_NEAR(widen(out[i + j * kM + p * kM * kNn]), expected, 0.07 * std::abs(expected));
      }
  EXPECT_EQ(amax[0], largest);
}

}  // namespace
}  // namespace guda::cublas::lt
