// Thread block clusters: blocks that read each other's shared memory, with the size of a cluster in the kernel and in
// the launch. Devices without clusters refuse such launches.
#include <cooperative_groups.h>

#include "check.h"

namespace cg = cooperative_groups;

constexpr int kThreads = 64;

__device__ void sum_cluster(const int* in, int* out) {
  __shared__ int mine;
  cg::cluster_group cluster = cg::this_cluster();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0) mine = 0;
  __syncthreads();
  atomicAdd(&mine, in[i]);
  cluster.sync();
  if (threadIdx.x == 0) {
    int sum = 0;
    for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank)
      sum += *cluster.map_shared_rank(&mine, rank);
    out[blockIdx.x] = sum + 1000000 * cluster.block_rank();
  }
  cluster.sync();
}

__global__ void __cluster_dims__(4, 1, 1) fixed(const int* in, int* out) { sum_cluster(in, out); }
__global__ void open(const int* in, int* out) { sum_cluster(in, out); }

cudaError_t launch(int blocks, int cluster, const int* in, int* out) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = dim3(blocks);
  configuration.blockDim = dim3(kThreads);
  configuration.attrs = &attribute;
  configuration.numAttrs = 1;
  return cudaLaunchKernelEx(&configuration, open, in, out);
}

void expect_sums(const int* in, const int* out, int blocks, int cluster) {
  std::vector<int> sums(blocks), values(blocks * kThreads);
  CUDA_OK(cudaMemcpy(sums.data(), out, blocks * sizeof(int), cudaMemcpyDeviceToHost));
  CUDA_OK(cudaMemcpy(values.data(), in, values.size() * sizeof(int), cudaMemcpyDeviceToHost));
  for (int block = 0; block < blocks; ++block) {
    int sum = 0;
    for (int i = 0; i < cluster * kThreads; ++i)
      sum += values[block / cluster * cluster * kThreads + i];
    EXPECT_EQ(sums[block], sum + 1000000 * (block % cluster), "block %d", block);
  }
}

int main() {
  constexpr int kBlocks = 16;
  std::vector<int> host(kBlocks * kThreads);
  for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<int>(i * 7 % 101);
  int *in, *out;
  CUDA_OK(cudaMalloc(&in, host.size() * sizeof(int)));
  CUDA_OK(cudaMalloc(&out, kBlocks * sizeof(int)));
  CUDA_OK(cudaMemcpy(in, host.data(), host.size() * sizeof(int), cudaMemcpyHostToDevice));
  int has_clusters = 0;
  CUDA_OK(cudaDeviceGetAttribute(&has_clusters, cudaDevAttrClusterLaunch, 0));
  if (!has_clusters) {
    EXPECT_ERROR(launch(kBlocks, 2, in, out), cudaErrorNotSupported);
    fixed<<<kBlocks, kThreads>>>(in, out);
    EXPECT_ERROR(cudaGetLastError(), cudaErrorNotSupported);
    // A cluster of one block is a block.
    CUDA_OK(launch(kBlocks, 1, in, out));
    expect_sums(in, out, kBlocks, 1);
    return check::finish("clusters");
  }
  fixed<<<kBlocks, kThreads>>>(in, out);
  KERNEL_OK();
  expect_sums(in, out, kBlocks, 4);
  for (int cluster : {1, 2, 8}) {
    CUDA_OK(launch(kBlocks, cluster, in, out));
    expect_sums(in, out, kBlocks, cluster);
  }
  EXPECT_ERROR(launch(kBlocks, 3, in, out),
               cudaErrorInvalidClusterSize);  // the grid is no multiple
  EXPECT_ERROR(launch(kBlocks, 16, in, out), cudaErrorInvalidClusterSize);  // not without asking
  EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidClusterSize);
  CUDA_OK(cudaFuncSetAttribute(open, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  CUDA_OK(launch(kBlocks, 16, in, out));
  expect_sums(in, out, kBlocks, 16);
  return check::finish("clusters");
}
