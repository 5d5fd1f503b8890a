// Kernels and the host exchange data through mapped pinned, managed and registered memory, at the same
// address, over several launches and streams, with copies between such memory and device memory.
#include "check.h"

#include <set>

__global__ void step(int* data, int n, int factor, int summand) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] = data[i] * factor + summand;
}

__global__ void combine(const int* a, const int* b, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] - b[i];
}

__global__ void total(const int* data, int n, unsigned long long* sum) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(sum, static_cast<unsigned long long>(data[i]));
}

__managed__ int shift = 3;
__global__ void add_shift(int* data, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] += shift;
}

int blocks(int n) { return (n + 127) / 128; }

// The host writes, a kernel changes it in place, the host changes what it reads, and again.
void take_turns(int* data, int n, const char* what) {
  for (int i = 0; i < n; ++i) data[i] = i;
  for (int round = 1; round <= 4; ++round) {
    step<<<blocks(n), 128>>>(data, n, 2, round);
    KERNEL_OK();
    for (int i = 0; i < n; i += 7) data[i] += 1;
  }
  for (int i = 0; i < n; ++i) {
    int expected = i;
    for (int round = 1; round <= 4; ++round) expected = expected * 2 + round + (i % 7 == 0);
    EXPECT_EQ(data[i], expected, "%s %d of %d", what, i, n);
  }
}

template <typename T>
T* pinned(int n) {
  T* data;
  CUDA_OK(cudaHostAlloc(&data, n * sizeof(T), cudaHostAllocMapped | cudaHostAllocPortable));
  return data;
}
template <typename T>
T* managed(int n) {
  T* data;
  CUDA_OK(cudaMallocManaged(&data, n * sizeof(T)));
  return data;
}

void kinds_of_memory() {
  for (int n : {1, 1000, 700000}) {
    int* host = pinned<int>(n);
    take_turns(host, n, "pinned");
    CUDA_OK(cudaFreeHost(host));
    int* both = managed<int>(n);
    take_turns(both, n, "managed");
    CUDA_OK(cudaFree(both));
    // Somewhere within pages of its own; registered twice, one after the other.
    std::vector<int> own(n + 4000, -5);
    for (int round = 0; round < 2; ++round) {
      CUDA_OK(cudaHostRegister(own.data() + 1500, n * sizeof(int), cudaHostRegisterMapped));
      take_turns(own.data() + 1500, n, "registered");
      CUDA_OK(cudaHostUnregister(own.data() + 1500));
    }
    EXPECT_EQ(own[1499], -5);
    EXPECT_EQ(own[1500 + n], -5);
  }
}

void all_in_one_launch() {
  const int n = 5000;
  int *host = pinned<int>(n), *both = managed<int>(n);
  std::vector<int> own(n);
  CUDA_OK(cudaHostRegister(own.data(), n * sizeof(int), cudaHostRegisterMapped));
  check::DeviceArray<int> device(n);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < n; ++i) {
      host[i] = 10 * i;
      both[i] = round;
    }
    combine<<<blocks(n), 128>>>(host, both, own.data(), n);  // to registered memory
    combine<<<blocks(n), 128>>>(own.data(), both, device, n);  // to the device's
    combine<<<blocks(n), 128>>>(device, both, host, n);  // and back
    KERNEL_OK();
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(own[i], 10 * i - round, "%d", i);
      EXPECT_EQ(host[i], 10 * i - 3 * round, "%d", i);
    }
  }
  CUDA_OK(cudaHostUnregister(own.data()));
  CUDA_OK(cudaFreeHost(host));
  CUDA_OK(cudaFree(both));
}

void streams() {
  const int n = 40000, kStreams = 3;
  cudaStream_t stream[kStreams];
  int* both = managed<int>(kStreams * n);
  unsigned long long* sums = pinned<unsigned long long>(kStreams);
  for (int s = 0; s < kStreams; ++s) {
    CUDA_OK(cudaStreamCreateWithFlags(&stream[s], cudaStreamNonBlocking));
    sums[s] = 0;
  }
  for (int i = 0; i < kStreams * n; ++i) both[i] = 1;
  for (int round = 0; round < 5; ++round) {
    for (int s = 0; s < kStreams; ++s) {
      step<<<blocks(n), 128, 0, stream[s]>>>(both + s * n, n, 2, s);
      total<<<blocks(n), 128, 0, stream[s]>>>(both + s * n, n, sums + s);
    }
  }
  for (int s = 0; s < kStreams; ++s) {
    CUDA_OK(cudaStreamSynchronize(stream[s]));
    unsigned long long value = 1, sum = 0;
    for (int round = 0; round < 5; ++round) {
      value = value * 2 + s;
      sum += value * n;
    }
    EXPECT_EQ(sums[s], sum, "stream %d", s);
    EXPECT_EQ(both[s * n + n - 1], static_cast<int>(value), "stream %d", s);
  }
  for (cudaStream_t each : stream) CUDA_OK(cudaStreamDestroy(each));
  CUDA_OK(cudaFreeHost(sums));
  CUDA_OK(cudaFree(both));
}

void copies() {
  const int n = 300000;
  const size_t bytes = n * sizeof(int);
  int *host = pinned<int>(n), *both = managed<int>(n);
  std::vector<int> own(n, 0), plain(n, 0);
  CUDA_OK(cudaHostRegister(own.data(), bytes, cudaHostRegisterDefault));
  check::DeviceArray<int> device(n);
  cudaStream_t stream;
  cudaEvent_t done;
  CUDA_OK(cudaStreamCreate(&stream));
  CUDA_OK(cudaEventCreate(&done));
  for (int i = 0; i < n; ++i) host[i] = i;
  CUDA_OK(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
  step<<<blocks(n), 128, 0, stream>>>(device, n, 3, 1);
  CUDA_OK(cudaMemcpyAsync(own.data(), device, bytes, cudaMemcpyDeviceToHost, stream));
  CUDA_OK(cudaMemcpyAsync(both, device, bytes, cudaMemcpyDefault, stream));
  add_shift<<<blocks(n), 128, 0, stream>>>(both, n);
  CUDA_OK(cudaMemcpyAsync(device, both, bytes, cudaMemcpyDefault, stream));
  CUDA_OK(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream));
  CUDA_OK(cudaEventRecord(done, stream));
  CUDA_OK(cudaEventSynchronize(done));
  CUDA_OK(cudaMemcpy(plain.data(), both, bytes, cudaMemcpyDefault));
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(own[i], 3 * i + 1, "%d", i);
    EXPECT_EQ(both[i], 3 * i + 4, "%d", i);
    EXPECT_EQ(host[i], 3 * i + 4, "%d", i);
    EXPECT_EQ(plain[i], 3 * i + 4, "%d", i);
  }
  // Parts of the registered memory, and fills.
  CUDA_OK(cudaMemcpy(device.get() + 10, own.data() + 100, 4000, cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(host + 20, device.get() + 10, 4000, cudaMemcpyDeviceToHost));
  EXPECT_EQ(host[20], 301);
  EXPECT_EQ(host[1019], 3298);
  EXPECT_EQ(host[1020], 3064);
  CUDA_OK(cudaMemset(both, 1, 400));
  CUDA_OK(cudaMemset(host, 2, 400));
  CUDA_OK(cudaDeviceSynchronize());
  combine<<<blocks(200), 128>>>(host, both, device, 200);
  KERNEL_OK();
  auto differences = device.host();
  EXPECT_EQ(differences[99], 0x01010101);
  EXPECT_EQ(differences[100], host[100] - (3 * 100 + 4));
  CUDA_OK(cudaHostUnregister(own.data()));
  CUDA_OK(cudaEventDestroy(done));
  CUDA_OK(cudaStreamDestroy(stream));
  CUDA_OK(cudaFreeHost(host));
  CUDA_OK(cudaFree(both));
}

// Neighbours in one chunk: what a kernel writes is its own piece only.
void small_pieces() {
  std::vector<int*> pieces;
  std::set<int*> different;
  for (int i = 0; i < 500; ++i) {
    pieces.push_back(i % 2 ? pinned<int>(8) : managed<int>(8));
    different.insert(pieces.back());
    for (int j = 0; j < 8; ++j) pieces.back()[j] = 10 * i + j;
  }
  EXPECT_EQ(different.size(), pieces.size());
  for (int i = 0; i < 500; i += 5) step<<<1, 32>>>(pieces[i], 8, 1, 7);
  KERNEL_OK();
  for (int i = 0; i < 500; ++i) {
    for (int j = 0; j < 8; ++j)
      EXPECT_EQ(pieces[i][j], 10 * i + j + (i % 5 ? 0 : 7), "%d of %d", j, i);
    CUDA_OK(i % 2 ? cudaFreeHost(pieces[i]) : cudaFree(pieces[i]));
  }
}

void answers() {
  int *host = pinned<int>(100), *both = managed<int>(100), *device;
  std::vector<int> own(100);
  CUDA_OK(cudaHostRegister(own.data(), 400, cudaHostRegisterMapped));
  for (int* pointer : {host, own.data()}) {
    CUDA_OK(cudaHostGetDevicePointer(&device, pointer + 3, 0));
    EXPECT(device == pointer + 3);
    cudaPointerAttributes attributes;
    CUDA_OK(cudaPointerGetAttributes(&attributes, pointer + 3));
    EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
    EXPECT(attributes.hostPointer == pointer + 3 && attributes.devicePointer == pointer + 3);
  }
  cudaPointerAttributes attributes;
  CUDA_OK(cudaPointerGetAttributes(&attributes, both + 99));
  EXPECT_EQ(attributes.type, cudaMemoryTypeManaged);
  cudaMemLocation where{};
  where.type = cudaMemLocationTypeDevice;
  int concurrent = 0;
  CUDA_OK(cudaDeviceGetAttribute(&concurrent, cudaDevAttrConcurrentManagedAccess, 0));
  if (concurrent) {
    both[5] = 55;
    CUDA_OK(cudaMemAdvise(both, 400, cudaMemAdviseSetPreferredLocation, where));
    CUDA_OK(cudaMemPrefetchAsync(both, 400, where, 0, 0));
    step<<<1, 128>>>(both, 100, 2, 0);
    where.type = cudaMemLocationTypeHost;
    CUDA_OK(cudaMemPrefetchAsync(both, 400, where, 0, 0));
    CUDA_OK(cudaDeviceSynchronize());
    EXPECT_EQ(both[5], 110);
  }
  CUDA_OK(cudaHostUnregister(own.data()));
  EXPECT_ERROR(cudaHostGetDevicePointer(&device, own.data(), 0), cudaErrorInvalidValue);
  cudaGetLastError();
  CUDA_OK(cudaFreeHost(host));
  CUDA_OK(cudaFree(both));
}

int main() {
  kinds_of_memory();
  all_in_one_launch();
  streams();
  copies();
  small_pieces();
  answers();
  return check::finish("shared_addresses");
}
