// run_on_gpu tests tests.cubin inputs.bin outputs.bin: runs generate.py's kernels t0, t1, ... on
// the first CUDA device through the driver API. Not part of the build: needs an NVIDIA GPU and
// cuda.h. g++ -I<cuda>/include run_on_gpu.cpp -o run_on_gpu -lcuda
#include <cuda.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

constexpr size_t kSamples = 24;

void check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  std::fprintf(stderr, "%s: error %d\n", what, result);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const size_t tests = std::strtoul(argv[1], nullptr, 10);
  std::ifstream file(argv[3], std::ios::binary);
  const std::vector<char> inputs((std::istreambuf_iterator<char>(file)), {});
  if (inputs.size() != tests * kSamples * 32) return 2;
  check(cuInit(0), "cuInit");
  CUdevice device;
  CUcontext context;
  CUmodule module;
  check(cuDeviceGet(&device, 0), "cuDeviceGet");
  check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
  check(cuModuleLoad(&module, argv[2]), "cuModuleLoad");
  CUdeviceptr in, out;
  std::vector<char> outputs(tests * kSamples * 8);
  check(cuMemAlloc(&in, inputs.size()), "cuMemAlloc");
  check(cuMemAlloc(&out, outputs.size()), "cuMemAlloc");
  check(cuMemcpyHtoD(in, inputs.data(), inputs.size()), "cuMemcpyHtoD");
  for (size_t i = 0; i < tests; ++i) {
    CUfunction kernel;
    check(cuModuleGetFunction(&kernel, module, ("t" + std::to_string(i)).c_str()), "kernel");
    CUdeviceptr from = in + i * kSamples * 32, to = out + i * kSamples * 8;
    void* arguments[] = {&from, &to};
    check(cuLaunchKernel(kernel, 1, 1, 1, kSamples, 1, 1, 0, nullptr, arguments, nullptr),
          "launch");
  }
  check(cuMemcpyDtoH(outputs.data(), out, outputs.size()), "cuMemcpyDtoH");
  std::ofstream(argv[4], std::ios::binary).write(outputs.data(), static_cast<long>(outputs.size()));
  return 0;
}
