#include "random_kernel.h"

#include <cstdio>

namespace guda::test {
namespace {

constexpr int kWords = 12;   // %r0 .. hold the thread's 32-bit state
constexpr int kFloats = 6;   // %f0 ..
constexpr int kWides = 3;    // %rd0 ..
constexpr int kDoubles = 3;  // %fd0 ..
constexpr int kLocalWords = 8;

// Functions that stay functions: one with a loop per thread, one with a branch that calls
// the first.
constexpr const char* kCallees = R"(.func (.param .b32 result) callee0(.param .b32 x, .param .b32 y)
{
  .reg .b32 %a<6>;
  .reg .pred %q<2>;
  ld.param.b32 %a0, [x];
  ld.param.b32 %a1, [y];
  and.b32 %a2, %a1, 7;
  mov.u32 %a3, 0;
REPEAT:
  mad.lo.u32 %a0, %a0, 5, %a3;
  shr.u32 %a4, %a0, 3;
  xor.b32 %a0, %a0, %a4;
  add.u32 %a3, %a3, 1;
  setp.le.u32 %q0, %a3, %a2;
  @%q0 bra REPEAT;
  st.param.b32 [result], %a0;
  ret;
}

.func (.param .b32 result) callee1(.param .b32 x, .param .b32 y)
{
  .reg .b32 %a<6>;
  .reg .pred %q<2>;
  ld.param.b32 %a0, [x];
  ld.param.b32 %a1, [y];
  setp.gt.s32 %q0, %a0, %a1;
  @%q0 bra LARGER;
  sub.s32 %a2, %a1, %a0;
  st.param.b32 [result], %a2;
  ret;
LARGER:
  { .param .b32 c0; .param .b32 c1; .param .b32 rv;
  st.param.b32 [c0], %a1;
  st.param.b32 [c1], %a0;
  call (rv), callee0, (c0, c1);
  ld.param.b32 %a3, [rv]; }
  add.u32 %a3, %a3, %a0;
  st.param.b32 [result], %a3;
  ret;
}

)";

class Writer {
 public:
  Writer(uint64_t seed, bool traced)
      : traced_(traced), state_(seed * 0x9e3779b97f4a7c15ull + 0x1234567) {}

  RandomKernel write() {
    RandomKernel kernel;
    kernel.threads = 32 * (1 + below(4));
    kernel.blocks = 1 + below(3);
    kernel.uniform = bits();
    const int statements = 6 + static_cast<int>(below(14));
    total_threads_ = kernel.threads * kernel.blocks;
    for (int i = 0; i < statements; ++i) statement(true, 0);
    kernel.statements = static_cast<unsigned>(statements_);
    const std::string body = body_;
    const std::string end = epilogue();  // needs registers, too
    kernel.ptx = prologue(kernel.threads) + body + end;
    return kernel;
  }

 private:
  uint32_t bits() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t x = state_;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    return static_cast<uint32_t>(x >> 32);
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(uint64_t{bits()} * n >> 32); }

  // Appends a line. Used with braces only: their contents are evaluated from left to right, while the
  // order of function arguments would be up to the compiler, and with it the kernel.
  struct Line {
    template <typename... Values>
    Line(Writer& writer, const char* format, Values... values) {
      char text[256];
      std::snprintf(text, sizeof(text), format, values..., 0);  // the 0 is ignored
      writer.body_.append("  ").append(text).append("\n");
    }
  };
  void label(int n) { body_ += "L" + std::to_string(n) + ":\n"; }

  int word() { return static_cast<int>(below(kWords)); }
  int real() { return static_cast<int>(below(kFloats)); }
  int twice() { return static_cast<int>(below(kDoubles)); }
  int wide() { return static_cast<int>(below(kWides)); }
  int new_word() { return kWords + extra_words_++; }
  int new_predicate() { return predicates_++; }
  int new_label() { return labels_++; }
  template <size_t kCount>
  const char* pick(const char* const (&names)[kCount]) {
    return names[below(kCount)];
  }

  // A predicate that differs from thread to thread, or is the same for the whole grid.
  int condition(bool uniform) {
    const int p = new_predicate();
    static constexpr const char* kCompare[] = {"lt.s32", "ge.s32", "lt.u32",
                                               "hi.u32", "eq.u32", "ne.s32"};
    if (uniform) {
      const int t = new_word();
      Line{*this, "and.b32 %%r%d, %%runiform, %u;", t, 1u << below(32)};
      Line{*this, "setp.ne.u32 %%p%d, %%r%d, 0;", p, t};
    } else if (below(4) == 0) {
      static constexpr const char* kReal[] = {"lt", "ge", "eq", "ltu", "num", "neu"};
      Line{*this, "setp.%s.f32 %%p%d, %%f%d, %%f%d;", pick(kReal), p, real(), real()};
    } else {
      const int t = new_word();
      Line{*this, "and.b32 %%r%d, %%r%d, %u;", t, word(), below(2) ? 7u : 0xffu};
      Line{*this, "setp.%s %%p%d, %%r%d, %u;", pick(kCompare), p, t, below(below(2) ? 8 : 256)};
    }
    return p;
  }

  void statement(bool convergent, int nesting) {
    choose(convergent, nesting);
    if (traced_) trace(statements_++);
  }

  void choose(bool convergent, int nesting) {
    const uint32_t choice = below(100);
    if (choice < 33) return integer();
    if (choice < 35) return carry_chain();
    if (choice < 37) return call();
    if (choice < 49) return floating();
    if (choice < 53) return twice_floating();
    if (choice < 58) return wide_integer();
    if (choice < 63) return select();
    if (choice < 67) return local_memory();
    if (choice < 69) return atomic();
    if (choice < 79 && nesting < 3) return branch(convergent, nesting);
    if (choice < 87 && nesting < 3) return loop(convergent, nesting);
    if (choice < 90 && nesting < 2) return table(convergent, nesting);
    if (!convergent) return integer();
    if (choice < 94) return shuffle();
    if (choice < 96) return vote();
    if (choice < 99) return exchange();
    return barrier_reduction();
  }

  void block(bool convergent, int nesting) {
    const int count = 1 + static_cast<int>(below(4));
    for (int i = 0; i < count; ++i) statement(convergent, nesting);
  }

  void integer() {
    static constexpr const char* kTwo[] = {"add.u32",    "sub.u32", "mul.lo.u32", "mul.hi.s32",
                                           "mul.hi.u32", "and.b32", "or.b32",     "xor.b32",
                                           "min.s32",    "max.u32", "min.u32",    "max.s32",
                                           "shl.b32",    "shr.u32", "shr.s32"};
    static constexpr const char* kOne[] = {"not.b32",    "popc.b32",   "clz.b32",  "brev.b32",
                                           "neg.s32",    "abs.s32",    "cnot.b32", "bfind.u32",
                                           "cvt.s32.s8", "cvt.u32.u16"};
    static constexpr const char* kThree[] = {"mad.lo.u32",     "mad.hi.s32", "sad.u32",
                                             "sad.s32",        "prmt.b32",   "shf.l.wrap.b32",
                                             "shf.r.clamp.b32"};
    const int d = word();
    switch (below(12)) {
      case 0: return (void)Line{*this, "%s %%r%d, %%r%d;", pick(kOne), d, word()};
      case 1:
        return (void)Line{*this, "%s %%r%d, %%r%d, %%r%d, %%r%d;", pick(kThree), d, word(), word(),
                          word()};
      case 2:
        return (void)Line{
            *this,     "lop3.b32 %%r%d, %%r%d, %%r%d, %%r%d, %u;", d, word(), word(), word(),
            below(256)};
      case 3: {
        static constexpr const char* kDivide[] = {"div.u32", "rem.u32", "div.s32", "rem.s32"};
        const int t = new_word();
        Line{*this, "and.b32 %%r%d, %%r%d, %u;", t, word(), below(2) ? 0xffu : 0x7fffffffu};
        Line{*this, "or.b32 %%r%d, %%r%d, 1;", t, t};
        return (void)Line{*this, "%s %%r%d, %%r%d, %%r%d;", pick(kDivide), d, word(), t};
      }
      case 4: {
        const int position = new_word(), length = new_word();
        Line{*this, "and.b32 %%r%d, %%r%d, 63;", position, word()};
        Line{*this, "and.b32 %%r%d, %%r%d, 63;", length, word()};
        static constexpr const char* kExtract[] = {"bfe.u32", "bfe.s32"};
        if (below(2)) {
          return (void)Line{
              *this, "%s %%r%d, %%r%d, %%r%d, %%r%d;", pick(kExtract), d, word(), position, length};
        }
        return (void)Line{
            *this, "bfi.b32 %%r%d, %%r%d, %%r%d, %%r%d, %%r%d;", d, word(), word(), position,
            length};
      }
      case 5:
        return (void)Line{*this,  "%s %%r%d, %%r%d, %d;",         pick(kTwo), d,
                          word(), static_cast<int>(below(40)) - 4};
      case 6:
        return (void)Line{*this, "dp4a.s32.s32 %%r%d, %%r%d, %%r%d, %%r%d;", d, word(), word(),
                          word()};
      default: return (void)Line{*this, "%s %%r%d, %%r%d, %%r%d;", pick(kTwo), d, word(), word()};
    }
  }

  void floating() {
    static constexpr const char* kTwo[] = {"add.rn.f32", "sub.rn.f32", "mul.rn.f32", "min.f32",
                                           "max.f32",    "add.rz.f32", "mul.rm.f32", "add.rp.f32",
                                           "div.rn.f32", "mul.ftz.f32"};
    static constexpr const char* kRound[] = {
        "cvt.rni.f32.f32", "cvt.rzi.f32.f32", "cvt.rmi.f32.f32", "cvt.rpi.f32.f32",
        "neg.f32",         "abs.f32",         "cvt.sat.f32.f32"};
    static constexpr const char* kToInteger[] = {"cvt.rzi.s32.f32", "cvt.rni.s32.f32",
                                                 "cvt.rmi.u32.f32", "cvt.rpi.s32.f32",
                                                 "cvt.rzi.u32.f32"};
    static constexpr const char* kToReal[] = {"cvt.rn.f32.s32", "cvt.rn.f32.u32", "cvt.rz.f32.s32",
                                              "cvt.rp.f32.u32"};
    const int d = real();
    switch (below(8)) {
      case 0: return (void)Line{*this, "%s %%f%d, %%f%d;", pick(kRound), d, real()};
      case 1: return (void)Line{*this, "%s %%r%d, %%f%d;", pick(kToInteger), word(), real()};
      case 2: return (void)Line{*this, "%s %%f%d, %%r%d;", pick(kToReal), d, word()};
      case 3:
        return (void)Line{*this, "fma.rn.f32 %%f%d, %%f%d, %%f%d, %%f%d;", d, real(), real(),
                          real()};
      case 4: {
        const int t = real();
        Line{*this, "abs.f32 %%f%d, %%f%d;", d, t};
        return (void)Line{*this, "sqrt.rn.f32 %%f%d, %%f%d;", d, d};
      }
      case 5: {
        const int to = word();
        return real_bits(to, real());
      }
      default: return (void)Line{*this, "%s %%f%d, %%f%d, %%f%d;", pick(kTwo), d, real(), real()};
    }
  }

  void twice_floating() {
    static constexpr const char* kTwo[] = {"add.rn.f64", "sub.rz.f64", "mul.rn.f64", "mul.rm.f64",
                                           "div.rn.f64", "min.f64",    "max.f64",    "add.rp.f64"};
    static constexpr const char* kFrom[] = {"cvt.rn.f64.s32", "cvt.rn.f64.u32"};
    static constexpr const char* kTo[] = {"cvt.rzi.s32.f64", "cvt.rni.u32.f64", "cvt.rmi.s32.f64"};
    static constexpr const char* kNarrow[] = {"cvt.rn.f32.f64", "cvt.rz.f32.f64"};
    const int d = twice();
    switch (below(8)) {
      case 0: return (void)Line{*this, "%s %%fd%d, %%r%d;", pick(kFrom), d, word()};
      case 1: return (void)Line{*this, "%s %%r%d, %%fd%d;", pick(kTo), word(), d};
      case 2: return (void)Line{*this, "cvt.f64.f32 %%fd%d, %%f%d;", d, real()};
      case 3: return (void)Line{*this, "%s %%f%d, %%fd%d;", pick(kNarrow), real(), d};
      case 4:
        return (void)Line{*this,  "fma.rn.f64 %%fd%d, %%fd%d, %%fd%d, %%fd%d;", d, twice(), twice(),
                          twice()};
      case 5: {
        const int t = twice();
        Line{*this, "abs.f64 %%fd%d, %%fd%d;", d, t};
        return (void)Line{*this, "sqrt.rn.f64 %%fd%d, %%fd%d;", d, d};
      }
      default:
        return (void)Line{*this, "%s %%fd%d, %%fd%d, %%fd%d;", pick(kTwo), d, twice(), twice()};
    }
  }

  // 64-bit sums and products out of 32-bit instructions with carry.
  void carry_chain() {
    const int low = word(), high = (low + 1) % kWords;
    switch (below(3)) {
      case 0:
        Line{*this, "add.cc.u32 %%r%d, %%r%d, %%r%d;", low, word(), word()};
        return (void)Line{*this, "addc.u32 %%r%d, %%r%d, %%r%d;", high, word(), word()};
      case 1:
        Line{*this, "sub.cc.u32 %%r%d, %%r%d, %%r%d;", low, word(), word()};
        return (void)Line{*this, "subc.u32 %%r%d, %%r%d, %%r%d;", high, word(), word()};
      default:
        Line{*this, "mad.lo.cc.u32 %%r%d, %%r%d, %%r%d, %%r%d;", low, word(), word(), word()};
        return (void)Line{*this, "madc.hi.u32 %%r%d, %%r%d, %%r%d, %%r%d;", high, word(), word(),
                          word()};
    }
  }

  void call() {
    calls_ = true;
    Line{*this, "{ .param .b32 a0; .param .b32 a1; .param .b32 rv;"};
    Line{*this, "st.param.b32 [a0], %%r%d;", word()};
    Line{*this, "st.param.b32 [a1], %%r%d;", word()};
    Line{*this, "call (rv), callee%u, (a0, a1);", below(2)};
    Line{*this, "ld.param.b32 %%r%d, [rv]; }", word()};
  }

  // The bits of a float, of one NaN for all.
  void real_bits(int to, int from) {
    const int p = new_predicate(), t = new_word();
    Line{*this, "setp.nan.f32 %%p%d, %%f%d, %%f%d;", p, from, from};
    Line{*this, "mov.b32 %%r%d, %%f%d;", t, from};
    Line{*this, "selp.b32 %%r%d, 0x7fffffff, %%r%d, %%p%d;", to, t, p};
  }

  void twice_bits(int to, int from) {
    const int p = new_predicate(), high = new_word();
    Line{*this, "setp.nan.f64 %%p%d, %%fd%d, %%fd%d;", p, from, from};
    Line{*this, "mov.b64 {%%r%d, %%r%d}, %%fd%d;", to, high, from};
    Line{*this, "xor.b32 %%r%d, %%r%d, %%r%d;", to, to, high};
    Line{*this, "selp.b32 %%r%d, 0x7ff80000, %%r%d, %%p%d;", to, to, p};
  }

  void wide_integer() {
    static constexpr const char* kTwo[] = {"add.s64", "sub.s64", "mul.lo.u64", "xor.b64",
                                           "and.b64", "min.s64", "max.u64",    "mul.hi.u64"};
    switch (below(5)) {
      case 0:
        return (void)Line{
            *this, "mul.wide.%s %%rd%d, %%r%d, %%r%d;", below(2) ? "u32" : "s32", wide(), word(),
            word()};
      case 1:
        return (void)Line{*this, "cvt.%s %%rd%d, %%r%d;", below(2) ? "u64.u32" : "s64.s32", wide(),
                          word()};
      case 2: {
        const int low = word();
        return (void)Line{*this, "mov.b64 {%%r%d, %%r%d}, %%rd%d;", low, (low + 1) % kWords,
                          wide()};
      }
      case 3: {
        static constexpr const char* kShift[] = {"shl.b64", "shr.u64", "shr.s64"};
        return (void)Line{*this, "%s %%rd%d, %%rd%d, %%r%d;", pick(kShift), wide(), wide(), word()};
      }
      default:
        return (void)Line{*this, "%s %%rd%d, %%rd%d, %%rd%d;", pick(kTwo), wide(), wide(), wide()};
    }
  }

  void select() {
    const int p = condition(false);
    switch (below(3)) {
      case 0:
        return (void)Line{*this, "selp.b32 %%r%d, %%r%d, %%r%d, %%p%d;", word(), word(), word(), p};
      case 1:
        return (void)Line{*this, "selp.f32 %%f%d, %%f%d, %%f%d, %%p%d;", real(), real(), real(), p};
      default:
        return (void)Line{
            *this, "@%s%%p%d add.u32 %%r%d, %%r%d, %%r%d;", below(2) ? "!" : "", p, word(), word(),
            word()};
    }
  }

  void local_memory() {
    uses_local_ = true;
    const int t = new_word(), address = extra_wides_++;
    Line{*this, "and.b32 %%r%d, %%r%d, %d;", t, word(), kLocalWords - 1};
    Line{*this, "mul.wide.u32 %%ra%d, %%r%d, 4;", address, t};
    Line{*this, "add.s64 %%ra%d, %%ra%d, %%rlocal;", address, address};
    if (below(2)) {
      Line{*this, "st.local.u32 [%%ra%d], %%r%d;", address, word()};
    } else {
      Line{*this, "ld.local.u32 %%r%d, [%%ra%d];", word(), address};
    }
  }

  // The old value is not used, and all bins take the same operation, so order does not matter.
  void atomic() {
    const int t = new_word(), address = extra_wides_++, old = new_word();
    Line{*this, "and.b32 %%r%d, %%r%d, %u;", t, word(), kBins - 1};
    Line{*this, "mul.wide.u32 %%ra%d, %%r%d, 4;", address, t};
    Line{*this, "add.s64 %%ra%d, %%ra%d, %%rbins;", address, address};
    Line{*this, "atom.global.add.u32 %%r%d, [%%ra%d], %%r%d;", old, address, word()};
  }

  void branch(bool convergent, int nesting) {
    const bool uniform = below(3) == 0;
    const int p = condition(uniform), other = new_label(), end = new_label();
    Line{*this, "@%%p%d bra L%d;", p, other};
    block(convergent && uniform, nesting + 1);
    const bool has_else = below(2);
    if (has_else) Line{*this, "bra L%d;", end};
    label(other);
    if (has_else) {
      block(convergent && uniform, nesting + 1);
      label(end);
    }
  }

  void loop(bool convergent, int nesting) {
    const bool uniform = below(3) == 0;
    const int counter = new_word(), top = new_label(), next = new_label(), end = new_label();
    const int p = new_predicate();
    if (uniform) {
      Line{*this, "mov.u32 %%r%d, %u;", counter, 1 + below(5)};
    } else {
      Line{*this, "and.b32 %%r%d, %%r%d, 7;", counter, word()};
      if (below(2)) {  // zero iterations are possible
        Line{*this, "setp.eq.u32 %%p%d, %%r%d, 0;", p, counter};
        Line{*this, "@%%p%d bra L%d;", p, end};
      } else {
        Line{*this, "add.u32 %%r%d, %%r%d, 1;", counter, counter};
      }
    }
    label(top);
    block(convergent && uniform, nesting + 1);
    if (!uniform && below(2)) {
      const int leave = condition(false);
      Line{*this, "@%%p%d bra L%d;", leave, below(2) ? end : next};
      block(false, nesting + 1);
    }
    label(next);
    Line{*this, "sub.u32 %%r%d, %%r%d, 1;", counter, counter};
    Line{*this, "setp.ne.u32 %%p%d, %%r%d, 0;", p, counter};
    Line{*this, "@%%p%d bra L%d;", p, top};
    label(end);
  }

  // A jump table, as dense switch statements become.
  void table(bool, int nesting) {
    const int cases = 2 + static_cast<int>(below(4)), t = new_word(), end = new_label();
    const int name = tables_++;
    Line{*this, "rem.u32 %%r%d, %%r%d, %d;", t, word(), cases};
    std::string names;
    int first = labels_;
    labels_ += cases;
    for (int i = 0; i < cases; ++i) names += (i ? ", L" : "L") + std::to_string(first + i);
    Line{*this, "T%d: .branchtargets %s;", name, names.c_str()};
    Line{*this, "brx.idx %%r%d, T%d;", t, name};
    for (int i = 0; i < cases; ++i) {
      label(first + i);
      block(false, nesting + 1);
      if (i + 1 < cases && below(4)) Line{*this, "bra L%d;", end};  // or fall through
    }
    label(end);
  }

  void shuffle() {
    static constexpr const char* kMode[] = {"idx", "up", "down", "bfly"};
    const uint32_t mode = below(4);
    const uint32_t segment = 32u - (32u >> below(4));  // widths 32, 16, 8, 4
    const uint32_t control = segment << 8 | (mode == 1 ? 0 : 31);
    if (below(2)) {
      Line{*this,       "shfl.sync.%s.b32 %%r%d, %%r%d, %u, %u, 0xffffffff;",
           kMode[mode], word(),
           word(),      below(32),
           control};
      return;
    }
    const int p = new_predicate();
    Line{*this,       "shfl.sync.%s.b32 %%r%d|%%p%d, %%r%d, %%r%d, %u, 0xffffffff;",
         kMode[mode], word(),
         p,           word(),
         word(),      control};
    Line{*this, "@%%p%d add.u32 %%r%d, %%r%d, 1;", p, word(), word()};
  }

  void vote() {
    const int p = condition(false);
    switch (below(4)) {
      case 0: return (void)Line{*this, "vote.sync.ballot.b32 %%r%d, %%p%d, 0xffffffff;", word(), p};
      case 1: {
        const int q = new_predicate();
        Line{*this, "vote.sync.%s.pred %%p%d, %%p%d, 0xffffffff;", below(2) ? "any" : "all", q, p};
        return (void)Line{*this, "selp.b32 %%r%d, %%r%d, %%r%d, %%p%d;", word(), word(), word(), q};
      }
      case 2: {
        const int t = new_word();
        Line{*this, "and.b32 %%r%d, %%r%d, 3;", t, word()};
        return (void)Line{*this, "match.any.sync.b32 %%r%d, %%r%d, 0xffffffff;", word(), t};
      }
      default: {
        const int q = new_predicate();
        Line{*this, "vote.sync.uni.pred %%p%d, %%p%d, 0xffffffff;", q, p};
        return (void)Line{*this, "@%%p%d xor.b32 %%r%d, %%r%d, %%r%d;", q, word(), word(), word()};
      }
    }
  }

  // Through shared memory: write one's own place, read another's.
  void exchange() {
    const int t = new_word(), from = new_word();
    Line{*this, "shl.b32 %%r%d, %%rtid, 2;", t};
    Line{*this, "add.u32 %%r%d, %%r%d, %%rshared;", t, t};
    Line{*this, "st.shared.u32 [%%r%d], %%r%d;", t, word()};
    Line{*this, "bar.sync 0;"};
    Line{*this, "mad.lo.u32 %%r%d, %%rtid, %u, %u;", from, 1 + below(5), below(64)};
    Line{*this, "rem.u32 %%r%d, %%r%d, %%rntid;", from, from};
    Line{*this, "shl.b32 %%r%d, %%r%d, 2;", from, from};
    Line{*this, "add.u32 %%r%d, %%r%d, %%rshared;", from, from};
    Line{*this, "ld.shared.u32 %%r%d, [%%r%d];", word(), from};
    Line{*this, "bar.sync 0;"};
  }

  void barrier_reduction() {
    const int p = condition(false);
    switch (below(2)) {
      case 0: return (void)Line{*this, "bar.red.popc.u32 %%r%d, 0, %%p%d;", word(), p};
      default: {
        const int q = new_predicate();
        Line{*this, "bar.red.%s.pred %%p%d, 0, %%p%d;", below(2) ? "and" : "or", q, p};
        return (void)Line{*this, "selp.b32 %%r%d, %%r%d, %%r%d, %%p%d;", word(), word(), word(), q};
      }
    }
  }

  std::string prologue(unsigned threads) const {
    std::string text = ".version 7.5\n.target sm_75\n.address_size 64\n\n";
    if (calls_) text += kCallees;
    text +=
        ".visible .entry kernel(.param .u64 p_in, .param .u64 p_out, .param .u64 p_bins, "
        ".param .u32 p_uniform, .param .u64 p_trace)\n{\n";
    if (uses_local_)
      text += "  .local .align 4 .b8 scratch[" + std::to_string(kLocalWords * 4) + "];\n";
    text += "  .shared .align 4 .b8 stage[" + std::to_string(threads * 4) + "];\n";
    text += "  .reg .b32 %r<" + std::to_string(kWords + extra_words_ + 1) + ">;\n";
    text += "  .reg .f32 %f<" + std::to_string(kFloats) + ">;\n";
    text += "  .reg .f64 %fd<" + std::to_string(kDoubles) + ">;\n";
    text += "  .reg .b64 %rd<" + std::to_string(kWides) + ">;\n";
    text += "  .reg .b64 %ra<" + std::to_string(extra_wides_ + 1) + ">;\n";
    text += "  .reg .pred %p<" + std::to_string(predicates_ + 1) + ">;\n";
    text += "  .reg .b32 %rtid, %rntid, %rindex, %runiform, %rshared;\n";
    text += "  .reg .b64 %rin, %rout, %rbins, %rlocal, %roffset, %rtrace;\n";
    text += R"(  ld.param.u64 %rin, [p_in];
  ld.param.u64 %rout, [p_out];
  ld.param.u64 %rbins, [p_bins];
  ld.param.u32 %runiform, [p_uniform];
  ld.param.u64 %rtrace, [p_trace];
  cvta.to.global.u64 %rin, %rin;
  cvta.to.global.u64 %rout, %rout;
  cvta.to.global.u64 %rbins, %rbins;
  mov.u32 %rtid, %tid.x;
  mov.u32 %rntid, %ntid.x;
  mov.u32 %rindex, %ctaid.x;
  mad.lo.u32 %rindex, %rindex, %rntid, %rtid;
  mul.wide.u32 %roffset, %rindex, 16;
  add.s64 %rin, %rin, %roffset;
  add.s64 %rout, %rout, %roffset;
  mov.u32 %rshared, stage;
  ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%rin];
  mov.u32 %r4, %rtid;
  mov.u32 %r5, %rindex;
  xor.b32 %r6, %r0, %r1;
  add.u32 %r7, %r2, %rtid;
  and.b32 %r8, %r3, 15;
  mov.u32 %r9, %runiform;
  mov.u32 %r10, 0x80000000;
  not.b32 %r11, %r0;
  cvt.rn.f32.s32 %f0, %r0;
  mov.b32 %f1, %r1;
  cvt.rn.f32.u32 %f2, %rtid;
  mov.f32 %f3, 0f3FC00000;
  mul.rn.f32 %f4, %f0, 0f30000000;
  neg.f32 %f5, %f2;
  cvt.rn.f64.s32 %fd0, %r0;
  cvt.rn.f64.u32 %fd1, %r5;
  mov.f64 %fd2, 0d3FD5555555555555;
  mov.b64 %rd0, {%r0, %r1};
  mul.wide.s32 %rd1, %r2, %r3;
  mov.u64 %rd2, 0x123456789abcdef;
)";
    if (uses_local_) {
      text += "  mov.u64 %rlocal, scratch;\n";
      for (int i = 0; i < kLocalWords; ++i) {
        text += "  st.local.u32 [%rlocal+" + std::to_string(i * 4) + "], %r" + std::to_string(i) +
                ";\n";
      }
    }
    return text;
  }

  // Stores a hash of the state after a statement, without changing it or the random sequence.
  void trace(int statement) {
    const int sum = new_word(), address = extra_wides_++;
    Line{*this, "mov.u32 %%r%d, 0;", sum};
    for (int i = 0; i < kWords; ++i)
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", sum, sum, i};
    for (int i = 0; i < kFloats; ++i) {
      const int t = new_word();
      real_bits(t, i);
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", sum, sum, t};
    }
    for (int i = 0; i < kDoubles; ++i) {
      const int t = new_word();
      twice_bits(t, i);
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", sum, sum, t};
    }
    for (int i = 0; i < kWides; ++i) {
      const int low = new_word(), high = new_word();
      Line{*this, "mov.b64 {%%r%d, %%r%d}, %%rd%d;", low, high, i};
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", sum, sum, low};
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", sum, sum, high};
    }
    for (int i = 0; uses_local_ && i < kLocalWords; ++i) {
      const int t = new_word();
      Line{*this, "ld.local.u32 %%r%d, [%%rlocal+%d];", t, i * 4};
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", sum, sum, t};
    }
    Line{*this, "mul.wide.u32 %%ra%d, %%rindex, 4;", address};
    Line{*this, "add.s64 %%ra%d, %%ra%d, %%rtrace;", address, address};
    Line{*this, "st.global.u32 [%%ra%d+%u], %%r%d;", address,
         static_cast<unsigned>(statement) * total_threads_ * 4, sum};
    Line{*this, "// traced: statement %d", statement};
  }

  // Folds the whole state into four words.
  std::string epilogue() {
    body_.clear();
    for (int i = 0; i < kFloats; ++i) {
      const int t = new_word();
      real_bits(t, i);
      Line{*this, "xor.b32 %%r%d, %%r%d, %%r%d;", i, i, t};
    }
    for (int i = 0; i < kDoubles; ++i) {
      const int low = new_word();
      twice_bits(low, i);
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 29, %%r%d;", i + 9, i + 9, low};
    }
    for (int i = 0; i < kWides; ++i) {
      const int low = new_word(), high = new_word();
      Line{*this, "mov.b64 {%%r%d, %%r%d}, %%rd%d;", low, high, i};
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 31, %%r%d;", i + 6, i + 6, low};
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 31, %%r%d;", i + 6, i + 6, high};
    }
    for (int i = 4; i < kWords; ++i) {
      Line{*this, "mad.lo.u32 %%r%d, %%r%d, 17, %%r%d;", i % 4, i % 4, i};
    }
    Line{*this, "st.global.v4.u32 [%%rout], {%%r0, %%r1, %%r2, %%r3};"};
    Line{*this, "ret;"};
    return body_ + "}\n";
  }

  bool traced_;
  int statements_ = 0;
  unsigned total_threads_ = 0;
  uint64_t state_;
  std::string body_;
  int extra_words_ = 0, extra_wides_ = 0, predicates_ = 0, labels_ = 0, tables_ = 0;
  bool uses_local_ = false, calls_ = false;
};

}  // namespace

RandomKernel random_kernel(uint64_t seed, bool traced) { return Writer(seed, traced).write(); }

}  // namespace guda::test
