// Tests between two processes: the second one is the test program once more, running one test.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace guda::cuda {

/// Runs `test` of this program in a new process, which finds `value` in the environment. Its exit code.
inline int run_again(const char* test, const char* variable, const std::string& value) {
  const pid_t child = fork();
  if (child == 0) {
    setenv(variable, value.c_str(), 1);
    const std::string filter = std::string("--gtest_filter=") + test;
    execl("/proc/self/exe", "driver_api_test", filter.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace guda::cuda
