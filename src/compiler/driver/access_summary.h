// What a kernel does to memory, as the compiler sees it: plain data without LLVM.
//
// Every access to memory that blocks share has an address expression over block and thread indices, grid
// dimensions, loop counters and kernel parameters. Expressions are nodes of one graph; launch_access.h
// evaluates it with the arguments of a launch. Nothing here knows values of arguments.
//
// The summary travels as bytes (serialize): inside kernel objects (KernelInfo::access) and in files of the
// kernel cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/status.h"

namespace guda::access {

/// Nodes are integers of `bits` bits, known modulo 2^bits unless said otherwise. Operands are indices of
/// earlier nodes.
enum class Op : uint8_t {
  constant,  // value
  parameter,  // `bits` bits at byte `value` of the parameter block
  variable,  // address of module variable number `value`
  tid,  // axis `value`
  ctaid,
  ntid,
  nctaid,
  unknown,  // loaded from memory or computed in a way that is not followed; unsigned below 2^bits
  bounded,  // unknown, 0 <= x <= value
  own_memory,  // an address of shared, local or parameter memory
  add,  // a + b
  subtract,
  multiply,
  sign_extend,  // a, from its own width
  zero_extend,
  truncate,
  divide_unsigned,  // a / b
  remainder_unsigned,
  divide_signed,
  remainder_signed,
  shift_right_signed,  // a >> value
  bit_and,
  bit_or,
  bit_xor,
  minimum_signed,
  maximum_signed,
  minimum_unsigned,
  maximum_unsigned,
  join,  // a or b
  clamp,  // a, where `relation` of a and b holds
  trip,  // largest iteration number k: see Trip below
  iterate,  // number of the iteration, 0 <= k <= least of the trips a, b, c (-1: none)
  loop_value,  // a = start + step * k: not beyond max(start b, what the test of trip c lets through)
};

enum class Relation : uint8_t {
  equal,
  not_equal,
  less_signed,
  less_equal_signed,
  greater_signed,
  greater_equal_signed,
  less_unsigned,
  less_equal_unsigned,
  greater_unsigned,
  greater_equal_unsigned,
};

/// A trip node describes a loop test: iteration k goes on when (a + b * k + value, or a + b * (k + 1) with
/// kTestsNext) stands in `relation` to c. With kPassed the access comes after the test in its iteration.
inline constexpr uint8_t kTestsNext = 1;
inline constexpr uint8_t kPassed = 2;

struct Node {
  Op op = Op::constant;
  uint8_t bits = 64;
  Relation relation = Relation::equal;
  uint8_t detail = 0;
  int32_t a = -1, b = -1, c = -1;
  int64_t value = 0;
  friend bool operator==(const Node&, const Node&) = default;
};

enum class AccessKind : uint8_t { read, write, atomic };

/// Integer operations that commute, for atomics whose old value nobody looks at.
enum class Combine : uint8_t {
  none,
  add,
  minimum_signed,
  maximum_signed,
  minimum_unsigned,
  maximum_unsigned,
  bit_and,
  bit_or,
  bit_xor,
};

/// What an address was computed from.
enum class Root : uint8_t {
  none,  // not known: anywhere
  parameter,  // pointer at byte `root_index` of the parameter block; stays in its allocation
  variable,  // module variable number `root_index`
};

struct Access {
  AccessKind kind = AccessKind::read;
  Combine combine = Combine::none;  // atomics
  Root root = Root::none;
  bool complete =
      false;  // happens for all blocks, threads and iterations that the expression covers
  uint32_t bytes = 0;
  uint32_t root_index = 0;
  int32_t address = -1;  // node; -1: somewhere in the root's memory
  friend bool operator==(const Access&, const Access&) = default;
};

enum Flags : uint32_t {
  kFollowsPointers = 1u << 0,  // uses addresses that it read from memory
  kUnknownAddresses = 1u << 1,  // uses addresses that could not be followed
  kSynchronizesGrid = 1u << 2,
  kReturningAtomics = 1u << 3,  // the program looks at an atomic's old value
  kSystemAtomics = 1u << 4,  // .sys scope
  kFloatAtomics = 1u << 5,
  kOrderedAccesses = 1u << 6,  // volatile, acquire, release, relaxed: talks to other blocks
  kPolls = 1u << 7,  // loops until memory changes
  kCallsOut = 1u << 8,  // functions that are not part of the summary (recursion)
  kAllocates = 1u << 9,  // malloc or free
  kPrints = 1u << 10,
  kTextures = 1u << 11,
  kSurfaceStores = 1u << 12,
  kHardwareRegisters = 1u << 13,  // clocks, multiprocessor numbers: results depend on the machine
  kTruncated = 1u << 14,  // too large to be described
  kGivesAddressesAway = 1u << 15,  // stores or prints addresses (compiler/access/address_escape.h)
};

/// Counts of one thread, loop bodies counted once; for cost models.
struct InstructionCounts {
  uint32_t instructions = 0;
  uint32_t f32 = 0, f64 = 0;  // arithmetic, a fused multiply-add is two
  uint32_t loads = 0, stores = 0, atomics = 0;  // of memory that blocks share
  uint32_t load_bytes = 0, store_bytes = 0;
  uint32_t barriers = 0;
  uint32_t loops = 0;
  friend bool operator==(const InstructionCounts&, const InstructionCounts&) = default;
};

struct AccessSummary {
  uint32_t flags = 0;
  std::array<uint32_t, 3> block{};  // dimensions that it holds for; zeros: any
  InstructionCounts counts;
  std::vector<Node> nodes;
  std::vector<Access> accesses;
  std::vector<std::string> variables;  // module variables used, by name
  std::vector<uint32_t> pointers;  // offsets of parameters that are used as addresses, ascending
  friend bool operator==(const AccessSummary&, const AccessSummary&) = default;

  bool writes() const;
};

/// Part of every serialized summary, and of the keys of cached ones.
inline constexpr uint32_t kSummaryVersion = 2;

std::string serialize(const AccessSummary& summary);
/// Errors: invalid_image when the bytes are damaged or of another version. What is returned is consistent:
/// operands come before their users and every index is in range.
Result<AccessSummary> deserialize(std::span<const std::byte> bytes);

}  // namespace guda::access
