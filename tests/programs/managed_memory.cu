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

#if CUDART_VERSION >= 13000
/// Several prefetches in one call: locations are for the operations from their index on.
void batches(Node* nodes, int device) {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  void* starts[3] = {nodes, nodes + 40, nodes + 60};
  size_t sizes[3] = {40 * sizeof(Node), 20 * sizeof(Node), 40 * sizeof(Node)};
  cudaMemLocation places[2] = {{cudaMemLocationTypeDevice, {device}},
                               {cudaMemLocationTypeHost, {0}}};
  size_t first[2] = {0, 2};
  auto prefetch = [&](size_t count, size_t locations) {
    return cudaMemPrefetchBatchAsync(starts, sizes, count, places, first, locations, 0, stream);
  };
  CUDA_OK(prefetch(3, 2));
  CUDA_OK(prefetch(2, 1));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(nodes[i].value, i * i, "%d", i);
  EXPECT_ERROR(prefetch(2, 2), cudaErrorInvalidValue);  // the second location is for none
  EXPECT_ERROR(prefetch(3, 0), cudaErrorInvalidValue);
  first[0] = 1;
  EXPECT_ERROR(prefetch(3, 2), cudaErrorInvalidValue);
  first[0] = 0;
  first[1] = 0;
  EXPECT_ERROR(prefetch(3, 2), cudaErrorInvalidValue);
  first[1] = 2;
  places[1].type = cudaMemLocationTypeInvalid;
  EXPECT_ERROR(prefetch(3, 2), cudaErrorInvalidValue);
  CUDA_OK(cudaMemDiscardBatchAsync(starts + 2, sizes + 2, 1, 0, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (int i = 60; i < 100; ++i) nodes[i] = {i * i, i + 1 < 100 ? &nodes[i + 1] : nullptr};
  CUDA_OK(cudaStreamDestroy(stream));
}
#endif

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
#if CUDART_VERSION >= 13000
    batches(nodes, device);
#endif
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
