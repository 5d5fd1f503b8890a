// Writes the abstract syntax back as PTX text. Parsing the text yields the same tree, apart from
// source locations and from declarations of functions whose address is a variable's initial value, which have
// to stand before the variable. Debug information that the tree does not keep (sections, inlined_at) is lost.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "compiler/ptx/ast.h"

namespace guda::ptx {

struct PrintOptions {
  /// Names to write in place of others, wherever they stand (declarations and uses alike); for
  /// linking modules whose internal symbols collide. Needs parsed bodies.
  const std::unordered_map<std::string_view, std::string>* renames = nullptr;
  /// Write .file and .loc.
  bool line_information = true;
};

std::string print_module(const Module& module, const PrintOptions& options = {});

// The parts of a module, appended to `out`, for those who assemble one from several.

/// .version, .target, .address_size
void print_header(std::string& out, const Module& module);
/// A module-scope variable with its initialiser and ';'.
void print_variable(std::string& out, const Variable& variable, const PrintOptions& options = {});
/// A declaration or definition. A body that is not parsed yet is copied as it stands.
void print_function(std::string& out, const Function& function, const PrintOptions& options = {});
void print_alias(std::string& out, std::string_view alias, std::string_view aliasee,
                 const PrintOptions& options = {});
void print_statement(std::string& out, const Statement& statement,
                     const PrintOptions& options = {});
void print_operand(std::string& out, const Operand& operand, const PrintOptions& options = {});

}  // namespace guda::ptx
