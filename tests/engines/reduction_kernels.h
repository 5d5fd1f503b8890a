// Kernels whose blocks combine integers in memory that all of them share.
#pragma once

namespace reductions {

inline constexpr int kBins = 20011;
inline constexpr int kColumns = 256;

struct Sums {
  unsigned before;
  unsigned count;
  unsigned long long squares;
  unsigned after;
};

void launch_histogram_shared(const unsigned* in, unsigned* bins, int n);
void launch_histogram_global(const unsigned* in, unsigned* bins, int n);
void launch_sums(const unsigned* in, Sums* out, int n);
void launch_least(const unsigned* in, int* out, int n);
void launch_largest(const unsigned* in, long long* out, int n);
void launch_bits(const unsigned* in, unsigned* any, unsigned* all, unsigned long long* parity,
                 int n);
void launch_rows_and_columns(const unsigned* in, unsigned* squares, unsigned* columns, int rows);
void launch_scale(unsigned* bins, int n, unsigned factor);

}  // namespace reductions
