// Starts a program beside this one and waits for it.
#pragma once

#include <string>
#include <vector>

namespace bench {

struct ProcessResult {
  double milliseconds = 0;  // from before the start until it has exited
  std::string output;
  bool succeeded = false;
};

/// `program` is looked for in the folder of the running executable; `environment` holds additional
/// variables (NAME=value).
ProcessResult run_process(const std::string& program, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment);

}  // namespace bench
