#include "compiler/device_ir/special_registers.h"

#include <fmt/format.h>

#include "compiler/device_ir/module_lowering.h"

namespace guda::device_ir {
namespace {

struct SpecialRegister {
  std::string_view name;
  uint8_t bits;
  bool has_components;
  bool is_clock;
};

constexpr SpecialRegister kRegisters[] = {
    {"tid", 32, true, false},
    {"ntid", 32, true, false},
    {"ctaid", 32, true, false},
    {"nctaid", 32, true, false},
    {"laneid", 32, false, false},
    {"warpid", 32, false, false},
    {"nwarpid", 32, false, false},
    {"smid", 32, false, false},
    {"nsmid", 32, false, false},
    {"gridid", 64, false, false},
    {"lanemask_eq", 32, false, false},
    {"lanemask_le", 32, false, false},
    {"lanemask_lt", 32, false, false},
    {"lanemask_ge", 32, false, false},
    {"lanemask_gt", 32, false, false},
    {"dynamic_smem_size", 32, false, false},
    {"total_smem_size", 32, false, false},
    {"clock", 32, false, true},
    {"clock_hi", 32, false, true},
    {"clock64", 64, false, true},
    {"globaltimer", 64, false, true},
};

// A cluster is one block here, so cluster registers are block registers or constants.
struct Substitute {
  std::string_view name;
  std::string_view replacement;  // empty: the constant
  uint32_t constant;
};

constexpr Substitute kSubstitutes[] = {
    {"clusterid", "ctaid", 0},
    {"nclusterid", "nctaid", 0},
    {"cluster_ctaid", "", 0},
    {"cluster_nctaid", "", 1},
    {"cluster_ctarank", "", 0},
    {"cluster_nctarank", "", 1},
    {"aggr_smem_size", "total_smem_size", 0},
    {"reserved_smem_offset_begin", "", 0},
    {"reserved_smem_offset_end", "", 0},
    {"reserved_smem_offset_cap", "", 0},
    {"reserved_smem_offset_0", "", 0},
    {"reserved_smem_offset_1", "", 0},
    {"current_graph_exec", "", 0},
};

llvm::Value* call(ModuleLowering& module, llvm::IRBuilder<>& b, std::string_view name,
                  unsigned bits, Effects effects) {
  auto* type = b.getIntNTy(bits);
  return b.CreateCall(module.ptx_function(fmt::format("ptx.sreg.{}", name), type, {}, effects));
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

llvm::Value* read_special_register(ModuleLowering& module, llvm::IRBuilder<>& b,
                                   std::string_view name, std::string_view component) {
  if (name == "WARP_SZ") return b.getInt32(32);
  if (name.size() < 2 || name[0] != '%') return nullptr;
  name.remove_prefix(1);
  if (name == "is_explicit_cluster") return b.getFalse();
  for (const Substitute& entry : kSubstitutes) {
    if (entry.name != name) continue;
    if (entry.replacement.empty()) return b.getInt32(entry.constant);
    name = entry.replacement;
    break;
  }
  for (const SpecialRegister& entry : kRegisters) {
    if (entry.name != name) continue;
    if (entry.has_components) {
      if (component == "w") return b.getInt32(name[0] == 'n' ? 1 : 0);
      if (component != "x" && component != "y" && component != "z") return nullptr;
      return call(module, b, fmt::format("{}.{}", name, component), entry.bits, Effects::lane);
    }
    return call(module, b, name, entry.bits, entry.is_clock ? Effects::clock : Effects::lane);
  }
  if (name == "globaltimer_lo" || name == "globaltimer_hi") {
    llvm::Value* time = call(module, b, "globaltimer", 64, Effects::clock);
    if (name == "globaltimer_hi") time = b.CreateLShr(time, 32);
    return b.CreateTrunc(time, b.getInt32Ty());
  }
  // Cooperative groups find the grid's workspace through envreg1 and envreg2.
  if (name.starts_with("envreg") && all_digits(name.substr(6))) {
    return call(module, b, name, 32, Effects::lane);
  }
  // Performance counters read as zero.
  if (name.starts_with("pm")) {
    std::string_view number = name.substr(2);
    const bool wide = number.ends_with("_64");
    if (wide) number.remove_suffix(3);
    if (all_digits(number)) return b.getIntN(wide ? 64 : 32, 0);
  }
  return nullptr;
}

}  // namespace guda::device_ir
