#include "compiler/driver/opencl_kernel.h"

#include <cstring>

namespace guda::driver {
namespace {

constexpr std::string_view kMagic = "GUDA-OPENCL-1\n";

class Writer {
 public:
  void number(uint32_t value) { text_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    text_ += value;
  }
  std::string take() const {
    const auto size = static_cast<uint32_t>(text_.size());
    std::string bytes(kMagic);
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    return bytes + text_;
  }

 private:
  std::string text_;
};

/// Reads zeros and notes it when the bytes end too early.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  uint32_t number() {
    uint32_t value = 0;
    if (!take(sizeof value)) return 0;
    std::memcpy(&value, taken_.data(), sizeof value);
    return value;
  }
  std::string text() {
    const uint32_t size = number();
    return take(size) ? std::string(taken_) : std::string();
  }
  /// A count of elements of at least four bytes each.
  uint32_t count() {
    const uint32_t value = number();
    if (value > rest_.size() / 4) damaged_ = true;
    return damaged_ ? 0 : value;
  }
  bool intact() const { return !damaged_ && rest_.empty(); }

 private:
  bool take(size_t size) {
    if (damaged_ || size > rest_.size()) {
      damaged_ = true;
      return false;
    }
    taken_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  std::string_view taken_;
  bool damaged_ = false;
};

}  // namespace

std::string serialize(const OpenclKernel& kernel) {
  Writer writer;
  writer.text(kernel.name);
  writer.number(kernel.param_bytes);
  writer.number(kernel.static_shared_bytes);
  writer.number(kernel.uses_exchange);
  writer.number(kernel.shared_addresses);
  writer.number(kernel.uses_double);
  writer.number(kernel.correctly_rounded_division);
  writer.number(static_cast<uint32_t>(kernel.arguments.size()));
  for (const OpenclArgument& argument : kernel.arguments) {
    writer.number(static_cast<uint32_t>(argument.kind));
    writer.number(argument.offset);
    writer.number(argument.escapes);
  }
  writer.number(static_cast<uint32_t>(kernel.address_groups.size()));
  for (const std::vector<uint32_t>& group : kernel.address_groups) {
    writer.number(static_cast<uint32_t>(group.size()));
    for (uint32_t member : group) writer.number(member);
  }
  writer.number(static_cast<uint32_t>(kernel.symbols.size()));
  for (const std::string& symbol : kernel.symbols) writer.text(symbol);
  writer.text(kernel.spirv);
  return writer.take();
}

Result<OpenclKernel> parse_opencl_kernel(std::string_view bytes) {
  const Status damaged(StatusCode::invalid_image, "the OpenCL kernel file is damaged");
  if (!bytes.starts_with(kMagic)) return damaged;
  bytes.remove_prefix(kMagic.size());
  uint32_t size = 0;
  if (bytes.size() < sizeof size) return damaged;
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  if (bytes.size() < size) return damaged;
  Reader reader(bytes.substr(0, size));  // a cache may have put something behind it
  OpenclKernel kernel;
  kernel.name = reader.text();
  kernel.param_bytes = reader.number();
  kernel.static_shared_bytes = reader.number();
  kernel.uses_exchange = reader.number() != 0;
  kernel.shared_addresses = reader.number() != 0;
  kernel.uses_double = reader.number() != 0;
  kernel.correctly_rounded_division = reader.number() != 0;
  kernel.arguments.resize(reader.count());
  for (OpenclArgument& argument : kernel.arguments) {
    argument.kind = static_cast<OpenclArgument::Kind>(reader.number());
    argument.offset = reader.number();
    argument.escapes = reader.number() != 0;
    if (argument.kind > OpenclArgument::Kind::symbol) return damaged;
  }
  kernel.address_groups.resize(reader.count());
  for (std::vector<uint32_t>& group : kernel.address_groups) {
    group.resize(reader.count());
    for (uint32_t& member : group) {
      member = reader.number();
      if (member >= kernel.arguments.size()) return damaged;
    }
  }
  kernel.symbols.resize(reader.count());
  for (std::string& symbol : kernel.symbols) symbol = reader.text();
  kernel.spirv = reader.text();
  if (!reader.intact()) return damaged;
  for (const OpenclArgument& argument : kernel.arguments)
    if (argument.kind == OpenclArgument::Kind::symbol && argument.offset >= kernel.symbols.size())
      return damaged;
  return kernel;
}

}  // namespace guda::driver
