// Dispatch from ptx.* calls to their expansions.
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include "compiler/target/lane_ops.h"
#include "compiler/target/target.h"

namespace guda::target {
namespace {

using llvm::Value;

struct Row {
  llvm::StringLiteral opcode;
  Expansion expansion;
};

// By opcode, the first part of the name after "ptx.".
constexpr Row kExpansions[] = {
    {"add", expand_rounded}, {"sub", expand_rounded}, {"mul", expand_rounded},
    {"fma", expand_rounded}, {"mad", expand_rounded}, {"div", expand_divide},
    {"rem", expand_divide},  {"rcp", expand_rounded}, {"sqrt", expand_rounded},
    {"rsqrt", expand_rsqrt}, {"ex2", expand_exp2},    {"lg2", expand_log2},
    {"sin", expand_sin},     {"cos", expand_cos},     {"tanh", expand_tanh},
    {"cvt", expand_convert}, {"ftz", expand_flush},   {"prmt", expand_prmt},
    {"dp4a", expand_dp4a},   {"dp2a", expand_dp2a},   {"permute", expand_permute},
    {"fns", expand_fns},
};

Expansion find_expansion(llvm::StringRef opcode) {
  for (const Row& row : kExpansions)
    if (row.opcode == opcode) return row.expansion;
  return nullptr;
}

/// Splits "ptx.add.rz.f32.v16" into {add, rz, f32}.
llvm::SmallVector<llvm::StringRef, 8> name_parts(llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef, 8> parts;
  name.drop_front(strlen("ptx.")).split(parts, '.');
  unsigned lanes = 0;
  if (parts.size() > 1 && parts.back().starts_with("v") &&
      !parts.back().drop_front().getAsInteger(10, lanes))
    parts.pop_back();
  return parts;
}

/// The lanes of a call: of the result, else of the first vector operand.
unsigned lane_count(const llvm::CallInst& call) {
  auto lanes = [](const llvm::Type* type) {
    auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
    return vector ? vector->getNumElements() : 0;
  };
  unsigned count = lanes(call.getType());
  for (const llvm::Use& argument : call.args()) count = std::max(count, lanes(argument->getType()));
  return count;
}

Value* expand_lane_by_lane(llvm::CallInst& call, LaneCall& lane_call, unsigned lanes,
                           Expansion expansion, const CpuFeatures& features) {
  if (!call.getType()->isVectorTy()) return nullptr;
  LaneBuilder builder(&call, 0, features);
  lane_call.result = call.getType()->getScalarType();
  Value* result = llvm::PoisonValue::get(call.getType());
  for (unsigned lane = 0; lane < lanes; ++lane) {
    lane_call.arguments.clear();
    for (Value* argument : call.args())
      lane_call.arguments.push_back(argument->getType()->isVectorTy()
                                        ? builder.CreateExtractElement(argument, lane)
                                        : argument);
    Value* value = expansion(builder, lane_call);
    if (!value) return nullptr;
    result = builder.CreateInsertElement(result, value, lane);
  }
  return result;
}

Status expand(llvm::CallInst& call, const CpuFeatures& features) {
  const llvm::StringRef name = call.getCalledFunction()->getName();
  LaneCall lane_call;
  lane_call.parts = name_parts(name);
  lane_call.result = call.getType();
  const Expansion expansion = find_expansion(lane_call.parts.front());
  Value* value = nullptr;
  if (expansion) {
    const unsigned lanes = lane_count(call);
    LaneBuilder builder(&call, lanes, features);
    for (Value* argument : call.args()) {
      // Uniform operands of a vector operation may have stayed scalar.
      if (lanes && !argument->getType()->isVectorTy())
        argument = builder.CreateVectorSplat(lanes, argument);
      lane_call.arguments.push_back(argument);
    }
    value = expansion(builder, lane_call);
    if (!value && lanes) value = expand_lane_by_lane(call, lane_call, lanes, expansion, features);
  }
  if (!value)
    return Status(StatusCode::invalid_ptx, call.getFunction()->getName().str() +
                                               ": no code for the operation " + name.str());
  value->takeName(&call);
  call.replaceAllUsesWith(value);
  call.eraseFromParent();
  return Status::ok();
}

}  // namespace

std::optional<Rounding> LaneCall::rounding() const {
  for (llvm::StringRef part : parts) {
    if (part == "rn" || part == "rni") return Rounding::nearest;
    if (part == "rz" || part == "rzi") return Rounding::zero;
    if (part == "rm" || part == "rmi") return Rounding::down;
    if (part == "rp" || part == "rpi") return Rounding::up;
  }
  return std::nullopt;
}

bool has_lane_op(std::string_view ptx_name) {
  if (!llvm::StringRef(ptx_name).starts_with("ptx.")) return false;
  return find_expansion(name_parts(ptx_name).front()) != nullptr;
}

namespace {

Status expand_with(llvm::Module& module, const CpuFeatures& features) {
  std::vector<llvm::CallInst*> calls;
  for (llvm::Function& function : module)
    for (llvm::Instruction& instruction : llvm::instructions(function))
      if (auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction))
        if (const llvm::Function* callee = call->getCalledFunction();
            callee && callee->isDeclaration() && callee->getName().starts_with("ptx."))
          calls.push_back(call);
  for (llvm::CallInst* call : calls)
    if (Status status = expand(*call, features); !status) return status;
  legalize_small_floats(module, features);
  if (!features.portable) {
    legalize_division(module, features);
    legalize_masked_memory(module, features);
  }
  for (llvm::Function& function : llvm::make_early_inc_range(module))
    if (function.isDeclaration() && function.use_empty()) function.eraseFromParent();
  return Status::ok();
}

}  // namespace

Status expand_lane_ops(llvm::Module& module, const llvm::TargetMachine& machine) {
  return expand_with(module, cpu_features(machine));
}

Status expand_lane_ops_portably(llvm::Module& module) {
  CpuFeatures features;
  features.portable = true;
  return expand_with(module, features);
}

}  // namespace guda::target
