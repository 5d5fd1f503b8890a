// __managed__ variables and cudaMallocManaged: the host and kernels see each other's writes through
// the same pointer, linked structures included.
#include "check.h"

__managed__ int total = 5;
__managed__ float row[64];

struct Node {
  int value;
  Node* next;
};

__global__ void scale() {
  row[threadIdx.x] = row[threadIdx.x] * 2 + total;
  __syncthreads();
  if (threadIdx.x == 0) total += 100;
}

__global__ void walk(const Node* head, int* sum) {
  int s = 0;
  for (const Node* n = head; n; n = n->next) s += n->value;
  *sum = s;
}

int main() {
  for (int i = 0; i < 64; ++i) row[i] = i;
  scale<<<1, 64>>>();
  KERNEL_OK();
  for (int i = 0; i < 64; ++i) EXPECT_EQ(row[i], i * 2.0f + 5, "%d", i);
  EXPECT_EQ(total, 105);
  total = 1;
  scale<<<1, 64>>>();
  KERNEL_OK();
  for (int i = 0; i < 64; ++i) EXPECT_EQ(row[i], i * 4.0f + 11, "%d", i);
  EXPECT_EQ(total, 101);

  Node* nodes;
  int* sum;
  CUDA_OK(cudaMallocManaged(&nodes, 100 * sizeof(Node)));
  CUDA_OK(cudaMallocManaged(&sum, sizeof(int), cudaMemAttachGlobal));
  for (int i = 0; i < 100; ++i) {
    nodes[i].value = i * i;
    nodes[i].next = i + 1 < 100 ? &nodes[i + 1] : nullptr;
  }
  walk<<<1, 1>>>(nodes, sum);
  KERNEL_OK();
  EXPECT_EQ(*sum, 328350);

  int device = 0;
  CUDA_OK(cudaGetDevice(&device));
  cudaMemLocation where{};
  where.type = cudaMemLocationTypeDevice;
  where.id = device;
  int concurrent = 0;
  CUDA_OK(cudaDeviceGetAttribute(&concurrent, cudaDevAttrConcurrentManagedAccess, device));
  if (concurrent) {
    CUDA_OK(cudaMemAdvise(nodes, 100 * sizeof(Node), cudaMemAdviseSetReadMostly, where));
    CUDA_OK(cudaMemPrefetchAsync(nodes, 100 * sizeof(Node), where, 0));
    CUDA_OK(cudaMemAdvise(nodes, sizeof(Node), cudaMemAdviseUnsetReadMostly, where));
    where.type = cudaMemLocationTypeHost;
    CUDA_OK(cudaMemAdvise(nodes, sizeof(Node), cudaMemAdviseSetAccessedBy, where));
    CUDA_OK(cudaMemPrefetchAsync(nodes, 100 * sizeof(Node), where, 0));
    CUDA_OK(cudaDeviceSynchronize());
    EXPECT_EQ(nodes[99].value, 99 * 99);
    // What is no place, and what has none.
    where.type = cudaMemLocationTypeInvalid;
    EXPECT_ERROR(cudaMemPrefetchAsync(nodes, sizeof(Node), where, 0), cudaErrorInvalidValue);
    where.type = cudaMemLocationTypeDevice;
    where.id = 1000;
    EXPECT_ERROR(cudaMemPrefetchAsync(nodes, sizeof(Node), where, 0), cudaErrorInvalidDevice);
    where.id = device;
    EXPECT_ERROR(cudaMemPrefetchAsync(nodes, sizeof(Node), where, 1), cudaErrorInvalidValue);
    EXPECT_ERROR(cudaMemPrefetchAsync(nodes, 0, where, 0), cudaErrorInvalidValue);
    EXPECT_ERROR(cudaMemAdvise(nodes, sizeof(Node), cudaMemoryAdvise(99), where),
                 cudaErrorInvalidValue);
    int* plain;
    CUDA_OK(cudaMalloc(&plain, 4096));
    EXPECT_ERROR(cudaMemPrefetchAsync(plain, 4096, where, 0), cudaErrorInvalidValue);
    EXPECT_ERROR(cudaMemAdvise(plain, 4096, cudaMemAdviseSetPreferredLocation, where),
                 cudaErrorInvalidValue);
    CUDA_OK(cudaFree(plain));
  }
  int value;
  CUDA_OK(cudaMemcpyFromSymbol(&value, total, 4));
  EXPECT_EQ(value, 101);
  cudaPointerAttributes attributes;
  CUDA_OK(cudaPointerGetAttributes(&attributes, nodes));
  EXPECT_EQ(int(attributes.type), int(cudaMemoryTypeManaged));
  CUDA_OK(cudaFree(nodes));
  CUDA_OK(cudaFree(sum));
  return check::finish("managed_memory");
}
