// Loads, stores and copies (PTX ISA 9.7.9): ld, ldu, st, prefetch, cp.async, alloca.
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/Intrinsics.h>

#include "compiler/device_ir/memory_access.h"

namespace guda::device_ir {

using llvm::Value;

StateSpace state_space(Lowering& l) {
  for (std::string_view modifier : l.ast.modifiers) {
    if (modifier == "global") return StateSpace::global;
    if (modifier.starts_with("shared")) return StateSpace::shared;
    if (modifier == "local") return StateSpace::local;
    if (modifier.starts_with("param")) return StateSpace::param;
    if (modifier == "const") return StateSpace::constant;
  }
  return StateSpace::none;
}

llvm::Type* memory_type(llvm::LLVMContext& context, ScalarType type) {
  return register_type(context, type);
}

llvm::AtomicOrdering ordering(Lowering& l, llvm::AtomicOrdering otherwise) {
  if (l.has("relaxed") || l.has("mmio")) return llvm::AtomicOrdering::Monotonic;
  if (l.has("acquire")) return llvm::AtomicOrdering::Acquire;
  if (l.has("release")) return llvm::AtomicOrdering::Release;
  if (l.has("acq_rel")) return llvm::AtomicOrdering::AcquireRelease;
  if (l.has("sc")) return llvm::AtomicOrdering::SequentiallyConsistent;
  return otherwise;
}

namespace {

unsigned vector_width(Lowering& l) {
  return l.has("v2") ? 2 : l.has("v4") ? 4 : l.has("v8") ? 8 : 1;
}

bool is_kernel_parameter(Lowering& l, Value* pointer) {
  return l.fn.source().is_entry && llvm::isa<llvm::Argument>(llvm::getUnderlyingObject(pointer));
}

void mark_invariant(Lowering& l, llvm::LoadInst* load) {
  load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(l.context(), {}));
}

// The registers of a vector operand: {a, b, c, d}, or a vector register.
bool element_operands(Lowering& l, size_t index, unsigned width,
                      llvm::SmallVectorImpl<ptx::Operand>& elements) {
  const ptx::Operand& operand = l.operand(index);
  if (operand.kind == ptx::Operand::Kind::vector) {
    elements.append(operand.elements.begin(), operand.elements.end());
  } else if (width == 1) {
    elements.push_back(operand);
  } else if (operand.kind == ptx::Operand::Kind::name) {
    constexpr std::string_view kNames = "xyzw";
    for (unsigned i = 0; i < width && i < 4; ++i) {
      ptx::Operand element = operand;
      element.component = kNames.substr(i, 1);
      elements.push_back(element);
    }
  }
  if (elements.size() == width) return true;
  l.fail("the vector operand has the wrong number of elements");
  return false;
}

// Vector accesses with an ordering are one integer access of up to 128 bits: programs rely on GPUs
// doing them at once (look-back scans keep a status beside its value).
unsigned atomic_part(unsigned total_bits) { return total_bits > 128 ? 128 : total_bits; }

void lower_load(Lowering& l) {
  const ScalarType type = l.type();
  const unsigned width = vector_width(l), bits = ptx::bit_width(type);
  const StateSpace space = state_space(l);
  llvm::SmallVector<ptx::Operand, 8> elements;
  if (!element_operands(l, 0, width, elements)) return;
  Value* pointer = l.fn.pointer(l.operand(1), space);
  if (l.fn.failed()) return;
  llvm::Type* element = memory_type(l.context(), type);
  const llvm::AtomicOrdering order = ordering(l, llvm::AtomicOrdering::NotAtomic);
  if (order != llvm::AtomicOrdering::NotAtomic) {
    const unsigned total = width * bits, part = atomic_part(total), per_part = part / bits;
    for (unsigned at = 0; at < total; at += part) {
      Value* address = at == 0 ? pointer : l.b.CreateConstGEP1_64(l.b.getInt8Ty(), pointer, at / 8);
      llvm::Type* access = width == 1 ? element : l.b.getIntNTy(part);
      llvm::LoadInst* load = l.b.CreateAlignedLoad(access, address, llvm::Align(part / 8));
      load->setAtomic(order);
      load->setVolatile(l.has("mmio"));
      for (unsigned i = 0; i < per_part; ++i) {
        Value* value = load;
        if (width != 1) {
          value = i == 0 ? value : l.b.CreateLShr(value, i * bits);
          value = l.b.CreateTrunc(value, l.b.getIntNTy(bits));
        }
        l.fn.write(elements[at / bits + i], type, value);
      }
    }
    return;
  }
  llvm::Type* access = width == 1 ? element : llvm::FixedVectorType::get(element, width);
  llvm::LoadInst* load = l.b.CreateAlignedLoad(access, pointer, llvm::Align(width * bits / 8));
  load->setVolatile(l.has("volatile"));
  if (!l.has("volatile") && (l.has("nc") || l.ast.opcode == "ldu" ||
                             space == StateSpace::constant || is_kernel_parameter(l, pointer))) {
    mark_invariant(l, load);
  }
  for (unsigned i = 0; i < width; ++i) {
    l.fn.write(elements[i], type, width == 1 ? load : l.b.CreateExtractElement(load, i));
  }
}

void lower_store(Lowering& l) {
  const ScalarType type = l.type();
  const unsigned width = vector_width(l), bits = ptx::bit_width(type);
  llvm::SmallVector<ptx::Operand, 8> elements;
  if (!element_operands(l, 1, width, elements)) return;
  Value* pointer = l.fn.pointer(l.operand(0), state_space(l));
  if (l.fn.failed()) return;
  llvm::Type* element = memory_type(l.context(), type);
  llvm::SmallVector<Value*, 8> values;
  for (const ptx::Operand& operand : elements) {
    values.push_back(l.b.CreateBitCast(l.fn.read(operand, type), element));
  }
  const llvm::AtomicOrdering order = ordering(l, llvm::AtomicOrdering::NotAtomic);
  if (order != llvm::AtomicOrdering::NotAtomic) {
    const unsigned total = width * bits, part = atomic_part(total), per_part = part / bits;
    for (unsigned at = 0; at < total; at += part) {
      Value* address = at == 0 ? pointer : l.b.CreateConstGEP1_64(l.b.getInt8Ty(), pointer, at / 8);
      Value* value = values[at / bits];
      if (width != 1) {
        llvm::Type* access = l.b.getIntNTy(part);
        value = nullptr;
        for (unsigned i = 0; i < per_part; ++i) {
          Value* piece = l.b.CreateBitCast(values[at / bits + i], l.b.getIntNTy(bits));
          piece = l.b.CreateShl(l.b.CreateZExt(piece, access), i * bits);
          value = value == nullptr ? piece : l.b.CreateOr(value, piece);
        }
      }
      llvm::StoreInst* store = l.b.CreateAlignedStore(value, address, llvm::Align(part / 8));
      store->setAtomic(order);
      store->setVolatile(l.has("mmio"));
    }
    return;
  }
  Value* stored = values[0];
  if (width != 1) {
    stored = llvm::PoisonValue::get(llvm::FixedVectorType::get(element, width));
    for (unsigned i = 0; i < width; ++i) stored = l.b.CreateInsertElement(stored, values[i], i);
  }
  l.b.CreateAlignedStore(stored, pointer, llvm::Align(width * bits / 8), l.has("volatile"));
}

void lower_nothing(Lowering&) {}

void lower_createpolicy(Lowering& l) { l.out(0, ScalarType::b64, l.i64(0)); }

// Copies `bytes` (4, 8 or 16; or a run-time count followed by zeros) at once: the asynchronous copy
// is complete when it is issued, so groups need no waiting.
void lower_cp_async(Lowering& l) {
  Value* to = l.fn.pointer(l.operand(0), StateSpace::shared);
  Value* from = l.fn.pointer(l.operand(1), StateSpace::global);
  const ptx::Operand& size = l.operand(2);
  if (l.fn.failed()) return;
  if (size.kind != ptx::Operand::Kind::integer ||
      (size.bits != 4 && size.bits != 8 && size.bits != 16)) {
    l.fail("the size must be 4, 8 or 16");
    return;
  }
  const unsigned bytes = static_cast<unsigned>(size.bits);
  llvm::Type* type = bytes == 16
                         ? llvm::cast<llvm::Type>(llvm::FixedVectorType::get(l.b.getInt32Ty(), 4))
                         : l.b.getIntNTy(8 * bytes);
  const llvm::Align align(bytes);
  const bool has_size =
      l.operand_count() > 3 && !(l.has("L2::cache_hint") && l.operand_count() == 4);
  Value* count = nullptr;
  if (has_size) {
    const ptx::Operand& operand = l.operand(3);
    const Symbol symbol =
        operand.kind == ptx::Operand::Kind::name ? l.fn.resolve(operand.name) : Symbol{};
    if (symbol.cell != nullptr && symbol.cell->getAllocatedType()->isIntegerTy(1)) {
      Value* ignore = l.in(3, ScalarType::pred);
      count = l.b.CreateSelect(ignore, l.i32(0), l.i32(bytes));
    } else {
      count = l.in(3, ScalarType::u32);
    }
    if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(count)) {
      if (constant->getZExtValue() >= bytes) count = nullptr;
    }
  }
  if (count == nullptr) {
    l.b.CreateAlignedStore(l.b.CreateAlignedLoad(type, from, align), to, align);
    return;
  }
  llvm::BasicBlock* whole = l.fn.new_block("copy");
  llvm::BasicBlock* partial = l.fn.new_block("copy.partial");
  llvm::BasicBlock* loop = l.fn.new_block("copy.bytes");
  llvm::BasicBlock* body = l.fn.new_block("copy.byte");
  llvm::BasicBlock* done = l.fn.new_block("copied");
  l.b.CreateCondBr(l.b.CreateICmpUGE(count, l.i32(bytes)), whole, partial);
  l.fn.continue_in(whole);
  l.b.CreateAlignedStore(l.b.CreateAlignedLoad(type, from, align), to, align);
  l.b.CreateBr(done);
  l.fn.continue_in(partial);
  l.b.CreateAlignedStore(llvm::Constant::getNullValue(type), to, align);
  l.b.CreateBr(loop);
  l.fn.continue_in(loop);
  llvm::PHINode* index = l.b.CreatePHI(l.b.getInt32Ty(), 2);
  index->addIncoming(l.i32(0), partial);
  l.b.CreateCondBr(l.b.CreateICmpULT(index, count), body, done);
  l.fn.continue_in(body);
  Value* offset = l.b.CreateZExt(index, l.b.getInt64Ty());
  Value* byte = l.b.CreateLoad(l.b.getInt8Ty(), l.b.CreateGEP(l.b.getInt8Ty(), from, offset));
  l.b.CreateStore(byte, l.b.CreateGEP(l.b.getInt8Ty(), to, offset));
  index->addIncoming(l.b.CreateAdd(index, l.i32(1)), body);
  l.b.CreateBr(loop);
  l.fn.continue_in(done);
}

// alloca d, size[, alignment]: memory of the running function's stack frame.
void lower_alloca(Lowering& l) {
  Value* size = l.in(1);
  uint64_t alignment = 8;
  if (l.operand_count() == 3 && l.operand(2).kind == ptx::Operand::Kind::integer) {
    alignment = l.operand(2).bits;
  }
  if (!llvm::isPowerOf2_64(alignment) || alignment > 4096) {
    l.fail("the alignment is not a power of two");
    return;
  }
  llvm::AllocaInst* storage = l.b.CreateAlloca(l.b.getInt8Ty(), size);
  storage->setAlignment(llvm::Align(alignment));
  l.out(l.b.CreatePtrToInt(storage, l.llvm_type(l.type())));
}

void lower_stacksave(Lowering& l) {
  l.out(l.b.CreatePtrToInt(l.b.CreateStackSave(), l.llvm_type(l.type())));
}

void lower_stackrestore(Lowering& l) {
  l.b.CreateStackRestore(l.b.CreateIntToPtr(l.in(0), llvm::PointerType::get(l.context(), 0)));
}

constexpr Row kRows[] = {
    {"ld",
     "$sem? $scope? $space? $cop? nc? $evict? $evict2? L2::cache_hint? $prefetch? "
     "v2|v4|v8? unified? $mem",
     2, 3, Execution::effect, lower_load},
    {"ldu", "global? v2|v4? $mem", 2, 2, Execution::effect, lower_load},
    {"st", "$sem? $scope? $space? $cop? $evict? $evict2? L2::cache_hint? v2|v4|v8? $mem", 2, 3,
     Execution::effect, lower_store},
    {"prefetch", "...", 1, 1, Execution::effect, lower_nothing},
    {"prefetchu", "...", 1, 1, Execution::effect, lower_nothing},
    {"applypriority", "...", 2, 2, Execution::effect, lower_nothing},
    {"discard", "...", 2, 2, Execution::effect, lower_nothing},
    {"createpolicy", "...", 1, 4, Execution::pure, lower_createpolicy},
    {"cp", "async ca|cg shared|shared::cta|shared::cluster global L2::cache_hint? $prefetch?", 3, 5,
     Execution::effect, lower_cp_async},
    {"cp", "async commit_group", 0, 0, Execution::effect, lower_nothing},
    {"cp", "async wait_group", 1, 1, Execution::effect, lower_nothing},
    {"cp", "async wait_all", 0, 0, Execution::effect, lower_nothing},
    {"cp", "async bulk commit_group", 0, 0, Execution::effect, lower_nothing},
    {"cp", "async bulk wait_group read?", 1, 1, Execution::effect, lower_nothing},
    {"cp", "async bulk prefetch ...", 2, 3, Execution::effect, lower_nothing},
    {"alloca", "u32|u64", 2, 3, Execution::effect, lower_alloca},
    {"stacksave", "u32|u64", 1, 1, Execution::effect, lower_stacksave},
    {"stackrestore", "u32|u64", 1, 1, Execution::effect, lower_stackrestore},
};

}  // namespace

std::span<const Row> memory_rows() { return kRows; }

}  // namespace guda::device_ir
