// cudaPointerGetAttributes tells device, host, managed and unregistered memory apart, inside
// allocations as well as at their start.
#include "check.h"

__device__ int variable[16];

int main() {
  int device = -1;
  CUDA_OK(cudaGetDevice(&device));
  const auto attributes = [](const void* p) {
    cudaPointerAttributes a{};
    CUDA_OK(cudaPointerGetAttributes(&a, p));
    return a;
  };
  char* p;
  CUDA_OK(cudaMalloc(&p, 1000));
  for (char* at : {p, p + 1, p + 999}) {
    const auto a = attributes(at);
    EXPECT_EQ(int(a.type), int(cudaMemoryTypeDevice));
    EXPECT_EQ(a.device, device);
    EXPECT(a.devicePointer == at);
  }
  char* host;
  CUDA_OK(cudaMallocHost(&host, 1000));
  auto a = attributes(host + 10);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeHost));
  EXPECT(a.hostPointer == host + 10);
  EXPECT(a.devicePointer != nullptr);
  char* managed;
  CUDA_OK(cudaMallocManaged(&managed, 1000));
  a = attributes(managed + 5);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeManaged));
  EXPECT(a.devicePointer == managed + 5 && a.hostPointer == managed + 5);
  int local = 0;
  a = attributes(&local);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeUnregistered));
  a = attributes(nullptr);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeUnregistered));
  std::vector<char> own(10000);
  CUDA_OK(cudaHostRegister(own.data(), own.size(), cudaHostRegisterDefault));
  a = attributes(own.data() + 77);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeHost));
  CUDA_OK(cudaHostUnregister(own.data()));
  a = attributes(own.data() + 77);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeUnregistered));
  void* symbol;
  CUDA_OK(cudaGetSymbolAddress(&symbol, variable));
  a = attributes(symbol);
  EXPECT_EQ(int(a.type), int(cudaMemoryTypeDevice));
  CUDA_OK(cudaFree(p));
  CUDA_OK(cudaFree(managed));
  CUDA_OK(cudaFreeHost(host));
  return check::finish("pointer_attributes");
}
