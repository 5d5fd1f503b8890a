#include "compiler/access/access_analysis.h"

#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>

#include <algorithm>

#include "compiler/access/address_escape.h"
#include "compiler/access/address_graph.h"

namespace guda::access {
namespace {

using llvm::AtomicRMWInst;

constexpr size_t kMostAccesses = 1500;

Combine combine_of(const AtomicRMWInst& atomic) {
  switch (atomic.getOperation()) {
    case AtomicRMWInst::Add:
    case AtomicRMWInst::Sub: return Combine::add;
    case AtomicRMWInst::And: return Combine::bit_and;
    case AtomicRMWInst::Or: return Combine::bit_or;
    case AtomicRMWInst::Xor: return Combine::bit_xor;
    case AtomicRMWInst::Min: return Combine::minimum_signed;
    case AtomicRMWInst::Max: return Combine::maximum_signed;
    case AtomicRMWInst::UMin: return Combine::minimum_unsigned;
    case AtomicRMWInst::UMax: return Combine::maximum_unsigned;
    case AtomicRMWInst::UIncWrap:
    case AtomicRMWInst::UDecWrap: {
      // With the largest bound they wrap as additions do.
      const auto* bound = llvm::dyn_cast<llvm::ConstantInt>(atomic.getValOperand());
      return bound != nullptr && bound->isMinusOne() ? Combine::add : Combine::none;
    }
    default: return Combine::none;
  }
}

struct CalledFunction {
  const char* prefix;
  uint32_t flag;
};

constexpr CalledFunction kCalled[] = {
    {"ptx.sreg.envreg", kSynchronizesGrid},
    {"ptx.sreg.clock", kHardwareRegisters},
    {"ptx.sreg.globaltimer", kHardwareRegisters},
    {"ptx.sreg.smid", kHardwareRegisters},
    {"ptx.sreg.nsmid", kHardwareRegisters},
    {"ptx.sreg.gridid", kHardwareRegisters},
    {"ptx.syscall.vprintf", kPrints},
    {"ptx.syscall.malloc", kAllocates},
    {"ptx.syscall.free", kAllocates},
    {"ptx.tex.", kTextures},
    {"ptx.tld4.", kTextures},
    {"ptx.txq.", kTextures},
    {"ptx.suq.", kTextures},
    {"ptx.suld.", kTextures},
    {"ptx.sust.", kSurfaceStores},
};

class Analysis {
 public:
  explicit Analysis(llvm::Function& kernel) : kernel_(kernel), graph_(kernel, summary_) {}

  AccessSummary run() {
    for (llvm::Instruction& instruction : llvm::instructions(kernel_)) {
      ++summary_.counts.instructions;
      visit(instruction);
    }
    summary_.counts.loops = static_cast<uint32_t>(graph_.loops().getLoopsInPreorder().size());
    if (graph_.too_large() || summary_.accesses.size() > kMostAccesses) {
      summary_.flags |= kTruncated;
      summary_.accesses.clear();
    }
    drop_unused_nodes();
    std::sort(summary_.pointers.begin(), summary_.pointers.end());
    if (gives_addresses_away(kernel_, summary_.pointers)) summary_.flags |= kGivesAddressesAway;
    return std::move(summary_);
  }

 private:
  void visit(llvm::Instruction& instruction) {
    if (auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
      access(AccessKind::read, load->getPointerOperand(), load->getType(), instruction);
      if (!load->isSimple() && shared_between_blocks_)
        summary_.flags |= graph_.loops().getLoopFor(load->getParent()) != nullptr
                              ? kOrderedAccesses | kPolls
                              : kOrderedAccesses;
    } else if (auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) {
      access(AccessKind::write, store->getPointerOperand(), store->getValueOperand()->getType(),
             instruction);
      if (!store->isSimple() && shared_between_blocks_) summary_.flags |= kOrderedAccesses;
    } else if (auto* atomic = llvm::dyn_cast<AtomicRMWInst>(&instruction)) {
      access(AccessKind::atomic, atomic->getPointerOperand(), atomic->getType(), instruction);
      if (shared_between_blocks_) visit_atomic(*atomic);
    } else if (auto* exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
      access(AccessKind::atomic, exchange->getPointerOperand(),
             exchange->getNewValOperand()->getType(), instruction);
      // Which of several exchanges succeeds depends on their order, looked at or not.
      if (shared_between_blocks_) summary_.flags |= kReturningAtomics;
    } else if (auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction)) {
      visit_call(*call);
    } else {
      count_arithmetic(instruction);
    }
  }

  void visit_atomic(const AtomicRMWInst& atomic) {
    if (!atomic.use_empty()) summary_.flags |= kReturningAtomics;
    if (atomic.getMetadata("guda.system") != nullptr) summary_.flags |= kSystemAtomics;
    if (AtomicRMWInst::isFPOperation(atomic.getOperation())) {
      summary_.flags |= kFloatAtomics;
    } else if (combine_of(atomic) == Combine::none) {
      summary_.flags |= kReturningAtomics;  // exchange, wrapping increments: order matters
    }
    if (llvm::isStrongerThanMonotonic(atomic.getOrdering())) summary_.flags |= kOrderedAccesses;
  }

  void visit_call(llvm::CallBase& call) {
    const llvm::Function* callee = call.getCalledFunction();
    if (callee == nullptr) {
      summary_.flags |= kCallsOut;
      return;
    }
    const llvm::StringRef name = callee->getName();
    if (const auto* transfer = llvm::dyn_cast<llvm::MemIntrinsic>(&call)) {
      visit_transfer(*transfer);
    } else if (callee->isIntrinsic()) {
      count_arithmetic(call);
    } else if (!callee->isDeclaration()) {
      summary_.flags |= kCallsOut;
    } else {
      for (const CalledFunction& known : kCalled)
        if (name.starts_with(known.prefix)) summary_.flags |= known.flag;
      if (name.starts_with("ptx.bar.") && !name.starts_with("ptx.bar.warp"))
        ++summary_.counts.barriers;
    }
  }

  /// memcpy and memset come from aggregates in local memory; anything else is not expected.
  void visit_transfer(const llvm::MemIntrinsic& transfer) {
    const auto elsewhere = [&](llvm::Value* pointer) {
      return !graph_.roots(graph_.node(pointer, transfer.getParent())).own_memory;
    };
    if (elsewhere(transfer.getRawDest())) summary_.flags |= kUnknownAddresses;
    if (const auto* copy = llvm::dyn_cast<llvm::MemTransferInst>(&transfer);
        copy != nullptr && elsewhere(copy->getRawSource()))
      summary_.flags |= kUnknownAddresses;
  }

  void count_arithmetic(const llvm::Instruction& instruction) {
    const llvm::Type* type = instruction.getType();
    const unsigned lanes = type->isVectorTy() ? 2 : 1;
    type = type->getScalarType();
    if (!type->isFloatingPointTy()) return;
    unsigned operations = instruction.isBinaryOp() ? 1 : 0;
    if (const auto* intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction))
      operations = intrinsic->getIntrinsicID() == llvm::Intrinsic::fma ? 2 : 1;
    (type->isDoubleTy() ? summary_.counts.f64 : summary_.counts.f32) += operations * lanes;
  }

  /// Records an access to memory that blocks share; sets shared_between_blocks_.
  void access(AccessKind kind, llvm::Value* pointer, llvm::Type* type,
              const llvm::Instruction& instruction) {
    shared_between_blocks_ = false;
    if (pointer->getType()->getPointerAddressSpace() == 3) return;
    const llvm::DataLayout& layout = kernel_.getParent()->getDataLayout();
    const int32_t address = graph_.node(pointer, instruction.getParent());
    const Roots roots = graph_.roots(address);
    if (roots.own_memory) return;
    shared_between_blocks_ = true;
    const auto bytes = static_cast<uint32_t>(layout.getTypeStoreSize(type).getFixedValue());
    count(kind, bytes);
    Access access;
    access.kind = kind;
    access.bytes = bytes;
    access.address = address;
    if (const auto* atomic = llvm::dyn_cast<AtomicRMWInst>(&instruction))
      access.combine = combine_of(*atomic);
    const size_t candidates = roots.parameters.size() + roots.variables.size();
    if (roots.loaded_pointer) {
      // base + 64-bit number from memory is taken for a pointer's base, whatever else is added.
      summary_.flags |= kFollowsPointers;
    } else if (candidates == 0) {
      summary_.flags |= kUnknownAddresses;
    } else if (candidates == 1) {
      access.root = roots.parameters.empty() ? Root::variable : Root::parameter;
      access.root_index =
          roots.parameters.empty() ? roots.variables.front() : roots.parameters.front();
      add_pointer(roots);
      if (kind == AccessKind::write)
        access.complete = graph_.guards_are_exact(instruction.getParent(), address);
    } else {
      resolve(roots, access);
      return;
    }
    push(access);
  }

  /// One of several pointers (a choice), or pointers and sizes in bytes: somewhere in each one's memory.
  void resolve(const Roots& roots, Access access) {
    access.address = -1;
    access.root = Root::parameter;
    for (const uint32_t offset : roots.parameters) {
      access.root_index = offset;
      push(access);
    }
    access.root = Root::variable;
    for (const uint32_t number : roots.variables) {
      access.root_index = number;
      push(access);
    }
    add_pointer(roots);
  }

  void add_pointer(const Roots& roots) {
    for (const uint32_t offset : roots.parameters)
      if (!llvm::is_contained(summary_.pointers, offset)) summary_.pointers.push_back(offset);
  }

  void push(const Access& access) {
    if (!llvm::is_contained(summary_.accesses, access)) summary_.accesses.push_back(access);
  }

  void count(AccessKind kind, uint32_t bytes) {
    InstructionCounts& counts = summary_.counts;
    switch (kind) {
      case AccessKind::read:
        ++counts.loads;
        counts.load_bytes += bytes;
        break;
      case AccessKind::write:
        ++counts.stores;
        counts.store_bytes += bytes;
        break;
      case AccessKind::atomic: ++counts.atomics; break;
    }
  }

  /// Keeps what addresses need.
  void drop_unused_nodes() {
    std::vector<bool> used(summary_.nodes.size(), false);
    for (const Access& access : summary_.accesses)
      if (access.address >= 0) used[static_cast<size_t>(access.address)] = true;
    for (size_t i = summary_.nodes.size(); i-- > 0;) {
      if (!used[i]) continue;
      for (const int32_t operand : {summary_.nodes[i].a, summary_.nodes[i].b, summary_.nodes[i].c})
        if (operand >= 0) used[static_cast<size_t>(operand)] = true;
    }
    std::vector<int32_t> moved(summary_.nodes.size(), -1);
    std::vector<Node> kept;
    for (size_t i = 0; i < summary_.nodes.size(); ++i) {
      if (!used[i]) continue;
      moved[i] = static_cast<int32_t>(kept.size());
      Node node = summary_.nodes[i];
      for (int32_t* operand : {&node.a, &node.b, &node.c})
        if (*operand >= 0) *operand = moved[static_cast<size_t>(*operand)];
      kept.push_back(node);
    }
    for (Access& access : summary_.accesses)
      if (access.address >= 0) access.address = moved[static_cast<size_t>(access.address)];
    summary_.nodes = std::move(kept);
  }

  llvm::Function& kernel_;
  AccessSummary summary_;
  AddressGraph graph_;
  bool shared_between_blocks_ = false;
};

}  // namespace

AccessSummary analyze(llvm::Function& kernel) { return Analysis(kernel).run(); }

}  // namespace guda::access
