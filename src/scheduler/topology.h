// The processors of the machine: which are threads of one core, which share a memory node. Read from /sys once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guda::scheduler {

struct Processor {
  uint32_t cpu = 0;  // the kernel's number
  uint32_t core = 0;  // numbered from 0 over the machine
  uint32_t node = 0;  // memory node
  uint32_t thread = 0;  // of its core: 0 the first
};

class Topology {
 public:
  /// Only these processors; numbered as the kernel does. Where `root` (normally "/sys") says nothing, every
  /// processor is a core of its own on node 0.
  static Topology read(const std::string& root, std::span<const uint32_t> cpus);
  /// Of this machine, the processors that this process may use when it is first asked for.
  static const Topology& machine();

  /// Ascending by cpu.
  const std::vector<Processor>& processors() const { return processors_; }
  uint32_t cores() const { return cores_; }
  uint32_t nodes() const { return nodes_; }

  /// In the order in which worker threads should take them: one of each core before a second one of any, and
  /// memory nodes in turn, so that few workers already have the bandwidth of all nodes.
  std::vector<Processor> worker_order() const;
  /// Processors of one memory node.
  std::vector<uint32_t> cpus_of_node(uint32_t node) const;

 private:
  std::vector<Processor> processors_;
  uint32_t cores_ = 0;
  uint32_t nodes_ = 0;
};

/// "0-3,8,10-11" as the kernel writes it; what is not a number ends the list.
std::vector<uint32_t> parse_cpu_list(std::string_view text);

/// Binds the calling thread to the memory node that worker `index` of the order belongs to. Does nothing on
/// machines with one node: there the system places threads better than we could, other programs considered.
void bind_worker_to_node(uint32_t index);

}  // namespace guda::scheduler
