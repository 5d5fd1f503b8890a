#include "support/trace.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace guda::trace {
namespace {

TEST(Trace, WritesSpansOnNamedTracks) {
  const std::string path = testing::TempDir() + "guda_trace_test.json";
  setenv("GUDA_TRACE", path.c_str(), 1);
  EXPECT_FALSE(enabled());
  start();
  ASSERT_TRUE(enabled());
  span("cuda:0", "a \"kernel\"\n", "kernel", 1000, 3500, "\"blocks\": 7");
  span("cuda:0", "second", "kernel", 4000, 4001);
  instant("cpu", "split", "decision");
  flush();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text.rfind("[\n", 0), 0u);
  EXPECT_NE(text.find("\"name\": \"a \\\"kernel\\\"\\u000a\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"ts\": 1.000, \"dur\": 2.500, \"args\": {\"blocks\": 7}"),
            std::string::npos);
  // A track is named once.
  const size_t first = text.find("\"name\": \"cuda:0\"");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("\"name\": \"cuda:0\"", first + 1), std::string::npos);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace guda::trace
