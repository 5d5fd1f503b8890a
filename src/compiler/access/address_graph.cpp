#include "compiler/access/address_graph.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/DataLayout.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Operator.h>

#include <algorithm>

namespace guda::access {
namespace {

using llvm::BasicBlock;
using llvm::CmpInst;
using llvm::Value;

constexpr int kDeepest = 200;

/// Width of an integer or pointer; 0 for other types.
unsigned width(const Value& value) {
  const llvm::Type* type = value.getType();
  if (type->isPointerTy()) return 64;
  return type->isIntegerTy() && type->getIntegerBitWidth() <= 64 ? type->getIntegerBitWidth() : 0;
}

std::optional<Relation> relation_of(CmpInst::Predicate predicate) {
  switch (predicate) {
    case CmpInst::ICMP_EQ: return Relation::equal;
    case CmpInst::ICMP_NE: return Relation::not_equal;
    case CmpInst::ICMP_SLT: return Relation::less_signed;
    case CmpInst::ICMP_SLE: return Relation::less_equal_signed;
    case CmpInst::ICMP_SGT: return Relation::greater_signed;
    case CmpInst::ICMP_SGE: return Relation::greater_equal_signed;
    case CmpInst::ICMP_ULT: return Relation::less_unsigned;
    case CmpInst::ICMP_ULE: return Relation::less_equal_unsigned;
    case CmpInst::ICMP_UGT: return Relation::greater_unsigned;
    case CmpInst::ICMP_UGE: return Relation::greater_equal_unsigned;
    default: return std::nullopt;
  }
}

int64_t axis_of(llvm::StringRef name) { return name.back() - 'x'; }

}  // namespace

AddressGraph::AddressGraph(llvm::Function& kernel, AccessSummary& summary)
    : kernel_(kernel),
      summary_(summary),
      dominators_(kernel),
      post_dominators_(kernel),
      loops_(dominators_) {
  int64_t number = 0;
  for (const llvm::Loop* loop : loops_.getLoopsInPreorder()) loop_numbers_[loop] = number++;
}

// --- nodes ----------------------------------------------------------------------------------------

int32_t AddressGraph::add(const Node& node) {
  const auto key = std::make_tuple(static_cast<int>(node.op), static_cast<int>(node.bits),
                                   static_cast<int>(node.relation), static_cast<int>(node.detail),
                                   node.a, node.b, node.c, node.value);
  const auto next = static_cast<int32_t>(summary_.nodes.size());
  const auto [found, inserted] = index_.emplace(key, next);
  if (!inserted) return found->second;
  summary_.nodes.push_back(node);
  bool fixed = true;
  switch (node.op) {
    case Op::tid:
    case Op::ctaid:
    case Op::unknown:
    case Op::bounded:
    case Op::own_memory:
    case Op::iterate:
    case Op::trip: fixed = false; break;
    default:
      for (const int32_t operand : {node.a, node.b, node.c})
        if (operand >= 0) fixed = fixed && fixed_[static_cast<size_t>(operand)];
  }
  fixed_.push_back(fixed);
  return next;
}

int32_t AddressGraph::binary(Op op, unsigned bits, int32_t a, int32_t b) {
  Node node;
  node.op = op;
  node.bits = static_cast<uint8_t>(bits);
  node.a = a;
  node.b = b;
  return add(node);
}

int32_t AddressGraph::unary(Op op, unsigned bits, int32_t a, int64_t value) {
  Node node;
  node.op = op;
  node.bits = static_cast<uint8_t>(bits);
  node.a = a;
  node.value = value;
  return add(node);
}

int32_t AddressGraph::constant(unsigned bits, int64_t value) {
  return unary(Op::constant, bits, -1, value);
}

/// Each value that is not followed is a quantity of its own.
int32_t AddressGraph::unknown(Value* value) {
  if (const auto found = unknowns_.find(value); found != unknowns_.end()) return found->second;
  Node node;
  node.op = Op::unknown;
  node.bits = static_cast<uint8_t>(std::max(width(*value), 1u));
  node.value = static_cast<int64_t>(unknowns_.size());
  const int32_t result = add(node);
  unknowns_[value] = result;
  return result;
}

bool AddressGraph::is_fixed(int32_t node) const { return fixed_[static_cast<size_t>(node)]; }

std::optional<int64_t> AddressGraph::constant_of(int32_t node) const {
  const Node& n = summary_.nodes[static_cast<size_t>(node)];
  if (n.op != Op::constant) return std::nullopt;
  return n.value;
}

int32_t AddressGraph::variable(const llvm::GlobalVariable& global) {
  const std::string name = global.getName().str();
  auto found = std::find(summary_.variables.begin(), summary_.variables.end(), name);
  const auto number = found - summary_.variables.begin();
  if (found == summary_.variables.end()) summary_.variables.push_back(name);
  return unary(Op::variable, 64, -1, number);
}

// --- guards ---------------------------------------------------------------------------------------

bool AddressGraph::add_facts(Value* condition, bool holds, llvm::SmallVectorImpl<Fact>& out,
                             int depth) const {
  if (depth > 8) return false;
  auto* instruction = llvm::dyn_cast<llvm::Instruction>(condition);
  if (instruction == nullptr) return false;
  if (auto* compare = llvm::dyn_cast<llvm::ICmpInst>(instruction)) {
    if (width(*compare->getOperand(0)) == 0) return false;
    const auto predicate = holds ? compare->getPredicate() : compare->getInversePredicate();
    out.push_back({compare->getOperand(0), predicate, compare->getOperand(1)});
    out.push_back(
        {compare->getOperand(1), CmpInst::getSwappedPredicate(predicate), compare->getOperand(0)});
    return true;
  }
  Value *left = nullptr, *right = nullptr;
  bool both = false;  // `both` must hold for the condition to hold; else one is enough
  if (instruction->getOpcode() == llvm::Instruction::And ||
      instruction->getOpcode() == llvm::Instruction::Or) {
    left = instruction->getOperand(0);
    right = instruction->getOperand(1);
    both = instruction->getOpcode() == llvm::Instruction::And;
  } else if (auto* select = llvm::dyn_cast<llvm::SelectInst>(instruction)) {
    const auto* on_true = llvm::dyn_cast<llvm::ConstantInt>(select->getTrueValue());
    const auto* on_false = llvm::dyn_cast<llvm::ConstantInt>(select->getFalseValue());
    left = select->getCondition();
    if (on_false != nullptr && on_false->isZero()) {
      right = select->getTrueValue();
      both = true;
    } else if (on_true != nullptr && on_true->isOne()) {
      right = select->getFalseValue();
    } else {
      return false;
    }
  } else if (instruction->getOpcode() == llvm::Instruction::Xor) {
    const auto* ones = llvm::dyn_cast<llvm::ConstantInt>(instruction->getOperand(1));
    return ones != nullptr && ones->isOne() && ones->getBitWidth() == 1 &&
           add_facts(instruction->getOperand(0), !holds, out, depth + 1);
  } else {
    return false;
  }
  if (both != holds) return false;
  const bool first = add_facts(left, holds, out, depth + 1);
  const bool second = add_facts(right, holds, out, depth + 1);
  return first && second;
}

const llvm::SmallVector<AddressGraph::Fact, 8>& AddressGraph::facts(const BasicBlock* block) {
  if (const auto found = facts_.find(block); found != facts_.end()) return found->second;
  llvm::SmallVector<Fact, 8> result;
  for (const auto* place = dominators_.getNode(block); place != nullptr; place = place->getIDom()) {
    const BasicBlock* from = place->getBlock();
    const auto* branch = llvm::dyn_cast<llvm::BranchInst>(from->getTerminator());
    if (branch == nullptr || !branch->isConditional() ||
        branch->getSuccessor(0) == branch->getSuccessor(1))
      continue;
    for (const unsigned side : {0u, 1u}) {
      const llvm::BasicBlockEdge edge(from, branch->getSuccessor(side));
      if (dominators_.dominates(edge, block)) add_facts(branch->getCondition(), side == 0, result);
    }
  }
  return facts_[block] = std::move(result);
}

// --- values ---------------------------------------------------------------------------------------

int32_t AddressGraph::node(Value* value, const BasicBlock* context) {
  const auto key = std::make_pair(value, context);
  if (const auto found = known_.find(key); found != known_.end())
    return found->second >= 0 ? found->second : unknown(value);
  if (width(*value) == 0 || depth_ > kDeepest || too_large()) return unknown(value);
  known_[key] = -1;  // met again below: a cycle that is no induction
  ++depth_;
  int32_t result = translate(value, context);
  --depth_;
  if (context != nullptr && !is_fixed(result)) {
    for (const Fact& fact : facts(context)) {
      if (fact.value != value) continue;
      const auto relation = relation_of(fact.predicate);
      if (!relation) continue;
      Node clamp;
      clamp.op = Op::clamp;
      clamp.bits = static_cast<uint8_t>(width(*value));
      clamp.relation = *relation;
      clamp.a = result;
      clamp.b = node(fact.other, nullptr);
      result = add(clamp);
      clamp_facts_[result].push_back(fact);
    }
  }
  known_[key] = result;
  return result;
}

int32_t AddressGraph::translate(Value* value, const BasicBlock* context) {
  if (auto* number = llvm::dyn_cast<llvm::ConstantInt>(value))
    return constant(number->getBitWidth(), number->getSExtValue());
  if (llvm::isa<llvm::ConstantPointerNull>(value)) return constant(64, 0);
  if (auto* global = llvm::dyn_cast<llvm::GlobalVariable>(value)) {
    if (global->getAddressSpace() == 3) return unary(Op::own_memory, 64, -1);
    return variable(*global);
  }
  if (llvm::isa<llvm::Argument, llvm::AllocaInst>(value)) return unary(Op::own_memory, 64, -1);
  if (auto* phi = llvm::dyn_cast<llvm::PHINode>(value)) return translate_phi(*phi, context);
  if (llvm::isa<llvm::LoadInst>(value)) return translate_load(value);
  if (llvm::isa<llvm::CallBase>(value)) return translate_call(value, context);
  if (llvm::isa<llvm::Operator>(value)) return translate_operation(value, context);
  return unknown(value);
}

/// Only the kernel's own parameters are known.
int32_t AddressGraph::translate_load(Value* value) {
  auto& load = llvm::cast<llvm::LoadInst>(*value);
  const llvm::DataLayout& layout = kernel_.getParent()->getDataLayout();
  llvm::APInt offset(64, 0);
  const Value* base = load.getPointerOperand()->stripAndAccumulateConstantOffsets(
      layout, offset, /*AllowNonInbounds=*/true);
  const unsigned bits = width(*value);
  if (base == kernel_.getArg(0) && bits % 8 == 0 && !offset.isNegative() && offset.ult(1u << 20))
    return unary(Op::parameter, bits, -1, offset.getSExtValue());
  return unknown(value);
}

int32_t AddressGraph::shift_right(unsigned bits, int32_t value, uint64_t amount, bool arithmetic) {
  if (amount >= bits) return constant(bits, 0);
  if (arithmetic) return unary(Op::shift_right_signed, bits, value, static_cast<int64_t>(amount));
  if (amount >= 62) return -1;
  return binary(Op::divide_unsigned, bits, value, constant(bits, int64_t{1} << amount));
}

/// value & bits_kept: a remainder, a multiple, or neither.
int32_t AddressGraph::mask(unsigned bits, int32_t value, uint64_t bits_kept) {
  const uint64_t all = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  bits_kept &= all;
  if (bits_kept == all) return value;
  if (bits_kept != 0 && (bits_kept & (bits_kept + 1)) == 0 && bits_kept < (uint64_t{1} << 61))
    return binary(Op::remainder_unsigned, bits, value,
                  constant(bits, static_cast<int64_t>(bits_kept + 1)));
  const uint64_t dropped = all & ~bits_kept;
  if ((dropped & (dropped + 1)) == 0 && dropped < (uint64_t{1} << 61)) {
    const int32_t size = constant(bits, static_cast<int64_t>(dropped + 1));
    return binary(Op::multiply, bits, binary(Op::divide_unsigned, bits, value, size), size);
  }
  return binary(Op::bit_and, bits, value, constant(bits, static_cast<int64_t>(bits_kept)));
}

int32_t AddressGraph::translate_pointer_offset(Value* value, const BasicBlock* context) {
  auto& pointer = llvm::cast<llvm::GEPOperator>(*value);
  const llvm::DataLayout& layout = kernel_.getParent()->getDataLayout();
  llvm::SmallMapVector<Value*, llvm::APInt, 4> variable_parts;
  llvm::APInt offset(64, 0);
  if (!pointer.collectOffset(layout, 64, variable_parts, offset)) return unknown(value);
  int32_t sum = node(pointer.getPointerOperand(), context);
  for (auto& [part, scale] : variable_parts) {
    int32_t index = node(part, context);
    if (width(*part) < 64) index = unary(Op::sign_extend, 64, index);
    sum = binary(Op::add, 64, sum,
                 binary(Op::multiply, 64, index, constant(64, scale.getSExtValue())));
  }
  if (!offset.isZero()) sum = binary(Op::add, 64, sum, constant(64, offset.getSExtValue()));
  return sum;
}

int32_t AddressGraph::translate_operation(Value* value, const BasicBlock* context) {
  auto& operation = llvm::cast<llvm::Operator>(*value);
  const unsigned bits = width(*value);
  const auto operand = [&](unsigned i) { return node(operation.getOperand(i), context); };
  const auto of = [&](Op op) { return binary(op, bits, operand(0), operand(1)); };
  switch (operation.getOpcode()) {
    case llvm::Instruction::Add: return of(Op::add);
    case llvm::Instruction::Sub: return of(Op::subtract);
    case llvm::Instruction::Mul: return of(Op::multiply);
    case llvm::Instruction::UDiv: return of(Op::divide_unsigned);
    case llvm::Instruction::SDiv: return of(Op::divide_signed);
    case llvm::Instruction::URem: return of(Op::remainder_unsigned);
    case llvm::Instruction::SRem: return of(Op::remainder_signed);
    case llvm::Instruction::Xor: {
      // x ^ -1 is -1 - x.
      const int32_t right = operand(1);
      if (constant_of(right) == int64_t{-1})
        return binary(Op::subtract, bits, constant(bits, -1), operand(0));
      return binary(Op::bit_xor, bits, operand(0), right);
    }
    case llvm::Instruction::Or:
      if (const auto* disjoint = llvm::dyn_cast<llvm::PossiblyDisjointInst>(&operation);
          disjoint != nullptr && disjoint->isDisjoint())
        return of(Op::add);
      return of(Op::bit_or);
    case llvm::Instruction::And: {
      const int32_t right = operand(1);
      if (const auto kept = constant_of(right))
        return mask(bits, operand(0), static_cast<uint64_t>(*kept));
      return binary(Op::bit_and, bits, operand(0), right);
    }
    case llvm::Instruction::Shl: {
      const auto amount = constant_of(operand(1));
      if (!amount || *amount < 0 || *amount >= 62) return unknown(value);
      return binary(Op::multiply, bits, operand(0), constant(bits, int64_t{1} << *amount));
    }
    case llvm::Instruction::LShr:
    case llvm::Instruction::AShr: {
      const auto amount = constant_of(operand(1));
      if (!amount || *amount < 0) return unknown(value);
      const int32_t result = shift_right(bits, operand(0), static_cast<uint64_t>(*amount),
                                         operation.getOpcode() == llvm::Instruction::AShr);
      return result >= 0 ? result : unknown(value);
    }
    case llvm::Instruction::SExt: return unary(Op::sign_extend, bits, operand(0));
    case llvm::Instruction::ZExt: return unary(Op::zero_extend, bits, operand(0));
    case llvm::Instruction::Trunc: return unary(Op::truncate, bits, operand(0));
    case llvm::Instruction::PtrToInt:
    case llvm::Instruction::IntToPtr: {
      const unsigned from = width(*operation.getOperand(0));
      if (from == bits) return operand(0);
      return unary(from < bits ? Op::zero_extend : Op::truncate, bits, operand(0));
    }
    case llvm::Instruction::AddrSpaceCast:
    case llvm::Instruction::Freeze: return operand(0);
    case llvm::Instruction::BitCast:
      return width(*operation.getOperand(0)) == bits ? operand(0) : unknown(value);
    case llvm::Instruction::GetElementPtr: return translate_pointer_offset(value, context);
    case llvm::Instruction::Select: return binary(Op::join, bits, operand(1), operand(2));
    default: return unknown(value);
  }
}

int32_t AddressGraph::translate_call(Value* value, const BasicBlock* context) {
  auto& call = llvm::cast<llvm::CallBase>(*value);
  const llvm::Function* callee = call.getCalledFunction();
  if (callee == nullptr) return unknown(value);
  const unsigned bits = width(*value);
  if (const auto* intrinsic = llvm::dyn_cast<llvm::MinMaxIntrinsic>(&call)) {
    const int32_t a = node(intrinsic->getLHS(), context), b = node(intrinsic->getRHS(), context);
    switch (intrinsic->getIntrinsicID()) {
      case llvm::Intrinsic::smin: return binary(Op::minimum_signed, bits, a, b);
      case llvm::Intrinsic::smax: return binary(Op::maximum_signed, bits, a, b);
      case llvm::Intrinsic::umin: return binary(Op::minimum_unsigned, bits, a, b);
      default: return binary(Op::maximum_unsigned, bits, a, b);
    }
  }
  llvm::StringRef name = callee->getName();
  const auto divide = [&](Op op) {
    const int32_t a = node(call.getArgOperand(0), context);
    return binary(op, bits, a, node(call.getArgOperand(1), context));
  };
  if (name.starts_with("ptx.div.u")) return divide(Op::divide_unsigned);
  if (name.starts_with("ptx.rem.u")) return divide(Op::remainder_unsigned);
  if (name.starts_with("ptx.div.s")) return divide(Op::divide_signed);
  if (name.starts_with("ptx.rem.s")) return divide(Op::remainder_signed);
  if (!name.consume_front("ptx.sreg.")) return unknown(value);
  if (name.starts_with("tid.")) return unary(Op::tid, bits, -1, axis_of(name));
  if (name.starts_with("ctaid.")) return unary(Op::ctaid, bits, -1, axis_of(name));
  if (name.starts_with("ntid.")) return unary(Op::ntid, bits, -1, axis_of(name));
  if (name.starts_with("nctaid.")) return unary(Op::nctaid, bits, -1, axis_of(name));
  // detail: a quantity of its own, not the sum of two lanes.
  if (name == "laneid") return unary(Op::bounded, bits, -1, 31);
  return unknown(value);
}

// --- loops ----------------------------------------------------------------------------------------

/// phi = start, then phi + step in each iteration, with steps that stay the same.
std::optional<AddressGraph::Induction> AddressGraph::induction(llvm::PHINode& phi,
                                                               const llvm::Loop& loop) const {
  const BasicBlock* latch = loop.getLoopLatch();
  const BasicBlock* before = loop.getLoopPredecessor();
  if (latch == nullptr || before == nullptr || phi.getNumIncomingValues() != 2) return std::nullopt;
  Induction result;
  result.start = phi.getIncomingValueForBlock(before);
  Value* at = phi.getIncomingValueForBlock(latch);
  const llvm::DataLayout& layout = kernel_.getParent()->getDataLayout();
  for (int steps = 0; at != &phi; ++steps) {
    if (steps == 8) return std::nullopt;
    auto* instruction = llvm::dyn_cast<llvm::Instruction>(at);
    if (instruction == nullptr || !loop.contains(instruction)) return std::nullopt;
    if (auto* pointer = llvm::dyn_cast<llvm::GetElementPtrInst>(instruction)) {
      llvm::APInt offset(64, 0);
      if (!pointer->accumulateConstantOffset(layout, offset)) return std::nullopt;
      result.constant_steps.push_back(offset.getSExtValue());
      at = pointer->getPointerOperand();
      continue;
    }
    const bool subtract = instruction->getOpcode() == llvm::Instruction::Sub;
    if (!subtract && instruction->getOpcode() != llvm::Instruction::Add) return std::nullopt;
    Value *left = instruction->getOperand(0), *right = instruction->getOperand(1);
    if (!loop.isLoopInvariant(right)) {
      if (subtract || !loop.isLoopInvariant(left)) return std::nullopt;
      std::swap(left, right);
    }
    result.steps.push_back({right, subtract});
    at = left;
  }
  if (result.steps.empty() && result.constant_steps.empty()) return std::nullopt;
  return result;
}

int32_t AddressGraph::step_node(const Induction& counter, unsigned bits) {
  int32_t sum = constant(bits, 0);
  for (const auto& [step, subtracted] : counter.steps)
    sum = binary(subtracted ? Op::subtract : Op::add, bits, sum, node(step, nullptr));
  for (const int64_t step : counter.constant_steps)
    sum = binary(Op::add, bits, sum, constant(bits, step));
  return sum;
}

/// The loop's tests that look at a counter; `only`: those that look at this one.
llvm::SmallVector<int32_t, 4> AddressGraph::trips(const llvm::Loop& loop, const BasicBlock* context,
                                                  const llvm::PHINode* only) {
  llvm::SmallVector<int32_t, 4> result;
  const BasicBlock* latch = loop.getLoopLatch();
  if (latch == nullptr) return result;
  llvm::SmallVector<BasicBlock*, 4> exiting;
  loop.getExitingBlocks(exiting);
  for (const BasicBlock* block : exiting) {
    if (!dominators_.dominates(block, latch)) continue;
    const auto* branch = llvm::dyn_cast<llvm::BranchInst>(block->getTerminator());
    if (branch == nullptr || !branch->isConditional()) continue;
    const bool stays_on_true = loop.contains(branch->getSuccessor(0));
    const BasicBlock* inside = branch->getSuccessor(stays_on_true ? 0 : 1);
    llvm::SmallVector<Fact, 8> tests;
    add_facts(branch->getCondition(), stays_on_true, tests);
    const bool passed = context != nullptr && loop.contains(context) && block != context &&
                        dominators_.dominates(llvm::BasicBlockEdge(block, inside), context);
    for (const Fact& test : tests) {
      const auto relation = relation_of(test.predicate);
      if (!relation || !loop.isLoopInvariant(test.other)) continue;
      // The tested value is a counter, its next value, or a constant away from the counter.
      for (llvm::PHINode& phi : loop.getHeader()->phis()) {
        if ((only != nullptr && &phi != only) || width(phi) == 0 ||
            phi.getType() != test.value->getType())
          continue;
        const auto counter = induction(phi, loop);
        if (!counter) continue;
        Node trip;
        trip.op = Op::trip;
        trip.bits = 64;
        trip.relation = *relation;
        trip.detail = passed ? kPassed : 0;
        if (test.value == phi.getIncomingValueForBlock(latch)) {
          trip.detail |= kTestsNext;
        } else if (test.value != &phi) {
          const auto* away = llvm::dyn_cast<llvm::BinaryOperator>(test.value);
          if (away == nullptr || away->getOpcode() != llvm::Instruction::Add ||
              away->getOperand(0) != &phi)
            continue;
          const auto* distance = llvm::dyn_cast<llvm::ConstantInt>(away->getOperand(1));
          if (distance == nullptr) continue;
          trip.value = distance->getSExtValue();
        }
        trip.a = node(counter->start, loop.getLoopPredecessor());
        trip.b = step_node(*counter, width(phi));
        trip.c = node(test.other, nullptr);
        result.push_back(add(trip));
      }
    }
  }
  return result;
}

/// The iteration's number, as `context` (in the loop, or after it) sees it.
int32_t AddressGraph::iteration(const llvm::Loop& loop, const BasicBlock* context) {
  const auto tests = trips(loop, context, nullptr);
  Node node;
  node.op = Op::iterate;
  node.value = loop_numbers_[&loop];
  if (!tests.empty()) node.a = tests[0];
  if (tests.size() > 1) node.b = tests[1];
  if (tests.size() > 2) node.c = tests[2];
  return add(node);
}

int32_t AddressGraph::translate_phi(llvm::PHINode& phi, const BasicBlock* context) {
  const unsigned bits = width(phi);
  const llvm::Loop* loop = loops_.getLoopFor(phi.getParent());
  if (loop != nullptr && loop->getHeader() == phi.getParent()) {
    const auto counter = induction(phi, *loop);
    if (!counter) return unknown(&phi);
    if (const UnrolledLoop* found = unrolled(*loop)) {
      if (const int32_t result = translate_unrolled(phi, *found, *loop); result >= 0) return result;
    }
    const int32_t start = node(counter->start, loop->getLoopPredecessor());
    const int32_t step = step_node(*counter, bits);
    int32_t result =
        binary(Op::add, bits, start, binary(Op::multiply, bits, step, iteration(*loop, context)));
    for (const int32_t trip : trips(*loop, context, &phi)) {
      Node limited;
      limited.op = Op::loop_value;
      limited.bits = static_cast<uint8_t>(bits);
      limited.a = result;
      limited.b = start;
      limited.c = trip;
      result = add(limited);
    }
    return result;
  }
  int32_t result = -1;
  for (unsigned i = 0; i < phi.getNumIncomingValues(); ++i) {
    const int32_t incoming = node(phi.getIncomingValue(i), phi.getIncomingBlock(i));
    result = result < 0 ? incoming : binary(Op::join, bits, result, incoming);
  }
  return result < 0 ? unknown(&phi) : result;
}

// --- completeness ----------------------------------------------------------------------------------

/// Nodes that the address is a sum of multiples of.
std::vector<int32_t> AddressGraph::linear_parts(int32_t address) const {
  std::vector<int32_t> result{address};
  for (size_t next = 0; next < result.size() && next < kMostNodes; ++next) {
    const Node& n = summary_.nodes[static_cast<size_t>(result[next])];
    switch (n.op) {
      case Op::add:
      case Op::subtract:
      case Op::multiply:
        result.push_back(n.a);
        result.push_back(n.b);
        break;
      case Op::sign_extend:
      case Op::zero_extend:
      case Op::truncate:
      case Op::clamp:
      case Op::loop_value: result.push_back(n.a); break;
      default: break;
    }
  }
  return result;
}

/// The branch is the one test of a loop around `block` whose iterations the address counts.
bool AddressGraph::tests_counted_loop(const BasicBlock* branch, const BasicBlock* block,
                                      llvm::ArrayRef<int32_t> parts) const {
  const llvm::Loop* loop = loops_.getLoopFor(branch);
  // A test of anything else besides would end the loop earlier.
  const auto* test = llvm::cast<llvm::BranchInst>(branch->getTerminator());
  if (!llvm::isa<llvm::ICmpInst>(test->getCondition())) return false;
  if (loop == nullptr || !loop->contains(block) || loop->getExitingBlock() != branch ||
      !dominators_.dominates(branch, loop->getLoopLatch()))
    return false;
  const auto number = loop_numbers_.find(loop);
  return llvm::any_of(parts, [&](int32_t part) {
    const Node& n = summary_.nodes[static_cast<size_t>(part)];
    return n.op == Op::iterate && n.value == number->second && n.a >= 0 && n.b < 0;
  });
}

bool AddressGraph::guards_are_exact(const BasicBlock* block, int32_t address) {
  const std::vector<int32_t> parts = linear_parts(address);
  const auto is_clamped = [&](const Fact& fact) {
    return llvm::any_of(parts, [&](int32_t part) {
      const auto found = clamp_facts_.find(part);
      return found != clamp_facts_.end() && llvm::any_of(found->second, [&](const Fact& known) {
               return known.value == fact.value && known.predicate == fact.predicate &&
                      known.other == fact.other;
             });
    });
  };
  // All branches that decide, directly or not, whether the block is reached.
  llvm::SmallVector<const BasicBlock*, 8> decided{block};
  for (size_t next = 0; next < decided.size(); ++next) {
    const BasicBlock* target = decided[next];
    for (const BasicBlock& from : kernel_) {
      const auto* branch = llvm::dyn_cast<llvm::BranchInst>(from.getTerminator());
      if (branch == nullptr || !branch->isConditional()) {
        if (branch == nullptr && from.getTerminator()->getNumSuccessors() > 1) return false;
        continue;
      }
      if (post_dominators_.properlyDominates(post_dominators_.getNode(target),
                                             post_dominators_.getNode(&from)))
        continue;
      for (const unsigned side : {0u, 1u}) {
        if (!post_dominators_.dominates(target, branch->getSuccessor(side))) continue;
        if (tests_counted_loop(&from, block, parts)) continue;
        llvm::SmallVector<Fact, 8> known;
        if (!add_facts(branch->getCondition(), side == 0, known)) return false;
        // Facts come in pairs, one for each side of a comparison.
        for (size_t i = 0; i + 1 < known.size(); i += 2)
          if (!is_clamped(known[i]) && !is_clamped(known[i + 1])) return false;
        if (!llvm::is_contained(decided, &from)) decided.push_back(&from);
      }
    }
    if (decided.size() > 32) return false;
  }
  return true;
}

// --- roots ----------------------------------------------------------------------------------------

Roots AddressGraph::roots(int32_t start) const {
  Roots result;
  std::vector<int32_t> todo{start};
  std::vector<bool> seen(summary_.nodes.size(), false);
  const auto insert = [](llvm::SmallVectorImpl<uint32_t>& list, int64_t value) {
    const auto number = static_cast<uint32_t>(value);
    if (!llvm::is_contained(list, number)) list.push_back(number);
  };
  while (!todo.empty()) {
    const int32_t at = todo.back();
    todo.pop_back();
    if (at < 0 || seen[static_cast<size_t>(at)]) continue;
    seen[static_cast<size_t>(at)] = true;
    const Node& n = summary_.nodes[static_cast<size_t>(at)];
    switch (n.op) {
      case Op::own_memory: result.own_memory = true; break;
      case Op::parameter:
        if (n.bits == 64) insert(result.parameters, n.value);
        break;
      case Op::variable: insert(result.variables, n.value); break;
      case Op::unknown:
        if (n.bits == 64) result.loaded_pointer = true;
        break;
      case Op::add:
      case Op::join:
        todo.push_back(n.a);
        todo.push_back(n.b);
        break;
      case Op::subtract:
      case Op::clamp:
      case Op::loop_value: todo.push_back(n.a); break;
      default: break;
    }
  }
  return result;
}

}  // namespace guda::access
