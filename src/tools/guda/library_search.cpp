#include "tools/guda/library_search.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

namespace guda::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLoaderCache = "/etc/ld.so.cache";
constexpr const char* kDefaultDirectories[] = {"/lib/x86_64-linux-gnu",
                                               "/usr/lib/x86_64-linux-gnu",
                                               "/lib64",
                                               "/usr/lib64",
                                               "/lib",
                                               "/usr/lib"};

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find_first_of(separators);
    parts.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return parts;
}

std::string replace_all(std::string text, std::string_view what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

/// Directories of an RPATH or RUNPATH with $ORIGIN and $LIB put in.
std::vector<std::string> search_path(std::string_view text, const std::string& file) {
  std::vector<std::string> directories = split(text, ":");
  std::error_code error;
  const std::string origin = fs::absolute(file, error).parent_path().string();
  for (std::string& directory : directories) {
    for (const char* form : {"${ORIGIN}", "$ORIGIN"})
      directory = replace_all(directory, form, origin);
    for (const char* form : {"${LIB}", "$LIB"}) directory = replace_all(directory, form, "lib");
  }
  return directories;
}

/// The name-to-path table that ldconfig writes (format "glibc-ld.so.cache1.1").
std::unordered_map<std::string, std::string> read_loader_cache() {
  constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
  constexpr size_t kHeader = 48, kEntry = 24;
  std::unordered_map<std::string, std::string> table;
  std::ifstream file(kLoaderCache, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t start = text.find(kMagic);
  if (start == std::string::npos || text.size() - start < kHeader) return table;
  const auto number = [&](size_t offset) {
    uint32_t value = 0;
    std::memcpy(&value, text.data() + start + offset, sizeof value);
    return value;
  };
  const auto name = [&](size_t offset) -> std::string {
    return offset < text.size() - start ? text.c_str() + start + offset : "";
  };
  constexpr uint32_t kX86_64 =
      0x0303;  // ELF libraries of this machine, in the low half of the flags
  const uint32_t count = number(20);
  for (size_t i = 0; i < count && kHeader + (i + 1) * kEntry <= text.size() - start; ++i) {
    const size_t entry = kHeader + i * kEntry;
    if ((number(entry) & 0xffff) != kX86_64) continue;
    table.emplace(name(number(entry + 4)), name(number(entry + 8)));
  }
  return table;
}

struct LoadedFile {
  std::string path;
  ElfImage image;
  size_t loader;  // index of the one that asked for it
};

class LibrarySearch {
 public:
  explicit LibrarySearch(const LoaderEnvironment& environment)
      : environment_(environment), cache_(read_loader_cache()) {}

  std::vector<FoundLibrary> run(const std::string& path, const ElfImage& program) {
    files_.push_back({path, program, 0});
    // Preloaded libraries come first, and answer for their own names.
    for (const std::string& preload : environment_.preloads) {
      FoundLibrary library{fs::path(preload).filename().string(), "", "LD_PRELOAD", ""};
      if (accept(preload)) library.path = preload;
      add(library, 0);
    }
    for (size_t i = 0; i < files_.size(); ++i) {
      const std::vector<std::string_view> names = files_[i].image.needed();
      for (const std::string_view name : names) {
        if (seen_.contains(std::string(name))) continue;
        FoundLibrary library = find(std::string(name), i);
        library.needed_by = fs::path(files_[i].path).filename().string();
        add(library, i);
      }
    }
    return std::move(result_);
  }

 private:
  static bool accept(const std::string& path) {
    if (access(path.c_str(), R_OK) != 0) return false;
    const auto image = ElfImage::open(path);
    return image && image->machine() == EM_X86_64;
  }

  void add(const FoundLibrary& library, size_t loader) {
    seen_.insert(library.name);
    result_.push_back(library);
    if (library.path.empty()) return;
    auto image = ElfImage::open(library.path);
    if (!image) return;
    if (!image->soname().empty()) seen_.insert(std::string(image->soname()));
    files_.push_back({library.path, std::move(*image), loader});
  }

  bool try_directories(const std::vector<std::string>& directories, FoundLibrary& library,
                       const std::string& reason) const {
    for (const std::string& directory : directories) {
      const std::string path =
          (fs::path(directory.empty() ? "." : directory) / library.name).string();
      if (!accept(path)) continue;
      library.path = path;
      library.reason = reason;
      return true;
    }
    return false;
  }

  /// The loader's order, ld.so(8).
  FoundLibrary find(const std::string& name, size_t requester) const {
    FoundLibrary library{name, "", "", ""};
    if (name.find('/') != std::string::npos) {
      if (accept(name)) library.path = name;
      library.reason = "path in DT_NEEDED";
      return library;
    }
    const LoadedFile& file = files_[requester];
    const auto base = [](const std::string& path) { return fs::path(path).filename().string(); };
    if (file.image.runpath().empty()) {
      for (size_t i = requester;; i = files_[i].loader) {
        const std::string_view rpath = files_[i].image.rpath();
        if (!rpath.empty() && files_[i].image.runpath().empty() &&
            try_directories(search_path(rpath, files_[i].path), library,
                            fmt::format("RPATH of {}", base(files_[i].path)))) {
          return library;
        }
        if (i == 0) break;
      }
    }
    if (try_directories(environment_.library_path, library, "LD_LIBRARY_PATH")) return library;
    if (try_directories(search_path(file.image.runpath(), file.path), library,
                        fmt::format("RUNPATH of {}", base(file.path)))) {
      return library;
    }
    if (const auto it = cache_.find(name); it != cache_.end() && accept(it->second)) {
      library.path = it->second;
      library.reason = "ld.so cache";
      return library;
    }
    try_directories({std::begin(kDefaultDirectories), std::end(kDefaultDirectories)}, library,
                    "default directory");
    return library;
  }

  const LoaderEnvironment& environment_;
  std::unordered_map<std::string, std::string> cache_;
  std::vector<LoadedFile> files_;
  std::unordered_set<std::string> seen_;
  std::vector<FoundLibrary> result_;
};

}  // namespace

LoaderEnvironment LoaderEnvironment::current() {
  LoaderEnvironment environment;
  if (const char* path = std::getenv("LD_LIBRARY_PATH"))
    environment.library_path = split(path, ":;");
  if (const char* list = std::getenv("LD_PRELOAD")) {
    for (std::string& name : split(list, ": ")) {
      if (!name.empty()) environment.preloads.push_back(std::move(name));
    }
  }
  return environment;
}

std::vector<FoundLibrary> search_libraries(const std::string& program_path, const ElfImage& program,
                                           const LoaderEnvironment& environment) {
  return LibrarySearch(environment).run(program_path, program);
}

}  // namespace guda::cli
