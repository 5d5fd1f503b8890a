// Every function of the table has worked in some test of this program, not only refused its arguments; and the generated libraries
// export what the table says, under the symbol versions that programs were linked with.
#include "abi/cublas/cublas_test.h"

#include <fstream>
#include <sstream>

namespace guda::cublas::test {
namespace {

struct Row {
  std::string name, library, generations;
};

std::vector<Row> table() {
  std::ifstream file(GUDA_CUBLAS_TABLE);
  std::vector<Row> rows;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("#") || line.starts_with("name\t")) continue;
    std::istringstream fields(line);
    Row row;
    std::getline(fields, row.name, '\t');
    std::getline(fields, row.library, '\t');
    std::getline(fields, row.generations, '\t');
    rows.push_back(row);
  }
  return rows;
}

TEST(CublasExports, EveryGenerationExportsItsFunctionsWithItsVersion) {
  if (against_nvidia()) GTEST_SKIP() << "looks at the libraries of this build";
  auto rows = table();
  ASSERT_GT(rows.size(), 800u);
  for (const std::string library : {"cublas", "cublasLt", "nvblas"})
    for (const std::string generation : {"11", "12", "13"}) {
      std::string file = "lib" + library + ".so." + generation;
      void* handle =
          dlopen((std::string(GUDA_LIBRARIES "/") + file).c_str(), RTLD_NOW | RTLD_LOCAL);
      ASSERT_TRUE(handle) << dlerror();
      for (auto& row : rows) {
        if (row.library != library) continue;
        bool expected = row.generations.find(generation) != std::string::npos;
        EXPECT_EQ(dlvsym(handle, row.name.c_str(), file.c_str()) != nullptr, expected)
            << row.name << " in " << file;
      }
      dlclose(handle);
    }
}

/// Runs after all tests.
class Coverage : public testing::Environment {
 public:
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*" || against_nvidia()) return;
    for (auto& row : table()) {
      if (!worked_names().contains(row.name)) ADD_FAILURE() << "no test makes use of " << row.name;
    }
  }
};
[[maybe_unused]] auto* const coverage = testing::AddGlobalTestEnvironment(new Coverage);

}  // namespace
}  // namespace guda::cublas::test
