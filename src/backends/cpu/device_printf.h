// printf of kernels: formatting by CUDA's rules, and the buffer that is printed at synchronisation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace guda::cpu {

struct FormattedText {
  size_t length = 0;  // bytes written to the buffer
  int32_t arguments = 0;  // conversions that took an argument; -1: malformed
};

/// Formats like the vprintf system call: `arguments` is a buffer in which each value stands at its
/// natural alignment, 32-bit integers in 4 bytes, 64-bit integers, pointers and doubles in 8.
/// Output beyond the buffer is cut.
FormattedText format_device_text(std::span<char> buffer, const char* format, const void* arguments);

/// Appends text of one printf call; calls do not mix. Thread safe.
void append_device_text(std::string_view text);

}  // namespace guda::cpu
