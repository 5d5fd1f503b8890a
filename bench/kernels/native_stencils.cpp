#include "native.h"

namespace bench::native {

void stencil_2d(int width, int height, const float* in, float* out) {
#pragma omp parallel for
  for (int y = 1; y < height - 1; ++y) {
#pragma omp simd
    for (int x = 1; x < width - 1; ++x) {
      const int i = y * width + x;
      out[i] = 0.5f * in[i] + 0.125f * (in[i - 1] + in[i + 1] + in[i - width] + in[i + width]);
    }
  }
}

void stencil_3d(int nx, int ny, int nz, const float* in, float* out) {
  const int plane = nx * ny;
#pragma omp parallel for collapse(2)
  for (int z = 1; z < nz - 1; ++z) {
    for (int y = 1; y < ny - 1; ++y) {
#pragma omp simd
      for (int x = 1; x < nx - 1; ++x) {
        const int i = z * plane + y * nx + x;
        out[i] = 0.4f * in[i] + 0.1f * (in[i - 1] + in[i + 1] + in[i - nx] + in[i + nx] +
                                        in[i - plane] + in[i + plane]);
      }
    }
  }
}

namespace {

inline void cell(int x, int west, int east, const float* const rows[9], float* const to[9],
                 float omega) {
  const float f0 = rows[0][x], f1 = rows[1][west], f2 = rows[2][x], f3 = rows[3][east];
  const float f4 = rows[4][x], f5 = rows[5][west], f6 = rows[6][east], f7 = rows[7][east];
  const float f8 = rows[8][west];
  const float density = f0 + f1 + f2 + f3 + f4 + f5 + f6 + f7 + f8;
  const float u = (f1 + f5 + f8 - f3 - f6 - f7) / density;
  const float v = (f2 + f5 + f6 - f4 - f7 - f8) / density;
  const float base = 1 - 1.5f * (u * u + v * v);
  const auto relax = [&](float f, float weight, float c) {
    return f - omega * (f - weight * density * (base + 3 * c + 4.5f * c * c));
  };
  to[0][x] = relax(f0, 4.0f / 9, 0);
  to[1][x] = relax(f1, 1.0f / 9, u);
  to[2][x] = relax(f2, 1.0f / 9, v);
  to[3][x] = relax(f3, 1.0f / 9, -u);
  to[4][x] = relax(f4, 1.0f / 9, -v);
  to[5][x] = relax(f5, 1.0f / 36, u + v);
  to[6][x] = relax(f6, 1.0f / 36, v - u);
  to[7][x] = relax(f7, 1.0f / 36, -u - v);
  to[8][x] = relax(f8, 1.0f / 36, u - v);
}

}  // namespace

void lattice_boltzmann(int width, int height, float omega, const float* in, float* out) {
  const int plane = width * height;
#pragma omp parallel for
  for (int y = 0; y < height; ++y) {
    const int south = y > 0 ? y - 1 : height - 1, north = y < height - 1 ? y + 1 : 0;
    const int from[9] = {y, y, south, y, north, south, south, north, north};
    const float* rows[9];
    float* to[9];
    for (int k = 0; k < 9; ++k) {
      rows[k] = in + k * plane + from[k] * width;
      to[k] = out + k * plane + y * width;
    }
    cell(0, width - 1, 1, rows, to, omega);
#pragma omp simd
    for (int x = 1; x < width - 1; ++x) cell(x, x - 1, x + 1, rows, to, omega);
    cell(width - 1, width - 2, 0, rows, to, omega);
  }
}

}  // namespace bench::native
