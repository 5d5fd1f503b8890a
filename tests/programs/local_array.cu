// Arrays in local memory indexed by data, differently in each lane, of several element sizes, and
// passed by pointer to a function that is not inlined.
#include "check.h"

__host__ __device__ __noinline__ int rotate_sum(int* values, int n, int by) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    const int other = (i + by) % n;
    sum += values[other] * (i + 1);
    values[i] ^= values[other];
  }
  return sum;
}

__host__ __device__ inline long long work(int seed) {
  int ints[24];
  unsigned char bytes[40];
  double doubles[6];
  short pairs[5][7];
  for (int i = 0; i < 24; ++i) ints[i] = seed * (i + 3);
  for (int i = 0; i < 40; ++i) bytes[(i * 7 + seed) % 40] = static_cast<unsigned char>(i ^ seed);
  for (int i = 0; i < 6; ++i) doubles[(i + seed) % 6] = i * 0.5;
  for (int i = 0; i < 35; ++i) pairs[i % 5][i % 7] = static_cast<short>(i - seed);
  long long result = rotate_sum(ints, 24, seed % 23 + 1);
  for (int i = 0; i < 10; ++i) {
    const int k = (seed * 13 + i * 5) % 40;
    result += bytes[k] * ints[k % 24];
    result += static_cast<long long>(doubles[k % 6] * 2) + pairs[k % 5][k % 7];
    bytes[k] = static_cast<unsigned char>(result);
  }
  return result;
}

__global__ void run(long long* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = work(i);
}

// Pascal's triangle row by row: the same array is read and written in one loop.
__global__ void pascal(const int* row, unsigned* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned c[32] = {1};
  const int rows = row[i];
  for (int r = 1; r <= rows; ++r) {
    for (int k = r; k > 0; --k) c[k] = (k < r ? c[k] : 0) + c[k - 1];
  }
  out[i] = c[rows / 2];
}

int main() {
  const int n = 600;
  check::DeviceArray<long long> out(n);
  run<<<(n + 95) / 96, 96>>>(out, n);
  KERNEL_OK();
  const auto result = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], work(i), "%d", i);

  std::vector<int> rows(n);
  for (int i = 0; i < n; ++i) rows[i] = i * 11 % 31;
  check::DeviceArray<int> device_rows(rows);
  check::DeviceArray<unsigned> centre(n);
  pascal<<<(n + 63) / 64, 64>>>(device_rows, centre, n);
  KERNEL_OK();
  const auto values = centre.host();
  for (int i = 0; i < n; ++i) {
    unsigned long long c = 1;
    const int k = rows[i] / 2;
    for (int j = 1; j <= k; ++j) c = c * (rows[i] - k + j) / j;
    EXPECT_EQ(values[i], unsigned(c), "row %d", rows[i]);
  }
  return check::finish("local_array");
}
