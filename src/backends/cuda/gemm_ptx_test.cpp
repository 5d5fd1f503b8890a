// The products' PTX, run through the driver API: on GUDA's CPU engine, or on what GUDA_TEST_LIBCUDA names.
#include "backends/cuda/gemm_ptx.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/backends/products.h"

namespace guda::backend::cuda {
namespace {

void* library() {
  static void* opened = [] {
    const char* other = std::getenv("GUDA_TEST_LIBCUDA");
    return dlopen(other != nullptr ? other : GUDA_OWN_DRIVER, RTLD_NOW);
  }();
  return opened;
}

template <typename... Arguments>
int cu(const char* name, Arguments... arguments) {
  auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library(), name));
  return function != nullptr ? function(arguments...) : -1;
}

using Bf16 = conformance::Bfloat16;

using Wide = std::complex<double>;

template <typename T>
Wide wide(T value) {
  if constexpr (requires { value.real(); })
    return {static_cast<double>(value.real()), static_cast<double>(value.imag())};
  else
    return {static_cast<double>(value), 0};
}

template <typename T>
T narrow(Wide value) {
  if constexpr (requires(T t) { t.real(); })
    return T(static_cast<typename T::value_type>(value.real()),
             static_cast<typename T::value_type>(value.imag()));
  else
    return static_cast<T>(value.real());
}

/// Device memory with contents.
class Buffer {
 public:
  explicit Buffer(size_t bytes) : bytes_(bytes) {
    EXPECT_EQ(cu("cuMemAlloc_v2", &address_, bytes), 0);
  }
  ~Buffer() { cu("cuMemFree_v2", address_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void put(const void* from) { ASSERT_EQ(cu("cuMemcpyHtoD_v2", address_, from, bytes_), 0); }
  void get(void* to) { ASSERT_EQ(cu("cuMemcpyDtoH_v2", to, address_, bytes_), 0); }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(address_);
  }

 private:
  unsigned long long address_ = 0;
  size_t bytes_;
};

class GemmPtx : public testing::Test {
 protected:
  void SetUp() override {
    if (library() == nullptr) GTEST_SKIP() << "no driver: " << dlerror();
    ASSERT_EQ(cu("cuInit", 0u), 0);
    void* context = nullptr;
    ASSERT_EQ(cu("cuDevicePrimaryCtxRetain", &context, 0), 0);
    ASSERT_EQ(cu("cuCtxSetCurrent", context), 0);
  }

  /// All transpositions, with and without C, at sizes that fill no tile.
  template <typename In, typename Out, typename Sum>
  void multiplies(GemmTypes types, double tolerance) {
    void* module = nullptr;
    void* function = nullptr;
    std::string ptx = gemm_ptx(types);
    ASSERT_EQ(cu("cuModuleLoadData", &module, ptx.c_str()), 0);
    ASSERT_EQ(cu("cuModuleGetFunction", &function, module, kGemmKernel), 0);
    for (Transpose ta : {Transpose::none, Transpose::transpose, Transpose::conjugate}) {
      for (Transpose tb : {Transpose::none, Transpose::transpose, Transpose::conjugate}) {
        if ((ta == Transpose::conjugate || tb == Transpose::conjugate) &&
            types.input != ElementType::c32 && types.input != ElementType::c64)
          continue;
        for (int64_t k : {0, 35})
          product<In, Out, Sum>(function, types, ta, tb, 131, 70, k, tolerance);
      }
    }
    EXPECT_EQ(cu("cuModuleUnload", module), 0);
  }

 private:
  template <typename In, typename Out, typename Sum>
  void product(void* function, GemmTypes types, Transpose ta, Transpose tb, int64_t m, int64_t n,
               int64_t k, double tolerance) {
    SCOPED_TRACE(
        fmt::format("transposed {} {}, k {}", static_cast<int>(ta), static_cast<int>(tb), k));
    int64_t lda = (ta == Transpose::none ? m : k) + 3, ldb = (tb == Transpose::none ? k : n) + 1,
            ldc = m + 2;
    auto value = [](int64_t i) {
      return Wide(static_cast<double>(i * 37 % 17) - 8, static_cast<double>(i * 11 % 7) - 3);
    };
    auto filled = [&](auto& matrix, int64_t seed) {
      using T = typename std::remove_reference_t<decltype(matrix)>::value_type;
      for (size_t i = 0; i < matrix.size(); ++i)
        matrix[i] = narrow<T>(value(static_cast<int64_t>(i) + seed));
    };
    std::vector<In> a(static_cast<size_t>(lda * (ta == Transpose::none ? k : m) + 1));
    std::vector<In> b(static_cast<size_t>(ldb * (tb == Transpose::none ? n : k) + 1));
    std::vector<Out> c(static_cast<size_t>(ldc * n));
    filled(a, 1);
    filled(b, 5);
    filled(c, 9);
    Buffer on_a(a.size() * sizeof(In)), on_b(b.size() * sizeof(In)), on_c(c.size() * sizeof(Out));
    on_a.put(a.data());
    on_b.put(b.data());
    for (bool reads : {false, true}) {
      on_c.put(c.data());
      Sum alpha = narrow<Sum>({2, 1}), beta = narrow<Sum>(reads ? Wide{-1, 3} : Wide{});
      GemmParameters p{};
      p.a = on_a.as<In>();
      p.b = on_b.as<In>();
      p.c = on_c.as<Out>();
      p.a_row = ta == Transpose::none ? 1 : lda;
      p.a_depth = ta == Transpose::none ? lda : 1;
      p.b_depth = tb == Transpose::none ? 1 : ldb;
      p.b_column = tb == Transpose::none ? ldb : 1;
      p.ldc = ldc;
      constexpr bool kComplex = requires(Sum s) { s.real(); };
      constexpr size_t kPart = kComplex ? sizeof(Sum) / 2 : sizeof(Sum);
      for (size_t part = 0; part < (kComplex ? 2 : 1); ++part) {
        std::memcpy(&p.alpha[part], reinterpret_cast<char*>(&alpha) + part * kPart, kPart);
        std::memcpy(&p.beta[part], reinterpret_cast<char*>(&beta) + part * kPart, kPart);
      }
      p.m = static_cast<int32_t>(m);
      p.n = static_cast<int32_t>(n);
      p.k = static_cast<int32_t>(k);
      p.flags = (ta == Transpose::none ? 0u : kDepthFirstA) |
                (tb == Transpose::none ? kDepthFirstB : 0u) |
                (ta == Transpose::conjugate ? kConjugateA : 0u) |
                (tb == Transpose::conjugate ? kConjugateB : 0u) | (reads ? kReadC : 0u);
      size_t size = sizeof p;
      void* extra[] = {reinterpret_cast<void*>(1), &p, reinterpret_cast<void*>(2), &size, nullptr};
      unsigned tile = gemm_tile(types);
      auto blocks = [&](int64_t x) { return (static_cast<unsigned>(x) + tile - 1) / tile; };
      ASSERT_EQ(
          cu("cuLaunchKernel", function, blocks(m), blocks(n), 1u, kGemmThreads, 1u, 1u, 0u,
             static_cast<void*>(nullptr), static_cast<void**>(nullptr), static_cast<void**>(extra)),
          0);
      ASSERT_EQ(cu("cuCtxSynchronize"), 0);
      std::vector<Out> result(c.size());
      on_c.get(result.data());
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < ldc; ++i) {
          auto at = static_cast<size_t>(i + j * ldc);
          Wide expected = wide(c[at]);
          if (i < m) {
            Wide sum = 0;
            for (int64_t l = 0; l < k; ++l) {
              Wide x = wide(a[static_cast<size_t>(i * p.a_row + l * p.a_depth)]);
              Wide y = wide(b[static_cast<size_t>(l * p.b_depth + j * p.b_column)]);
              sum += (ta == Transpose::conjugate ? std::conj(x) : x) *
                     (tb == Transpose::conjugate ? std::conj(y) : y);
            }
            expected = wide(alpha) * sum + wide(beta) * expected;
          }
          ASSERT_LE(std::abs(wide(result[at]) - expected), tolerance * (1 + std::abs(expected)))
              << i << ", " << j << ": " << wide(result[at]) << " for " << expected;
        }
      }
    }
  }
};

TEST_F(GemmPtx, F32) { multiplies<float, float, float>({ElementType::f32, true}, 1e-6); }
TEST_F(GemmPtx, F64) { multiplies<double, double, double>({ElementType::f64, true}, 1e-14); }
TEST_F(GemmPtx, C32) {
  multiplies<std::complex<float>, std::complex<float>, std::complex<float>>(
      {ElementType::c32, true}, 1e-6);
}
TEST_F(GemmPtx, C64) {
  multiplies<std::complex<double>, std::complex<double>, std::complex<double>>(
      {ElementType::c64, true}, 1e-14);
}
TEST_F(GemmPtx, F16) { multiplies<_Float16, _Float16, float>({ElementType::f16, false}, 1e-3); }
TEST_F(GemmPtx, F16ToF32) { multiplies<_Float16, float, float>({ElementType::f16, true}, 1e-6); }
TEST_F(GemmPtx, Bf16) { multiplies<Bf16, Bf16, float>({ElementType::bf16, false}, 8e-3); }
TEST_F(GemmPtx, Bf16ToF32) { multiplies<Bf16, float, float>({ElementType::bf16, true}, 1e-6); }
TEST_F(GemmPtx, S8ToS32) { multiplies<int8_t, int32_t, int32_t>({ElementType::s8, true}, 0); }

/// NVIDIA's assembler takes what GUDA's own compiler takes.
TEST(GemmPtxText, Assembles) {
  if (std::string_view(GUDA_PTXAS).empty()) GTEST_SKIP() << "no ptxas";
  for (ElementType type : {ElementType::f32, ElementType::f64, ElementType::c32, ElementType::c64,
                           ElementType::f16, ElementType::bf16, ElementType::s8}) {
    for (bool sums_out : {false, true}) {
      std::string file = fmt::format("{}/guda-gemm-{}.ptx",
                                     std::filesystem::temp_directory_path().string(), getpid());
      std::ofstream(file) << gemm_ptx({type, sums_out});
      std::string command = fmt::format("{} -arch=sm_90 -o /dev/null {}", GUDA_PTXAS, file);
      // NOLINTNEXTLINE(bugprone-command-processor): nobody else gives it anything
      EXPECT_EQ(std::system(command.c_str()), 0) << static_cast<int>(type) << " " << sums_out;
      std::filesystem::remove(file);
    }
  }
}

}  // namespace
}  // namespace guda::backend::cuda
