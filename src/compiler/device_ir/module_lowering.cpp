#include "compiler/device_ir/module_lowering.h"

#include <fmt/format.h>
#include <llvm/Analysis/CaptureTracking.h>
#include <llvm/IR/Attributes.h>
#include <llvm/IR/ConstantRange.h>
#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/ModRef.h>
#include <llvm/Support/raw_ostream.h>

#include "compiler/device_ir/call_signature.h"
#include "compiler/device_ir/function_lowering.h"
#include "compiler/device_ir/local_pointers.h"
#include "compiler/device_ir/lower.h"
#include "compiler/device_ir/promotion.h"
#include "compiler/ptx/parser.h"

namespace guda::device_ir {
namespace {

constexpr const char* kDataLayout = "e-i64:64-i128:128-v16:16-n16:32:64";

struct SpecialRegisterRange {
  std::string_view name;
  uint64_t low, high;  // [low, high)
};

// CUDA's limits for compute capability 5.0 and later.
constexpr SpecialRegisterRange kRanges[] = {
    {"ptx.sreg.tid.x", 0, 1024},         {"ptx.sreg.tid.y", 0, 1024},
    {"ptx.sreg.tid.z", 0, 64},           {"ptx.sreg.ntid.x", 1, 1025},
    {"ptx.sreg.ntid.y", 1, 1025},        {"ptx.sreg.ntid.z", 1, 65},
    {"ptx.sreg.ctaid.x", 0, 0x7fffffff}, {"ptx.sreg.ctaid.y", 0, 0xffff},
    {"ptx.sreg.ctaid.z", 0, 0xffff},     {"ptx.sreg.nctaid.x", 1, 0x80000000},
    {"ptx.sreg.nctaid.y", 1, 0x10000},   {"ptx.sreg.nctaid.z", 1, 0x10000},
    {"ptx.sreg.laneid", 0, 32},          {"ptx.sreg.warpid", 0, 32},
    {"ptx.sreg.nwarpid", 1, 65},
};

std::string triple_of(const std::array<uint32_t, 3>& dimensions) {
  return fmt::format("{},{},{}", std::max(dimensions[0], 1u), std::max(dimensions[1], 1u),
                     std::max(dimensions[2], 1u));
}

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' ||
         c == '.';
}

}  // namespace

ModuleLowering::ModuleLowering(ptx::Module& source, std::string_view file_name,
                               llvm::LLVMContext& context)
    : source_(source), file_name_(file_name) {
  target_ = std::make_unique<llvm::Module>(file_name_, context);
  target_->setDataLayout(kDataLayout);
  for (const auto& [alias, name] : source_.aliases) aliases_[alias] = name;
  for (const ptx::Function& function : source_.functions) {
    const ptx::Function*& known = source_functions_[function.name];
    if (known == nullptr || (!known->has_body && function.has_body)) known = &function;
  }
}

Result<std::unique_ptr<llvm::Module>> ModuleLowering::run(std::string_view kernel) {
  const ptx::Function* entry = find_function(kernel);
  if (entry == nullptr || !entry->is_entry || !entry->has_body) {
    return Status(StatusCode::not_found, fmt::format("{}: no kernel '{}'", file_name_, kernel));
  }
  pending_.emplace_back(entry, create_kernel(*entry));
  while (!pending_.empty()) {
    auto [source, target] = pending_.front();
    pending_.pop_front();
    // The module is ours to parse lazily; only lookups hand out const functions.
    Status status = lower_body(const_cast<ptx::Function&>(*source), *target);
    if (!status) return status;
  }
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (llvm::verifyModule(*target_, &stream)) {
    return Status(StatusCode::invalid_ptx,
                  fmt::format("{}: kernel '{}' has no valid device IR: {}", file_name_, kernel,
                              problems.substr(0, problems.find('\n'))));
  }
  return std::move(target_);
}

Status ModuleLowering::lower_body(ptx::Function& source, llvm::Function& target) {
  Status status = ptx::parse_body(source_, source, file_name_);
  if (!status) return status;
  FunctionLowering function(*this, source, target);
  status = function.run();
  if (!status) return status;
  recover_local_pointers(target);
  fold_constant_operations(target);
  // The parameters' address may still escape as an integer (cvta.param).
  if (source.is_entry && llvm::PointerMayBeCaptured(target.getArg(0), /*ReturnCaptures=*/true)) {
    target.removeParamAttr(0, llvm::Attribute::Captures);
  }
  return Status::ok();
}

llvm::Function* ModuleLowering::create_kernel(const ptx::Function& source) {
  llvm::LLVMContext& context = target_->getContext();
  llvm::Type* pointer = llvm::PointerType::get(context, 0);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer}, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                          llvm::StringRef(source.name), *target_);
  function->getArg(0)->setName("params");
  function->addParamAttr(0, llvm::Attribute::NoAlias);
  function->addParamAttr(0, llvm::Attribute::ReadOnly);
  function->addParamAttr(0,
                         llvm::Attribute::getWithCaptureInfo(context, llvm::CaptureInfo::none()));
  function->addFnAttr(llvm::Attribute::NoUnwind);
  function->addFnAttr(llvm::Attribute::Convergent);
  function->addFnAttr("guda.kernel");
  if (source.max_threads[0] != 0) {
    function->addFnAttr("guda.maxntid", triple_of(source.max_threads));
  }
  if (source.required_threads[0] != 0) {
    function->addFnAttr("guda.reqntid", triple_of(source.required_threads));
  }
  uint64_t bytes = 0;
  for (const ptx::Variable& parameter : source.parameters) {
    const uint64_t alignment = std::max<uint64_t>(parameter.effective_alignment(), 1);
    bytes = (bytes + alignment - 1) / alignment * alignment + parameter.size_in_bytes();
  }
  function->addFnAttr("guda.param_bytes", std::to_string(bytes));
  return function;
}

llvm::Function* ModuleLowering::ptx_function(std::string_view name, llvm::Type* result,
                                             llvm::ArrayRef<llvm::Type*> parameters,
                                             Effects effects) {
  if (llvm::Function* known = target_->getFunction(llvm::StringRef(name))) return known;
  auto* type = llvm::FunctionType::get(result, parameters, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                          llvm::StringRef(name), *target_);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  switch (effects) {
    case Effects::lane:
      function->setMemoryEffects(llvm::MemoryEffects::none());
      function->addFnAttr(llvm::Attribute::Speculatable);
      function->addFnAttr(llvm::Attribute::WillReturn);
      function->addFnAttr(llvm::Attribute::NoFree);
      function->addFnAttr(llvm::Attribute::NoSync);
      break;
    case Effects::clock:
      function->setMemoryEffects(llvm::MemoryEffects::inaccessibleMemOnly());
      function->addFnAttr(llvm::Attribute::WillReturn);
      break;
    case Effects::warp:
      function->setMemoryEffects(llvm::MemoryEffects::inaccessibleMemOnly());
      function->addFnAttr(llvm::Attribute::Convergent);
      break;
    case Effects::barrier: function->addFnAttr(llvm::Attribute::Convergent); break;
    case Effects::texture:
      function->setMemoryEffects(llvm::MemoryEffects::readOnly());
      function->addFnAttr(llvm::Attribute::WillReturn);
      break;
    case Effects::service: break;
  }
  for (const SpecialRegisterRange& range : kRanges) {
    if (range.name == name) {
      function->addRangeRetAttr(
          llvm::ConstantRange(llvm::APInt(32, range.low), llvm::APInt(32, range.high)));
    }
  }
  return function;
}

llvm::GlobalVariable* ModuleLowering::variable(std::string_view name) {
  const auto known = variables_.find(name);
  if (known != variables_.end()) return known->second;
  const ptx::Variable* variable = source_.find_variable(name);
  if (variable == nullptr || !llvm::isPowerOf2_32(std::max(variable->effective_alignment(), 1u))) {
    return nullptr;
  }
  llvm::GlobalVariable* global = nullptr;
  if (variable->space == StateSpace::shared) {
    global = create_shared(*variable);
  } else {
    llvm::LLVMContext& context = target_->getContext();
    const bool constant = variable->space == StateSpace::constant;
    auto* type = llvm::ArrayType::get(llvm::Type::getInt8Ty(context), variable->size_in_bytes());
    global = new llvm::GlobalVariable(*target_, type, constant, llvm::GlobalValue::ExternalLinkage,
                                      nullptr, llvm::StringRef(name), nullptr,
                                      llvm::GlobalValue::NotThreadLocal, constant ? 4 : 1, true);
    global->setAlignment(llvm::MaybeAlign(std::max(variable->effective_alignment(), 1u)));
  }
  variables_[name] = global;
  return global;
}

llvm::GlobalVariable* ModuleLowering::create_shared(const ptx::Variable& variable) {
  llvm::LLVMContext& context = target_->getContext();
  const uint64_t bytes = variable.size_in_bytes();
  auto* type = llvm::ArrayType::get(llvm::Type::getInt8Ty(context), bytes);
  const bool dynamic = bytes == 0;
  auto* global = new llvm::GlobalVariable(
      *target_, type, false,
      dynamic ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::InternalLinkage,
      dynamic ? nullptr : llvm::PoisonValue::get(type), llvm::StringRef(variable.name), nullptr,
      llvm::GlobalValue::NotThreadLocal, 3);
  global->setAlignment(llvm::MaybeAlign(std::max(variable.effective_alignment(), 1u)));
  return global;
}

const ptx::Function* ModuleLowering::find_function(std::string_view name) const {
  const auto alias = aliases_.find(name);
  const auto found = source_functions_.find(alias == aliases_.end() ? name : alias->second);
  return found == source_functions_.end() ? nullptr : found->second;
}

llvm::Function* ModuleLowering::device_function(const ptx::Function& function) {
  llvm::Function*& known = functions_[function.name];
  if (known != nullptr) return known;
  llvm::FunctionType* type =
      call_signature(target_->getContext(), function.results, function.parameters);
  known = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage,
                                 llvm::StringRef(function.name), *target_);
  known->addFnAttr(llvm::Attribute::NoUnwind);
  known->addFnAttr(llvm::Attribute::Convergent);
  pending_.emplace_back(&function, known);
  return known;
}

// A function's address escapes through `mov` or an initialiser. Bodies of other kernels may be
// unparsed, so their text is searched.
bool ModuleLowering::address_is_taken(std::string_view name) const {
  for (const ptx::Variable& variable : source_.variables) {
    for (const ptx::InitialValue& value : variable.initial) {
      if (value.kind == ptx::InitialValue::Kind::symbol && value.symbol == name) return true;
    }
  }
  const std::string_view text = *source_.source;
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    if ((at > 0 && is_word_character(text[at - 1])) ||
        (end < text.size() && is_word_character(text[end]))) {
      continue;
    }
    size_t begin = text.find_last_of(";{}", at);
    begin = begin == std::string_view::npos ? 0 : begin + 1;
    std::string_view statement = text.substr(begin, at - begin);
    if (statement.find("mov.") != std::string_view::npos) return true;
  }
  return false;
}

std::vector<const ptx::Function*> ModuleLowering::indirect_targets(llvm::FunctionType* type) {
  std::vector<const ptx::Function*> targets;
  for (const ptx::Function& function : source_.functions) {
    if (function.is_entry || !function.has_body) continue;
    if (call_signature(context(), function.results, function.parameters) != type) continue;
    if (address_is_taken(function.name)) targets.push_back(&function);
  }
  return targets;
}

Result<std::unique_ptr<llvm::Module>> lower_kernel(ptx::Module& module, std::string_view kernel,
                                                   std::string_view file_name,
                                                   llvm::LLVMContext& context) {
  return ModuleLowering(module, file_name, context).run(kernel);
}

}  // namespace guda::device_ir
