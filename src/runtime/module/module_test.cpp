#include "runtime/module/module.h"

#include <gtest/gtest.h>

#include <thread>

#include "compiler/device_ir/function_address.h"
#include "runtime/module/test_support.h"

namespace guda::runtime {
namespace {

using namespace testing;

template <typename T>
T value_at(const void* address, size_t index = 0) {
  T value;
  std::memcpy(&value, static_cast<const char*>(address) + index * sizeof(T), sizeof value);
  return value;
}

class ModuleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loaded = Module::from_ptx(std::string(kVectorAdd), "test.ptx", storage);
    ASSERT_TRUE(loaded) << loaded.status().message();
    module = std::move(*loaded);
  }
  void TearDown() override {
    module.reset();
    EXPECT_EQ(storage.live, 0);
  }
  void* address(std::string_view name) {
    auto variable = module->find_variable(name);
    EXPECT_TRUE(variable) << variable.status().message();
    return variable ? variable->address : nullptr;
  }
  HeapStorage storage;
  std::unique_ptr<Module> module;
};

TEST_F(ModuleTest, ParameterLayoutFollowsAlignments) {
  auto kernel = module->find_kernel("_Z9vectorAddPKfS0_Pfi");
  ASSERT_TRUE(kernel) << kernel.status().message();
  const auto layout = (*kernel)->layout();
  ASSERT_TRUE(layout);
  const auto& p = (*layout)->parameters;
  ASSERT_EQ(p.size(), 4u);
  EXPECT_EQ(p[0].offset, 0u);
  EXPECT_EQ(p[0].size, 8u);
  EXPECT_EQ(p[1].offset, 8u);
  EXPECT_EQ(p[1].size, 1u);
  EXPECT_EQ(p[2].offset, 16u);
  EXPECT_EQ(p[2].size, 24u);
  EXPECT_EQ(p[2].alignment, 16u);
  EXPECT_EQ(p[3].offset, 40u);
  EXPECT_EQ((*layout)->param_bytes, 44u);
  EXPECT_EQ((*layout)->max_threads_per_block(), 256u);
  EXPECT_EQ((*layout)->min_blocks_per_multiprocessor, 3u);
  EXPECT_EQ((*layout)->ptx_version, 75u);
  EXPECT_EQ((*(*module->find_kernel("second"))->layout())->max_threads_per_block(), 1024u);
}

TEST_F(ModuleTest, FootprintCountsWhatTheKernelReaches) {
  const auto footprint = (*module->find_kernel("_Z9vectorAddPKfS0_Pfi"))->footprint();
  ASSERT_TRUE(footprint) << footprint.status().message();
  EXPECT_EQ((*footprint)->static_shared_bytes, 256u + 12u);
  EXPECT_EQ((*footprint)->local_bytes, 40u);
  EXPECT_EQ((*footprint)->const_bytes, 16u);
  EXPECT_EQ((*(*module->find_kernel("second"))->footprint())->static_shared_bytes, 0u);
}

TEST_F(ModuleTest, VariablesHaveTheirInitialValues) {
  EXPECT_EQ(value_at<uint32_t>(address("counter")), 3u);
  EXPECT_EQ(value_at<float>(address("table"), 3), 4.0f);
  EXPECT_EQ(value_at<uint64_t>(address("pc")), reinterpret_cast<uintptr_t>(address("counter")) + 4);
  EXPECT_EQ(value_at<float>(address("scale"), 0), 1.0f);
  EXPECT_EQ(value_at<float>(address("scale"), 1), 2.5f);
  EXPECT_EQ(value_at<float>(address("scale"), 2), 0.0f);
  const auto pc = reinterpret_cast<uintptr_t>(address("pc"));
  EXPECT_EQ(value_at<uint8_t>(address("bytes_of_pc"), 0), pc & 0xff);
  EXPECT_EQ(value_at<uint8_t>(address("bytes_of_pc"), 1), (pc >> 8) & 0xff);
  EXPECT_EQ((*module->find_variable("man")).space, VariableSpace::managed);
  EXPECT_EQ((*module->find_variable("table")).size, 16u);
}

TEST_F(ModuleTest, FunctionAddressesInDataAreThoseThatCallsExpect) {
  const ptx::Module& syntax = *module->syntax();
  EXPECT_EQ(value_at<uint64_t>(address("functions"), 0),
            device_ir::function_address(syntax, "helper"));
  EXPECT_EQ(value_at<uint64_t>(address("functions"), 1),
            device_ir::function_address(syntax, "_Z9vectorAddPKfS0_Pfi"));
}

TEST_F(ModuleTest, UnknownNamesAreNotFound) {
  EXPECT_EQ(module->find_kernel("helper").status().code(), StatusCode::not_found);
  EXPECT_EQ(module->find_kernel("nothing").status().code(), StatusCode::not_found);
  EXPECT_EQ(module->find_variable("elsewhere").status().code(), StatusCode::not_found);
  EXPECT_EQ((*module->kernels()).size(), 2u);
}

TEST(Module, RegistrationReadsNothingUntilFirstUse) {
  HeapStorage storage;
  const std::string image = make_container({{.payload = std::string(kVectorAdd), .options = {}}});
  const WrapperSpec wrapper{.data = image.data()};
  auto module = Module::from_wrapper(&wrapper, storage);
  static int stub, counter_shadow;
  static void* managed_pointer = nullptr;
  Kernel* kernel = module->register_kernel(&stub, "_Z9vectorAddPKfS0_Pfi");
  module->register_variable(&counter_shadow, "counter", 4, false);
  module->register_managed_variable(&managed_pointer, "man", 4);
  EXPECT_FALSE(module->is_loaded());
  EXPECT_EQ(storage.live, 0);
  EXPECT_EQ(module->register_kernel(&counter_shadow, "_Z9vectorAddPKfS0_Pfi"), kernel);

  const auto layout = kernel->layout();
  ASSERT_TRUE(layout) << layout.status().message();
  EXPECT_EQ((*layout)->parameters.size(), 4u);
  EXPECT_EQ(kernel->host_function(), &stub);
  EXPECT_TRUE(module->is_loaded());
  ASSERT_NE(managed_pointer, nullptr);
  EXPECT_EQ(*static_cast<int*>(managed_pointer), 7);
  EXPECT_EQ((*module->find_host_variable(&managed_pointer)).address, managed_pointer);
  EXPECT_EQ((*module->find_host_variable(managed_pointer)).address, managed_pointer);
  EXPECT_EQ(*static_cast<int*>((*module->find_host_variable(&counter_shadow)).address), 3);
  EXPECT_EQ(module->find_host_variable(&stub).status().code(), StatusCode::not_found);
}

TEST(Module, ImagesAreToldApart) {
  HeapStorage storage;
  const std::string container =
      make_container({{.payload = std::string(kVectorAdd), .options = {}}});
  const WrapperSpec wrapper{.data = container.data()};
  EXPECT_TRUE(Module::from_image(container.data(), 0, "fatbin", storage));
  EXPECT_TRUE(Module::from_image(container.data(), container.size(), "fatbin", storage));
  EXPECT_TRUE(Module::from_image(&wrapper, 0, "wrapper", storage));
  EXPECT_TRUE(Module::from_image(std::string(kVectorAdd).c_str(), 0, "text", storage));
  const auto code = [&](const void* image, size_t size) {
    return Module::from_image(image, size, "x", storage).status().code();
  };
  EXPECT_EQ(code("\177ELF\2\1\1", 8), StatusCode::no_binary_for_gpu);
  EXPECT_EQ(code("", 0), StatusCode::invalid_image);
  EXPECT_EQ(code("hello", 0), StatusCode::invalid_image);
  EXPECT_EQ(code(".version 9.0\n.target sm_80\n nonsense", 0), StatusCode::invalid_ptx);
  EXPECT_EQ(code(nullptr, 0), StatusCode::invalid_value);
  EXPECT_EQ(code(container.data(), 40), StatusCode::invalid_image);
  EXPECT_EQ(storage.live, 0);
}

TEST(Module, FailureIsRememberedAndSaid) {
  HeapStorage storage;
  const std::string image = make_container({{.kind = 2, .payload = "elf", .options = {}}});
  const WrapperSpec wrapper{.data = image.data()};
  auto module = Module::from_wrapper(&wrapper, storage);
  Kernel* kernel = module->register_kernel(&storage, "lost");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(kernel->load().status().code(), StatusCode::no_binary_for_gpu);
  EXPECT_EQ(kernel->load().status().code(), StatusCode::no_binary_for_gpu);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("kernel lost"), std::string::npos) << log;
  EXPECT_NE(log.find("-gencode"), std::string::npos) << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST(Module, LoadsOnceFromManyThreads) {
  HeapStorage storage;
  const std::string image = make_container({{.payload = std::string(kVectorAdd), .options = {}}});
  const WrapperSpec wrapper{.data = image.data()};
  auto module = Module::from_wrapper(&wrapper, storage);
  Kernel* kernel = module->register_kernel(&storage, "second");
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      EXPECT_TRUE(kernel->layout());
      EXPECT_TRUE(kernel->footprint());
      EXPECT_TRUE(module->find_variable("counter"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(storage.live, 3);
}

}  // namespace
}  // namespace guda::runtime
