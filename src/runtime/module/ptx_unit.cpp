#include "runtime/module/ptx_unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "compiler/ptx/lexer.h"

namespace guda::runtime {
namespace {

using ptx::Lexer;
using ptx::Token;
using ptx::TokenKind;

class UnitSplitter {
 public:
  UnitSplitter(const std::string& text, const std::string& name)
      : name_(name), lexer_(text.c_str(), {1, 1}) {}

  Result<PtxUnit> run() {
    advance();
    while (error_ && token_.kind != TokenKind::end) {
      if (token_.kind != TokenKind::dotted) {
        fail("a directive is expected");
      } else if (!header_directive()) {
        item();
      }
    }
    if (!error_) return error_;
    return std::move(unit_);
  }

 private:
  void advance() {
    lexer_.next(token_);
    if (token_.kind == TokenKind::error) fail(token_.text);
  }

  void fail(std::string_view what) {
    if (!error_) return;
    error_ = {StatusCode::invalid_ptx, fmt::format("{}:{}:{}: {}", name_, token_.location.line,
                                                   token_.location.column, what)};
    token_ = {};
  }

  bool done() const { return token_.kind == TokenKind::end; }

  /// The directives that have no closing semicolon; true when it was one.
  bool header_directive() {
    const std::string_view word = token_.text;
    if (word == "version") {
      version();
    } else if (word == "target") {
      target();
    } else if (word == "address_size") {
      advance();
      unit_.address_size = static_cast<uint32_t>(token_.bits);
      if (token_.kind != TokenKind::integer) fail("an address size is expected");
      advance();
    } else if (word == "file") {
      file();
    } else if (word == "section") {
      section();
    } else {
      return false;
    }
    return true;
  }

  void version() {
    advance();
    // The token's text is "9.0"; its value as a binary fraction would be less exact.
    const std::string_view text = token_.text;
    const char* end = text.data() + text.size();
    auto [dot, error] = std::from_chars(text.data(), end, unit_.version_major);
    if (error != std::errc{} || dot == end || *dot != '.') return fail("a version is expected");
    std::from_chars(dot + 1, end, unit_.version_minor);
    advance();
  }

  void target() {
    do {
      advance();
      if (token_.kind != TokenKind::identifier) return fail("a target is expected");
      const std::string_view text = token_.text;
      if (text.starts_with("sm_")) {
        unit_.target = text;
        std::from_chars(text.data() + 3, text.data() + text.size(), unit_.architecture);
      } else if (text == "texmode_independent") {
        unit_.independent_textures = true;
      }
      advance();
    } while (token_.kind == TokenKind::comma);
  }

  void file() {
    advance();
    const auto index = static_cast<uint32_t>(token_.bits);
    if (token_.kind != TokenKind::integer) return fail("a file number is expected");
    advance();
    if (token_.kind != TokenKind::string) return fail("a file name is expected");
    unit_.files.emplace_back(index, token_.text);
    advance();
    while (token_.kind == TokenKind::comma) {  // time stamp and size
      advance();
      advance();
    }
  }

  void section() {
    while (!done() && token_.kind != TokenKind::left_brace) advance();
    if (!done() && !lexer_.skip_block()) return fail("unterminated section");
    advance();
  }

  void item() {
    PtxItem item;
    const char* const begin = token_.text.data() - 1;  // the dot
    bool is_alias = false;
    int parentheses = 0, braces = 0;
    for (; !done(); advance()) {
      switch (token_.kind) {
        case TokenKind::dotted: directive(item, is_alias, parentheses, braces); break;
        case TokenKind::identifier:
          if (parentheses == 0 && braces == 0 && item.name.empty() && !is_alias) {
            item.name = token_.text;
          }
          break;
        case TokenKind::integer:
          if (parentheses == 0 && braces == 0) item.bytes = std::max(item.bytes, token_.bits);
          break;
        case TokenKind::left_paren: ++parentheses; break;
        case TokenKind::right_paren: --parentheses; break;
        case TokenKind::right_brace: --braces; break;
        case TokenKind::left_brace:
          if (item.kind != PtxItem::Kind::function) {
            ++braces;
            break;
          }
          item.header = {begin, static_cast<size_t>(lexer_.position() - 1 - begin)};
          item.is_definition = true;
          if (!lexer_.skip_block()) return fail("unterminated function body");
          return finish(item, begin, lexer_.position());
        case TokenKind::semicolon:
          if (braces > 0) break;
          item.header = {begin, static_cast<size_t>(lexer_.position() - 1 - begin)};
          if (item.kind == PtxItem::Kind::variable) {
            item.is_definition = item.linkage != PtxItem::Linkage::external;
          }
          return finish(item, begin, lexer_.position());
        default: break;
      }
    }
    fail("unterminated declaration");
  }

  static void directive_linkage(PtxItem& item, std::string_view word) {
    if (word == "extern") item.linkage = PtxItem::Linkage::external;
    if (word == "visible") item.linkage = PtxItem::Linkage::visible;
    if (word == "weak") item.linkage = PtxItem::Linkage::weak;
    if (word == "common") item.linkage = PtxItem::Linkage::common;
  }

  void directive(PtxItem& item, bool& is_alias, int parentheses, int braces) const {
    if (parentheses != 0 || braces != 0) return;
    const std::string_view word = token_.text;
    directive_linkage(item, word);
    if (word == "entry" || word == "func") item.kind = PtxItem::Kind::function;
    if (word == "alias" || word == "pragma") is_alias = true;
    const bool space = word == "global" || word == "const" || word == "shared" || word == "tex" ||
                       word.starts_with("shared::");
    if (space && item.kind == PtxItem::Kind::other) item.kind = PtxItem::Kind::variable;
    if (space && word.starts_with("shared")) item.is_shared = true;
  }

  void finish(PtxItem& item, const char* begin, const char* end) {
    item.text = {begin, static_cast<size_t>(end - begin)};
    if (item.kind != PtxItem::Kind::other && item.name.empty()) return fail("a name is expected");
    unit_.items.push_back(item);
    advance();
  }

  const std::string& name_;
  Lexer lexer_;
  Token token_;
  PtxUnit unit_;
  Status error_;
};

}  // namespace

Result<PtxUnit> split_ptx(const std::string& text, const std::string& name) {
  return UnitSplitter(text, name).run();
}

}  // namespace guda::runtime
