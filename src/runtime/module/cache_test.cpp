#include "runtime/module/cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "compiler/driver/kernel_abi.h"
#include "runtime/module/compiler_client.h"
#include "runtime/module/kernel_object.h"
#include "runtime/module/test_support.h"
#include "support/options.h"

namespace guda::runtime {
namespace {

namespace fs = std::filesystem;
using namespace testing;

constexpr std::string_view kAnswer = R"(
.version 9.0
.target sm_80
.address_size 64
.visible .global .align 4 .u32 counter = 1;
.visible .entry answer(.param .u32 p) { ret; }
.visible .entry broken() { ret; }
.extern .func nowhere();
.visible .entry launcher() { call.uni cudaLaunchDeviceV2, (); ret; }
.extern .func cudaLaunchDeviceV2();
)";

class CacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root = fs::temp_directory_path() / ("guda-cache-test-" + std::to_string(getpid()));
    fs::remove_all(root);
    fs::create_directories(root);
    count_file = root / "count";
    setenv("GUDA_TEST_KERNEL_OBJECT", GUDA_FAKE_KERNEL, 1);
    setenv("GUDA_TEST_COMPILE_COUNT", count_file.c_str(), 1);
    source.ptx = kAnswer;
    source.ptx_hash = hash128(kAnswer);
    source.module_name = "test";
    source.kernel = "answer";
  }
  void TearDown() override { fs::remove_all(root); }

  size_t compilations() const {
    std::error_code none;
    const auto size = fs::file_size(count_file, none);
    return none ? 0 : size;
  }
  fs::path only_object(const KernelCache& cache) const {
    for (const auto& entry : fs::directory_iterator(cache.directory())) {
      if (entry.path().extension() == ".so") return entry.path();
    }
    return {};
  }

  fs::path root, count_file;
  KernelSource source;
  CompilerClient compiler{GUDA_FAKE_COMPILER};
};

// Kernels are code: a directory that somebody else prepared under our name is not used.
TEST_F(CacheTest, TemporaryDirectoryMustBeOurs) {
  struct Environment {
    std::map<std::string, std::string> saved;
    ~Environment() {
      for (const auto& [name, value] : saved) setenv(name.c_str(), value.c_str(), 1);
      if (!saved.contains("TMPDIR")) unsetenv("TMPDIR");
    }
  } environment;
  for (const char* name :
       {"GUDA_CACHE_DIR", "CUDA_CACHE_PATH", "XDG_CACHE_HOME", "HOME", "TMPDIR"}) {
    if (const char* value = std::getenv(name)) environment.saved[name] = value;
    unsetenv(name);
  }
  setenv("TMPDIR", root.c_str(), 1);
  const fs::path own = root / ("guda-" + std::to_string(geteuid()));
  EXPECT_EQ(cache_directory(), own.string());
  EXPECT_EQ(fs::status(own).permissions(), fs::perms::owner_all);
  EXPECT_EQ(cache_directory(), own.string());

  fs::permissions(own, fs::perms::others_write, fs::perm_options::add);
  EXPECT_EQ(cache_directory(), "");
  fs::remove(own);
  fs::create_directory(root / "elsewhere");
  fs::create_directory_symlink(root / "elsewhere", own);
  EXPECT_EQ(cache_directory(), "");
}

TEST_F(CacheTest, SecondUseComesFromTheCacheWithoutOpeningTheCompiler) {
  KernelCache cache(root / "cache", 1 << 30);
  auto first = obtain_kernel_object(source, cache, compiler);
  ASSERT_TRUE(first) << first.status().message();
  EXPECT_EQ(compilations(), 1u);
  CompilerClient closed{GUDA_FAKE_COMPILER};
  auto second = obtain_kernel_object(source, cache, closed);
  ASSERT_TRUE(second);
  EXPECT_EQ(compilations(), 1u);
  EXPECT_FALSE(closed.is_open());
  EXPECT_STREQ(second->object->info().name, "answer");
  EXPECT_EQ(cache.usage().files, 1u);
}

TEST_F(CacheTest, EveryPartOfTheKeyMatters) {
  KernelKey key{.ptx = {1, 2}, .kernel = "k", .cpu = "native:1", .compiler = "id"};
  const std::string base = key_digest(key);
  EXPECT_EQ(base.size(), 32u);
  EXPECT_EQ(base, key_digest(key));
  auto changed = [&](auto change) {
    KernelKey other = key;
    change(other);
    return key_digest(other) != base;
  };
  EXPECT_TRUE(changed([](KernelKey& k) { k.ptx.low = 3; }));
  EXPECT_TRUE(changed([](KernelKey& k) { k.kernel = "l"; }));
  EXPECT_TRUE(changed([](KernelKey& k) { k.cpu = "x86-64-v3"; }));
  EXPECT_TRUE(changed([](KernelKey& k) { k.force_tier_c = 1; }));
  EXPECT_TRUE(changed([](KernelKey& k) { k.block_dim = {32, 1, 1}; }));
  EXPECT_TRUE(changed([](KernelKey& k) { k.compiler = "other"; }));
}

TEST_F(CacheTest, SpecialisedBlocksUseTheGeneralObjectMadeAheadOfTime) {
  KernelCache cache(root / "cache", 1 << 30);
  bool was_cached = true;
  ASSERT_TRUE(build_kernel_object(source, cache, compiler, was_cached));
  EXPECT_FALSE(was_cached);
  ASSERT_TRUE(build_kernel_object(source, cache, compiler, was_cached));
  EXPECT_TRUE(was_cached);
  source.block_dim = {64, 1, 1};
  auto object = obtain_kernel_object(source, cache, compiler);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->block_dim[0], 0u);
  EXPECT_EQ(compilations(), 1u);
}

TEST_F(CacheTest, DamagedObjectsAreRebuilt) {
  KernelCache cache(root / "cache", 1 << 30);
  ASSERT_TRUE(obtain_kernel_object(source, cache, compiler));
  const fs::path object = only_object(cache);
  const auto size = fs::file_size(object);
  size_t expected = 1;
  for (const auto& damage : std::vector<std::function<void()>>{
           [&] { fs::resize_file(object, size / 2); },
           [&] { fs::resize_file(object, size - 1); },
           [&] { fs::resize_file(object, 0); },
           [&] { fs::resize_file(object, size + 100); },
           [&] {
             std::fstream file(object, std::ios::in | std::ios::out | std::ios::binary);
             file.seekp(static_cast<std::streamoff>(size / 2));
             file << "\x55\xaa\x55\xaa";
           },
           [&] { std::ofstream(object) << "not an object"; },
       }) {
    damage();
    auto again = obtain_kernel_object(source, cache, compiler);
    ASSERT_TRUE(again) << again.status().message();
    EXPECT_EQ(compilations(), ++expected);
    EXPECT_EQ(fs::file_size(object), size);
  }
}

TEST_F(CacheTest, SoundFileOfAWrongKernelIsRebuilt) {
  KernelCache cache(root / "cache", 1 << 30);
  source.kernel = "other";
  const auto status = obtain_kernel_object(source, cache, compiler).status();
  EXPECT_EQ(status.code(), StatusCode::invalid_image);
}

TEST_F(CacheTest, DisabledCacheCompilesIntoMemory) {
  KernelCache cache(root / "cache", 0);
  std::vector<ObtainedObject> objects;
  for (int i = 0; i < 5; ++i) {
    auto object = obtain_kernel_object(source, cache, compiler);
    ASSERT_TRUE(object) << object.status().message();
    for (const ObtainedObject& other : objects) {
      EXPECT_NE(&other.object->info(), &object->object->info());
    }
    objects.push_back(*object);
  }
  EXPECT_EQ(compilations(), 5u);
  EXPECT_FALSE(fs::exists(cache.directory()));
}

TEST_F(CacheTest, UnwritableDirectoryFallsBackToMemory) {
  std::ofstream(root / "file") << "x";
  KernelCache cache(root / "file", 1 << 30);
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(obtain_kernel_object(source, cache, compiler));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("not cached"), std::string::npos);
}

TEST_F(CacheTest, LeastRecentlyUsedObjectsGoFirst) {
  KernelCache cache(root / "cache", 1 << 30);
  const auto store = [&](const std::string& name) {
    const auto temporary = cache.temporary_path();
    std::ofstream(*temporary) << std::string(1000, 'a');
    EXPECT_TRUE(cache.store(*temporary, name, name));
  };
  const auto age = [&](const std::string& name, int hours) {
    fs::last_write_time(cache.find(name, name),
                        fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  for (const char* name : {"a", "b", "c", "d"}) store(name);
  age("a", 1);
  age("b", 4);
  age("c", 3);
  age("d", 2);
  cache.find("b", "b");  // used now
  cache.evict_to(2400);
  EXPECT_TRUE(cache.contains("a", "a"));
  EXPECT_TRUE(cache.contains("b", "b"));
  EXPECT_FALSE(cache.contains("c", "c"));
  EXPECT_FALSE(cache.contains("d", "d"));
  EXPECT_EQ(cache.clear().files, 2u);
  EXPECT_EQ(cache.usage().files, 0u);
}

TEST_F(CacheTest, CompilerErrorsArriveWithTheirMessage) {
  KernelCache cache(root / "cache", 1 << 30);
  source.kernel = "broken";
  const auto status = obtain_kernel_object(source, cache, compiler).status();
  EXPECT_EQ(status.code(), StatusCode::invalid_ptx);
  EXPECT_NE(status.message().find("frobnicate"), std::string::npos);
  EXPECT_EQ(cache.usage().files, 0u);
  CompilerClient missing{"/nonexistent/libguda_compiler.so"};
  source.kernel = "answer";
  EXPECT_EQ(obtain_kernel_object(source, cache, missing).status().code(),
            StatusCode::shared_object_symbol_not_found);
}

TEST_F(CacheTest, LoadedKernelRunsWithItsSymbols) {
  setenv("GUDA_CACHE_DIR", root.c_str(), 1);
  CompilerClient::use_library(GUDA_FAKE_COMPILER);
  HeapStorage storage;
  auto module = Module::from_ptx(std::string(kAnswer), "answer.ptx", storage);
  ASSERT_TRUE(module) << module.status().message();
  Kernel* kernel = *(*module)->find_kernel("answer");
  EXPECT_EQ(kernel->loaded({32, 1, 1}), nullptr);
  const auto loaded = kernel->load({32, 1, 1});
  ASSERT_TRUE(loaded) << loaded.status().message();
  EXPECT_EQ(kernel->loaded({32, 1, 1}), *loaded);
  EXPECT_EQ(kernel->loaded({64, 1, 1}), nullptr);

  alignas(64) int parameter[16] = {8};
  kernel::LaunchState launch{};
  launch.params = reinterpret_cast<const std::byte*>(parameter);
  launch.symbols = (*loaded)->symbols.data();
  kernel::BlockState block{};
  (*loaded)->info->run_block(&launch, &block);
  EXPECT_EQ(*static_cast<int*>((*(*module)->find_variable("counter")).address), 50);

  // The variants are bounded: after some block shapes comes one object for all.
  for (uint32_t threads = 1; threads < 20; ++threads) {
    const auto variant = kernel->load({threads, 2, 1});
    ASSERT_TRUE(variant);
    EXPECT_TRUE((*variant)->fits({threads, 2, 1}));
  }
  EXPECT_EQ((*kernel->load({77, 1, 1}))->block[0], 0u);

  ::testing::internal::CaptureStderr();
  EXPECT_EQ((*(*module)->find_kernel("broken"))->load().status().code(), StatusCode::invalid_ptx);
  ::testing::internal::GetCapturedStderr();
}

TEST(Hash, AgreesWithThePublishedAlgorithm) {
  // Values of MurmurHash3_x64_128 with seed 0.
  EXPECT_EQ(hash128(std::string_view{}), (Hash128{0, 0}));
  EXPECT_EQ(to_hex(hash128(std::string_view("hello"))), "5b1e906a48ae1d19cbd8a7b341bd9b02");
  EXPECT_NE(hash128("a"), hash128(std::string_view("a\0", 2)));
}

TEST(ResolvedCpu, NativeNamesTheProcessorAndOthersStay) {
  EXPECT_EQ(resolved_cpu("x86-64-v3"), "x86-64-v3");
  EXPECT_GT(resolved_cpu("native").size(), 20u);
}

}  // namespace
}  // namespace guda::runtime
