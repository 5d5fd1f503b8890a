#include "support/live_counters.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace guda {
namespace {

const LiveReading* page_of(const std::vector<LiveReading>& all, int process) {
  auto found = std::find_if(all.begin(), all.end(),
                            [&](const LiveReading& each) { return each.process == process; });
  return found == all.end() ? nullptr : &*found;
}

TEST(LiveCounters, OtherProcessesSeeWhatEnginesDo) {
  if (live_directory().empty()) GTEST_SKIP() << "no shared memory directory";
  int ready[2], done[2];
  ASSERT_EQ(pipe(ready) | pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    live_page().engines[0].count(3, 1000);
    LiveEngine& device = add_live_engine("cuda:0");
    device.count(1, 50);
    device.out_of_service = 1;
    char byte = 0;
    (void)!write(ready[1], &byte, 1);
    (void)!read(done[0], &byte, 1);
    _exit(0);  // without cleaning up
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto all = read_live_pages();
  const LiveReading* page = page_of(all, child);
  ASSERT_NE(page, nullptr);
  ASSERT_EQ(page->engines.size(), 2u);
  EXPECT_EQ(page->engines[0].id, "cpu");
  EXPECT_EQ(page->engines[0].launches, 3u);
  EXPECT_EQ(page->engines[0].busy_ns, 1000u);
  EXPECT_EQ(page->engines[1].id, "cuda:0");
  EXPECT_TRUE(page->engines[1].out_of_service);
  ASSERT_EQ(write(done[1], &byte, 1), 1);
  waitpid(child, nullptr, 0);
  // What a process leaves behind is cleared away.
  EXPECT_EQ(page_of(read_live_pages(), child), nullptr);
  EXPECT_NE(access((live_directory() + "/" + std::to_string(child)).c_str(), F_OK), 0);
}

TEST(LiveCounters, ADamagedPageIsPassedOver) {
  if (live_directory().empty()) GTEST_SKIP() << "no shared memory directory";
  const std::string path = live_directory() + "/" + std::to_string(getppid());
  if (access(path.c_str(), F_OK) == 0) GTEST_SKIP() << "the parent has a page";
  std::ofstream(path) << std::string(sizeof(LivePage), 'x');
  EXPECT_EQ(page_of(read_live_pages(), getppid()), nullptr);
  unlink(path.c_str());
}

}  // namespace
}  // namespace guda
