// A 4-, 8- or 16-byte access that is not aligned to its size gives cudaErrorMisalignedAddress (716).
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

template <typename T>
__global__ void copy(const char* in, char* out, int offset) {
  *reinterpret_cast<T*>(out + threadIdx.x * sizeof(T)) =
      *reinterpret_cast<const T*>(in + threadIdx.x * sizeof(T) + offset);
}

template <typename T>
int run() {
  check::DeviceArray<char> in(1024), out(1024);
  copy<T><<<1, 32>>>(in, out, 0);
  KERNEL_OK();
  copy<T><<<1, 32>>>(in, out, sizeof(T));
  KERNEL_OK();
  copy<T><<<1, 32>>>(in, out, sizeof(T) / 2);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorMisalignedAddress);
  EXPECT_ERROR(cudaPeekAtLastError(), cudaErrorMisalignedAddress);
  return check::failures != 0;
}

int main() {
  for (int (*body)() : {run<int>, run<double>, run<float4>, run<short>}) {
    const pid_t child = fork();
    if (child == 0) {
      const int code = body();
      std::fflush(stdout);
      _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  return check::finish("misaligned_address");
}
