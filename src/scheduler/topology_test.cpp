#include "scheduler/topology.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace guda::scheduler {
namespace {

/// A machine as the kernel would show it in /sys.
class FakeSystem {
 public:
  FakeSystem() : root_(fmt::format("{}/guda-topology-{}", ::testing::TempDir(), getpid())) {}
  ~FakeSystem() { std::filesystem::remove_all(root_); }
  FakeSystem(const FakeSystem&) = delete;
  FakeSystem& operator=(const FakeSystem&) = delete;

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_ + "/" + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text << '\n';
  }
  void siblings(uint32_t cpu, const std::string& list) {
    write(fmt::format("devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu), list);
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

TEST(Topology, ReadsTheKernelsLists) {
  EXPECT_EQ(parse_cpu_list("0-3,8,10-11"), (std::vector<uint32_t>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list(""), std::vector<uint32_t>{});
  EXPECT_EQ(parse_cpu_list("2,x"), (std::vector<uint32_t>{2}));
  EXPECT_EQ(parse_cpu_list("5-3"), std::vector<uint32_t>{});
}

TEST(Topology, WorkersTakeOneThreadOfEachCoreAndNodesInTurn) {
  // Two nodes of two cores of two threads, numbered as usual: second threads after all first ones.
  FakeSystem system;
  system.write("devices/system/node/online", "0-1");
  system.write("devices/system/node/node0/cpulist", "0-1,4-5");
  system.write("devices/system/node/node1/cpulist", "2-3,6-7");
  for (uint32_t core = 0; core < 4; ++core) {
    for (const uint32_t cpu : {core, core + 4})
      system.siblings(cpu, fmt::format("{},{}", core, core + 4));
  }
  const std::vector<uint32_t> cpus = {0, 1, 2, 3, 4, 5, 6, 7};
  const Topology topology = Topology::read(system.root(), cpus);
  EXPECT_EQ(topology.cores(), 4u);
  EXPECT_EQ(topology.nodes(), 2u);
  std::vector<uint32_t> order;
  for (const Processor& p : topology.worker_order()) order.push_back(p.cpu);
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 2, 1, 3, 4, 6, 5, 7}));
  EXPECT_EQ(topology.cpus_of_node(1), (std::vector<uint32_t>{2, 3, 6, 7}));
}

TEST(Topology, CountsOnlyWhatTheProcessMayUse) {
  FakeSystem system;
  system.write("devices/system/node/online", "0-1");
  system.write("devices/system/node/node0/cpulist", "0-3");
  system.write("devices/system/node/node1/cpulist", "4-7");
  for (uint32_t cpu = 0; cpu < 8; ++cpu)
    system.siblings(cpu, cpu % 2 == 0 ? fmt::format("{}-{}", cpu, cpu + 1)
                                      : fmt::format("{}-{}", cpu - 1, cpu));
  // A second thread whose first one is not ours still is a core.
  const std::vector<uint32_t> cpus = {5, 6, 7};
  const Topology topology = Topology::read(system.root(), cpus);
  EXPECT_EQ(topology.cores(), 2u);
  EXPECT_EQ(topology.nodes(), 1u);
  EXPECT_EQ(topology.worker_order().front().cpu, 5u);
  EXPECT_EQ(topology.worker_order().back().cpu, 7u);
}

TEST(Topology, WithoutInformationEveryProcessorIsACore) {
  const std::vector<uint32_t> cpus = {0, 1, 2};
  const Topology topology = Topology::read("/nowhere", cpus);
  EXPECT_EQ(topology.cores(), 3u);
  EXPECT_EQ(topology.nodes(), 1u);
}

TEST(Topology, ThisMachineHasEveryProcessorOnce) {
  const Topology& machine = Topology::machine();
  std::set<uint32_t> cpus;
  for (const Processor& p : machine.worker_order()) cpus.insert(p.cpu);
  EXPECT_EQ(cpus.size(), machine.processors().size());
  EXPECT_GE(machine.cores(), 1u);
  EXPECT_LE(machine.cores(), cpus.size());
}

}  // namespace
}  // namespace guda::scheduler
