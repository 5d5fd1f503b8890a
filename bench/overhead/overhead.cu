// What a CUDA program sees of the runtime under it: times of launches, kernels, copies and cuBLAS products, one line
// "name value unit" each. An ordinary CUDA program: run with NVIDIA's libraries and with GUDA's, compare.py does both
// in turns.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

#define CHECK(call)                                                                   \
  do {                                                                                \
    const int status = static_cast<int>(call);                                        \
    if (status != 0) {                                                                \
      std::fprintf(stderr, "%s:%d: %s gave %d\n", __FILE__, __LINE__, #call, status); \
      std::exit(1);                                                                   \
    }                                                                                 \
  } while (false)

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// The least of several samples, in microseconds for one repetition.
template <typename Body>
double best(int samples, int repetitions, Body body) {
  double least = 1e30;
  for (int sample = 0; sample < samples; ++sample) {
    CHECK(cudaDeviceSynchronize());
    const auto start = Clock::now();
    for (int i = 0; i < repetitions; ++i) body();
    const double end = microseconds_since(start);
    least = std::min(least, end / repetitions);
  }
  CHECK(cudaDeviceSynchronize());
  return least;
}

__global__ void nothing() {}
__global__ void with_arguments(float* out, int n, float value) {
  if (n < 0) out[threadIdx.x] = value;
}
/// About `cycles` clock cycles, and a little memory traffic.
__global__ void busy(float* data, long long cycles) {
  const long long start = clock64();
  float value = data[blockIdx.x * blockDim.x + threadIdx.x];
  while (clock64() - start < cycles) value = value * 1.0001f + 0.5f;
  data[blockIdx.x * blockDim.x + threadIdx.x] = value;
}
__global__ void scale(float* data, size_t n, float factor) {
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < n;
       i += size_t{gridDim.x} * blockDim.x)
    data[i] *= factor;
}

void launches() {
  float* data = nullptr;
  CHECK(cudaMalloc(&data, 1 << 20));
  cudaStream_t stream;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  nothing<<<1, 32>>>();
  with_arguments<<<1, 32>>>(data, 0, 0);
  with_arguments<<<1, 32, 0, stream>>>(data, 0, 0);
  CHECK(cudaDeviceSynchronize());
  std::printf("launch_enqueue %.4f us\n", best(50, 500, [] { nothing<<<1, 32>>>(); }));
  std::printf("launch_enqueue_arguments %.4f us\n",
              best(50, 500, [&] { with_arguments<<<1, 32>>>(data, 0, 1); }));
  std::printf("launch_enqueue_stream %.4f us\n",
              best(50, 500, [&] { with_arguments<<<1, 32, 0, stream>>>(data, 0, 1); }));
  std::printf("launch_synchronize %.4f us\n", best(50, 200, [] {
                nothing<<<1, 32>>>();
                CHECK(cudaDeviceSynchronize());
              }));
  std::printf("launch_stream_synchronize %.4f us\n", best(50, 200, [&] {
                nothing<<<1, 32, 0, stream>>>();
                CHECK(cudaStreamSynchronize(stream));
              }));
  cudaEvent_t event;
  CHECK(cudaEventCreate(&event));
  std::printf("event_record %.4f us\n",
              best(50, 200, [&] { CHECK(cudaEventRecord(event, stream)); }));
  CHECK(cudaEventDestroy(event));
  CHECK(cudaStreamDestroy(stream));
  CHECK(cudaFree(data));
}

/// Twenty small kernels, in a row and in four branches, with a copy and a fill at the end.
void graphs() {
  constexpr int kKernels = 20, kBranches = 4;
  float* data = nullptr;
  CHECK(cudaMalloc(&data, 1 << 20));
  cudaStream_t stream, side[kBranches];
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  cudaEvent_t fork, join;
  CHECK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  CHECK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  for (auto& each : side) CHECK(cudaStreamCreateWithFlags(&each, cudaStreamNonBlocking));
  for (bool branched : {false, true}) {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    CHECK(cudaEventRecord(fork, stream));
    for (int i = 0; i < kKernels; ++i) {
      cudaStream_t on = branched ? side[i % kBranches] : stream;
      if (branched && i < kBranches) CHECK(cudaStreamWaitEvent(on, fork, 0));
      with_arguments<<<1, 32, 0, on>>>(data, 0, 1);
    }
    for (int i = 0; branched && i < kBranches; ++i) {
      CHECK(cudaEventRecord(join, side[i]));
      CHECK(cudaStreamWaitEvent(stream, join, 0));
    }
    CHECK(cudaMemcpyAsync(data + 1024, data, 4096, cudaMemcpyDeviceToDevice, stream));
    CHECK(cudaMemsetAsync(data, 0, 4096, stream));
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < 3; ++i) CHECK(cudaGraphLaunch(exec, stream));
    const char* shape = branched ? "branches" : "row";
    std::printf("graph_%s_enqueue %.4f us\n", shape,
                best(30, 20, [&] { CHECK(cudaGraphLaunch(exec, stream)); }));
    std::printf("graph_%s_synchronize %.4f us\n", shape, best(30, 50, [&] {
                  CHECK(cudaGraphLaunch(exec, stream));
                  CHECK(cudaStreamSynchronize(stream));
                }));
    CHECK(cudaGraphExecDestroy(exec));
    CHECK(cudaGraphDestroy(graph));
  }
  for (auto each : side) CHECK(cudaStreamDestroy(each));
  for (auto each : {fork, join}) CHECK(cudaEventDestroy(each));
  CHECK(cudaStreamDestroy(stream));
  CHECK(cudaFree(data));
}

void kernels() {
  constexpr size_t kFloats = size_t{64} << 20;
  float* data = nullptr;
  CHECK(cudaMalloc(&data, kFloats * sizeof(float)));
  CHECK(cudaMemset(data, 0, kFloats * sizeof(float)));
  for (long long cycles : {20000LL, 180000LL, 1800000LL}) {
    busy<<<132, 128>>>(data, cycles);
    const double each = best(7, 40, [&] {
      busy<<<132, 128>>>(data, cycles);
      CHECK(cudaDeviceSynchronize());
    });
    std::printf("kernel_busy_%lldk %.3f us\n", cycles / 1000, each);
  }
  for (size_t n : {size_t{16} << 20, kFloats}) {
    scale<<<1024, 256>>>(data, n, 1.0f);
    const double each = best(7, 40, [&] {
      scale<<<1024, 256>>>(data, n, 1.0f);
      CHECK(cudaDeviceSynchronize());
    });
    std::printf("kernel_scale_%zuM %.3f us\n", n >> 20, each);
  }
  // Back to back.
  const double chain = best(5, 1, [&] {
    for (int i = 0; i < 100; ++i) scale<<<1024, 256>>>(data, size_t{16} << 20, 1.0f);
    CHECK(cudaDeviceSynchronize());
  });
  std::printf("kernel_scale_16M_chain %.3f us\n", chain / 100);
  CHECK(cudaFree(data));
}

void copies() {
  constexpr size_t kBytes = size_t{256} << 20;
  void *device = nullptr, *other = nullptr, *pinned = nullptr;
  CHECK(cudaMalloc(&device, kBytes));
  CHECK(cudaMalloc(&other, kBytes));
  CHECK(cudaMallocHost(&pinned, kBytes));
  std::vector<char> pageable(kBytes / 4, 1);
  auto time = [&](const char* name, size_t bytes, int repetitions, auto copy) {
    copy(bytes);
    const double each = best(7, repetitions, [&] { copy(bytes); });
    std::printf("copy_%s_%zuK %.4f us\n", name, bytes >> 10, each);
  };
  for (size_t bytes : {size_t{4} << 10, size_t{1} << 20, kBytes}) {
    const int repetitions = bytes == kBytes ? 3 : 100;
    time("pinned_to_device", bytes, repetitions,
         [&](size_t count) { CHECK(cudaMemcpy(device, pinned, count, cudaMemcpyHostToDevice)); });
    time("device_to_pinned", bytes, repetitions,
         [&](size_t count) { CHECK(cudaMemcpy(pinned, device, count, cudaMemcpyDeviceToHost)); });
    time("within_device", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemcpy(other, device, count, cudaMemcpyDeviceToDevice));
      CHECK(cudaDeviceSynchronize());
    });
    time("set", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemset(other, 0, count));
      CHECK(cudaDeviceSynchronize());
    });
    if (bytes > pageable.size()) continue;
    time("pageable_to_device", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemcpy(device, pageable.data(), count, cudaMemcpyHostToDevice));
    });
    time("device_to_pageable", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemcpy(pageable.data(), device, count, cudaMemcpyDeviceToHost));
    });
  }
  time("pageable_to_device", pageable.size(), 3, [&](size_t count) {
    CHECK(cudaMemcpy(device, pageable.data(), count, cudaMemcpyHostToDevice));
  });
  time("device_to_pageable", pageable.size(), 3, [&](size_t count) {
    CHECK(cudaMemcpy(pageable.data(), device, count, cudaMemcpyDeviceToHost));
  });
  // Half of each row of a matrix.
  constexpr size_t kPitch = 16 << 10;
  for (size_t bytes : {size_t{1} << 20, kBytes}) {
    const int repetitions = bytes == kBytes ? 3 : 100;
    time("rows_pinned_to_device", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemcpy2D(device, kPitch, pinned, kPitch, kPitch / 2, count / kPitch,
                         cudaMemcpyHostToDevice));
    });
    time("rows_within_device", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemcpy2D(other, kPitch, device, kPitch, kPitch / 2, count / kPitch,
                         cudaMemcpyDeviceToDevice));
      CHECK(cudaDeviceSynchronize());
    });
    time("rows_set", bytes, repetitions, [&](size_t count) {
      CHECK(cudaMemset2D(other, kPitch, 0, kPitch / 2, count / kPitch));
      CHECK(cudaDeviceSynchronize());
    });
  }
  CHECK(cudaFreeHost(pinned));
  CHECK(cudaFree(other));
  CHECK(cudaFree(device));
}

void products(int only) {
  cublasHandle_t handle;
  CHECK(cublasCreate(&handle));
  constexpr int kLargest = 8192;
  void *a = nullptr, *b = nullptr, *c = nullptr;
  const size_t bytes = size_t{kLargest} * kLargest * sizeof(double);
  for (void** matrix : {&a, &b, &c}) {
    CHECK(cudaMalloc(matrix, bytes));
    CHECK(cudaMemset(*matrix, 0, bytes));
  }
  auto time = [&](const char* name, int n, auto product) {
    for (int i = 0; i < 3; ++i) product(n);
    // Short ones are bound by the host, whose speed comes and goes: more samples.
    const int samples = n <= 1024 ? 400 : 7, repetitions = n <= 2048 ? 50 : 5;
    const double each = best(samples, 1, [&] {
      for (int i = 0; i < repetitions; ++i) product(n);
      CHECK(cudaDeviceSynchronize());
    });
    std::printf("gemm_%s_%d %.3f us\n", name, n, each / repetitions);
  };
  const float one = 1, zero = 0;
  const double one_d = 1, zero_d = 0;
  for (int size : {1024, 2048, 4096, kLargest}) {
    if (only != 0 && size != only) continue;
    time("f32", size, [&](int n) {
      CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_T, n, n, n, &one, static_cast<float*>(a), n,
                        static_cast<float*>(b), n, &zero, static_cast<float*>(c), n));
    });
    time("f64", size, [&](int n) {
      CHECK(cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one_d, static_cast<double*>(a),
                        n, static_cast<double*>(b), n, &zero_d, static_cast<double*>(c), n));
    });
    time("bf16", size, [&](int n) {
      CHECK(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, CUDA_R_16BF, n, b,
                         CUDA_R_16BF, n, &zero, c, CUDA_R_16BF, n, CUBLAS_COMPUTE_32F,
                         CUBLAS_GEMM_DEFAULT));
    });
  }
  for (void* matrix : {a, b, c}) CHECK(cudaFree(matrix));
  CHECK(cublasDestroy(handle));
}

/// What costs so little itself that every branch before it shows.
void small() {
  constexpr size_t kFloats = size_t{1} << 20;
  float *data = nullptr, *other = nullptr;
  CHECK(cudaMalloc(&data, kFloats * sizeof(float)));
  CHECK(cudaMalloc(&other, kFloats * sizeof(float)));
  CHECK(cudaMemset(data, 0, kFloats * sizeof(float)));
  std::vector<char> host(64 << 10, 1);
  nothing<<<1, 32>>>();
  std::printf("chain_of_launches %.5f us\n", best(200, 1, [] {
                                               for (int i = 0; i < 1000; ++i) nothing<<<1, 32>>>();
                                               CHECK(cudaDeviceSynchronize());
                                             }) / 1000);
  for (size_t bytes : {size_t{64}, size_t{64} << 10}) {
    std::printf("copy_to_device_%zu %.5f us\n", bytes, best(100, 200, [&] {
                  CHECK(cudaMemcpy(data, host.data(), bytes, cudaMemcpyHostToDevice));
                }));
    std::printf("copy_from_device_%zu %.5f us\n", bytes, best(100, 200, [&] {
                  CHECK(cudaMemcpy(host.data(), data, bytes, cudaMemcpyDeviceToHost));
                }));
    std::printf("set_%zu %.5f us\n", bytes, best(100, 200, [&] {
                  CHECK(cudaMemset(other, 0, bytes));
                  CHECK(cudaDeviceSynchronize());
                }));
  }
  for (size_t n : {size_t{16} << 10, kFloats}) {
    std::printf("kernel_scale_%zuK %.4f us\n", n >> 10, best(200, 5, [&] {
                  scale<<<64, 256>>>(data, n, 1.0f);
                  CHECK(cudaDeviceSynchronize());
                }));
  }
  cublasHandle_t handle;
  CHECK(cublasCreate(&handle));
  const float one = 1, zero = 0;
  for (int n : {4, 64, 512}) {
    std::printf("sgemm_%d %.5f us\n", n, best(n < 512 ? 300 : 60, n < 512 ? 100 : 1, [&] {
                  CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, data, n, data,
                                    n, &zero, other, n));
                  CHECK(cudaDeviceSynchronize());
                }));
  }
  CHECK(cublasDestroy(handle));
  CHECK(cudaFree(data));
  CHECK(cudaFree(other));
}

/// What calls cost the host that nobody waits for; with a driver and a cuBLAS that do little, GUDA's part of them.
void host_costs() {
  constexpr int kSize = 1024;
  cublasHandle_t handle;
  CHECK(cublasCreate(&handle));
  void *a = nullptr, *b = nullptr, *c = nullptr;
  for (void** matrix : {&a, &b, &c}) {
    CHECK(cudaMalloc(matrix, sizeof(float) * kSize * kSize));
    CHECK(cudaMemset(*matrix, 0, sizeof(float) * kSize * kSize));
  }
  const float one = 1, zero = 0;
  auto product = [&] {
    CHECK(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, kSize, kSize, kSize, &one, a, CUDA_R_16BF,
                       kSize, b, CUDA_R_16BF, kSize, &zero, c, CUDA_R_32F, kSize,
                       CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  };
  for (int i = 0; i < 5; ++i) product();
  std::printf("host_bf16_product %.4f us\n", best(1000, 50, product));
  for (int i = 0; i < 5; ++i) nothing<<<1, 32>>>();
  std::printf("host_launch %.4f us\n", best(1000, 50, [] { nothing<<<1, 32>>>(); }));
  cudaEvent_t event;
  CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  std::printf("host_event %.4f us\n", best(1000, 50, [&] { CHECK(cudaEventRecord(event, 0)); }));
  CHECK(cudaEventDestroy(event));
  for (void* matrix : {a, b, c}) CHECK(cudaFree(matrix));
  CHECK(cublasDestroy(handle));
}

/// Functions of cuBLAS other than plain products, and products that depend on settings of the handle.
void routines() {
  cublasHandle_t handle;
  CHECK(cublasCreate(&handle));
  constexpr int kSize = 4096, kElements = kSize * kSize;
  float *a = nullptr, *b = nullptr, *c = nullptr;
  for (float** matrix : {&a, &b, &c}) {
    CHECK(cudaMalloc(matrix, sizeof(float) * kElements));
    CHECK(cudaMemset(*matrix, 0, sizeof(float) * kElements));
  }
  std::vector<float> ones(kSize, 1);  // of a triangular matrix
  CHECK(cublasSetVector(kSize, sizeof(float), ones.data(), 1, a, kSize + 1));
  auto time = [&](const char* name, int repetitions, auto routine) {
    for (int i = 0; i < 3; ++i) routine();
    const double each = best(7, 1, [&] {
      for (int i = 0; i < repetitions; ++i) routine();
      CHECK(cudaDeviceSynchronize());
    });
    std::printf("routine_%s %.3f us\n", name, each / repetitions);
  };
  const float one = 1, zero = 0;
  std::printf("routine_saxpy_enqueue %.4f us\n",
              best(50, 200, [&] { CHECK(cublasSaxpy(handle, 1024, &one, a, 1, b, 1)); }));
  time("saxpy_16M", 50, [&] { CHECK(cublasSaxpy(handle, kElements, &one, a, 1, b, 1)); });
  time("sdot_1M_to_host", 50, [&] {
    float result = 0;
    CHECK(cublasSdot(handle, 1 << 20, a, 1, b, 1, &result));
  });
  time("sgemv_4096", 50, [&] {
    CHECK(cublasSgemv(handle, CUBLAS_OP_N, kSize, kSize, &one, a, kSize, b, 1, &zero, c, 1));
  });
  time("sgeam_4096", 20, [&] {
    CHECK(cublasSgeam(handle, CUBLAS_OP_T, CUBLAS_OP_N, kSize, kSize, &one, a, kSize, &one, b,
                      kSize, c, kSize));
  });
  time("strsm_4096", 5, [&] {
    CHECK(cublasStrsm(handle, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                      CUBLAS_DIAG_NON_UNIT, kSize, kSize, &one, a, kSize, b, kSize));
  });
  time("ssyrk_4096", 5, [&] {
    CHECK(cublasSsyrk(handle, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, kSize, kSize, &one, b, kSize,
                      &zero, c, kSize));
  });
  time("sgemm_128_strided_1024", 5, [&] {
    CHECK(cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, 128, 128, 128, &one, a, 128,
                                    128 * 128, b, 128, 128 * 128, &zero, c, 128, 128 * 128, 1024));
  });
  CHECK(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH));
  time("sgemm_tf32_4096", 5, [&] {
    CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, kSize, kSize, kSize, &one, a, kSize, b,
                      kSize, &zero, c, kSize));
  });

  // D = relu(A B + bias) in bfloat16.
  cublasLtMatmulDesc_t operation;
  CHECK(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_RELU_BIAS;
  const void* bias = b;
  CHECK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                       sizeof epilogue));
  CHECK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                       sizeof bias));
  cublasLtMatrixLayout_t layout;
  CHECK(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, kSize, kSize, kSize));
  time("lt_bf16_relu_bias_4096", 20, [&] {
    CHECK(cublasLtMatmul(reinterpret_cast<cublasLtHandle_t>(handle), operation, &one, a, layout, b,
                         layout, &zero, c, layout, c, layout, nullptr, nullptr, 0, nullptr));
  });
  CHECK(cublasLtMatrixLayoutDestroy(layout));
  CHECK(cublasLtMatmulDescDestroy(operation));
  for (float* matrix : {a, b, c}) CHECK(cudaFree(matrix));
  CHECK(cublasDestroy(handle));
}

}  // namespace

/// All, or the part that the first argument names; `small` with the launches, `products` of the size that a second one
/// names.
int main(int argc, char** argv) {
  const std::string_view part = argc > 1 ? argv[1] : "";
  const bool all = part.empty();
  if (all || part == "launches" || part == "small") launches();
  if (part == "small") small();
  if (all || part == "graphs") graphs();
  if (all || part == "host") host_costs();
  if (all || part == "kernels") kernels();
  if (all || part == "copies") copies();
  if (all || part == "products") products(argc > 2 ? std::atoi(argv[2]) : 0);
  if (all || part == "routines") routines();
  return 0;
}
