#include "backends/discovery.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace guda::backend {
namespace {

std::vector<std::string> ids(std::string_view list) {
  std::vector<std::string> names;
  for (auto& choice : choose_engines(list)) names.push_back(choice.id);
  return names;
}
using Names = std::vector<std::string>;

TEST(Discovery, WithoutAListNothingIsEmulated) {
  for (auto& name : ids("")) EXPECT_FALSE(name.starts_with("emulated")) << name;
  EXPECT_EQ(ids("").back(), "cpu");
}

TEST(Discovery, OrderIsPreference) {
  EXPECT_EQ(ids("emulated:0,cpu"), (Names{"emulated:0", "cpu"}));
  EXPECT_EQ(ids("cpu, emulated"), (Names{"cpu", "emulated:0"}));
}

TEST(Discovery, TheCpuIsAlwaysThere) { EXPECT_EQ(ids("emulated"), (Names{"emulated:0", "cpu"})); }

TEST(Discovery, ABackendMeansAllItsDevices) {
  setenv("GUDA_EMULATED_DEVICES", "3", 1);
  EXPECT_EQ(ids("emulated"), (Names{"emulated:0", "emulated:1", "emulated:2", "cpu"}));
  EXPECT_EQ(ids("emulated:2,emulated:0"), (Names{"emulated:2", "emulated:0", "cpu"}));
  unsetenv("GUDA_EMULATED_DEVICES");
}

TEST(Discovery, WhatIsNotThereIsLeftOut) {
  EXPECT_EQ(ids("emulated:7,quantum:0,emulated:x,,cpu"), (Names{"cpu"}));
}

TEST(Discovery, EveryBackendHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Backend& backend : backends())
    EXPECT_TRUE(names.insert(backend.name).second) << backend.name;
}

TEST(Discovery, ADeviceIsTakenOnce) {
  EXPECT_EQ(ids("emulated:0,emulated:0,emulated"), (Names{"emulated:0", "cpu"}));
}

}  // namespace
}  // namespace guda::backend
