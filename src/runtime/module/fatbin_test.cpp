#include "runtime/module/fatbin.h"

#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include <memory>
#include <random>

#include "runtime/module/test_support.h"

namespace guda::runtime {
namespace {

using namespace testing;

const std::string kText = [] {
  std::string text = ".version 9.0\n";
  for (int i = 0; i < 200; ++i) text += "add.s32 %r" + std::to_string(i) + ", %r1, %r2;\n";
  return text;
}();

EntrySpec zstd_entry(const std::string& text) {
  std::string payload(ZSTD_compressBound(text.size()), '\0');
  payload.resize(ZSTD_compress(payload.data(), payload.size(), text.data(), text.size(), 3));
  return {.flags = 0x8011, .payload = payload, .uncompressed_size = text.size(), .options = {}};
}

EntrySpec lz4_entry(const std::string& text) {
  std::string payload(static_cast<size_t>(LZ4_compressBound(static_cast<int>(text.size()))), '\0');
  payload.resize(static_cast<size_t>(LZ4_compress_default(text.data(), payload.data(),
                                                          static_cast<int>(text.size()),
                                                          static_cast<int>(payload.size()))));
  return {.flags = 0x2011, .payload = payload, .uncompressed_size = text.size(), .options = {}};
}

TEST(Fatbin, ReadsPayloadsOfEveryCompression) {
  for (const EntrySpec& spec :
       {EntrySpec{.payload = kText, .options = {}}, zstd_entry(kText), lz4_entry(kText)}) {
    const std::string image = make_container({spec});
    const auto entries = read_fatbin(as_bytes(image));
    ASSERT_TRUE(entries) << entries.status().message();
    ASSERT_EQ(entries->size(), 1u);
    const auto text = read_ptx(*entries, 89, "m");
    ASSERT_TRUE(text) << text.status().message();
    EXPECT_EQ(*text, kText);
  }
}

TEST(Fatbin, FindsEntriesOfSeveralContainersWithPaddingBetween) {
  const std::string image = make_container({{.kind = 2, .payload = "elf", .options = {}}}) +
                            std::string(24, '\0') +
                            make_container({{.payload = kText, .options = "-maxrregcount 32"}});
  const auto entries = read_fatbin(as_bytes(image));
  ASSERT_TRUE(entries) << entries.status().message();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].kind, FatbinKind::elf);
  EXPECT_EQ((*entries)[1].options, "-maxrregcount 32");
  EXPECT_EQ((*entries)[1].ptx_major, 9u);
}

TEST(Fatbin, PicksTheNewestPtxThatTheDeviceAdmits) {
  const auto pick = [](std::vector<uint32_t> architectures, uint32_t capability) {
    std::vector<FatbinEntry> entries;
    for (const uint32_t a : architectures)
      entries.push_back({.architecture = a, .payload = {}, .options = {}});
    const FatbinEntry* entry = select_ptx(entries, capability);
    return entry != nullptr ? entry->architecture : 0;
  };
  EXPECT_EQ(pick({75, 80, 90}, 89), 80u);
  EXPECT_EQ(pick({120, 100, 90}, 89), 90u);
  EXPECT_EQ(pick({50}, 89), 50u);
  EXPECT_EQ(pick({}, 89), 0u);
}

TEST(Fatbin, MachineCodeAloneSaysWhichFlagHelps) {
  const std::string image =
      make_container({{.kind = 2, .architecture = 75, .payload = "elf", .options = {}},
                      {.kind = 8, .architecture = 80, .payload = "lto", .options = {}}});
  const auto entries = read_fatbin(as_bytes(image));
  ASSERT_TRUE(entries);
  const auto text = read_ptx(*entries, 89, "app");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.status().code(), StatusCode::no_binary_for_gpu);
  EXPECT_NE(text.status().message().find("sm_75, LTO-IR_80"), std::string::npos);
  EXPECT_NE(text.status().message().find("-gencode"), std::string::npos);
}

TEST(Fatbin, OldZlibIsAnErrorWithAMessage) {
  const std::string image =
      make_container({{.flags = 0x1011, .payload = "x", .uncompressed_size = 9, .options = {}}});
  const auto entries = read_fatbin(as_bytes(image));
  ASSERT_TRUE(entries);
  EXPECT_EQ(read_payload((*entries)[0]).status().code(), StatusCode::not_supported);
}

TEST(Fatbin, AnyTruncationIsInvalidImage) {
  const std::string image = make_container({zstd_entry(kText), {.payload = kText, .options = "x"}});
  for (size_t size = 1; size < image.size(); ++size) {
    // A copy of exactly this size, so that sanitizers see reads beyond it.
    const std::unique_ptr<std::byte[]> copy(new std::byte[size]);
    std::memcpy(copy.get(), image.data(), size);
    const auto entries = read_fatbin({copy.get(), size});
    ASSERT_FALSE(entries) << size;
    EXPECT_EQ(entries.status().code(), StatusCode::invalid_image);
  }
}

TEST(Fatbin, DamagedBytesNeverCrash) {
  const std::string image = make_container(
      {zstd_entry(kText), lz4_entry(kText), {.kind = 2, .payload = "e", .options = {}}});
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = image;
    for (int n = 0; n < 3; ++n) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (const auto entries = read_fatbin(as_bytes(damaged))) {
      for (const FatbinEntry& entry : *entries) (void)read_payload(entry).is_ok();
    }
  }
}

TEST(Fatbin, AnnouncedSizesBeyondReasonDoNotAllocate) {
  EntrySpec spec = zstd_entry(kText);
  spec.uncompressed_size = uint64_t{1} << 60;
  const std::string image = make_container({spec});
  const auto entries = read_fatbin(as_bytes(image));
  ASSERT_TRUE(entries);
  EXPECT_EQ(read_payload((*entries)[0]).status().code(), StatusCode::invalid_image);
}

TEST(Fatbin, WrapperVersionTwoListsItsTranslationUnits) {
  const std::string a = make_container({{.payload = kText, .options = {}}});
  const void* const list[] = {a.data(), a.data(), nullptr};
  const WrapperSpec wrapper{.version = 2, .data = a.data(), .prelinked = list};
  const auto read = read_wrapper(&wrapper);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->prelinked.size(), 2u);
  const WrapperSpec wrong{.version = 7, .data = a.data()};
  EXPECT_EQ(read_wrapper(&wrong).status().code(), StatusCode::invalid_image);
  const WrapperSpec magic{.magic = 1};
  EXPECT_EQ(read_wrapper(&magic).status().code(), StatusCode::invalid_image);
  EXPECT_EQ(read_wrapper(nullptr).status().code(), StatusCode::invalid_image);
}

const char kInsideThisProgram[] = "a constant in a loaded segment";

TEST(Fatbin, ExtentOfLoadedSegmentsIsKnown) {
  EXPECT_GE(mapped_extent(kInsideThisProgram), sizeof kInsideThisProgram);
  const auto heap = std::make_unique<char[]>(100);
  EXPECT_EQ(mapped_extent(heap.get()), 0u);
}

}  // namespace
}  // namespace guda::runtime
