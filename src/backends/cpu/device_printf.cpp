#include "backends/cpu/device_printf.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>

#include "backends/cpu/executor.h"

namespace guda::cpu {
namespace {

// Kernels that print more than this between two synchronisations are printed early rather than lose
// text (CUDA overwrites the oldest).
constexpr size_t kFlushBytes = 1 << 20;

struct Output {
  std::mutex mutex;
  std::string text;
};

Output& output() {
  static auto* instance = new Output;  // outlives static destructors of the program
  return *instance;
}

void print_locked(Output& out) {
  if (out.text.empty()) return;
  std::fwrite(out.text.data(), 1, out.text.size(), stdout);
  std::fflush(stdout);
  out.text.clear();
}

class ArgumentReader {
 public:
  explicit ArgumentReader(const void* base) : base_(static_cast<const std::byte*>(base)) {}

  template <typename T>
  T next() {
    offset_ = (offset_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    T value{};
    std::memcpy(&value, base_ + offset_, sizeof(T));
    offset_ += sizeof(T);
    ++count_;
    return value;
  }
  int32_t count() const { return count_; }

 private:
  const std::byte* base_;
  size_t offset_ = 0;
  int32_t count_ = 0;
};

class TextWriter {
 public:
  explicit TextWriter(std::span<char> buffer) : buffer_(buffer) {}

  void put(const char* text, size_t length) {
    const size_t fits = std::min(length, buffer_.size() - used_);
    std::memcpy(buffer_.data() + used_, text, fits);
    used_ += fits;
  }

  template <typename T>
  void print(const char* specification, T value) {
    const size_t room = buffer_.size() - used_;
    if (room == 0) return;
    // The specification was rebuilt from parsed parts, with a length modifier that fits T.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const int wanted = std::snprintf(buffer_.data() + used_, room, specification, value);
#pragma GCC diagnostic pop
    if (wanted > 0) used_ += std::min(static_cast<size_t>(wanted), room - 1);
  }

  size_t used() const { return used_; }

 private:
  std::span<char> buffer_;
  size_t used_ = 0;
};

// "%[flags][width][.precision][length]conversion", rebuilt with the numbers of '*' filled in.
struct Specification {
  char text[64];
  char conversion = 0;
  bool wide = false;  // 64-bit integer
};

bool parse(const char*& cursor, ArgumentReader& arguments, Specification* spec) {
  size_t used = 0;
  const auto put = [&](char c) {
    if (used < sizeof(spec->text) - 8) spec->text[used++] = c;
  };
  const auto put_number = [&](int value) {
    char digits[16];
    std::snprintf(digits, sizeof(digits), "%d", value);
    for (const char* d = digits; *d != '\0'; ++d) put(*d);
  };
  const auto number_or_star = [&] {
    if (*cursor == '*') {
      ++cursor;
      put_number(arguments.next<int32_t>());
      return;
    }
    while (*cursor >= '0' && *cursor <= '9') put(*cursor++);
  };
  put('%');
  while (*cursor != '\0' && std::strchr("-+ #0", *cursor) != nullptr) put(*cursor++);
  number_or_star();
  if (*cursor == '.') {
    put(*cursor++);
    number_or_star();
  }
  spec->wide = false;
  while (*cursor != '\0' && std::strchr("hlLqjzt", *cursor) != nullptr) {
    if (*cursor != 'h' && *cursor != 'L') spec->wide = true;
    if (*cursor == 'h') put('h');
    ++cursor;
  }
  spec->conversion = *cursor;
  if (*cursor == '\0') return false;
  ++cursor;
  const bool integer = std::strchr("diouxXc", spec->conversion) != nullptr;
  if (integer && spec->wide && spec->conversion != 'c') {
    spec->text[used++] = 'l';
    spec->text[used++] = 'l';
  }
  spec->text[used++] = spec->conversion;
  spec->text[used] = '\0';
  return true;
}

}  // namespace

FormattedText format_device_text(std::span<char> buffer, const char* format,
                                 const void* arguments) {
  if (format == nullptr) return {0, -1};
  TextWriter writer(buffer);
  ArgumentReader reader(arguments);
  const char* cursor = format;
  while (*cursor != '\0') {
    const size_t plain = std::strcspn(cursor, "%");
    writer.put(cursor, plain);
    cursor += plain;
    if (*cursor == '\0') break;
    const char* start = cursor++;
    if (*cursor == '%') {
      writer.put("%", 1);
      ++cursor;
      continue;
    }
    Specification spec;
    if (!parse(cursor, reader, &spec)) return {writer.used(), -1};
    switch (spec.conversion) {
      case 'd':
      case 'i':
      case 'o':
      case 'u':
      case 'x':
      case 'X':
      case 'c':
        if (spec.wide && spec.conversion != 'c') {
          writer.print(spec.text, reader.next<long long>());
        } else {
          writer.print(spec.text, reader.next<int32_t>());
        }
        break;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
      case 'a':
      case 'A': writer.print(spec.text, reader.next<double>()); break;
      case 'p': writer.print(spec.text, reader.next<void*>()); break;
      case 's': {
        const auto* text = reader.next<const char*>();
        writer.print(spec.text, text != nullptr ? text : "(null)");
        break;
      }
      default:  // CUDA prints what it does not know
        writer.put(start, static_cast<size_t>(cursor - start));
        break;
    }
  }
  return {writer.used(), reader.count()};
}

void append_device_text(std::string_view text) {
  Output& out = output();
  const std::lock_guard lock(out.mutex);
  out.text.append(text);
  if (out.text.size() > kFlushBytes) print_locked(out);
}

void flush_printf() {
  Output& out = output();
  const std::lock_guard lock(out.mutex);
  print_locked(out);
}

}  // namespace guda::cpu
