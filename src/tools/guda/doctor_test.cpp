// The test program carries device code of its own, so that it can be its own patient.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "tools/guda/device_code.h"
#include "tools/guda/diagnosis.h"
#include "tools/guda/install.h"
#include "tools/guda/json.h"
#include "tools/guda/launch_environment.h"
#include "tools/guda/library_search.h"

namespace {

constexpr char kText[] =
    ".version 8.0\n.target sm_75\n.address_size 64\n"
    ".visible .func helper() { ret; }\n.visible .entry first(.param .u64 p) { ret; }\n"
    ".weak .entry second() { ret; }\n";

struct EntryHeader {
  uint16_t kind, version;
  uint32_t header_size;
  uint64_t padded_size;
  uint32_t compressed_size, options, ptx_version, architecture;
  uint64_t name, flags, reserved, uncompressed_size;
};
static_assert(sizeof(EntryHeader) == 64);

struct Container {
  uint32_t magic;
  uint16_t version, header_size;
  uint64_t size;
  EntryHeader entry;
  std::array<char, 256> payload;
};

constexpr Container container(uint16_t kind, uint32_t architecture, std::string_view text) {
  Container c{0xBA55ED50,
              1,
              16,
              sizeof(EntryHeader) + 256,
              {kind, 0x101, 64, 256, 0, 0, 8 << 16, architecture, 0, 0x11, 0, 0},
              {}};
  for (size_t i = 0; i < text.size(); ++i) c.payload[i] = text[i];
  return c;
}

[[gnu::section(".nv_fatbin"), gnu::used]] const Container kDeviceCode[] = {
    container(1, 75, kText), container(8, 80, "bitcode"), container(2, 80, "empty cubin")};

}  // namespace

namespace guda::cli {
namespace {

namespace fs = std::filesystem;

std::string self() { return fs::read_symlink("/proc/self/exe").string(); }

TEST(ElfImage, ReadsThisProgram) {
  const auto image = ElfImage::open(self());
  ASSERT_TRUE(image) << image.status().message();
  EXPECT_TRUE(image->is_dynamic());
  EXPECT_FALSE(image->is_stripped());
  const auto needed = image->needed();
  EXPECT_NE(std::find(needed.begin(), needed.end(), "libc.so.6"), needed.end());
  EXPECT_NE(image->section(".text"), nullptr);
  EXPECT_FALSE(image->symbols().empty());
}

TEST(ElfImage, DamagedFilesReadAsLessAndNeverCrash) {
  std::ifstream file(self(), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto look = [](const std::string& text) {
    const auto image =
        ElfImage::from_bytes({reinterpret_cast<const std::byte*>(text.data()), text.size()}, "x");
    if (!image) return;
    (void)image->needed();
    if (const auto code = read_device_code(*image)) {
      for (const DeviceCodeContainer& container : *code) (void)kernel_names(container);
    }
  };
  for (const size_t size :
       {size_t{0}, size_t{3}, size_t{16}, size_t{63}, size_t{64}, bytes.size() / 2}) {
    look(bytes.substr(0, size));
  }
  // Every header field, one byte at a time; then the section headers.
  uint64_t sections;
  std::memcpy(&sections, bytes.data() + 40, sizeof sections);
  for (size_t i = 0; i < 200; ++i) {
    const size_t at = i < 64 ? i : sections + (i - 64) * 3;
    if (at >= bytes.size()) break;
    bytes[at] = static_cast<char>(bytes[at] ^ 0xff);
    look(bytes);
    bytes[at] = static_cast<char>(bytes[at] ^ 0xff);
  }
}

TEST(ElfImage, OtherFilesAreRefused) {
  EXPECT_EQ(ElfImage::open("/nonexistent").status().code(), StatusCode::file_not_found);
  EXPECT_EQ(ElfImage::open("/proc/self/exe/..").status().code(), StatusCode::file_not_found);
  EXPECT_EQ(ElfImage::open("/").status().code(), StatusCode::invalid_image);
  EXPECT_EQ(ElfImage::open("/proc/self/maps").status().code(), StatusCode::invalid_image);
}

TEST(LibrarySearch, PredictsWhatTheLoaderDoes) {
  const auto image = ElfImage::open(self());
  ASSERT_TRUE(image);
  std::map<std::string, std::string> predicted;
  for (const FoundLibrary& library :
       search_libraries(self(), *image, LoaderEnvironment::current())) {
    predicted[library.name] = library.path;
  }
  // The loader's own account: "\tlibc.so.6 => /lib/... (0x...)".
  std::FILE* pipe = popen(("LD_TRACE_LOADED_OBJECTS=1 '" + self() + "'").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[4096], name[1024], path[2048];
  size_t compared = 0;
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    if (std::sscanf(line, " %1023s => %2047s", name, path) != 2) continue;
    EXPECT_EQ(fs::weakly_canonical(predicted[name]), fs::weakly_canonical(path)) << name;
    ++compared;
  }
  pclose(pipe);
  EXPECT_GT(compared, 2u);
}

TEST(LibrarySearch, LibraryPathAndPreloadComeFirst) {
  const auto image = ElfImage::open(self());
  ASSERT_TRUE(image);
  const auto find = [&](const LoaderEnvironment& environment) {
    for (const FoundLibrary& library : search_libraries(self(), *image, environment)) {
      if (library.name == "libc.so.6") return library;
    }
    return FoundLibrary{};
  };
  const std::string real = find({}).path;
  ASSERT_FALSE(real.empty());
  const fs::path directory =
      fs::temp_directory_path() / ("guda-doctor-" + std::to_string(getpid()));
  fs::create_directories(directory);
  fs::create_symlink(real, directory / "libc.so.6");
  const FoundLibrary moved = find({{directory}, {}});
  EXPECT_EQ(moved.path, directory / "libc.so.6");
  EXPECT_EQ(moved.reason, "LD_LIBRARY_PATH");
  const FoundLibrary preloaded = find({{}, {directory / "libc.so.6"}});
  EXPECT_EQ(preloaded.path, directory / "libc.so.6");
  EXPECT_EQ(preloaded.reason, "LD_PRELOAD");
  fs::remove_all(directory);
}

TEST(Doctor, TellsModulesWithPtxFromThoseWithout) {
  const auto diagnosis = diagnose(self());
  ASSERT_TRUE(diagnosis) << diagnosis.status().message();
  ASSERT_EQ(diagnosis->modules.size(), 2u);
  EXPECT_TRUE(diagnosis->modules[0].usable);
  EXPECT_EQ(diagnosis->modules[0].kernels, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(diagnosis->modules[0].entries.at(0), "PTX for sm_75");
  EXPECT_FALSE(diagnosis->modules[1].usable);
  EXPECT_FALSE(diagnosis->is_healthy());
  bool named = false;
  for (const Problem& problem : diagnosis->problems) {
    named = named || (problem.what.find("LTO-IR for sm_80") != std::string::npos &&
                      problem.remedy.find("-gencode") != std::string::npos);
  }
  EXPECT_TRUE(named);
}

TEST(Doctor, KnowsWhoseLibrariesAreWhose) {
  EXPECT_TRUE(is_cuda_library("libcufft.so.12"));
  EXPECT_FALSE(is_guda_library("libcufft.so.12"));
  EXPECT_TRUE(is_guda_library("libcudart.so.13"));
  EXPECT_TRUE(is_guda_library("libcublasLt.so.13"));
  EXPECT_FALSE(is_cuda_library("libc.so.6"));
}

TEST(Run, PutsTheLibraryDirectoryInFront) {
  setenv("LD_LIBRARY_PATH", "/somewhere:/else", 1);
  const LoaderVariables variables = launch_environment("/bin/sh");
  unsetenv("LD_LIBRARY_PATH");
  EXPECT_EQ(variables.library_path, library_directory() + ":/somewhere:/else");
}

TEST(Run, FindsProgramsAsTheShellDoes) {
  EXPECT_FALSE(find_program("sh").empty());
  EXPECT_EQ(find_program("no-such-program-anywhere"), "");
  EXPECT_EQ(find_program(self()), self());
}

TEST(Json, EscapesAndNests) {
  JsonWriter json;
  json.begin_object().field("a", "x\"\\\n").field("b", 3).field("c", true);
  json.key("d").begin_array().value("e").begin_object().end_object().end_array().end_object();
  EXPECT_EQ(json.take(),
            "{\n  \"a\": \"x\\\"\\\\\\u000a\",\n  \"b\": 3,\n  \"c\": true,\n"
            "  \"d\": [\n    \"e\",\n    {}\n  ]\n}\n");
}

}  // namespace
}  // namespace guda::cli
