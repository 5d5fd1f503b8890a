// The table of PTX instructions: opcode and admitted modifiers -> lowering function.
//
// A row's pattern lists modifier slots separated by blanks. A slot is a list of alternatives with
// |, or a class such as $int (see kClasses in the .cpp); a trailing ? makes it optional. Modifiers
// may come in any order (compilers do not agree on one), except that equal alternatives fill slots
// from left to right. "..." admits anything else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ptx/ast.h"

namespace guda::device_ir {

class Lowering;

enum class Execution : uint8_t {
  pure,     // no side effect, never traps: a predicate becomes a select of the results
  effect,   // a predicate becomes a branch around the instruction
  control,  // the lowering function handles the predicate itself
};

struct Row {
  std::string_view opcode;
  std::string_view pattern;
  uint8_t min_operands;
  uint8_t max_operands;
  Execution execution;
  void (*lower)(Lowering&);
};

/// The row for an instruction, or null; then `reason` says what does not fit.
const Row* find_row(const ptx::Instruction& instruction, std::string& reason);

/// All rows, in lookup order.
std::vector<const Row*> all_rows();

// One per instruction group.
std::span<const Row> integer_rows();
std::span<const Row> bit_rows();
std::span<const Row> float_rows();
std::span<const Row> comparison_rows();
std::span<const Row> conversion_rows();
std::span<const Row> move_rows();
std::span<const Row> memory_rows();
std::span<const Row> atomic_rows();
std::span<const Row> control_rows();
std::span<const Row> synchronization_rows();
std::span<const Row> warp_rows();
std::span<const Row> texture_rows();
std::span<const Row> mbarrier_rows();
std::span<const Row> video_rows();
std::span<const Row> matrix_rows();

}  // namespace guda::device_ir
