// malloc, free, new and delete inside kernels: distinct aligned blocks, memory that outlives the
// launch, null on exhaustion, and a structure built by one kernel and read by the next.
#include <algorithm>

#include "check.h"

struct Node {
  int value;
  Node* next;
};

__device__ Node* heads[64];

__global__ void build(int per_list) {
  Node* head = nullptr;
  for (int i = 0; i < per_list; ++i) {
    Node* node = new Node;
    node->value = threadIdx.x * 1000 + i;
    node->next = head;
    head = node;
  }
  heads[threadIdx.x] = head;
}

__global__ void consume(long long* sums) {
  long long sum = 0;
  for (Node* node = heads[threadIdx.x]; node;) {
    sum += node->value;
    Node* next = node->next;
    delete node;
    node = next;
  }
  sums[threadIdx.x] = sum;
}

__global__ void blocks_of_memory(unsigned long long* addresses) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const size_t size = 16 + i % 50 * 8;
  char* p = static_cast<char*>(malloc(size));
  addresses[i] = reinterpret_cast<unsigned long long>(p);
  if (!p) return;
  memset(p, i & 255, size);
  for (size_t k = 0; k < size; ++k) {
    if (static_cast<unsigned char>(p[k]) != (i & 255)) addresses[i] = 1;
  }
}

__global__ void release(const unsigned long long* addresses) {
  free(reinterpret_cast<void*>(addresses[blockIdx.x * blockDim.x + threadIdx.x]));
}

__global__ void too_much(int* is_null) {
  void* p = malloc(size_t{1} << 40);
  *is_null = p == nullptr;
  free(nullptr);
}

int main() {
  CUDA_OK(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 16 << 20));
  build<<<1, 64>>>(20);
  KERNEL_OK();
  check::DeviceArray<long long> sums(64);
  consume<<<1, 64>>>(sums);
  KERNEL_OK();
  const auto sum = sums.host();
  for (int t = 0; t < 64; ++t) EXPECT_EQ(sum[t], t * 20000ll + 190, "%d", t);

  const int n = 512;
  check::DeviceArray<unsigned long long> addresses(n);
  blocks_of_memory<<<4, 128>>>(addresses);
  KERNEL_OK();
  const auto a = addresses.host();
  std::vector<std::pair<unsigned long long, int>> sorted;
  for (int i = 0; i < n; ++i) {
    EXPECT(a[i] > 1 && a[i] % 16 == 0);
    sorted.push_back({a[i], 16 + i % 50 * 8});
  }
  std::sort(sorted.begin(), sorted.end());
  for (int i = 1; i < n; ++i) EXPECT(sorted[i - 1].first + sorted[i - 1].second <= sorted[i].first);
  release<<<4, 128>>>(addresses);
  KERNEL_OK();
  check::DeviceArray<int> is_null(1);
  too_much<<<1, 1>>>(is_null);
  KERNEL_OK();
  EXPECT_EQ(is_null.host()[0], 1);
  return check::finish("device_malloc");
}
