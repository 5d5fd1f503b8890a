#include "compiler/ptx/parser.h"

#include <charconv>
#include <cstring>

#include "compiler/ptx/module_parser.h"

namespace guda::ptx {

// --- tokens and errors -----------------------------------------------------------------------

Token ModuleParser::peek() const {
  Lexer ahead = lexer_;
  Token token;
  ahead.next(token);
  return token;
}

bool ModuleParser::record(SourceLocation where, std::string&& what) {
  if (message_.empty()) {
    message_ = fmt::format("{}:{}:{}: {}", file_name_, where.line, where.column, what);
  }
  return false;
}

bool ModuleParser::fail_expected(std::string_view what) {
  // Long tokens are cut: the message is for people.
  const std::string_view text = token_.text.substr(0, 60);
  switch (token_.kind) {
    case TokenKind::error: return fail(token_.location, "{}", token_.text);
    case TokenKind::end: return fail(token_.location, "expected {} before the end of input", what);
    case TokenKind::dotted: return fail(token_.location, "expected {} before '.{}'", what, text);
    case TokenKind::string: return fail(token_.location, "expected {} before \"{}\"", what, text);
    default: return fail(token_.location, "expected {} before '{}'", what, text);
  }
}

bool ModuleParser::expect_identifier(std::string_view& name, std::string_view what) {
  if (!at(TokenKind::identifier)) return fail_expected(what);
  name = token_.text;
  advance();
  return true;
}

bool ModuleParser::expect_integer(uint64_t& value, std::string_view what) {
  if (!at(TokenKind::integer)) return fail_expected(what);
  value = token_.bits;
  advance();
  return true;
}

bool ModuleParser::expect_uint32(uint32_t& value, std::string_view what) {
  const SourceLocation where = token_.location;
  uint64_t wide = 0;
  if (!expect_integer(wide, what)) return false;
  if (wide > UINT32_MAX) return fail(where, "{} out of range", what);
  value = static_cast<uint32_t>(wide);
  return true;
}

// --- module level ----------------------------------------------------------------------------

bool ModuleParser::parse_version() {
  if (!at(TokenKind::floating)) return fail_expected("a version such as 9.0");
  const char* const end = token_.text.data() + token_.text.size();
  auto major = std::from_chars(token_.text.data(), end, module_.version_major);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') {
    return fail(token_.location, "malformed version '{}'", token_.text);
  }
  auto minor = std::from_chars(major.ptr + 1, end, module_.version_minor);
  if (minor.ec != std::errc{} || minor.ptr != end) {
    return fail(token_.location, "malformed version '{}'", token_.text);
  }
  advance();
  return true;
}

bool ModuleParser::parse_target() {
  std::string_view name;
  if (!expect_identifier(name, "a target such as sm_90")) return false;
  module_.target = name;
  while (accept(TokenKind::comma)) {
    if (!expect_identifier(name, "a target option")) return false;
    module_.target_options.push_back(name);
  }
  return true;
}

bool ModuleParser::parse_file(SourceFiles& files) {
  uint32_t index = 0;
  if (!expect_uint32(index, "a file index")) return false;
  if (!at(TokenKind::string)) return fail_expected("a file name");
  files.emplace_back(index, token_.text);
  advance();
  uint64_t ignored = 0;  // modification time, size
  while (accept(TokenKind::comma)) {
    if (!expect_integer(ignored, "a number")) return false;
  }
  return true;
}

// Debug sections describe the source to debuggers of SASS; nothing here needs them.
bool ModuleParser::parse_section() {
  if (!at(TokenKind::dotted)) return fail_expected("a section name");
  while (at(TokenKind::dotted)) advance();
  if (!at(TokenKind::left_brace)) return fail_expected("'{'");
  if (!lexer_.skip_block()) return fail(token_.location, "no '}}' for this '{{'");
  advance();
  return true;
}

bool ModuleParser::parse_alias() {
  std::string_view alias, aliasee;
  if (!expect_identifier(alias, "a function") || !expect(TokenKind::comma, "','") ||
      !expect_identifier(aliasee, "a function") || !expect(TokenKind::semicolon, "';'")) {
    return false;
  }
  module_.aliases.emplace_back(alias, aliasee);
  return true;
}

bool ModuleParser::parse_pragma(std::string_view& text) {
  do {
    if (!at(TokenKind::string)) return fail_expected("a string");
    text = token_.text;
    advance();
  } while (accept(TokenKind::comma));
  return expect(TokenKind::semicolon, "';'");
}

bool ModuleParser::parse_linkage(Linkage& linkage) {
  static constexpr std::pair<std::string_view, Linkage> kLinkages[] = {
      {"extern", Linkage::external},
      {"visible", Linkage::visible},
      {"weak", Linkage::weak},
      {"common", Linkage::common},
  };
  for (const auto& [name, value] : kLinkages) {
    if (!at_dotted(name)) continue;
    linkage = value;
    advance();
    return true;
  }
  return false;
}

bool ModuleParser::parse_module() {
  while (!at(TokenKind::end)) {
    Linkage linkage = Linkage::internal;
    const bool has_linkage = parse_linkage(linkage);
    if (at_dotted("entry") || at_dotted("func")) {
      const bool is_entry = token_.text == "entry";
      advance();
      if (!parse_function(linkage, is_entry)) return false;
      continue;
    }
    if (has_linkage) {
      if (!parse_variables(linkage, module_.variables)) return false;
      continue;
    }
    if (at(TokenKind::semicolon)) {
      advance();
      continue;
    }
    if (at(TokenKind::at)) {  // "@@DWARF ..." lines of PTX before 2.0
      if (std::strncmp(token_.text.data(), "@@DWARF", 7) != 0) return fail_expected("a directive");
      lexer_.skip_line();
      advance();
      continue;
    }
    if (!at(TokenKind::dotted)) return fail_expected("a directive");
    struct Directive {
      std::string_view name;
      bool (ModuleParser::*parse)();
    };
    static constexpr Directive kDirectives[] = {
        {"version", &ModuleParser::parse_version},
        {"target", &ModuleParser::parse_target},
        {"section", &ModuleParser::parse_section},
        {"alias", &ModuleParser::parse_alias},
    };
    const Directive* directive = nullptr;
    for (const Directive& row : kDirectives) {
      if (token_.text == row.name) directive = &row;
    }
    if (directive) {
      advance();
      if (!(this->*directive->parse)()) return false;
    } else if (at_dotted("address_size")) {
      advance();
      if (!expect_uint32(module_.address_size, "an address size")) return false;
    } else if (at_dotted("file")) {
      advance();
      if (!parse_file(module_.files)) return false;
    } else if (at_dotted("pragma")) {
      advance();
      std::string_view ignored;
      if (!parse_pragma(ignored)) return false;
    } else if (!parse_variables(linkage, module_.variables)) {
      return false;
    }
  }
  return true;
}

// --- entry points ----------------------------------------------------------------------------

Result<Module> parse_module(std::shared_ptr<const std::string> source, std::string_view file_name,
                            const ParseOptions& options) {
  Module module;
  module.source = std::move(source);
  ModuleParser parser(module, file_name, options, module.source->c_str(), {1, 1});
  if (!parser.parse_module()) return parser.error();
  return module;
}

Status parse_body(Module& module, Function& function, std::string_view file_name) {
  if (!function.has_body || function.body_is_parsed) return Status::ok();
  ModuleParser parser(module, file_name, {}, function.body_text.data(), function.body_location);
  function.body_is_parsed = parser.parse_body(function);
  if (function.body_is_parsed) return Status::ok();
  function.body.clear();
  function.files.clear();
  return parser.error();
}

}  // namespace guda::ptx
