// Read-only view of a 64-bit ELF file: what doctor and compile ask of executables and libraries. Every
// access is checked; a damaged file reads as having less in it.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/status.h"

namespace guda::cli {

struct ElfSection {
  std::string_view name;
  std::span<const std::byte> bytes;  // empty for sections without file contents
  uint64_t address = 0;
};

struct ElfSymbol {
  std::string_view name;
  bool is_local = false;
  bool is_defined = false;
  bool is_function = false;
};

class ElfImage {
 public:
  /// Errors: file_not_found; invalid_image when it is not a 64-bit little-endian ELF file.
  static Result<ElfImage> open(const std::string& path);
  /// A view of bytes that outlive it.
  static Result<ElfImage> from_bytes(std::span<const std::byte> bytes, const std::string& name);

  uint16_t machine() const { return header_.e_machine; }
  const std::vector<ElfSection>& sections() const { return sections_; }
  /// First section of that name; null when there is none.
  const ElfSection* section(std::string_view name) const;
  bool is_dynamic() const { return !dynamic_.empty(); }
  /// True when there is no full symbol table.
  bool is_stripped() const { return section(".symtab") == nullptr; }
  std::vector<ElfSymbol> symbols() const;  // .symtab
  std::vector<ElfSymbol> dynamic_symbols() const;  // .dynsym

  std::vector<std::string_view> needed() const { return dynamic_strings(DT_NEEDED); }
  std::string_view rpath() const { return first(dynamic_strings(DT_RPATH)); }
  std::string_view runpath() const { return first(dynamic_strings(DT_RUNPATH)); }
  std::string_view soname() const { return first(dynamic_strings(DT_SONAME)); }

 private:
  ElfImage() = default;
  Status read(const std::string& name);
  std::vector<std::string_view> dynamic_strings(int64_t tag) const;
  std::vector<ElfSymbol> symbols_of(std::string_view table, std::string_view strings) const;
  static std::string_view first(const std::vector<std::string_view>& all) {
    return all.empty() ? std::string_view{} : all.front();
  }

  std::shared_ptr<const void> mapping_;
  std::span<const std::byte> bytes_;
  Elf64_Ehdr header_{};
  std::vector<ElfSection> sections_;
  std::vector<Elf64_Dyn> dynamic_;
};

}  // namespace guda::cli
