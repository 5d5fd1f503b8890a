// Operations across the lanes of a warp (PTX ISA 9.7.9.6 and 9.7.13): shfl, vote, match, redux ...
#include <fmt/format.h>

#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

constexpr uint32_t kAllLanes = 0xffffffff;

Value* mask_operand(Lowering& l, size_t index) {
  // Forms without .sync have no mask.
  return l.has("sync") ? l.in(index, ScalarType::b32) : llvm::cast<Value>(l.i32(kAllLanes));
}

llvm::StructType* pair_type(Lowering& l) {
  return llvm::StructType::get(l.b.getInt32Ty(), l.b.getInt1Ty());
}

void out_pair(Lowering& l, Value* pair) {
  l.out_pair(0, ScalarType::b32, l.b.CreateExtractValue(pair, 0), l.b.CreateExtractValue(pair, 1));
}

void lower_shfl(Lowering& l) {
  const std::string_view mode = l.one_of("up down bfly idx");
  Value* value = l.in(1, ScalarType::b32);
  Value* lane = l.in(2, ScalarType::b32);
  Value* clamp = l.in(3, ScalarType::b32);
  out_pair(l, l.call(fmt::format("ptx.shfl.sync.{}.b32", mode), pair_type(l),
                     {value, lane, clamp, mask_operand(l, 4)}, Effects::warp));
}

void lower_vote(Lowering& l) {
  const std::string_view mode = l.one_of("all any uni ballot");
  Value* predicate = l.in(1, ScalarType::pred);
  const bool ballot = mode == "ballot";
  llvm::Type* type = ballot ? l.b.getInt32Ty() : l.b.getInt1Ty();
  l.out(0, ballot ? ScalarType::b32 : ScalarType::pred,
        l.call(fmt::format("ptx.vote.sync.{}", mode), type, {predicate, mask_operand(l, 2)},
               Effects::warp));
}

void lower_match(Lowering& l) {
  const std::string_view mode = l.one_of("any all");
  const ScalarType type = l.type();
  const std::string name = fmt::format("ptx.match.{}.sync.{}", mode, ptx::to_string(type));
  Value* value = l.in(1, type);
  Value* mask = l.in(2, ScalarType::b32);
  if (mode == "any") {
    l.out(0, ScalarType::b32, l.call(name, l.b.getInt32Ty(), {value, mask}, Effects::warp));
  } else {
    out_pair(l, l.call(name, pair_type(l), {value, mask}, Effects::warp));
  }
}

void lower_activemask(Lowering& l) {
  l.out(0, ScalarType::b32, l.call("ptx.activemask", l.b.getInt32Ty(), {}, Effects::warp));
}

void lower_redux(Lowering& l) {
  const std::string_view operation = l.one_of("add min max and or xor");
  const ScalarType type = l.type();
  std::string name = fmt::format("ptx.redux.sync.{}", operation);
  if (l.has("abs")) name += ".abs";
  if (l.has("NaN")) name += ".NaN";
  name += fmt::format(".{}", ptx::to_string(type));
  Value* value = l.in(1, type);
  l.out(l.call(name, value->getType(), {value, l.in(2, ScalarType::b32)}, Effects::warp));
}

void lower_elect(Lowering& l) {
  out_pair(l, l.call("ptx.elect.sync", pair_type(l), {l.in(1, ScalarType::b32)}, Effects::warp));
}

constexpr Row kRows[] = {
    {"shfl", "sync up|down|bfly|idx b32", 5, 5, Execution::effect, lower_shfl},
    {"shfl", "up|down|bfly|idx b32", 4, 4, Execution::effect, lower_shfl},
    {"vote", "sync all|any|uni pred", 3, 3, Execution::effect, lower_vote},
    {"vote", "sync ballot b32", 3, 3, Execution::effect, lower_vote},
    {"vote", "all|any|uni pred", 2, 2, Execution::effect, lower_vote},
    {"vote", "ballot b32", 2, 2, Execution::effect, lower_vote},
    {"match", "any|all sync b32|b64", 3, 3, Execution::effect, lower_match},
    {"activemask", "b32", 1, 1, Execution::effect, lower_activemask},
    {"redux", "sync add|min|max u32|s32", 3, 3, Execution::effect, lower_redux},
    {"redux", "sync and|or|xor b32", 3, 3, Execution::effect, lower_redux},
    {"redux", "sync min|max abs? NaN? f32", 3, 3, Execution::effect, lower_redux},
    {"elect", "sync", 2, 2, Execution::effect, lower_elect},
};

}  // namespace

std::span<const Row> warp_rows() { return kRows; }

}  // namespace guda::device_ir
