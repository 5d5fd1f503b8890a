// Nested loops with break, continue and returns whose trip counts differ from lane to lane.
#include "check.h"

__host__ __device__ inline int collatz(unsigned n) {
  int steps = 0;
  while (n != 1) {
    n = n & 1 ? 3 * n + 1 : n / 2;
    if (++steps > 500) break;
  }
  return steps;
}

__host__ __device__ inline int nested(int seed) {
  int sum = 0;
  for (int i = 0; i < seed % 13 + 1; ++i) {
    if ((i ^ seed) % 5 == 3) continue;
    for (int j = i;; ++j) {
      if (j * seed % 7 == 6) break;
      if (j > 20) {
        sum += 1000;
        break;
      }
      if (j % 3 == seed % 3) continue;
      sum += i * j;
      if (sum > 5000) return -sum;
      int k = j;
      do {
        sum ^= k;
        k -= 2;
      } while (k > 0 && (sum & 7) != 5);
    }
  }
  return sum;
}

__host__ __device__ inline int first_divisor(int n) {
  for (int d = 2; d * d <= n; ++d) {
    if (n % d == 0) return d;
  }
  return n;
}

__global__ void run(int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  out[i] = collatz(i + 1);
  out[n + i] = nested(i);
  out[2 * n + i] = first_divisor(i + 2);
}

// A value computed in the loop is used after it: each lane keeps the one of its own last iteration.
__global__ void live_out(const int* counts, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float last = -1;
  int k = 0;
  for (; k < counts[i]; ++k) {
    last = k * 0.5f + i;
    if (last > 300) break;
  }
  out[i] = last + k * 1000;
}

int main() {
  const int n = 1500;
  check::DeviceArray<int> out(3 * n);
  run<<<(n + 127) / 128, 128>>>(out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(result[i], collatz(i + 1), "%d", i);
    EXPECT_EQ(result[n + i], nested(i), "%d", i);
    EXPECT_EQ(result[2 * n + i], first_divisor(i + 2), "%d", i);
  }
  std::vector<int> counts(n);
  for (int i = 0; i < n; ++i) counts[i] = i * 37 % 101;
  check::DeviceArray<int> device_counts(counts);
  check::DeviceArray<float> last(n);
  live_out<<<(n + 127) / 128, 128>>>(device_counts, last, n);
  KERNEL_OK();
  const auto values = last.host();
  for (int i = 0; i < n; ++i) {
    float expected = -1;
    int k = 0;
    for (; k < counts[i]; ++k) {
      expected = k * 0.5f + i;
      if (expected > 300) break;
    }
    EXPECT_EQ(values[i], expected + k * 1000, "%d", i);
  }
  return check::finish("divergent_loops");
}
