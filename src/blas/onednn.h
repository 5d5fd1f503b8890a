// oneDNN, opened at run time through the few functions that are used of it. Its absence is a normal state:
// nothing here is needed to build, and products then have GUDA's own kernels alone.
//
// It serves processors without AVX-512, for f32 products where it beats the AVX2 kernels (onednn_gemm.h),
// and tests as a second opinion. Not for 8-bit integers: without VNNI its sums of pairs saturate at 16 bits.
#pragma once

#include <cstdint>
#include <string>

namespace guda::blas {

/// Row-major products of oneDNN 2 and 3; all return 0 when done. Transposes are 'N' or 'T'.
struct OneDnn {
  int (*sgemm)(char transa, char transb, int64_t m, int64_t n, int64_t k, float alpha,
               const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c,
               int64_t ldc);
  // C = alpha (op(A) - ao) (op(B) - bo) + beta C + co, offsetc 'F': one co for all. Null: not exported.
  int (*gemm_s8s8s32)(char transa, char transb, char offsetc, int64_t m, int64_t n, int64_t k,
                      float alpha, const int8_t* a, int64_t lda, int8_t ao, const int8_t* b,
                      int64_t ldb, int8_t bo, float beta, int32_t* c, int64_t ldc,
                      const int32_t* co);
  int (*gemm_u8s8s32)(char transa, char transb, char offsetc, int64_t m, int64_t n, int64_t k,
                      float alpha, const uint8_t* a, int64_t lda, uint8_t ao, const int8_t* b,
                      int64_t ldb, int8_t bo, float beta, int32_t* c, int64_t ldc,
                      const int32_t* co);
  int (*gemm_bf16bf16f32)(char transa, char transb, int64_t m, int64_t n, int64_t k, float alpha,
                          const uint16_t* a, int64_t lda, const uint16_t* b, int64_t ldb,
                          float beta, float* c, int64_t ldc);
  // Of the OpenMP that it was built with; null when it has no threads of its own.
  void (*set_threads)(int);
  int (*threads)();
};

/// The library, opened by the first call; null when there is none, or none that can be used.
const OneDnn* onednn();
/// One line: which version it is, or why there is none.
std::string onednn_state();

/// Within its scope oneDNN computes on the calling thread alone: GUDA divides products itself.
class OneDnnOnThisThread {
 public:
  explicit OneDnnOnThisThread(const OneDnn& library) : library_(library) {
    if (library_.set_threads == nullptr) return;
    before_ = library_.threads();
    library_.set_threads(1);
  }
  ~OneDnnOnThisThread() {
    if (library_.set_threads != nullptr) library_.set_threads(before_);
  }
  OneDnnOnThisThread(const OneDnnOnThisThread&) = delete;
  OneDnnOnThisThread& operator=(const OneDnnOnThisThread&) = delete;

 private:
  const OneDnn& library_;
  int before_ = 1;
};

}  // namespace guda::blas
