// A store far outside every allocation gives cudaErrorIllegalAddress (700) at the next
// synchronisation, from an arbitrary lane, and null pointers do as well.
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

__global__ void store(int* p, long long offset) {
  if (threadIdx.x == 17) p[offset] = 1;
}

__global__ void load(const int* const* pointers, int* out) {
  out[threadIdx.x] = *pointers[threadIdx.x];
}

int far_store() {
  check::DeviceArray<int> data(64);
  store<<<1, 32>>>(data, 5);
  KERNEL_OK();
  store<<<1, 32>>>(data, 1ll << 41);
  EXPECT_ERROR(cudaGetLastError(), cudaSuccess);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_ERROR(cudaGetLastError(), cudaErrorIllegalAddress);
  int host;
  EXPECT_ERROR(cudaMemcpy(&host, data, 4, cudaMemcpyDeviceToHost), cudaErrorIllegalAddress);
  return check::failures != 0;
}

int null_load() {
  check::DeviceArray<int> value(std::vector<int>(1, 9));
  check::DeviceArray<int> out(32);
  std::vector<int*> pointers(32, value.get());
  check::DeviceArray<int*> table(pointers);
  load<<<1, 32>>>(table, out);
  KERNEL_OK();
  for (const int v : out.host()) EXPECT_EQ(v, 9);
  pointers[3] = nullptr;
  table.set(pointers);
  load<<<1, 32>>>(table, out);
  EXPECT_ERROR(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  return check::failures != 0;
}

// Each fault ruins its process's context, so each has a process of its own.
int main() {
  for (int (*body)() : {far_store, null_load}) {
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
  return check::finish("illegal_address");
}
