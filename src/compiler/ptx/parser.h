// PTX parser: text to abstract syntax. Never throws on bad input and needs no LLVM.
#pragma once

#include <memory>
#include <string>

#include "compiler/ptx/ast.h"
#include "support/status.h"

namespace guda::ptx {

struct ParseOptions {
  /// Skip function bodies (only Function::body_text is set); parse_body() fills them on demand.
  bool lazy_bodies = false;
};

/// Parses a whole module. `file_name` is used in messages ("file:line:column: what").
/// Errors: StatusCode::invalid_ptx.
Result<Module> parse_module(std::shared_ptr<const std::string> source, std::string_view file_name,
                            const ParseOptions& options = {});

/// Parses the body of a function of `module` that was parsed lazily; no-op when already parsed.
Status parse_body(Module& module, Function& function, std::string_view file_name);

}  // namespace guda::ptx
