// Other BLAS libraries, loaded at run time, each bound to its own symbols first, so that their equal
// symbols do not meet. None is needed to build or to run.
#pragma once

#include <complex>
#include <cstdint>
#include <string>
#include <vector>

namespace guda::bench {

/// CBLAS with 32-bit integers.
struct Peer {
  std::string name;
  void (*sgemm)(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                float*, int) = nullptr;
  void (*dgemm)(int, int, int, int, int, int, double, const double*, int, const double*, int,
                double, double*, int) = nullptr;
  void (*cgemm)(int, int, int, int, int, int, const void*, const void*, int, const void*, int,
                const void*, void*, int) = nullptr;
  void (*zgemm)(int, int, int, int, int, int, const void*, const void*, int, const void*, int,
                const void*, void*, int) = nullptr;
  void (*set_threads_int)(int) = nullptr;
  void (*set_threads_long)(int64_t) = nullptr;
  // oneDNN: rows first, char transposes.
  int (*dnnl_sgemm)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t,
                    const float*, int64_t, float, float*, int64_t) = nullptr;
  int (*dnnl_gemm_s8s8s32)(char, char, char, int64_t, int64_t, int64_t, float, const int8_t*,
                           int64_t, int8_t, const int8_t*, int64_t, int8_t, float, int32_t*,
                           int64_t, const int32_t*) = nullptr;
  int (*dnnl_gemm_u8s8s32)(char, char, char, int64_t, int64_t, int64_t, float, const uint8_t*,
                           int64_t, uint8_t, const int8_t*, int64_t, int8_t, float, int32_t*,
                           int64_t, const int32_t*) = nullptr;

  void set_threads(int threads) const {
    if (set_threads_int != nullptr) set_threads_int(threads);
    if (set_threads_long != nullptr) set_threads_long(threads);
  }
};

/// Loads "name=path[,VARIABLE=value...]"; the variables are set while it loads. Prints why when it
/// cannot.
bool load_peer(const std::string& description, Peer& peer);

}  // namespace guda::bench
