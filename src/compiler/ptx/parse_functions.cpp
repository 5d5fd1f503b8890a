// Kernels and device functions (PTX ISA 9.0, sections 11.2 to 11.4).
#include "compiler/ptx/module_parser.h"

namespace guda::ptx {

bool ModuleParser::parse_function(Linkage linkage, bool is_entry) {
  Function function;
  function.linkage = linkage;
  function.is_entry = is_entry;
  while (at_dotted("attribute")) {
    advance();
    if (!parse_attributes(nullptr)) return false;
  }
  if (!is_entry && at(TokenKind::left_paren) && !parse_parameters(function.results)) return false;
  function.location = token_.location;
  if (!expect_identifier(function.name, "a function name")) return false;
  if (at(TokenKind::left_paren) && !parse_parameters(function.parameters)) return false;
  while (at(TokenKind::dotted)) {
    if (!parse_function_directive(function)) return false;
  }
  if (at(TokenKind::left_brace)) {
    if (!parse_function_body(function)) return false;
  } else if (!expect(TokenKind::semicolon, "a function body or ';'")) {
    return false;
  }
  module_.functions.push_back(std::move(function));
  return true;
}

bool ModuleParser::parse_thread_counts(std::array<uint32_t, 3>& counts) {
  counts = {1, 1, 1};
  for (size_t i = 0; i < counts.size(); ++i) {
    if (i > 0 && !accept(TokenKind::comma)) break;
    if (!expect_uint32(counts[i], "a number of threads or blocks")) return false;
  }
  return true;
}

bool ModuleParser::parse_function_directive(Function& function) {
  const std::string_view name = token_.text;
  const SourceLocation where = token_.location;
  advance();
  uint32_t ignored = 0;
  if (name == "maxntid") return parse_thread_counts(function.max_threads);
  if (name == "reqntid") return parse_thread_counts(function.required_threads);
  if (name == "reqnctapercluster") return parse_thread_counts(function.required_cluster);
  if (name == "minnctapersm") {
    return expect_uint32(function.min_blocks_per_multiprocessor, "a number of blocks");
  }
  if (name == "maxnreg") return expect_uint32(function.max_registers, "a number of registers");
  if (name == "maxclusterrank") return expect_uint32(function.max_cluster_rank, "a cluster size");
  if (name == "explicitcluster") return function.explicit_cluster = true;
  if (name == "blocksareclusters") return function.blocks_are_clusters = true;
  if (name == "noreturn") return function.noreturn = true;
  // Tuning of NVIDIA's own register allocation: no meaning here.
  if (name == "maxnctapersm" || name == "abi_preserve" || name == "abi_preserve_control" ||
      name == "local_maxnreg") {
    return expect_uint32(ignored, "a number");
  }
  if (name == "unified") return true;
  if (name == "attribute") return parse_attributes(nullptr);
  if (name == "pragma") {
    std::string_view text;
    return parse_pragma(text);
  }
  return fail(where, "unknown function directive '.{}'", name);
}

bool ModuleParser::parse_parameters(std::vector<Variable>& parameters) {
  if (!expect(TokenKind::left_paren, "'('")) return false;
  if (accept(TokenKind::right_paren)) return true;
  do {
    Variable& parameter = parameters.emplace_back();
    if (!parse_declaration_head(parameter) || !parse_declarator(parameter)) return false;
  } while (accept(TokenKind::comma));
  return expect(TokenKind::right_paren, "')'");
}

bool ModuleParser::parse_function_body(Function& function) {
  const SourceLocation where = token_.location;
  function.has_body = true;
  function.body_location = lexer_.location();
  if (!options_.lazy_bodies) {
    const char* const begin = lexer_.position();
    advance();
    if (!parse_statements(function)) return false;
    function.body_is_parsed = true;
    const char* const end = token_.text.data();
    function.body_text = {begin, static_cast<size_t>(end - begin)};
    advance();
    return true;
  }
  const auto text = lexer_.skip_block();
  if (!text) return fail(where, "no '}}' for this '{{'");
  function.body_text = *text;
  advance();
  return true;
}

bool ModuleParser::parse_body(Function& function) {
  if (!parse_statements(function)) return false;
  const char* const end = function.body_text.data() + function.body_text.size();
  // Cannot differ unless body_text was changed by hand: statements and blocks nest alike.
  return token_.text.data() == end || fail(token_.location, "unexpected '}}'");
}

}  // namespace guda::ptx
