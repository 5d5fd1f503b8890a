// mbarrier objects and bulk copies (PTX ISA 9.7.13.15 and 9.7.9.25), open-coded on the 64-bit word
// in shared memory, so that waiting is an ordinary polling loop of the program.
//
// Word: bits 0-19 pending arrivals, 20-39 expected arrivals, 40-62 transaction count + 2^21,
// 63 parity of the current phase. A state token is the word before the arrival.
#include <llvm/IR/Instructions.h>

#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {
namespace {

using llvm::Value;

constexpr uint64_t kCountMask = 0xfffff;
constexpr unsigned kExpectedShift = 20;
constexpr unsigned kTransactionShift = 40;
constexpr uint64_t kTransactionZero = uint64_t{1} << (kTransactionShift + 21);
constexpr uint64_t kTransactionMask = ((uint64_t{1} << 23) - 1) << kTransactionShift;
constexpr uint64_t kPhase = uint64_t{1} << 63;

// i64 @guda.mbarrier.update(ptr, i64 delta): adds `delta` to the word, completes the phase when
// nothing is pending any more, and returns the old word.
llvm::Function* update_function(Lowering& l) {
  llvm::Module& module = l.fn.module().target();
  constexpr const char* kName = "guda.mbarrier.update";
  if (llvm::Function* known = module.getFunction(kName)) return known;
  llvm::Type* word = l.b.getInt64Ty();
  llvm::Type* pointer = llvm::PointerType::get(l.context(), 0);
  auto* function = llvm::Function::Create(llvm::FunctionType::get(word, {pointer, word}, false),
                                          llvm::GlobalValue::InternalLinkage, kName, module);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  function->addFnAttr(llvm::Attribute::AlwaysInline);
  auto* entry = llvm::BasicBlock::Create(l.context(), "entry", function);
  auto* loop = llvm::BasicBlock::Create(l.context(), "loop", function);
  auto* done = llvm::BasicBlock::Create(l.context(), "done", function);
  llvm::IRBuilder<> b(entry);
  const llvm::Align align(8);
  llvm::LoadInst* first = b.CreateAlignedLoad(word, function->getArg(0), align);
  first->setAtomic(llvm::AtomicOrdering::Monotonic);
  b.CreateBr(loop);
  b.SetInsertPoint(loop);
  llvm::PHINode* old = b.CreatePHI(word, 2);
  old->addIncoming(first, entry);
  Value* changed = b.CreateAdd(old, function->getArg(1));
  Value* outstanding = b.CreateAnd(changed, b.getInt64(kCountMask | kTransactionMask));
  Value* complete = b.CreateICmpEQ(outstanding, b.getInt64(kTransactionZero));
  Value* expected = b.CreateAnd(b.CreateLShr(changed, kExpectedShift), b.getInt64(kCountMask));
  Value* next = b.CreateXor(b.CreateAdd(changed, expected), b.getInt64(kPhase));
  Value* desired = b.CreateSelect(complete, next, changed);
  Value* pair =
      b.CreateAtomicCmpXchg(function->getArg(0), old, desired, align,
                            llvm::AtomicOrdering::AcquireRelease, llvm::AtomicOrdering::Acquire);
  old->addIncoming(b.CreateExtractValue(pair, 0), loop);
  b.CreateCondBr(b.CreateExtractValue(pair, 1), done, loop);
  b.SetInsertPoint(done);
  b.CreateRet(old);
  return function;
}

Value* barrier_pointer(Lowering& l, size_t index) {
  Value* pointer = l.fn.pointer(l.operand(index), state_space(l));
  if (l.fn.failed()) return pointer;
  return l.b.CreateAddrSpaceCast(pointer, llvm::PointerType::get(l.context(), 0));
}

Value* update(Lowering& l, Value* pointer, Value* delta) {
  return l.b.CreateCall(update_function(l), {pointer, delta});
}

Value* extended(Lowering& l, size_t index) {
  return l.b.CreateZExt(l.in(index, ScalarType::u32), l.b.getInt64Ty());
}

void lower_init(Lowering& l) {
  Value* pointer = barrier_pointer(l, 0);
  Value* count = extended(l, 1);
  if (l.fn.failed()) return;
  Value* word = l.b.CreateOr(count, l.b.CreateShl(count, kExpectedShift));
  llvm::StoreInst* store =
      l.b.CreateAlignedStore(l.b.CreateOr(word, l.i64(kTransactionZero)), pointer, llvm::Align(8));
  store->setAtomic(llvm::AtomicOrdering::Monotonic);
}

void lower_nothing(Lowering&) {}

// arrive, arrive_drop: [state,] [barrier] [, count or transaction bytes]
void lower_arrive(Lowering& l) {
  const bool has_state = l.operand(0).kind != ptx::Operand::Kind::address;
  const size_t address = has_state ? 1 : 0;
  Value* pointer = barrier_pointer(l, address);
  Value* count = l.i64(1);
  Value* bytes = nullptr;
  if (l.operand_count() > address + 1) {
    (l.has("expect_tx") ? bytes : count) = extended(l, address + 1);
  }
  if (l.fn.failed()) return;
  Value* delta = l.b.CreateNeg(count);
  if (l.has("arrive_drop")) {
    delta = l.b.CreateSub(delta, l.b.CreateShl(count, kExpectedShift));
  }
  if (bytes != nullptr) delta = l.b.CreateAdd(delta, l.b.CreateShl(bytes, kTransactionShift));
  Value* state = update(l, pointer, delta);
  if (has_state) l.out(0, ScalarType::b64, state);
}

void lower_transaction(Lowering& l) {
  Value* pointer = barrier_pointer(l, 0);
  Value* delta = l.b.CreateShl(extended(l, 1), kTransactionShift);
  if (l.fn.failed()) return;
  if (l.has("complete_tx")) delta = l.b.CreateNeg(delta);
  update(l, pointer, delta);
}

// Done when the current phase is no longer the one of the state, or of the parity.
void lower_wait(Lowering& l) {
  Value* pointer = barrier_pointer(l, 1);
  if (l.fn.failed()) return;
  llvm::LoadInst* word = l.b.CreateAlignedLoad(l.b.getInt64Ty(), pointer, llvm::Align(8));
  word->setAtomic(l.has("relaxed") ? llvm::AtomicOrdering::Monotonic
                                   : llvm::AtomicOrdering::Acquire);
  Value* state = nullptr;
  if (l.has("parity")) {
    state = l.b.CreateShl(l.b.CreateZExt(l.in(2, ScalarType::b32), l.b.getInt64Ty()), 63);
  } else {
    state = l.in(2, ScalarType::b64);
  }
  l.out(0, ScalarType::pred, l.b.CreateICmpSLT(l.b.CreateXor(word, state), l.i64(0)));
}

void lower_pending_count(Lowering& l) {
  Value* count = l.b.CreateAnd(l.in(1, ScalarType::b64), l.i64(kCountMask));
  l.out(0, ScalarType::b32, l.b.CreateTrunc(count, l.b.getInt32Ty()));
}

// The asynchronous copies before it are complete. Counting them up and down again changes nothing;
// with .noinc only the arrival is left.
void lower_copy_arrive(Lowering& l) {
  Value* pointer = barrier_pointer(l, 0);
  if (!l.has("noinc") || l.fn.failed()) return;
  update(l, pointer, l.i64(~uint64_t{0}));
}

// A loop of 16-byte copies: size and addresses are multiples of 16.
void copy_loop(Lowering& l, Value* to, Value* from, Value* size) {
  llvm::BasicBlock* before = l.b.GetInsertBlock();
  llvm::BasicBlock* loop = l.fn.new_block("bulk");
  llvm::BasicBlock* body = l.fn.new_block("bulk.copy");
  llvm::BasicBlock* done = l.fn.new_block("bulk.done");
  llvm::Type* piece = llvm::FixedVectorType::get(l.b.getInt32Ty(), 4);
  l.b.CreateBr(loop);
  l.fn.continue_in(loop);
  llvm::PHINode* at = l.b.CreatePHI(l.b.getInt64Ty(), 2);
  at->addIncoming(l.i64(0), before);
  l.b.CreateCondBr(l.b.CreateICmpULT(at, size), body, done);
  l.fn.continue_in(body);
  Value* value =
      l.b.CreateAlignedLoad(piece, l.b.CreateGEP(l.b.getInt8Ty(), from, at), llvm::Align(16));
  l.b.CreateAlignedStore(value, l.b.CreateGEP(l.b.getInt8Ty(), to, at), llvm::Align(16));
  at->addIncoming(l.b.CreateAdd(at, l.i64(16)), body);
  l.b.CreateBr(loop);
  l.fn.continue_in(done);
}

// cp.async.bulk.<to>.<from>: the order of the modifiers is destination, source.
void lower_bulk_copy(Lowering& l) {
  bool shared_first = false;
  for (std::string_view modifier : l.ast.modifiers) {
    if (modifier == "global") break;
    if (modifier.starts_with("shared")) {
      shared_first = true;
      break;
    }
  }
  Value* to = l.fn.pointer(l.operand(0), shared_first ? StateSpace::shared : StateSpace::global);
  const bool from_shared = !l.has("global") || !shared_first;
  Value* from = l.fn.pointer(l.operand(1), from_shared ? StateSpace::shared : StateSpace::global);
  Value* size = extended(l, 2);
  if (l.fn.failed()) return;
  copy_loop(l, to, from, size);
  if (!l.has("mbarrier::complete_tx::bytes")) return;
  Value* barrier = l.fn.pointer(l.operand(3), StateSpace::shared);
  if (l.fn.failed()) return;
  barrier = l.b.CreateAddrSpaceCast(barrier, llvm::PointerType::get(l.context(), 0));
  update(l, barrier, l.b.CreateNeg(l.b.CreateShl(size, kTransactionShift)));
}

constexpr Row kRows[] = {
    {"mbarrier", "init shared|shared::cta? b64", 2, 2, Execution::effect, lower_init},
    {"mbarrier", "inval shared|shared::cta? b64", 1, 1, Execution::effect, lower_nothing},
    {"mbarrier",
     "arrive|arrive_drop expect_tx|noComplete? $sem? $scope? "
     "shared|shared::cta|shared::cluster? b64",
     1, 3, Execution::effect, lower_arrive},
    {"mbarrier", "expect_tx|complete_tx $sem? $scope? shared|shared::cta|shared::cluster? b64", 2,
     2, Execution::effect, lower_transaction},
    {"mbarrier", "test_wait|try_wait parity? $sem? $scope? shared|shared::cta? b64", 3, 4,
     Execution::effect, lower_wait},
    {"mbarrier", "pending_count b64", 2, 2, Execution::pure, lower_pending_count},
    {"cp", "async mbarrier arrive noinc? shared|shared::cta? b64", 1, 1, Execution::effect,
     lower_copy_arrive},
    {"cp",
     "async bulk shared::cluster|shared::cta global mbarrier::complete_tx::bytes "
     "L2::cache_hint?",
     4, 5, Execution::effect, lower_bulk_copy},
    {"cp", "async bulk shared::cluster shared::cta mbarrier::complete_tx::bytes", 4, 4,
     Execution::effect, lower_bulk_copy},
    {"cp", "async bulk global shared::cta bulk_group L2::cache_hint?", 3, 4, Execution::effect,
     lower_bulk_copy},
};

}  // namespace

std::span<const Row> mbarrier_rows() { return kRows; }

}  // namespace guda::device_ir
