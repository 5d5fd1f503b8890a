// Compare-and-swap loops: a float maximum, a 64-bit product, a 16-bit cell, a lock-free stack and a
// hash table with open addressing.
#include <algorithm>

#include "check.h"

__device__ void atomic_max_float(float* address, float value) {
  unsigned* bits = reinterpret_cast<unsigned*>(address);
  unsigned old = *bits;
  while (__uint_as_float(old) < value) {
    const unsigned assumed = old;
    old = atomicCAS(bits, assumed, __float_as_uint(value));
    if (old == assumed) break;
  }
}

__device__ void atomic_multiply(unsigned long long* address, unsigned long long factor) {
  unsigned long long old = *address, assumed;
  do {
    assumed = old;
    old = atomicCAS(address, assumed, assumed * factor);
  } while (old != assumed);
}

__global__ void maxima(const float* in, float* out, unsigned long long* product,
                       unsigned short* cell, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomic_max_float(out, in[i]);
  atomic_multiply(product, 3);
  unsigned short old = *cell, assumed;
  do {
    assumed = old;
    old = atomicCAS(cell, assumed, static_cast<unsigned short>(assumed + 1));
  } while (old != assumed);
}

constexpr unsigned kEmpty = 0xffffffffu;

__global__ void insert(const unsigned* keys, unsigned* table, unsigned* counts, unsigned size,
                       int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned key = keys[i];
  unsigned slot = key * 2654435761u % size;
  for (;;) {
    const unsigned before = atomicCAS(&table[slot], kEmpty, key);
    if (before == kEmpty || before == key) {
      atomicAdd(&counts[slot], 1u);
      return;
    }
    slot = (slot + 1) % size;
  }
}

__global__ void push(int* head, int* next, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int top = atomicAdd(head, 0);
  for (;;) {
    next[i] = top;
    const int seen = atomicCAS(head, top, i);
    if (seen == top) break;
    top = seen;
  }
}

int main() {
  const int n = 1000;
  check::Random random(21);
  std::vector<float> values(n);
  for (float& v : values) v = random.between(0, 1e6f);
  check::DeviceArray<float> in(values), out(1);
  check::DeviceArray<unsigned long long> product(std::vector<unsigned long long>(1, 1));
  check::DeviceArray<unsigned short> cell(2);
  maxima<<<8, 128>>>(in, out, product, cell, n);
  KERNEL_OK();
  EXPECT_EQ(out.host()[0], *std::max_element(values.begin(), values.end()));
  unsigned long long power = 1;
  for (int i = 0; i < n; ++i) power *= 3;
  EXPECT_EQ(product.host()[0], power);
  EXPECT_EQ(cell.host()[0], n);
  EXPECT_EQ(cell.host()[1], 0);

  const unsigned size = 601;
  std::vector<unsigned> keys(n);
  for (unsigned& k : keys) k = random.below(400) * 1000003u;
  check::DeviceArray<unsigned> device_keys(keys), table(std::vector<unsigned>(size, kEmpty)),
      counts(size);
  insert<<<8, 128>>>(device_keys, table, counts, size, n);
  KERNEL_OK();
  const auto slots = table.host(), count = counts.host();
  for (const unsigned key : keys) {
    const auto slot = std::find(slots.begin(), slots.end(), key);
    EXPECT(slot != slots.end());
    if (slot != slots.end()) {
      EXPECT_EQ(count[slot - slots.begin()], unsigned(std::count(keys.begin(), keys.end(), key)));
      EXPECT(std::find(slot + 1, slots.end(), key) == slots.end());
    }
  }

  check::DeviceArray<int> head(std::vector<int>(1, -1)), next(n);
  push<<<8, 128>>>(head, next, n);
  KERNEL_OK();
  const auto links = next.host();
  std::vector<int> visited(n);
  int length = 0;
  for (int i = head.host()[0]; i >= 0 && length <= n; i = links[i], ++length) ++visited[i];
  EXPECT_EQ(length, n);
  for (int i = 0; i < n; ++i) EXPECT_EQ(visited[i], 1, "%d", i);
  return check::finish("atomics_cas");
}
