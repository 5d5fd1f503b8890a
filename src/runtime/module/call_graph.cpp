#include "runtime/module/call_graph.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "compiler/ptx/parser.h"

namespace guda::runtime {
namespace {

class ReachWalk {
 public:
  ReachWalk(ptx::Module& module, const FunctionIndex& functions) : functions_(functions) {
    for (const ptx::Variable& variable : module.variables) {
      if (variable.space == ptx::StateSpace::shared && variable.linkage != ptx::Linkage::external) {
        shared_.emplace(variable.name, &variable);
      }
    }
  }

  /// Functions found by the last visit(), not yet visited themselves.
  std::vector<ptx::Function*> pending;

  void enqueue(ptx::Function* function) {
    if (seen_.insert(function->name).second) pending.push_back(function);
  }

  void visit(const ptx::Function& function) {
    for (const ptx::Statement& statement : function.body) {
      if (const auto* variable = std::get_if<ptx::Variable>(&statement)) {
        if (variable->space == ptx::StateSpace::shared &&
            variable->linkage != ptx::Linkage::external) {
          place(shared_bytes_, *variable);
        }
        if (variable->space == ptx::StateSpace::local) place(local_bytes_, *variable);
      } else if (const auto* instruction = std::get_if<ptx::Instruction>(&statement)) {
        for (const ptx::Operand& operand : instruction->operands) visit(operand);
      }
    }
  }

  KernelReach result() const {
    constexpr uint64_t most = std::numeric_limits<uint32_t>::max();
    return {static_cast<uint32_t>(std::min(shared_bytes_, most)),
            static_cast<uint32_t>(std::min(local_bytes_, most)), undefined_};
  }

 private:
  static void place(uint64_t& bytes, const ptx::Variable& variable) {
    const uint64_t alignment = std::max(variable.effective_alignment(), 1u);
    bytes = (bytes + alignment - 1) / alignment * alignment + variable.size_in_bytes();
  }

  void visit(const ptx::Operand& operand) {
    if (!operand.name.empty()) name(operand.name);
    if (!operand.address.base.empty()) name(operand.address.base);
    for (const ptx::Operand& part : operand.address.parts) visit(part);
    for (const ptx::Operand& element : operand.elements) visit(element);
  }

  void name(std::string_view symbol) {
    if (symbol.front() == '%') return;
    if (const auto it = functions_.find(symbol); it != functions_.end()) {
      if (it->second->has_body) {
        enqueue(it->second);
      } else if (seen_.insert(symbol).second) {
        undefined_.emplace_back(symbol);
      }
    } else if (const auto variable = shared_.find(symbol); variable != shared_.end()) {
      if (seen_.insert(symbol).second) place(shared_bytes_, *variable->second);
    }
  }

  const FunctionIndex& functions_;
  std::unordered_map<std::string_view, const ptx::Variable*> shared_;
  std::unordered_set<std::string_view> seen_;
  std::vector<std::string> undefined_;
  uint64_t shared_bytes_ = 0, local_bytes_ = 0;
};

}  // namespace

Result<KernelReach> kernel_reach(ptx::Module& module, const FunctionIndex& functions,
                                 std::string_view kernel, std::string_view file_name) {
  const auto it = functions.find(kernel);
  if (it == functions.end()) {
    return Status{StatusCode::not_found, "no kernel " + std::string(kernel)};
  }
  ReachWalk walk(module, functions);
  walk.enqueue(it->second);
  while (!walk.pending.empty()) {
    ptx::Function* function = walk.pending.back();
    walk.pending.pop_back();
    if (Status status = ptx::parse_body(module, *function, file_name); !status) return status;
    walk.visit(*function);
  }
  return walk.result();
}

}  // namespace guda::runtime
