// Abstract syntax of a PTX module (PTX ISA 9.0, chapters 4, 5, 9, 10 and 11).
//
// The tree is purely syntactic: an instruction is its opcode, the dotted modifiers in source order
// and its operands; meaning is given by device_ir. All string_views point into Module::source,
// which the module owns, so a Module may be moved but its text never changes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace guda::ptx {

struct SourceLocation {
  uint32_t line = 0;    // 1-based
  uint32_t column = 0;  // 1-based
};

enum class StateSpace : uint8_t { none, reg, sreg, constant, global, local, param, shared, tex };

enum class ScalarType : uint8_t {
  none,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  f16x2,
  bf16,
  bf16x2,
  f32,
  f32x2,
  f64,
  tf32,
  e4m3,
  e5m2,
  e4m3x2,
  e5m2x2,
  e2m3x2,
  e3m2x2,
  e2m1x2,
  ue8m0x2,
  u16x2,
  s16x2,
  u8x4,
  s8x4,
  pred,
  texref,
  samplerref,
  surfref,
};

/// Size of one element in bits; 1 for pred, 0 for none and opaque references (64 in memory).
uint32_t bit_width(ScalarType type);
/// Type named by a modifier or declaration such as "u32" (without the dot); nullopt if none.
std::optional<ScalarType> parse_scalar_type(std::string_view name);
std::string_view to_string(ScalarType type);

enum class Linkage : uint8_t { internal, external, visible, weak, common };

/// One scalar of an initialiser.
struct InitialValue {
  enum class Kind : uint8_t { integer, floating, symbol };
  Kind kind = Kind::integer;
  uint64_t bits = 0;        // integer value, or the bit pattern of a double (floating)
  std::string_view symbol;  // address of a variable or function
  int64_t offset = 0;       // added to the symbol's address
  bool generic = false;     // generic(symbol): the generic address
  uint64_t mask = 0;        // 0xFF, 0xFF00, ... (symbol): one byte of the address; 0 when absent
};

/// A variable, register set, parameter or return value.
struct Variable {
  SourceLocation location;
  StateSpace space = StateSpace::none;
  Linkage linkage = Linkage::internal;
  ScalarType type = ScalarType::none;
  uint8_t vector_width = 1;           // .v2, .v4, .v8
  uint32_t alignment = 0;             // bytes; 0: natural
  std::string_view name;
  std::optional<uint32_t> range;      // %r<42>: 42 registers %r0 ... %r41
  std::vector<uint64_t> dimensions;   // array extents; 0 for [] (size from elsewhere)
  std::vector<InitialValue> initial;  // row-major, shorter than the array: the rest is zero
  bool managed = false;               // .attribute(.managed)
  bool is_pointer = false;            // kernel parameter declared .ptr
  StateSpace pointer_space = StateSpace::none;
  uint32_t pointer_alignment = 0;
  /// Initialiser of an opaque reference: addr_mode_0 = clamp_to_border, ...
  std::vector<std::pair<std::string_view, std::string_view>> attributes;

  /// Product of element size, vector width and dimensions ([] counts as 0 elements).
  uint64_t size_in_bytes() const;
  /// `alignment`, or the natural alignment (element size times vector width).
  uint32_t effective_alignment() const;
};

struct Operand;

/// [base + offset], [immediate]; `base` empty for an absolute address. Texture operands
/// ([tex, {x, y}] and [tex, sampler, {x, y}]) keep further parts in `parts`. `indexed` is the
/// array form base[index]: `offset` counts elements, and a register index stands in `parts`.
struct Address {
  std::string_view base;
  int64_t offset = 0;
  bool indexed = false;
  std::vector<Operand> parts;
};

struct Operand {
  enum class Kind : uint8_t {
    name,       // register, variable, label, function, special register (with leading %)
    integer,    // bits
    floating,   // bits: double pattern; 0fXXXXXXXX literals have is_single and keep 32 bits
    address,    // [ ... ]
    vector,     // { a, b, c, d }: elements
    list,       // ( a, b ): elements, in calls
    pair,       // d|p: elements[0], elements[1]
    sink,       // _
  };
  Kind kind = Kind::sink;
  bool negated = false;         // !p or -x in front of a name
  bool is_single = false;
  bool is_unsigned = false;     // literal had the suffix U
  std::string_view name;        // without a trailing component selector
  std::string_view component;   // "x" in %tid.x; "b0", "h1" ... of video instructions
  uint64_t bits = 0;
  int64_t offset = 0;           // name+offset, as in mov.u64 %rd1, symbol+8
  Address address;
  std::vector<Operand> elements;
};

struct Predicate {
  std::string_view name;
  bool negated = false;
};

struct Instruction {
  SourceLocation location;
  std::optional<Predicate> predicate;
  std::string_view opcode;                  // "ld", "atom", "bar" ...
  std::vector<std::string_view> modifiers;  // without dots: "global", "v4", "f32"; "shared::cta"
  std::string_view text;                    // the whole statement, for messages
  std::vector<Operand> operands;
};

struct Label {
  SourceLocation location;
  std::string_view name;
};

struct ScopeBegin {};
struct ScopeEnd {};

/// .loc file line column [, function_name label+off, inlined_at file line column]
struct DebugLocation {
  uint32_t file = 0, line = 0, column = 0;
};

/// name: .branchtargets l0, l1;   name: .calltargets f0, f1;
struct TargetList {
  std::string_view name;
  bool calls = false;
  std::vector<std::string_view> targets;
};

/// name: .callprototype (ret) _ (params) [.noreturn];
struct CallPrototype {
  std::string_view name;
  std::vector<Variable> results;
  std::vector<Variable> parameters;
  bool noreturn = false;
};

struct Pragma {
  std::string_view text;
};

using Statement = std::variant<Instruction, Label, Variable, ScopeBegin, ScopeEnd, DebugLocation,
                               TargetList, CallPrototype, Pragma>;

using SourceFiles = std::vector<std::pair<uint32_t, std::string_view>>;  // .file index "name"

struct Function {
  SourceLocation location;
  std::string_view name;
  bool is_entry = false;
  bool has_body = false;
  bool noreturn = false;
  Linkage linkage = Linkage::internal;
  std::vector<Variable> results;
  std::vector<Variable> parameters;
  std::array<uint32_t, 3> max_threads{};       // .maxntid; zeros when absent
  std::array<uint32_t, 3> required_threads{};  // .reqntid
  uint32_t min_blocks_per_multiprocessor = 0;  // .minnctapersm
  uint32_t max_registers = 0;                  // .maxnreg
  std::array<uint32_t, 3> required_cluster{};  // .reqnctapercluster
  bool explicit_cluster = false;               // .explicitcluster
  uint32_t max_cluster_rank = 0;               // .maxclusterrank
  bool blocks_are_clusters = false;            // .blocksareclusters
  bool body_is_parsed = false;                 // false until parse_body when lazily parsed
  std::vector<Statement> body;
  SourceFiles files;                           // named between the braces
  std::string_view body_text;                  // between the braces
  SourceLocation body_location;                // where body_text begins
};

struct Module {
  std::shared_ptr<const std::string> source;
  uint32_t version_major = 0, version_minor = 0;
  std::string_view target;                     // "sm_90a"
  std::vector<std::string_view> target_options;
  uint32_t address_size = 64;
  SourceFiles files;
  std::vector<Variable> variables;             // .global, .const, .shared, .tex at module scope
  std::vector<Function> functions;             // definitions and declarations, in source order
  std::vector<std::pair<std::string_view, std::string_view>> aliases;  // .alias a, b

  /// The definition with this name, else a declaration, else null.
  const Function* find_function(std::string_view name) const;
  const Variable* find_variable(std::string_view name) const;
};

}  // namespace guda::ptx
