// Random graphs with random changes between their launches, against the same work done one after the other.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "tests/backends/kernels.h"

namespace {

#define OK(call) ASSERT_EQ(call, cudaSuccess)

constexpr uint32_t kCount = 5000;
constexpr size_t kBytes = kCount * sizeof(float);
constexpr uint32_t kBuffers = 6, kPinned = 2, kNodes = 14;
using Contents = std::vector<float>;

/// A node: c = a + b, c = a, or c = value (a byte pattern), for the first `count` floats. Buffers from kBuffers on are
/// pinned memory, and only copied.
struct Node {
  enum Kind { add, copy, copy_rows, fill, fill_rows } kind;
  uint32_t a, b, c;
  uint32_t count;
  unsigned char value;
  bool enabled = true;
  cudaGraphNode_t handle = nullptr;
};
constexpr size_t kRow = 100, kPitch = 256;  // of copies and fills of rows, in bytes

class GraphTest : public testing::Test {
 protected:
  void SetUp() override {
    OK(cudaLibraryLoadData(&library_, guda::backend::conformance::kKernels.data(), nullptr, nullptr,
                           0, nullptr, nullptr, 0));
    OK(cudaLibraryGetKernel(&kernel_, library_, "vector_add"));
    for (uint32_t i = 0; i < kBuffers + kPinned; ++i) {
      if (i < kBuffers)
        OK(cudaMalloc(reinterpret_cast<void**>(&memory_[i]), kBytes));
      else
        OK(cudaMallocHost(reinterpret_cast<void**>(&memory_[i]), kBytes));
      expected_[i].assign(kCount, 0.0f);
      set(i, static_cast<float>(i));
    }
    for (auto& stream : streams_) OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  void TearDown() override {
    OK(cudaDeviceSynchronize());
    for (uint32_t i = 0; i < kBuffers + kPinned; ++i) {
      if (i < kBuffers)
        OK(cudaFree(memory_[i]));
      else
        OK(cudaFreeHost(memory_[i]));
    }
    for (auto stream : streams_) OK(cudaStreamDestroy(stream));
    OK(cudaLibraryUnload(library_));
  }
  /// Buffer i becomes value, value + 1, ...
  void set(uint32_t i, float value) {
    OK(cudaDeviceSynchronize());  // the streams do not wait for the copy, nor it for them
    for (uint32_t k = 0; k < kCount; ++k) expected_[i][k] = value + static_cast<float>(k % 100);
    OK(cudaMemcpy(memory_[i], expected_[i].data(), kBytes, cudaMemcpyDefault));
  }
  void check(const char* when) {
    OK(cudaDeviceSynchronize());
    Contents found(kCount);
    for (uint32_t i = 0; i < kBuffers + kPinned; ++i) {
      OK(cudaMemcpy(found.data(), memory_[i], kBytes, cudaMemcpyDefault));
      for (uint32_t k = 0; k < kCount; ++k)
        ASSERT_EQ(std::memcmp(&found[k], &expected_[i][k], sizeof(float)), 0)
            << when << ", buffer " << i << '[' << k << "]: " << found[k] << " instead of "
            << expected_[i][k];
    }
  }

  std::vector<Node> random_nodes() {
    std::vector<Node> nodes;
    while (nodes.size() < kNodes) {
      Node node{};
      node.kind = static_cast<Node::Kind>(random_() % 5);
      const uint32_t most =
          node.kind == Node::copy || node.kind == Node::copy_rows ? kBuffers + kPinned : kBuffers;
      node.a = random_() % most;
      node.b = random_() % most;
      node.c = random_() % most;
      change(node);
      if (node.kind != Node::add && node.a == node.c) continue;
      if (node.a >= kBuffers && node.c >= kBuffers) continue;
      nodes.push_back(node);
    }
    return nodes;
  }
  /// Parameters that a graph's shape does not depend on.
  void change(Node& node) {
    node.count = 1 + random_() % kCount;
    node.value = static_cast<unsigned char>(random_() % 0x3C);
  }

  /// What each kind of node takes.
  struct Parameters {
    const float *a, *b;
    float* c;
    uint32_t count;
    void* arguments[4] = {&a, &b, &c, &count};
    cudaKernelNodeParams kernel{};
    cudaMemcpy3DParms copy{};
    cudaMemsetParams set{};
  };
  std::unique_ptr<Parameters> parameters_of(const Node& node) {
    auto out = std::make_unique<Parameters>();
    out->a = memory_[node.a];
    out->b = memory_[node.b];
    out->c = memory_[node.c];
    out->count = node.count;
    out->kernel.func = reinterpret_cast<void*>(kernel_);
    out->kernel.gridDim = dim3((kCount + 127) / 128);
    out->kernel.blockDim = dim3(128);
    out->kernel.kernelParams = out->arguments;
    const bool rows = node.kind == Node::copy_rows || node.kind == Node::fill_rows;
    const size_t height = rows ? kBytes / kPitch : 1, width = rows ? kRow : node.count * 4;
    out->copy.srcPtr = {memory_[node.a], rows ? kPitch : kBytes, kBytes, height};
    out->copy.dstPtr = {memory_[node.c], rows ? kPitch : kBytes, kBytes, height};
    out->copy.extent = {width, height, 1};
    out->copy.kind = cudaMemcpyDefault;
    out->set = {memory_[node.c], kPitch, node.value, 1, width, height};
    return out;
  }
  void simulate(const Node& node) {
    if (!node.enabled) return;
    auto* to = reinterpret_cast<unsigned char*>(expected_[node.c].data());
    const auto* from = reinterpret_cast<const unsigned char*>(expected_[node.a].data());
    switch (node.kind) {
      case Node::add:
        for (uint32_t i = 0; i < node.count; ++i)
          expected_[node.c][i] = expected_[node.a][i] + expected_[node.b][i];
        break;
      case Node::copy: std::memcpy(to, from, node.count * 4); break;
      case Node::fill: std::memset(to, node.value, node.count * 4); break;
      default:
        for (size_t y = 0; y < kBytes / kPitch; ++y) {
          if (node.kind == Node::copy_rows)
            std::memcpy(to + y * kPitch, from + y * kPitch, kRow);
          else
            std::memset(to + y * kPitch, node.value, kRow);
        }
    }
  }
  /// Each node after the earlier ones that touch the same memory, unless both only read it.
  cudaGraph_t build(std::vector<Node>& nodes) {
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
    for (size_t i = 0; i < nodes.size(); ++i) {
      std::vector<cudaGraphNode_t> after;
      for (size_t j = 0; j < i; ++j) {
        if (reads(nodes[i], nodes[j].c) || reads(nodes[j], nodes[i].c) || nodes[i].c == nodes[j].c)
          after.push_back(nodes[j].handle);
      }
      auto parameters = parameters_of(nodes[i]);
      cudaError_t error = cudaSuccess;
      if (nodes[i].kind == Node::add)
        error = cudaGraphAddKernelNode(&nodes[i].handle, graph, after.data(), after.size(),
                                       &parameters->kernel);
      else if (is_copy(nodes[i]))
        error = cudaGraphAddMemcpyNode(&nodes[i].handle, graph, after.data(), after.size(),
                                       &parameters->copy);
      else
        error = cudaGraphAddMemsetNode(&nodes[i].handle, graph, after.data(), after.size(),
                                       &parameters->set);
      EXPECT_EQ(error, cudaSuccess);
    }
    return graph;
  }
  static bool is_copy(const Node& node) {
    return node.kind == Node::copy || node.kind == Node::copy_rows;
  }
  static bool reads(const Node& node, uint32_t buffer) {
    return (node.kind == Node::add && (node.a == buffer || node.b == buffer)) ||
           (is_copy(node) && node.a == buffer);
  }

  std::mt19937 random_{7};
  cudaLibrary_t library_ = nullptr;
  cudaKernel_t kernel_ = nullptr;
  std::array<float*, kBuffers + kPinned> memory_{};
  std::array<Contents, kBuffers + kPinned> expected_;
  std::array<cudaStream_t, 2> streams_{};
};

TEST_F(GraphTest, LaunchesDoWhatTheNodesDoOneAfterTheOther) {
  for (int graphs = 0; graphs < 12; ++graphs) {
    std::vector<Node> nodes = random_nodes();
    cudaGraph_t graph = build(nodes);
    cudaGraphExec_t exec = nullptr;
    OK(cudaGraphInstantiate(&exec, graph, 0));
    for (int step = 0; step < 25; ++step) {
      Node& node = nodes[random_() % nodes.size()];
      switch (random_() % 8) {
        case 0: {
          change(node);
          auto parameters = parameters_of(node);
          OK(node.kind == Node::add
                 ? cudaGraphExecKernelNodeSetParams(exec, node.handle, &parameters->kernel)
             : is_copy(node)
                 ? cudaGraphExecMemcpyNodeSetParams(exec, node.handle, &parameters->copy)
                 : cudaGraphExecMemsetNodeSetParams(exec, node.handle, &parameters->set));
          break;
        }
        case 1:
          if (is_copy(node)) break;
          node.enabled = !node.enabled;
          OK(cudaGraphNodeSetEnabled(exec, node.handle, node.enabled));
          break;
        case 2: set(random_() % kBuffers, static_cast<float>(step)); break;
        case 3: {
          void* other = nullptr;
          OK(cudaMalloc(&other, 1 + random_() % (4 << 20)));
          OK(cudaFree(other));
          break;
        }
        case 4: {
          std::vector<Node> changed = nodes;
          for (Node& each : changed) change(each);
          cudaGraph_t other = build(changed);
          cudaGraphExecUpdateResultInfo result{};
          OK(cudaGraphExecUpdate(exec, other, &result));
          OK(cudaGraphDestroy(other));
          for (size_t i = 0; i < nodes.size(); ++i) {
            nodes[i].count = changed[i].count;
            nodes[i].value = changed[i].value;
          }
          break;
        }
        default: break;
      }
      // Launches of one graph follow each other, whatever their streams.
      const size_t stream = random_() % streams_.size();
      const int times = 1 + static_cast<int>(random_() % 4);
      for (int i = 0; i < times; ++i) {
        OK(cudaGraphLaunch(exec, streams_[stream]));
        for (const Node& each : nodes) simulate(each);
      }
      if (random_() % 4 == 0) check("between");
      // Contents grow; nothing shall become infinite.
      for (uint32_t i = 0; i < kBuffers; ++i) {
        if (!(expected_[i][0] < 1e30f)) set(i, 1);
      }
    }
    check("at the end");
    OK(cudaGraphExecDestroy(exec));
    OK(cudaGraphDestroy(graph));
  }
}

TEST_F(GraphTest, AGraphCanBeDestroyedWhileItRuns) {
  for (int round = 0; round < 20; ++round) {
    std::vector<Node> nodes = random_nodes();
    cudaGraph_t graph = build(nodes);
    cudaGraphExec_t exec = nullptr;
    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphDestroy(graph));
    for (uint32_t i = 0; i < kBuffers; ++i) set(i, static_cast<float>(round));
    for (int i = 0; i < 3; ++i) {
      OK(cudaGraphLaunch(exec, streams_[0]));
      for (const Node& each : nodes) simulate(each);
    }
    OK(cudaGraphExecDestroy(exec));
    check("after it");
  }
}

}  // namespace
