// A block for each row, loops over columns that the compiler unrolls: rows of all widths end where they should.
#include "check.h"

constexpr int kThreads = 128;

/// out = in - the row's least element, twice over the row.
__global__ void above_least(int columns, const int* in, int* out) {
  __shared__ int least;
  const int* row = in + size_t{blockIdx.x} * columns;
  int* to = out + size_t{blockIdx.x} * columns;
  if (threadIdx.x == 0) least = 0x7fffffff;
  __syncthreads();
  int mine = 0x7fffffff;
  for (int c = threadIdx.x; c < columns; c += kThreads) {
    mine = min(mine, row[c]);
    to[c] = row[c];
  }
  atomicMin(&least, mine);
  __syncthreads();
  for (int c = threadIdx.x; c < columns; c += kThreads) to[c] -= least;
}

/// Unsigned columns, and a sum of each column on the side.
__global__ void column_sums(unsigned columns, const int* in, int* out, int* sums) {
  for (unsigned c = threadIdx.x; c < columns; c += kThreads) {
    const size_t at = size_t{blockIdx.x} * columns + c;
    out[at] = 3 * in[at];
    atomicAdd(&sums[c], in[at]);
  }
}

int main() {
  for (const int columns :
       {1, 100, 127, 128, 129, 383, 384, 385, 511, 512, 513, 1000, 1024, 1151}) {
    constexpr int kRows = 23;
    check::Random random(columns);
    std::vector<int> in(size_t{kRows} * columns);
    for (int& value : in) value = static_cast<int>(random.bits() >> 8);
    std::vector<int> expected = in, tripled = in, sums(columns, 7);
    for (int r = 0; r < kRows; ++r) {
      int* row = expected.data() + size_t{static_cast<size_t>(r)} * columns;
      int least = row[0];
      for (int c = 0; c < columns; ++c) least = row[c] < least ? row[c] : least;
      for (int c = 0; c < columns; ++c) {
        const size_t at = static_cast<size_t>(r) * columns + c;
        row[c] -= least;
        tripled[at] *= 3;
        sums[c] += in[at];
      }
    }
    check::DeviceArray<int> device_in(in), out(in.size()),
        device_sums(std::vector<int>(columns, 7));
    above_least<<<kRows, kThreads>>>(columns, device_in, out);
    KERNEL_OK();
    auto result = out.host();
    for (size_t i = 0; i < in.size(); ++i)
      EXPECT_EQ(result[i], expected[i], "element %d of %d columns", static_cast<int>(i), columns);
    column_sums<<<kRows, kThreads>>>(columns, device_in, out, device_sums);
    KERNEL_OK();
    result = out.host();
    for (size_t i = 0; i < in.size(); ++i)
      EXPECT_EQ(result[i], tripled[i], "element %d of %d columns", static_cast<int>(i), columns);
    const auto totals = device_sums.host();
    for (int c = 0; c < columns; ++c)
      EXPECT_EQ(totals[c], sums[c], "sum of column %d of %d", c, columns);
  }
  return check::finish("row_loops");
}
