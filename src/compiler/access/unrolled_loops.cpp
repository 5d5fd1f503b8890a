// Loops that nvcc has unrolled: a remainder loop first, then U rounds of the source's loop in each iteration. That all
// of them pass the source's test follows from how the remainder was counted:
//
//   for (i = first; i < bound; i += s)        T = (bound - 1 - first) / s + 1 rounds in all
//   remainder loop: T % U rounds              then i = first + s * (T % U)
//   main loop, when T >= U: i, i + s, ... i + (U - 1) * s, while (i += U * s) < bound
//
// The number of rounds that are left is a multiple of U, so i + (U - 1) * s < bound in each iteration.
#include <llvm/IR/Instructions.h>
#include <llvm/IR/PatternMatch.h>
#include <llvm/Support/MathExtras.h>

#include "compiler/access/address_graph.h"

namespace guda::access {
namespace {

using namespace llvm::PatternMatch;
using llvm::BasicBlock;
using llvm::CmpInst;
using llvm::PHINode;
using llvm::Value;

/// The value behind copies at loop exits.
Value* behind_exits(Value* value) {
  while (auto* phi = llvm::dyn_cast<PHINode>(value)) {
    if (phi->getNumIncomingValues() != 1) break;
    value = phi->getIncomingValue(0);
  }
  return value;
}

/// phi = start, phi + step in each iteration of the loop, whose header it stands in.
std::optional<int64_t> constant_step(const PHINode& phi, const llvm::Loop& loop) {
  const llvm::APInt* step = nullptr;
  const BasicBlock* latch = loop.getLoopLatch();
  if (latch == nullptr || phi.getNumIncomingValues() != 2) return std::nullopt;
  if (!match(phi.getIncomingValueForBlock(latch), m_c_Add(m_Specific(&phi), m_APInt(step))))
    return std::nullopt;
  return step->getSExtValue();
}

/// The loop runs `count` > 0 times.
bool is_counted_by(const llvm::Loop& loop, const Value* count) {
  const BasicBlock* latch = loop.getLoopLatch();
  if (latch == nullptr || loop.getExitingBlock() != latch || loop.getLoopPredecessor() == nullptr)
    return false;
  const auto* branch = llvm::dyn_cast<llvm::BranchInst>(latch->getTerminator());
  if (branch == nullptr || !branch->isConditional()) return false;
  const bool stays_on_true = loop.contains(branch->getSuccessor(0));
  const auto wanted = stays_on_true ? CmpInst::ICMP_NE : CmpInst::ICMP_EQ;
  for (const PHINode& phi : loop.getHeader()->phis()) {
    if (phi.getNumIncomingValues() != 2 ||
        phi.getIncomingValueForBlock(loop.getLoopPredecessor()) != count)
      continue;
    if (constant_step(phi, loop) != -1) continue;
    const auto* test = llvm::dyn_cast<llvm::ICmpInst>(branch->getCondition());
    if (test != nullptr && test->getPredicate() == wanted &&
        test->getOperand(0) == phi.getIncomingValueForBlock(latch) &&
        match(test->getOperand(1), m_Zero()))
      return true;
  }
  return false;
}

/// What comes before a main loop whose counter starts with a certain value.
struct Remainder {
  const llvm::Loop* loop = nullptr;
  PHINode* counter = nullptr;
  Value* first = nullptr;  // of the counter
  Value* last_round =
      nullptr;  // bound - 1 - first; its quotient by the stride is one less than there are rounds
};

/// The loop's rounds are counted: ((bound - 1 - first) / stride + 1) % factor; and it is left out exactly when there
/// are none, on the way from `branching` to `after`.
bool counts_remainder(Remainder& remainder, Value* bound, int64_t factor, int64_t stride,
                      const BasicBlock* branching, const BasicBlock* after) {
  const auto* skip = llvm::dyn_cast<llvm::BranchInst>(branching->getTerminator());
  if (skip == nullptr || !skip->isConditional()) return false;
  const bool on_true = skip->getSuccessor(0) == after;
  const auto* test = llvm::dyn_cast<llvm::ICmpInst>(skip->getCondition());
  if (test == nullptr || test->getPredicate() != (on_true ? CmpInst::ICMP_EQ : CmpInst::ICMP_NE))
    return false;
  const auto mask = static_cast<uint64_t>(factor - 1);
  const auto digits = llvm::Log2_64(static_cast<uint64_t>(stride));
  const uint64_t bits = mask << digits;
  for (PHINode& counter : remainder.loop->getHeader()->phis()) {
    Value* count = counter.getIncomingValueForBlock(remainder.loop->getLoopPredecessor());
    Value*& last_round = remainder.last_round;
    if (!match(count, m_And(m_Add(m_LShr(m_Value(last_round), m_SpecificInt(digits)), m_One()),
                            m_SpecificInt(mask))) ||
        !match(last_round, m_c_Add(m_Not(m_Specific(remainder.first)), m_Specific(bound))) ||
        !is_counted_by(*remainder.loop, count))
      continue;
    if (test->getOperand(0) == count && match(test->getOperand(1), m_Zero())) return true;
    if (match(test->getOperand(0), m_And(m_Specific(last_round), m_SpecificInt(bits))) &&
        match(test->getOperand(1), m_SpecificInt(bits)))
      return true;
  }
  return false;
}

/// The loop that brings a counter from its first value to `start`, in all but a multiple of `factor` rounds.
std::optional<Remainder> remainder_before(PHINode& start, Value* bound, int64_t factor,
                                          int64_t stride, const llvm::LoopInfo& loops) {
  if (start.getNumIncomingValues() != 2) return std::nullopt;
  for (const unsigned skipped : {0u, 1u}) {
    Remainder remainder;
    remainder.first = start.getIncomingValue(skipped);
    auto* next =
        llvm::dyn_cast<llvm::Instruction>(behind_exits(start.getIncomingValue(1 - skipped)));
    const llvm::Loop* loop = next != nullptr ? loops.getLoopFor(next->getParent()) : nullptr;
    if (loop == nullptr || loop->getLoopPredecessor() == nullptr || loop->getLoopLatch() == nullptr)
      continue;
    remainder.loop = loop;
    for (PHINode& phi : loop->getHeader()->phis()) {
      if (constant_step(phi, *loop) != stride ||
          phi.getIncomingValueForBlock(loop->getLoopLatch()) != next ||
          phi.getIncomingValueForBlock(loop->getLoopPredecessor()) != remainder.first)
        continue;
      remainder.counter = &phi;
      if (counts_remainder(remainder, bound, factor, stride, start.getIncomingBlock(skipped),
                           start.getParent()))
        return remainder;
    }
  }
  return std::nullopt;
}

}  // namespace

const AddressGraph::UnrolledLoop* AddressGraph::unrolled(const llvm::Loop& loop) {
  if (!unrolled_known_) {
    unrolled_known_ = true;
    for (const llvm::Loop* each : loops_.getLoopsInPreorder()) recognize_unrolled(*each);
  }
  const auto found = unrolled_.find(&loop);
  return found != unrolled_.end() ? &found->second : nullptr;
}

/// Notes a main loop and its remainder loop, whose rounds pass the source's test as well.
void AddressGraph::recognize_unrolled(const llvm::Loop& loop) {
  const BasicBlock* latch = loop.getLoopLatch();
  const BasicBlock* before = loop.getLoopPredecessor();
  if (latch == nullptr || before == nullptr || loop.getExitingBlock() != latch) return;
  const auto* branch = llvm::dyn_cast<llvm::BranchInst>(latch->getTerminator());
  if (branch == nullptr || !branch->isConditional()) return;
  llvm::SmallVector<Fact, 8> tests;
  add_facts(branch->getCondition(), loop.contains(branch->getSuccessor(0)), tests);
  for (const Fact& test : tests) {
    if (test.predicate != CmpInst::ICMP_SLT && test.predicate != CmpInst::ICMP_ULT) continue;
    for (PHINode& phi : loop.getHeader()->phis()) {
      const auto advance = constant_step(phi, loop);
      if (!advance || *advance <= 0 || test.value != phi.getIncomingValueForBlock(latch)) continue;
      auto* start = llvm::dyn_cast<PHINode>(phi.getIncomingValueForBlock(before));
      if (start == nullptr) continue;
      for (const int64_t factor : {4, 2, 8, 16}) {
        const int64_t stride = *advance / factor;
        if (stride * factor != *advance || !llvm::isPowerOf2_64(static_cast<uint64_t>(stride)))
          continue;
        const auto remainder = remainder_before(*start, test.other, factor, stride, loops_);
        if (!remainder) continue;
        // There are rounds at all, and enough of them for the main loop.
        const auto least = static_cast<uint64_t>(*advance - stride);
        bool any = false, enough = false;
        for (const Fact& fact : facts(before)) {
          any = any || (fact.value == remainder->first && fact.predicate == test.predicate &&
                        fact.other == test.other);
          const auto* number = llvm::dyn_cast<llvm::ConstantInt>(fact.other);
          if (fact.value != remainder->last_round || number == nullptr) continue;
          enough = enough ||
                   (fact.predicate == CmpInst::ICMP_UGE && number->getValue().uge(least)) ||
                   (fact.predicate == CmpInst::ICMP_UGT && number->getValue().uge(least - 1));
        }
        if (!any || !enough) continue;
        UnrolledLoop main;
        main.counter = &phi;
        main.start = start;
        main.first = remainder->first;
        main.bound = test.other;
        main.is_signed = test.predicate == CmpInst::ICMP_SLT;
        main.stride = stride;
        main.advance = *advance;
        UnrolledLoop rest = main;
        rest.counter = remainder->counter;
        rest.start = remainder->first;
        rest.advance = stride;
        unrolled_[&loop] = main;
        unrolled_[remainder->loop] = rest;
        return;
      }
    }
  }
}

/// The counter as in the source's loop, `round` steps from its first value, at most where the last of an iteration's
/// rounds passes the test.
int32_t AddressGraph::unrolled_counter(const UnrolledLoop& unrolled, const llvm::Loop& loop) {
  const unsigned bits = unrolled.counter->getType()->getIntegerBitWidth();
  const int64_t ahead = unrolled.advance - unrolled.stride;
  const Relation less = unrolled.is_signed ? Relation::less_signed : Relation::less_unsigned;
  Node trip;
  trip.op = Op::trip;
  trip.bits = 64;
  trip.relation = less;
  trip.detail = kPassed;
  trip.value = ahead;
  trip.a = node(unrolled.first, loop.getLoopPredecessor());
  trip.b = constant(bits, unrolled.stride);
  trip.c = node(unrolled.bound, nullptr);
  Node round;
  round.op = Op::iterate;
  // A quantity of its own: these are not the iterations of any loop that there is.
  round.value = static_cast<int64_t>(loop_numbers_.size()) + loop_numbers_[&loop];
  round.a = add(trip);
  Node limited;
  limited.op = Op::clamp;
  limited.bits = static_cast<uint8_t>(bits);
  limited.relation = less;
  limited.a = binary(Op::add, bits, trip.a, binary(Op::multiply, bits, trip.b, add(round)));
  limited.b = binary(Op::subtract, bits, trip.c, constant(bits, ahead));
  return add(limited);
}

/// A value that moves along with the counter: its start, and the same multiple of what the counter has moved. -1: the
/// value moves in another way.
int32_t AddressGraph::translate_unrolled(PHINode& phi, const UnrolledLoop& unrolled,
                                         const llvm::Loop& loop) {
  const int32_t counter = unrolled_counter(unrolled, loop);
  if (&phi == unrolled.counter) return counter;
  const auto step = constant_step(phi, loop);
  if (!step || *step % unrolled.advance != 0) return -1;
  const unsigned bits = phi.getType()->getIntegerBitWidth();
  const unsigned from = unrolled.counter->getType()->getIntegerBitWidth();
  if (bits < from) return -1;
  const auto widened = [&](int32_t value) {
    if (bits == from) return value;
    return unary(unrolled.is_signed ? Op::sign_extend : Op::zero_extend, bits, value);
  };
  const BasicBlock* before = loop.getLoopPredecessor();
  const int32_t start = node(phi.getIncomingValueForBlock(before), before);
  const int32_t moved =
      binary(Op::subtract, bits, widened(counter), widened(node(unrolled.start, before)));
  return binary(Op::add, bits, start,
                binary(Op::multiply, bits, moved, constant(bits, *step / unrolled.advance)));
}

}  // namespace guda::access
