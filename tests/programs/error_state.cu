// The error model of calls that are refused: the code each gives, that cudaGetLastError clears it
// and cudaPeekAtLastError does not, that it belongs to the thread, and that success clears nothing.
#include <thread>

#include "check.h"

__device__ int symbol;

int main() {
  void* p = nullptr;
  CUDA_OK(cudaMalloc(&p, 1024));
  char host[2048];

  EXPECT_ERROR(cudaMalloc(nullptr, 16), cudaErrorInvalidValue);
  EXPECT_ERROR(cudaPeekAtLastError(), cudaErrorInvalidValue);
  CUDA_OK(cudaMemset(p, 0, 16));  // a success in between
  EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_ERROR(cudaGetLastError(), cudaSuccess);

  void* huge = nullptr;
  EXPECT_ERROR(cudaMalloc(&huge, size_t{1} << 52), cudaErrorMemoryAllocation);
  EXPECT_ERROR(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_ERROR(cudaMemcpy(host, p, 16, static_cast<cudaMemcpyKind>(9)),
               cudaErrorInvalidMemcpyDirection);
  EXPECT_ERROR(cudaMemcpy(host, p, 2048, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_ERROR(cudaMemset(p, 0, 2048), cudaErrorInvalidValue);
  EXPECT_ERROR(cudaSetDevice(1000), cudaErrorInvalidDevice);
  EXPECT_ERROR(cudaSetDevice(-1), cudaErrorInvalidDevice);
  cudaDeviceProp properties;
  EXPECT_ERROR(cudaGetDeviceProperties(&properties, 1000), cudaErrorInvalidDevice);
  int value;
  EXPECT_ERROR(cudaDeviceGetAttribute(&value, static_cast<cudaDeviceAttr>(9999), 0),
               cudaErrorInvalidValue);
  EXPECT_ERROR(cudaFree(host), cudaErrorInvalidValue);
  EXPECT_ERROR(cudaFree(nullptr), cudaSuccess);
  EXPECT_ERROR(cudaFreeHost(nullptr), cudaSuccess);
  EXPECT_ERROR(cudaHostUnregister(host), cudaErrorHostMemoryNotRegistered);
  EXPECT_ERROR(cudaStreamDestroy(nullptr), cudaErrorInvalidResourceHandle);
  EXPECT_ERROR(cudaMemcpyToSymbol(host, host, 4), cudaErrorInvalidSymbol);
  EXPECT_ERROR(cudaMemcpyToSymbol(symbol, host, 8), cudaErrorInvalidValue);
  EXPECT_ERROR(cudaMemcpyToSymbol(symbol, host, 4, 2), cudaErrorInvalidValue);

  cudaEvent_t a, b;
  CUDA_OK(cudaEventCreate(&a));
  CUDA_OK(cudaEventCreate(&b));
  float ms;
  EXPECT_ERROR(cudaEventElapsedTime(&ms, a, b), cudaErrorInvalidResourceHandle);
  EXPECT_ERROR(cudaEventQuery(a), cudaSuccess);
  CUDA_OK(cudaEventDestroy(a));
  CUDA_OK(cudaEventDestroy(b));

  cudaGetLastError();
  cudaMalloc(nullptr, 1);
  std::thread([] { EXPECT_ERROR(cudaGetLastError(), cudaSuccess); }).join();
  EXPECT_ERROR(cudaGetLastError(), cudaErrorInvalidValue);

  CUDA_OK(cudaFree(p));
  EXPECT_ERROR(cudaFree(p), cudaErrorInvalidValue);
  EXPECT_EQ(std::string(cudaGetErrorName(cudaErrorInvalidValue)),
            std::string("cudaErrorInvalidValue"));
  EXPECT_EQ(std::string(cudaGetErrorString(cudaErrorInvalidValue)),
            std::string("invalid argument"));
  EXPECT_EQ(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)),
            std::string("out of memory"));
  EXPECT_EQ(std::string(cudaGetErrorName(cudaErrorIllegalAddress)),
            std::string("cudaErrorIllegalAddress"));
  EXPECT_EQ(std::string(cudaGetErrorString(cudaErrorIllegalAddress)),
            std::string("an illegal memory access was encountered"));
  EXPECT_EQ(std::string(cudaGetErrorString(cudaSuccess)), std::string("no error"));
  EXPECT_EQ(std::string(cudaGetErrorName(static_cast<cudaError_t>(54321))),
            std::string("unrecognized error code"));
  return check::finish("error_state");
}
