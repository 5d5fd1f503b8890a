// Graphs: operations with dependencies, recorded once and launched many times; and stream capture.
//
// A graph is edited by one thread at a time (as CUDA demands). An instantiated graph holds its own copy
// of every operation in topological order; a launch runs them in that order as one operation of the
// stream (program.h), or as one piece of work of a device (engine_program.cpp).
#pragma once

#include "runtime/operation.h"
#include "runtime/program.h"
#include "runtime/stream.h"
#include "support/status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace guda::runtime {

class Event;
class Graph;

/// Values of cudaGraphNodeType.
enum class NodeType : int {
  kernel = 0,
  memcpy = 1,
  memset = 2,
  host = 3,
  graph = 4,
  empty = 5,
  wait_event = 6,
  record_event = 7,
  memory_alloc = 10,
  memory_free = 11,
};

struct GraphNode {
  NodeType type = NodeType::empty;
  Graph* graph = nullptr;
  std::vector<GraphNode*> dependencies;
  std::vector<GraphNode*> dependents;
  std::unique_ptr<Operation> operation;  // null: nothing to do
  std::unique_ptr<Graph> child;  // type graph
  std::shared_ptr<Event> event;  // wait_event, record_event
  void* memory = nullptr;  // memory_alloc, memory_free
  size_t memory_bytes = 0;
  std::shared_ptr<void> parameters;  // as the program gave them, for reading back
  GraphNode* cloned_from = nullptr;
};

class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Adds a node after its dependencies. invalid_value when one is not of this graph or named twice.
  Result<GraphNode*> add(NodeType type, std::vector<GraphNode*> dependencies,
                         std::unique_ptr<Operation> operation);
  Status add_dependency(GraphNode* from, GraphNode* to);
  Status remove_dependency(GraphNode* from, GraphNode* to);
  Status remove(GraphNode* node);
  /// Deep copy; nodes remember what they are copies of.
  std::unique_ptr<Graph> clone() const;
  GraphNode* find_clone(const GraphNode* original) const;
  /// Nodes such that each stands after its dependencies; invalid_value when there is a cycle.
  Result<std::vector<GraphNode*>> topological_order() const;

  const std::vector<std::unique_ptr<GraphNode>>& nodes() const { return nodes_; }
  bool owns(const GraphNode* node) const;
  /// Memory of allocation nodes and user objects, released with the graph.
  void own(std::shared_ptr<void> thing) { owned_.push_back(std::move(thing)); }
  void disown(const void* thing);
  const std::vector<std::shared_ptr<void>>& owned() const { return owned_; }
  uint64_t id() const { return id_; }

 private:
  const uint64_t id_;
  std::vector<std::unique_ptr<GraphNode>> nodes_;
  std::vector<std::shared_ptr<void>> owned_;
};

/// Memory that lives as long as the graph and everything instantiated from it.
Result<void*> allocate_graph_memory(Graph& graph, size_t bytes);
/// is_graph_memory: made by allocate_graph_memory and not yet released. Bytes of all graphs' memory, now and at most since the last reset.
bool is_graph_memory(const void* pointer);
size_t graph_memory_bytes();
size_t graph_memory_high();
void reset_graph_memory_high();

class GraphExec {
 public:
  static Result<std::unique_ptr<GraphExec>> instantiate(const Graph& graph, uint64_t flags);

  /// After what the stream was given before, and after all earlier launches, whatever their stream (cudaGraphLaunch).
  Status launch(Stream& stream);
  /// Replaces the operation of the node (of the graph this was made from). invalid_value: not one of its
  /// nodes, or another type.
  Status replace(const GraphNode* node, std::unique_ptr<Operation> operation);
  Status replace_event(const GraphNode* node, const std::shared_ptr<Event>& event);
  Status set_enabled(const GraphNode* node, bool enabled);
  Result<bool> enabled(const GraphNode* node) const;
  /// Takes over all parameters of a graph with the same shape. illegal_state (update failure, 910) when
  /// the shape differs; `reason` is a cudaGraphExecUpdateResult.
  Status update(const Graph& graph, int& reason, GraphNode*& culprit);
  uint64_t flags() const { return flags_; }
  bool owns_memory() const { return !owned_.empty(); }

  struct Step {
    const GraphNode* node;
    NodeType type;
    std::shared_ptr<Operation> operation;  // null: nothing to do
    bool enabled = true;
    std::vector<uint32_t> after;  // earlier steps
  };

 private:
  /// Appends the graph's steps, all of them after `before`. Returns those that nothing in the graph comes after.
  Result<std::vector<uint32_t>> collect(const Graph& graph, const std::vector<uint32_t>& before);
  std::shared_ptr<Program> make_program() const;
  Step* find(const GraphNode* node);

  uint64_t flags_ = 0;
  std::vector<Step> steps_;
  std::vector<std::shared_ptr<void>> owned_;
  // What launches in flight run; replaced, never changed, when a step changes.
  std::shared_ptr<Program> program_;
  // The latest launch; a stream that has gone has done it.
  std::weak_ptr<Stream> last_stream_;
  uint64_t last_stream_id_ = 0, last_ticket_ = 0;
};

// Capture ----------------------------------------------------------------------------------------------

enum class CaptureStatus : int { none = 0, active = 1, invalidated = 2 };

/// One capture sequence; shared by all streams that have joined it.
class Capture {
 public:
  Capture(Stream& origin, int mode)
      : origin_(&origin), mode_(mode), graph_(std::make_unique<Graph>()) {}

  Stream* origin() const { return origin_; }
  Graph& graph() const { return *target(); }
  int mode() const { return mode_; }
  uint64_t id() const { return graph().id(); }
  bool invalidated = false;
  /// Nodes that the stream's next operation depends on.
  std::unordered_map<Stream*, std::vector<GraphNode*>> frontier;
  /// The streams that take part; a program may destroy one before the capture ends.
  std::vector<std::shared_ptr<Stream>> members;

  void capture_into(Graph* graph) { borrowed_ = graph; }
  std::unique_ptr<Graph> take_graph() { return std::move(graph_); }
  bool borrowed() const { return borrowed_ != nullptr; }
  Graph* target() const { return borrowed_ ? borrowed_ : graph_.get(); }

 private:
  Stream* origin_;
  int mode_;
  std::unique_ptr<Graph> graph_;
  Graph* borrowed_ = nullptr;
};

/// Records into the stream's capture, after what it captured before.
Status capture_operation(Stream& stream, std::unique_ptr<Operation> operation,
                         NodeType type = NodeType::empty);
Status begin_capture(Stream& stream, int mode, Graph* into, std::vector<GraphNode*> dependencies);
/// The finished graph (null when it was captured into an existing one). 904 when a stream has not been
/// joined again, 901 when the capture was invalidated, 903 when the stream is not the origin.
Result<std::unique_ptr<Graph>> end_capture(Stream& stream);
/// cudaEventRecord and cudaStreamWaitEvent on capturing streams.
Status capture_record(Stream& stream, const std::shared_ptr<Event>& event);
/// True when the event was last recorded in a capture; the stream then joins it (or it was part of it).
Result<bool> capture_wait(Stream& stream, const std::shared_ptr<Event>& event);

}  // namespace guda::runtime
