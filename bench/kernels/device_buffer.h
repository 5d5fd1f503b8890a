// Device memory for the benchmarks' .cu files; any CUDA error ends the program with its text.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace bench {

inline void cuda_ok(cudaError_t code, const char* what) {
  if (code != cudaSuccess) {
    std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(code));
    std::exit(1);
  }
}

template <typename T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { cudaFree(data_); }

  void resize(size_t n) {
    size_ = n;
    cuda_ok(cudaMalloc(&data_, n * sizeof(T)), "cudaMalloc");
    cuda_ok(cudaMemset(data_, 0, n * sizeof(T)), "cudaMemset");
  }
  void upload(const std::vector<T>& values) {
    if (size_ != values.size()) resize(values.size());
    cuda_ok(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice), "upload");
  }
  std::vector<T> download() const {
    std::vector<T> values(size_);
    cuda_ok(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost),
            "download");
    return values;
  }
  void swap(DeviceBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  operator T*() { return data_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace bench
