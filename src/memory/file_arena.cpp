#include "memory/file_arena.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

namespace guda::memory {

int create_memory_file(const char* name, size_t bytes) {
  const int descriptor = memfd_create(name, MFD_CLOEXEC);
  if (descriptor >= 0 && ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) {
    close(descriptor);
    return -1;
  }
  return descriptor;
}

bool is_memory_file(int descriptor, const char* name) {
  std::array<char, 256> target;
  const std::string path = fmt::format("/proc/self/fd/{}", descriptor);
  const ssize_t length = readlink(path.c_str(), target.data(), target.size());
  return length > 0 && std::string_view(target.data(), static_cast<size_t>(length))
                           .starts_with(fmt::format("/memfd:{} ", name));
}

size_t file_size(int descriptor) {
  struct stat status{};
  return fstat(descriptor, &status) == 0 ? static_cast<size_t>(status.st_size) : 0;
}

Result<std::unique_ptr<FileArena>> FileArena::create(const char* name) {
  const int descriptor = create_memory_file(name, 0);
  if (descriptor < 0) return Status(StatusCode::operating_system, "no file for memory");
  return std::unique_ptr<FileArena>(new FileArena(descriptor));
}

FileArena::~FileArena() { close(descriptor_); }

Result<size_t> FileArena::take(size_t bytes) {
  std::unique_lock lock(mutex_);
  for (auto place = free_.begin(); place != free_.end(); ++place) {
    auto [offset, length] = *place;
    if (length < bytes) continue;
    free_.erase(place);
    if (length > bytes) free_.emplace(offset + bytes, length - bytes);
    return offset;
  }
  if (ftruncate(descriptor_, static_cast<off_t>(end_ + bytes)) != 0)
    return Status(StatusCode::out_of_memory, fmt::format("the system refuses {} bytes", bytes));
  const size_t offset = end_;
  end_ += bytes;
  return offset;
}

void FileArena::give(size_t offset, size_t bytes) {
  std::unique_lock lock(mutex_);
  fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
            static_cast<off_t>(bytes));
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + bytes == next->first) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  }
  free_.emplace(offset, bytes);
}

}  // namespace guda::memory
