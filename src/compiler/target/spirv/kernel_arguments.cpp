// The kernel's parameter block, its shared memory and the module variables become arguments of an OpenCL kernel,
// and its pointers get OpenCL's address spaces.
//
// Addresses stay 64-bit integers wherever PTX computes with them: a pointer argument contributes the address
// that the device has for it. recover_local_pointers then turns most of that into pointer arithmetic.
#include <llvm/IR/Constants.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/ReplaceConstant.h>
#include <llvm/Support/Alignment.h>

#include <map>
#include <set>

#include "compiler/device_ir/local_pointers.h"
#include "compiler/target/spirv/address_origins.h"
#include "compiler/target/spirv/device_values.h"
#include "compiler/target/spirv/spirv.h"

namespace guda::target {
namespace {

using driver::OpenclArgument;
using llvm::cast;
using llvm::dyn_cast;
using llvm::Function;
using llvm::Instruction;
using llvm::isa;
using llvm::Value;

constexpr unsigned kPrivate = 0, kGlobal = 1, kLocal = 3, kGeneric = 4;  // OpenCL's numbers in LLVM
constexpr uint64_t kDynamicSharedAlignment = 16;

Status refuse(std::string reason) { return {StatusCode::not_supported, std::move(reason)}; }

class ArgumentLowering {
 public:
  ArgumentLowering(Function& kernel, const SpirvOptions& options, driver::OpenclKernel& result)
      : old_(kernel),
        module_(*kernel.getParent()),
        context_(kernel.getContext()),
        options_(options),
        result_(result) {}

  Result<Function*> run() {
    if (Status status = check_constants(); !status) return status;
    lay_out_shared();
    instantiate_variables();
    remember_conversions();
    collect_words();
    const AddressOrigins origins(old_);
    if (Status status = choose_spaces(origins); !status) return status;
    describe_arguments(origins);
    if (Status status = create_function(); !status) return status;
    replace_parameters();
    rewrite_pointers();
    replace_device_arguments(*new_, result_.static_shared_bytes);
    device_ir::recover_local_pointers(*new_);
    drop_variables();
    return new_;
  }

 private:
  struct Pointer {
    unsigned original = 0;  // address space in device IR
    unsigned decided = 0;
  };

  llvm::PointerType* pointer(unsigned space) { return llvm::PointerType::get(context_, space); }
  llvm::Type* i64() { return llvm::Type::getInt64Ty(context_); }
  llvm::Type* i8() { return llvm::Type::getInt8Ty(context_); }

  /// An access to an address that is a constant can only fault.
  Status check_constants() {
    for (Instruction& instruction : llvm::instructions(old_)) {
      const Value* address = accessed_pointer(instruction);
      if (address && isa<llvm::ConstantPointerNull, llvm::UndefValue>(address) &&
          address->getType()->getPointerAddressSpace() != kPtxShared)
        return refuse("it accesses a fixed address");
    }
    return Status::ok();
  }

  /// As target::lower_memory does: static variables first, dynamic shared memory after them.
  void lay_out_shared() {
    uint64_t size = 0;
    uint64_t dynamic_alignment = kDynamicSharedAlignment;
    std::vector<llvm::GlobalVariable*> dynamic;
    for (llvm::GlobalVariable& variable : module_.globals()) {
      if (variable.getAddressSpace() != kPtxShared) continue;
      const uint64_t alignment = variable.getAlign().valueOrOne().value();
      if (variable.hasExternalLinkage()) {
        dynamic.push_back(&variable);
        dynamic_alignment = std::max(dynamic_alignment, alignment);
        continue;
      }
      size = llvm::alignTo(size, alignment);
      shared_offsets_[&variable] = size;
      size += module_.getDataLayout().getTypeAllocSize(variable.getValueType());
    }
    if (!dynamic.empty()) size = llvm::alignTo(size, dynamic_alignment);
    for (llvm::GlobalVariable* variable : dynamic) shared_offsets_[variable] = size;
    result_.static_shared_bytes = static_cast<uint32_t>(size);
  }

  /// Variables as operands of instructions only, not inside constant expressions.
  void instantiate_variables() {
    std::vector<llvm::Constant*> variables;
    for (llvm::GlobalVariable& variable : module_.globals()) {
      variable.removeDeadConstantUsers();
      if (!variable.use_empty()) variables.push_back(&variable);
    }
    llvm::convertUsersOfConstantsToInstructions(variables);
    for (llvm::GlobalVariable& variable : module_.globals()) {
      const unsigned space = variable.getAddressSpace();
      if (variable.use_empty() || (space != kPtxGlobal && space != kPtxConst)) continue;
      symbols_[&variable] = static_cast<uint32_t>(result_.symbols.size());
      result_.symbols.push_back(variable.getName().str());
    }
  }

  /// ptrtoint means an offset or an address by the type that its operand had in device IR.
  void remember_conversions() {
    for (Instruction& instruction : llvm::instructions(old_))
      if (isa<llvm::PtrToIntInst>(instruction))
        original_of_[&instruction] = instruction.getOperand(0)->getType()->getPointerAddressSpace();
  }

  void collect_words() {
    for (Instruction& instruction : llvm::instructions(old_)) {
      auto* load = dyn_cast<llvm::LoadInst>(&instruction);
      const Value* address = accessed_pointer(instruction);
      if (!address || !is_parameter_address(address, old_)) continue;
      const auto offset = parameter_offset(address, old_);
      if (load && offset)
        parameter_loads_.emplace_back(load, *offset);
      else
        indexed_parameters_ = true;
    }
  }

  Result<unsigned> space_of(const AddressOrigin& origin, unsigned original) const {
    if (original == kPtxShared) return kLocal;
    const bool anything = origin.memory || !origin.is_address();
    if (anything && !options_.shared_addresses)
      return refuse(origin.memory ? "it follows pointers that it reads from memory"
                                  : "it accesses an address that comes from no parameter");
    if (original == kPtxGlobal || original == kPtxConst) return kGlobal;
    if (!anything) {
      if (origin.global && !origin.shared && !origin.local) return kGlobal;
      if (origin.shared && !origin.global && !origin.local) return kLocal;
      if (origin.local && !origin.global && !origin.shared) return kPrivate;
    }
    if (options_.generic_addresses) return kGeneric;
    return refuse("an address may be in different memories, and the device has no generic ones");
  }

  Status choose_spaces(const AddressOrigins& origins) {
    for (Instruction& instruction : llvm::instructions(old_)) {
      if (Value* address = accessed_pointer(instruction);
          address && !is_parameter_address(address, old_)) {
        auto space = space_of(origins.of(address), address->getType()->getPointerAddressSpace());
        if (!space) return space.status();
        needs_generic_ |= *space == kGeneric;
      }
      if (isa<llvm::CallInst>(instruction) && !isa<llvm::IntrinsicInst>(instruction))
        for (const llvm::Use& argument : cast<llvm::CallInst>(instruction).args())
          if (argument->getType()->isPointerTy())
            return refuse("it passes an address to " +
                          cast<llvm::CallInst>(instruction).getCalledOperand()->getName().str());
      if (!instruction.getType()->isPointerTy()) continue;
      if (is_parameter_address(&instruction, old_)) continue;
      const unsigned original = instruction.getType()->getPointerAddressSpace();
      // What is never accessed may be anything.
      auto space = space_of(origins.of(&instruction), original);
      pointers_[&instruction] = {original, space ? *space : kGlobal};
    }
    return Status::ok();
  }

  void describe_arguments(const AddressOrigins& origins) {
    const std::vector<AddressRoot>& roots = origins.roots();
    llvm::SmallBitVector pointers = origins.pointers();
    if (options_.shared_addresses) pointers.reset();
    const llvm::SmallBitVector escaping = origins.escaping(pointers);
    root_argument_.assign(roots.size(), 0);
    for (unsigned i = 0; i < roots.size(); ++i) {
      root_argument_[i] = static_cast<uint32_t>(result_.arguments.size());
      if (roots[i].variable)
        add({OpenclArgument::Kind::symbol, symbols_.at(roots[i].variable), escaping.test(i)});
      else if (pointers.test(i))
        add({OpenclArgument::Kind::pointer, roots[i].offset, escaping.test(i)});
      else
        root_argument_[i] = kNone;
    }
    std::set<uint32_t> words;
    for (const auto& [load, offset] : parameter_loads_) {
      if (pointer_argument(offset, *load) != kNone) continue;
      const auto bytes = module_.getDataLayout().getTypeStoreSize(load->getType()).getFixedValue();
      for (uint64_t word = offset / 8; word * 8 < offset + bytes; ++word)
        words.insert(static_cast<uint32_t>(word * 8));
    }
    if (indexed_parameters_)
      for (uint32_t word = 0; word < result_.param_bytes; word += 8) words.insert(word);
    for (uint32_t word : words) {
      word_argument_[word] = static_cast<uint32_t>(result_.arguments.size());
      add({OpenclArgument::Kind::word, word, false});
    }
    if (!options_.shared_addresses) describe_groups(origins);
  }

  void add(OpenclArgument argument) { result_.arguments.push_back(argument); }

  void describe_groups(const AddressOrigins& origins) {
    std::set<std::vector<uint32_t>> groups;
    for (Instruction& instruction : llvm::instructions(old_)) {
      const Value* address = accessed_pointer(instruction);
      if (!address || is_parameter_address(address, old_)) continue;
      std::vector<uint32_t> group;
      for (unsigned root : origins.of(address).roots.set_bits())
        group.push_back(root_argument_[root]);
      if (!group.empty()) groups.insert(group);
    }
    result_.address_groups.assign(groups.begin(), groups.end());
  }

  uint32_t pointer_argument(uint32_t offset, const llvm::LoadInst& load) const {
    if (!load.getType()->isIntegerTy(64)) return kNone;
    for (uint32_t i = 0; i < result_.arguments.size(); ++i)
      if (result_.arguments[i].kind == OpenclArgument::Kind::pointer &&
          result_.arguments[i].offset == offset)
        return i;
    return kNone;
  }

  Status create_function() {
    std::vector<llvm::Type*> types(7, llvm::Type::getInt32Ty(context_));
    types.push_back(pointer(kLocal));
    if (result_.uses_exchange) types.push_back(pointer(kLocal));
    for (const OpenclArgument& argument : result_.arguments) {
      first_.push_back(static_cast<unsigned>(types.size()));
      const bool buffer = argument.kind != OpenclArgument::Kind::word && !options_.shared_addresses;
      if (buffer) types.push_back(pointer(kGlobal));
      types.push_back(i64());
    }
    constexpr size_t kMostArguments = 255;  // SPIR-V, "Universal Limits"
    if (types.size() > kMostArguments) return refuse("it has too many parameters");
    auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context_), types, false);
    new_ =
        Function::Create(type, llvm::GlobalValue::ExternalLinkage, driver::kOpenclEntry, module_);
    new_->setCallingConv(llvm::CallingConv::SPIR_KERNEL);
    static constexpr const char* kNames[] = {"first_x", "first_y", "first_z",       "grid_x",
                                             "grid_y",  "grid_z",  "dynamic_bytes", "window"};
    for (unsigned i = 0; i < 8; ++i) new_->getArg(i)->setName(kNames[i]);
    if (result_.uses_exchange) new_->getArg(8)->setName("exchange");
    new_->splice(new_->begin(), &old_);
    window_ = new_->getArg(7);
    entry_ = &*new_->getEntryBlock().getFirstNonPHIOrDbgOrAlloca();
    return Status::ok();
  }

  /// The argument's address or word, computed where the kernel begins.
  Value* argument_value(uint32_t index) {
    Value*& known = values_[index];
    if (known) return known;
    llvm::IRBuilder<> builder(entry_);
    llvm::Argument* first = new_->getArg(first_[index]);
    if (!first->getType()->isPointerTy()) return known = first;
    return known = builder.CreatePtrToInt(
               builder.CreateGEP(builder.getInt8Ty(), first, new_->getArg(first_[index] + 1)),
               i64());
  }

  /// `bits` bits at a byte offset of the parameter block.
  Value* parameter_bits(uint32_t offset, unsigned bits) {
    llvm::IRBuilder<> builder(entry_);
    const uint32_t shift = offset % 8 * 8;
    Value* value = argument_value(word_argument_.at(offset - offset % 8));
    if (shift) value = builder.CreateLShr(value, shift);
    if (shift + bits > 64)
      value = builder.CreateOr(
          value, builder.CreateShl(argument_value(word_argument_.at(offset - offset % 8 + 8)),
                                   64 - shift));
    return builder.CreateTrunc(value, builder.getIntNTy(bits));
  }

  Value* parameter_value(uint32_t offset, llvm::Type* type) {
    llvm::IRBuilder<> builder(entry_);
    if (auto* vector = dyn_cast<llvm::FixedVectorType>(type)) {
      const unsigned bytes = vector->getScalarSizeInBits() / 8;
      Value* result = llvm::PoisonValue::get(type);
      for (unsigned i = 0; i < vector->getNumElements(); ++i)
        result = builder.CreateInsertElement(
            result, parameter_value(offset + i * bytes, vector->getElementType()), i);
      return result;
    }
    const unsigned bits = type->getScalarSizeInBits();
    Value* value = parameter_bits(offset, bits);
    return type->isIntegerTy() ? value : builder.CreateBitCast(value, type);
  }

  void replace_parameters() {
    for (const auto& [load, offset] : parameter_loads_) {
      const uint32_t argument = pointer_argument(offset, *load);
      load->replaceAllUsesWith(argument != kNone ? argument_value(argument)
                                                 : parameter_value(offset, load->getType()));
      if (load == entry_) entry_ = load->getNextNode();
      load->eraseFromParent();
    }
    llvm::Argument* parameters = old_.getArg(0);
    if (indexed_parameters_) {
      llvm::IRBuilder<> builder(&*new_->getEntryBlock().begin());
      auto* type = llvm::ArrayType::get(i64(), (result_.param_bytes + 7) / 8);
      llvm::AllocaInst* copy = builder.CreateAlloca(type);
      copy->setAlignment(llvm::Align(16));
      builder.SetInsertPoint(entry_);
      for (const auto& [offset, argument] : word_argument_)
        builder.CreateAlignedStore(argument_value(argument),
                                   builder.CreateConstGEP1_32(builder.getInt8Ty(), copy, offset),
                                   llvm::Align(8));
      parameters->replaceAllUsesWith(copy);
      return;
    }
    // What is left computes addresses for nobody.
    parameters->replaceAllUsesWith(llvm::PoisonValue::get(parameters->getType()));
  }

  /// The pointer operand as one of address space `space`.
  Value* in_space(Value* value, unsigned space, Instruction* before) {
    if (value->getType()->getPointerAddressSpace() == space) return value;
    if (isa<llvm::PoisonValue, llvm::UndefValue>(value))
      return llvm::UndefValue::get(pointer(space));
    if (isa<llvm::ConstantPointerNull>(value))
      return llvm::ConstantPointerNull::get(pointer(space));
    return new llvm::AddrSpaceCastInst(value, pointer(space), "", before->getIterator());
  }

  /// Replaces module variables, and constant offsets in the window.
  Value* constant_pointer(Value* operand) {
    llvm::IRBuilder<> builder(entry_);
    auto in_window = [&](uint64_t offset) -> Value* {
      return offset == 0 ? window_
                         : builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), window_, offset);
    };
    if (auto* variable = dyn_cast<llvm::GlobalVariable>(operand)) {
      if (const auto shared = shared_offsets_.find(variable); shared != shared_offsets_.end())
        return in_window(shared->second);
      const auto symbol = symbols_.find(variable);
      if (symbol == symbols_.end()) return nullptr;
      for (uint32_t i = 0; i < result_.arguments.size(); ++i) {
        if (result_.arguments[i].kind != OpenclArgument::Kind::symbol ||
            result_.arguments[i].offset != symbol->second)
          continue;
        llvm::Argument* first = new_->getArg(first_[i]);
        if (first->getType()->isPointerTy())
          return builder.CreateGEP(builder.getInt8Ty(), first, new_->getArg(first_[i] + 1));
        return builder.CreateIntToPtr(first, pointer(kGlobal));
      }
      return nullptr;
    }
    if (operand->getType()->getPointerAddressSpace() != kPtxShared) return nullptr;
    if (isa<llvm::ConstantPointerNull>(operand)) return window_;
    if (auto* expression = dyn_cast<llvm::ConstantExpr>(operand);
        expression && expression->getOpcode() == Instruction::IntToPtr)
      if (auto* offset = dyn_cast<llvm::ConstantInt>(expression->getOperand(0)))
        return in_window(offset->getZExtValue());
    return nullptr;
  }

  void rewrite_pointers() {
    std::vector<Instruction*> work;
    for (Instruction& instruction : llvm::instructions(*new_)) work.push_back(&instruction);
    for (Instruction* instruction : work) {
      for (llvm::Use& operand : instruction->operands()) {
        if (!isa<llvm::Constant>(operand) || !operand->getType()->isPointerTy()) continue;
        if (Value* value = constant_pointer(operand)) operand.set(value);
      }
    }
    // Types first, so that every operand has its own when uses are looked at.
    for (Instruction* instruction : work) {
      const auto known = pointers_.find(instruction);
      if (known == pointers_.end()) continue;
      if (isa<llvm::IntToPtrInst, llvm::AddrSpaceCastInst>(instruction)) continue;
      instruction->mutateType(pointer(known->second.decided));
    }
    for (Instruction* instruction : work) rewrite(*instruction);
  }

  void replace(Instruction& instruction, Value* value) {
    for (llvm::Use& use : llvm::make_early_inc_range(instruction.uses())) use.set(value);
    if (&instruction == entry_) entry_ = instruction.getNextNode();
    instruction.eraseFromParent();
  }

  void rewrite(Instruction& instruction) {
    llvm::IRBuilder<> builder(&instruction);
    const auto known = pointers_.find(&instruction);
    const unsigned decided = known == pointers_.end() ? 0 : known->second.decided;
    if (auto* from_integer = dyn_cast<llvm::IntToPtrInst>(&instruction)) {
      Value* integer = from_integer->getOperand(0);
      if (known == pointers_.end()) return;
      if (known->second.original == kPtxShared) {
        Value* offset = builder.CreateZExtOrTrunc(integer, i64());
        replace(instruction, builder.CreateGEP(i8(), window_, offset));
      } else if (decided == kLocal && needs_generic_) {
        replace(instruction,
                builder.CreateAddrSpaceCast(builder.CreateIntToPtr(integer, pointer(kGeneric)),
                                            pointer(kLocal)));
      } else {
        replace(instruction, builder.CreateIntToPtr(integer, pointer(decided)));
      }
    } else if (auto* to_integer = dyn_cast<llvm::PtrToIntInst>(&instruction)) {
      Value* source = to_integer->getOperand(0);
      Value* number = nullptr;
      const bool offset = original_of_[&instruction] == kPtxShared;
      if (offset) {
        number = builder.CreateSub(builder.CreatePtrToInt(source, i64()),
                                   builder.CreatePtrToInt(window_, i64()));
      } else {
        const bool local = source->getType()->getPointerAddressSpace() == kLocal;
        if (local && needs_generic_)
          source = builder.CreateAddrSpaceCast(source, pointer(kGeneric));
        number = builder.CreatePtrToInt(source, i64());
      }
      replace(instruction, builder.CreateZExtOrTrunc(number, instruction.getType()));
    } else if (isa<llvm::AddrSpaceCastInst>(instruction)) {
      replace(instruction, in_space(instruction.getOperand(0), decided, &instruction));
    } else if (auto* phi = dyn_cast<llvm::PHINode>(&instruction); phi && known != pointers_.end()) {
      for (unsigned i = 0; i < phi->getNumIncomingValues(); ++i)
        phi->setIncomingValue(i, in_space(phi->getIncomingValue(i), decided,
                                          phi->getIncomingBlock(i)->getTerminator()));
    } else if (isa<llvm::SelectInst>(instruction) && known != pointers_.end()) {
      for (unsigned i = 1; i < 3; ++i)
        instruction.setOperand(i, in_space(instruction.getOperand(i), decided, &instruction));
    } else if (isa<llvm::ICmpInst>(instruction) &&
               instruction.getOperand(0)->getType()->isPointerTy()) {
      instruction.setOperand(
          1,
          in_space(instruction.getOperand(1),
                   instruction.getOperand(0)->getType()->getPointerAddressSpace(), &instruction));
    }
  }

  void drop_variables() {
    old_.eraseFromParent();
    for (llvm::GlobalVariable& variable : llvm::make_early_inc_range(module_.globals())) {
      variable.removeDeadConstantUsers();
      if (variable.use_empty()) variable.eraseFromParent();
    }
  }

  static constexpr uint32_t kNone = ~0u;

  Function& old_;
  llvm::Module& module_;
  llvm::LLVMContext& context_;
  const SpirvOptions& options_;
  driver::OpenclKernel& result_;
  Function* new_ = nullptr;
  Value* window_ = nullptr;
  Instruction* entry_ = nullptr;  // where values of arguments are computed
  bool indexed_parameters_ = false;
  bool needs_generic_ = false;
  std::vector<std::pair<llvm::LoadInst*, uint32_t>> parameter_loads_;
  std::map<const llvm::GlobalVariable*, uint64_t> shared_offsets_;
  std::map<const llvm::GlobalVariable*, uint32_t> symbols_;
  std::map<const Instruction*, Pointer> pointers_;
  std::map<const Instruction*, unsigned> original_of_;
  std::vector<uint32_t> root_argument_;  // by root
  std::map<uint32_t, uint32_t> word_argument_;  // by offset
  std::vector<unsigned> first_;  // by argument: its first parameter of the function
  std::map<uint32_t, Value*> values_;
};

}  // namespace

Result<Function*> make_arguments(Function& kernel, const SpirvOptions& options,
                                 driver::OpenclKernel& result) {
  return ArgumentLowering(kernel, options, result).run();
}

}  // namespace guda::target
