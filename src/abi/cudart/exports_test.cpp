// Every function of the runtime API is exported, in every generation, under its symbol version.
#include <gtest/gtest.h>

#include <dlfcn.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Row {
  std::string name, generations, state;
};

std::vector<Row> read_table() {
  std::vector<Row> rows;
  std::ifstream file(GUDA_FUNCTION_TABLE);
  std::string line;
  bool header = true;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    if (header) {
      header = false;
      continue;
    }
    std::istringstream in(line);
    Row row;
    std::getline(in, row.name, '\t');
    std::getline(in, row.generations, '\t');
    std::getline(in, row.state, '\t');
    rows.push_back(row);
  }
  return rows;
}

struct Library {
  const char* file;
  const char* version;
  const char* generation;
};

class Exports : public testing::TestWithParam<Library> {};

TEST_P(Exports, EveryFunctionHasItsVersionedSymbol) {
  void* library = dlopen(GetParam().file, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  size_t found = 0;
  for (const Row& row : read_table()) {
    if (row.generations.find(GetParam().generation) == std::string::npos) continue;
    EXPECT_NE(dlvsym(library, row.name.c_str(), GetParam().version), nullptr) << row.name;
    ++found;
  }
  EXPECT_GT(found, 380u);
}

TEST_P(Exports, RuntimeVersionIsThatOfTheGeneration) {
  void* library = dlopen(GetParam().file, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto version = reinterpret_cast<int (*)(int*)>(dlsym(library, "cudaRuntimeGetVersion"));
  int value = 0;
  ASSERT_EQ(version(&value), 0);
  EXPECT_EQ(std::to_string(value / 1000), GetParam().generation);
}

INSTANTIATE_TEST_SUITE_P(Generations, Exports,
                         testing::Values(Library{"libcudart.so.13", "libcudart.so.13", "13"},
                                         Library{"libcudart.so.12", "libcudart.so.12", "12"},
                                         Library{"libcudart.so.11.0", "libcudart.so.11.0", "11"}),
                         [](auto& info) { return "v" + std::string(info.param.generation); });

TEST(Table, UnsupportedFunctionsSaySoAndSetTheLastError) {
  void* library = dlopen("libcudart.so.13", RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto last_error = reinterpret_cast<int (*)()>(dlsym(library, "cudaGetLastError"));
  for (const Row& row : read_table()) {
    if (row.state != "unsupported" || row.generations.find("13") == std::string::npos) continue;
    auto function = reinterpret_cast<int (*)()>(dlsym(library, row.name.c_str()));
    ASSERT_NE(function, nullptr) << row.name;
    EXPECT_EQ(function(), 801) << row.name;
    EXPECT_EQ(last_error(), 801) << row.name;
  }
}

#ifdef GUDA_CUDA_HEADER
TEST(Table, KnowsEveryFunctionOfTheHeader) {
  std::ifstream file(GUDA_CUDA_HEADER);
  std::stringstream text;
  text << file.rdbuf();
  std::set<std::string> names;
  for (const Row& row : read_table()) names.insert(row.name);
  std::string header = text.str();
  std::regex declaration(R"(\bCUDARTAPI(?:_CDECL)?\s+(cuda\w+)\s*\()");
  std::set<std::string> declared;
  for (std::sregex_iterator i(header.begin(), header.end(), declaration), end; i != end; ++i) {
    declared.insert((*i)[1]);
  }
  EXPECT_GT(declared.size(), 250u);
  for (const std::string& name : declared) EXPECT_TRUE(names.contains(name)) << name;
  std::regex twin(R"(__CUDART_API_(PTDS|PTSZ)\((cuda\w+)\))");
  for (std::sregex_iterator i(header.begin(), header.end(), twin), end; i != end; ++i) {
    std::string name = (*i)[2].str() + ((*i)[1] == "PTDS" ? "_ptds" : "_ptsz");
    bool exists = !declared.contains((*i)[2].str()) || names.contains(name);
    EXPECT_TRUE(exists) << name;
  }
}
#endif

}  // namespace
