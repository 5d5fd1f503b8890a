#include "scheduler/model_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

namespace guda::scheduler {
namespace {

const EngineIdentity kIdentity{"cuda:0", "Some GPU, with | and\nnewline", "580.1", 132};

EngineRecord example() {
  EngineRecord record;
  record.model.kernel_rate[1] = 67'000.125;
  record.model.gemm_rate[3] = 8e5;
  record.model.memory_rate = 4800;
  record.model.launch_ns = 1.0 / 3;
  record.model.upload = {5'000, 55};
  TimeModel times(record.model);
  Work work;
  work.units = 100;
  work.amount = 100;
  for (uint64_t key = 1; key <= 3; ++key) {
    work.key = key;
    for (uint64_t i = 0; i < key; ++i) times.observe(work, 100, 1000.0 * static_cast<double>(key));
  }
  record.learnt = times.learnt(10);
  return record;
}

class ModelStoreTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(directory_); }
  const std::string directory_ = fmt::format("{}/guda-models-{}", ::testing::TempDir(), getpid());
  const ModelStore store_{directory_};
};

TEST_F(ModelStoreTest, WhatIsSavedIsLoaded) {
  const EngineRecord record = example();
  ASSERT_TRUE(store_.save(kIdentity, record));
  const auto loaded = store_.load(kIdentity);
  ASSERT_TRUE(loaded) << loaded.status().message();
  EXPECT_EQ(to_text(kIdentity, *loaded), to_text(kIdentity, record));
  EXPECT_EQ(loaded->model.launch_ns, 1.0 / 3);
  ASSERT_EQ(loaded->learnt.size(), 3u);
  EXPECT_EQ(loaded->learnt[0].key, 3u);  // the most measured first
  EXPECT_EQ(loaded->learnt[0].state.observations, 3u);

  TimeModel times(loaded->model);
  times.restore(loaded->learnt);
  Work work;
  work.key = 3;
  work.units = work.tile = 100;
  work.amount = 100;
  EXPECT_NEAR(times.estimate(work).ns(100), 3000, 300);
}

TEST_F(ModelStoreTest, WhatIsNoNumberIsNotSaved) {
  EngineRecord record = example();
  const size_t all = record.learnt.size();
  record.learnt[0].state.weights[1] = std::numeric_limits<double>::quiet_NaN();
  record.learnt[1].state.covariance[0][1] = std::numeric_limits<double>::infinity();
  ASSERT_TRUE(store_.save(kIdentity, record));
  const auto loaded = store_.load(kIdentity);
  ASSERT_TRUE(loaded) << loaded.status().message();
  EXPECT_EQ(loaded->learnt.size(), all - 2);
}

TEST_F(ModelStoreTest, AnotherEngineOrDriverFindsNothing) {
  ASSERT_TRUE(store_.save(kIdentity, example()));
  EngineIdentity other = kIdentity;
  other.driver = "580.2";
  EXPECT_EQ(store_.load(other).status().code(), StatusCode::not_found);
  // Not even when a file lands under the wrong name.
  std::filesystem::copy_file(store_.path_of(kIdentity), store_.path_of(other));
  EXPECT_EQ(store_.load(other).status().code(), StatusCode::invalid_value);
}

TEST_F(ModelStoreTest, EveryDamageIsNoticed) {
  const std::string text = to_text(kIdentity, example());
  ASSERT_TRUE(from_text(kIdentity, text));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(from_text(kIdentity, damaged).status().code(), StatusCode::invalid_value) << i;
    EXPECT_EQ(from_text(kIdentity, text.substr(0, i)).status().code(), StatusCode::invalid_value)
        << i;
  }
}

TEST_F(ModelStoreTest, SavingLeavesOneFileAndReplacesIt) {
  EngineRecord record = example();
  ASSERT_TRUE(store_.save(kIdentity, record));
  record.model.launch_ns = 77;
  ASSERT_TRUE(store_.save(kIdentity, record));
  EXPECT_EQ(store_.load(kIdentity)->model.launch_ns, 77);
  const auto files = std::filesystem::directory_iterator(directory_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(ModelStore, WithoutADirectoryNothingIsKept) {
  const ModelStore store{{}};
  EXPECT_EQ(store.save(kIdentity, {}).code(), StatusCode::not_found);
  EXPECT_EQ(store.load(kIdentity).status().code(), StatusCode::not_found);
}

TEST(ModelStore, AnUnwritableDirectoryIsAnError) {
  const ModelStore store{"/proc/guda"};
  EXPECT_EQ(store.save(kIdentity, {}).code(), StatusCode::operating_system);
}

}  // namespace
}  // namespace guda::scheduler
