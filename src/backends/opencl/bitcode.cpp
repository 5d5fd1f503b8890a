// SPIR-V to SPIR 1.2 bitcode. The translator is a program of the distribution (Debian: llvm-spirv-14); as a library it
// would bring a second LLVM into the process.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "backends/opencl/state.h"

extern char** environ;

namespace guda::backend::opencl {
namespace {

/// Newest first among those whose bitcode pocl 3.1 (LLVM 14 or 15) can read.
const std::string& translator() {
  static const std::string found = [] {
    const char* path = std::getenv("PATH");
    for (const char* name : {"llvm-spirv-14", "llvm-spirv-15", "llvm-spirv"}) {
      std::string_view rest = path ? path : "/usr/bin:/bin";
      while (!rest.empty()) {
        const std::string_view folder = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
        std::string candidate = fmt::format("{}/{}", folder, name);
        if (access(candidate.c_str(), X_OK) == 0) return candidate;
      }
    }
    return std::string();
  }();
  return found;
}

/// A folder of its own, deleted with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string pattern = (std::filesystem::temp_directory_path(error) / "guda-XXXXXX").string();
    if (!error && mkdtemp(pattern.data())) path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Runs a program without input and output; its wait status.
Result<int> run_quietly(char* const* arguments) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int stream : {0, 1, 2})
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  pid_t child = -1;
  const int error = posix_spawn(&child, arguments[0], &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return Status(StatusCode::operating_system,
                  fmt::format("cannot run {}: {}", arguments[0], std::strerror(error)));
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) continue;
  return state;
}

}  // namespace

bool have_bitcode_translator() { return !translator().empty(); }

Result<std::string> spirv_to_bitcode(const std::string& spirv) {
  if (!have_bitcode_translator())
    return Status(
        StatusCode::not_supported,
        "the driver takes no SPIR-V, and the program llvm-spirv, which translates it, is not "
        "installed");
  const TemporaryFolder folder;
  if (folder.path().empty())
    return Status(StatusCode::operating_system, "no folder for temporary files");
  std::string input = folder.path() + "/kernel.spv", output = folder.path() + "/kernel.bc";
  {
    std::ofstream file(input, std::ios::binary);
    file << spirv;
    if (!file.flush()) return Status(StatusCode::operating_system, "cannot write " + input);
  }
  std::string program = translator(), reverse = "-r", target = "--spirv-target-env=CL1.2",
              flag = "-o";
  char* arguments[] = {program.data(), reverse.data(), target.data(), input.data(),
                       flag.data(),    output.data(),  nullptr};
  auto ended = run_quietly(arguments);
  if (!ended) return ended.status();
  const int state = *ended;
  std::ifstream file(output, std::ios::binary);
  std::string bitcode((std::istreambuf_iterator<char>(file)), {});
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0 || bitcode.empty())
    return Status(StatusCode::not_supported,
                  WIFSIGNALED(state)
                      ? fmt::format("{} ended with signal {}", program, WTERMSIG(state))
                      : fmt::format("{} cannot translate the kernel", program));
  return bitcode;
}

}  // namespace guda::backend::opencl
