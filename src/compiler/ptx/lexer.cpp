#include "compiler/ptx/lexer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

namespace guda::ptx {
namespace {

enum CharClass : uint8_t {
  kSpace = 1,   // blank other than newline
  kFollow = 2,  // may continue an identifier
  kDigit = 4,
  kHex = 8,
  kStart = 16,      // may begin an identifier
  kWord = 32,       // may continue a modifier
  kStructure = 64,  // matters when skipping a block
};

constexpr std::array<uint8_t, 256> make_classes() {
  std::array<uint8_t, 256> table{};
  auto add = [&](char c, int bits) {
    auto& entry = table[static_cast<uint8_t>(c)];
    entry = static_cast<uint8_t>(entry | bits);
  };
  for (char c : {' ', '\t', '\r', '\f', '\v'}) add(c, kSpace);
  for (char c = '0'; c <= '9'; ++c) add(c, kFollow | kDigit | kHex | kWord);
  for (char c = 'a'; c <= 'z'; ++c) add(c, kFollow | kStart | kWord);
  for (char c = 'A'; c <= 'Z'; ++c) add(c, kFollow | kStart | kWord);
  for (char c = 'a'; c <= 'f'; ++c) add(c, kHex);
  for (char c = 'A'; c <= 'F'; ++c) add(c, kHex);
  add('_', kFollow | kStart | kWord);
  add('$', kFollow | kStart);
  for (char c : {'{', '}', '/', '"', '\0'}) add(c, kStructure);
  return table;
}

constexpr std::array<uint8_t, 256> kClasses = make_classes();

inline bool is(char c, int classes) { return (kClasses[static_cast<uint8_t>(c)] & classes) != 0; }

inline const char* skip(const char* p, int classes) {
  while (is(*p, classes)) ++p;
  return p;
}

std::string_view view(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

/// End of the comment body that starts at `p` (behind "/*"), behind the "*/"; null if unterminated.
const char* end_of_block_comment(const char* p) {
  for (;; ++p) {
    p += std::strcspn(p, "*");
    if (*p == '\0') return nullptr;
    if (p[1] == '/') return p + 2;
  }
}

/// The closing quote of the string whose content starts at `p`; null if there is none on its line.
const char* end_of_string(const char* p) {
  for (;; ++p) {
    if (*p == '"') return p;
    if (*p == '\\' && p[1] != '\0' && p[1] != '\n')
      ++p;
    else if (*p == '\0' || *p == '\n')
      return nullptr;
  }
}

const char* end_of_line(const char* p) { return p + std::strcspn(p, "\n"); }

}  // namespace

void Lexer::fail(Token& token, std::string_view what) {
  token.kind = TokenKind::error;
  token.text = what;
}

bool Lexer::skip_space_and_comments(Token& token) {
  const char* p = position_;
  for (;;) {
    p = skip(p, kSpace);
    if (*p == '\n') {
      ++p;
      ++line_;
      line_start_ = p;
    } else if (*p == '/' && p[1] == '/') {
      p = end_of_line(p + 2);
    } else if (*p == '/' && p[1] == '*') {
      const char* end = end_of_block_comment(p + 2);
      if (!end) {
        position_ = p;
        token.location = location_of(p);
        fail(token, "unterminated comment");
        return false;
      }
      for (const char* q = p;
           (q = static_cast<const char*>(std::memchr(q, '\n', static_cast<size_t>(end - q))));) {
        ++q;
        ++line_;
        line_start_ = q;
      }
      p = end;
    } else {
      position_ = p;
      return true;
    }
  }
}

void Lexer::next(Token& token) {
  if (!skip_space_and_comments(token)) return;
  const char* const begin = position_;
  token.location = location_of(begin);
  const char c = *begin;
  if (is(c, kStart) || (c == '%' && is(begin[1], kFollow))) {
    position_ = skip(begin + 1, kFollow);
    token.kind = TokenKind::identifier;
    token.text = view(begin, position_);
  } else if (c == '.') {
    lex_dotted(token);
  } else if (is(c, kDigit)) {
    lex_number(token);
  } else if (c == '"') {
    lex_string(token);
  } else if (c == '\0') {
    token.kind = TokenKind::end;
    token.text = {};
  } else {
    lex_punctuation(token);
  }
}

void Lexer::lex_dotted(Token& token) {
  const char* const begin = position_ + 1;
  if (!is(*begin, kWord)) return fail(token, "a name must follow '.'");
  const char* p = skip(begin, kWord);
  while (*p == ':' && p[1] == ':' && is(p[2], kWord)) p = skip(p + 2, kWord);
  token.kind = TokenKind::dotted;
  token.text = view(begin, p);
  position_ = p;
}

void Lexer::lex_string(Token& token) {
  const char* const begin = position_ + 1;
  const char* end = end_of_string(begin);
  if (!end) return fail(token, "unterminated string");
  token.kind = TokenKind::string;
  token.text = view(begin, end);
  position_ = end + 1;
}

void Lexer::lex_number(Token& token) {
  const char* const begin = position_;
  token.is_unsigned = false;
  token.is_single = false;
  int base = 10;
  const char* digits = begin;
  if (*begin == '0') {
    switch (begin[1]) {
      case 'x':
      case 'X':
        base = 16;
        digits += 2;
        break;
      case 'b':
      case 'B':
        base = 2;
        digits += 2;
        break;
      case 'f':
      case 'F':
      case 'd':
      case 'D': {
        const char* end = skip(begin + 2, kHex);
        token.is_single = begin[1] == 'f' || begin[1] == 'F';
        const size_t wanted = token.is_single ? 8 : 16;
        if (static_cast<size_t>(end - begin - 2) != wanted || is(*end, kFollow)) {
          return fail(token, token.is_single ? "0f must be followed by 8 hexadecimal digits"
                                             : "0d must be followed by 16 hexadecimal digits");
        }
        std::from_chars(begin + 2, end, token.bits, 16);
        token.kind = TokenKind::floating;
        token.text = view(begin, end);
        position_ = end;
        return;
      }
      default: break;
    }
  }
  if (base == 10) {
    const char* end = skip(begin, kDigit);
    if (*end == '.' || *end == 'e' || *end == 'E') return lex_decimal(token);
    if (*begin == '0') base = 8;
  }
  auto [end, error] = std::from_chars(digits, skip(digits, kHex), token.bits, base);
  if (end == digits) return fail(token, "malformed number");
  if (error != std::errc{}) return fail(token, "integer does not fit in 64 bits");
  if (*end == 'U' || *end == 'u') {
    token.is_unsigned = true;
    ++end;
  }
  if (is(*end, kFollow)) return fail(token, "malformed number");
  token.kind = TokenKind::integer;
  token.text = view(begin, end);
  position_ = end;
}

void Lexer::lex_decimal(Token& token) {
  const char* const begin = position_;
  const char* p = skip(begin, kDigit);
  if (*p == '.') p = skip(p + 1, kDigit);
  if (*p == 'e' || *p == 'E') {
    ++p;
    if (*p == '+' || *p == '-') ++p;
    p = skip(p, kDigit);
  }
  double value = 0;
  auto [end, error] = std::from_chars(begin, p, value);
  if (error == std::errc::result_out_of_range) {
    return fail(token, "floating-point number out of range");
  }
  if (error != std::errc{} || end != p || is(*p, kFollow)) return fail(token, "malformed number");
  token.kind = TokenKind::floating;
  token.bits = std::bit_cast<uint64_t>(value);
  token.text = view(begin, p);
  position_ = p;
}

void Lexer::lex_punctuation(Token& token) {
  const char* const begin = position_;
  const char second = begin[1];
  size_t length = 1;
  auto two = [&](char wanted, TokenKind both, TokenKind single) {
    if (second != wanted) return single;
    length = 2;
    return both;
  };
  switch (*begin) {
    case '(': token.kind = TokenKind::left_paren; break;
    case ')': token.kind = TokenKind::right_paren; break;
    case '{': token.kind = TokenKind::left_brace; break;
    case '}': token.kind = TokenKind::right_brace; break;
    case '[': token.kind = TokenKind::left_bracket; break;
    case ']': token.kind = TokenKind::right_bracket; break;
    case ',': token.kind = TokenKind::comma; break;
    case ';': token.kind = TokenKind::semicolon; break;
    case ':': token.kind = TokenKind::colon; break;
    case '@': token.kind = TokenKind::at; break;
    case '?': token.kind = TokenKind::question; break;
    case '~': token.kind = TokenKind::tilde; break;
    case '+': token.kind = TokenKind::plus; break;
    case '-': token.kind = TokenKind::minus; break;
    case '*': token.kind = TokenKind::star; break;
    case '/': token.kind = TokenKind::slash; break;
    case '%': token.kind = TokenKind::percent; break;
    case '^': token.kind = TokenKind::caret; break;
    case '=': token.kind = two('=', TokenKind::equal_equal, TokenKind::equal); break;
    case '!': token.kind = two('=', TokenKind::bang_equal, TokenKind::bang); break;
    case '&': token.kind = two('&', TokenKind::ampersand_ampersand, TokenKind::ampersand); break;
    case '|': token.kind = two('|', TokenKind::pipe_pipe, TokenKind::pipe); break;
    case '<':
      token.kind = two('=', TokenKind::less_equal, TokenKind::less);
      if (length == 1) token.kind = two('<', TokenKind::shift_left, TokenKind::less);
      break;
    case '>':
      token.kind = two('=', TokenKind::greater_equal, TokenKind::greater);
      if (length == 1) token.kind = two('>', TokenKind::shift_right, TokenKind::greater);
      break;
    default: return fail(token, "unexpected character");
  }
  token.text = {begin, length};
  position_ = begin + length;
}

std::optional<std::string_view> Lexer::skip_block() {
  const char* const begin = position_;
  const char* p = begin;
  for (uint64_t depth = 1;; ++p) {
    while (!is(*p, kStructure)) ++p;
    if (*p == '{') {
      ++depth;
    } else if (*p == '}') {
      if (--depth == 0) break;
    } else if (*p == '/') {
      if (p[1] == '/') {
        p = end_of_line(p + 2);
        if (*p == '\0') return std::nullopt;
      } else if (p[1] == '*') {
        p = end_of_block_comment(p + 2);
        if (!p) return std::nullopt;
        --p;
      }
    } else if (*p == '"') {
      p = end_of_string(p + 1);
      if (!p) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  // Newlines are counted in a second pass: it runs at memory speed, the first one must not branch
  // on them.
  const auto lines = std::count(begin, p, '\n');
  if (lines != 0) {
    line_ += static_cast<uint32_t>(lines);
    const char* last = p;
    while (last[-1] != '\n') --last;
    line_start_ = last;
  }
  position_ = p + 1;
  return view(begin, p);
}

void Lexer::skip_line() { position_ = end_of_line(position_); }

}  // namespace guda::ptx
