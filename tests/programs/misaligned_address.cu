// An access that is not aligned to its size gives cudaErrorMisalignedAddress (716), in global and
// shared memory (local memory does not mind on an H100), whatever the access and the pattern of
// addresses; a thread that does not make it does not count.
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// Every kernel makes aligned accesses when `offset` is 0.
using Kernel = void (*)(char* in, char* out, int offset, int limit);

template <typename T>
__global__ void contiguous(char* in, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  reinterpret_cast<T*>(out)[threadIdx.x] =
      *reinterpret_cast<T*>(in + threadIdx.x * sizeof(T) + offset);
}

__global__ void one_address(char* in, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  reinterpret_cast<int*>(out)[threadIdx.x] = *reinterpret_cast<int*>(in + offset);
}

__global__ void store(char*, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  *reinterpret_cast<double*>(out + threadIdx.x * 8 + offset) = threadIdx.x;
}

__global__ void gather(char* in, char* out, int offset, int limit) {
  // One lane alone is off.
  const int at = (threadIdx.x * threadIdx.x % 32) * 4 + (threadIdx.x == 13 ? offset : 0);
  if (threadIdx.x >= limit) return;
  reinterpret_cast<int*>(out)[threadIdx.x] = *reinterpret_cast<int*>(in + at);
}

__global__ void byte_stride(char* in, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  reinterpret_cast<int*>(out)[threadIdx.x] =
      *reinterpret_cast<int*>(in + threadIdx.x * (4 + offset));
}

__global__ void loop(char* in, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  int sum = 0;
  for (char* p = in + offset; p < in + 512; p += 32) sum += *reinterpret_cast<int*>(p);
  reinterpret_cast<int*>(out)[threadIdx.x] = sum;
}

__global__ void shared_memory(char* in, char* out, int offset, int limit) {
  __shared__ alignas(16) char tile[256];
  for (int i = threadIdx.x; i < 256; i += 32) tile[i] = in[i];
  __syncthreads();
  if (threadIdx.x >= limit) return;
  reinterpret_cast<int*>(out)[threadIdx.x] =
      *reinterpret_cast<int*>(tile + threadIdx.x * 4 + offset);
}

__global__ void atomic(char*, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  atomicAdd(reinterpret_cast<unsigned long long*>(out + offset), 1ull);
}

__global__ void compare_and_swap(char*, char* out, int offset, int limit) {
  if (threadIdx.x >= limit) return;
  atomicCAS(reinterpret_cast<int*>(out + threadIdx.x * 4 + offset), 1, 2);
}

struct Case {
  const char* name;
  Kernel kernel;
  int offset;
};

const Case kCases[] = {
    {"contiguous<short>", contiguous<short>, 1},
    {"contiguous<int>", contiguous<int>, 2},
    {"contiguous<double>", contiguous<double>, 4},
    {"contiguous<float2>", contiguous<float2>, 4},
    {"contiguous<float4>", contiguous<float4>, 8},
    {"one_address", one_address, 1},
    {"store", store, 4},
    {"gather", gather, 2},
    {"byte_stride", byte_stride, 1},
    {"loop", loop, 3},
    {"shared_memory", shared_memory, 2},
    {"atomic", atomic, 4},
    {"compare_and_swap", compare_and_swap, 2},
};

int run(const Case& test) {
  check::failures = 0;
  check::DeviceArray<char> in(1024), out(1024);
  test.kernel<<<1, 32>>>(in, out, 0, 32);
  KERNEL_OK();
  test.kernel<<<1, 32>>>(in, out, test.offset, 0);  // nobody makes the access
  KERNEL_OK();
  test.kernel<<<1, 32>>>(in, out, test.offset, 20);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorMisalignedAddress);
  EXPECT_ERROR(cudaPeekAtLastError(), cudaErrorMisalignedAddress);
  EXPECT_ERROR(cudaMemset(out, 0, 1), cudaErrorMisalignedAddress);  // sticky
  if (check::failures != 0) std::printf("in %s\n", test.name);
  return check::failures != 0;
}

int main() {
  for (const Case& test : kCases) {
    const pid_t child = fork();
    if (child == 0) {
      const int code = run(test);
      std::fflush(stdout);
      _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  return check::finish("misaligned_address");
}
