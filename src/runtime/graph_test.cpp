#include "runtime/graph.h"

#include "runtime/context.h"
#include "runtime/event.h"
#include "runtime/host_function.h"
#include "runtime/submit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace guda::runtime {
namespace {

std::vector<int> order;
void note(void* data) { order.push_back(*static_cast<int*>(data)); }
int numbers[] = {0, 1, 2, 3, 4};

std::unique_ptr<Operation> noting(int index) {
  return std::make_unique<HostOperation>(note, &numbers[index]);
}

class GraphTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(Context::enter(), kSuccess);
    order.clear();
  }
};

TEST_F(GraphTest, NodesRunAfterTheirDependencies) {
  Graph graph;
  auto last = graph.add(NodeType::host, {}, noting(3));
  auto first = graph.add(NodeType::host, {}, noting(1));
  auto middle = graph.add(NodeType::host, {*first}, noting(2));
  ASSERT_TRUE(graph.add_dependency(*middle, *last).is_ok());
  auto exec = GraphExec::instantiate(graph, 0);
  ASSERT_TRUE(exec);
  auto stream = StreamTable::instance().create(0, 0);
  ASSERT_TRUE((*exec)->launch(*stream).is_ok());
  ASSERT_TRUE((*exec)->launch(*stream).is_ok());
  stream->synchronize();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 1, 2, 3}));
}

/// What a node that takes a while has seen.
struct Overlap {
  std::atomic<int> running{0}, most{0}, done{0};
  static void visit(void* data) {
    auto& self = *static_cast<Overlap*>(data);
    self.most = std::max(self.most.load(), ++self.running);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    --self.running;
    ++self.done;
  }
};

TEST_F(GraphTest, LaunchesOfOneGraphFollowEachOtherOnAllStreams) {
  constexpr uint32_t kNonBlocking = 1;
  Overlap seen;
  Graph graph;
  ASSERT_TRUE(
      graph.add(NodeType::host, {}, std::make_unique<HostOperation>(Overlap::visit, &seen)));
  auto exec = GraphExec::instantiate(graph, 0);
  ASSERT_TRUE(exec);
  std::vector<std::shared_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(StreamTable::instance().create(kNonBlocking, 0));
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE((*exec)->launch(*streams[static_cast<size_t>(i) % streams.size()]).is_ok());
    if (i != 5) continue;
    ASSERT_TRUE(StreamTable::instance().destroy(streams[2].get()));
    streams.pop_back();  // its launches go on
  }
  for (auto& stream : streams) stream->synchronize();
  EXPECT_EQ(seen.done, 12);
  EXPECT_EQ(seen.most, 1);
}

TEST_F(GraphTest, CycleIsRefused) {
  Graph graph;
  auto a = graph.add(NodeType::empty, {}, nullptr);
  auto b = graph.add(NodeType::empty, {*a}, nullptr);
  ASSERT_TRUE(graph.add_dependency(*b, *a).is_ok());
  EXPECT_EQ(GraphExec::instantiate(graph, 0).status().code(), StatusCode::invalid_value);
}

TEST_F(GraphTest, CaptureRecordsInsteadOfRunning) {
  auto stream = StreamTable::instance().create(0, 0), other = StreamTable::instance().create(0, 0);
  ASSERT_TRUE(begin_capture(*stream, 0, nullptr, {}).is_ok());
  ASSERT_TRUE(submit(*stream, HostOperation(note, &numbers[1]), true).is_ok());
  auto fork = std::make_shared<Event>(0), join = std::make_shared<Event>(0);
  ASSERT_TRUE(capture_record(*stream, fork).is_ok());
  ASSERT_TRUE(*capture_wait(*other, fork));
  ASSERT_TRUE(submit(*other, HostOperation(note, &numbers[2]), true).is_ok());
  ASSERT_TRUE(capture_record(*other, join).is_ok());
  ASSERT_TRUE(*capture_wait(*stream, join));
  ASSERT_TRUE(submit(*stream, HostOperation(note, &numbers[3]), true).is_ok());
  auto graph = end_capture(*stream);
  ASSERT_TRUE(graph);
  EXPECT_TRUE(order.empty());
  EXPECT_EQ((*graph)->nodes().size(), 3u);
  EXPECT_FALSE(other->capture());
  auto exec = GraphExec::instantiate(**graph, 0);
  ASSERT_TRUE(exec);
  ASSERT_TRUE((*exec)->launch(*stream).is_ok());
  stream->synchronize();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(GraphTest, StreamDestroyedDuringCaptureIsHarmless) {
  auto stream = StreamTable::instance().create(0, 0);
  ASSERT_TRUE(begin_capture(*stream, 0, nullptr, {}).is_ok());
  auto fork = std::make_shared<Event>(0), join = std::make_shared<Event>(0);
  ASSERT_TRUE(capture_record(*stream, fork).is_ok());
  {
    auto other = StreamTable::instance().create(0, 0);
    ASSERT_TRUE(*capture_wait(*other, fork));
    ASSERT_TRUE(submit(*other, HostOperation(note, &numbers[2]), true).is_ok());
    ASSERT_TRUE(capture_record(*other, join).is_ok());
    ASSERT_TRUE(StreamTable::instance().destroy(other.get()));
  }
  ASSERT_TRUE(*capture_wait(*stream, join));
  auto graph = end_capture(*stream);
  ASSERT_TRUE(graph);
  EXPECT_EQ((*graph)->nodes().size(), 1u);
}

TEST_F(GraphTest, UnjoinedForkIsAnError) {
  auto stream = StreamTable::instance().create(0, 0), other = StreamTable::instance().create(0, 0);
  ASSERT_TRUE(begin_capture(*stream, 0, nullptr, {}).is_ok());
  auto fork = std::make_shared<Event>(0);
  ASSERT_TRUE(capture_record(*stream, fork).is_ok());
  ASSERT_TRUE(*capture_wait(*other, fork));
  ASSERT_TRUE(submit(*other, HostOperation(note, &numbers[2]), true).is_ok());
  EXPECT_EQ(static_cast<int>(end_capture(*stream).status().code()), 904);
  EXPECT_FALSE(stream->capture());
}

TEST_F(GraphTest, LegacyStreamCannotBeCaptured) {
  EXPECT_EQ(begin_capture(*StreamTable::instance().legacy(), 0, nullptr, {}).code(),
            StatusCode::stream_capture_unsupported);
}

TEST_F(GraphTest, UpdateTakesParametersOfTheSameShape) {
  Graph one, two, three;
  ASSERT_TRUE(one.add(NodeType::host, {}, noting(1)));
  ASSERT_TRUE(two.add(NodeType::host, {}, noting(4)));
  ASSERT_TRUE(three.add(NodeType::empty, {}, nullptr));
  auto exec = GraphExec::instantiate(one, 0);
  int reason = -1;
  GraphNode* culprit = nullptr;
  ASSERT_TRUE((*exec)->update(two, reason, culprit).is_ok());
  EXPECT_EQ(static_cast<int>((*exec)->update(three, reason, culprit).code()), 910);
  auto stream = StreamTable::instance().create(0, 0);
  ASSERT_TRUE((*exec)->launch(*stream).is_ok());
  stream->synchronize();
  EXPECT_EQ(order, (std::vector<int>{4}));
}

TEST_F(GraphTest, CloneFindsItsNodes) {
  Graph graph;
  auto node = graph.add(NodeType::host, {}, noting(1));
  auto copy = graph.clone();
  ASSERT_NE(copy->find_clone(*node), nullptr);
  EXPECT_NE(copy->find_clone(*node), *node);
}

}  // namespace
}  // namespace guda::runtime
