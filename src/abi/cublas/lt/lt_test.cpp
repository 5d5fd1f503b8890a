// cublasLt: descriptors, heuristics, and matmul with its types, orders, scales and batches.
#include "abi/cublas/lt/lt_test.h"

#include <unistd.h>
#include <cstdio>
#include <fstream>
#include <functional>

namespace guda::cublas::lt {
namespace {

using namespace test;

constexpr int kM = 16, kNn = 16, kK = 16;

TEST(CublasLt, DescriptorsKeepTheirAttributes) {
  void* layout = nullptr;
  ASSERT_EQ(
      call("cublasLtMatrixLayoutCreate", &layout, kR16F, uint64_t{8}, uint64_t{4}, int64_t{8}), 0);
  uint64_t rows = 0;
  int32_t count = 5, read = 0;
  size_t written = 0;
  EXPECT_EQ(call("cublasLtMatrixLayoutGetAttribute", layout, 2, &rows, sizeof rows, &written), 0);
  EXPECT_EQ(rows, 8u);
  EXPECT_EQ(written, 8u);
  EXPECT_EQ(call("cublasLtMatrixLayoutSetAttribute", layout, 5, &count, sizeof count), 0);
  EXPECT_EQ(call("cublasLtMatrixLayoutGetAttribute", layout, 5, &read, sizeof read, &written), 0);
  EXPECT_EQ(read, 5);
  EXPECT_EQ(call("cublasLtMatrixLayoutGetAttribute", layout, 5, &read, size_t{0}, &written), 0);
  EXPECT_EQ(written, sizeof read);
  EXPECT_EQ(call("cublasLtMatrixLayoutSetAttribute", layout, 5, &count, size_t{2}), kInvalidValue);
  EXPECT_EQ(call("cublasLtMatrixLayoutSetAttribute", layout, 99, &count, sizeof count),
            kInvalidValue);
  EXPECT_EQ(call("cublasLtMatrixLayoutDestroy", layout), 0);

  Operation operation(kCompute32F, kR32F);
  int32_t mode = 2;
  operation.set(31, mode);  // kept in a byte
  EXPECT_EQ(call("cublasLtMatmulDescGetAttribute", operation.descriptor, 31, &read, sizeof read,
                 &written),
            0);
  EXPECT_EQ(read, 2);

  auto generic = [&](const std::string& name, int attribute, auto value, auto... create) {
    void* descriptor = nullptr;
    auto back = decltype(value){};
    EXPECT_EQ(call("cublasLt" + name + "Create", &descriptor, create...), 0) << name;
    EXPECT_EQ(call("cublasLt" + name + "SetAttribute", descriptor, attribute, &value, sizeof value),
              0)
        << name;
    EXPECT_EQ(call("cublasLt" + name + "GetAttribute", descriptor, attribute, &back, sizeof back,
                   &written),
              0);
    EXPECT_EQ(back, value) << name;
    EXPECT_EQ(call("cublasLt" + name + "Destroy", descriptor), 0) << name;
  };
  generic("MatmulPreference", 1, uint64_t{1 << 20});
  generic("MatrixTransformDesc", 2, int32_t{1}, kR32F);
  generic("EmulationDesc", 0, int32_t{1});

  // In memory of the program's, in the sizes of CUDA 11 and later.
  alignas(8) std::byte place[256];
  EXPECT_EQ(call("cublasLtMatrixLayoutInit_internal", place, size_t{64}, kR32F, uint64_t{2},
                 uint64_t{2}, int64_t{2}),
            0);
  EXPECT_EQ(call("cublasLtMatmulDescInit_internal", place, size_t{184}, kCompute32F, kR32F), 0);
  EXPECT_EQ(call("cublasLtMatmulDescInit_internal", place, size_t{16}, kCompute32F, kR32F),
            kAllocFailed);
  EXPECT_EQ(call("cublasLtMatrixTransformDescInit_internal", place, size_t{64}, kR32F), 0);
  EXPECT_EQ(call("cublasLtMatmulPreferenceInit_internal", place, size_t{64}), 0);
  EXPECT_EQ(call("cublasLtEmulationDescInit_internal", place, size_t{64}), 0);
}

TEST(CublasLt, HeuristicsOfferAnAlgorithmThatRuns) {
  Lt lt;
  Operation operation(kCompute32F, kR32F);
  Matrix a(kR32F, kM, kK, kM), b(kR32F, kK, kNn, kK), c(kR32F, kM, kNn, kM), odd(kR32F, 3, 3, 3);
  void* preference = nullptr;
  ASSERT_EQ(call("cublasLtMatmulPreferenceCreate", &preference), 0);
  HeuristicResult results[2];
  int count = -1;
  EXPECT_EQ(call("cublasLtMatmulAlgoGetHeuristic", lt.handle, operation.descriptor, a.descriptor,
                 b.descriptor, c.descriptor, c.descriptor, preference, 2, results, &count),
            0);
  EXPECT_GE(count, 1);
  EXPECT_EQ(results[0].state, kSuccess);
  if (!against_nvidia()) {
    EXPECT_EQ(results[0].workspace_bytes, 0u);
  }
  int offered = count;
  HeuristicResult checked;
  EXPECT_EQ(call("cublasLtMatmulAlgoCheck", lt.handle, operation.descriptor, a.descriptor,
                 b.descriptor, c.descriptor, c.descriptor, results[0].algorithm, &checked),
            0);
  EXPECT_EQ(call("cublasLtMatmulAlgoGetHeuristic", lt.handle, operation.descriptor, odd.descriptor,
                 b.descriptor, c.descriptor, c.descriptor, preference, 2, results, &count),
            kInvalidValue);
  EXPECT_EQ(count, offered) << "as it was";
  int ids[4];
  EXPECT_EQ(call("cublasLtMatmulAlgoGetIds", lt.handle, kCompute32F, kR32F, kR32F, kR32F, kR32F,
                 kR32F, 4, ids, &count),
            0);
  ASSERT_GE(count, 1);
  alignas(8) std::byte algorithm[64];
  EXPECT_EQ(call("cublasLtMatmulAlgoInit", lt.handle, kCompute32F, kR32F, kR32F, kR32F, kR32F,
                 kR32F, ids[0], algorithm),
            0);
  EXPECT_EQ(call("cublasLtMatmulAlgoInit", lt.handle, kCompute32F, kR32F, kR32F, kR32F, kR32F,
                 kR32F, 4711, algorithm),
            kInvalidValue);
  int32_t split = 4, read = 0;
  size_t written = 0;
  EXPECT_EQ(call("cublasLtMatmulAlgoConfigSetAttribute", algorithm, 2, &split, sizeof split), 0);
  EXPECT_EQ(
      call("cublasLtMatmulAlgoConfigGetAttribute", algorithm, 2, &read, sizeof read, &written), 0);
  EXPECT_EQ(read, 4);
  EXPECT_EQ(call("cublasLtMatmulAlgoCapGetAttribute", algorithm, 3, &read, sizeof read, &written),
            0);
  EXPECT_EQ(read, 1) << "strided batches";
  EXPECT_EQ(call("cublasLtMatmulPreferenceDestroy", preference), 0);
  size_t capacity = 0;
  EXPECT_EQ(call("cublasLtHeuristicsCacheSetCapacity", size_t{7}), 0);
  EXPECT_EQ(call("cublasLtHeuristicsCacheGetCapacity", &capacity), 0);
  EXPECT_EQ(capacity, 32u);
  EXPECT_EQ(call("cublasLtHeuristicsCacheSetCapacity", size_t{100}), 0);
  EXPECT_EQ(call("cublasLtHeuristicsCacheGetCapacity", &capacity), 0);
  EXPECT_EQ(capacity, 128u);
  if (against_nvidia()) return;  // declared in cublasLt.h, but not in NVIDIA's library
  call_as<unsigned>("cublasLtDisableCpuInstructionsSetMask", 1u);
  EXPECT_EQ(call_as<unsigned>("cublasLtDisableCpuInstructionsSetMask", 0u), 1u);
}

/// A full problem in the types and orders given, checked against its definition.
template <class A, class B, class C, class D>
struct Case {
  Matrix am, bm, cm, dm;
  Array<A> a;
  Array<B> b;
  Array<C> c;
  Array<D> d;
  Op opa, opb;
  Case(DataType at, DataType bt, DataType ct, DataType dt, Op opa_, Op opb_,
       Order order_ab = kColumn, Order order_cd = kColumn)
      : am(at, opa_ == kN ? kM : kK, opa_ == kN ? kK : kM,
           ld(order_ab, opa_ == kN ? kM : kK, opa_ == kN ? kK : kM), order_ab),
        bm(bt, opb_ == kN ? kK : kNn, opb_ == kN ? kNn : kK,
           ld(order_ab, opb_ == kN ? kK : kNn, opb_ == kN ? kNn : kK), order_ab),
        cm(ct, kM, kNn, ld(order_cd, kM, kNn), order_cd),
        dm(dt, kM, kNn, ld(order_cd, kM, kNn), order_cd),
        a(2048),
        b(2048),
        c(2048),
        d(2048),
        opa(opa_),
        opb(opb_) {
    auto fill = [](auto& array) {
      using T = std::remove_reference_t<decltype(array[0])>;
      for (size_t i = 0; i < array.size(); ++i) {
        int value = static_cast<int>(generator()() % 7) - 3;
        if constexpr (std::is_same_v<T, int32_t>)
          array[i] = value;
        else
          array[i] = narrow<T>(static_cast<float>(value) / (std::is_integral_v<T> ? 1 : 2));
      }
    };
    fill(a);
    fill(b);
    fill(c);
  }
  static int64_t ld(Order order, int64_t rows, int64_t columns) {
    return order == kColumn ? rows + 16
           : order == kRow  ? columns + 16
                            : 32 * ((rows + 31) / 32 * 32);
  }
  double product(int64_t i, int64_t j) const {
    double sum = 0;
    for (int q = 0; q < kK; ++q)
      sum += number_at(am.layout, a.get(), opa == kN ? i : q, opa == kN ? q : i) *
             number_at(bm.layout, b.get(), opb == kN ? q : j, opb == kN ? j : q);
    return sum;
  }
  double from_c(int64_t i, int64_t j) const { return number_at(cm.layout, c.get(), i, j); }
  void check(double relative, const std::function<double(int64_t, int64_t)>& expected,
             const std::string& what) const {
    for (int64_t j = 0; j < kNn; ++j)
      for (int64_t i = 0; i < kM; ++i) {
        double value = expected(i, j);
        ASSERT_NEAR(number_at(dm.layout, d.get(), i, j), value, relative * (1 + std::abs(value)))
            << what << " at " << i << ", " << j;
      }
  }
};

template <class A, class B, class C, class D, class Scale>
void plain(DataType at, DataType bt, DataType ct, DataType dt, ComputeType compute, DataType scale,
           double relative, Op opa = kN, Op opb = kT) {
  Lt lt;
  for (Order order : {kColumn, kRow}) {
    // 8-bit types in rows: not on every GPU.
    if (order == kRow && sizeof(A) == 1 && against_nvidia()) continue;
    Case<A, B, C, D> p(at, bt, ct, dt, opa, opb, order, order);
    Operation operation(compute, scale);
    operation.set(kTransA, opa);
    operation.set(kTransB, opb);
    Scale alpha = narrow<Scale>(2.0f), beta = narrow<Scale>(-1.0f);
    ASSERT_EQ(matmul(lt, operation, &alpha, p.a.get(), p.am, p.b.get(), p.bm, &beta, p.c.get(),
                     p.cm, p.d.get(), p.dm),
              0)
        << at << " " << bt << " " << ct << " " << dt;
    p.check(
        relative, [&](int64_t i, int64_t j) { return 2 * p.product(i, j) - p.from_c(i, j); },
        "types " + std::to_string(at) + " " + std::to_string(dt));
  }
}

TEST(CublasLt, TypesAndRowMajorOrder) {
  plain<float, float, float, float, float>(kR32F, kR32F, kR32F, kR32F, kCompute32F, kR32F, 1e-6);
  plain<float, float, float, float, float>(kR32F, kR32F, kR32F, kR32F, kCompute32FFastTF32, kR32F,
                                           1e-6);
  plain<double, double, double, double, double>(kR64F, kR64F, kR64F, kR64F, kCompute64F, kR64F,
                                                1e-12);
  plain<bfloat16, bfloat16, bfloat16, bfloat16, float>(kR16BF, kR16BF, kR16BF, kR16BF, kCompute32F,
                                                       kR32F, 0.01);
  plain<bfloat16, bfloat16, float, float, float>(kR16BF, kR16BF, kR32F, kR32F, kCompute32F, kR32F,
                                                 1e-6);
  plain<float16, float16, float16, float16, float>(kR16F, kR16F, kR16F, kR16F, kCompute32F, kR32F,
                                                   2e-3);
  plain<float16, float16, float16, float16, float16>(kR16F, kR16F, kR16F, kR16F, kCompute16F, kR16F,
                                                     2e-3);
  plain<int8_t, int8_t, int32_t, int32_t, int32_t>(kR8I, kR8I, kR32I, kR32I, kCompute32I, kR32I, 0,
                                                   kT, kN);
  plain<int8_t, int8_t, float, float, float>(kR8I, kR8I, kR32F, kR32F, kCompute32F, kR32F, 1e-6);
  // 8-bit floats: in the form A^T B.
  plain<float8_e4m3, float8_e4m3, bfloat16, bfloat16, float>(kR8E4M3, kR8E4M3, kR16BF, kR16BF,
                                                             kCompute32F, kR32F, 0.01, kT, kN);
  plain<float8_e4m3, float8_e5m2, float, float, float>(kR8E4M3, kR8E5M2, kR32F, kR32F, kCompute32F,
                                                       kR32F, 1e-6, kT, kN);
  plain<float8_e5m2, float8_e4m3, float16, float8_e5m2, float>(kR8E5M2, kR8E4M3, kR16F, kR8E5M2,
                                                               kCompute32F, kR32F, 0.13, kT, kN);
}

TEST(CublasLt, OtherTypesAreRefused) {
  Lt lt;
  float one = 1;
  auto refused = [&](DataType a, DataType b, DataType c, DataType d, ComputeType compute,
                     DataType scale, Op opa, int status = kNotSupported) {
    Case<float, float, float, float> p(a, b, c, d, opa, kN);
    Operation operation(compute, scale);
    operation.set(kTransA, opa);
    EXPECT_EQ(matmul(lt, operation, &one, p.a.get(), p.am, p.b.get(), p.bm, &one, p.c.get(), p.cm,
                     p.d.get(), p.dm),
              status)
        << a << " " << b << " " << c << " " << d;
  };
  refused(kR8E5M2, kR8E5M2, kR16F, kR16F, kCompute32F, kR32F, kT);
  refused(kR8E4M3, kR8E4M3, kR16F, kR8E5M2, kCompute32F, kR32F, kT);
  refused(kR8E4M3, kR8E4M3, kR16F, kR16F, kCompute32F, kR32F, kN);
  refused(kR32F, kR32F, kR32F, kR16F, kCompute32F, kR32F, kN);
  refused(kR16F, kR16BF, kR32F, kR32F, kCompute32F, kR32F, kN, kInvalidValue);
  refused(kR64F, kR64F, kR64F, kR64F, kCompute32F, kR32F, kN);
}

TEST(CublasLt, TiledOrdersOfIntegers) {
  if (against_nvidia()) GTEST_SKIP() << "orders of GPUs before Hopper";
  Lt lt;
  // B and the product as tensor cores of older GPUs take them.
  Case<int8_t, int8_t, int8_t, int8_t> p(kR8I, kR8I, kR8I, kR8I, kN, kT, kCol32, kCol32);
  Operation operation(kCompute32I, kR32F);
  operation.set(kTransB, kT);
  for (Order order : {kCol4_4R2_8C, kCol32_2R_4R4}) {
    p.bm.set(1, order);
    p.bm.layout.order = order;
    float alpha = 0.5f, beta = 1;
    ASSERT_EQ(matmul(lt, operation, &alpha, p.a.get(), p.am, p.b.get(), p.bm, &beta, p.c.get(),
                     p.cm, p.d.get(), p.dm),
              0);
    p.check(
        0,
        [&](int64_t i, int64_t j) {
          return std::clamp(std::nearbyint(0.5 * p.product(i, j) + p.from_c(i, j)), -128.0, 127.0);
        },
        "tiled order");
  }
  // Every element has a place of its own.
  for (Order order : {kCol32, kCol4_4R2_8C, kCol32_2R_4R4}) {
    Layout layout{};
    layout.rows = 32;
    layout.columns = 64;
    layout.ld = 32 * 32;
    layout.order = order;
    std::set<int64_t> places;
    for (int i = 0; i < 32; ++i)
      for (int j = 0; j < 64; ++j) places.insert(element_position(layout, i, j));
    EXPECT_EQ(places.size(), 32u * 64u);
    EXPECT_EQ(*places.rbegin(), 32 * 64 - 1);
  }
}

TEST(CublasLt, ScalesAndMaximaOfEightBitFloats) {
  Lt lt;
  Case<float8_e4m3, float8_e4m3, bfloat16, float8_e4m3> p(kR8E4M3, kR8E4M3, kR16BF, kR8E4M3, kT,
                                                          kN);
  Operation operation(kCompute32F, kR32F);
  // 16 bytes apart.
  Array<float> scales(std::vector<float>{0.5f, 0, 0, 0, 2.0f, 0, 0, 0, 0.25f}), amax(1);
  operation.set(kTransA, kT);
  operation.set(kAScale, scales.get());
  operation.set(kBScale, scales.get() + 4);
  operation.set(kDScale, scales.get() + 8);
  operation.set(kDAmax, amax.get());
  float alpha = 3, beta = 0;
  ASSERT_EQ(matmul(lt, operation, &alpha, p.a.get(), p.am, p.b.get(), p.bm, &beta, p.c.get(), p.cm,
                   p.d.get(), p.dm),
            0);
  double largest = 0;
  for (int i = 0; i < kM; ++i)
    for (int j = 0; j < kNn; ++j) largest = std::max(largest, std::abs(3 * p.product(i, j)));
  EXPECT_NEAR(amax[0], largest, 1e-4 * largest);
  p.check(0.07, [&](int64_t i, int64_t j) { return 0.25 * 3 * p.product(i, j); }, "scaled");
  // Scales belong to 8-bit floats.
  Case<float, float, float, float> q(kR32F, kR32F, kR32F, kR32F, kT, kN);
  EXPECT_EQ(matmul(lt, operation, &alpha, q.a.get(), q.am, q.b.get(), q.bm, &beta, q.c.get(), q.cm,
                   q.d.get(), q.dm),
            kInvalidValue);
}

TEST(CublasLt, ScalarsInVectorsAndOnTheDevice) {
  Lt lt;
  Array<float> alphas(kM), betas(kM);
  for (int i = 0; i < kM; ++i) {
    alphas[i] = static_cast<float>(i + 1);
    betas[i] = static_cast<float>(i) / 2;
  }
  float host_beta = -1;
  for (int mode : {1, 2, 3, 4}) {
    if (mode != 1 && against_nvidia()) continue;  // vectors are for 8-bit types there
    Case<float, float, float, float> p(kR32F, kR32F, kR32F, kR32F, kN, kN);
    Operation operation(kCompute32F, kR32F);
    operation.set(kPointerModeAttribute, mode);
    const void* beta = mode == 4 ? static_cast<const void*>(&host_beta) : betas.get() + (mode == 1);
    ASSERT_EQ(matmul(lt, operation, alphas.get(), p.a.get(), p.am, p.b.get(), p.bm,
                     mode == 3 ? nullptr : beta, p.c.get(), p.cm, p.d.get(), p.dm),
              0);
    p.check(
        1e-5,
        [&](int64_t i, int64_t j) {
          double alpha = mode == 1 ? alphas[0] : alphas[i];
          double b = mode == 1 ? betas[1] : mode == 2 ? betas[i] : mode == 3 ? 0 : host_beta;
          return alpha * p.product(i, j) + b * p.from_c(i, j);
        },
        "pointer mode " + std::to_string(mode));
  }
}

TEST(CublasLt, BatchesByStrideAndByPointer) {
  Lt lt;
  constexpr int kBatch = 3, kSize = 4;
  Matrix m(kR32F, 2, 2, 2), pointers(kR32F, 2, 2, 2);
  m.batch(kBatch, kSize);
  pointers.batch(kBatch, 0);
  pointers.set(8, uint32_t{1});
  Array<float> a(random_values<float>(kBatch * kSize)), b(random_values<float>(kBatch * kSize));
  Array<float> d(kBatch * kSize), e(kBatch * kSize), bias(2, 1.0f);
  Array<float*> a_at(kBatch), b_at(kBatch), e_at(kBatch);
  for (int i = 0; i < kBatch; ++i) {
    a_at[i] = a.get() + i * kSize;
    b_at[i] = b.get() + i * kSize;
    e_at[i] = e.get() + i * kSize;
  }
  Operation operation(kCompute32F, kR32F);
  float one = 1, zero = 0;
  ASSERT_EQ(matmul(lt, operation, &one, a.get(), m, b.get(), m, &zero, d.get(), m, d.get(), m), 0);
  if (against_nvidia()) return;  // pointers and a bias together are refused
  operation.set(kEpilogueAttribute, kBias);
  operation.set(kBiasPointer, bias.get());
  ASSERT_EQ(matmul(lt, operation, &one, a_at.get(), pointers, b_at.get(), pointers, &zero,
                   e_at.get(), pointers, e_at.get(), pointers),
            0);
  for (int p = 0; p < kBatch; ++p) {
    auto expected = multiply_add(1.0f, read_dense(a_at[p], 2, 2, 2), read_dense(b_at[p], 2, 2, 2),
                                 0.0f, Dense<float>(2, 2));
    expect_near(expected.values, read_dense(d.get() + p * kSize, 2, 2, 2).values, "strides");
    for (float& value : expected.values) value += 1;
    expect_near(expected.values, read_dense(e_at[p], 2, 2, 2).values, "pointers, with a bias");
  }
}

struct Transform {
  void* descriptor = nullptr;
  explicit Transform(bool transposed) {
    EXPECT_EQ(call("cublasLtMatrixTransformDescCreate", &descriptor, kR32F), 0);
    int32_t op = kT;
    for (int attribute : {2, 3}) {
      if (!transposed) continue;
      EXPECT_EQ(
          call("cublasLtMatrixTransformDescSetAttribute", descriptor, attribute, &op, sizeof op),
          0);
    }
  }
  ~Transform() { EXPECT_EQ(call("cublasLtMatrixTransformDescDestroy", descriptor), 0); }
};

TEST(CublasLt, TransformsChangeOrders) {
  Lt lt;
  Transform plain(false), turned(true);
  float one = 1, two = 2, zero = 0;
  void* none = nullptr;
  constexpr int kRows = 20, kColumns = 40;
  Matrix column(kR8I, kRows, kColumns, kRows), flipped(kR8I, kColumns, kRows, kColumns);
  Array<int8_t> a(kRows * kColumns), b(32 * 64), c(kRows * kColumns);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<int8_t>(generator()() % 40);
  for (Order order : {kCol32, kCol4_4R2_8C, kCol32_2R_4R4}) {
    Matrix tiled(kR8I, kRows, kColumns, 32 * 32, order);
    ASSERT_EQ(call("cublasLtMatrixTransform", lt.handle, plain.descriptor, &one, a.get(),
                   column.descriptor, &zero, none, none, b.get(), tiled.descriptor, none),
              0);
    synchronize();
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j)
        ASSERT_EQ(b[element_position(tiled.layout, i, j)], a[i + j * kRows]);
    // Back from the other two: not in NVIDIA's.
    if (order != kCol32 && against_nvidia()) continue;
    ASSERT_EQ(
        call("cublasLtMatrixTransform", lt.handle, turned.descriptor, &two, b.get(),
             tiled.descriptor, &one, a.get(), column.descriptor, c.get(), flipped.descriptor, none),
        0);
    synchronize();
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j) ASSERT_EQ(c[j + i * kColumns], 3 * a[i + j * kRows]);
  }
}

TEST(CublasLt, TransformsConvertTypes) {
  if (against_nvidia()) GTEST_SKIP() << "NVIDIA's converts few pairs of types";
  Lt lt;
  Transform turned(true);
  float two = 2, zero = 0;
  void* none = nullptr;
  // Several tiles, shared by threads.
  constexpr int kRows = 300, kColumns = 1100;
  Matrix rows(kR16F, kRows, kColumns, kColumns, kRow), flipped(kR32F, kColumns, kRows, kColumns);
  Array<float16> a(kRows * kColumns);
  Array<float> c(kRows * kColumns);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = narrow<float16>(static_cast<float>(generator()() % 99));
  ASSERT_EQ(call("cublasLtMatrixTransform", lt.handle, turned.descriptor, &two, a.get(),
                 rows.descriptor, &zero, none, none, c.get(), flipped.descriptor, none),
            0);
  synchronize();
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kColumns; ++j)
      ASSERT_EQ(c[j + i * kColumns], 2 * widen(a[j + i * kColumns]));
}

int logged_level = 0;
std::string logged_function;
void remember(int level, const char* function, const char*) {
  logged_level = level;
  logged_function = function;
}

TEST(CublasLt, CallsAreLogged) {
  EXPECT_EQ(call("cublasLtLoggerSetCallback", &remember), 0);
  EXPECT_EQ(call("cublasLtLoggerSetLevel", 5), 0);
  EXPECT_EQ(call("cublasLtLoggerSetLevel", 6), 0);
  {
    Lt lt;
  }
  EXPECT_EQ(logged_function, "cublasLtDestroy");
  EXPECT_EQ(logged_level, 5);
  std::string path = testing::TempDir() + "guda_cublaslt_log_" + std::to_string(getpid());
  EXPECT_EQ(call("cublasLtLoggerOpenFile", path.c_str()), 0);
  {
    Lt lt;
  }
  EXPECT_EQ(call("cublasLtLoggerSetFile", static_cast<void*>(nullptr)), 0);
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(text.find("cublasLtCreate"), std::string::npos);
  std::remove(path.c_str());
  EXPECT_EQ(call("cublasLtLoggerSetLevel", 0), 0);
  EXPECT_EQ(call("cublasLtLoggerSetMask", 16), 0);
  EXPECT_EQ(call("cublasLtLoggerForceDisable"), 0);
  logged_function.clear();
  {
    Lt lt;
  }
  EXPECT_EQ(logged_function, "");
}

}  // namespace
}  // namespace guda::cublas::lt
