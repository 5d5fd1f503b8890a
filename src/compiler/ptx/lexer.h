// Splits PTX text into tokens (PTX ISA 9.0, chapter 4). On demand, without copies.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/ptx/ast.h"

namespace guda::ptx {

enum class TokenKind : uint8_t {
  end,
  error,  // Token::text says what is wrong
  identifier,
  dotted,  // directive or modifier; Token::text is without the dot: "shared::cta"
  integer,
  floating,
  string,  // Token::text is without the quotes, escapes as written
  left_paren,
  right_paren,
  left_brace,
  right_brace,
  left_bracket,
  right_bracket,
  comma,
  semicolon,
  colon,
  at,
  question,
  equal,
  bang,
  tilde,
  plus,
  minus,
  star,
  slash,
  percent,
  ampersand,
  pipe,
  caret,
  less,
  greater,
  less_equal,
  greater_equal,
  equal_equal,
  bang_equal,
  shift_left,
  shift_right,
  ampersand_ampersand,
  pipe_pipe,
};

struct Token {
  TokenKind kind = TokenKind::end;
  bool is_unsigned = false;  // integer with suffix U
  bool is_single = false;    // 0fXXXXXXXX
  SourceLocation location;
  std::string_view text;
  uint64_t bits = 0;  // integer: value; floating: pattern of the double (of the float if is_single)
};

class Lexer {
 public:
  /// `text` must be followed by a NUL character, as the content of a std::string is; a NUL ends
  /// the input, wherever it stands. `location` is that of `text`.
  Lexer(const char* text, SourceLocation location)
      : position_(text), line_(location.line), line_start_(text - (location.column - 1)) {}

  void next(Token& token);

  /// Just after the last token.
  const char* position() const { return position_; }
  SourceLocation location() const { return location_of(position_); }

  /// Called behind a '{': skips past the matching '}' (comments and strings respected) and returns
  /// the text between them; nullopt, without moving, when there is none.
  std::optional<std::string_view> skip_block();
  void skip_line();

 private:
  SourceLocation location_of(const char* p) const {
    return {line_, static_cast<uint32_t>(p - line_start_ + 1)};
  }
  bool skip_space_and_comments(Token& token);
  void lex_dotted(Token& token);
  void lex_number(Token& token);
  void lex_decimal(Token& token);
  void lex_string(Token& token);
  void lex_punctuation(Token& token);
  void fail(Token& token, std::string_view what);

  const char* position_;
  uint32_t line_;
  const char* line_start_;
};

}  // namespace guda::ptx
