#include "compiler/device_ir/instruction_table.h"

#include <fmt/format.h>

#include <unordered_map>

namespace guda::device_ir {
namespace {

struct Class {
  std::string_view name;
  std::string_view alternatives;
};

constexpr Class kClasses[] = {
    {"$int", "u16|u32|u64|s16|s32|s64"},
    {"$int8", "u8|u16|u32|u64|s8|s16|s32|s64"},
    {"$bits", "b16|b32|b64"},
    {"$any", "b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64"},
    {"$mem", "b8|b16|b32|b64|b128|u8|u16|u32|u64|s8|s16|s32|s64|f16|f16x2|bf16|bf16x2|f32|f64"},
    {"$half", "f16|f16x2|bf16|bf16x2"},
    {"$rnd", "rn|rz|rm|rp"},
    {"$space",
     "global|shared|shared::cta|shared::cluster|local|param|param::entry|param::func|const"},
    {"$scope", "cta|cluster|gpu|gl|sys"},
    {"$sem", "weak|relaxed|acquire|release|acq_rel|sc|volatile|mmio"},
    {"$cmp", "eq|ne|lt|le|gt|ge|lo|ls|hi|hs|equ|neu|ltu|leu|gtu|geu|num|nan"},
    {"$bool", "and|or|xor|popc"},
    {"$cop", "ca|cg|cs|lu|cv|wb|wt|nc"},
    {"$evict",
     "L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|L1::no_allocate|"
     "evict_last|evict_normal"},
    {"$evict2", "L2::evict_normal|L2::evict_first|L2::evict_last"},
    {"$prefetch", "L2::64B|L2::128B|L2::256B"},
};

struct Slot {
  std::vector<std::string_view> alternatives;
  bool optional = false;

  bool admits(std::string_view modifier) const {
    for (std::string_view alternative : alternatives) {
      if (alternative == modifier) return true;
    }
    return false;
  }
};

struct CompiledRow {
  const Row* row;
  std::vector<Slot> slots;
  bool open = false;  // "...": further modifiers are admitted
};

void add_alternatives(std::string_view text, Slot& slot) {
  while (!text.empty()) {
    const size_t bar = text.find('|');
    const std::string_view part = text.substr(0, bar);
    text = bar == std::string_view::npos ? std::string_view() : text.substr(bar + 1);
    bool is_class = false;
    for (const Class& entry : kClasses) {
      if (entry.name == part) {
        add_alternatives(entry.alternatives, slot);
        is_class = true;
      }
    }
    if (!is_class) slot.alternatives.push_back(part);
  }
}

CompiledRow compile(const Row& row) {
  CompiledRow compiled{&row, {}, false};
  std::string_view text = row.pattern;
  while (!text.empty()) {
    const size_t blank = text.find(' ');
    std::string_view part = text.substr(0, blank);
    text = blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
    if (part.empty()) continue;
    if (part == "...") {
      compiled.open = true;
      continue;
    }
    Slot slot;
    if (part.back() == '?') {
      slot.optional = true;
      part.remove_suffix(1);
    }
    add_alternatives(part, slot);
    compiled.slots.push_back(std::move(slot));
  }
  return compiled;
}

struct Table {
  std::vector<const Row*> rows;
  std::unordered_map<std::string_view, std::vector<CompiledRow>> by_opcode;

  Table() {
    for (auto group :
         {integer_rows(), bit_rows(), float_rows(), comparison_rows(), conversion_rows(),
          move_rows(), memory_rows(), atomic_rows(), control_rows(), synchronization_rows(),
          warp_rows(), texture_rows(), mbarrier_rows(), video_rows(), matrix_rows()}) {
      for (const Row& row : group) {
        rows.push_back(&row);
        by_opcode[row.opcode].push_back(compile(row));
      }
    }
  }
};

const Table& table() {
  static const Table instance;
  return instance;
}

bool matches(const CompiledRow& row, const ptx::Instruction& instruction,
             std::string_view& unexpected) {
  uint64_t used = 0;
  for (std::string_view modifier : instruction.modifiers) {
    bool found = false;
    for (size_t i = 0; i < row.slots.size() && !found; ++i) {
      if ((used >> i & 1) == 0 && row.slots[i].admits(modifier)) {
        used |= uint64_t{1} << i;
        found = true;
      }
    }
    if (!found && !row.open) {
      unexpected = modifier;
      return false;
    }
  }
  for (size_t i = 0; i < row.slots.size(); ++i) {
    if ((used >> i & 1) == 0 && !row.slots[i].optional) return false;
  }
  return true;
}

}  // namespace

const Row* find_row(const ptx::Instruction& instruction, std::string& reason) {
  const auto entry = table().by_opcode.find(instruction.opcode);
  if (entry == table().by_opcode.end()) {
    reason = fmt::format("unsupported instruction '{}'", instruction.opcode);
    return nullptr;
  }
  const size_t operands = instruction.operands.size();
  bool count_is_wrong = false;
  std::string_view unexpected;
  for (const CompiledRow& row : entry->second) {
    if (!matches(row, instruction, unexpected)) continue;
    if (operands >= row.row->min_operands && operands <= row.row->max_operands) return row.row;
    count_is_wrong = true;
  }
  if (count_is_wrong) {
    reason = fmt::format("wrong number of operands ({})", operands);
  } else if (entry->second.size() == 1 && !unexpected.empty()) {
    reason = fmt::format("unsupported modifier '.{}'", unexpected);
  } else {
    reason = "unsupported combination of modifiers";
  }
  return nullptr;
}

std::vector<const Row*> all_rows() { return table().rows; }

}  // namespace guda::device_ir
