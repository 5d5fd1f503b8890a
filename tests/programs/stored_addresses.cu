// Kernels that leave addresses in memory: what the host reads are its own pointers, and kernels that read them reach
// what they point to, wherever either kernel ran.
#include "check.h"

constexpr int kCount = 256;

__device__ int table[kCount];

struct List {
  int value;
  List* next;
};

/// Each block writes numbers at the places whose addresses it stores.
__global__ void scatter(float* data, float** places) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  data[i] = i;
  places[i] = data + (kCount - 1 - i);
}

__global__ void gather(float* const* places, float* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = *places[i];
}

__global__ void link(List* nodes, List** head) {
  const int i = threadIdx.x;
  nodes[i].value = i;
  nodes[i].next = i + 1 < kCount ? nodes + i + 1 : nullptr;
  if (i == 0)
    atomicExch(reinterpret_cast<unsigned long long*>(head),
               reinterpret_cast<unsigned long long>(nodes));
}

__global__ void variable(int** place, int* offset, const int* data, const int* end) {
  table[threadIdx.x] = threadIdx.x + data[0];
  if (threadIdx.x == 0) {
    *place = table + 7;
    *offset = static_cast<int>(end - data);
  }
}

int main() {
  float* data;
  float** places;
  float* out;
  CUDA_OK(cudaMalloc(&data, kCount * sizeof(float)));
  CUDA_OK(cudaMalloc(&places, kCount * sizeof(float*)));
  CUDA_OK(cudaMalloc(&out, kCount * sizeof(float)));
  scatter<<<4, kCount / 4>>>(data, places);
  KERNEL_OK();
  std::vector<float*> pointers(kCount);
  CUDA_OK(cudaMemcpy(pointers.data(), places, kCount * sizeof(float*), cudaMemcpyDefault));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(pointers[i] - data, kCount - 1 - i, "%d", i);
  gather<<<4, kCount / 4>>>(places, out);
  KERNEL_OK();
  std::vector<float> values(kCount);
  CUDA_OK(cudaMemcpy(values.data(), out, kCount * sizeof(float), cudaMemcpyDefault));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(values[i], float(kCount - 1 - i), "%d", i);

  List* nodes;
  List** head;
  CUDA_OK(cudaMalloc(&nodes, kCount * sizeof(List)));
  CUDA_OK(cudaMalloc(&head, sizeof(List*)));
  link<<<1, kCount>>>(nodes, head);
  KERNEL_OK();
  List* at;
  CUDA_OK(cudaMemcpy(&at, head, sizeof at, cudaMemcpyDefault));
  int length = 0;
  for (List node; at != nullptr && length <= kCount; at = node.next) {
    CUDA_OK(cudaMemcpy(&node, at, sizeof node, cudaMemcpyDefault));
    EXPECT_EQ(node.value, length);
    ++length;
  }
  EXPECT_EQ(length, kCount);

  int** place;
  int* numbers;
  CUDA_OK(cudaMalloc(&place, sizeof(int*)));
  CUDA_OK(cudaMalloc(&numbers, 2 * sizeof(int)));
  CUDA_OK(cudaMemset(numbers, 0, 2 * sizeof(int)));
  variable<<<1, kCount>>>(place, numbers + 1, numbers, numbers + 40);
  KERNEL_OK();
  int* inside;
  int host[2];
  CUDA_OK(cudaMemcpy(&inside, place, sizeof inside, cudaMemcpyDefault));
  CUDA_OK(cudaMemcpy(host, numbers, sizeof host, cudaMemcpyDefault));
  void* symbol;
  CUDA_OK(cudaGetSymbolAddress(&symbol, table));
  EXPECT_EQ(inside - static_cast<int*>(symbol), 7);
  EXPECT_EQ(host[1], 40);
  int seven = 0;
  CUDA_OK(cudaMemcpy(&seven, inside, sizeof seven, cudaMemcpyDefault));
  EXPECT_EQ(seven, 7);
  return check::finish("stored_addresses");
}
