#include "abi/jit_options.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace guda::abi {
namespace {

// CUjit_option.
enum Option : int {
  kWallTime = 2,
  kInformationLog = 3,
  kInformationLogSize = 4,
  kErrorLog = 5,
  kErrorLogSize = 6,
  kOptionCount = 35,
};

}  // namespace

JitOptions::JitOptions(unsigned count, const int* options, void** values) {
  if (count != 0 && (!options || !values)) {
    valid_ = false;
    return;
  }
  for (unsigned i = 0; i < count; ++i) {
    switch (options[i]) {
      case kWallTime: wall_time_ = &values[i]; break;
      case kInformationLog: information_.buffer = static_cast<char*>(values[i]); break;
      case kInformationLogSize: information_.size = &values[i]; break;
      case kErrorLog: errors_.buffer = static_cast<char*>(values[i]); break;
      case kErrorLogSize: errors_.size = &values[i]; break;
      default: valid_ = valid_ && options[i] >= 0 && options[i] < kOptionCount; break;
    }
  }
}

void JitOptions::Log::write(std::string_view text) const {
  if (!size) return;
  // The program passed an unsigned int where a pointer stands.
  auto room = static_cast<size_t>(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(*size)));
  size_t written = 0;
  if (buffer && room != 0) {
    written = std::min(text.size(), room - 1);
    std::memcpy(buffer, text.data(), written);
    buffer[written] = '\0';
  }
  *size = reinterpret_cast<void*>(written);  // without the terminating null, as drivers count
}

void JitOptions::report(std::string_view errors, std::string_view information) {
  errors_.write(errors);
  information_.write(information);
  if (wall_time_) {
    float milliseconds =
        std::chrono::duration<float, std::milli>(std::chrono::steady_clock::now() - start_).count();
    std::memcpy(wall_time_, &milliseconds, sizeof milliseconds);
  }
}

}  // namespace guda::abi
