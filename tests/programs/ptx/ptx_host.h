// Runs PTX from plain C++: no nvcc, no CUDA headers.
//
// PtxModule wraps a PTX file in a fatbin as nvcc would embed it and registers it and its kernels
// through the entry points that nvcc-compiled programs call, so the same path is taken as in a real
// program. The declarations are this file's own, for the few runtime functions that are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ptx {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

enum CopyKind { kHostToDevice = 1, kDeviceToHost = 2 };

extern "C" {
int cudaMalloc(void** pointer, size_t bytes);
int cudaFree(void* pointer);
int cudaMemset(void* pointer, int value, size_t bytes);
int cudaMemcpy(void* to, const void* from, size_t bytes, int kind);
int cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, int kind);
int cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, int kind);
int cudaDeviceSynchronize(void);
int cudaGetLastError(void);
int cudaLaunchKernel(const void* function, Dim3 grid, Dim3 block, void** arguments,
                     size_t shared_bytes, void* stream);
void** __cudaRegisterFatBinary(void* wrapper);
void __cudaRegisterFatBinaryEnd(void** handle);
void __cudaUnregisterFatBinary(void** handle);
void __cudaRegisterFunction(void** handle, const char* host_function, char* device_function,
                            const char* device_name, int thread_limit, void* tid, void* bid,
                            void* block_dim, void* grid_dim, int* warp_size);
void __cudaRegisterVar(void** handle, char* host_variable, char* device_address,
                       const char* device_name, int is_external, size_t bytes, int is_constant,
                       int is_global);
}

struct Text {
  std::string ptx;
};

class PtxModule {
 public:
  // The names must stay valid: string literals.
  PtxModule(const std::string& path, std::vector<const char*> kernels)
      : PtxModule(read(path), std::move(kernels)) {}
  PtxModule(const Text& text, std::vector<const char*> kernels) {
    build_fatbin(text.ptx);
    wrapper_ = {0x466243b1u, 1, fatbin_.data(), nullptr};
    handle_ = __cudaRegisterFatBinary(&wrapper_);
    stubs_.resize(kernels.size());
    for (size_t i = 0; i < kernels.size(); ++i) {
      names_.emplace_back(kernels[i]);
      __cudaRegisterFunction(handle_, &stubs_[i], const_cast<char*>(kernels[i]), kernels[i], -1,
                             nullptr, nullptr, nullptr, nullptr, nullptr);
    }
  }
  ~PtxModule() { __cudaUnregisterFatBinary(handle_); }
  PtxModule(const PtxModule&) = delete;
  PtxModule& operator=(const PtxModule&) = delete;

  // `shadow` stands for the variable in calls such as cudaMemcpyToSymbol.
  void variable(void* shadow, const char* name, size_t bytes, bool is_constant) {
    __cudaRegisterVar(handle_, static_cast<char*>(shadow), const_cast<char*>(name), name, 0, bytes,
                      is_constant, 0);
  }
  // After the last variable, before the first launch.
  void finish() { __cudaRegisterFatBinaryEnd(handle_); }

  // Launches and waits; the first error of either, 0 for none.
  template <typename... Arguments>
  int launch(const std::string& kernel, Dim3 grid, Dim3 block, size_t shared_bytes,
             Arguments... arguments) {
    void* pointers[] = {static_cast<void*>(&arguments)..., nullptr};
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] != kernel) continue;
      if (int code = cudaLaunchKernel(&stubs_[i], grid, block, pointers, shared_bytes, nullptr)) {
        return code;
      }
      return cudaDeviceSynchronize();
    }
    return -1;
  }

 private:
  struct Wrapper {
    uint32_t magic, version;
    const void* data;
    void* prelinked;
  };

  static Text read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::string{std::istreambuf_iterator<char>(file), {}}};
  }

  // A header, one PTX entry (64-bit, Linux, not compressed), the text padded to 8 bytes.
  void build_fatbin(const std::string& text) {
    constexpr size_t kHeader = 16, kEntry = 80;
    const size_t padded = (text.size() + 1 + 7) / 8 * 8;
    fatbin_.assign((kHeader + kEntry + padded) / 8, 0);
    auto* bytes = reinterpret_cast<unsigned char*>(fatbin_.data());
    const auto put = [&](size_t offset, auto value) {
      std::memcpy(bytes + offset, &value, sizeof(value));
    };
    put(0, uint32_t{0xba55ed50});
    put(4, uint16_t{1});
    put(6, uint16_t{kHeader});
    put(8, uint64_t{kEntry + padded});
    put(kHeader + 0, uint16_t{1});  // PTX
    put(kHeader + 2, uint16_t{0x101});
    put(kHeader + 4, uint32_t{kEntry});
    put(kHeader + 8, uint64_t{padded});
    put(kHeader + 20, uint32_t{64});  // where the options stand: at 72, an empty string
    put(kHeader + 64, uint32_t{72});
    put(kHeader + 24, uint16_t{0});  // PTX ISA 9.0: minor, then major
    put(kHeader + 26, uint16_t{9});
    put(kHeader + 28, uint32_t{75});  // architecture
    put(kHeader + 40, uint64_t{0x11});
    std::memcpy(bytes + kHeader + kEntry, text.data(), text.size());
  }

  std::vector<uint64_t> fatbin_;
  Wrapper wrapper_{};
  void** handle_ = nullptr;
  std::vector<char> stubs_;
  std::vector<std::string> names_;
};

// Device memory for n values.
template <typename T>
class Array {
 public:
  explicit Array(size_t n) : size_(n) {
    if (cudaMalloc(&data_, n * sizeof(T)) != 0) data_ = nullptr;
    cudaMemset(data_, 0, n * sizeof(T));
  }
  explicit Array(const std::vector<T>& values) : Array(values.size()) {
    cudaMemcpy(data_, values.data(), size_ * sizeof(T), kHostToDevice);
  }
  ~Array() { cudaFree(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  T* get() { return static_cast<T*>(data_); }
  std::vector<T> host() {
    std::vector<T> values(size_);
    cudaMemcpy(values.data(), data_, size_ * sizeof(T), kDeviceToHost);
    return values;
  }

 private:
  void* data_ = nullptr;
  size_t size_;
};

}  // namespace ptx
