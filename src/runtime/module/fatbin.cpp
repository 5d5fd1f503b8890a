#include "runtime/module/fatbin.h"

#include <fmt/format.h>
#include <link.h>
#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <memory>

#include "support/options.h"

namespace guda::runtime {
namespace {

constexpr size_t kHeaderSize = 16;
constexpr size_t kEntryHeaderSize = 64;  // the fields that every entry has
constexpr uint64_t kLargestText = uint64_t{1} << 30;
constexpr size_t kMostTranslationUnits = 65536;

Status damaged(std::string_view what) {
  return {StatusCode::invalid_image, fmt::format("damaged fatbin: {}", what)};
}

template <typename T>
T read(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// Length of the container that starts at bytes[0]; 0 when it is not one or does not fit.
size_t container_length(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderSize || read<uint32_t>(bytes, 0) != kFatbinMagic) return 0;
  const uint16_t header = read<uint16_t>(bytes, 6);
  const uint64_t body = read<uint64_t>(bytes, 8);
  if (header < kHeaderSize || header > bytes.size() || body > bytes.size() - header) return 0;
  return header + body;
}

/// The options string that a PTX entry may carry between its header's fields and its payload.
std::string entry_options(std::span<const std::byte> header) {
  const uint32_t offset = read<uint32_t>(header, 20);
  if (offset < kEntryHeaderSize || offset >= header.size()) return {};
  const auto* text = reinterpret_cast<const char*>(header.data()) + offset;
  return {text, strnlen(text, header.size() - offset)};
}

Status read_entries(std::span<const std::byte> body, std::vector<FatbinEntry>& entries) {
  while (!body.empty()) {
    if (body.size() < kEntryHeaderSize) {
      if (all_zero(body)) return Status::ok();
      return damaged("an entry's header is cut off");
    }
    const uint32_t header = read<uint32_t>(body, 4);
    const uint64_t padded = read<uint64_t>(body, 8);
    if (header < kEntryHeaderSize || header > body.size() || padded > body.size() - header) {
      return damaged(fmt::format("entry of {}+{} bytes in {}", header, padded, body.size()));
    }
    FatbinEntry entry;
    entry.kind = static_cast<FatbinKind>(read<uint16_t>(body, 0));
    entry.ptx_major = read<uint32_t>(body, 24) >> 16;
    entry.ptx_minor = read<uint32_t>(body, 24) & 0xffff;
    entry.architecture = read<uint32_t>(body, 28);
    entry.flags = read<uint64_t>(body, 40);
    entry.uncompressed_size = read<uint64_t>(body, 56);
    uint64_t size = padded;
    if (entry.is_compressed()) {
      size = read<uint32_t>(body, 16);
      if (size > padded) return damaged("compressed size beyond the entry");
    }
    entry.payload = body.subspan(header, size);
    entry.options = entry_options(body.first(header));
    entries.push_back(std::move(entry));
    body = body.subspan(header + padded);
  }
  return Status::ok();
}

Result<std::string> decompress_zstd(const FatbinEntry& entry) {
  std::string text(entry.uncompressed_size, '\0');
  const size_t got =
      ZSTD_decompress(text.data(), text.size(), entry.payload.data(), entry.payload.size());
  if (ZSTD_isError(got) != 0) return damaged(fmt::format("zstd: {}", ZSTD_getErrorName(got)));
  if (got != text.size()) return damaged("zstd payload shorter than announced");
  return text;
}

Result<std::string> decompress_lz4(const FatbinEntry& entry) {
  if (entry.payload.size() > LZ4_MAX_INPUT_SIZE) return damaged("LZ4 payload too large");
  std::string text(entry.uncompressed_size, '\0');
  const int got =
      LZ4_decompress_safe(reinterpret_cast<const char*>(entry.payload.data()), text.data(),
                          static_cast<int>(entry.payload.size()), static_cast<int>(text.size()));
  if (got < 0 || static_cast<size_t>(got) != text.size()) return damaged("LZ4 payload");
  return text;
}

/// The least number of bytes that could expand to `size`: an announced size beyond it is a lie, and
/// must not make us allocate.
bool plausible_expansion(const FatbinEntry& entry) {
  if (entry.uncompressed_size > kLargestText) return false;
  const uint64_t ratio = (entry.flags & kFatbinLz4) != 0 ? 256 : 1 << 17;
  return entry.uncompressed_size / ratio <= entry.payload.size();
}

std::string_view kind_name(const FatbinEntry& entry) {
  switch (entry.kind) {
    case FatbinKind::ptx: return "PTX";
    case FatbinKind::elf: return "sm";
    case FatbinKind::lto_ir: return "LTO-IR";
  }
  return "unknown";
}

}  // namespace

size_t mapped_extent(const void* address) {
  struct Query {
    uintptr_t address;
    size_t extent;
  } query{reinterpret_cast<uintptr_t>(address), 0};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& q = *static_cast<Query*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr) & segment = info->dlpi_phdr[i];
          const uintptr_t start = info->dlpi_addr + segment.p_vaddr;
          if (segment.p_type != PT_LOAD || q.address < start) continue;
          if (q.address - start < segment.p_memsz) {
            q.extent = segment.p_memsz - (q.address - start);
            return 1;
          }
        }
        return 0;
      },
      &query);
  return query.extent;
}

Result<FatbinWrapper> read_wrapper(const void* wrapper) {
  if (wrapper == nullptr) return damaged("null wrapper");
  const size_t extent = mapped_extent(wrapper);
  const size_t needed = 2 * sizeof(uint32_t) + 2 * sizeof(void*);
  if (extent != 0 && extent < needed) return damaged("wrapper is cut off");
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(wrapper), needed);
  if (read<uint32_t>(bytes, 0) != kFatbinWrapperMagic) return damaged("wrapper has a wrong magic");
  FatbinWrapper result;
  result.version = read<uint32_t>(bytes, 4);
  result.data = read<const void*>(bytes, 8);
  if (result.version == 2) {
    const auto* list = read<const void* const*>(bytes, 16);
    const size_t list_extent = list != nullptr ? mapped_extent(list) / sizeof(void*) : 0;
    const size_t most =
        list_extent != 0 ? std::min(list_extent, kMostTranslationUnits) : kMostTranslationUnits;
    for (size_t i = 0; list != nullptr && list[i] != nullptr; ++i) {
      if (i + 1 >= most) return damaged("list of relocatable fatbins has no end");
      result.prelinked.push_back(list[i]);
    }
  } else if (result.version != 1) {
    return damaged(fmt::format("wrapper version {}", result.version));
  }
  return result;
}

Result<std::span<const std::byte>> container_at(const void* data, size_t size) {
  if (data == nullptr) return damaged("null container");
  if (size == 0) size = mapped_extent(data);
  if (size == 0) {
    // Memory of unknown extent: the header's own size is all there is to go by.
    const std::span<const std::byte> head(static_cast<const std::byte*>(data), kHeaderSize);
    if (read<uint32_t>(head, 0) != kFatbinMagic) return damaged("container has a wrong magic");
    const uint64_t body = read<uint64_t>(head, 8);
    if (body > kLargestText * 4) return damaged("container size");
    size = read<uint16_t>(head, 6) + body;
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(data), size);
  const size_t length = container_length(bytes);
  if (length == 0) return damaged("container header");
  return bytes.first(length);
}

Result<std::vector<std::span<const std::byte>>> split_containers(std::span<const std::byte> bytes) {
  std::vector<std::span<const std::byte>> containers;
  while (!bytes.empty()) {
    if (const size_t length = container_length(bytes); length != 0) {
      containers.push_back(bytes.first(length));
      bytes = bytes.subspan(length);
      continue;
    }
    // Linkers pad between the containers of several object files.
    const size_t padding =
        std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; }) -
        bytes.begin();
    if (padding == 0) return damaged("container header");
    bytes = bytes.subspan(padding);
  }
  return containers;
}

Result<std::vector<FatbinEntry>> read_fatbin(std::span<const std::byte> bytes) {
  auto containers = split_containers(bytes);
  if (!containers) return containers.status();
  std::vector<FatbinEntry> entries;
  for (const auto container : *containers) {
    const Status status = read_entries(container.subspan(read<uint16_t>(container, 6)), entries);
    if (!status) return status;
  }
  return entries;
}

Result<std::string> read_payload(const FatbinEntry& entry) {
  if ((entry.flags & kFatbinZlib) != 0) {
    return Status{StatusCode::not_supported,
                  "device code compressed by an nvcc before 9 (zlib); rebuild, or use "
                  "-Xfatbin -compress=false"};
  }
  if (entry.is_compressed()) {
    if (!plausible_expansion(entry)) return damaged("impossible uncompressed size");
    return (entry.flags & kFatbinZstd) != 0 ? decompress_zstd(entry) : decompress_lz4(entry);
  }
  return std::string(reinterpret_cast<const char*>(entry.payload.data()), entry.payload.size());
}

const FatbinEntry* select_ptx(std::span<const FatbinEntry> entries, uint32_t capability) {
  const auto better = [capability](const FatbinEntry& a, const FatbinEntry& b) {
    const bool a_fits = a.architecture <= capability;
    const bool b_fits = b.architecture <= capability;
    if (a_fits != b_fits) return a_fits;
    if (a.architecture != b.architecture) {
      return a_fits ? a.architecture > b.architecture : a.architecture < b.architecture;
    }
    return (a.flags & kFatbinArchSpecific) < (b.flags & kFatbinArchSpecific);
  };
  const FatbinEntry* best = nullptr;
  for (const FatbinEntry& entry : entries) {
    if (entry.kind != FatbinKind::ptx) continue;
    if (best == nullptr || better(entry, *best)) best = &entry;
  }
  return best;
}

Result<std::string> read_ptx(std::span<const FatbinEntry> entries, uint32_t capability,
                             const std::string& module_name) {
  const FatbinEntry* entry = select_ptx(entries, capability);
  if (entry == nullptr) {
    std::string found;
    for (const FatbinEntry& other : entries) {
      const std::string item = fmt::format("{}_{}", kind_name(other), other.architecture);
      if (found.find(item) == std::string::npos) found += (found.empty() ? "" : ", ") + item;
    }
    return Status{
        StatusCode::no_binary_for_gpu,
        fmt::format("{}: no PTX in the device code (found: {}); rebuild with nvcc -arch=sm_80 "
                    "or -gencode arch=compute_80,code=compute_80, without -dlto",
                    module_name, found.empty() ? "nothing" : found)};
  }
  auto text = read_payload(*entry);
  if (!text) return text.status();
  while (!text->empty() && text->back() == '\0') text->pop_back();
  return text;
}

namespace {
std::atomic<uint32_t> capability_of_gpu{0};
}

void set_device_capability(uint32_t capability) { capability_of_gpu.store(capability); }

uint32_t device_capability() {
  if (uint32_t capability = capability_of_gpu.load(std::memory_order_relaxed)) return capability;
  const std::string value = option_value(Option::compute_capability);
  const char* const end = value.data() + value.size();
  unsigned major = 0, minor = 0;
  const auto [dot, error] = std::from_chars(value.data(), end, major);
  if (dot != end && *dot == '.') std::from_chars(dot + 1, end, minor);
  if (error != std::errc{} || major == 0 || major > 99 || minor > 9) return 89;
  return major * 10 + minor;
}

}  // namespace guda::runtime
