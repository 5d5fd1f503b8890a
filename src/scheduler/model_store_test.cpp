#include "scheduler/model_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <vector>

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

TEST_F(ModelStoreTest, ARateThatIsNoNumberIsSavedAsUnknown) {
  EngineRecord record = example();
  record.model.kernel_rate[0] = std::numeric_limits<double>::infinity();
  record.model.memory_rate = std::numeric_limits<double>::quiet_NaN();
  record.model.launch_ns = -1;
  ASSERT_TRUE(store_.save(kIdentity, record));
  const auto loaded = store_.load(kIdentity);
  ASSERT_TRUE(loaded) << loaded.status().message();
  EXPECT_EQ(loaded->model.kernel_rate[0], 0);
  EXPECT_EQ(loaded->model.memory_rate, 0);
  EXPECT_EQ(loaded->model.launch_ns, 0);
  EXPECT_EQ(loaded->model.kernel_rate[1], record.model.kernel_rate[1]);
}

TEST_F(ModelStoreTest, TheSmallestAndTheLargestNumbersComeBack) {
  EngineRecord record = example();
  auto& state = record.learnt[0].state;
  state.weights = {std::numeric_limits<double>::denorm_min(), 1e-310};
  state.covariance = {{{std::numeric_limits<double>::max(), -5e-324}, {-5e-324, 1e22}}};
  state.observations = std::numeric_limits<uint32_t>::max();
  record.learnt[0].key = ~uint64_t{0};
  const auto read = from_text(kIdentity, to_text(kIdentity, record));
  ASSERT_TRUE(read) << read.status().message();
  EXPECT_EQ(read->learnt[0].key, ~uint64_t{0});
  EXPECT_EQ(read->learnt[0].state.weights, state.weights);
  EXPECT_EQ(read->learnt[0].state.covariance, state.covariance);
  EXPECT_EQ(read->learnt[0].state.observations, state.observations);
}

TEST_F(ModelStoreTest, ProcessesThatSaveAtOnceNeverLeaveHalfAFile) {
  ASSERT_TRUE(store_.save(kIdentity, example()));
  std::vector<pid_t> children;
  for (int child = 0; child < 2; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      EngineRecord record = example();
      // Files of very different lengths.
      if (child != 0) record.learnt.resize(2000, record.learnt[0]);
      bool good = true;
      for (int i = 0; i < 50; ++i) good = store_.save(kIdentity, record).is_ok() && good;
      _exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (size_t running = children.size(); running != 0;) {
    const auto loaded = store_.load(kIdentity);
    ASSERT_TRUE(loaded) << loaded.status().message();
    int status = 0;
    if (waitpid(-1, &status, WNOHANG) > 0) {
      EXPECT_EQ(status, 0);
      --running;
    }
  }
  const auto files = std::filesystem::directory_iterator(directory_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
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
