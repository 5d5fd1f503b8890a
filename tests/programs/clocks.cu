// clock, clock64 and globaltimer advance, __nanosleep returns (it may sleep any time from
// nothing to twice its argument), and special registers that programs read have sensible values.
#include "check.h"

__global__ void read(long long* out) {
  unsigned long long t0, t1;
  const long long c0 = clock64();
  const clock_t short0 = clock();
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t0));
  float x = out[0];
  for (int i = 0; i < 1000; ++i) x = x * 1.0001f + 0.5f;
  __nanosleep(100000);
  for (int i = 0; i < 40; ++i) __nanosleep(1000000);
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t1));
  const clock_t short1 = clock();
  const long long c1 = clock64();
  unsigned smid, nsmid, warpid, nwarpid;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(smid));
  asm volatile("mov.u32 %0, %%nsmid;" : "=r"(nsmid));
  asm volatile("mov.u32 %0, %%warpid;" : "=r"(warpid));
  asm volatile("mov.u32 %0, %%nwarpid;" : "=r"(nwarpid));
  if (threadIdx.x == 0) {
    out[0] = c1 - c0;
    out[1] = t1 - t0;
    out[2] = x > 0;
    out[3] = smid < nsmid;
    out[4] = warpid < nwarpid;
    out[5] = t0;
    out[6] = short1 != short0;
  }
}

int main() {
  check::DeviceArray<long long> out(7);
  read<<<1, 32>>>(out);
  KERNEL_OK();
  const auto first = out.host();
  EXPECT(first[0] > 1000);
  EXPECT(first[1] > 0 && first[1] < 60000000000ll);
  EXPECT_EQ(first[2], 1ll);
  EXPECT_EQ(first[3], 1ll);
  EXPECT_EQ(first[4], 1ll);
  EXPECT_EQ(first[6], 1ll);
  CUDA_OK(cudaMemset(out, 0, 7 * sizeof(long long)));
  read<<<1, 32>>>(out);
  KERNEL_OK();
  EXPECT(out.host()[5] > first[5]);
  return check::finish("clocks");
}
