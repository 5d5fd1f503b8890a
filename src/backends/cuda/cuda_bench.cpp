// What the backend costs beside bare driver calls, on the machine's first NVIDIA GPU: interleaved, best of many.
#include "backends/cuda/context.h"
#include "backends/cuda/cuda_device.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

namespace {

using namespace guda;
using namespace guda::backend;

constexpr std::string_view kPtx = R"(.version 7.0
.target sm_52
.address_size 64
.visible .entry nothing(.param .u64 a, .param .u32 b) { ret; }
)";

double microseconds(const std::function<void()>& work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

bool good(const Status& status) {
  if (!status) fmt::print("{}\n", status.message());
  return status.is_ok();
}

struct Best {
  double time = 1e30;
  void add(double sample) { time = std::min(time, sample); }
};

class Bench {
 public:
  Bench(std::shared_ptr<cuda::Driver> driver, Device& device)
      : driver_(std::move(driver)), api_(driver_->api()), device_(device) {
    cuda::ContextHandle context = nullptr;
    (void)api_.context_retain(&context, 0);
    (void)api_.context_set_current(context);
    (void)api_.stream_create(&stream_, 1);
  }

  void mapping() {
    for (size_t bytes : {size_t{2} << 20, size_t{64} << 20, size_t{1} << 30}) {
      std::byte* at = device_.address_space().data();
      Best map, unmap;
      for (int i = 0; i < 10; ++i) {
        map.add(microseconds([&] { (void)device_.map(at, bytes); }));
        unmap.add(microseconds([&] { (void)device_.unmap(at, bytes); }));
      }
      fmt::print("map {} MiB: {:.0f} us, unmap {:.0f} us\n", bytes >> 20, map.time, unmap.time);
    }
  }

  void copies() {
    constexpr size_t kBytes = size_t{512} << 20;
    std::byte* at = device_.address_space().data() + (size_t{1} << 36);
    int file = memfd_create("bench", MFD_CLOEXEC);
    if (ftruncate(file, kBytes) != 0) return;
    if (mmap(at, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
      return;
    std::memset(at, 1, kBytes);
    if (!good(device_.map(at, kBytes, file))) return;
    auto queue = std::move(*device_.create_queue());
    void* pinned = nullptr;
    (void)api_.host_allocate(&pinned, kBytes, 0);
    std::memset(pinned, 1, kBytes);
    auto address = reinterpret_cast<cuda::DevicePointer>(at);
    double first = microseconds([&] {
      (void)queue->upload(at, at, kBytes);
      (void)queue->synchronize();
    });
    fmt::print("first upload of 512 MiB (pins): {:.1f} GB/s\n", kBytes / first / 1e3);
    for (size_t bytes : {size_t{4} << 10, size_t{1} << 20, kBytes}) {
      Best native_up, native_down, up, down;
      for (int i = 0; i < (bytes == kBytes ? 8 : 200); ++i) {
        native_up.add(microseconds([&] {
          (void)api_.copy_to_device(address, pinned, bytes, stream_);
          (void)api_.stream_synchronize(stream_);
        }));
        up.add(microseconds([&] {
          (void)queue->upload(at, at, bytes);
          (void)queue->synchronize();
        }));
        native_down.add(microseconds([&] {
          (void)api_.copy_to_host(pinned, address, bytes, stream_);
          (void)api_.stream_synchronize(stream_);
        }));
        down.add(microseconds([&] {
          (void)queue->download(at, at, bytes);
          (void)queue->synchronize();
        }));
      }
      fmt::print(
          "{} KiB: upload {:.1f} GB/s ({:.3f} of native {:.1f} us), download {:.1f} GB/s ({:.3f} "
          "of native)\n",
          bytes >> 10, static_cast<double>(bytes) / up.time / 1e3, native_up.time / up.time,
          native_up.time, static_cast<double>(bytes) / down.time / 1e3,
          native_down.time / down.time);
    }
    (void)api_.host_free(pinned);
    (void)device_.unmap(at, kBytes);
    close(file);
  }

  void launches() {
    KernelSource source;
    source.ptx = kPtx;
    source.ptx_hash = {7, 7};
    source.module_name = "bench";
    source.kernel = "nothing";
    Result<std::shared_ptr<DeviceKernel>> kernel = Status(StatusCode::unknown, "");
    double load = microseconds([&] { kernel = device_.load(source); });
    if (!good(kernel.status())) return;
    fmt::print("load of a small module: {:.0f} us, again: {:.0f} us\n", load,
               microseconds([&] { (void)device_.load(source); }));
    auto queue = std::move(*device_.create_queue());
    struct {
      uint64_t a = 0;
      uint32_t b = 0;
    } params;
    Launch launch;
    launch.kernel = kernel->get();
    launch.params = std::as_bytes(std::span(&params, 1)).first(12);
    launch.block = {32, 1, 1};
    cuda::ModuleHandle module = nullptr;
    cuda::FunctionHandle function = nullptr;
    (void)api_.module_load(&module, kPtx.data(), 0, nullptr, nullptr);
    (void)api_.module_function(&function, module, "nothing");
    size_t size = 12;
    void* extra[] = {reinterpret_cast<void*>(1), &params, reinterpret_cast<void*>(2), &size,
                     nullptr};
    constexpr int kCount = 64;
    Best raw, ours, raw_wait, our_wait, mark;
    for (int i = 0; i < 400; ++i) {
      raw.add(microseconds([&] {
        for (int n = 0; n < kCount; ++n)
          (void)api_.launch_kernel(function, 1, 1, 1, 32, 1, 1, 0, stream_, nullptr, extra);
      }));
      raw_wait.add(microseconds([&] { (void)api_.stream_synchronize(stream_); }));
      raw_wait.time = 1e30;
      ours.add(microseconds([&] {
        for (int n = 0; n < kCount; ++n) (void)queue->launch(launch);
      }));
      (void)queue->synchronize();
    }
    for (int i = 0; i < 400; ++i) {
      raw_wait.add(microseconds([&] {
        (void)api_.launch_kernel(function, 1, 1, 1, 32, 1, 1, 0, stream_, nullptr, extra);
        (void)api_.stream_synchronize(stream_);
      }));
      our_wait.add(microseconds([&] {
        (void)queue->launch(launch);
        (void)queue->synchronize();
      }));
      mark.add(microseconds([&] { (void)queue->mark(); }));
      (void)queue->synchronize();
    }
    fmt::print(
        "launch {:.2f} us (raw {:.2f}, ratio {:.3f}); launch and wait {:.2f} us (raw {:.2f}); mark "
        "{:.2f} us\n",
        ours.time / kCount, raw.time / kCount, ours.time / raw.time, our_wait.time, raw_wait.time,
        mark.time);
  }

  void products(Device& without_cublas) {
    constexpr size_t kBytes = size_t{512} << 20;
    constexpr int64_t kSize = 4096;
    for (auto [type, name, flops] : {std::tuple{ElementType::f32, "f32", 2.0},
                                     {ElementType::f64, "f64", 2.0},
                                     {ElementType::c32, "c32", 8.0},
                                     {ElementType::f16, "f16", 2.0},
                                     {ElementType::bf16, "bf16", 2.0},
                                     {ElementType::s8, "s8", 2.0}}) {
      double best[2] = {};
      for (Device* device : {&device_, &without_cublas}) {
        std::byte* at = device->address_space().data() + (size_t{1} << 37);
        if (!good(device->map(at, kBytes))) return;
        auto queue = std::move(*device->create_queue());
        (void)queue->fill(at, 0, 4, kBytes);
        uint64_t one[2] = {0, 0}, zero[2] = {0, 0};
        double wide = 1;
        float single = 1;
        int32_t whole = 1;
        if (type == ElementType::f64)
          std::memcpy(one, &wide, 8);
        else if (type == ElementType::s8)
          std::memcpy(one, &whole, 4);
        else
          std::memcpy(one, &single, 4);
        GemmProblem problem;
        problem.input = problem.output = type;
        problem.sums_out = type == ElementType::s8;
        problem.m = problem.n = problem.k = problem.lda = problem.ldb = problem.ldc = kSize;
        problem.a = at;
        problem.b = at + kBytes / 4;
        problem.c = at + kBytes / 2;
        problem.alpha = one;
        problem.beta = zero;
        Best time;
        for (int i = 0; i < 6; ++i) {
          time.add(microseconds([&] {
            if (Status status = queue->gemm(problem); !status) fmt::print("{}\n", status.message());
            good(queue->synchronize());
          }));
        }
        best[device == &device_ ? 0 : 1] = flops * kSize * kSize * kSize / time.time / 1e6;
        queue.reset();
        (void)device->unmap(at, kBytes);
      }
      fmt::print("product {} {}: {:.1f} Tflop/s, without cuBLAS {:.1f}\n", name, kSize, best[0],
                 best[1]);
    }
  }

 private:
  std::shared_ptr<cuda::Driver> driver_;
  const cuda::DriverApi& api_;
  Device& device_;
  cuda::StreamHandle stream_ = nullptr;
};

}  // namespace

int main() {
  auto driver = cuda::Driver::open(cuda_options().driver);
  if (!driver) {
    fmt::print("{}\n", driver.status().message());
    return 0;
  }
  Discovery found = discover_cuda(*driver, cuda_options());
  CudaOptions own = cuda_options();
  own.cublas = "none";
  Discovery without = discover_cuda(*driver, own);
  if (found.devices.empty()) {
    fmt::print("{}\n", found.note);
    return 0;
  }
  Device& device = *found.devices.front();
  fmt::print("{}, driver {} from {}\n", device.info().name, device.info().driver,
             (*driver)->file());
  Bench bench(*driver, device);
  bench.mapping();
  bench.launches();
  bench.copies();
  bench.products(*without.devices.front());
  // How near the vendor's libraries are to the end of what vendor_library.cpp leaves them.
  auto create =
      reinterpret_cast<decltype(&pthread_key_create)>((*driver)->symbol("pthread_key_create"));
  int left = 0;
  for (pthread_key_t key = 0; create != nullptr && create(&key, nullptr) == 0;) ++left;
  fmt::print("thread-specific keys left to the driver: {}\n", left);
  return 0;
}
