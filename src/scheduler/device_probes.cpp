#include "scheduler/device_probes.h"

#include "support/log.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string>

namespace guda::scheduler {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostBytes = size_t{512} << 20;
constexpr uint32_t kThreads = 256;
constexpr uint32_t kChains = 8;  // independent results per thread, so that latency does not count
constexpr uint32_t kUnroll = 8;

/// One arithmetic kernel: kChains results, each updated kUnroll times per iteration.
struct ArithmeticKernel {
  Arithmetic kind;
  const char* name;
  const char* type;  // of registers
  const char* instruction;  // d = d * a + b
  uint32_t operations;  // of one instruction
};

constexpr std::array kArithmetic = {
    ArithmeticKernel{Arithmetic::f64, "arithmetic_f64", "f64", "fma.rn.f64", 2},
    ArithmeticKernel{Arithmetic::f32, "arithmetic_f32", "f32", "fma.rn.f32", 2},
    ArithmeticKernel{Arithmetic::f16, "arithmetic_f16", "b32", "fma.rn.f16x2", 4},
    ArithmeticKernel{Arithmetic::bf16, "arithmetic_bf16", "b32", "fma.rn.bf16x2", 4},
    ArithmeticKernel{Arithmetic::int32, "arithmetic_int32", "b32", "mad.lo.s32", 2},
    ArithmeticKernel{Arithmetic::int8, "arithmetic_int8", "b32", "dp4a.s32.s32", 8},
};

std::string module_text(const ArithmeticKernel& k) {
  const bool wide = k.kind == Arithmetic::f64;
  const bool plain = k.kind == Arithmetic::f64 || k.kind == Arithmetic::f32;
  const char* move = wide ? "mov.f64" : plain ? "mov.f32" : "mov.b32";
  const char* one = wide ? "0d3ff0000000000000" : plain ? "0f3f800000" : "0x3c003c00";
  std::string body;
  for (uint32_t i = 0; i < kChains; ++i) body += fmt::format("  {} %v{}, {};\n", move, i, one);
  if (k.kind == Arithmetic::int32 || k.kind == Arithmetic::int8) {
    // Compilers would know what becomes of constants.
    body += "  or.b32 %a, %n, 0x01010101;\n  mov.b32 %b, %n;\n";
  } else {
    body += fmt::format("  {} %a, {};\n  {} %b, {};\n", move, one, move, one);
  }
  body += "LOOP:\n";
  for (uint32_t u = 0; u < kUnroll; ++u) {
    for (uint32_t i = 0; i < kChains; ++i) {
      // dp4a multiplies its first two operands' bytes and adds the third.
      if (k.kind == Arithmetic::int8) {
        body += fmt::format("  {} %v{}, %v{}, %a, %v{};\n", k.instruction, i, i, i);
      } else {
        body += fmt::format("  {} %v{}, %v{}, %a, %b;\n", k.instruction, i, i);
      }
    }
  }
  body += "  sub.u32 %n, %n, 1;\n  setp.ne.u32 %p, %n, 0;\n  @%p bra LOOP;\n";
  // Nothing is stored unless a result is a value that it never has: the arithmetic must not be dropped.
  std::string sum;
  for (uint32_t i = 1; i < kChains; ++i) {
    const char* add = wide ? "add.rn.f64" : plain ? "add.rn.f32" : "add.s32";
    sum += fmt::format("  {} %v0, %v0, %v{};\n", add, i);
  }
  const std::string test = plain ? fmt::format("  setp.eq.{} %p, %v0, {};\n", k.type,
                                               wide ? "0dc08f400000000000" : "0fc47a0000")
                                 : std::string("  setp.eq.s32 %p, %v0, 0x12345679;\n");
  const std::string_view version =
      k.kind == Arithmetic::bf16 ? "7.0\n.target sm_80" : "6.4\n.target sm_61";
  return fmt::format(
      ".version {}\n.address_size 64\n"
      ".visible .entry {}(.param .u64 out, .param .u32 count)\n{{\n"
      "  .reg .pred %p;\n  .reg .b32 %n;\n  .reg .b64 %d;\n  .reg .{} %a, %b;\n  .reg .{} %v<{}>;\n"
      "  ld.param.u32 %n, [count];\n{}{}{}"
      "  @!%p bra DONE;\n  ld.param.u64 %d, [out];\n  st.global.b32 [%d], %n;\nDONE:\n  ret;\n}}\n",
      version, k.name, k.type, k.type, kChains, body, sum, test);
}

constexpr std::string_view kPlainKernels = R"(
.version 6.4
.target sm_61
.address_size 64

.visible .entry nothing()
{
  ret;
}

// out[i] = in[i], four words each
.visible .entry stream(.param .u64 in, .param .u64 out)
{
  .reg .b32 %r<8>;
  .reg .b64 %rd<6>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r1, %r1, %r2, %r3;
  mul.wide.u32 %rd3, %r1, 16;
  add.s64 %rd4, %rd1, %rd3;
  add.s64 %rd5, %rd2, %rd3;
  ld.global.v4.b32 {%r4, %r5, %r6, %r7}, [%rd4];
  st.global.v4.b32 [%rd5], {%r4, %r5, %r6, %r7};
  ret;
}
)";

uint64_t text_hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

Status unsupported(const char* what) { return {StatusCode::not_supported, what}; }

}  // namespace

EngineIdentity identity_of(const backend::DeviceInfo& info) {
  return {info.id(), info.name, info.driver, info.compute_units};
}

Result<std::unique_ptr<DeviceProbes>> DeviceProbes::create(backend::Device& device,
                                                           std::span<std::byte> addresses) {
  std::unique_ptr<DeviceProbes> probes(new DeviceProbes(device));
  if (Status status = probes->open(addresses); !status) return status;
  return probes;
}

Status DeviceProbes::open(std::span<std::byte> addresses) {
  const backend::DeviceInfo& info = device_.info();
  const size_t alignment = std::max<size_t>(info.map_alignment, 4096);
  size_t bytes = kMostBytes;
  if (info.memory_bytes != 0) bytes = std::min<size_t>(bytes, info.memory_bytes / 8);
  if (!addresses.empty()) bytes = std::min(bytes, addresses.size() / 2);
  bytes = std::max(bytes / alignment * alignment, alignment);
  // Room to align in; pages are taken as they are touched.
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* hint = nullptr;
  int flags = kFlags;
  if (!addresses.empty()) {
    const auto start = reinterpret_cast<uintptr_t>(addresses.data());
    hint = reinterpret_cast<void*>((start + alignment - 1) / alignment * alignment);
    flags |= MAP_FIXED;
  }
  const size_t reserved = bytes + (hint == nullptr ? alignment : 0);
  void* memory = mmap(hint, reserved, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return {StatusCode::out_of_memory, "calibration: no host memory"};
  const auto start = reinterpret_cast<uintptr_t>(memory);
  auto* aligned = reinterpret_cast<std::byte*>((start + alignment - 1) / alignment * alignment);
  // What lies before and after the aligned part goes back.
  if (hint == nullptr) {
    auto* first = static_cast<std::byte*>(memory);
    if (aligned != first) munmap(first, static_cast<size_t>(aligned - first));
    if (aligned + bytes != first + reserved) {
      munmap(aligned + bytes, static_cast<size_t>(first + reserved - aligned) - bytes);
    }
  }
  memory_ = aligned;
  bytes_ = bytes;
  if (!info.host_memory) {
    if (Status status = device_.map(memory_, bytes_); !status) return status;
    mapped_ = true;
  }
  auto queue = device_.create_queue();
  if (!queue) return queue.status();
  queue_ = std::move(*queue);
  // Ones in every floating-point type would differ; this is a small number in each.
  if (Status status = queue_->fill(memory_, 0x3c003c00, 4, bytes_); !status) return status;
  return queue_->synchronize();
}

DeviceProbes::~DeviceProbes() {
  queue_.reset();
  kernels_.clear();
  if (mapped_ && device_.usable()) static_cast<void>(device_.unmap(memory_, bytes_));
  if (memory_ != nullptr) {
    // Inaccessible again rather than unmapped: an address space of the device's stays its own.
    if (device_.address_space().empty()) {
      munmap(memory_, bytes_);
    } else {
      mmap(memory_, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
           0);
    }
  }
}

Result<const backend::DeviceKernel*> DeviceProbes::kernel(std::string_view name) {
  if (const auto found = kernels_.find(name); found != kernels_.end()) {
    if (!found->second) return unsupported("the device cannot run the probe");
    return static_cast<const backend::DeviceKernel*>(found->second.get());
  }
  std::string text(kPlainKernels);
  for (const ArithmeticKernel& k : kArithmetic) {
    if (name == k.name) text = module_text(k);
  }
  constexpr std::array<uint32_t, 2> kTwoPointers = {0, 8};
  const bool pointers = name != "nothing";
  backend::KernelSource source;
  source.ptx = text;
  source.ptx_hash = {text_hash(text), text.size()};
  source.module_name = "calibration";
  source.kernel = name;
  source.block = {kThreads, 1, 1};
  source.pointer_offsets = std::span(kTwoPointers).first(!pointers ? 0 : name == "stream" ? 2 : 1);
  auto loaded = device_.load(source);
  if (!loaded) {
    kernels_[name] = nullptr;
    // A device that has no such instruction says so in its own ways.
    log(LogPart::scheduler, LogLevel::info, "{}: calibration: {}: {}", device_.info().id(), name,
        loaded.status().message());
    return unsupported(loaded.status().message().c_str());
  }
  return static_cast<const backend::DeviceKernel*>((kernels_[name] = std::move(*loaded)).get());
}

Result<double> DeviceProbes::timed(backend::Launch& launch, bool with_host) {
  launch.block = {kThreads, 1, 1};
  launch.count = launch.grid;
  if (warm_.insert(launch.kernel).second) {
    // Drivers compile at the first launch.
    if (Status status = queue_->launch(launch); !status) return status;
    if (Status status = queue_->synchronize(); !status) return status;
  }
  const auto start = Clock::now();
  auto before = queue_->mark();
  if (!before) return before.status();
  if (Status status = queue_->launch(launch); !status) return status;
  auto after = queue_->mark();
  if (!after) return after.status();
  if (Status status = queue_->synchronize(); !status) return status;
  const double wall = ns_since(start);
  if (with_host) return wall;
  const auto own = (*after)->since(**before);
  return own && *own > 0 ? static_cast<double>(*own) : wall;
}

Result<double> DeviceProbes::launch_ns() {
  auto code = kernel("nothing");
  if (!code) return code.status();
  backend::Launch launch;
  launch.kernel = *code;
  return timed(launch, true);
}

Result<double> DeviceProbes::arithmetic_ns(Arithmetic kind, double operations, double* done) {
  const auto& probe = *std::find_if(kArithmetic.begin(), kArithmetic.end(),
                                    [&](const ArithmeticKernel& k) { return k.kind == kind; });
  auto code = kernel(probe.name);
  if (!code) return code.status();
  const uint32_t blocks = std::max(1u, device_.info().compute_units) * 8;
  const double per_iteration = double{kThreads} * blocks * kChains * kUnroll * probe.operations;
  const double iterations = std::clamp(std::ceil(operations / per_iteration), 1.0, 4e9);
  struct {
    void* out;
    uint32_t count;
  } arguments{memory_, static_cast<uint32_t>(iterations)};
  backend::Launch launch;
  launch.kernel = *code;
  launch.params = std::as_bytes(std::span(&arguments, 1)).first(12);
  launch.grid = {blocks, 1, 1};
  *done = per_iteration * iterations;
  return timed(launch, true);
}

Result<double> DeviceProbes::stream_ns(size_t bytes) {
  auto code = kernel("stream");
  if (!code) return code.status();
  constexpr size_t kBlockBytes = kThreads * 16;
  const size_t half = bytes / 2 / kBlockBytes * kBlockBytes;
  if (half == 0 || 2 * half > bytes_) return unsupported("too little memory");
  void* const arguments[2] = {memory_, memory_ + half};
  backend::Launch launch;
  launch.kernel = *code;
  launch.params = std::as_bytes(std::span(arguments));
  launch.grid = {static_cast<uint32_t>(half / kBlockBytes), 1, 1};
  return timed(launch, true);
}

Result<double> DeviceProbes::gemm_ns(Arithmetic kind, int64_t n) {
  backend::GemmProblem problem;
  size_t element = 0;
  switch (kind) {
    case Arithmetic::f64: problem.input = backend::ElementType::f64, element = 8; break;
    case Arithmetic::f32: problem.input = backend::ElementType::f32, element = 4; break;
    case Arithmetic::f16: problem.input = backend::ElementType::f16, element = 2; break;
    case Arithmetic::bf16: problem.input = backend::ElementType::bf16, element = 2; break;
    case Arithmetic::int8: problem.input = backend::ElementType::s8, element = 1; break;
    case Arithmetic::int32: return unsupported("no products of 32-bit integers");
  }
  problem.output = problem.input;
  const size_t out_element = kind == Arithmetic::int8 ? 4 : element;
  const auto square = static_cast<size_t>(n) * static_cast<size_t>(n);
  if (square * (2 * element + out_element) > bytes_) return unsupported("too little memory");
  const double one = 1;
  const double zero = 0;
  const float one_f = 1;
  const int32_t one_i = 1;
  problem.alpha = kind == Arithmetic::f64    ? static_cast<const void*>(&one)
                  : kind == Arithmetic::int8 ? static_cast<const void*>(&one_i)
                                             : static_cast<const void*>(&one_f);
  problem.beta = &zero;  // all bits zero: zero of every type
  problem.m = problem.n = problem.k = problem.lda = problem.ldb = problem.ldc = n;
  problem.a = memory_;
  problem.b = memory_ + square * element;
  problem.c = memory_ + 2 * square * element;
  const auto start = Clock::now();
  if (Status status = queue_->gemm(problem); !status) return status;
  if (Status status = queue_->synchronize(); !status) return status;
  return ns_since(start);
}

Result<double> DeviceProbes::upload_ns(size_t bytes) {
  if (!mapped_) return unsupported("works in host memory");
  bytes = std::min(bytes, bytes_);
  const auto start = Clock::now();
  if (Status status = queue_->upload(memory_, memory_, bytes); !status) return status;
  if (Status status = queue_->synchronize(); !status) return status;
  return ns_since(start);
}

Result<double> DeviceProbes::download_ns(size_t bytes) {
  if (!mapped_) return unsupported("works in host memory");
  bytes = std::min(bytes, bytes_);
  const auto start = Clock::now();
  if (Status status = queue_->download(memory_, memory_, bytes); !status) return status;
  if (Status status = queue_->synchronize(); !status) return status;
  return ns_since(start);
}

}  // namespace guda::scheduler
