// A PTX text cut into its module-scope declarations, without looking into bodies: what linking works on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/status.h"

namespace guda::runtime {

struct PtxItem {
  enum class Kind : uint8_t { function, variable, other };
  enum class Linkage : uint8_t { internal, external, visible, weak, common };
  Kind kind = Kind::other;
  Linkage linkage = Linkage::internal;
  bool is_definition = false;  // function with a body, variable that is not .extern
  bool is_shared = false;  // .shared variable
  std::string_view name;
  std::string_view text;  // from the first directive to the closing ';' or '}'
  std::string_view header;  // function: up to the body
  uint64_t bytes = 0;  // variable: rough size, to compare .common ones and alignments
};

struct PtxUnit {
  uint32_t version_major = 0, version_minor = 0;
  std::string_view target;  // "sm_90a"
  uint32_t architecture = 0;  // 90
  bool independent_textures = false;
  uint32_t address_size = 64;
  std::vector<std::pair<uint32_t, std::string_view>> files;
  std::vector<PtxItem> items;
};

/// Views point into `text`, which must outlive the unit. Errors: invalid_ptx.
Result<PtxUnit> split_ptx(const std::string& text, const std::string& name);

}  // namespace guda::runtime
