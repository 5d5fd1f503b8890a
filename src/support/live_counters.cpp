#include "support/live_counters.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace guda {
namespace {

/// Others may not be able to plant a page there.
bool private_directory(const std::string& path) {
  mkdir(path.c_str(), S_IRWXU);
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == geteuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

template <size_t N>
void copy_text(std::string_view from, char (&to)[N]) {
  const size_t length = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), length);
  to[length] = 0;
}

std::string page_path() { return fmt::format("{}/{}", live_directory(), getpid()); }

LivePage* map_page() {
  void* memory = MAP_FAILED;
  if (!live_directory().empty()) {
    const int file = open(page_path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file >= 0) {
      if (ftruncate(file, sizeof(LivePage)) == 0)
        memory = mmap(nullptr, sizeof(LivePage), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      close(file);
    }
  }
  if (memory == MAP_FAILED) {
    static LivePage unseen{};
    memory = &unseen;
  } else {
    std::atexit([] { unlink(page_path().c_str()); });
  }
  auto* page = new (memory) LivePage{};
  page->process = getpid();
  copy_text(program_invocation_short_name, page->program);
  copy_text("cpu", page->engines[0].id);
  page->engine_count.store(1);
  page->magic = LivePage::kMagic;
  return page;
}

}  // namespace

std::string live_directory() {
  static const std::string directory = [] {
    std::string path = fmt::format("/dev/shm/guda-{}", geteuid());
    return private_directory(path) ? path : std::string();
  }();
  return directory;
}

LivePage& live_page() {
  static LivePage* page = map_page();
  return *page;
}

LiveEngine& add_live_engine(std::string_view id) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  LivePage& page = live_page();
  const uint32_t count = page.engine_count.load();
  if (count == LivePage::kEngines) return page.engines[count - 1];
  copy_text(id, page.engines[count].id);
  page.engine_count.store(count + 1, std::memory_order_release);
  return page.engines[count];
}

std::vector<LiveReading> read_live_pages() {
  std::vector<LiveReading> all;
  DIR* directory = live_directory().empty() ? nullptr : opendir(live_directory().c_str());
  if (directory == nullptr) return all;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    int process = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), process).ec != std::errc{} ||
        process <= 0)
      continue;
    const std::string path = fmt::format("{}/{}", live_directory(), name);
    if (kill(process, 0) != 0 && errno == ESRCH) {
      unlink(path.c_str());
      continue;
    }
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status{};
    if (file < 0) continue;
    void* memory = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size == sizeof(LivePage))
      memory = mmap(nullptr, sizeof(LivePage), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) continue;
    const auto& page = *static_cast<const LivePage*>(memory);
    if (page.magic == LivePage::kMagic && page.process == process) {
      LiveReading reading;
      reading.process = process;
      reading.program.assign(page.program, strnlen(page.program, sizeof page.program));
      reading.memory_bytes = page.memory_bytes.load();
      const size_t count = std::min<size_t>(page.engine_count.load(), LivePage::kEngines);
      for (size_t i = 0; i < count; ++i) {
        const LiveEngine& engine = page.engines[i];
        reading.engines.push_back({std::string(engine.id, strnlen(engine.id, sizeof engine.id)),
                                   engine.launches.load(), engine.busy_ns.load(),
                                   engine.moved_bytes.load(), engine.out_of_service.load() != 0});
      }
      all.push_back(std::move(reading));
    }
    munmap(memory, sizeof(LivePage));
  }
  closedir(directory);
  std::sort(all.begin(), all.end(),
            [](const LiveReading& a, const LiveReading& b) { return a.process < b.process; });
  return all;
}

}  // namespace guda
