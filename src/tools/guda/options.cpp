// guda options: the option table as text, or as docs/options.md.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "support/options.h"
#include "tools/guda/command.h"

namespace guda::cli {
namespace {

std::string markdown_cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell.empty() ? " " : fmt::format("`{}`", cell);
}

void print_markdown() {
  fmt::print(
      "# Options\n\n"
      "Environment variables that GUDA reads. This file is printed by `guda options --markdown`; "
      "edit "
      "the table in `src/support/options.cpp` instead.\n\n"
      "| variable | values | default | meaning |\n|---|---|---|---|\n");
  for (const OptionInfo& option : option_table()) {
    fmt::print("| `{}` | {} | {} | {} |\n", option.variable, markdown_cell(option.values),
               markdown_cell(option.default_value), option.help);
  }
}

}  // namespace

int options_command(Arguments arguments) {
  bool markdown = false;
  for (const char* argument : arguments) {
    if (std::string_view(argument) != "--markdown")
      return usage_error("options", "unknown argument");
    markdown = true;
  }
  if (markdown) {
    print_markdown();
    return 0;
  }
  for (const OptionInfo& option : option_table()) {
    const std::string value = option_value(option.option);
    fmt::print("{}={}{}\n    {} Values: {}.\n", option.variable, value,
               value == option.default_value ? "" : "  (set)", option.help, option.values);
  }
  return 0;
}

}  // namespace guda::cli
