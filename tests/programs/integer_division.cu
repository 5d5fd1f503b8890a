// Integer division and remainder in 16, 32 and 64 bits, signed and unsigned: exact everywhere, and
// neither division by zero nor INT_MIN / -1 ends the kernel. Divisors vary per lane or are uniform.
#include <limits>

#include "check.h"

template <typename T>
__global__ void divide(const T* a, const T* b, T* quotient, T* remainder, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  quotient[i] = a[i] / b[i];
  remainder[i] = a[i] % b[i];
}

template <typename T>
__global__ void divide_uniform(const T* a, T b, T* quotient, T* remainder, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  quotient[i] = a[i] / b;
  remainder[i] = a[i] % b;
}

template <typename T>
__global__ void divide_constants(const T* a, T* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] / 3 + a[i] / 7 * 2 + a[i] % 10 + a[i] / 1000 + a[i] / 64 + a[i] % 641;
}

template <typename T>
void run(const char* name) {
  const bool is_signed = std::is_signed_v<T>;
  const T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  std::vector<T> special = {0,     1,     2,     3,           5,          7,
                            10,    100,   low,   T(low + 1),  high,       T(high - 1),
                            T(-1), T(-2), T(-7), T(high / 2), T(high / 3)};
  std::vector<T> a, b;
  for (const T x : special) {
    for (const T y : special) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  check::Random random(sizeof(T));
  for (int i = 0; i < 2000; ++i) {
    a.push_back(T(random.bits64() >> random.below(64)));
    b.push_back(T(random.bits64() >> random.below(64)));
  }
  const int n = static_cast<int>(a.size());
  check::DeviceArray<T> da(a), db(b), quotient(n), remainder(n);
  divide<T><<<(n + 127) / 128, 128>>>(da, db, quotient, remainder, n);
  KERNEL_OK();
  auto q = quotient.host(), r = remainder.host();
  for (int i = 0; i < n; ++i) {
    if (b[i] == 0) continue;  // the value is unspecified
    if (is_signed && a[i] == low && b[i] == T(-1)) {
      EXPECT_EQ(r[i], T(0), "%s %d", name, i);
      continue;
    }
    EXPECT_EQ(q[i], T(a[i] / b[i]), "%s: %lld / %lld", name, (long long)a[i], (long long)b[i]);
    EXPECT_EQ(r[i], T(a[i] % b[i]), "%s: %lld %% %lld", name, (long long)a[i], (long long)b[i]);
  }
  for (const T divisor : {T(1), T(3), T(10), T(127), T(-5), high, T(0)}) {
    divide_uniform<T><<<(n + 127) / 128, 128>>>(da, divisor, quotient, remainder, n);
    KERNEL_OK();
    if (divisor == 0) continue;
    q = quotient.host();
    r = remainder.host();
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(q[i], T(a[i] / divisor), "%s: %lld / %lld", name, (long long)a[i],
                (long long)divisor);
      EXPECT_EQ(r[i], T(a[i] % divisor), "%s: %lld %% %lld", name, (long long)a[i],
                (long long)divisor);
    }
  }
  divide_constants<T><<<(n + 127) / 128, 128>>>(da, quotient, n);
  KERNEL_OK();
  q = quotient.host();
  for (int i = 0; i < n; ++i) {
    const T x = a[i];
    EXPECT_EQ(q[i], T(x / 3 + x / 7 * 2 + x % 10 + x / 1000 + x / 64 + x % 641), "%s: %lld", name,
              (long long)x);
  }
}

int main() {
  run<int>("int");
  run<unsigned>("unsigned");
  run<long long>("long long");
  run<unsigned long long>("unsigned long long");
  run<short>("short");
  run<unsigned short>("unsigned short");
  return check::finish("integer_division");
}
