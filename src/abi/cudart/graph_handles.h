// Handles of graphs.
#pragma once

#include "abi/cudart/types.h"
#include "runtime/graph.h"

#include <memory>

namespace guda::cudart {

using runtime::Graph;
using runtime::GraphExec;
using runtime::GraphNode;
using runtime::NodeType;

/// Null: not a live graph (child graphs included) or instantiated graph.
Graph* find_graph(cudaGraph_t handle);
GraphExec* find_exec(cudaGraphExec_t handle);
cudaGraph_t adopt_graph(std::unique_ptr<Graph> graph);

}  // namespace guda::cudart
