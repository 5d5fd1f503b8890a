// Graphs: a captured sequence of copies, kernels and memsets on two streams is instantiated and
// launched again and again; a graph built by hand; updates of a kernel node's parameters.
#include "check.h"

__global__ void add(int* p, int n, int v) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i] += v;
}

__global__ void combine(const int* a, const int* b, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] * 10 + b[i];
}

int main() {
  const int n = 1000, blocks = 4;
  check::DeviceArray<int> a(n), b(n), out(n);
  int* result;
  CUDA_OK(cudaMallocHost(&result, n * sizeof(int)));
  cudaStream_t stream, side;
  CUDA_OK(cudaStreamCreate(&stream));
  CUDA_OK(cudaStreamCreate(&side));
  cudaEvent_t fork, join;
  CUDA_OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  CUDA_OK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));

  EXPECT_ERROR(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
               cudaErrorStreamCaptureUnsupported);
  cudaGetLastError();
  CUDA_OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  add<<<blocks, 256, 0, stream>>>(a, n, 1);
  CUDA_OK(cudaEventRecord(fork, stream));
  CUDA_OK(cudaStreamWaitEvent(side, fork, 0));
  add<<<blocks, 256, 0, side>>>(b, n, 2);
  CUDA_OK(cudaEventRecord(join, side));
  add<<<blocks, 256, 0, stream>>>(a, n, 1);
  CUDA_OK(cudaStreamWaitEvent(stream, join, 0));
  combine<<<blocks, 256, 0, stream>>>(a, b, out, n);
  CUDA_OK(cudaMemcpyAsync(result, out, n * 4, cudaMemcpyDeviceToHost, stream));
  cudaStreamCaptureStatus status;
  CUDA_OK(cudaStreamIsCapturing(stream, &status));
  EXPECT_EQ(int(status), int(cudaStreamCaptureStatusActive));
  cudaGraph_t graph;
  CUDA_OK(cudaStreamEndCapture(stream, &graph));
  CUDA_OK(cudaStreamIsCapturing(stream, &status));
  EXPECT_EQ(int(status), int(cudaStreamCaptureStatusNone));
  EXPECT_EQ(a.host()[0], 0);  // nothing has run
  size_t nodes = 0;
  CUDA_OK(cudaGraphGetNodes(graph, nullptr, &nodes));
  EXPECT_EQ(nodes, size_t{5});

  cudaGraphExec_t executable;
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  for (int launch = 1; launch <= 5; ++launch) {
    CUDA_OK(cudaGraphLaunch(executable, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    for (int i = 0; i < n; ++i) EXPECT_EQ(result[i], launch * 20 + launch * 2, "launch %d", launch);
  }
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));

  // By hand: memset -> kernel -> kernel.
  CUDA_OK(cudaGraphCreate(&graph, 0));
  cudaGraphNode_t clear, first, second;
  cudaMemsetParams memset{};
  memset.dst = a.get();
  memset.elementSize = 4;
  memset.width = n;
  memset.height = 1;
  memset.value = 7;
  CUDA_OK(cudaGraphAddMemsetNode(&clear, graph, nullptr, 0, &memset));
  int* pointer = a;
  int length = n, value = 5;
  void* arguments[] = {&pointer, &length, &value};
  cudaKernelNodeParams kernel{};
  kernel.func = reinterpret_cast<void*>(add);
  kernel.gridDim = dim3(blocks);
  kernel.blockDim = dim3(256);
  kernel.kernelParams = arguments;
  CUDA_OK(cudaGraphAddKernelNode(&first, graph, &clear, 1, &kernel));
  value = 100;  // the first node has copied its arguments
  CUDA_OK(cudaGraphAddKernelNode(&second, graph, &first, 1, &kernel));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_OK(cudaGraphLaunch(executable, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (const int v : a.host()) EXPECT_EQ(v, 112);
  value = 1000;
  CUDA_OK(cudaGraphExecKernelNodeSetParams(executable, second, &kernel));
  CUDA_OK(cudaGraphLaunch(executable, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (const int v : a.host()) EXPECT_EQ(v, 1012);
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));
  CUDA_OK(cudaFreeHost(result));
  return check::finish("graph_capture");
}
