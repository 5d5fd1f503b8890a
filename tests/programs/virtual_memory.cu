// A vector that grows in place: addresses are reserved once, memory is mapped behind as it is needed (driver API), and
// kernels, copies and pointers stored in device memory know one array.
#include "check.h"

#include <cuda.h>

template <typename Function>
Function driver(const char* name, Function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result;
  CUDA_OK(cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result));
  EXPECT_EQ(result, cudaDriverEntryPointSuccess, "%s", name);
  return reinterpret_cast<Function>(found);
}
#define DRIVER(name) driver(#name, &name)
#define CU_OK(call) EXPECT_EQ(static_cast<int>(call), 0)

template <typename T>
class GrowingVector {
 public:
  GrowingVector(size_t most_bytes) {
    property_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    property_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    property_.location.id = 0;
    CU_OK(DRIVER(cuMemGetAllocationGranularity)(&chunk_, &property_,
                                                CU_MEM_ALLOC_GRANULARITY_MINIMUM));
    reserved_ = (most_bytes + chunk_ - 1) / chunk_ * chunk_;
    CU_OK(DRIVER(cuMemAddressReserve)(&base_, reserved_, 0, 0, 0));
  }
  ~GrowingVector() {
    CU_OK(DRIVER(cuMemUnmap)(base_, mapped_));
    CU_OK(DRIVER(cuMemAddressFree)(base_, reserved_));
  }
  void grow_to(size_t count) {
    const size_t bytes = (count * sizeof(T) + chunk_ - 1) / chunk_ * chunk_;
    if (bytes <= mapped_) return;
    CUmemGenericAllocationHandle handle;
    CU_OK(DRIVER(cuMemCreate)(&handle, bytes - mapped_, &property_, 0));
    CU_OK(DRIVER(cuMemMap)(base_ + mapped_, bytes - mapped_, 0, handle, 0));
    CU_OK(DRIVER(cuMemRelease)(handle));  // the mapping keeps it
    CUmemAccessDesc access{};
    access.location = property_.location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    CU_OK(DRIVER(cuMemSetAccess)(base_ + mapped_, bytes - mapped_, &access, 1));
    mapped_ = bytes;
  }
  T* data() const { return reinterpret_cast<T*>(base_); }
  size_t room() const { return mapped_ / sizeof(T); }

 private:
  CUmemAllocationProp property_{};
  size_t chunk_ = 0, reserved_ = 0, mapped_ = 0;
  CUdeviceptr base_ = 0;
};

__global__ void number(int* out, size_t from, size_t count) {
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count;
       i += size_t{gridDim.x} * blockDim.x)
    out[from + i] = static_cast<int>(from + i);
}

__global__ void reverse(const int* in, int* out, size_t count) {
  const size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x;
  if (i < count) out[count - 1 - i] = in[i];
}

// The vector's address comes from memory.
__global__ void add_through(int* const* where, size_t count, int amount) {
  const size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x;
  if (i < count) (*where)[i] += amount;
}

int main() {
  CUDA_OK(cudaFree(nullptr));
  int supported = 0;
  CUDA_OK(cudaDeviceGetAttribute(&supported, static_cast<cudaDeviceAttr>(102), 0));
  EXPECT_EQ(supported, 1);

  constexpr size_t kMost = 5 << 20;
  GrowingVector<int> vector(kMost * sizeof(int));
  size_t count = 0;
  for (size_t wanted : {1000, 700000, 2000000, 5 << 20}) {
    vector.grow_to(wanted);
    number<<<64, 256>>>(vector.data(), count, wanted - count);
    count = wanted;
  }
  KERNEL_OK();
  check::DeviceArray<int> reversed(count);
  reverse<<<(count + 255) / 256, 256>>>(vector.data(), reversed, count);
  KERNEL_OK();
  auto host = reversed.host();
  for (size_t i = 0; i < count; i += 997) EXPECT_EQ(host[count - 1 - i], static_cast<int>(i));

  check::DeviceArray<int*> where(std::vector<int*>{vector.data()});
  add_through<<<(count + 255) / 256, 256>>>(where, count, 3);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy(host.data(), vector.data(), count * sizeof(int), cudaMemcpyDeviceToHost));
  for (size_t i = 0; i < count; i += 991) EXPECT_EQ(host[i], static_cast<int>(i + 3));
  // Within itself, across chunks.
  CUDA_OK(cudaMemcpy(vector.data(), vector.data() + count / 2, count / 2 * sizeof(int),
                     cudaMemcpyDeviceToDevice));
  CUDA_OK(cudaMemset(vector.data() + count / 2, 0, count / 2 * sizeof(int)));
  CUDA_OK(cudaMemcpy(host.data(), vector.data(), count * sizeof(int), cudaMemcpyDeviceToHost));
  for (size_t i = 0; i < count; i += 983)
    EXPECT_EQ(host[i], i < count / 2 ? static_cast<int>(i + count / 2 + 3) : 0);
  EXPECT_ERROR(cudaMemset(vector.data(), 0, vector.room() * sizeof(int) + 4),
               cudaErrorInvalidValue);
  cudaGetLastError();

  cudaPointerAttributes attributes;
  CUDA_OK(cudaPointerGetAttributes(&attributes, vector.data() + 12345));
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  EXPECT_EQ(attributes.device, 0);
  return check::finish("virtual_memory");
}
