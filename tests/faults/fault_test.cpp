// Nothing is lost: a program gives its result whichever call into a device fails, and however.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

extern char** environ;

namespace {

/// Exit status of the program with these GUDA_ variables.
int run(const std::vector<std::string>& variables) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) all.emplace_back(*variable);
  all.insert(all.end(), variables.begin(), variables.end());
  std::vector<char*> environment;
  for (std::string& variable : all) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string program = TWO_HUNDRED_CALLS;
  char* arguments[] = {program.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);  // hundreds of reports
  pid_t child = 0;
  if (posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environment.data()) != 0)
    return -1;
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class Faults : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Faults, NothingIsLost) {
  const auto& [kind, split] = GetParam();
  // Beyond the last call, and in steps that meet every kind of call in every phase.
  for (int call = 1; call <= 400; call += call < 60 ? 1 : 7) {
    ASSERT_EQ(run({"GUDA_DEVICES=emulated,cpu", "GUDA_SPLIT=" + split,
                   "GUDA_EMULATED_FAULT=:" + std::to_string(call) + ":" + kind}),
              0)
        << "call " << call;
  }
}

INSTANTIATE_TEST_SUITE_P(Injected, Faults,
                         testing::Combine(testing::Values("error", "vanish"),
                                          testing::Values("never", "always")),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_split_" + std::get<1>(info.param);
                         });

/// Where transfers and launches stop for good; what the process waits for it has to give up.
class Hangs : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Hangs, NothingIsLost) {
  const auto& [call, split] = GetParam();
  for (int nth : {1, 2, 5, 13, 34}) {
    ASSERT_EQ(run({"GUDA_DEVICES=emulated", "GUDA_SPLIT=" + split, "GUDA_DEVICE_LIMIT=60",
                   "GUDA_EMULATED_FAULT=" + call + ":" + std::to_string(nth) + ":hang"}),
              0)
        << call << ' ' << nth;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Injected, Hangs,
    testing::Combine(testing::Values("upload", "download", "synchronize", "launch", "map"),
                     testing::Values("never", "always")),
    [](const auto& info) { return std::get<0>(info.param) + "_split_" + std::get<1>(info.param); });

TEST(FaultFree, TheProgramIsRight) { EXPECT_EQ(run({"GUDA_DEVICES=emulated"}), 0); }

}  // namespace
