// Plain values and texts as bytes and back, for files of the cache. Not for other machines: the byte order is this one's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace guda {

class ByteWriter {
 public:
  template <typename T>
  void plain(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    plain(static_cast<uint32_t>(value.size()));
    bytes_ += value;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Gives zeros and is no longer good() when the bytes end too early.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <typename T>
  T plain() {
    T value{};
    if (!take(sizeof value)) return value;
    std::memcpy(&value, rest_.data() - sizeof value, sizeof value);
    return value;
  }
  std::string text() {
    const auto size = plain<uint32_t>();
    if (!take(size)) return {};
    return {reinterpret_cast<const char*>(rest_.data() - size), size};
  }
  /// A count of things of at least `bytes_each`; 0 and no longer good when they cannot all be there.
  uint32_t count(size_t bytes_each) {
    const auto number = plain<uint32_t>();
    if (number > rest_.size() / bytes_each) good_ = false;
    return good_ ? number : 0;
  }
  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }

 private:
  bool take(size_t bytes) {
    if (bytes > rest_.size()) good_ = false;
    if (good_) rest_ = rest_.subspan(bytes);
    return good_;
  }

  std::span<const std::byte> rest_;
  bool good_ = true;
};

}  // namespace guda
