// Moves and address conversions (PTX ISA 9.7.9): mov, cvta, isspacep, mapa, getctarank.
#include <fmt/format.h>

#include "compiler/device_ir/float_operations.h"
#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

// {a, b} on either side packs or unpacks; the operand code does both.
void lower_mov(Lowering& l) {
  const ptx::Operand& source = l.operand(1);
  const ptx::Operand& destination = l.operand(0);
  if (source.kind == ptx::Operand::Kind::vector && destination.kind == ptx::Operand::Kind::vector) {
    l.fail("a vector cannot be moved to a vector");
    return;
  }
  l.out(l.in(1));
}

void lower_vector_mov(Lowering& l) {
  const Symbol from = l.fn.resolve(l.operand(1).name);
  const Symbol to = l.fn.resolve(l.operand(0).name);
  if (from.components.empty() || from.components.size() != to.components.size()) {
    l.fail("both operands must be vector registers of the same width");
    return;
  }
  for (size_t i = 0; i < from.components.size(); ++i) {
    llvm::Type* type = from.components[i]->getAllocatedType();
    Value* value = l.b.CreateLoad(type, from.components[i]);
    if (type != to.components[i]->getAllocatedType()) {
      l.fail("the vectors have different element types");
      return;
    }
    l.b.CreateStore(value, to.components[i]);
  }
}

// Only shared addresses differ from generic ones.
void lower_cvta(Lowering& l) {
  const ScalarType type = l.type();
  const StateSpace space = state_space(l);
  if (space != StateSpace::shared) {
    l.out(l.in(1));
    return;
  }
  llvm::Type* generic = llvm::PointerType::get(l.context(), 0);
  llvm::Type* shared = llvm::PointerType::get(l.context(), 3);
  const bool to_shared = l.has("to");
  Value* pointer = l.b.CreateIntToPtr(l.in(1), to_shared ? generic : shared);
  Value* converted = l.b.CreateAddrSpaceCast(pointer, to_shared ? shared : generic);
  l.out(l.b.CreatePtrToInt(converted, l.llvm_type(type)));
}

void lower_isspacep(Lowering& l) {
  const StateSpace space = state_space(l);
  const char* name = space == StateSpace::shared     ? "shared"
                     : space == StateSpace::global   ? "global"
                     : space == StateSpace::constant ? "const"
                     : space == StateSpace::local    ? "local"
                                                     : "param";
  Value* address = l.in(1, ScalarType::u64);
  l.out(0, ScalarType::pred,
        l.call(fmt::format("ptx.isspacep.{}", name), l.b.getInt1Ty(), {address}));
}

// A cluster is one block: its own shared memory is everybody's.
void lower_mapa(Lowering& l) { l.out(l.in(1)); }

void lower_getctarank(Lowering& l) { l.out(0, ScalarType::u32, l.i32(0)); }

constexpr Row kRows[] = {
    {"mov", "pred|b128|f16|bf16|$any", 2, 2, Execution::pure, lower_mov},
    {"mov", "v2|v4 $any", 2, 2, Execution::effect, lower_vector_mov},
    {"cvta", "to? $space u32|u64", 2, 2, Execution::pure, lower_cvta},
    {"isspacep", "$space", 2, 2, Execution::pure, lower_isspacep},
    {"mapa", "shared::cluster? u32|u64", 3, 3, Execution::pure, lower_mapa},
    {"getctarank", "shared::cluster? u32|u64", 2, 2, Execution::pure, lower_getctarank},
};

}  // namespace

std::span<const Row> move_rows() { return kRows; }

}  // namespace guda::device_ir
