#include "scheduler/topology.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

namespace guda::scheduler {
namespace {

constexpr uint32_t kMaxCpus = 4096;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<uint32_t> allowed_cpus() {
  std::vector<uint32_t> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  } else {
    const long online = std::clamp(sysconf(_SC_NPROCESSORS_ONLN), 1L, long{kMaxCpus});
    for (uint32_t cpu = 0; cpu < static_cast<uint32_t>(online); ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace

std::vector<uint32_t> parse_cpu_list(std::string_view text) {
  std::vector<uint32_t> cpus;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    uint32_t first = 0;
    auto [next, error] = std::from_chars(at, end, first);
    if (error != std::errc{} || first >= kMaxCpus) break;
    uint32_t last = first;
    if (next < end && *next == '-') {
      const auto range = std::from_chars(next + 1, end, last);
      if (range.ec != std::errc{} || last < first || last >= kMaxCpus) break;
      next = range.ptr;
    }
    for (uint32_t cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (next >= end || *next != ',') break;
    at = next + 1;
  }
  return cpus;
}

Topology Topology::read(const std::string& root, std::span<const uint32_t> cpus) {
  Topology topology;
  std::map<uint32_t, uint32_t> node_of;
  for (const uint32_t node : parse_cpu_list(first_line(root + "/devices/system/node/online"))) {
    for (const uint32_t cpu : parse_cpu_list(
             first_line(fmt::format("{}/devices/system/node/node{}/cpulist", root, node)))) {
      node_of[cpu] = node;
    }
  }
  std::vector<uint32_t> sorted(cpus.begin(), cpus.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::map<uint32_t, uint32_t> core_of;      // by the first thread of the core
  std::map<uint32_t, uint32_t> node_number;  // nodes that have processors of ours, from 0
  std::vector<uint32_t> threads;             // seen, by core
  for (const uint32_t cpu : sorted) {
    const std::vector<uint32_t> siblings = parse_cpu_list(first_line(
        fmt::format("{}/devices/system/cpu/cpu{}/topology/thread_siblings_list", root, cpu)));
    const bool known = std::find(siblings.begin(), siblings.end(), cpu) != siblings.end();
    const uint32_t leader = known ? *std::min_element(siblings.begin(), siblings.end()) : cpu;
    const auto core = core_of.try_emplace(leader, static_cast<uint32_t>(core_of.size())).first;
    threads.resize(core_of.size());
    const auto node =
        node_number.try_emplace(node_of[cpu], static_cast<uint32_t>(node_number.size())).first;
    topology.processors_.push_back({cpu, core->second, node->second, threads[core->second]++});
  }
  topology.cores_ = static_cast<uint32_t>(core_of.size());
  topology.nodes_ = static_cast<uint32_t>(node_number.size());
  return topology;
}

const Topology& Topology::machine() {
  static const Topology topology = read("/sys", allowed_cpus());
  return topology;
}

std::vector<Processor> Topology::worker_order() const {
  struct Ranked {
    Processor processor;
    uint32_t place;  // among those of its node and thread number
  };
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> seen;
  std::vector<Ranked> ranked;
  for (const Processor& processor : processors_) {
    ranked.push_back({processor, seen[{processor.thread, processor.node}]++});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    if (a.processor.thread != b.processor.thread) return a.processor.thread < b.processor.thread;
    if (a.place != b.place) return a.place < b.place;
    return a.processor.node < b.processor.node;
  });
  std::vector<Processor> order;
  for (const Ranked& r : ranked) order.push_back(r.processor);
  return order;
}

std::vector<uint32_t> Topology::cpus_of_node(uint32_t node) const {
  std::vector<uint32_t> cpus;
  for (const Processor& processor : processors_) {
    if (processor.node == node) cpus.push_back(processor.cpu);
  }
  return cpus;
}

void bind_worker_to_node(uint32_t index) {
  const Topology& topology = Topology::machine();
  if (topology.nodes() < 2) return;
  static const std::vector<Processor> order = topology.worker_order();
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const uint32_t cpu : topology.cpus_of_node(order[index % order.size()].node)) {
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  }
  // Refused when the process's set was made smaller meanwhile: then the thread stays where it may run.
  static_cast<void>(sched_setaffinity(0, sizeof(set), &set));
}

}  // namespace guda::scheduler
