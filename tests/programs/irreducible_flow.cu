// goto into the middle of loops: control flow with more than one loop entry.
#include "check.h"

__host__ __device__ __noinline__ int two_entries(int x) {
  int sum = 0, guard = 0;
  if (x & 1) goto inner;
outer:
  sum += 3;
  x -= 1;
  if (++guard > 60) goto done;
inner:
  sum ^= x;
  x -= 2;
  if (x > 10) goto outer;
  if (x > 0 && (sum & 3)) goto inner;
  if (x > -5) goto outer;
done:
  return sum * 64 + guard;
}

__host__ __device__ __noinline__ int state_machine(unsigned bits) {
  int a = 0, b = 0;
start:
  if (!bits) goto end;
  if (bits & 1) goto odd;
  ++a;
  bits >>= 1;
  goto start;
odd:
  b += a + 1;
  bits >>= 1;
  if (bits & 1) goto odd;
  if (bits & 2) goto middle;
  goto start;
middle:
  a ^= b;
  bits >>= 2;
  if (b & 4) goto odd_entry;
  goto start;
odd_entry:
  b -= 3;
  if (!bits) goto end;
  goto odd;
end:
  return a * 1000 + b;
}

__global__ void run(int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[i] = two_entries(i % 90);
  out[n + i] = state_machine(i * 2654435761u);
}

int main() {
  const int n = 1000;
  check::DeviceArray<int> out(2 * n);
  run<<<(n + 95) / 96, 96>>>(out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(result[i], two_entries(i % 90), "%d", i);
    EXPECT_EQ(result[n + i], state_machine(i * 2654435761u), "%d", i);
  }
  return check::finish("irreducible_flow");
}
