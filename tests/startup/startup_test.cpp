// A process that links GUDA and makes no CUDA call pays for nothing: no thread is started, and
// neither the compiler nor LLVM is in its address space.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

std::string mapped_files() {
  std::ifstream maps("/proc/self/maps");
  return {std::istreambuf_iterator<char>(maps), {}};
}

// Read before GoogleTest or anything else has run.
const size_t threads_at_start = thread_count();

TEST(Startup, LinkedLibraryIsLoaded) {
  EXPECT_NE(mapped_files().find("/libcudart.so.13"), std::string::npos);
  EXPECT_NE(mapped_files().find("/libguda.so"), std::string::npos);
}

TEST(Startup, NoThreadIsStarted) {
  EXPECT_EQ(threads_at_start, 1u);
  EXPECT_EQ(thread_count(), 1u);
}

TEST(Startup, CompilerIsNotLoaded) {
  EXPECT_EQ(mapped_files().find("libguda_compiler"), std::string::npos);
  EXPECT_EQ(mapped_files().find("libLLVM"), std::string::npos);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
