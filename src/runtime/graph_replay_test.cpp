// Graphs on a home device that records them (the emulated one): when they are recorded, and what makes a recording go.
#include "memory/array.h"
#include "memory/heap.h"
#include "runtime/add_kernel.h"
#include "runtime/context.h"
#include "runtime/copy.h"
#include "runtime/engines.h"
#include "runtime/graph.h"
#include "runtime/launch.h"
#include "runtime/texture.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace guda::runtime {
namespace {

using memory::AllocationKind;
using memory::Heap;

constexpr int kCount = 1000;
constexpr size_t kBytes = kCount * sizeof(int);

CopySide side(void* data) { return {static_cast<std::byte*>(data), kBytes, kBytes}; }
constexpr CopyShape kAll{kBytes, 1, 1};

class GraphReplayTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(Context::enter(), kSuccess);
    Engines::start();
    ASSERT_NE(Engines::with_home(), nullptr) << "the emulated device must be home";
    auto kernel = load_add_kernel();
    ASSERT_TRUE(kernel) << kernel.status().message();
    kernel_ = *kernel;
  }
  void SetUp() override {
    for (int** each : {&to_, &one_, &copy_}) *each = allocate();
    fill_now(to_, 0);
    fill_now(one_, 1);
    stream_ = StreamTable::instance().create(0, 0);
  }
  void TearDown() override {
    exec_.reset();
    for (int* each : {to_, one_, copy_})
      EXPECT_TRUE(Heap::instance().release(each, kind_bit(AllocationKind::device)));
    EXPECT_EQ(Context::instance().sticky_error(), kSuccess);
  }

  static int* allocate() {
    auto memory = Heap::instance().allocate(kBytes, AllocationKind::device);
    EXPECT_TRUE(memory);
    return static_cast<int*>(*memory);
  }
  static void fill_now(int* to, uint32_t value) {
    auto& legacy = *StreamTable::instance().legacy();
    ASSERT_TRUE(fill(legacy, side(to), kAll, value, 4, false));
  }
  static std::unique_ptr<KernelOperation> adding(int* to, int* from) {
    int count = kCount;
    void* arguments[] = {&to, &from, &count};
    LaunchConfiguration configuration;
    configuration.grid = {(kCount + 127) / 128, 1, 1};
    configuration.block = {128, 1, 1};
    auto operation = prepare_launch(*kernel_, configuration, arguments);
    EXPECT_TRUE(operation) << operation.status().message();
    return std::move(*operation);
  }
  static std::unique_ptr<Operation> copying(void* to, void* from) {
    return std::make_unique<CopyOperation>(side(to), side(from), kAll, CopyKind::unspecified);
  }
  /// to += one in two kernels, each an addition; then copy = to, when asked for.
  void instantiate(bool with_copy) {
    first_ = *graph_.add(NodeType::kernel, {}, adding(to_, one_));
    second_ = *graph_.add(NodeType::kernel, {first_}, adding(to_, one_));
    if (with_copy) third_ = *graph_.add(NodeType::memcpy, {second_}, copying(copy_, to_));
    auto exec = GraphExec::instantiate(graph_, 0);
    ASSERT_TRUE(exec);
    exec_ = std::move(*exec);
  }
  /// Whether the launch was a recording.
  bool launch() {
    const uint64_t before = Engines::active()->replays();
    EXPECT_TRUE(exec_->launch(*stream_));
    stream_->synchronize();
    return Engines::active()->replays() > before;
  }
  /// Every word of it.
  static void expect_words(int* device, int value) {
    std::vector<int> found(kCount);
    auto& legacy = *StreamTable::instance().legacy();
    ASSERT_TRUE(
        copy(legacy, side(found.data()), side(device), kAll, CopyKind::device_to_host, false));
    EXPECT_EQ(found, std::vector<int>(kCount, value));
  }

  static Kernel* kernel_;
  int *to_ = nullptr, *one_ = nullptr, *copy_ = nullptr;
  Graph graph_;
  GraphNode *first_ = nullptr, *second_ = nullptr, *third_ = nullptr;
  std::unique_ptr<GraphExec> exec_;
  std::shared_ptr<Stream> stream_;
};
Kernel* GraphReplayTest::kernel_ = nullptr;

TEST_F(GraphReplayTest, TheSecondLaunchIsARecording) {
  instantiate(true);
  EXPECT_FALSE(launch());
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(launch()) << i;
  expect_words(copy_, 22);
}

TEST_F(GraphReplayTest, TheSchedulerIsAskedNowAndThen) {
  instantiate(false);
  int one_by_one = 0;
  for (int i = 0; i < 200; ++i) one_by_one += launch() ? 0 : 1;
  EXPECT_GE(one_by_one, 3);
  EXPECT_LE(one_by_one, 6);
  expect_words(to_, 400);
}

TEST_F(GraphReplayTest, ChangedGraphsAreRecordedAnew) {
  instantiate(true);
  EXPECT_FALSE(launch());
  EXPECT_TRUE(launch());
  ASSERT_TRUE(exec_->replace(second_, adding(to_, to_)));
  EXPECT_FALSE(launch());  // (4 + 1) * 2
  EXPECT_TRUE(launch());  // (10 + 1) * 2
  expect_words(copy_, 22);
  ASSERT_TRUE(exec_->set_enabled(second_, false));
  EXPECT_FALSE(launch());
  EXPECT_TRUE(launch());
  expect_words(copy_, 24);
  Graph other;
  auto* first = *other.add(NodeType::kernel, {}, adding(to_, one_));
  auto* second = *other.add(NodeType::kernel, {first}, adding(to_, one_));
  (void)*other.add(NodeType::memcpy, {second}, copying(one_, to_));
  int reason = 0;
  GraphNode* culprit = nullptr;
  ASSERT_TRUE(exec_->update(other, reason, culprit));
  ASSERT_TRUE(exec_->set_enabled(second_, true));
  EXPECT_FALSE(launch());
  expect_words(one_, 26);
  EXPECT_TRUE(launch());
  expect_words(one_, 78);
}

TEST_F(GraphReplayTest, CopiesAreRecordedAnewWhenMemoryHasChangedHands) {
  instantiate(true);
  EXPECT_FALSE(launch());
  EXPECT_TRUE(launch());
  int* other = allocate();
  EXPECT_FALSE(launch());
  EXPECT_FALSE(launch());  // more patience
  EXPECT_TRUE(launch());
  expect_words(copy_, 10);
  EXPECT_TRUE(Heap::instance().release(other, kind_bit(AllocationKind::device)));
}

TEST_F(GraphReplayTest, KernelsAloneDoNotMind) {
  instantiate(false);
  EXPECT_FALSE(launch());
  EXPECT_TRUE(launch());
  int* other = allocate();
  EXPECT_TRUE(launch());
  EXPECT_TRUE(Heap::instance().release(other, kind_bit(AllocationKind::device)));
  EXPECT_TRUE(launch());
  expect_words(to_, 8);
}

TEST_F(GraphReplayTest, CopiesToAnArrayThatATextureReadsAreNotReplayed) {
  auto array = memory::create_array({32, 0, 0, 0, 0}, 64, 4, 0, 0);
  ASSERT_TRUE(array);
  const CopyShape row{64 * sizeof(int), 1, 1};
  auto* added = *graph_.add(NodeType::kernel, {}, adding(to_, one_));
  (void)*graph_.add(
      NodeType::memcpy, {added},
      std::make_unique<CopyOperation>(side((*array)->data), side(to_), row, CopyKind::unspecified));
  auto exec = GraphExec::instantiate(graph_, 0);
  ASSERT_TRUE(exec);
  exec_ = std::move(*exec);
  EXPECT_FALSE(launch());
  EXPECT_TRUE(launch()) << "nobody knows it as an array yet";
  const auto texture = texture_over(**array);
  ASSERT_TRUE(texture);
  const auto handle = open_texture(*texture, {*array, nullptr, {}}, false);
  ASSERT_TRUE(handle) << handle.status().message();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(launch()) << "the device's array has to follow";
  close_texture(*handle, false);
  EXPECT_TRUE(free_array(*array));
  expect_words(to_, 7);
}

TEST_F(GraphReplayTest, ContentsOnTheHostAreBroughtHomeFirst) {
  instantiate(true);
  EXPECT_FALSE(launch());
  EXPECT_TRUE(launch());
  for (int round = 1; round <= 3; ++round) {
    // As our own host code writes device memory: the device's copy is stale.
    const memory::Range range = memory::Range::of(to_, kBytes);
    ASSERT_TRUE(Engines::active()->pool().bring_to_host({&range, 1}));
    std::fill(to_, to_ + kCount, 100 * round);
    Engines::active()->pool().commit(memory::kHostSpace, {&range, 1});
    EXPECT_TRUE(launch());
    expect_words(copy_, 100 * round + 2);
  }
}

TEST_F(GraphReplayTest, BranchesRunAfterWhatTheyNeed) {
  // Two chains over memory of their own, joined at the end.
  int* side_sum = allocate();
  fill_now(side_sum, 5);
  auto* a = *graph_.add(NodeType::kernel, {}, adding(to_, one_));
  auto* b = *graph_.add(NodeType::kernel, {}, adding(side_sum, one_));
  auto* c = *graph_.add(NodeType::kernel, {b}, adding(side_sum, side_sum));
  auto* d = *graph_.add(NodeType::kernel, {a, c}, adding(to_, side_sum));
  (void)*graph_.add(NodeType::memcpy, {d}, copying(copy_, to_));
  (void)*graph_.add(NodeType::memset, {c, d},
                    std::make_unique<FillOperation>(side(side_sum), kAll, 5, 4));
  auto exec = GraphExec::instantiate(graph_, 0);
  ASSERT_TRUE(exec);
  exec_ = std::move(*exec);
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(launch(), i > 1);
    expect_words(copy_, 13 * i);
  }
  EXPECT_TRUE(Heap::instance().release(side_sum, kind_bit(AllocationKind::device)));
}

TEST_F(GraphReplayTest, ChildGraphsAndGraphsLaunchedIntoCapturesAreParts) {
  auto child = std::make_unique<Graph>();
  auto* inner = *child->add(NodeType::kernel, {}, adding(to_, one_));
  (void)*child->add(NodeType::kernel, {inner}, adding(to_, to_));
  Graph captured;
  (void)*captured.add(NodeType::kernel, {}, adding(to_, one_));
  auto inner_exec = GraphExec::instantiate(captured, 0);
  ASSERT_TRUE(inner_exec);
  ASSERT_TRUE(begin_capture(*stream_, 0, nullptr, {}));
  ASSERT_TRUE((*inner_exec)->launch(*stream_));
  auto graph = end_capture(*stream_);
  ASSERT_TRUE(graph);
  auto* launched = (*graph)->nodes().front().get();
  auto* node = *(*graph)->add(NodeType::graph, {launched}, nullptr);
  node->child = std::move(child);
  (void)*(*graph)->add(NodeType::memcpy, {node}, copying(copy_, to_));
  auto exec = GraphExec::instantiate(**graph, 0);
  ASSERT_TRUE(exec);
  exec_ = std::move(*exec);
  EXPECT_FALSE(launch());
  expect_words(copy_, 4);
  EXPECT_TRUE(launch());
  expect_words(copy_, 12);
}

}  // namespace
}  // namespace guda::runtime
