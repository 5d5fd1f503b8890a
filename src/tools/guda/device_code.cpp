#include "tools/guda/device_code.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/module/ptx_unit.h"

namespace guda::cli {
namespace {

using runtime::FatbinEntry;
using runtime::FatbinKind;

Status read_section(const ElfImage& image, std::string_view name, bool relocatable,
                    std::vector<DeviceCodeContainer>& containers) {
  const ElfSection* section = image.section(name);
  if (section == nullptr || section->bytes.empty()) return Status::ok();
  auto parts = runtime::split_containers(section->bytes);
  if (!parts) return {parts.status().code(), fmt::format("{}: {}", name, parts.status().message())};
  for (const auto bytes : *parts) {
    auto entries = runtime::read_fatbin(bytes);
    if (!entries) {
      return {entries.status().code(), fmt::format("{}: {}", name, entries.status().message())};
    }
    if (!entries->empty()) containers.push_back({bytes, std::move(*entries), relocatable, false});
  }
  return Status::ok();
}

std::vector<std::string> ptx_kernels(const std::string& text) {
  std::vector<std::string> names;
  if (const auto unit = runtime::split_ptx(text, "module")) {
    for (const runtime::PtxItem& item : unit->items) {
      const std::string_view before = item.header.substr(
          0, static_cast<size_t>(std::max<ptrdiff_t>(item.name.data() - item.header.data(), 0)));
      if (item.is_definition && before.find(".entry") != std::string_view::npos) {
        names.emplace_back(item.name);
      }
    }
  }
  return names;
}

std::vector<std::string> cubin_kernels(const std::string& cubin) {
  constexpr std::string_view kCode = ".text.";
  std::vector<std::string> names;
  const auto image = ElfImage::from_bytes(
      {reinterpret_cast<const std::byte*>(cubin.data()), cubin.size()}, "cubin");
  if (!image) return names;
  for (const ElfSection& section : image->sections()) {
    if (section.name.starts_with(kCode)) names.emplace_back(section.name.substr(kCode.size()));
  }
  return names;
}

}  // namespace

bool DeviceCodeContainer::has_ptx() const {
  return std::any_of(entries.begin(), entries.end(),
                     [](const FatbinEntry& e) { return e.kind == FatbinKind::ptx; });
}

Result<std::vector<DeviceCodeContainer>> read_device_code(const ElfImage& image) {
  std::vector<DeviceCodeContainer> containers;
  if (Status status = read_section(image, ".nv_fatbin", false, containers); !status) return status;
  const size_t linked = containers.size();
  if (Status status = read_section(image, "__nv_relfatbin", true, containers); !status)
    return status;
  const bool has_units = containers.size() > linked;
  for (DeviceCodeContainer& container : containers) {
    const bool machine_code =
        std::all_of(container.entries.begin(), container.entries.end(),
                    [](const FatbinEntry& e) { return e.kind == FatbinKind::elf; });
    if (container.relocatable || !machine_code) continue;
    container.link_product = has_units || kernel_names(container).empty();
  }
  return containers;
}

std::vector<std::string> kernel_names(const DeviceCodeContainer& container) {
  if (const FatbinEntry* ptx = select_ptx(container.entries, runtime::device_capability())) {
    const auto text = read_payload(*ptx);
    return text ? ptx_kernels(*text) : std::vector<std::string>{};
  }
  for (const FatbinEntry& entry : container.entries) {
    if (entry.kind != FatbinKind::elf) continue;
    const auto cubin = read_payload(entry);
    return cubin ? cubin_kernels(*cubin) : std::vector<std::string>{};
  }
  return {};
}

std::string describe(const FatbinEntry& entry) {
  std::string_view kind = "unknown entry";
  if (entry.kind == FatbinKind::ptx) kind = "PTX";
  if (entry.kind == FatbinKind::elf) kind = "machine code";
  if (entry.kind == FatbinKind::lto_ir) kind = "LTO-IR";
  std::string_view compression;
  if ((entry.flags & runtime::kFatbinZlib) != 0) compression = ", zlib";
  if ((entry.flags & runtime::kFatbinLz4) != 0) compression = ", LZ4";
  if ((entry.flags & runtime::kFatbinZstd) != 0) compression = ", zstd";
  return fmt::format("{} for sm_{}{}", kind, entry.architecture, compression);
}

}  // namespace guda::cli
