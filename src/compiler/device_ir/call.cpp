// call: direct, indirect, and of the functions that CUDA's device run time provides.
#include <fmt/format.h>

#include "compiler/device_ir/call_signature.h"
#include "compiler/device_ir/function_address.h"
#include "compiler/device_ir/function_lowering.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

struct CallOperands {
  llvm::ArrayRef<ptx::Operand> results;
  const ptx::Operand* callee = nullptr;
  llvm::ArrayRef<ptx::Operand> arguments;
  const ptx::Operand* prototype = nullptr;
};

// call [(results),] callee [, (arguments)] [, prototype]
bool parse_operands(Lowering& l, CallOperands& call) {
  size_t next = 0;
  const auto& operands = l.ast.operands;
  auto is_list = [&](size_t i) {
    return i < operands.size() && operands[i].kind == ptx::Operand::Kind::list;
  };
  if (is_list(next)) call.results = operands[next++].elements;
  if (next < operands.size() && operands[next].kind == ptx::Operand::Kind::name) {
    call.callee = &operands[next++];
  }
  if (is_list(next)) call.arguments = operands[next++].elements;
  if (next < operands.size() && operands[next].kind == ptx::Operand::Kind::name) {
    call.prototype = &operands[next++];
  }
  if (call.callee != nullptr && next == operands.size()) return true;
  l.fail("malformed call");
  return false;
}

// The variable of an operand that names one, else null.
const Storage* storage_of(Lowering& l, const ptx::Operand& operand) {
  if (operand.kind != ptx::Operand::Kind::name) return nullptr;
  return l.fn.resolve(operand.name).storage;
}

llvm::Type* value_of(Lowering& l, const ptx::Variable& variable) {
  const unsigned bits = ptx::bit_width(variable.type);
  return l.b.getIntNTy(bits == 0 ? 64 : bits);
}

Value* argument_value(Lowering& l, const ptx::Operand& operand, llvm::Type* type) {
  const Storage* storage = storage_of(l, operand);
  if (storage != nullptr && storage->space == StateSpace::param) {
    return l.b.CreateLoad(type, storage->pointer);
  }
  return l.fn.read(operand, bits_type(type->getIntegerBitWidth()));
}

void store_result(Lowering& l, const ptx::Operand& operand, Value* value) {
  const Storage* storage = storage_of(l, operand);
  if (storage != nullptr) {
    l.b.CreateStore(value, storage->pointer);
  } else {
    l.fn.write(operand, bits_type(value->getType()->getIntegerBitWidth()), value);
  }
}

// Arguments as call_signature orders them.
bool pass_arguments(Lowering& l, const CallOperands& call,
                    const std::vector<ptx::Variable>& results,
                    const std::vector<ptx::Variable>& parameters,
                    llvm::SmallVectorImpl<Value*>& arguments) {
  if (call.results.size() > results.size() || call.arguments.size() != parameters.size() ||
      (call.results.empty() ? false : call.results.size() != results.size())) {
    l.fail("the call does not have the callee's number of arguments and results");
    return false;
  }
  for (size_t i = 0; i < results.size(); ++i) {
    if (passed_by_value(results[i])) continue;
    if (call.results.empty()) {
      // The result is not wanted; the callee still needs a place for it.
      auto* type = llvm::ArrayType::get(l.b.getInt8Ty(), results[i].size_in_bytes());
      arguments.push_back(l.fn.entry_alloca(type, 16, "unused"));
      continue;
    }
    const Storage* storage = storage_of(l, call.results[i]);
    if (storage == nullptr) {
      l.fail("an aggregate result needs a .param variable");
      return false;
    }
    arguments.push_back(storage->pointer);
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (passed_by_value(parameters[i])) {
      arguments.push_back(argument_value(l, call.arguments[i], value_of(l, parameters[i])));
      continue;
    }
    const Storage* storage = storage_of(l, call.arguments[i]);
    if (storage == nullptr) {
      l.fail("an aggregate argument needs a .param variable");
      return false;
    }
    arguments.push_back(storage->pointer);
  }
  return !l.fn.failed();
}

void take_results(Lowering& l, const CallOperands& call, const std::vector<ptx::Variable>& results,
                  Value* returned) {
  unsigned index = 0;
  for (size_t i = 0; i < call.results.size(); ++i) {
    if (!passed_by_value(results[i])) continue;
    Value* value =
        returned->getType()->isStructTy() ? l.b.CreateExtractValue(returned, index++) : returned;
    store_result(l, call.results[i], value);
  }
}

void call_direct(Lowering& l, const CallOperands& call, const ptx::Function& function) {
  llvm::SmallVector<Value*, 8> arguments;
  if (!pass_arguments(l, call, function.results, function.parameters, arguments)) return;
  llvm::CallInst* result = l.b.CreateCall(l.fn.module().device_function(function), arguments);
  result->addFnAttr(llvm::Attribute::Convergent);
  take_results(l, call, function.results, result);
}

// Dispatches on the address (function_address.h) over all functions it can be.
void call_indirect(Lowering& l, const CallOperands& call, Value* address) {
  const std::vector<ptx::Variable>* results = nullptr;
  const std::vector<ptx::Variable>* parameters = nullptr;
  std::vector<const ptx::Function*> targets;
  if (call.prototype != nullptr) {
    if (const ptx::TargetList* list = l.fn.target_list(call.prototype->name)) {
      for (std::string_view name : list->targets) {
        const ptx::Function* target = l.fn.module().find_function(name);
        if (target != nullptr && target->has_body) targets.push_back(target);
      }
      if (!targets.empty()) {
        results = &targets[0]->results;
        parameters = &targets[0]->parameters;
      }
    } else if (const ptx::CallPrototype* prototype = l.fn.prototype(call.prototype->name)) {
      results = &prototype->results;
      parameters = &prototype->parameters;
    }
  }
  if (results == nullptr) {
    l.fail("an indirect call needs a .callprototype or .calltargets");
    return;
  }
  llvm::FunctionType* type = call_signature(l.context(), *results, *parameters);
  if (targets.empty()) targets = l.fn.module().indirect_targets(type);
  llvm::SmallVector<Value*, 8> arguments;
  if (!pass_arguments(l, call, *results, *parameters, arguments)) return;

  llvm::BasicBlock* nowhere = l.fn.new_block("call.nowhere");
  llvm::BasicBlock* joined = l.fn.new_block("called");
  llvm::SwitchInst* dispatch = l.b.CreateSwitch(address, nowhere, targets.size());
  llvm::PHINode* returned = nullptr;
  if (!type->getReturnType()->isVoidTy()) {
    returned = llvm::PHINode::Create(type->getReturnType(), targets.size() + 1, "", joined);
  }
  for (const ptx::Function* target : targets) {
    llvm::Function* function = l.fn.module().device_function(*target);
    if (function->getFunctionType() != type) continue;
    llvm::BasicBlock* block = l.fn.new_block("call.target");
    l.fn.continue_in(block);
    llvm::CallInst* result = l.b.CreateCall(function, arguments);
    result->addFnAttr(llvm::Attribute::Convergent);
    l.b.CreateBr(joined);
    if (returned != nullptr) returned->addIncoming(result, block);
    dispatch->addCase(l.b.getInt64(function_address(l.fn.module().source(), target->name)), block);
  }
  l.fn.continue_in(nowhere);
  l.call("ptx.trap", l.b.getVoidTy(), {}, Effects::service);
  l.b.CreateBr(joined);
  if (returned != nullptr) {
    returned->addIncoming(llvm::Constant::getNullValue(type->getReturnType()), nowhere);
  }
  l.fn.continue_in(joined);
  if (returned != nullptr) take_results(l, call, *results, returned);
}

struct SystemCall {
  std::string_view name;
  const char* ptx_name;
  uint8_t result_bits;                   // 0: none
  std::array<uint8_t, 5> argument_bits;  // 0 ends the list
};

constexpr SystemCall kSystemCalls[] = {
    {"vprintf", "ptx.syscall.vprintf", 32, {64, 64}},
    {"__assertfail", "ptx.syscall.assertfail", 0, {64, 64, 32, 64, 64}},
    {"malloc", "ptx.syscall.malloc", 64, {64}},
    {"free", "ptx.syscall.free", 0, {64}},
};

bool call_system(Lowering& l, const CallOperands& call, std::string_view name) {
  for (const SystemCall& entry : kSystemCalls) {
    if (entry.name != name) continue;
    llvm::SmallVector<Value*, 5> arguments;
    for (uint8_t bits : entry.argument_bits) {
      if (bits == 0) break;
      if (arguments.size() == call.arguments.size()) {
        l.fail("an argument is missing");
        return true;
      }
      arguments.push_back(argument_value(l, call.arguments[arguments.size()], l.b.getIntNTy(bits)));
    }
    llvm::Type* result = entry.result_bits == 0
                             ? l.b.getVoidTy()
                             : llvm::cast<llvm::Type>(l.b.getIntNTy(entry.result_bits));
    Value* returned = l.call(entry.ptx_name, result, arguments, Effects::service);
    if (entry.result_bits != 0 && call.results.size() == 1) {
      store_result(l, call.results[0], returned);
    }
    return true;
  }
  return false;
}

}  // namespace

void lower_call(Lowering& l) {
  CallOperands call;
  if (!parse_operands(l, call)) return;
  const Symbol symbol = l.fn.resolve(call.callee->name);
  if (symbol.cell != nullptr) {
    call_indirect(l, call, l.fn.read(*call.callee, ScalarType::b64));
    return;
  }
  if (symbol.function != nullptr && symbol.function->has_body && !symbol.function->is_entry) {
    call_direct(l, call, *symbol.function);
    return;
  }
  if (!call_system(l, call, call.callee->name)) {
    l.fail(fmt::format("the module does not define the function '{}'", call.callee->name));
  }
}

}  // namespace guda::device_ir
