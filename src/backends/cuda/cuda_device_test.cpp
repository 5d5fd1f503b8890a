// The backend over the fake driver: what the conformance suite does not see.
#include "backends/cuda/cuda_device.h"

#include "backends/cuda/device_memory.h"
#include "backends/cuda/gemm_ptx.h"
#include "backends/cuda/testing/open_fake.h"
#include "backends/cuda/vendor_library.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>
#include <vector>

namespace guda::backend {
namespace {

using cuda::DeviceMemory;
using cuda::testing::control;
using cuda::testing::discover_fake;

constexpr std::string_view kPtx = R"(.version 7.5
.target sm_52
.address_size 64
.visible .entry vector_add(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n) { ret; }
.visible .entry reverse(.param .u64 a) { ret; }
.visible .entry trap() { trap; }
)";

KernelSource source_of(std::string_view kernel, std::string_view ptx = kPtx) {
  KernelSource source;
  source.ptx = ptx;
  source.ptx_hash = {std::hash<std::string_view>{}(ptx), 1};
  source.module_name = "test.ptx";
  source.kernel = kernel;
  return source;
}

/// Memory of the program in the device's address space; each at new addresses.
class Block {
 public:
  Block(Device& device, size_t bytes) : bytes_(bytes) {
    static size_t used = device.address_space().size() / 2;
    data_ = device.address_space().data() + used;
    used += bytes + (size_t{2} << 20);
    file_ = memfd_create("test", MFD_CLOEXEC);
    EXPECT_EQ(ftruncate(file_, static_cast<off_t>(bytes)), 0);
    EXPECT_NE(mmap(data_, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, 0),
              MAP_FAILED);
  }
  ~Block() {
    EXPECT_NE(mmap(data_, bytes_, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0),
              MAP_FAILED);
    close(file_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  std::byte* data() const { return data_; }
  uint32_t* words() const { return reinterpret_cast<uint32_t*>(data_); }
  size_t bytes() const { return bytes_; }
  int file() const { return file_; }

 private:
  size_t bytes_;
  std::byte* data_;
  int file_;
};

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    found_ = discover_fake();
    ASSERT_EQ(found_.devices.size(), 1u) << found_.note;
  }
  void TearDown() override {
    control().fail_at = 0;
    control().fail_function[0] = 0;
    found_.devices.clear();
    EXPECT_EQ(control().allocations, 0);
    EXPECT_EQ(control().mappings, 0);
    EXPECT_EQ(control().registered, 0);
    EXPECT_EQ(control().host_buffers, 0);
    EXPECT_EQ(control().modules, 0);
    EXPECT_EQ(control().streams, 0);
    EXPECT_EQ(control().events, 0);
    EXPECT_EQ(control().contexts, 0);
    EXPECT_EQ(control().arrays, 0);
    EXPECT_EQ(control().textures, 0);
  }
  static void fail(const char* function, int code) {
    std::strcpy(control().fail_function, function);
    control().fail_code = code;
    control().fail_at = 1;
  }
  Device& device() { return *found_.devices.front(); }

  Discovery found_;
};

TEST(CudaDriver, AMissingDriverIsANormalState) {
  Discovery found = discover_cuda({.driver = "/nonexistent/libcuda.so.1", .cublas = {}});
  EXPECT_TRUE(found.devices.empty());
  EXPECT_NE(found.note.find("/nonexistent/libcuda.so.1"), std::string::npos) << found.note;
}

TEST(CudaDriver, ALibraryWithoutTheFunctionsIsRefusedByName) {
  Discovery found = discover_cuda({.driver = "libz.so.1", .cublas = {}});
  EXPECT_TRUE(found.devices.empty());
  EXPECT_TRUE(found.note.find("cuMemAddressReserve") != std::string::npos ||
              found.note.find("cannot open") != std::string::npos)
      << found.note;
}

TEST(CudaDriver, OurOwnDriverIsNotTakenForTheVendors) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "what sanitizers have instrumented does not load into another link namespace";
#endif
  if (!std::filesystem::exists(GUDA_OWN_DRIVER)) GTEST_SKIP() << "not built: " << GUDA_OWN_DRIVER;
  Discovery found = discover_cuda({.driver = GUDA_OWN_DRIVER, .cublas = {}});
  EXPECT_TRUE(found.devices.empty());
  EXPECT_NE(found.note.find("GUDA's own"), std::string::npos) << found.note;
}

TEST(CudaDriver, SeesVariablesThatWereSetAfterTheProcessBegan) {
  ASSERT_NE(cuda::testing::fake_driver(), nullptr);
  EXPECT_STREQ(control().environment, "set after the start");
}

TEST(CudaDriver, LooksInTheLibraryPathFirstAndTakesEachFileOnce) {
  namespace fs = std::filesystem;
  fs::path folder = fs::temp_directory_path() / fmt::format("guda-find-{}", getpid());
  fs::create_directories(folder / "a");
  fs::create_directories(folder / "b");
  std::ofstream(folder / "a" / "libwanted.so.7") << "x";
  fs::create_symlink(folder / "a" / "libwanted.so.7", folder / "b" / "libwanted.so.7");
  std::ofstream(folder / "b" / "libwanted.so.6") << "y";
  const char* set = getenv("LD_LIBRARY_PATH");
  std::string before = set != nullptr ? set : "";
  setenv("LD_LIBRARY_PATH", fmt::format("/nonexistent::{}", (folder / "a").string()).c_str(), 1);
  std::string b = (folder / "b").string();
  auto files = cuda::find_library({"libwanted.so.7", "libwanted.so.6"}, {b});
  setenv("LD_LIBRARY_PATH", before.c_str(), 1);
  EXPECT_EQ(files, (std::vector<std::string>{(folder / "a" / "libwanted.so.7").string(),
                                             (folder / "b" / "libwanted.so.6").string()}));
  fs::remove_all(folder);
}

TEST(CudaDriver, FindsWhatTheLoadersCacheNames) {
  if (!std::filesystem::exists("/etc/ld.so.cache")) GTEST_SKIP() << "no cache";
  auto files = cuda::find_library({"libc.so.6"}, {});
  ASSERT_FALSE(files.empty());
  EXPECT_TRUE(std::filesystem::exists(files.front()));
}

TEST_F(CudaDeviceTest, SaysWhatTheDriverSays) {
  EXPECT_EQ(device().info().id(), "cuda:0");
  EXPECT_EQ(device().info().name, "Fake GPU");
  EXPECT_EQ(device().info().driver, "13.1");
  EXPECT_EQ(device().info().map_alignment, size_t{2} << 20);
  EXPECT_TRUE(device().info().stored_pointers);
  EXPECT_EQ(device().cuda_attribute(75), 9);
  EXPECT_EQ(device().cuda_attribute(100000), std::nullopt);
  EXPECT_EQ(device().free_bytes(), cuda::testing::kFakeMemory);
}

TEST_F(CudaDeviceTest, MapsInsideTheAddressSpaceOnly) {
  std::vector<std::byte> elsewhere(size_t{8} << 20);
  auto base =
      (reinterpret_cast<uintptr_t>(elsewhere.data()) + (2 << 20)) & ~uintptr_t{(2 << 20) - 1};
  EXPECT_EQ(device().map(reinterpret_cast<void*>(base), 2 << 20).code(), StatusCode::invalid_value);
  std::byte* end = device().address_space().data() + device().address_space().size();
  EXPECT_EQ(device().map(end - (2 << 20), 4 << 20).code(), StatusCode::invalid_value);
  Block block(device(), 4 << 20);
  EXPECT_EQ(device().map(block.data() + 4096, 2 << 20).code(), StatusCode::invalid_value);
  EXPECT_EQ(device().map(block.data(), 0).code(), StatusCode::invalid_value);
  EXPECT_EQ(device().map(block.data(), 6 << 20, block.file()).code(), StatusCode::invalid_value)
      << "the file is shorter";
  EXPECT_EQ(control().allocations, 0);
}

TEST_F(CudaDeviceTest, PinsWhatIsTransferredALotPieceByPiece) {
  constexpr size_t kPiece = DeviceMemory::kPiece;
  Block block(device(), 2 * kPiece + (4 << 20));
  ASSERT_TRUE(device().map(block.data(), block.bytes(), block.file()));
  auto queue = std::move(*device().create_queue());
  std::iota(block.words(), block.words() + block.bytes() / 4, 1u);
  ASSERT_TRUE(queue->upload(block.data() + 100, block.data() + 100, 4096));
  EXPECT_EQ(control().registered, 0) << "a small transfer pins nothing";
  control().pinned_copies = 0;
  ASSERT_TRUE(queue->upload(block.data(), block.data(), block.bytes()));
  EXPECT_EQ(control().registered, 3);
  EXPECT_EQ(control().pinned_copies, 3) << "one copy for each piece";
  std::fill(block.words(), block.words() + block.bytes() / 4, 0u);
  ASSERT_TRUE(queue->download(block.data() + kPiece - 8, block.data() + kPiece - 8, 16));
  EXPECT_EQ(block.words()[kPiece / 4 - 3], 0u);
  for (size_t i = kPiece / 4 - 2; i < kPiece / 4 + 2; ++i) EXPECT_EQ(block.words()[i], i + 1);
  EXPECT_EQ(block.words()[kPiece / 4 + 2], 0u);
  ASSERT_TRUE(device().unmap(block.data(), block.bytes()));
  EXPECT_EQ(control().registered, 0);
}

TEST_F(CudaDeviceTest, TransfersPageableWhatCannotBePinned) {
  Block block(device(), 4 << 20);
  ASSERT_TRUE(device().map(block.data(), block.bytes(), block.file()));
  auto queue = std::move(*device().create_queue());
  fail("cuMemHostRegister_v2", 2);
  block.words()[9] = 4;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue->upload(block.data(), block.data(), block.bytes()));
  EXPECT_EQ(control().registered, 0) << "it is not tried again";
  block.words()[9] = 0;
  ASSERT_TRUE(queue->download(block.data(), block.data(), block.bytes()));
  EXPECT_EQ(block.words()[9], 4u);
}

TEST_F(CudaDeviceTest, TransfersThroughBuffersWhereThereIsNoFile) {
  constexpr size_t kBytes = size_t{14} << 20;  // more than two buffers
  Block block(device(), kBytes), source(device(), kBytes);
  ASSERT_TRUE(device().map(block.data(), kBytes));
  auto queue = std::move(*device().create_queue());
  std::iota(block.words(), block.words() + kBytes / 4, 7u);
  ASSERT_TRUE(queue->upload(block.data() + 4, block.data() + 4, kBytes - 4));
  std::fill(block.words(), block.words() + kBytes / 4, 0u);
  ASSERT_TRUE(queue->download(block.data() + 8, block.data() + 8, kBytes - 8));
  EXPECT_EQ(block.words()[1], 0u);
  for (size_t i = 2; i < kBytes / 4; ++i) ASSERT_EQ(block.words()[i], i + 7);
  // Host memory in the address space that the device has not mapped at all.
  std::iota(source.words(), source.words() + kBytes / 4, 100u);
  ASSERT_TRUE(queue->upload(block.data(), source.data(), kBytes));
  std::fill(source.words(), source.words() + kBytes / 4, 0u);
  ASSERT_TRUE(queue->download(source.data(), block.data(), kBytes));
  for (size_t i = 0; i < kBytes / 4; ++i) ASSERT_EQ(source.words()[i], i + 100);
}

TEST_F(CudaDeviceTest, KernelsOfAModuleShareOneNativeModule) {
  auto first = device().load(source_of("vector_add"));
  auto second = device().load(source_of("reverse"));
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(control().modules, 1);
  first->reset();
  EXPECT_EQ(control().modules, 1);
  second->reset();
  EXPECT_EQ(control().modules, 0);
  EXPECT_EQ(device().load(source_of("missing")).status().code(), StatusCode::not_found);
}

TEST_F(CudaDeviceTest, ModulesWithOtherVariablesAreOthers) {
  constexpr std::string_view kWithVariable =
      ".version 7.5\n.target sm_52\n.address_size 64\n.global .u32 x;\n"
      ".visible .entry vector_add() { .reg .b32 %r; ld.global.u32 %r, [x]; ret; }\n";
  KernelSource source = source_of("vector_add", kWithVariable);
  int a = 0, b = 0;
  Variable at_a{"x", &a, 4, false}, at_b{"x", &b, 4, false};
  source.variables = {&at_a, 1};
  auto first = device().load(source);
  source.variables = {&at_b, 1};
  auto second = device().load(source);
  ASSERT_TRUE(first) << first.status().message();
  ASSERT_TRUE(second);
  EXPECT_EQ(control().modules, 2);
}

TEST_F(CudaDeviceTest, KernelsOfALargeModuleAreCompiledOneByOne) {
  std::string text = ".version 7.5\n.target sm_52\n.address_size 64\n";
  for (int i = 0; i < 20; ++i)
    text += fmt::format(".visible .entry k{}() {{ {} ret; }}\n", i, i == 7 ? "bogus.u32 %r;" : "");
  text += ".visible .entry vector_add() { ret; }\n.visible .entry reverse() { ret; }\n";
  auto first = device().load(source_of("vector_add", text));
  auto second = device().load(source_of("reverse", text));
  ASSERT_TRUE(first) << "what is wrong with another kernel does not matter: "
                     << first.status().message();
  ASSERT_TRUE(second);
  EXPECT_EQ(control().modules, 2);
  EXPECT_EQ(device().load(source_of("k7", text)).status().code(), StatusCode::invalid_ptx);
  auto again = device().load(source_of("reverse", text));
  EXPECT_EQ(control().modules, 2);
}

TEST_F(CudaDeviceTest, TargetsBeyondTheDeviceAreTheDevices) {
  EXPECT_TRUE(device().load(source_of(
      "vector_add",
      ".version 9.0\n.target sm_121\n.address_size 64\n.visible .entry vector_add() { ret; }\n")));
  EXPECT_TRUE(device().load(source_of(
      "reverse",
      ".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry reverse() { ret; }\n")));
}

TEST_F(CudaDeviceTest, ErrorsOfTheDriversCompilerAreQuoted) {
  auto kernel = device().load(source_of(
      "k",
      ".version 7.5\n.target sm_52\n.address_size 64\n.visible .entry k() { bogus.u32 %r; ret; }"));
  EXPECT_EQ(kernel.status().code(), StatusCode::invalid_ptx);
  EXPECT_NE(kernel.status().message().find("test.ptx"), std::string::npos);
  EXPECT_NE(kernel.status().message().find("known instruction: 'bogus'"), std::string::npos);
}

TEST_F(CudaDeviceTest, AsksForLargeSharedMemoryOnce) {
  Block block(device(), 2 << 20);
  ASSERT_TRUE(device().map(block.data(), block.bytes(), block.file()));
  auto queue = std::move(*device().create_queue());
  auto kernel = *device().load(source_of("reverse"));
  uint64_t data = reinterpret_cast<uint64_t>(block.data());
  Launch launch;
  launch.kernel = kernel.get();
  launch.params = std::as_bytes(std::span(&data, 1));
  launch.block = {64, 1, 1};
  launch.dynamic_shared_bytes = 100 << 10;
  ASSERT_TRUE(queue->launch(launch));
  EXPECT_EQ(control().dynamic_shared_allowed, 100 << 10);
  control().dynamic_shared_allowed = 0;
  launch.dynamic_shared_bytes = 40 << 10;
  ASSERT_TRUE(queue->launch(launch));
  EXPECT_EQ(control().dynamic_shared_allowed, 0) << "not asked for again";
  launch.dynamic_shared_bytes = 300 << 10;
  EXPECT_EQ(queue->launch(launch).code(), StatusCode::invalid_value);
  control().cooperative_launches = 0;
  launch.dynamic_shared_bytes = 256;
  launch.cooperative = true;
  ASSERT_TRUE(queue->launch(launch));
  EXPECT_EQ(control().cooperative_launches, 1);
  EXPECT_TRUE(queue->synchronize());
}

/// A program that uses everything; returns the first error. Whatever fails, nothing crashes or stays behind.
Status use_everything(Device& device) {
  constexpr size_t kBytes = size_t{6} << 20;
  Block a(device, kBytes), b(device, kBytes);
  std::iota(a.words(), a.words() + kBytes / 4, 3u);
  Status first = Status::ok();
  auto note = [&](const Status& status) {
    if (first && !status) first = status;
    return status.is_ok();
  };
  bool mapped_a = note(device.map(a.data(), kBytes, a.file()));
  bool mapped_b = note(device.map(b.data(), kBytes));
  {
    auto queue = device.create_queue();
    auto other = device.create_queue();
    auto kernel = device.load(source_of("vector_add"));
    if (note(queue.status()) && note(other.status()) && mapped_a && mapped_b) {
      Queue& q = **queue;
      note(q.upload(a.data(), a.data(), kBytes));
      note(q.copy(b.data(), a.data(), kBytes));
      note(q.fill(a.data(), 1, 4, 64));
      if (note(kernel.status())) {
        uint64_t params[4] = {reinterpret_cast<uint64_t>(a.data()),
                              reinterpret_cast<uint64_t>(a.data()),
                              reinterpret_cast<uint64_t>(a.data()), 16};
        Launch launch;
        launch.kernel = kernel->get();
        launch.params = std::as_bytes(std::span(params));
        launch.block = {16, 1, 1};
        note(q.launch(launch));
      }
      ArrayDescription image;
      image.width = 16;
      image.height = 16;
      image.flags = 2;
      for (uint32_t levels : {0u, 2u}) {
        image.levels = levels;
        auto array = device.create_array(image);
        if (!note(array.status())) continue;
        TextureDescription over;
        over.array = *array;
        note(device.create_texture(over).status());
        note(device.create_surface(*array, 0).status());
        note(q.copy_to_array(**array, 0, {a.data(), 64, 1024}));
        note(q.copy_from_array({b.data(), 64, 1024}, **array, 0));
      }
      if (auto mark = q.mark(); note(mark.status())) {
        note((*other)->wait_for(**mark));
        note((*mark)->wait());
      }
      float one = 1;
      GemmProblem problem;
      problem.m = problem.n = problem.k = problem.lda = problem.ldb = problem.ldc = 2;
      problem.alpha = problem.beta = &one;
      problem.a = problem.b = a.data();
      problem.c = a.data() + 4096;
      note((*other)->gemm(problem));
      note((*other)->download(b.data(), b.data(), kBytes));
      note((*other)->synchronize());
      note(q.synchronize());
      if (first) {
        EXPECT_EQ(b.words()[100], 103u);
      }
    } else {
      note(kernel.status());
    }
  }
  // The host's own contents are not touched by failures.
  EXPECT_EQ(a.words()[1000], 1003u);
  if (mapped_a) note(device.unmap(a.data(), kBytes));
  if (mapped_b) note(device.unmap(b.data(), kBytes));
  return first;
}

TEST_F(CudaDeviceTest, EveryCallMayFail) {
  control().calls = 0;
  ASSERT_TRUE(use_everything(device()));
  long calls = control().calls;
  ASSERT_GT(calls, 40);
  long reported = 0;
  for (long n = 1; n <= calls; ++n) {
    control().fail_code = 1;  // the device survives it
    control().fail_at = n;
    Status status = use_everything(device());
    if (!status) ++reported;
    EXPECT_TRUE(status || status.code() == StatusCode::invalid_value)
        << n << ": " << status.message();
    EXPECT_TRUE(device().usable());
    control().fail_at = 0;
    EXPECT_EQ(control().mappings, 0) << n;
    EXPECT_EQ(control().allocations, 0) << n;
    EXPECT_EQ(control().streams, 0) << n;
    EXPECT_EQ(control().arrays, 0) << n;
    EXPECT_EQ(control().textures, 0) << n;
  }
  // Unreported: pinning, queries of attributes, and what releases things.
  EXPECT_GT(reported, calls / 2);
  EXPECT_TRUE(use_everything(device()));
}

TEST(CudaDiscovery, EveryCallMayFail) {
  for (long n = 1; n < 40; ++n) {
    control().fail_code = 3;
    control().fail_at = n;
    Discovery found = discover_fake();
    bool failed = control().fail_at == 0;
    control().fail_at = 0;
    EXPECT_TRUE(!found.devices.empty() || !found.note.empty()) << n;
    found.devices.clear();
    EXPECT_EQ(control().contexts, 0) << n;
    if (!failed) return;  // all calls have had their turn
  }
  ADD_FAILURE() << "more calls than expected";
}

TEST_F(CudaDeviceTest, OutOfMemoryIsNotTheEnd) {
  Block block(device(), 4 << 20);
  fail("cuMemCreate", 2);
  EXPECT_EQ(device().map(block.data(), 4 << 20).code(), StatusCode::out_of_memory);
  EXPECT_TRUE(device().usable());
  EXPECT_TRUE(device().map(block.data(), 4 << 20));
}

TEST_F(CudaDeviceTest, ModulesAreCompiledInAnyThread) {
  control().blanks_seen = 0;
  std::thread([&] { EXPECT_TRUE(device().load(source_of("vector_add"))); }).join();
  EXPECT_GT(control().blanks_seen, 10);
}

/// Both C libraries number their keys from 0, but the values stand in one place.
TEST_F(CudaDeviceTest, ThreadSpecificDataOfTheProgramAndTheDriverStayApart) {
  constexpr int kKeys = 14, kRounds = 20;
  static std::atomic<int> destroyed{0}, wrong{0};
  destroyed = wrong = 0;
  std::vector<pthread_key_t> keys;
  for (int i = 0; i < kKeys; ++i) {
    pthread_key_t key = 0;
    ASSERT_EQ(pthread_key_create(&key,
                                 [](void* value) {
                                   ++destroyed;
                                   if (*static_cast<int*>(value) != 1234) ++wrong;
                                   delete static_cast<int*>(value);
                                 }),
              0);
    keys.push_back(key);
  }
  control().key_mismatches = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::thread thread([&] {
      auto queue = std::move(*device().create_queue());
      for (pthread_key_t key : keys) {
        if (pthread_getspecific(key) != nullptr) ++wrong;
        pthread_setspecific(key, new int(1234));
      }
      EXPECT_TRUE(queue->synchronize());
      for (pthread_key_t key : keys) {
        if (*static_cast<int*>(pthread_getspecific(key)) != 1234) ++wrong;
      }
    });
    thread.join();
  }
  EXPECT_EQ(destroyed, kKeys * kRounds);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(control().key_mismatches, 0);
  for (pthread_key_t key : keys) pthread_key_delete(key);
}

/// Last: the fake driver, as the real one, does not come back from it.
TEST_F(CudaDeviceTest, ZAFaultOfAKernelEndsTheDevice) {
  auto queue = std::move(*device().create_queue());
  auto kernel = *device().load(source_of("vector_add"));
  uint64_t params[4] = {64, 64, 64, 32};
  Launch launch;
  launch.kernel = kernel.get();
  launch.params = std::as_bytes(std::span(params));
  launch.block = {32, 1, 1};
  EXPECT_TRUE(queue->launch(launch)) << "errors of execution come later";
  EXPECT_TRUE(device().usable());
  Status status = queue->synchronize();
  EXPECT_EQ(status.code(), StatusCode::illegal_address);
  EXPECT_NE(status.message().find("CUDA_ERROR_ILLEGAL_ADDRESS"), std::string::npos);
  EXPECT_FALSE(device().usable());
}

}  // namespace
}  // namespace guda::backend
