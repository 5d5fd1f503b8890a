#include "runtime/graph.h"

#include "memory/heap.h"
#include "runtime/copy.h"
#include "runtime/engines.h"
#include "runtime/error.h"
#include "runtime/event.h"
#include "runtime/host_function.h"
#include "runtime/launch.h"
#include "runtime/submit.h"

#include <algorithm>
#include <atomic>

namespace guda::runtime {
namespace {

std::atomic<uint64_t> next_graph_id{1};

template <typename T>
void remove_one(std::vector<T>& list, const T& value) {
  auto found = std::find(list.begin(), list.end(), value);
  if (found != list.end()) list.erase(found);
}

/// Records an event when a graph reaches it.
class RecordEventOperation final : public Operation {
 public:
  explicit RecordEventOperation(std::shared_ptr<Event> event) : event_(std::move(event)) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  Status execute() override {
    auto mark = std::make_shared<EventMark>();
    mark->nanoseconds.store(now_nanoseconds());
    event_->set_mark(std::move(mark));
    return Status::ok();
  }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<RecordEventOperation>(*this);
  }

 private:
  std::shared_ptr<Event> event_;
};

class WaitEventOperation final : public Operation {
 public:
  explicit WaitEventOperation(std::shared_ptr<Event> event) : event_(std::move(event)) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  Status execute() override {
    event_->synchronize();
    return Status::ok();
  }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<WaitEventOperation>(*this);
  }

 private:
  std::shared_ptr<Event> event_;
};

/// A launch of an instantiated graph.
class ProgramOperation final : public Operation {
 public:
  explicit ProgramOperation(std::shared_ptr<Program> program) : program_(std::move(program)) {}
  OperationKind operation_kind() const override { return OperationKind::program; }
  Program* program() const override { return program_.get(); }
  Status execute() override {
    for (auto& operation : program_->operations) {
      if (Status status = run_operation(*operation); !status) return status;
    }
    return Status::ok();
  }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<ProgramOperation>(*this);
  }

 private:
  std::shared_ptr<Program> program_;
};

void sort_unique(std::vector<uint32_t>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

NodeType type_of(const Operation& operation) {
  if (dynamic_cast<const KernelOperation*>(&operation)) return NodeType::kernel;
  if (dynamic_cast<const CopyOperation*>(&operation)) return NodeType::memcpy;
  if (dynamic_cast<const FillOperation*>(&operation)) return NodeType::memset;
  if (dynamic_cast<const HostOperation*>(&operation)) return NodeType::host;
  return NodeType::empty;
}

std::unique_ptr<Operation> event_operation(NodeType type, const std::shared_ptr<Event>& event) {
  if (!event) return nullptr;
  if (type == NodeType::record_event) return std::make_unique<RecordEventOperation>(event);
  return std::make_unique<WaitEventOperation>(event);
}

}  // namespace

Graph::Graph() : id_(next_graph_id.fetch_add(1)) {}
Graph::~Graph() = default;

bool Graph::owns(const GraphNode* node) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](auto& mine) { return mine.get() == node; });
}

Result<GraphNode*> Graph::add(NodeType type, std::vector<GraphNode*> dependencies,
                              std::unique_ptr<Operation> operation) {
  for (size_t i = 0; i < dependencies.size(); ++i) {
    bool repeated = std::find(dependencies.begin() + static_cast<long>(i) + 1, dependencies.end(),
                              dependencies[i]) != dependencies.end();
    if (repeated || !owns(dependencies[i])) {
      return Status(StatusCode::invalid_value, "dependency repeated or of another graph");
    }
  }
  auto node = std::make_unique<GraphNode>();
  node->type = type;
  node->graph = this;
  node->operation = std::move(operation);
  node->dependencies = std::move(dependencies);
  for (GraphNode* dependency : node->dependencies) dependency->dependents.push_back(node.get());
  nodes_.push_back(std::move(node));
  return nodes_.back().get();
}

Status Graph::add_dependency(GraphNode* from, GraphNode* to) {
  if (!owns(from) || !owns(to) || from == to)
    return {StatusCode::invalid_value, "not nodes of this graph"};
  auto& list = to->dependencies;
  if (std::find(list.begin(), list.end(), from) != list.end()) {
    return {StatusCode::invalid_value, "dependency exists"};
  }
  list.push_back(from);
  from->dependents.push_back(to);
  return Status::ok();
}

Status Graph::remove_dependency(GraphNode* from, GraphNode* to) {
  if (!owns(from) || !owns(to)) return {StatusCode::invalid_value, "not nodes of this graph"};
  auto& list = to->dependencies;
  if (std::find(list.begin(), list.end(), from) == list.end()) {
    return {StatusCode::invalid_value, "no such dependency"};
  }
  remove_one(list, from);
  remove_one(from->dependents, to);
  return Status::ok();
}

Status Graph::remove(GraphNode* node) {
  if (!owns(node)) return {StatusCode::invalid_value, "not a node of this graph"};
  for (GraphNode* other : node->dependencies) remove_one(other->dependents, node);
  for (GraphNode* other : node->dependents) remove_one(other->dependencies, node);
  std::erase_if(nodes_, [&](auto& mine) { return mine.get() == node; });
  return Status::ok();
}

std::unique_ptr<Graph> Graph::clone() const {
  auto copy = std::make_unique<Graph>();
  copy->owned_ = owned_;
  std::unordered_map<const GraphNode*, GraphNode*> counterpart;
  for (auto& node : nodes_) {
    auto twin = std::make_unique<GraphNode>();
    twin->type = node->type;
    twin->graph = copy.get();
    if (node->operation) twin->operation = node->operation->clone();
    if (node->child) twin->child = node->child->clone();
    twin->event = node->event;
    twin->memory = node->memory;
    twin->memory_bytes = node->memory_bytes;
    twin->parameters = node->parameters;
    twin->cloned_from = node.get();
    counterpart[node.get()] = twin.get();
    copy->nodes_.push_back(std::move(twin));
  }
  for (auto& node : nodes_) {
    GraphNode* twin = counterpart[node.get()];
    for (GraphNode* other : node->dependencies) twin->dependencies.push_back(counterpart[other]);
    for (GraphNode* other : node->dependents) twin->dependents.push_back(counterpart[other]);
  }
  return copy;
}

GraphNode* Graph::find_clone(const GraphNode* original) const {
  for (auto& node : nodes_) {
    if (node->cloned_from == original) return node.get();
  }
  return nullptr;
}

Result<std::vector<GraphNode*>> Graph::topological_order() const {
  std::unordered_map<const GraphNode*, size_t> open;
  std::vector<GraphNode*> order;
  for (auto& node : nodes_) {
    open[node.get()] = node->dependencies.size();
    if (node->dependencies.empty()) order.push_back(node.get());
  }
  for (size_t i = 0; i < order.size(); ++i) {
    for (GraphNode* next : order[i]->dependents) {
      if (--open[next] == 0) order.push_back(next);
    }
  }
  if (order.size() != nodes_.size())
    return Status(StatusCode::invalid_value, "the graph has a cycle");
  return order;
}

void Graph::disown(const void* thing) {
  auto found =
      std::find_if(owned_.begin(), owned_.end(), [&](auto& mine) { return mine.get() == thing; });
  if (found != owned_.end()) owned_.erase(found);
}

namespace {
std::atomic<size_t> graph_bytes{0};
std::atomic<size_t> graph_bytes_high{0};
}  // namespace

Result<void*> allocate_graph_memory(Graph& graph, size_t bytes) {
  auto memory = memory::Heap::instance().allocate(bytes, memory::AllocationKind::pool);
  if (!memory) return memory.status();
  size_t now = graph_bytes.fetch_add(bytes) + bytes;
  if (now > graph_bytes_high.load()) graph_bytes_high.store(now);
  graph.own(std::shared_ptr<void>(*memory, [bytes](void* pointer) {
    graph_bytes.fetch_sub(bytes);
    (void)memory::Heap::instance().release(pointer, memory::kind_bit(memory::AllocationKind::pool));
  }));
  return *memory;
}

bool is_graph_memory(const void* pointer) {
  auto found = memory::Heap::instance().find(pointer);
  return found && found->base == pointer && found->kind == memory::AllocationKind::pool &&
         !found->owner;
}
size_t graph_memory_bytes() { return graph_bytes.load(); }
size_t graph_memory_high() { return graph_bytes_high.load(); }
void reset_graph_memory_high() { graph_bytes_high.store(graph_bytes.load()); }

// ---------------------------------------------------------------------------------------------------

Result<std::vector<uint32_t>> GraphExec::collect(const Graph& graph,
                                                 const std::vector<uint32_t>& before) {
  auto order = graph.topological_order();
  if (!order) return order.status();
  owned_.insert(owned_.end(), graph.owned().begin(), graph.owned().end());
  std::unordered_map<const GraphNode*, std::vector<uint32_t>> last;  // steps that end a node
  std::vector<uint32_t> ends;
  for (GraphNode* node : *order) {
    std::vector<uint32_t> after;
    for (GraphNode* dependency : node->dependencies)
      after.insert(after.end(), last[dependency].begin(), last[dependency].end());
    if (node->dependencies.empty()) after = before;
    sort_unique(after);
    if (node->child) {
      auto inner = collect(*node->child, after);
      if (!inner) return inner.status();
      last[node] = inner->empty() ? after : std::move(*inner);
    } else {
      std::shared_ptr<Operation> operation;
      if (node->event) {
        operation = event_operation(node->type, node->event);
      } else if (node->operation) {
        operation = node->operation->clone();
        if (!operation) return Status(StatusCode::not_supported, "a node cannot be repeated");
      }
      last[node] = {static_cast<uint32_t>(steps_.size())};
      steps_.push_back({node, node->type, std::move(operation), true, std::move(after)});
    }
    if (node->dependents.empty()) ends.insert(ends.end(), last[node].begin(), last[node].end());
  }
  return ends;
}

Result<std::unique_ptr<GraphExec>> GraphExec::instantiate(const Graph& graph, uint64_t flags) {
  auto exec = std::make_unique<GraphExec>();
  exec->flags_ = flags;
  if (auto ends = exec->collect(graph, {}); !ends) return ends.status();
  return exec;
}

std::shared_ptr<Program> GraphExec::make_program() const {
  auto program = std::make_shared<Program>();
  // Operations that have to be done when a step is; what does nothing passes on what it comes after.
  std::vector<std::vector<uint32_t>> last(steps_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    std::vector<uint32_t> after;
    for (uint32_t earlier : step.after)
      after.insert(after.end(), last[earlier].begin(), last[earlier].end());
    sort_unique(after);
    const auto first = static_cast<uint32_t>(program->operations.size());
    if (!step.operation || !step.enabled) {
      last[i] = std::move(after);
    } else if (const Program* inner = step.operation->program()) {
      // A graph that was launched into a capture.
      std::vector<bool> followed(inner->operations.size());
      for (size_t j = 0; j < inner->operations.size(); ++j) {
        std::vector<uint32_t> moved;
        for (uint32_t earlier : inner->after[j]) {
          moved.push_back(first + earlier);
          followed[earlier] = true;
        }
        program->operations.push_back(inner->operations[j]);
        program->after.push_back(moved.empty() ? after : std::move(moved));
      }
      for (size_t j = 0; j < followed.size(); ++j) {
        if (!followed[j]) last[i].push_back(first + static_cast<uint32_t>(j));
      }
      if (followed.empty()) last[i] = std::move(after);
    } else {
      program->operations.push_back(step.operation);
      program->after.push_back(std::move(after));
      last[i] = {first};
    }
  }
  return program;
}

Status GraphExec::launch(Stream& stream) {
  if (!program_) program_ = make_program();
  if (stream.capture()) return submit(stream, ProgramOperation(program_), false);
  if (last_stream_id_ != stream.id()) {
    if (auto last = last_stream_.lock()) stream.wait_for({std::move(last), last_ticket_});
    last_stream_ = stream.weak_from_this();
    last_stream_id_ = stream.id();
  }
  Status status = submit(stream, ProgramOperation(program_), false);
  last_ticket_ = stream.enqueued();
  return status;
}

GraphExec::Step* GraphExec::find(const GraphNode* node) {
  for (auto& step : steps_) {
    if (step.node == node) return &step;
  }
  return nullptr;
}

Status GraphExec::replace(const GraphNode* node, std::unique_ptr<Operation> operation) {
  Step* step = find(node);
  if (!step || (operation && type_of(*operation) != step->type)) {
    return {StatusCode::invalid_value, "not a node of this graph, or of another type"};
  }
  step->operation = std::move(operation);
  program_.reset();
  return Status::ok();
}

Status GraphExec::replace_event(const GraphNode* node, const std::shared_ptr<Event>& event) {
  Step* step = find(node);
  if (!step || (step->type != NodeType::record_event && step->type != NodeType::wait_event)) {
    return {StatusCode::invalid_value, "not an event node of this graph"};
  }
  step->operation = event_operation(step->type, event);
  program_.reset();
  return Status::ok();
}

Status GraphExec::set_enabled(const GraphNode* node, bool enabled) {
  Step* step = find(node);
  if (!step) return {StatusCode::invalid_value, "not a node of this graph"};
  step->enabled = enabled;
  program_.reset();
  return Status::ok();
}

Result<bool> GraphExec::enabled(const GraphNode* node) const {
  for (auto& step : steps_) {
    if (step.node == node) return step.enabled;
  }
  return Status(StatusCode::invalid_value, "not a node of this graph");
}

Status GraphExec::update(const Graph& graph, int& reason, GraphNode*& culprit) {
  enum { kSuccess = 0, kError = 1, kTopologyChanged = 2, kNodeTypeChanged = 3 };
  GraphExec fresh;
  if (auto ends = fresh.collect(graph, {}); !ends) {
    reason = kError;
    return ends.status();
  }
  constexpr auto kUpdateFailure = static_cast<StatusCode>(910);
  if (fresh.steps_.size() != steps_.size()) {
    reason = kTopologyChanged;
    return {kUpdateFailure, "the graphs differ in their nodes"};
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (fresh.steps_[i].type == steps_[i].type) continue;
    reason = kNodeTypeChanged;
    culprit = const_cast<GraphNode*>(fresh.steps_[i].node);
    return {kUpdateFailure, "a node's type differs"};
  }
  // Node handles of the original graph stay valid for later SetParams calls.
  for (size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].operation = std::move(fresh.steps_[i].operation);
    steps_[i].after = std::move(fresh.steps_[i].after);
  }
  program_.reset();
  reason = kSuccess;
  return Status::ok();
}

// ---------------------------------------------------------------------------------------------------

Status capture_operation(Stream& stream, std::unique_ptr<Operation> operation, NodeType type) {
  auto capture = stream.capture();
  if (capture->invalidated) return {static_cast<StatusCode>(901), "the capture is invalid"};
  if (type == NodeType::empty && operation) type = type_of(*operation);
  auto& frontier = capture->frontier[&stream];
  auto node = capture->graph().add(type, frontier, std::move(operation));
  if (!node) return node.status();
  frontier.assign(1, *node);
  return Status::ok();
}

Status begin_capture(Stream& stream, int mode, Graph* into, std::vector<GraphNode*> dependencies) {
  if (stream.kind() == StreamKind::legacy) {
    return {StatusCode::stream_capture_unsupported, "the legacy stream cannot be captured"};
  }
  if (stream.capture()) return {StatusCode::illegal_state, "the stream is capturing already"};
  auto capture = std::make_shared<Capture>(stream, mode);
  if (into) capture->capture_into(into);
  capture->frontier[&stream] = std::move(dependencies);
  capture->members.push_back(stream.shared_from_this());
  stream.set_capture(std::move(capture));
  return Status::ok();
}

Result<std::unique_ptr<Graph>> end_capture(Stream& stream) {
  auto capture = stream.capture();
  if (!capture) return Status(StatusCode::illegal_state, "the stream is not capturing");
  if (capture->origin() != &stream)
    return Status(static_cast<StatusCode>(903), "capture began elsewhere");
  // Everything that other streams captured must lead back here.
  std::vector<const GraphNode*> joined(capture->frontier[&stream].begin(),
                                       capture->frontier[&stream].end());
  for (size_t i = 0; i < joined.size(); ++i) {
    for (GraphNode* before : joined[i]->dependencies) {
      if (std::find(joined.begin(), joined.end(), before) == joined.end()) joined.push_back(before);
    }
  }
  bool unjoined = false;
  for (auto& [member, frontier] : capture->frontier) {
    member->set_capture(nullptr);
    for (GraphNode* node : frontier) {
      unjoined |= std::find(joined.begin(), joined.end(), node) == joined.end();
    }
  }
  capture->members.clear();  // they hold the capture, and it them
  if (capture->invalidated) return Status(static_cast<StatusCode>(901), "the capture is invalid");
  if (unjoined) return Status(static_cast<StatusCode>(904), "a forked stream was not joined");
  if (capture->borrowed()) return std::unique_ptr<Graph>();
  return capture->take_graph();
}

Status capture_record(Stream& stream, const std::shared_ptr<Event>& event) {
  auto capture = stream.capture();
  auto mark = std::make_shared<CapturedMark>();
  mark->nodes = capture->frontier[&stream];
  mark->capture = std::move(capture);
  event->set_captured(std::move(mark));
  return Status::ok();
}

Result<bool> capture_wait(Stream& stream, const std::shared_ptr<Event>& event) {
  auto mark = event->captured();
  if (!mark) {
    if (!stream.capture()) return false;
    return Status(static_cast<StatusCode>(905),
                  "a capturing stream waits for an event outside the capture");
  }
  if (stream.capture() && stream.capture() != mark->capture) {
    return Status(static_cast<StatusCode>(902), "two captures would merge");
  }
  if (!stream.capture()) {
    mark->capture->members.push_back(stream.shared_from_this());
    stream.set_capture(mark->capture);
  }
  auto& frontier = mark->capture->frontier[&stream];
  for (GraphNode* node : mark->nodes) {
    if (std::find(frontier.begin(), frontier.end(), node) == frontier.end())
      frontier.push_back(node);
  }
  return true;
}

}  // namespace guda::runtime
