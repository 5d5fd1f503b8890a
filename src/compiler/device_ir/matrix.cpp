// Warp-level matrix instructions (PTX ISA 9.7.14): mma.sync, wmma, ldmatrix, stmatrix, movmatrix,
// written out with shuffles and multiply-adds.
//
// One layout serves all shapes and is the one the ISA documents for mma.m16n8kK and m8n8kK. With
// g = lane / 4, t = lane % 4 and P elements per register (f16 2, tf32 1, 8-bit 4, f64 1):
//   A register [k block][row block]: row 8 * block + g, columns 4 P * block + t P ... + P - 1
//   B register [k block][column block]: column 8 * block + g, rows as A's columns
//   C, D [column block][row block][j]: row 8 * block + g, column 8 * block + 2 t + j
// The ISA leaves wmma fragments opaque; they use the same layout, in as many registers as it says.
#include <fmt/format.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

struct Shape {
  unsigned m = 0, n = 0, k = 0;
};

// "m16n8k16"
bool parse_shape(Lowering& l, Shape& shape) {
  for (std::string_view text : l.ast.modifiers) {
    if (text.size() < 6 || text[0] != 'm' || text[1] < '0' || text[1] > '9') continue;
    unsigned* fields[] = {&shape.m, &shape.n, &shape.k};
    int field = -1;
    for (char c : text) {
      if (c >= '0' && c <= '9') {
        *fields[field] = *fields[field] * 10 + static_cast<unsigned>(c - '0');
      } else {
        ++field;
        if (field > 2 || c != "mnk"[field]) return false;
      }
    }
    return field == 2 && shape.m % 8 == 0 && shape.n % 8 == 0 && shape.m <= 64 && shape.n <= 64 &&
           shape.k <= 128;
  }
  return false;
}

unsigned elements_per_register(ScalarType type) {
  switch (type) {
    case ScalarType::f16:
    case ScalarType::bf16: return 2;
    case ScalarType::s8:
    case ScalarType::u8: return 4;
    default: return 1;
  }
}

unsigned element_bits(ScalarType type) {
  return type == ScalarType::tf32 ? 32 : ptx::bit_width(type);
}

ScalarType register_bits(ScalarType type) {
  return type == ScalarType::f64 ? ScalarType::b64 : ScalarType::b32;
}

class Lanes {
 public:
  explicit Lanes(Lowering& l) : l_(l) {
    Value* lane = l.call("ptx.sreg.laneid", l.b.getInt32Ty(), {});
    group = l.b.CreateLShr(lane, 2);
    thread = l.b.CreateAnd(lane, 3);
    group_base = l.b.CreateAnd(lane, l.i32(0x1c));
  }

  /// The value that lane `lane` has, for all lanes of the warp.
  Value* shuffle(Value* value, Value* lane) {
    auto& b = l_.b;
    if (value->getType()->isIntegerTy(64)) {
      Value* low = shuffle(b.CreateTrunc(value, b.getInt32Ty()), lane);
      Value* high = shuffle(b.CreateTrunc(b.CreateLShr(value, 32), b.getInt32Ty()), lane);
      Value* wide = b.CreateShl(b.CreateZExt(high, b.getInt64Ty()), 32);
      return b.CreateOr(wide, b.CreateZExt(low, b.getInt64Ty()));
    }
    auto* pair = llvm::StructType::get(b.getInt32Ty(), b.getInt1Ty());
    Value* result = l_.call("ptx.shfl.sync.idx.b32", pair,
                            {value, lane, l_.i32(31), l_.i32(0xffffffff)}, Effects::warp);
    return b.CreateExtractValue(result, 0);
  }

  Value* group;       // lane / 4
  Value* thread;      // lane % 4
  Value* group_base;  // lane of the group's first thread

 private:
  Lowering& l_;
};

// Element `index` of a register as the type it is multiplied in: float, double or i32.
Value* unpack(Lowering& l, Value* bits, ScalarType type, unsigned index) {
  auto& b = l.b;
  switch (type) {
    case ScalarType::f16: {
      Value* part = index == 0 ? bits : b.CreateLShr(bits, 16);
      Value* half = b.CreateBitCast(b.CreateTrunc(part, b.getInt16Ty()), b.getHalfTy());
      return b.CreateFPExt(half, b.getFloatTy());
    }
    case ScalarType::bf16: {
      Value* part = index == 0 ? b.CreateShl(bits, 16) : b.CreateAnd(bits, l.i32(0xffff0000));
      return b.CreateBitCast(part, b.getFloatTy());
    }
    case ScalarType::tf32:
      return b.CreateBitCast(b.CreateAnd(bits, l.i32(0xffffe000)), b.getFloatTy());
    case ScalarType::f64: return b.CreateBitCast(bits, b.getDoubleTy());
    case ScalarType::s8:
      return b.CreateAShr(index == 3 ? bits : b.CreateShl(bits, 24 - 8 * index), 24);
    default: {
      Value* part = index == 0 ? bits : b.CreateLShr(bits, 8 * index);
      return index == 3 ? part : b.CreateAnd(part, l.i32(0xff));
    }
  }
}

bool read_registers(Lowering& l, size_t operand, size_t count, ScalarType type,
                    llvm::SmallVectorImpl<Value*>& values) {
  const llvm::ArrayRef<ptx::Operand> elements = l.elements(operand);
  if (elements.size() < count) {
    l.fail("a fragment has too few registers");
    return false;
  }
  for (size_t i = 0; i < count; ++i) values.push_back(l.fn.read(elements[i], type));
  return !l.fn.failed();
}

// Accumulators as float, double or i32.
bool read_accumulators(Lowering& l, size_t operand, size_t count, ScalarType type,
                       llvm::SmallVectorImpl<Value*>& values) {
  if (type != ScalarType::f16) {
    return read_registers(l, operand, count, type == ScalarType::s32 ? ScalarType::b32 : type,
                          values);
  }
  llvm::SmallVector<Value*, 8> packed;
  if (!read_registers(l, operand, count / 2, ScalarType::b32, packed)) return false;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(unpack(l, packed[i / 2], ScalarType::f16, i % 2));
  }
  return true;
}

bool write_accumulators(Lowering& l, size_t operand, ScalarType type,
                        llvm::ArrayRef<Value*> values) {
  const llvm::ArrayRef<ptx::Operand> elements = l.elements(operand);
  const size_t count = type == ScalarType::f16 ? values.size() / 2 : values.size();
  if (elements.size() != count) {
    l.fail("the result has the wrong number of registers");
    return false;
  }
  for (size_t i = 0; i < count; ++i) {
    if (type != ScalarType::f16) {
      l.fn.write(elements[i], type == ScalarType::s32 ? ScalarType::b32 : type, values[i]);
      continue;
    }
    Value* packed = llvm::PoisonValue::get(l.llvm_type(ScalarType::f16x2));
    for (size_t j = 0; j < 2; ++j) {
      Value* half = l.b.CreateFPTrunc(values[2 * i + j], l.b.getHalfTy());
      packed = l.b.CreateInsertElement(packed, half, uint64_t{j});
    }
    l.fn.write(elements[i], ScalarType::f16x2, packed);
  }
  return true;
}

// D = A B + C for operands 0 to 3; A, B of one register width.
void multiply(Lowering& l, const Shape& shape, ScalarType a_type, ScalarType b_type,
              ScalarType c_type, ScalarType d_type) {
  auto& b = l.b;
  const unsigned per = elements_per_register(a_type);
  if (elements_per_register(b_type) != per || shape.k % (4 * per) != 0) {
    l.fail("unsupported matrix shape");
    return;
  }
  const unsigned rows = shape.m / 8, columns = shape.n / 8, depth = shape.k / (4 * per);
  const unsigned accumulators = rows * columns * 2;
  llvm::SmallVector<Value*, 8> a, bs;
  llvm::SmallVector<Value*, 16> sums;
  if (!read_registers(l, 1, size_t{rows} * depth, register_bits(a_type), a) ||
      !read_registers(l, 2, size_t{columns} * depth, register_bits(b_type), bs) ||
      !read_accumulators(l, 3, accumulators, c_type, sums)) {
    return;
  }
  const bool integer = d_type == ScalarType::s32;
  Lanes lanes(l);
  Value* first_column = b.CreateShl(lanes.thread, 3);
  const llvm::SmallVector<Value*, 16> initial = sums;
  if (integer) std::fill(sums.begin(), sums.end(), l.i32(0));
  for (unsigned block = 0; block < depth; ++block) {
    for (unsigned thread = 0; thread < 4; ++thread) {
      llvm::SmallVector<Value*, 8> left, right;
      Value* a_lane = b.CreateOr(lanes.group_base, l.i32(thread));
      for (unsigned row = 0; row < rows; ++row) {
        left.push_back(lanes.shuffle(a[block * rows + row], a_lane));
      }
      for (unsigned column = 0; column < columns; ++column) {
        for (unsigned j = 0; j < 2; ++j) {
          Value* b_lane = b.CreateOr(first_column, l.i32(4 * j + thread));
          right.push_back(lanes.shuffle(bs[block * columns + column], b_lane));
        }
      }
      for (unsigned element = 0; element < per; ++element) {
        llvm::SmallVector<Value*, 8> x, y;
        for (Value* value : left) x.push_back(unpack(l, value, a_type, element));
        for (Value* value : right) y.push_back(unpack(l, value, b_type, element));
        for (unsigned i = 0; i < accumulators; ++i) {
          const unsigned row = i / 2 % rows, column = i / 2 / rows;
          Value* factor = y[2 * column + i % 2];
          sums[i] = integer ? b.CreateAdd(sums[i], b.CreateMul(x[row], factor))
                            : l.intrinsic(llvm::Intrinsic::fma, {x[row], factor, sums[i]});
        }
      }
    }
  }
  if (integer) {
    for (unsigned i = 0; i < accumulators; ++i) {
      sums[i] = l.has("satfinite") ? l.intrinsic(llvm::Intrinsic::sadd_sat, {initial[i], sums[i]})
                                   : b.CreateAdd(initial[i], sums[i]);
    }
  }
  write_accumulators(l, 0, d_type, sums);
}

void lower_mma(Lowering& l) {
  Shape shape;
  if (!parse_shape(l, shape)) {
    l.fail("unsupported matrix shape");
    return;
  }
  // d, a, b, c; wmma of f16 names only d and c.
  const bool short_form = l.types.size() == 2;
  const ScalarType a = short_form ? ScalarType::f16 : l.type(1);
  const ScalarType b = short_form ? ScalarType::f16 : l.type(2);
  multiply(l, shape, a, b, l.type(short_form ? 1 : 3), l.type(0));
}

// Addresses of fragment elements in memory: element (row, column) of a matrix.
class MatrixAddress {
 public:
  MatrixAddress(Lowering& l, Value* base, Value* stride, bool row_major, unsigned bits)
      : l_(l), base_(base), stride_(stride), row_major_(row_major), bytes_(bits / 8) {}

  Value* at(Value* row, Value* column) {
    auto& b = l_.b;
    Value* major = b.CreateZExt(row_major_ ? row : column, b.getInt64Ty());
    Value* minor = b.CreateZExt(row_major_ ? column : row, b.getInt64Ty());
    Value* index = b.CreateAdd(b.CreateMul(major, stride_), minor);
    return b.CreateGEP(b.getInt8Ty(), base_, b.CreateMul(index, l_.i64(bytes_)));
  }

 private:
  Lowering& l_;
  Value* base_;
  Value* stride_;
  bool row_major_;
  unsigned bytes_;
};

Value* plus(Lowering& l, Value* value, unsigned offset) {
  return offset == 0 ? value : l.b.CreateAdd(value, l.i32(offset));
}

Value* stride_operand(Lowering& l, size_t index, unsigned otherwise) {
  if (l.operand_count() <= index) return l.i64(otherwise);
  return l.b.CreateZExt(l.in(index, ScalarType::b32), l.b.getInt64Ty());
}

// One A or B register: `count` elements along k from (line, depth).
Value* load_register(Lowering& l, MatrixAddress& address, bool is_a, bool contiguous, Value* line,
                     Value* depth, ScalarType type) {
  auto& b = l.b;
  const unsigned per = elements_per_register(type), bits = element_bits(type);
  llvm::Type* whole = b.getIntNTy(per * bits);
  auto at = [&](unsigned element) {
    Value* k = plus(l, depth, element);
    return is_a ? address.at(line, k) : address.at(k, line);
  };
  if (contiguous || per == 1) return b.CreateAlignedLoad(whole, at(0), llvm::Align(per * bits / 8));
  Value* value = nullptr;
  for (unsigned i = 0; i < per; ++i) {
    Value* element = b.CreateAlignedLoad(b.getIntNTy(bits), at(i), llvm::Align(bits / 8));
    element = b.CreateZExt(element, whole);
    if (i != 0) element = b.CreateShl(element, i * bits);
    value = value == nullptr ? element : b.CreateOr(value, element);
  }
  return value;
}

void lower_wmma_load(Lowering& l) {
  Shape shape;
  if (!parse_shape(l, shape)) {
    l.fail("unsupported matrix shape");
    return;
  }
  auto& b = l.b;
  const ScalarType type = l.type();
  const bool is_a = l.has("a"), is_b = l.has("b"), row_major = l.has("row");
  const unsigned height = is_b ? shape.k : shape.m, width = is_a ? shape.k : shape.n;
  Value* base = l.fn.pointer(l.operand(1), state_space(l));
  Value* stride = stride_operand(l, 2, row_major ? width : height);
  if (l.fn.failed()) return;
  MatrixAddress address(l, base, stride, row_major, element_bits(type));
  Lanes lanes(l);
  const llvm::ArrayRef<ptx::Operand> results = l.elements(0);
  if (is_a || is_b) {
    const unsigned per = elements_per_register(type);
    const unsigned lines = (is_a ? shape.m : shape.n) / 8, depth = shape.k / (4 * per);
    llvm::SmallVector<Value*, 8> registers;
    Value* first = b.CreateMul(lanes.thread, l.i32(per));
    for (unsigned block = 0; block < depth; ++block) {
      for (unsigned line = 0; line < lines; ++line) {
        registers.push_back(load_register(l, address, is_a, is_a == row_major,
                                          plus(l, lanes.group, 8 * line),
                                          plus(l, first, 4 * per * block), type));
      }
    }
    if (registers.empty() || results.size() % registers.size() != 0) {
      l.fail("the fragment has the wrong number of registers");
      return;
    }
    // f16 fragments have room for every element twice.
    for (size_t i = 0; i < results.size(); ++i) {
      l.fn.write(results[i], register_bits(type), registers[i % registers.size()]);
    }
    return;
  }
  llvm::SmallVector<Value*, 16> values;
  Value* first = b.CreateShl(lanes.thread, 1);
  for (unsigned column = 0; column < shape.n / 8; ++column) {
    for (unsigned row = 0; row < shape.m / 8; ++row) {
      for (unsigned j = 0; j < 2; ++j) {
        Value* from = address.at(plus(l, lanes.group, 8 * row), plus(l, first, 8 * column + j));
        llvm::Type* element =
            type == ScalarType::f16 ? b.getHalfTy() : memory_type(l.context(), type);
        Value* value = b.CreateAlignedLoad(element, from, llvm::Align(element_bits(type) / 8));
        if (type == ScalarType::f16) value = b.CreateFPExt(value, b.getFloatTy());
        values.push_back(value);
      }
    }
  }
  write_accumulators(l, 0, type, values);
}

void lower_wmma_store(Lowering& l) {
  Shape shape;
  if (!parse_shape(l, shape)) {
    l.fail("unsupported matrix shape");
    return;
  }
  auto& b = l.b;
  const ScalarType type = l.type();
  const bool row_major = l.has("row");
  Value* base = l.fn.pointer(l.operand(0), state_space(l));
  Value* stride = stride_operand(l, 2, row_major ? shape.n : shape.m);
  llvm::SmallVector<Value*, 16> values;
  const unsigned rows = shape.m / 8, columns = shape.n / 8;
  if (l.fn.failed() || !read_accumulators(l, 1, size_t{rows} * columns * 2, type, values)) return;
  MatrixAddress address(l, base, stride, row_major, element_bits(type));
  Lanes lanes(l);
  Value* first = b.CreateShl(lanes.thread, 1);
  for (unsigned i = 0; i < values.size(); ++i) {
    const unsigned row = i / 2 % rows, column = i / 2 / rows;
    Value* to = address.at(plus(l, lanes.group, 8 * row), plus(l, first, 8 * column + i % 2));
    Value* value = values[i];
    if (type == ScalarType::f16) value = b.CreateFPTrunc(value, b.getHalfTy());
    b.CreateAlignedStore(value, to, llvm::Align(element_bits(type) / 8));
  }
}

// The row address that lane `lane` supplies, advanced by `offset` bytes.
Value* row_address(Lowering& l, Lanes& lanes, Value* address, Value* lane, Value* offset) {
  const unsigned space = state_space(l) == StateSpace::shared ? 3 : 0;
  Value* row =
      l.b.CreateIntToPtr(lanes.shuffle(address, lane), llvm::PointerType::get(l.context(), space));
  return l.b.CreateGEP(l.b.getInt8Ty(), row, offset);
}

// ldmatrix and stmatrix: lanes 8 i to 8 i + 7 hold the row addresses of matrix i.
void lower_matrix_move(Lowering& l) {
  auto& b = l.b;
  const bool loads = l.ast.opcode == "ldmatrix";
  const unsigned count = l.has("x4") ? 4 : l.has("x2") ? 2 : 1;
  const llvm::ArrayRef<ptx::Operand> registers = l.elements(loads ? 0 : 1);
  Value* pointer = l.fn.pointer(l.operand(loads ? 1 : 0), state_space(l));
  if (registers.size() != count) l.fail("wrong number of registers");
  if (l.fn.failed()) return;
  llvm::Type* integer =
      pointer->getType()->getPointerAddressSpace() == 3 ? b.getInt32Ty() : b.getInt64Ty();
  Value* address = b.CreatePtrToInt(pointer, integer);
  Lanes lanes(l);
  auto wide = [&](Value* value) { return b.CreateZExt(value, b.getInt64Ty()); };
  for (unsigned matrix = 0; matrix < count; ++matrix) {
    Value* stored = loads ? nullptr : l.fn.read(registers[matrix], ScalarType::b32);
    if (!l.has("trans")) {
      Value* at = row_address(l, lanes, address, plus(l, lanes.group, 8 * matrix),
                              wide(b.CreateShl(lanes.thread, 2)));
      if (loads) {
        l.fn.write(registers[matrix], ScalarType::b32,
                   b.CreateAlignedLoad(b.getInt32Ty(), at, llvm::Align(4)));
      } else {
        b.CreateAlignedStore(stored, at, llvm::Align(4));
      }
      continue;
    }
    Value* result = nullptr;
    for (unsigned j = 0; j < 2; ++j) {
      Value* row = plus(l, b.CreateShl(lanes.thread, 1), 8 * matrix + j);
      Value* at = row_address(l, lanes, address, row, wide(b.CreateShl(lanes.group, 1)));
      if (loads) {
        Value* half = b.CreateAlignedLoad(b.getInt16Ty(), at, llvm::Align(2));
        half = b.CreateZExt(half, b.getInt32Ty());
        result = j == 0 ? half : b.CreateOr(result, b.CreateShl(half, 16));
      } else {
        Value* half = j == 0 ? stored : b.CreateLShr(stored, 16);
        b.CreateAlignedStore(b.CreateTrunc(half, b.getInt16Ty()), at, llvm::Align(2));
      }
    }
    if (loads) l.fn.write(registers[matrix], ScalarType::b32, result);
  }
}

// movmatrix.trans: element (g, 2 t + j) comes from row 2 t + j, column g.
void lower_movmatrix(Lowering& l) {
  auto& b = l.b;
  Value* source = l.in(1, ScalarType::b32);
  Lanes lanes(l);
  Value* result = nullptr;
  Value* odd = b.CreateTrunc(lanes.group, b.getInt1Ty());
  for (unsigned j = 0; j < 2; ++j) {
    Value* row = plus(l, b.CreateShl(lanes.thread, 1), j);
    Value* lane = b.CreateAdd(b.CreateShl(row, 2), b.CreateLShr(lanes.group, 1));
    Value* pair = lanes.shuffle(source, lane);
    Value* half = b.CreateSelect(odd, b.CreateLShr(pair, 16), b.CreateAnd(pair, l.i32(0xffff)));
    result = j == 0 ? half : b.CreateOr(result, b.CreateShl(half, 16));
  }
  l.out(0, ScalarType::b32, result);
}

constexpr Row kRows[] = {
    {"mma", "sync aligned m16n8k8|m16n8k16 row col f16|f32 f16|bf16 f16|bf16 f16|f32", 4, 4,
     Execution::effect, lower_mma},
    {"mma", "sync aligned m16n8k4|m16n8k8 row col f32 tf32 tf32 f32", 4, 4, Execution::effect,
     lower_mma},
    {"mma", "sync aligned m8n8k4|m16n8k4|m16n8k8|m16n8k16 row col rn? f64 f64 f64 f64", 4, 4,
     Execution::effect, lower_mma},
    {"mma", "sync aligned m8n8k16|m16n8k16|m16n8k32 row col satfinite? s32 s8|u8 s8|u8 s32", 4, 4,
     Execution::effect, lower_mma},
    {"wmma",
     "load a|b|c sync aligned row|col ... global|shared|shared::cta? "
     "f16|bf16|tf32|f32|f64|s8|u8|s32",
     2, 3, Execution::effect, lower_wmma_load},
    {"wmma", "store d sync aligned row|col ... global|shared|shared::cta? f16|f32|f64|s32", 2, 3,
     Execution::effect, lower_wmma_store},
    {"wmma", "mma sync aligned row|col row|col ... satfinite? f16|f32 f16|f32", 4, 4,
     Execution::effect, lower_mma},
    {"wmma",
     "mma sync aligned row|col row|col ... rn? satfinite? f32|s32|f64 bf16|tf32|s8|u8|f64 "
     "bf16|tf32|s8|u8|f64 f32|s32|f64",
     4, 4, Execution::effect, lower_mma},
    {"ldmatrix", "sync aligned m8n8 x1|x2|x4 trans? shared|shared::cta? b16", 2, 2,
     Execution::effect, lower_matrix_move},
    {"stmatrix", "sync aligned m8n8 x1|x2|x4 trans? shared|shared::cta? b16", 2, 2,
     Execution::effect, lower_matrix_move},
    {"movmatrix", "sync aligned m8n8 trans b16", 2, 2, Execution::effect, lower_movmatrix},
};

}  // namespace

std::span<const Row> matrix_rows() { return kRows; }

}  // namespace guda::device_ir
