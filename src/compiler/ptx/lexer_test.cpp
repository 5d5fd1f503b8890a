#include "compiler/ptx/lexer.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <vector>

namespace guda::ptx {
namespace {

std::vector<Token> tokens(const std::string& text) {
  Lexer lexer(text.c_str(), {1, 1});
  std::vector<Token> out;
  do {
    lexer.next(out.emplace_back());
  } while (out.back().kind != TokenKind::end && out.back().kind != TokenKind::error);
  return out;
}

Token first(const std::string& text) { return tokens(text).front(); }

TEST(Lexer, IdentifiersMayHoldDollarAndBeginWithPercent) {
  const std::string text = "%r1 $L__BB0_1 _Z3fooPi _ %envreg3";
  const auto t = tokens(text);
  ASSERT_EQ(t.size(), 6u);
  EXPECT_EQ(t[0].text, "%r1");
  EXPECT_EQ(t[1].text, "$L__BB0_1");
  EXPECT_EQ(t[3].text, "_");
  EXPECT_EQ(t[4].text, "%envreg3");
}

TEST(Lexer, ModifiersKeepTheirDoubleColons) {
  const std::string text = "cp.async.bulk.shared::cluster.mbarrier::complete_tx::bytes.2d";
  const auto t = tokens(text);
  ASSERT_EQ(t.size(), 7u);
  EXPECT_EQ(t[3].text, "shared::cluster");
  EXPECT_EQ(t[4].text, "mbarrier::complete_tx::bytes");
  EXPECT_EQ(t[5].text, "2d");
}

TEST(Lexer, IntegerBasesAndSuffix) {
  EXPECT_EQ(first("42").bits, 42u);
  EXPECT_EQ(first("0x1fU").bits, 31u);
  EXPECT_TRUE(first("0x1fU").is_unsigned);
  EXPECT_EQ(first("0b101").bits, 5u);
  EXPECT_EQ(first("017").bits, 15u);
  EXPECT_EQ(first("0").bits, 0u);
  EXPECT_EQ(first("18446744073709551615").bits, UINT64_MAX);
}

TEST(Lexer, FloatingPointForms) {
  const Token single = first("0f3F800000");
  EXPECT_EQ(single.kind, TokenKind::floating);
  EXPECT_TRUE(single.is_single);
  EXPECT_EQ(single.bits, 0x3F800000u);
  EXPECT_EQ(first("0dBFF0000000000000").bits, 0xBFF0000000000000u);
  for (const char* text : {"1.5", "15e-1", "0.15E+1", "1.5e0"}) {
    EXPECT_EQ(std::bit_cast<double>(first(text).bits), 1.5) << text;
  }
  EXPECT_EQ(std::bit_cast<double>(first("2.").bits), 2.0);
}

TEST(Lexer, MalformedNumbersAreErrors) {
  for (const char* text : {"0f3F8", "0d12", "0x", "0b2", "08", "12ab", "1e400", "1.5e", "1.5x",
                           "18446744073709551616"}) {
    EXPECT_EQ(first(text).kind, TokenKind::error) << text;
  }
}

TEST(Lexer, CommentsAndLinesAreCounted) {
  const std::string text = "a // x {\n/* b\n\n */  c\n\td";
  const auto t = tokens(text);
  ASSERT_EQ(t.size(), 4u);
  EXPECT_EQ(t[1].location.line, 4u);
  EXPECT_EQ(t[1].location.column, 6u);
  EXPECT_EQ(t[2].location.line, 5u);
  EXPECT_EQ(t[2].location.column, 2u);
}

TEST(Lexer, UnterminatedCommentAndStringAreErrors) {
  EXPECT_EQ(first("/* a").kind, TokenKind::error);
  EXPECT_EQ(first("/*/").kind, TokenKind::error);
  EXPECT_EQ(first("\"abc").kind, TokenKind::error);
  EXPECT_EQ(first("\"abc\n\"").kind, TokenKind::error);
  EXPECT_EQ(first("\"abc\\").kind, TokenKind::error);
  EXPECT_EQ(first("\"a\\\"b\"").kind, TokenKind::string);
}

TEST(Lexer, TwoCharacterOperators) {
  const std::string text = "<< >> <= >= == != && || < > = ! & |";
  const TokenKind expected[] = {TokenKind::shift_left,
                                TokenKind::shift_right,
                                TokenKind::less_equal,
                                TokenKind::greater_equal,
                                TokenKind::equal_equal,
                                TokenKind::bang_equal,
                                TokenKind::ampersand_ampersand,
                                TokenKind::pipe_pipe,
                                TokenKind::less,
                                TokenKind::greater,
                                TokenKind::equal,
                                TokenKind::bang,
                                TokenKind::ampersand,
                                TokenKind::pipe,
                                TokenKind::end};
  const auto t = tokens(text);
  ASSERT_EQ(t.size(), std::size(expected));
  for (size_t i = 0; i < t.size(); ++i) EXPECT_EQ(t[i].kind, expected[i]) << i;
}

TEST(Lexer, BlocksAreSkippedOverCommentsAndStrings) {
  const std::string text = "{ a { // }\n /* } */ \"}\" / }\n b } c";
  Lexer lexer(text.c_str(), {1, 1});
  Token token;
  lexer.next(token);
  const auto block = lexer.skip_block();
  ASSERT_TRUE(block);
  EXPECT_EQ(*block, std::string_view(text).substr(1, text.size() - 4));
  lexer.next(token);
  EXPECT_EQ(token.text, "c");
  EXPECT_EQ(token.location.line, 3u);
  EXPECT_EQ(token.location.column, 6u);
}

TEST(Lexer, AnOpenBlockIsNotSkipped) {
  for (const char* text : {"{", "{ {}", "{ // }", "{ /* } ", "{ \" } ", "{ \"}\n\" "}) {
    Lexer lexer(text, {1, 1});
    Token token;
    lexer.next(token);
    EXPECT_FALSE(lexer.skip_block()) << text;
  }
}

}  // namespace
}  // namespace guda::ptx
