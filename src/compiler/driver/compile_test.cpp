// PTX to a shared object that computes the right thing, through the library's one entry point.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "compiler/driver/compiler_api.h"
#include "compiler/driver/kernel_abi.h"

namespace guda {
namespace {

constexpr const char* kVectorAdd = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .entry vector_add(
  .param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<11>;
  ld.param.u64 %rd1, [a];
  ld.param.u64 %rd2, [b];
  ld.param.u64 %rd3, [c];
  ld.param.u32 %r2, [n];
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mov.u32 %r5, %tid.x;
  mad.lo.s32 %r1, %r3, %r4, %r5;
  setp.ge.u32 %p1, %r1, %r2;
  @%p1 bra $done;
  cvta.to.global.u64 %rd4, %rd1;
  mul.wide.u32 %rd5, %r1, 4;
  add.s64 %rd6, %rd4, %rd5;
  cvta.to.global.u64 %rd7, %rd2;
  add.s64 %rd8, %rd7, %rd5;
  ld.global.f32 %f1, [%rd6];
  ld.global.f32 %f2, [%rd8];
  add.f32 %f3, %f1, %f2;
  cvta.to.global.u64 %rd9, %rd3;
  add.s64 %rd10, %rd9, %rd5;
  st.global.f32 [%rd10], %f3;
$done:
  ret;
}
)";

/// A compiled kernel, removed again at the end.
class CompiledKernel {
 public:
  CompiledKernel(const std::string& ptx, const char* kernel, const char* cpu, bool tier_c) {
    path_ = ::testing::TempDir() + "guda_compile_" + std::to_string(getpid()) + ".so";
    GudaCompileRequest request = {};
    request.struct_size = sizeof request;
    request.ptx = ptx.data();
    request.ptx_size = ptx.size();
    request.module_name = "test.ptx";
    request.kernel = kernel;
    request.cpu = cpu;
    request.output_path = path_.c_str();
    request.force_tier_c = tier_c;
    status_ = guda_compile_kernel(&request, &result_);
    if (status_ != 0) return;
    library_ = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
    unlink(path_.c_str());
    if (library_)
      info_ = static_cast<const kernel::KernelInfo*>(dlsym(library_, kernel::kKernelSymbol));
  }
  CompiledKernel(const CompiledKernel&) = delete;
  CompiledKernel& operator=(const CompiledKernel&) = delete;
  ~CompiledKernel() {
    if (library_) dlclose(library_);
  }

  const kernel::KernelInfo* info() const { return info_; }
  int status() const { return status_; }
  std::string message() const { return result_.message; }

 private:
  std::string path_;
  GudaCompileResult result_ = {};
  int status_ = 0;
  void* library_ = nullptr;
  const kernel::KernelInfo* info_ = nullptr;
};

/// a + b in blocks of `threads`; nothing beyond the result is written.
std::vector<float> add_vectors(const kernel::KernelInfo& info, const std::vector<float>& a,
                               const std::vector<float>& b, uint32_t threads) {
  const uint32_t count = static_cast<uint32_t>(a.size());
  std::vector<float> c(count + 64, -1.0f);
  struct alignas(64) Parameters {
    const float *a, *b;
    float* c;
    uint32_t n;
  } parameters = {a.data(), b.data(), c.data(), count};
  kernel::Services services = {};
  kernel::LaunchState launch = {};
  launch.params = reinterpret_cast<const std::byte*>(&parameters);
  launch.services = &services;
  launch.grid = {(count + threads - 1) / threads, 1, 1};
  launch.block = {threads, 1, 1};
  alignas(128) std::byte scratch[4096];
  kernel::BlockState block = {};
  block.launch = &launch;
  block.shared = block.local = scratch;
  for (uint32_t index = 0; index < launch.grid.x; ++index) {
    block.index = {index, 0, 0};
    if (info.run_block) {
      info.run_block(&launch, &block);
      continue;
    }
    for (uint32_t t = 0; t < threads; ++t) {
      kernel::ThreadState thread = {};
      thread.block = &block;
      thread.launch = &launch;
      thread.index = {t, 0, 0};
      thread.linear = t;
      thread.lane = t % 32;
      thread.warp = t / 32;
      thread.local = scratch;
      info.run_thread(&thread);
    }
  }
  for (uint32_t i = count; i < c.size(); ++i) EXPECT_EQ(c[i], -1.0f) << i;
  c.resize(count);
  return c;
}

void run_vector_add(const kernel::KernelInfo& info, uint32_t count, uint32_t threads) {
  std::vector<float> a(count), b(count);
  std::iota(a.begin(), a.end(), 0.0f);
  std::iota(b.begin(), b.end(), 1.0f);
  const std::vector<float> c = add_vectors(info, a, b, threads);
  for (uint32_t i = 0; i < count; ++i) ASSERT_EQ(c[i], 2.0f * i + 1) << i;
}

}  // namespace

TEST(Compile, VectorAddRunsOnEveryTierAndCpu) {
  for (const char* cpu : {"native", "x86-64-v3"}) {
    for (bool tier_c : {false, true}) {
      const CompiledKernel compiled(kVectorAdd, "vector_add", cpu, tier_c);
      ASSERT_EQ(compiled.status(), 0) << compiled.message();
      ASSERT_NE(compiled.info(), nullptr);
      const kernel::KernelInfo& info = *compiled.info();
      EXPECT_EQ(info.abi_version, kernel::kAbiVersion);
      EXPECT_EQ(info.param_bytes, 28u);
      EXPECT_STREQ(info.name, "vector_add");
      EXPECT_EQ(info.symbol_count, 0u);
      EXPECT_EQ(info.note == nullptr, !tier_c);
      EXPECT_EQ(info.run_thread != nullptr, tier_c);
      for (uint32_t count : {1u, 31u, 32u, 1000u, 1024u}) run_vector_add(info, count, 128);
      run_vector_add(info, 100, 50);
    }
  }
}

TEST(Compile, FlushesSubnormalsInAndOutOfTheHardwareMode) {
  // Every operation .ftz, then one that is not: with and without flush-to-zero mode.
  std::string flushing = kVectorAdd;
  flushing.replace(flushing.find("add.f32 %f3"), 7, "add.ftz.f32");
  std::string mixed = flushing;
  mixed.insert(mixed.find("cvta.to.global.u64 %rd9"), "mul.f32 %f3, %f3, 0f3F800000;\n  ");
  for (const std::string& ptx : {flushing, mixed}) {
    for (const char* cpu : {"native", "x86-64-v3"}) {
      for (bool tier_c : {false, true}) {
        const CompiledKernel compiled(ptx, "vector_add", cpu, tier_c);
        ASSERT_EQ(compiled.status(), 0) << compiled.message();
        run_vector_add(*compiled.info(), 100, 64);
        const float tiny = 0x1p-130f, smallest = 0x1p-126f;
        const std::vector<float> a = {tiny, smallest, -tiny, 1.0f};
        const std::vector<float> b = {tiny, -1.5f * smallest, -tiny, tiny};
        const std::vector<float> sum = add_vectors(*compiled.info(), a, b, 32);
        // Operands are flushed, and so is the subnormal difference; signs stay.
        EXPECT_EQ(sum, (std::vector<float>{0.0f, -0.0f, -0.0f, 1.0f}));
        EXPECT_TRUE(std::signbit(sum[1]) && std::signbit(sum[2]));
        volatile float here = tiny;
        EXPECT_NE(here * 1.0f, 0.0f);  // the caller's mode is back
      }
    }
  }
}

TEST(Compile, ErrorsNameTheirCause) {
  EXPECT_EQ(CompiledKernel(kVectorAdd, "absent", "native", false).status(), 500);
  const CompiledKernel unknown_cpu(kVectorAdd, "vector_add", "not-a-cpu", false);
  EXPECT_EQ(unknown_cpu.status(), 1);
  EXPECT_NE(unknown_cpu.message().find("not-a-cpu"), std::string::npos);
  const CompiledKernel broken(
      ".version 8.0\n.target sm_80\n.visible .entry k() { frobnicate.u32; }\n", "k", "native",
      false);
  EXPECT_EQ(broken.status(), 218);
  EXPECT_NE(broken.message().find("test.ptx:3"), std::string::npos) << broken.message();
}

TEST(Compile, LeavesSignalHandlersAlone) {
  struct sigaction own = {};
  own.sa_handler = [](int) {};
  for (int number : {SIGUSR1, SIGSEGV}) sigaction(number, &own, nullptr);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(CompiledKernel(kVectorAdd, "vector_add", "native", false).status(), 0);
    for (int number : {SIGUSR1, SIGSEGV}) {
      struct sigaction now = {};
      sigaction(number, nullptr, &now);
      EXPECT_EQ(now.sa_handler, own.sa_handler) << number;
    }
  }
  for (int number : {SIGUSR1, SIGSEGV}) signal(number, SIG_DFL);
}

TEST(Compile, WritesIntermediateFilesWhereAsked) {
  const std::string directory = ::testing::TempDir() + "guda_dump_" + std::to_string(getpid());
  const std::string object = directory + ".so";
  GudaCompileRequest request = {};
  request.struct_size = sizeof request;
  request.ptx = kVectorAdd;
  request.ptx_size = std::strlen(kVectorAdd);
  request.kernel = "vector_add";
  request.output_path = object.c_str();
  request.dump_directory = directory.c_str();
  GudaCompileResult result = {};
  ASSERT_EQ(guda_compile_kernel(&request, &result), 0) << result.message;
  for (const char* suffix : {".ptx", ".device.ll", ".opt.ll", ".spmd.ll", ".final.ll", ".s"})
    EXPECT_TRUE(std::filesystem::exists(directory + "/vector_add" + suffix)) << suffix;
  std::filesystem::remove_all(directory);
  std::filesystem::remove(object);
}

}  // namespace guda
