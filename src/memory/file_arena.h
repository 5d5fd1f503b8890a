// Memory as places in one file, which can be mapped at any address, any number of times, by any process that has the
// descriptor: a file for each piece would run out of descriptors.
#pragma once

#include "support/status.h"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

namespace guda::memory {

/// Thread safe.
class FileArena {
 public:
  /// `name` is what /proc shows. Errors: operating_system.
  static Result<std::unique_ptr<FileArena>> create(const char* name);
  ~FileArena();
  FileArena(const FileArena&) = delete;
  FileArena& operator=(const FileArena&) = delete;

  /// Offset of a free place; `bytes` is a multiple of pages. Its contents are zeros. Errors: out_of_memory.
  Result<size_t> take(size_t bytes);
  /// Returns its memory to the system.
  void give(size_t offset, size_t bytes);
  int descriptor() const { return descriptor_; }

 private:
  explicit FileArena(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  std::mutex mutex_;
  size_t end_ = 0;
  std::map<size_t, size_t> free_;  // by offset: bytes, coalesced
};

/// A file that exists in memory only, of `bytes` zeros; -1 when the system refuses.
int create_memory_file(const char* name, size_t bytes);
/// Is this descriptor one of create_memory_file() with that name, in whichever process?
bool is_memory_file(int descriptor, const char* name);
/// 0 when it is no file.
size_t file_size(int descriptor);

}  // namespace guda::memory
