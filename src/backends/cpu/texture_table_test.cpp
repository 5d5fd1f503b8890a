#include "backends/cpu/texture_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace guda::cpu {
namespace {

TEST(TextureTable, FindsWhatWasInsertedUntilItIsErased) {
  TextureTable table;
  std::vector<Texture> textures(1000);
  for (size_t i = 0; i < textures.size(); ++i) table.insert(i * 64 + 1, &textures[i]);
  for (size_t i = 0; i < textures.size(); i += 2) table.erase(i * 64 + 1);
  for (size_t i = 0; i < textures.size(); ++i)
    EXPECT_EQ(table.find(i * 64 + 1), i % 2 == 0 ? nullptr : &textures[i]) << i;
  EXPECT_EQ(table.find(2), nullptr);
  EXPECT_EQ(table.find(0), nullptr);
}

TEST(TextureTable, AHandleMayComeBack) {
  TextureTable table;
  std::vector<Texture> textures(2);
  for (int round = 0; round < 10000; ++round) {
    table.insert(7, &textures[static_cast<size_t>(round) % 2]);
    table.insert(1000 + static_cast<uint64_t>(round), &textures[0]);
    ASSERT_EQ(table.find(7), &textures[static_cast<size_t>(round) % 2]);
    table.erase(7);
    table.erase(1000 + static_cast<uint64_t>(round));
    ASSERT_EQ(table.find(7), nullptr);
  }
}

TEST(TextureTable, ReadersSeeTheirHandlesWhileOthersComeAndGo) {
  TextureTable table;
  Texture mine, other;
  table.insert(42, &mine);
  std::atomic<bool> done{false};
  std::atomic<long> wrong{0};
  std::thread reader([&] {
    while (!done) wrong += table.find(42) != &mine ? 1 : 0;
  });
  for (uint64_t i = 100; i < 20100; ++i) {
    table.insert(i, &other);
    if (i % 3 != 0) table.erase(i);
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace guda::cpu
