// Options of cuModuleLoadDataEx, cuLinkCreate and cuLibraryLoadData: what the compiler obeys is nothing so
// far; logs and the time taken are reported.
#pragma once

#include <chrono>
#include <string_view>

namespace guda::abi {

class JitOptions {
 public:
  /// `options` (CUjit_option) and `values` as the program gave them; results go back into `values`.
  JitOptions(unsigned count, const int* options, void** values);

  /// Unknown options, or a log without a buffer.
  bool valid() const { return valid_; }
  /// Ends the call: writes the log buffers, the bytes used in them and the wall time.
  void report(std::string_view errors, std::string_view information = {});

 private:
  struct Log {
    char* buffer = nullptr;
    void** size = nullptr;  // bytes that there are, on return bytes written
    void write(std::string_view text) const;
  };
  Log errors_, information_;
  void** wall_time_ = nullptr;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool valid_ = true;
};

}  // namespace guda::abi
