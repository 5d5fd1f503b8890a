#include "backends/cpu/faulting_access.h"

#include <array>
#include <cstring>

namespace guda::cpu {
namespace {

// Registers in the order of their encoding.
constexpr std::array kRegisters = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};

struct Prefixes {
  bool operand_size = false;  // 66
  bool extend_base = false;   // REX.B
  bool extend_index = false;  // REX.X
  unsigned map = 0;           // 1: 0F, 2: 0F 38, 3: 0F 3A
  unsigned evex_bytes = 0;  // vector length in bytes with EVEX, which scales 8-bit displacements
};

const uint8_t* read_prefixes(const uint8_t* code, Prefixes* prefixes) {
  for (;; ++code) {
    if (*code == 0x66) prefixes->operand_size = true;
    const bool legacy = *code == 0x66 || *code == 0xf2 || *code == 0xf3 || *code == 0xf0 ||
                        *code == 0x2e || *code == 0x36 || *code == 0x3e || *code == 0x26 ||
                        *code == 0x64 || *code == 0x65 || *code == 0x67;
    if (!legacy) break;
  }
  if (*code == 0xc5) {  // two-byte VEX
    prefixes->map = 1;
    prefixes->operand_size = (code[1] & 3) == 1;
    return code + 2;
  }
  if (*code == 0xc4) {  // three-byte VEX
    prefixes->extend_index = (code[1] & 0x40) == 0;
    prefixes->extend_base = (code[1] & 0x20) == 0;
    prefixes->map = code[1] & 0x1f;
    prefixes->operand_size = (code[2] & 3) == 1;
    return code + 3;
  }
  if (*code == 0x62) {  // EVEX
    prefixes->extend_index = (code[1] & 0x40) == 0;
    prefixes->extend_base = (code[1] & 0x20) == 0;
    prefixes->map = code[1] & 7;
    prefixes->operand_size = (code[2] & 3) == 1;
    prefixes->evex_bytes = 16u << (code[3] >> 5 & 3);
    return code + 4;
  }
  if ((*code & 0xf0) == 0x40) {  // REX
    prefixes->extend_index = (*code & 2) != 0;
    prefixes->extend_base = (*code & 1) != 0;
    ++code;
  }
  if (*code == 0x0f) {
    ++code;
    prefixes->map = 1;
    if (*code == 0x38 || *code == 0x3a) prefixes->map = *code++ == 0x38 ? 2 : 3;
  }
  return code;
}

// movaps, movapd, movdqa, movntps, movntdq, movntdqa.
bool is_aligned_move(const Prefixes& prefixes, uint8_t opcode) {
  if (prefixes.map == 1) {
    if (opcode == 0x28 || opcode == 0x29 || opcode == 0x2b) return true;
    return prefixes.operand_size && (opcode == 0x6f || opcode == 0x7f || opcode == 0xe7);
  }
  return prefixes.map == 2 && opcode == 0x2a && prefixes.operand_size;
}

}  // namespace

FaultingAccess decode_faulting_access(const ucontext_t& context) {
  const auto& registers = context.uc_mcontext.gregs;
  const auto value = [&](unsigned number) {
    return static_cast<uint64_t>(registers[kRegisters[number]]);
  };
  const auto* start = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  Prefixes prefixes;
  const uint8_t* code = read_prefixes(start, &prefixes);
  FaultingAccess access;
  const uint8_t opcode = *code++;
  access.needs_alignment = is_aligned_move(prefixes, opcode);
  const uint8_t modes = *code++;
  const unsigned mode = modes >> 6;
  if (mode == 3) return access;
  unsigned base = modes & 7;
  bool has_base = true;
  bool relative = false;
  if (base == 4) {
    const uint8_t scale_index = *code++;
    base = scale_index & 7;
    const unsigned index = (scale_index >> 3 & 7) | (prefixes.extend_index ? 8 : 0);
    // For gathers this is a vector register, and the sum is not the address. They need no
    // alignment.
    if (index != 4) access.address += value(index) << (scale_index >> 6);
    has_base = !(base == 5 && mode == 0);
  } else if (base == 5 && mode == 0) {
    has_base = false;
    relative = true;
  }
  if (has_base) access.address += value(base | (prefixes.extend_base ? 8 : 0));
  if (mode == 1) {
    const auto displacement = static_cast<int64_t>(static_cast<int8_t>(*code));
    access.address += static_cast<uint64_t>(
        displacement * (prefixes.evex_bytes != 0 ? static_cast<int64_t>(prefixes.evex_bytes) : 1));
  } else if (mode == 2 || !has_base) {
    int32_t displacement = 0;
    std::memcpy(&displacement, code, sizeof(displacement));
    access.address += static_cast<uint64_t>(static_cast<int64_t>(displacement));
    if (relative) access.address += reinterpret_cast<uint64_t>(code + sizeof(displacement));
  }
  return access;
}

}  // namespace guda::cpu
