#include "runtime/module/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/ptx/lexer.h"
#include "runtime/module/cache.h"
#include "runtime/module/ptx_unit.h"

namespace guda::runtime {
namespace {

using Linkage = PtxItem::Linkage;
using Renames = std::unordered_map<std::string_view, std::string>;

/// Copies declarations into the output with symbols renamed and file numbers shifted.
class Rewriter {
 public:
  Rewriter(const Renames& renames, uint32_t file_offset)
      : renames_(renames), file_offset_(file_offset) {}

  void copy(std::string_view text, std::string& out) const {
    if (renames_.empty() && file_offset_ == 0) {
      out += text;
      return;
    }
    // The view is part of a null-terminated text, so the lexer may look past its end.
    ptx::Lexer lexer(text.data(), {1, 1});
    const char* const end = text.data() + text.size();
    const char* copied = text.data();
    const auto replace = [&](std::string_view token, std::string_view by) {
      out.append(copied, token.data());
      out += by;
      copied = token.data() + token.size();
    };
    bool file_follows = false;
    ptx::Token token;
    for (lexer.next(token); token.kind != ptx::TokenKind::end && lexer.position() <= end;
         lexer.next(token)) {
      if (token.kind == ptx::TokenKind::error) break;  // the parser will say it
      if (file_follows && token.kind == ptx::TokenKind::integer) {
        replace(token.text, std::to_string(token.bits + file_offset_));
      } else if (token.kind == ptx::TokenKind::identifier) {
        if (const auto it = renames_.find(token.text); it != renames_.end()) {
          replace(token.text, it->second);
        }
      }
      file_follows = (token.kind == ptx::TokenKind::dotted && token.text == "loc") ||
                     (token.kind == ptx::TokenKind::identifier && token.text == "inlined_at");
    }
    out.append(copied, end);
  }

 private:
  const Renames& renames_;
  uint32_t file_offset_;
};

/// One linker run over already split units.
class Linker {
 public:
  Linker(std::vector<PtxUnit> units, const std::string& name)
      : units_(std::move(units)), name_(name) {}

  Result<std::string> run() {
    for (size_t u = 0; u < units_.size(); ++u) {
      for (const PtxItem& item : units_[u].items) {
        if (Status status = enter(u, item); !status) return status;
      }
    }
    rename_collisions();
    write_header();
    // Declarations stand before all uses: forward declarations, then data, then code.
    write_declarations();
    write_items(PtxItem::Kind::variable);
    write_items(PtxItem::Kind::function);
    write_items(PtxItem::Kind::other);
    return std::move(out_);
  }

 private:
  struct Symbol {
    size_t unit = 0;
    const PtxItem* definition = nullptr;   // the one that is kept
    size_t declaration_unit = 0;
    const PtxItem* declaration = nullptr;  // one of the declarations without definition
  };

  static int strength(const PtxItem& item) {
    switch (item.linkage) {
      case Linkage::visible: return 3;
      case Linkage::common: return 1;
      default: return 2;  // weak
    }
  }

  Status enter(size_t unit, const PtxItem& item) {
    if (item.kind == PtxItem::Kind::other || item.linkage == Linkage::internal) return Status::ok();
    Symbol& symbol = symbols_[item.name];
    if (!item.is_definition) {
      if (symbol.declaration == nullptr || item.bytes > symbol.declaration->bytes) {
        symbol.declaration = &item;
        symbol.declaration_unit = unit;
      }
      return Status::ok();
    }
    const PtxItem* old = symbol.definition;
    if (old != nullptr && strength(*old) == 3 && strength(item) == 3) {
      return {StatusCode::invalid_ptx,
              fmt::format("{}: {} is defined in two translation units", name_, item.name)};
    }
    const bool larger_common = old != nullptr && old->linkage == Linkage::common &&
                               item.linkage == Linkage::common && item.bytes > old->bytes;
    if (old == nullptr || strength(item) > strength(*old) || larger_common) {
      symbol.definition = &item;
      symbol.unit = unit;
    }
    return Status::ok();
  }

  void rename_collisions() {
    renames_.resize(units_.size());
    // How many units know a name, in any way; the names that nobody may take.
    std::unordered_map<std::string_view, size_t> owners;
    for (const PtxUnit& unit : units_) {
      std::unordered_set<std::string_view> here;
      for (const PtxItem& item : unit.items) {
        if (item.kind != PtxItem::Kind::other && here.insert(item.name).second) ++owners[item.name];
      }
    }
    for (size_t u = 0; u < units_.size(); ++u) {
      for (const PtxItem& item : units_[u].items) {
        if (item.kind == PtxItem::Kind::other || item.linkage != Linkage::internal) continue;
        if (owners[item.name] < 2 || renames_[u].contains(item.name)) continue;
        std::string fresh = fmt::format("{}$u{}", item.name, u);
        while (owners.contains(fresh)) fresh += "x";
        renames_[u].emplace(item.name, std::move(fresh));
      }
    }
  }

  void write_header() {
    const PtxUnit* newest = &units_.front();
    bool independent = false;
    for (const PtxUnit& unit : units_) {
      const auto key = [](const PtxUnit& x) { return std::pair(x.version_major, x.version_minor); };
      if (key(unit) > key(*newest)) newest = &unit;
      independent = independent || unit.independent_textures;
    }
    const PtxUnit* highest = &*std::max_element(
        units_.begin(), units_.end(),
        [](const PtxUnit& a, const PtxUnit& b) { return a.architecture < b.architecture; });
    out_ += fmt::format(".version {}.{}\n.target {}{}\n.address_size {}\n", newest->version_major,
                        newest->version_minor, highest->target,
                        independent ? ", texmode_independent" : "", units_.front().address_size);
    uint32_t offset = 0;
    for (const PtxUnit& unit : units_) {
      file_offsets_.push_back(offset);
      uint32_t most = 0;
      for (const auto& [index, file] : unit.files) {
        out_ += fmt::format(".file {} \"{}\"\n", uint64_t{index} + offset, file);
        most = std::max(most, index);
      }
      offset += most;
    }
  }

  void write(size_t unit, std::string_view text) {
    Rewriter(renames_[unit], file_offsets_[unit]).copy(text, out_);
  }

  /// Prototypes of every function that some unit declares, and the data that nobody defines.
  void write_declarations() {
    std::unordered_set<std::string_view> written;
    for (const PtxUnit& unit : units_) {
      for (const PtxItem& item : unit.items) {
        if (item.is_definition || item.kind == PtxItem::Kind::other) continue;
        if (item.linkage == Linkage::internal) {
          write(static_cast<size_t>(&unit - units_.data()), item.text);
          out_ += '\n';
          continue;
        }
        if (!written.insert(item.name).second) continue;
        const Symbol& symbol = symbols_[item.name];
        if (symbol.definition == nullptr) {
          write(symbol.declaration_unit, symbol.declaration->text);
          out_ += '\n';
        } else if (item.kind == PtxItem::Kind::function) {
          write(symbol.unit, symbol.definition->header);
          out_ += ";\n";
        }
      }
    }
  }

  void write_items(PtxItem::Kind kind) {
    for (size_t u = 0; u < units_.size(); ++u) {
      for (const PtxItem& item : units_[u].items) {
        if (item.kind != kind) continue;
        if (kind != PtxItem::Kind::other) {
          if (!item.is_definition) continue;
          if (item.linkage != Linkage::internal && symbols_[item.name].definition != &item)
            continue;
        }
        write(u, item.text);
        out_ += '\n';
      }
    }
  }

  std::vector<PtxUnit> units_;
  const std::string& name_;
  std::unordered_map<std::string_view, Symbol> symbols_;
  std::vector<Renames> renames_;
  std::vector<uint32_t> file_offsets_;
  std::string out_;
};

}  // namespace

Result<std::string> link_ptx(std::span<const std::string> units, const std::string& name) {
  if (units.empty()) return Status{StatusCode::invalid_ptx, fmt::format("{}: no PTX", name)};
  if (units.size() == 1) return units.front();

  struct Input {
    Hash128 hash;
    const std::string* text;
  };
  std::vector<Input> inputs;
  for (const std::string& text : units) inputs.push_back({hash128(text), &text});
  // A canonical order; and units without device code are equal to one another.
  const auto key = [](const Input& i) { return std::pair(i.hash.high, i.hash.low); };
  std::sort(inputs.begin(), inputs.end(),
            [&](const Input& a, const Input& b) { return key(a) < key(b); });
  inputs.erase(std::unique(inputs.begin(), inputs.end(),
                           [](const Input& a, const Input& b) { return *a.text == *b.text; }),
               inputs.end());
  if (inputs.size() == 1) return *inputs.front().text;

  std::vector<PtxUnit> split;
  for (const Input& input : inputs) {
    auto unit = split_ptx(*input.text, name);
    if (!unit) return unit.status();
    split.push_back(std::move(*unit));
  }
  return Linker(std::move(split), name).run();
}

}  // namespace guda::runtime
