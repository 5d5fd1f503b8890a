#include "tools/guda/elf_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace guda::cli {
namespace {

template <typename T>
std::optional<T> read_at(std::span<const std::byte> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string_view string_at(std::span<const std::byte> table, uint64_t offset) {
  if (offset >= table.size()) return {};
  const auto* text = reinterpret_cast<const char*>(table.data()) + offset;
  return {text, strnlen(text, table.size() - offset)};
}

std::span<const std::byte> part(std::span<const std::byte> bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) return {};
  return bytes.subspan(offset, size);
}

}  // namespace

Result<ElfImage> ElfImage::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (file < 0 || fstat(file, &info) != 0) {
    const Status status(StatusCode::file_not_found,
                        fmt::format("{}: {}", path, std::strerror(errno)));
    if (file >= 0) close(file);
    return status;
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* memory = S_ISREG(info.st_mode) && size != 0
                     ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0)
                     : MAP_FAILED;
  close(file);
  if (memory == MAP_FAILED) {
    return Status{StatusCode::invalid_image, fmt::format("{}: not an ELF file", path)};
  }
  ElfImage image;
  image.mapping_ = std::shared_ptr<const void>(
      memory, [size](const void* address) { munmap(const_cast<void*>(address), size); });
  image.bytes_ = {static_cast<const std::byte*>(memory), size};
  if (Status status = image.read(path); !status) return status;
  return image;
}

Result<ElfImage> ElfImage::from_bytes(std::span<const std::byte> bytes, const std::string& name) {
  ElfImage image;
  image.bytes_ = bytes;
  if (Status status = image.read(name); !status) return status;
  return image;
}

Status ElfImage::read(const std::string& name) {
  const auto header = read_at<Elf64_Ehdr>(bytes_, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    return {StatusCode::invalid_image, fmt::format("{}: not an ELF file", name)};
  }
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return {StatusCode::invalid_image, fmt::format("{}: not a 64-bit little-endian program", name)};
  }
  header_ = *header;
  const auto section_header = [&](uint64_t index) {
    return read_at<Elf64_Shdr>(bytes_, header_.e_shoff + index * sizeof(Elf64_Shdr));
  };
  if (header_.e_shoff != 0 && header_.e_shentsize == sizeof(Elf64_Shdr)) {
    std::span<const std::byte> names;
    if (const auto strings = section_header(header_.e_shstrndx)) {
      names = part(bytes_, strings->sh_offset, strings->sh_size);
    }
    for (uint64_t i = 0; i < header_.e_shnum; ++i) {
      const auto section = section_header(i);
      if (!section) break;
      ElfSection entry{string_at(names, section->sh_name), {}, section->sh_addr};
      if (section->sh_type != SHT_NOBITS) {
        entry.bytes = part(bytes_, section->sh_offset, section->sh_size);
      }
      sections_.push_back(entry);
    }
  }
  if (const ElfSection* dynamic = section(".dynamic")) {
    for (uint64_t at = 0;; at += sizeof(Elf64_Dyn)) {
      const auto entry = read_at<Elf64_Dyn>(dynamic->bytes, at);
      if (!entry || entry->d_tag == DT_NULL) break;
      dynamic_.push_back(*entry);
    }
  }
  return Status::ok();
}

const ElfSection* ElfImage::section(std::string_view name) const {
  for (const ElfSection& section : sections_) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

std::vector<std::string_view> ElfImage::dynamic_strings(int64_t tag) const {
  std::vector<std::string_view> found;
  const ElfSection* strings = section(".dynstr");
  if (strings == nullptr) return found;
  for (const Elf64_Dyn& entry : dynamic_) {
    if (entry.d_tag == tag) found.push_back(string_at(strings->bytes, entry.d_un.d_val));
  }
  return found;
}

std::vector<ElfSymbol> ElfImage::symbols_of(std::string_view table,
                                            std::string_view strings) const {
  std::vector<ElfSymbol> found;
  const ElfSection* entries = section(table);
  const ElfSection* names = section(strings);
  if (entries == nullptr || names == nullptr) return found;
  for (uint64_t at = 0;; at += sizeof(Elf64_Sym)) {
    const auto symbol = read_at<Elf64_Sym>(entries->bytes, at);
    if (!symbol) return found;
    found.push_back({string_at(names->bytes, symbol->st_name),
                     ELF64_ST_BIND(symbol->st_info) == STB_LOCAL, symbol->st_shndx != SHN_UNDEF,
                     ELF64_ST_TYPE(symbol->st_info) == STT_FUNC});
  }
}

std::vector<ElfSymbol> ElfImage::symbols() const { return symbols_of(".symtab", ".strtab"); }
std::vector<ElfSymbol> ElfImage::dynamic_symbols() const {
  return symbols_of(".dynsym", ".dynstr");
}

}  // namespace guda::cli
