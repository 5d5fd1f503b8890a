// The native halves: plain C++ with OpenMP.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench::native {

// native_streaming.cpp
void saxpy(size_t n, float a, const float* x, float* y);
void triad(size_t n, double s, const double* b, const double* c, double* a);
// native_stencils.cpp
void stencil_2d(int width, int height, const float* in, float* out);
void stencil_3d(int nx, int ny, int nz, const float* in, float* out);
void lattice_boltzmann(int width, int height, float omega, const float* in, float* out);
// native_arithmetic.cpp
void n_body(int n, const float* px, const float* py, const float* pz, const float* mass, float* ax,
            float* ay, float* az);
void black_scholes(int n, const float* price, const float* strike, const float* years, float* call,
                   float* put);
void mandelbrot(int width, int height, int limit, int* out);
void monte_carlo(int streams, int samples, unsigned* inside);
// native_tiles.cpp
void transpose(int width, int height, const float* in, float* out);
void matmul(int n, const float* a, const float* b, float* c);
void bitonic_sort(int n, unsigned* data);
// native_reductions.cpp
float sum(size_t n, const float* in);
void histogram(size_t n, const uint32_t* words, uint32_t* bins);
// native_rows.cpp
void softmax(int rows, int columns, const float* in, float* out);
void layer_norm(int rows, int columns, const float* in, const float* gain, const float* bias,
                float* out);
// native_graphs.cpp
void spmv(int rows, const int* offsets, const int* columns, const float* values, const float* x,
          float* y);
int bfs(int nodes, const int* offsets, const int* edges, int source, int* level);
// native_integers.cpp
void sha256(int messages, const uint32_t* words, uint32_t* digests);
void int8_matvec(int rows, int columns, const int8_t* matrix, const int8_t* x, int* y);

}  // namespace bench::native
