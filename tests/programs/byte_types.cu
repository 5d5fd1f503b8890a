// 8- and 16-bit memory and arithmetic: promotion, wrap-around, sign extension, bool, and vectors of
// bytes.
#include "check.h"

__global__ void narrow(const signed char* c, const unsigned char* u, const short* s,
                       const unsigned short* t, int* out, signed char* c_out, short* s_out,
                       bool* flags, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[i] = c[i] * 3 + u[i] - s[i] / 7 + (t[i] >> 3);
  c_out[i] = static_cast<signed char>(c[i] * c[i] + u[i]);
  s_out[i] = static_cast<short>(s[i] * 5 - t[i]);
  flags[i] = c[i] > 0 && u[i] < 128;
}

__global__ void pixels(const uchar4* in, uchar4* out, const bool* keep, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uchar4 p = in[i];
  const int grey = (p.x * 77 + p.y * 151 + p.z * 28) >> 8;
  if (keep[i]) {
    p = make_uchar4(p.z, p.y, p.x, 255 - p.w);
  } else {
    p.x = p.y = p.z = static_cast<unsigned char>(grey);
  }
  out[i] = p;
}

int main() {
  const int n = 777;
  check::Random random(6);
  std::vector<signed char> c(n);
  std::vector<unsigned char> u(n);
  std::vector<short> s(n);
  std::vector<unsigned short> t(n);
  std::vector<uchar4> p(n);
  for (int i = 0; i < n; ++i) {
    c[i] = static_cast<signed char>(random.bits());
    u[i] = static_cast<unsigned char>(random.bits());
    s[i] = static_cast<short>(random.bits());
    t[i] = static_cast<unsigned short>(random.bits());
    const unsigned w = random.bits();
    p[i] = make_uchar4(w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24);
  }
  check::DeviceArray<signed char> dc(c), c_out(n);
  check::DeviceArray<unsigned char> du(u);
  check::DeviceArray<short> ds(s), s_out(n);
  check::DeviceArray<unsigned short> dt(t);
  check::DeviceArray<int> out(n);
  bool* flags;
  CUDA_OK(cudaMalloc(&flags, n));
  narrow<<<(n + 63) / 64, 64>>>(dc, du, ds, dt, out, c_out, s_out, flags, n);
  KERNEL_OK();
  check::DeviceArray<uchar4> dp(p), p_out(n);
  pixels<<<(n + 63) / 64, 64>>>(dp, p_out, flags, n);
  KERNEL_OK();
  const auto r = out.host();
  const auto rc = c_out.host();
  const auto rs = s_out.host();
  const auto rp = p_out.host();
  std::vector<unsigned char> rf(n);
  CUDA_OK(cudaMemcpy(rf.data(), flags, n, cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(r[i], c[i] * 3 + u[i] - s[i] / 7 + (t[i] >> 3), "%d", i);
    EXPECT_EQ(rc[i], static_cast<signed char>(c[i] * c[i] + u[i]), "%d", i);
    EXPECT_EQ(rs[i], static_cast<short>(s[i] * 5 - t[i]), "%d", i);
    const bool keep = c[i] > 0 && u[i] < 128;
    EXPECT_EQ(int(rf[i]), int(keep), "%d", i);
    const int grey = (p[i].x * 77 + p[i].y * 151 + p[i].z * 28) >> 8;
    EXPECT_EQ(rp[i].x, keep ? p[i].z : grey, "%d", i);
    EXPECT_EQ(rp[i].y, keep ? p[i].y : grey, "%d", i);
    EXPECT_EQ(rp[i].z, keep ? p[i].x : grey, "%d", i);
    EXPECT_EQ(rp[i].w, keep ? 255 - p[i].w : p[i].w, "%d", i);
  }
  CUDA_OK(cudaFree(flags));
  return check::finish("byte_types");
}
