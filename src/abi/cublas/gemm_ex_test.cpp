// Products whose types are arguments, and batches of products in every form.
#include "abi/cublas/cublas_test.h"

namespace guda::cublas::test {
namespace {

constexpr int kM = 8, kNn = 4, kK = 12, kBatch = 3;

/// Values that every type holds exactly, so that products are exact too.
template <class T>
T small_value() {
  int value = static_cast<int>(generator()() % 9) - 4;
  if constexpr (is_complex<T>)
    return T(static_cast<Real<T>>(value),
             static_cast<Real<T>>(static_cast<int>(generator()() % 5) - 2));
  else
    return narrow<T>(static_cast<float>(value));
}
template <class T>
std::vector<T> small_values(size_t count) {
  std::vector<T> values(count);
  for (T& value : values) value = small_value<T>();
  return values;
}

/// Complex numbers of bytes.
struct ComplexByte {
  int8_t re, im;
};
ComplexFloat wide(ComplexByte x) { return {float(x.re), float(x.im)}; }
float wide(int32_t x) { return static_cast<float>(x); }
template <class T>
auto wide(T x) {
  return widen(x);
}

template <class T>
std::vector<ComplexDouble> numbers(const T* values, size_t count) {
  std::vector<ComplexDouble> result;
  for (size_t i = 0; i < count; ++i) result.push_back(ComplexDouble(wide(values[i])));
  return result;
}

template <class In, class Out, class Scale>
struct Case {
  DataType in, out;
  ComputeType compute;
  Array<In> a, b;
  Array<Out> c;
  Scale alpha, beta;
  std::vector<ComplexDouble> expected;

  Case(DataType in_type, DataType out_type, ComputeType type, Scale alpha_value, Scale beta_value)
      : in(in_type),
        out(out_type),
        compute(type),
        a(values<In>(kM * kK * kBatch)),
        b(values<In>(kK * kNn * kBatch)),
        c(values<Out>(kM * kNn * kBatch)),
        alpha(alpha_value),
        beta(beta_value) {
    auto left = numbers(a.get(), a.size()), right = numbers(b.get(), b.size());
    expected = numbers(c.get(), c.size());
    ComplexDouble scale(wide(alpha)), keep(wide(beta));
    for (int p = 0; p < kBatch; ++p)
      for (int j = 0; j < kNn; ++j)
        for (int i = 0; i < kM; ++i) {
          ComplexDouble sum;
          for (int q = 0; q < kK; ++q)
            sum += left[p * kM * kK + i + q * kM] * right[p * kK * kNn + j + q * kNn];
          auto& value = expected[p * kM * kNn + i + j * kM];
          value = scale * sum + keep * value;
        }
  }
  template <class T>
  static std::vector<T> values(size_t count) {
    if constexpr (std::is_same_v<T, ComplexByte>) {
      std::vector<T> result(count);
      for (T& value : result) value = {small_value<int8_t>(), small_value<int8_t>()};
      return result;
    } else {
      return small_values<T>(count);
    }
  }
  void check(int count, const std::string& what) {
    synchronize();
    auto actual = numbers(c.get(), c.size());
    for (int i = 0; i < count * kM * kNn; ++i)
      ASSERT_EQ(expected[i], actual[i]) << what << " at " << i << ", types " << in << " " << out;
  }
};

/// All forms that take types, with A as stored and B transposed.
template <class In, class Out, class Scale, class Int>
void with_types(DataType in, DataType out, ComputeType compute, Scale alpha, Scale beta) {
  std::string s = suffix<Int>();
  Int m = kM, n = kNn, k = kK, count = kBatch;
  using Problem = Case<In, Out, Scale>;
  Cublas cublas;
  for (int mode : {0, 1}) {
    cublas.pointer_mode(mode);
    bool device = mode == 1;
    Place<Scale> alpha_at(alpha), beta_at(beta);
    {
      Problem p(in, out, compute, alpha, beta);
      ASSERT_EQ(
          call("cublasGemmEx" + s, cublas.handle, kN, kT, m, n, k, alpha_at.at(device), p.a.get(),
               in, m, p.b.get(), in, n, beta_at.at(device), p.c.get(), out, m, compute, -1),
          0)
          << in << " " << out << " " << compute;
      p.check(1, "GemmEx");
    }
    {
      Problem p(in, out, compute, alpha, beta);
      ASSERT_EQ(call("cublasGemmStridedBatchedEx" + s, cublas.handle, kN, kT, m, n, k,
                     alpha_at.at(device), p.a.get(), in, m, 1ll * kM * kK, p.b.get(), in, n,
                     1ll * kK * kNn, beta_at.at(device), p.c.get(), out, m, 1ll * kM * kNn, count,
                     compute, 99),
                0);
      p.check(kBatch, "GemmStridedBatchedEx");
    }
    Problem p(in, out, compute, alpha, beta);
    Array<const In*> as(kBatch), bs(kBatch);
    Array<Out*> cs(kBatch);
    for (int i = 0; i < kBatch; ++i) {
      as[i] = p.a.get() + i * kM * kK;
      bs[i] = p.b.get() + i * kK * kNn;
      cs[i] = p.c.get() + i * kM * kNn;
    }
    ASSERT_EQ(call("cublasGemmBatchedEx" + s, cublas.handle, kN, kT, m, n, k, alpha_at.at(device),
                   as.get(), in, m, bs.get(), in, n, beta_at.at(device), cs.get(), out, m, count,
                   compute, -1),
              0);
    p.check(kBatch, "GemmBatchedEx");
  }
}

template <class Int>
void type_table() {
  auto half = [](float x) { return narrow<float16>(x); };
  with_types<float16, float16, float16, Int>(kR16F, kR16F, kCompute16F, half(2), half(-1));
  with_types<int8_t, int32_t, int32_t, Int>(kR8I, kR32I, kCompute32I, 3, -2);
  with_types<bfloat16, bfloat16, float, Int>(kR16BF, kR16BF, kCompute32F, 1, 1);
  with_types<float16, float16, float, Int>(kR16F, kR16F, kCompute32F, 1, -1);
  with_types<int8_t, float, float, Int>(kR8I, kR32F, kCompute32F, 2, 0.5f);
  with_types<bfloat16, float, float, Int>(kR16BF, kR32F, kCompute32F, 2, 0.5f);
  with_types<float16, float, float, Int>(kR16F, kR32F, kCompute32FPedantic, 2, 0.5f);
  with_types<float, float, float, Int>(kR32F, kR32F, kCompute32F, 2, 0.5f);
  with_types<ComplexByte, ComplexFloat, ComplexFloat, Int>(kC8I, kC32F, kCompute32F, {2, 1},
                                                           {1, 0});
  with_types<ComplexFloat, ComplexFloat, ComplexFloat, Int>(kC32F, kC32F, kCompute32F, {2, 1},
                                                            {0, 1});
  for (ComputeType fast :
       {kCompute32FFast16F, kCompute32FFast16BF, kCompute32FFastTF32, kCompute32FEmulated16BFX9}) {
    with_types<float, float, float, Int>(kR32F, kR32F, fast, 2, 0.5f);
    with_types<ComplexFloat, ComplexFloat, ComplexFloat, Int>(kC32F, kC32F, fast, {1, 1}, {1, 0});
  }
  with_types<double, double, double, Int>(kR64F, kR64F, kCompute64F, 2, 0.5);
  with_types<ComplexDouble, ComplexDouble, ComplexDouble, Int>(kC64F, kC64F, kCompute64FPedantic,
                                                               {2, 1}, {1, 0});
}

TEST(CublasGemmEx, EveryAdmittedTypeGivesTheProduct) {
  type_table<int>();
  type_table<int64_t>();
}

TEST(CublasGemmEx, OtherTypesAreRefused) {
  Cublas cublas;
  float one = 1;
  Array<float> memory(64);
  float* m = memory.get();
  auto ex = [&](int a, int b, int c, int compute, int algo) {
    return call("cublasGemmEx", cublas.handle, 0, 0, 2, 2, 2, &one, m, a, 2, m, b, 2, &one, m, c, 2,
                compute, algo);
  };
  EXPECT_EQ(ex(kR32F, kR32F, kR32F, kCompute32F, -1), 0);
  EXPECT_EQ(ex(kR32F, kR32F, kR16F, kCompute32F, -1), kNotSupported);
  EXPECT_EQ(ex(kR16F, kR16BF, kR32F, kCompute32F, -1), kNotSupported);
  EXPECT_EQ(ex(kR32F, kR32F, kR32F, kCompute64F, -1), kNotSupported);
  EXPECT_EQ(ex(kR8I, kR8I, kR8I, kCompute32I, -1), kNotSupported);
  EXPECT_EQ(ex(kR16F, kR16F, kR32F, kCompute16F, -1), kNotSupported);
  EXPECT_EQ(ex(kR32F, kR32F, kR32F, 0, -1), 0) << "CUDA_R_32F, from before compute types";
  EXPECT_EQ(ex(kR8I, kR8I, kR32I, kCompute32I, -1), kNotSupported) << "columns 2 bytes apart";
  EXPECT_EQ(ex(kR32F, kR32F, kR32F, kCompute32F, 500), kInvalidValue);
}

/// Names with the type in them: one product, a batch of pointers, a batch of strides.
template <class T, class Int>
void named_batches() {
  std::string s = suffix<Int>();
  std::string letter = std::is_same_v<T, float16> ? "H" : "";
  DataType type = kR16F;
  if constexpr (!std::is_same_v<T, float16>) letter = Letter<T>::upper;
  T alpha = small_value<T>(), beta = small_value<T>();
  Int m = kM, n = kNn, k = kK, count = kBatch;
  using Problem = Case<T, T, T>;
  Cublas cublas;
  if (letter == "H") {
    Problem p(type, type, kCompute16F, alpha, beta);
    ASSERT_EQ(call("cublasHgemm" + s, cublas.handle, kN, kT, m, n, k, &alpha, p.a.get(), m,
                   p.b.get(), n, &beta, p.c.get(), m),
              0);
    p.check(1, "Hgemm");
  }
  std::vector<std::string> products{"gemm"};
  if (letter == "C") products.push_back("gemm3m");
  for (auto& product : products) {
    Problem p(type, type, kCompute16F, alpha, beta);
    ASSERT_EQ(call("cublas" + letter + product + "StridedBatched" + s, cublas.handle, kN, kT, m, n,
                   k, &alpha, p.a.get(), m, 1ll * kM * kK, p.b.get(), n, 1ll * kK * kNn, &beta,
                   p.c.get(), m, 1ll * kM * kNn, count),
              0);
    p.check(kBatch, product + "StridedBatched");
    Problem q(type, type, kCompute16F, alpha, beta);
    Array<const T*> as(kBatch), bs(kBatch);
    Array<T*> cs(kBatch);
    for (int i = 0; i < kBatch; ++i) {
      as[i] = q.a.get() + i * kM * kK;
      bs[i] = q.b.get() + i * kK * kNn;
      cs[i] = q.c.get() + i * kM * kNn;
    }
    ASSERT_EQ(call("cublas" + letter + product + "Batched" + s, cublas.handle, kN, kT, m, n, k,
                   &alpha, as.get(), m, bs.get(), n, &beta, cs.get(), m, count),
              0);
    q.check(kBatch, product + "Batched");
  }
}

TEST(CublasBatched, EveryMatrixOfABatchIsMultiplied) {
  GUDA_FOR_TYPES(named_batches, float16, float, double, ComplexFloat, ComplexDouble);
}

/// Two groups: one matrix, then two.
template <class T, class Scale, class Int>
void groups(const std::string& name, DataType type, ComputeType compute, bool typed) {
  Cublas cublas;
  Scale alphas[] = {Scale(2), Scale(1)}, betas[] = {Scale(0), Scale(1)};
  Case<T, T, Scale> first(type, type, compute, alphas[0], betas[0]);
  Case<T, T, Scale> rest(type, type, compute, alphas[1], betas[1]);
  Array<const T*> as(3), bs(3);
  Array<T*> cs(3);
  for (int i = 0; i < 3; ++i) {
    auto& from = i == 0 ? first : rest;
    int at = i == 0 ? 0 : i - 1;
    as[i] = from.a.get() + at * kM * kK;
    bs[i] = from.b.get() + at * kK * kNn;
    cs[i] = from.c.get() + at * kM * kNn;
  }
  int opa[] = {kN, kN}, opb[] = {kT, kT};
  Int m[] = {kM, kM}, n[] = {kNn, kNn}, k[] = {kK, kK}, size[] = {1, 2}, groups = 2;
  int status = typed ? call(name, cublas.handle, opa, opb, m, n, k, alphas, as.get(), type, m,
                            bs.get(), type, n, betas, cs.get(), type, m, groups, size, compute)
                     : call(name, cublas.handle, opa, opb, m, n, k, alphas, as.get(), m, bs.get(),
                            n, betas, cs.get(), m, groups, size);
  // The arrays on the host may change as soon as the call is back.
  std::fill(m, m + 2, Int{-1});
  std::fill(alphas, alphas + 2, Scale(9));
  ASSERT_EQ(status, 0) << name;
  first.check(1, name);
  rest.check(2, name);
}

TEST(CublasBatched, GroupsHaveShapesOfTheirOwn) {
  groups<float, float, int>("cublasSgemmGroupedBatched", kR32F, kCompute32F, false);
  groups<float, float, int64_t>("cublasSgemmGroupedBatched_64", kR32F, kCompute32F, false);
  groups<double, double, int>("cublasDgemmGroupedBatched", kR64F, kCompute64F, false);
  groups<double, double, int64_t>("cublasDgemmGroupedBatched_64", kR64F, kCompute64F, false);
  groups<bfloat16, float, int>("cublasGemmGroupedBatchedEx", kR16BF, kCompute32F, true);
  groups<float16, float, int64_t>("cublasGemmGroupedBatchedEx_64", kR16F, kCompute32F, true);
}

template <class Int>
void scale_in_the_name() {
  std::string s = suffix<Int>();
  Int m = kM, n = kNn, k = kK;
  Cublas cublas;
  Case<float16, float, float> p(kR16F, kR32F, kCompute32F, 2, -1);
  ASSERT_EQ(call("cublasSgemmEx" + s, cublas.handle, kN, kT, m, n, k, &p.alpha, p.a.get(), kR16F, m,
                 p.b.get(), kR16F, n, &p.beta, p.c.get(), kR32F, m),
            0);
  p.check(1, "SgemmEx");
  for (const char* name : {"cublasCgemmEx", "cublasCgemm3mEx"}) {
    Case<ComplexByte, ComplexFloat, ComplexFloat> q(kC8I, kC32F, kCompute32F, {2, 1}, {-1, 1});
    ASSERT_EQ(call(name + s, cublas.handle, kN, kT, m, n, k, &q.alpha, q.a.get(), kC8I, m,
                   q.b.get(), kC8I, n, &q.beta, q.c.get(), kC32F, m),
              0);
    q.check(1, name);
    EXPECT_EQ(call(name + s, cublas.handle, kN, kT, m, n, k, &q.alpha, q.a.get(), kR32F, m,
                   q.b.get(), kR32F, n, &q.beta, q.c.get(), kR32F, m),
              kNotSupported);
  }
  // Rank k, from bytes and from floats.
  for (bool hermitian : {false, true})
    for (bool bytes : {false, true})
      for (const char* form : {"rkEx", "rk3mEx"}) {
        Array<ComplexByte> a8(kM * kK);
        Array<ComplexFloat> a(kM * kK), c(kM * kM);
        for (int i = 0; i < kM * kK; ++i) {
          a8[i] = {small_value<int8_t>(), small_value<int8_t>()};
          a[i] = wide(a8[i]);
        }
        std::string name = std::string("cublasC") + (hermitian ? "he" : "sy") + form + s;
        ComplexFloat alpha(2, 0), beta(0, 0);
        const void* source = bytes ? static_cast<void*>(a8.get()) : static_cast<void*>(a.get());
        int status = call(name, cublas.handle, kLower, kN, m, k, &alpha, source,
                          bytes ? kC8I : kC32F, m, &beta, c.get(), kC32F, m);
        // Which of them NVIDIA's has depends on the GPU.
        if (against_nvidia() && status == kNotSupported) continue;
        ASSERT_EQ(status, 0) << name;
        synchronize();
        for (int j = 0; j < kM; ++j)
          for (int i = 0; i < kM; ++i) {
            ComplexFloat sum;
            for (int q = 0; q < kK && i >= j; ++q)
              sum += a[i + q * kM] * (hermitian ? std::conj(a[j + q * kM]) : a[j + q * kM]);
            ASSERT_EQ(c[i + j * kM], 2.0f * sum) << name;
          }
      }
}

TEST(CublasGemmEx, RoutinesWithTheScaleInTheirName) {
  scale_in_the_name<int>();
  scale_in_the_name<int64_t>();
}

TEST(CublasGemmEx, UnsignedBytesWithOffsets) {
  Cublas cublas;
  Array<uint8_t> a(kM * kK), b(kK * kNn), c(kM * kNn);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<uint8_t>(generator()() % 256);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<uint8_t>(generator()() % 256);
  int a_bias = 100, b_bias = 120, c_bias = 128, mult = 3, shift = 9;
  ASSERT_EQ(call("cublasUint8gemmBias", cublas.handle, kN, kN, kN, kM, kNn, kK, a.get(), a_bias, kM,
                 b.get(), b_bias, kK, c.get(), c_bias, kM, mult, shift),
            0);
  synchronize();
  for (int j = 0; j < kNn; ++j)
    for (int i = 0; i < kM; ++i) {
      int sum = 0;
      for (int q = 0; q < kK; ++q) sum += (a[i + q * kM] - a_bias) * (b[q + j * kK] - b_bias);
      int value = ((sum + c_bias) * mult + (1 << (shift - 1))) >> shift;
      EXPECT_EQ(c[i + j * kM], std::clamp(value, 0, 255));
    }
}

// Matrix-vector batches --------------------------------------------------------------------------------

template <class In, class Out, class Scale, class Int>
void gemv_batches(const std::string& letters) {
  std::string s = suffix<Int>();
  Int m = kM, n = kNn, one = 1, count = kBatch;
  Cublas cublas;
  Scale alpha = Scale(2), beta = Scale(-1);
  for (Op op : {kN, kT, kC}) {
    int inputs = op == kN ? kNn : kM, outputs = op == kN ? kM : kNn;
    Array<In> a(small_values<In>(kM * kNn * kBatch)), x(small_values<In>(inputs * kBatch));
    auto y0 = small_values<Out>(outputs * kBatch);
    std::vector<ComplexDouble> expected = numbers(y0.data(), y0.size());
    auto as = numbers(a.get(), a.size()), xs = numbers(x.get(), x.size());
    for (int p = 0; p < kBatch; ++p)
      for (int i = 0; i < outputs; ++i) {
        ComplexDouble sum;
        for (int q = 0; q < inputs; ++q) {
          auto element = as[p * kM * kNn + (op == kN ? i + q * kM : q + i * kM)];
          sum += (op == kC ? std::conj(element) : element) * xs[p * inputs + q];
        }
        auto& value = expected[p * outputs + i];
        value = ComplexDouble(alpha) * sum + ComplexDouble(beta) * value;
      }
    auto check = [&](const Array<Out>& y, const std::string& what) {
      synchronize();
      EXPECT_EQ(numbers(y.get(), y.size()), expected) << letters << what;
    };
    Array<Out> y(y0);
    ASSERT_EQ(call("cublas" + letters + "gemvStridedBatched" + s, cublas.handle, op, m, n, &alpha,
                   a.get(), m, 1ll * kM * kNn, x.get(), one, 1ll * inputs, &beta, y.get(), one,
                   1ll * outputs, count),
              0);
    check(y, "gemvStridedBatched");
    Array<Out> z(y0);
    Array<const In*> a_at(kBatch), x_at(kBatch);
    Array<Out*> z_at(kBatch);
    for (int p = 0; p < kBatch; ++p) {
      a_at[p] = a.get() + p * kM * kNn;
      x_at[p] = x.get() + p * inputs;
      z_at[p] = z.get() + p * outputs;
    }
    ASSERT_EQ(call("cublas" + letters + "gemvBatched" + s, cublas.handle, op, m, n, &alpha,
                   a_at.get(), m, x_at.get(), one, &beta, z_at.get(), one, count),
              0);
    check(z, "gemvBatched");
  }
}
template <class Int>
void all_gemv_batches() {
  gemv_batches<float, float, float, Int>("S");
  gemv_batches<double, double, double, Int>("D");
  gemv_batches<ComplexFloat, ComplexFloat, ComplexFloat, Int>("C");
  gemv_batches<ComplexDouble, ComplexDouble, ComplexDouble, Int>("Z");
  gemv_batches<float16, float16, float, Int>("HSH");
  gemv_batches<float16, float, float, Int>("HSS");
  gemv_batches<bfloat16, bfloat16, float, Int>("TST");
  gemv_batches<bfloat16, float, float, Int>("TSS");
}

TEST(CublasBatched, MatricesMultiplyVectors) {
  all_gemv_batches<int>();
  all_gemv_batches<int64_t>();
}

}  // namespace
}  // namespace guda::cublas::test
