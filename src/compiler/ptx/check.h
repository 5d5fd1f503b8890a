// What a PTX compiler refuses before it generates any code: unknown instructions and names that
// nothing declares.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/ptx/ast.h"
#include "support/status.h"

namespace guda::ptx {

struct Problem {
  uint32_t line = 0;  // 0: of the module as a whole
  std::string text;
};

struct CheckOptions {
  /// Functions that are declared and called but not defined are problems: nothing will be linked.
  bool complete = true;
};

/// All problems of a text in the order of its lines, empty when it is sound. An instruction of the ISA that
/// device IR has no form for is none: it fails the kernel that uses it, when that is launched.
std::vector<Problem> check_text(std::string_view text, const CheckOptions& options = {});

/// invalid_ptx with the first problem; ok when there is none.
Status status_of(const std::vector<Problem>& problems, std::string_view file_name);

/// The problems as the log of a PTX compiler, one per line; empty when there is none.
std::string log_of(const std::vector<Problem>& problems);

}  // namespace guda::ptx
