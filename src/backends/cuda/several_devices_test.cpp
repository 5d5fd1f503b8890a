// Two devices of the fake driver: one at the program's addresses, one beside them.
#include "backends/cuda/cuda_device.h"
#include "backends/cuda/testing/open_fake.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <set>
#include <span>

namespace guda::backend {
namespace {

using cuda::testing::control;
using cuda::testing::fake_driver;

constexpr size_t kBytes = size_t{4} << 20;

class SeveralCudaDevices : public testing::Test {
 protected:
  void SetUp() override {
    control().devices = 3;
    control().peers = true;
  }
  void TearDown() override {
    EXPECT_EQ(control().mappings, 0);
    EXPECT_EQ(control().contexts, 0);
    control().devices = 1;
    control().peers = true;
  }
  static Discovery discover(std::vector<int> ordinals, bool others) {
    return discover_cuda(
        fake_driver(),
        {.driver = {}, .cublas = "none", .ordinals = std::move(ordinals), .others = others});
  }
  static std::vector<std::string> ids(const Discovery& found) {
    std::vector<std::string> names;
    for (auto& device : found.devices)
      names.push_back(device->info().id() + (device->info().stored_pointers ? "" : " beside"));
    return names;
  }
  /// Addresses of the program's, nothing behind them.
  static std::byte* place(const Discovery& found) {
    const std::span<std::byte> space = found.devices.front()->address_space();
    return space.data() + space.size() / 4 * 3;
  }
};
using Names = std::vector<std::string>;

TEST_F(SeveralCudaDevices, OnlyOneIsAtTheProgramsAddresses) {
  EXPECT_EQ(ids(discover({}, true)), (Names{"cuda:0", "cuda:1 beside", "cuda:2 beside"}));
  EXPECT_EQ(ids(discover({2, 0}, false)), (Names{"cuda:0 beside", "cuda:2"}));
  EXPECT_EQ(ids(discover({1}, true)), (Names{"cuda:0 beside", "cuda:1", "cuda:2 beside"}));
  EXPECT_EQ(ids(discover({1, 1, 7}, false)), (Names{"cuda:1"}));
  Discovery found = discover({}, true);
  for (auto& device : found.devices) {
    EXPECT_EQ(device->address_space().data(), found.devices.front()->address_space().data());
    EXPECT_EQ(device->address_space().size(), found.devices.front()->address_space().size());
  }
}

TEST_F(SeveralCudaDevices, TheListOfEnginesSaysWhich) {
  setenv("GUDA_DEVICES", "cpu, cuda:1 ,cuda", 1);
  CudaOptions options = cuda_options();
  EXPECT_EQ(options.ordinals, (std::vector<int>{1}));
  EXPECT_TRUE(options.others);
  setenv("GUDA_DEVICES", "cuda:2,cuda:0,cuda:x,cpu", 1);
  options = cuda_options();
  EXPECT_EQ(options.ordinals, (std::vector<int>{2, 0}));
  EXPECT_FALSE(options.others);
  unsetenv("GUDA_DEVICES");
  options = cuda_options();
  EXPECT_TRUE(options.ordinals.empty());
  EXPECT_TRUE(options.others);
}

TEST_F(SeveralCudaDevices, FillsCopiesAndProductsAreBesideTheProgramsAddresses) {
  Discovery found = discover({}, true);
  std::byte* base = place(found);
  std::vector<std::unique_ptr<Queue>> queues;
  for (auto& device : found.devices) {
    ASSERT_TRUE(device->map(base, kBytes)) << "the same range on each";
    queues.push_back(std::move(*device->create_queue()));
  }
  auto* matrix = reinterpret_cast<float*>(base);
  const float one = 1, zero = 0;
  GemmProblem problem;
  problem.m = problem.n = problem.k = problem.lda = problem.ldb = problem.ldc = 4;
  problem.alpha = &one;
  problem.beta = &zero;
  problem.a = matrix;
  problem.b = matrix + 16;
  problem.c = matrix + 32;
  for (size_t i = 0; i < queues.size(); ++i) {
    const float value = static_cast<float>(i + 1);
    uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    ASSERT_TRUE(queues[i]->fill(matrix, bits, 4, 64));
    ASSERT_TRUE(queues[i]->copy(matrix + 16, matrix, 64));
    ASSERT_TRUE(queues[i]->gemm(problem));
  }
  for (size_t i = 0; i < queues.size(); ++i) {
    float result[16] = {};
    ASSERT_TRUE(queues[i]->download(result, matrix + 32, sizeof result));
    ASSERT_TRUE(queues[i]->synchronize());
    for (float value : result) EXPECT_EQ(value, 4 * static_cast<float>((i + 1) * (i + 1)));
  }
  queues.clear();
  for (auto& device : found.devices) EXPECT_TRUE(device->unmap(base, kBytes));
}

TEST_F(SeveralCudaDevices, PeerCopiesAskForAccessOnceAndDoWithoutIt) {
  for (bool access : {true, false}) {
    control().peers = access;
    control().peer_copies = control().staged_peer_copies = 0;
    Discovery found = discover({}, true);
    std::byte* base = place(found);
    Device &first = *found.devices[0], &second = *found.devices[1];
    EXPECT_TRUE(second.can_copy_from(first));
    ASSERT_TRUE(first.map(base, kBytes));
    ASSERT_TRUE(second.map(base, kBytes));
    auto source = std::move(*first.create_queue());
    auto target = std::move(*second.create_queue());
    ASSERT_TRUE(source->fill(base, 0x5a5a, 2, kBytes));
    ASSERT_TRUE(source->synchronize());
    const long calls = control().calls;
    ASSERT_TRUE(target->copy_from_peer(first, base, base, kBytes / 2));
    const long once = control().calls - calls;
    ASSERT_TRUE(target->copy_from_peer(first, base, base, kBytes / 2));
    EXPECT_LT(control().calls - calls - once, once) << "asked again";
    uint16_t value = 0;
    ASSERT_TRUE(target->download(&value, base + 1000, 2));
    ASSERT_TRUE(target->synchronize());
    EXPECT_EQ(value, 0x5a5a);
    EXPECT_EQ(control().peer_copies, access ? 2 : 0);
    EXPECT_EQ(control().staged_peer_copies, access ? 0 : 2);
    source.reset();
    target.reset();
    EXPECT_TRUE(first.unmap(base, kBytes));
    EXPECT_TRUE(second.unmap(base, kBytes));
  }
}

TEST_F(SeveralCudaDevices, VariablesAreTheDevicesOwn) {
  Discovery found = discover({}, true);
  constexpr std::string_view kText =
      ".version 7.5\n.target sm_52\n.address_size 64\n.global .u32 x;\n"
      ".visible .entry empty() { .reg .b32 %r; ld.global.u32 %r, [x]; ret; }\n";
  std::byte* base = place(found);
  const Variable variable{"x", base + 256, 4, false};
  KernelSource source;
  source.ptx = kText;
  source.ptx_hash = {7, 7};
  source.module_name = "variable.ptx";
  source.kernel = "empty";
  source.variables = {&variable, 1};
  std::set<std::string> texts;
  for (auto& device : found.devices) {
    auto kernel = device->load(source);
    ASSERT_TRUE(kernel) << kernel.status().message();
    texts.insert(control().last_module);
  }
  EXPECT_EQ(texts.size(), 3u) << "each reads its own address";
}

}  // namespace
}  // namespace guda::backend
