// Video instructions (PTX ISA 9.7.17): scalar, two-lane and four-lane integer operations with
// selectable bytes and half-words.
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

bool ends_with_digit(std::string_view opcode, char digit) { return opcode.back() == digit; }

// Bits [shift, shift + width) of a 32-bit value as i64.
Value* field(Lowering& l, Value* value, unsigned shift, unsigned width, bool with_sign) {
  auto& b = l.b;
  if (shift != 0) value = b.CreateLShr(value, shift);
  value = b.CreateTrunc(value, b.getIntNTy(width));
  return with_sign ? b.CreateSExt(value, b.getInt64Ty()) : b.CreateZExt(value, b.getInt64Ty());
}

struct Part {
  unsigned shift = 0, width = 32;
};

// "b0" ... "b3", "h0", "h1"; nothing: the whole register.
Part part_of(Lowering& l, std::string_view component) {
  if (component.empty()) return {};
  if (component.size() == 2 && component[1] >= '0' && component[1] <= '3') {
    const unsigned index = static_cast<unsigned>(component[1] - '0');
    if (component[0] == 'b') return {8 * index, 8};
    if (component[0] == 'h' && index < 2) return {16 * index, 16};
  }
  l.fail("unknown selector");
  return {};
}

Value* raw(Lowering& l, size_t index) {
  ptx::Operand operand = l.operand(index);
  operand.component = {};
  operand.negated = false;
  return l.fn.read(operand, ScalarType::b32);
}

Value* scalar_operand(Lowering& l, size_t index, ScalarType type) {
  const Part part = part_of(l, l.operand(index).component);
  Value* value = field(l, raw(l, index), part.shift, part.width, is_signed(type));
  return l.operand(index).negated ? l.b.CreateNeg(value) : value;
}

Value* clamp(Lowering& l, Value* value, unsigned width, bool with_sign) {
  const int64_t low = with_sign ? -(int64_t{1} << (width - 1)) : 0;
  const int64_t high = with_sign ? (int64_t{1} << (width - 1)) - 1 : (int64_t{1} << width) - 1;
  value = l.intrinsic(llvm::Intrinsic::smax, {value, l.b.getInt64(static_cast<uint64_t>(low))});
  return l.intrinsic(llvm::Intrinsic::smin, {value, l.b.getInt64(static_cast<uint64_t>(high))});
}

Value* compare(Lowering& l, Value* left, Value* right) {
  struct Comparison {
    std::string_view name;
    llvm::CmpInst::Predicate predicate;
  };
  // Both sides are exact in 64 bits, so signed comparisons serve all types.
  constexpr Comparison kComparisons[] = {
      {"eq", llvm::CmpInst::ICMP_EQ},  {"ne", llvm::CmpInst::ICMP_NE},
      {"lt", llvm::CmpInst::ICMP_SLT}, {"le", llvm::CmpInst::ICMP_SLE},
      {"gt", llvm::CmpInst::ICMP_SGT}, {"ge", llvm::CmpInst::ICMP_SGE},
  };
  for (const Comparison& entry : kComparisons) {
    if (l.has(entry.name)) {
      return l.b.CreateZExt(l.b.CreateICmp(entry.predicate, left, right), l.b.getInt64Ty());
    }
  }
  l.fail("no comparison");
  return left;
}

// The operation without its lane count: vadd4 -> "add".
Value* operate(Lowering& l, Value* left, Value* right) {
  auto& b = l.b;
  std::string_view name = l.ast.opcode.substr(1);
  if (ends_with_digit(name, '2') || ends_with_digit(name, '4')) name.remove_suffix(1);
  if (name == "add") return b.CreateAdd(left, right);
  if (name == "sub") return b.CreateSub(left, right);
  if (name == "min") return l.intrinsic(llvm::Intrinsic::smin, {left, right});
  if (name == "max") return l.intrinsic(llvm::Intrinsic::smax, {left, right});
  if (name == "set") return compare(l, left, right);
  if (name == "avrg") {
    // Halves round away from zero.
    Value* sum = b.CreateAdd(left, right);
    Value* bias = b.CreateZExt(b.CreateICmpSGE(sum, l.i64(0)), b.getInt64Ty());
    return b.CreateAShr(b.CreateAdd(sum, bias), 1);
  }
  if (name == "absdiff") {
    return b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, b.CreateSub(left, right), b.getFalse());
  }
  if (name == "shl" || name == "shr") {
    Value* amount = l.has("wrap") ? b.CreateAnd(right, l.i64(31))
                                  : l.intrinsic(llvm::Intrinsic::umin, {right, l.i64(32)});
    return name == "shl" ? b.CreateShl(left, amount) : b.CreateAShr(left, amount);
  }
  l.fail("unknown operation");
  return left;
}

// The secondary operation with c, or the merge of the result into c's selected part.
void finish_scalar(Lowering& l, Value* value, bool with_sign) {
  auto& b = l.b;
  const Part part = part_of(l, l.operand(0).component);
  if (l.has("sat")) value = clamp(l, value, part.width, with_sign);
  ptx::Operand destination = l.operand(0);
  destination.component = {};
  if (l.operand_count() == 4 && part.width != 32) {
    Value* other = l.in(3, ScalarType::b32);
    const uint32_t mask = ((uint32_t{1} << part.width) - 1) << part.shift;
    Value* shifted = b.CreateShl(b.CreateTrunc(value, b.getInt32Ty()), part.shift);
    Value* merged = b.CreateOr(b.CreateAnd(other, l.i32(~mask)), b.CreateAnd(shifted, l.i32(mask)));
    l.fn.write(destination, ScalarType::b32, merged);
    return;
  }
  Value* result = b.CreateTrunc(value, b.getInt32Ty());
  if (l.operand_count() == 4) {
    Value* other = l.in(3, ScalarType::b32);
    if (l.has("min")) {
      result =
          l.intrinsic(with_sign ? llvm::Intrinsic::smin : llvm::Intrinsic::umin, {result, other});
    } else if (l.has("max")) {
      result =
          l.intrinsic(with_sign ? llvm::Intrinsic::smax : llvm::Intrinsic::umax, {result, other});
    } else {
      result = b.CreateAdd(result, other);
    }
  }
  l.fn.write(destination, ScalarType::b32, result);
}

void lower_scalar(Lowering& l) {
  const bool sets = l.ast.opcode == "vset";
  const ScalarType result = l.type(0);
  Value* left = scalar_operand(l, 1, l.type(sets ? 0 : 1));
  Value* right = scalar_operand(l, 2, l.type(sets ? 1 : 2));
  Value* value = operate(l, left, right);
  if (!l.fn.failed()) finish_scalar(l, value, !sets && is_signed(result));
}

void lower_vmad(Lowering& l) {
  auto& b = l.b;
  const bool with_sign = is_signed(l.type(0));
  Value* product = b.CreateMul(scalar_operand(l, 1, l.type(1)), scalar_operand(l, 2, l.type(2)));
  Value* addend = field(l, raw(l, 3), 0, 32, with_sign);
  if (l.operand(3).negated) addend = b.CreateNeg(addend);
  Value* sum = b.CreateAdd(product, addend);
  if (l.has("po")) sum = b.CreateAdd(sum, l.i64(1));
  if (l.has("shr7")) sum = b.CreateAShr(sum, 7);
  if (l.has("shr15")) sum = b.CreateAShr(sum, 15);
  if (l.has("sat")) sum = clamp(l, sum, 32, with_sign);
  l.out(0, ScalarType::b32, b.CreateTrunc(sum, b.getInt32Ty()));
}

// Lanes of a selector such as "h10" or "b7531", lowest lane first; numbers from 4 (or 2) on are of
// the second register.
bool lane_selection(Lowering& l, std::string_view component, unsigned count, bool first,
                    llvm::SmallVectorImpl<unsigned>& lanes) {
  for (unsigned i = 0; i < count; ++i) lanes.push_back(first ? i : count + i);
  if (component.empty()) return true;
  if (component.size() != count + 1) {
    l.fail("unknown lane selector");
    return false;
  }
  for (unsigned i = 0; i < count; ++i) {
    const unsigned lane = static_cast<unsigned>(component[count - i] - '0');
    if (lane >= 2 * count) {
      l.fail("unknown lane selector");
      return false;
    }
    lanes[i] = lane;
  }
  return true;
}

void lower_lanes(Lowering& l) {
  auto& b = l.b;
  const unsigned count = ends_with_digit(l.ast.opcode, '2') ? 2 : 4;
  const unsigned width = 32 / count;
  const bool sets = l.ast.opcode.starts_with("vset");
  const bool left_sign = is_signed(l.type(sets ? 0 : 1));
  const bool right_sign = is_signed(l.type(sets ? 1 : 2));
  const bool with_sign = !sets && is_signed(l.type(0));
  llvm::SmallVector<unsigned, 4> left_lanes, right_lanes;
  if (!lane_selection(l, l.operand(1).component, count, true, left_lanes) ||
      !lane_selection(l, l.operand(2).component, count, false, right_lanes)) {
    return;
  }
  Value* sources[2] = {raw(l, 1), raw(l, 2)};
  Value* other = l.in(3, ScalarType::b32);
  // The destination's selector names the lanes that are computed.
  const std::string_view mask = l.operand(0).component;
  auto computed = [&](unsigned lane) {
    return mask.empty() || mask.find(static_cast<char>('0' + lane)) != std::string_view::npos;
  };
  Value* sum = other;
  Value* merged = l.i32(0);
  for (unsigned i = 0; i < count; ++i) {
    const uint32_t lane_mask = ((uint32_t{1} << width) - 1) << (i * width);
    if (!computed(i)) {
      merged = b.CreateOr(merged, b.CreateAnd(other, l.i32(lane_mask)));
      continue;
    }
    Value* left =
        field(l, sources[left_lanes[i] / count], left_lanes[i] % count * width, width, left_sign);
    Value* right = field(l, sources[right_lanes[i] / count], right_lanes[i] % count * width, width,
                         right_sign);
    Value* value = operate(l, left, right);
    if (l.has("sat")) value = clamp(l, value, width, with_sign);
    Value* narrow = b.CreateTrunc(value, b.getInt32Ty());
    sum = b.CreateAdd(sum, narrow);
    merged = b.CreateOr(merged, b.CreateAnd(b.CreateShl(narrow, i * width), l.i32(lane_mask)));
  }
  ptx::Operand destination = l.operand(0);
  destination.component = {};
  l.fn.write(destination, ScalarType::b32, l.has("add") ? sum : merged);
}

constexpr std::string_view kArithmetic = "u32|s32 u32|s32 u32|s32 sat? add|min|max?";
constexpr std::string_view kShift = "u32|s32 u32|s32 u32 sat? clamp|wrap add|min|max?";
constexpr std::string_view kLanes = "u32|s32 u32|s32 u32|s32 sat? add?";
constexpr std::string_view kLaneSet = "u32|s32 u32|s32 eq|ne|lt|le|gt|ge add?";

constexpr Row kRows[] = {
    {"vadd", kArithmetic, 3, 4, Execution::pure, lower_scalar},
    {"vsub", kArithmetic, 3, 4, Execution::pure, lower_scalar},
    {"vabsdiff", kArithmetic, 3, 4, Execution::pure, lower_scalar},
    {"vmin", kArithmetic, 3, 4, Execution::pure, lower_scalar},
    {"vmax", kArithmetic, 3, 4, Execution::pure, lower_scalar},
    {"vshl", kShift, 3, 4, Execution::pure, lower_scalar},
    {"vshr", kShift, 3, 4, Execution::pure, lower_scalar},
    {"vset", "u32|s32 u32|s32 eq|ne|lt|le|gt|ge add|min|max?", 3, 4, Execution::pure, lower_scalar},
    {"vmad", "u32|s32 u32|s32 u32|s32 po? sat? shr7|shr15?", 4, 4, Execution::pure, lower_vmad},
    {"vadd2", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vsub2", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vavrg2", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vabsdiff2", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vmin2", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vmax2", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vset2", kLaneSet, 4, 4, Execution::pure, lower_lanes},
    {"vadd4", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vsub4", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vavrg4", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vabsdiff4", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vmin4", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vmax4", kLanes, 4, 4, Execution::pure, lower_lanes},
    {"vset4", kLaneSet, 4, 4, Execution::pure, lower_lanes},
};

}  // namespace

std::span<const Row> video_rows() { return kRows; }

}  // namespace guda::device_ir
