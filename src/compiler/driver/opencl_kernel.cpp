#include "compiler/driver/opencl_kernel.h"

#include "support/byte_stream.h"

#include <cstring>

namespace guda::driver {
namespace {

constexpr std::string_view kMagic = "GUDA-OPENCL-2\n";

}  // namespace

std::string serialize(const OpenclKernel& kernel) {
  ByteWriter writer;
  writer.text(kernel.name);
  writer.plain(static_cast<uint32_t>(kernel.param_bytes));
  writer.plain(static_cast<uint32_t>(kernel.static_shared_bytes));
  writer.plain(static_cast<uint32_t>(kernel.uses_exchange));
  writer.plain(static_cast<uint32_t>(kernel.sub_groups));
  writer.plain(static_cast<uint32_t>(kernel.shared_addresses));
  writer.plain(static_cast<uint32_t>(kernel.uses_double));
  writer.plain(static_cast<uint32_t>(kernel.correctly_rounded_division));
  writer.plain(static_cast<uint32_t>(kernel.arguments.size()));
  for (const OpenclArgument& argument : kernel.arguments) {
    writer.plain(static_cast<uint32_t>(argument.kind));
    writer.plain(static_cast<uint32_t>(argument.offset));
    writer.plain(static_cast<uint32_t>(argument.escapes));
  }
  writer.plain(static_cast<uint32_t>(kernel.address_groups.size()));
  for (const std::vector<uint32_t>& group : kernel.address_groups) {
    writer.plain(static_cast<uint32_t>(group.size()));
    for (uint32_t member : group) writer.plain(static_cast<uint32_t>(member));
  }
  writer.plain(static_cast<uint32_t>(kernel.symbols.size()));
  for (const std::string& symbol : kernel.symbols) writer.text(symbol);
  writer.text(kernel.spirv);
  const std::string content = writer.take();
  ByteWriter sized;
  sized.text(content);
  return std::string(kMagic) + sized.take();
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
  ByteReader reader(
      std::as_bytes(std::span(bytes.substr(0, size))));  // a cache may have put something behind it
  OpenclKernel kernel;
  kernel.name = reader.text();
  kernel.param_bytes = reader.plain<uint32_t>();
  kernel.static_shared_bytes = reader.plain<uint32_t>();
  kernel.uses_exchange = reader.plain<uint32_t>() != 0;
  kernel.sub_groups = reader.plain<uint32_t>() != 0;
  kernel.shared_addresses = reader.plain<uint32_t>() != 0;
  kernel.uses_double = reader.plain<uint32_t>() != 0;
  kernel.correctly_rounded_division = reader.plain<uint32_t>() != 0;
  kernel.arguments.resize(reader.count(sizeof(uint32_t)));
  for (OpenclArgument& argument : kernel.arguments) {
    argument.kind = static_cast<OpenclArgument::Kind>(reader.plain<uint32_t>());
    argument.offset = reader.plain<uint32_t>();
    argument.escapes = reader.plain<uint32_t>() != 0;
    if (argument.kind > OpenclArgument::Kind::symbol) return damaged;
  }
  kernel.address_groups.resize(reader.count(sizeof(uint32_t)));
  for (std::vector<uint32_t>& group : kernel.address_groups) {
    group.resize(reader.count(sizeof(uint32_t)));
    for (uint32_t& member : group) {
      member = reader.plain<uint32_t>();
      if (member >= kernel.arguments.size()) return damaged;
    }
  }
  kernel.symbols.resize(reader.count(sizeof(uint32_t)));
  for (std::string& symbol : kernel.symbols) symbol = reader.text();
  kernel.spirv = reader.text();
  if (!reader.good() || !reader.at_end()) return damaged;
  for (const OpenclArgument& argument : kernel.arguments)
    if (argument.kind == OpenclArgument::Kind::symbol && argument.offset >= kernel.symbols.size())
      return damaged;
  return kernel;
}

}  // namespace guda::driver
