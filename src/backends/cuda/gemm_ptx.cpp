#include "backends/cuda/gemm_ptx.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <utility>

namespace guda::backend::cuda {
namespace {

constexpr unsigned kDepth = 16;   // of a tile
constexpr unsigned kAcross = 16;  // threads along each side of a tile

/// What the kernels for one input type have in common.
struct Traits {
  std::string_view sum;  // PTX type of a part of a sum
  unsigned sum_bytes;
  unsigned input_bytes;  // of an element
  unsigned parts;        // 2: complex
  unsigned results;      // along each side of a thread's square
  std::string_view zero;
};

Traits traits_of(ElementType type) {
  constexpr std::string_view kZero32 = "0f00000000", kZero64 = "0d0000000000000000";
  switch (type) {
    case ElementType::f32: return {"f32", 4, 4, 1, 8, kZero32};
    case ElementType::f64: return {"f64", 8, 8, 1, 4, kZero64};
    case ElementType::c32: return {"f32", 4, 8, 2, 4, kZero32};
    case ElementType::c64: return {"f64", 8, 16, 2, 4, kZero64};
    case ElementType::f16:
    case ElementType::bf16: return {"f32", 4, 2, 1, 8, kZero32};
    case ElementType::s8: return {"s32", 4, 1, 1, 8, "0"};
  }
  return {};
}

class GemmWriter {
 public:
  explicit GemmWriter(GemmTypes types)
      : types_(types),
        t_(traits_of(types.input)),
        tile_(t_.results * kAcross),
        pitch_(tile_ + 16 / t_.sum_bytes),
        vector_(16 / t_.sum_bytes) {}

  std::string write() {
    header();
    setup();
    addresses('a', "%block_i", "a_row", "a_depth", kDepthFirstA);
    addresses('b', "%block_j", "b_column", "b_depth", kDepthFirstB);
    for (unsigned x = 0; x < sums(); ++x) line("mov.{} %s{}, {};", t_.sum, x, t_.zero);
    line("mov.u32 %left, %k;");
    load('a', kConjugateA);
    load('b', kConjugateB);
    line("TILE:");
    line("bar.sync 0;");
    store('a');
    store('b');
    line("bar.sync 0;");
    line("sub.s32 %left, %left, {};", kDepth);
    load('a', kConjugateA);
    load('b', kConjugateB);
    multiply();
    line("setp.gt.s32 %p0, %left, 0;");
    line("@%p0 bra TILE;");
    results();
    line("ret;\n}}");
    return std::move(out_);
  }

 private:
  template <typename... T>
  void line(fmt::format_string<T...> format, T&&... arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<T>(arguments)...);
    out_ += '\n';
  }

  unsigned sums() const { return t_.results * t_.results * t_.parts; }
  unsigned sum(unsigned i, unsigned j, unsigned part) const {
    return (j * t_.results + i) * t_.parts + part;
  }
  /// Place of a thread's q-th row or column: groups that one vector load takes, kAcross of them side by side.
  unsigned place(unsigned q) const { return q / vector_ * kAcross * vector_ + q % vector_; }
  /// One part of a matrix's tile in shared memory.
  unsigned plane_bytes() const { return kDepth * pitch_ * t_.sum_bytes; }

  void header() {
    // bf16 conversions need sm_80.
    line(".version 7.5\n.target {}\n.address_size 64",
         types_.input == ElementType::bf16 ? "sm_80" : "sm_60");
    line(".visible .entry {}(", kGemmKernel);
    for (std::string_view name : {"a", "b", "c"}) line(".param .u64 p_{},", name);
    for (std::string_view name : {"a_row", "a_depth", "b_depth", "b_column", "ldc"})
      line(".param .u64 p_{},", name);
    for (std::string_view name : {"alpha0", "alpha1", "beta0", "beta1"})
      line(".param .b64 p_{},", name);
    line(".param .u32 p_m, .param .u32 p_n, .param .u32 p_k, .param .u32 p_flags)");
    line(".maxntid {}, 1, 1\n{{", kGemmThreads);
    line(".shared .align 16 .b8 tiles[{}];", 2 * t_.parts * plane_bytes());
    line(".reg .pred %p<4>, %more, %fast;");
    line(".reg .b16 %h<2>;");
    line(".reg .b32 %t, %tx, %ty, %block_i, %block_j, %m, %n, %k, %flags, %left, %l, %r<8>;");
    line(".reg .b64 %c, %ldc, %rd<8>;");
    line(".reg .{} %s<{}>, %alpha<2>, %beta<2>, %v<4>;", t_.sum, sums());
    for (char x : {'a', 'b'}) {
      line(".reg .{} %{}_in<{}>, %{}_part<{}>;", t_.sum, x, t_.results * t_.parts, x,
           t_.results * t_.parts);
      line(".reg .b32 %{0}_i, %{0}_l, %{0}_di, %{0}_dl, %{0}_shared, %{0}_step, %{0}_read;", x);
      line(".reg .b64 %{0}_from, %{0}_next, %{0}_advance;", x);
    }
  }

  void setup() {
    for (std::string_view name : {"m", "n", "k", "flags"})
      line("ld.param.u32 %{0}, [p_{0}];", name);
    line("ld.param.u64 %c, [p_c];");
    line("ld.param.u64 %ldc, [p_ldc];");
    for (unsigned part = 0; part < t_.parts; ++part) {
      line("ld.param.{} %alpha{}, [p_alpha{}];", t_.sum, part, part);
      line("ld.param.{} %beta{}, [p_beta{}];", t_.sum, part, part);
    }
    line("mov.u32 %t, %tid.x;");
    line("and.b32 %tx, %t, {};", kAcross - 1);
    line("shr.u32 %ty, %t, 4;");
    line("mov.u32 %r0, %ctaid.x;");
    line("mul.lo.u32 %block_i, %r0, {};", tile_);
    line("mov.u32 %r0, %ctaid.y;");
    line("mul.lo.u32 %block_j, %r0, {};", tile_);
  }

  /// Thread's first element of a tile (i, l), the step to its next, and both in memory. Neighbouring threads read
  /// neighbours in memory, whichever index that is.
  void addresses(char x, std::string_view block, std::string_view across, std::string_view depth,
                 uint32_t fast_flag) {
    line("and.b32 %r0, %flags, {};", fast_flag);
    line("setp.ne.u32 %fast, %r0, 0;");
    line("and.b32 %r0, %t, {};", tile_ - 1);
    line("shr.u32 %r1, %t, {};", tile_ == 128 ? 7 : 6);
    line("selp.b32 %{}_i, %ty, %r0, %fast;", x);
    line("selp.b32 %{}_l, %tx, %r1, %fast;", x);
    line("selp.b32 %{}_di, {}, 0, %fast;", x, kGemmThreads / kDepth);
    line("selp.b32 %{}_dl, 0, {}, %fast;", x, kGemmThreads / tile_);
    // Shared memory: [part][l][i].
    line("mov.u32 %r2, tiles;");
    line("add.u32 %r2, %r2, {};", x == 'a' ? 0 : t_.parts * plane_bytes());
    line("mad.lo.u32 %r3, %{0}_l, {1}, %{0}_i;", x, pitch_);
    line("mad.lo.u32 %{}_shared, %r3, {}, %r2;", x, t_.sum_bytes);
    line("mad.lo.u32 %r3, %{0}_dl, {1}, %{0}_di;", x, pitch_);
    line("mul.lo.u32 %{}_step, %r3, {};", x, t_.sum_bytes);
    line("mad.lo.u32 %{}_read, {}, {}, %r2;", x, x == 'a' ? "%tx" : "%ty", vector_ * t_.sum_bytes);
    // Global memory.
    line("add.u32 %{0}_i, %{0}_i, {1};", x, block);
    line("ld.param.u64 %{}_from, [p_{}];", x, x);
    line("ld.param.u64 %rd0, [p_{}];", across);
    line("ld.param.u64 %rd1, [p_{}];", depth);
    line("cvt.u64.u32 %rd2, %{}_i;", x);
    line("cvt.u64.u32 %rd3, %{}_l;", x);
    line("mul.lo.u64 %rd4, %rd2, %rd0;");
    line("mad.lo.u64 %rd4, %rd3, %rd1, %rd4;");
    line("mad.lo.u64 %{0}_from, %rd4, {1}, %{0}_from;", x, t_.input_bytes);
    line("cvt.u64.u32 %rd2, %{}_di;", x);
    line("cvt.u64.u32 %rd3, %{}_dl;", x);
    line("mul.lo.u64 %rd4, %rd2, %rd0;");
    line("mad.lo.u64 %rd4, %rd3, %rd1, %rd4;");
    line("mul.lo.u64 %{}_next, %rd4, {};", x, t_.input_bytes);
    line("mul.lo.u64 %{}_advance, %rd1, {};", x, kDepth * t_.input_bytes);
  }

  /// The thread's elements of the next tile into registers; zeros beyond the matrix.
  void load(char x, uint32_t conjugate) {
    std::string_view bound = x == 'a' ? "%m" : "%n";
    line("mov.u32 %r0, %{}_i;", x);
    line("mov.u32 %r1, %{}_l;", x);
    line("mov.u64 %rd0, %{}_from;", x);
    if (t_.parts == 2) {
      line("and.b32 %r2, %flags, {};", conjugate);
      line("setp.ne.u32 %p1, %r2, 0;");
    }
    for (unsigned q = 0; q < t_.results; ++q) {
      unsigned to = q * t_.parts;
      line("setp.lt.s32 %p0, %r0, {};", bound);
      line("setp.lt.and.s32 %p0, %r1, %left, %p0;");
      for (unsigned part = 0; part < t_.parts; ++part)
        line("mov.{} %{}_in{}, {};", t_.sum, x, to + part, t_.zero);
      switch (types_.input) {
        case ElementType::f32:
        case ElementType::f64: line("@%p0 ld.global.{} %{}_in{}, [%rd0];", t_.sum, x, to); break;
        case ElementType::c32:
        case ElementType::c64:
          line("@%p0 ld.global.v2.{0} {{%{1}_in{2}, %{1}_in{3}}}, [%rd0];", t_.sum, x, to, to + 1);
          line("@%p1 neg.{0} %{1}_in{2}, %{1}_in{2};", t_.sum, x, to + 1);
          break;
        case ElementType::f16:
          line("mov.b16 %h0, 0;");
          line("@%p0 ld.global.b16 %h0, [%rd0];");
          line("cvt.f32.f16 %{}_in{}, %h0;", x, to);
          break;
        case ElementType::bf16:
          line("mov.b16 %h0, 0;");
          line("mov.b16 %h1, 0;");
          line("@%p0 ld.global.b16 %h1, [%rd0];");
          line("mov.b32 %{}_in{}, {{%h0, %h1}};", x, to);
          break;
        case ElementType::s8: line("@%p0 ld.global.s8 %{}_in{}, [%rd0];", x, to); break;
      }
      if (q + 1 < t_.results) {
        line("add.u32 %r0, %r0, %{}_di;", x);
        line("add.u32 %r1, %r1, %{}_dl;", x);
        line("add.u64 %rd0, %rd0, %{}_next;", x);
      }
    }
    line("add.u64 %{0}_from, %{0}_from, %{0}_advance;", x);
  }

  void store(char x) {
    line("mov.u32 %r0, %{}_shared;", x);
    for (unsigned q = 0; q < t_.results; ++q) {
      for (unsigned part = 0; part < t_.parts; ++part)
        line("st.shared.{} [%r0+{}], %{}_in{};", t_.sum, part * plane_bytes(), x,
             q * t_.parts + part);
      if (q + 1 < t_.results) line("add.u32 %r0, %r0, %{}_step;", x);
    }
  }

  void multiply() {
    constexpr unsigned kUnroll = 4;
    line("mov.u32 %r0, %a_read;");
    line("mov.u32 %r1, %b_read;");
    line("mov.u32 %l, {};", kDepth / kUnroll);
    line("STEP:");
    for (unsigned u = 0; u < kUnroll; ++u) {
      fragment('a', "%r0", u);
      fragment('b', "%r1", u);
      for (unsigned j = 0; j < t_.results; ++j) {
        for (unsigned i = 0; i < t_.results; ++i) multiply_add(i, j);
      }
    }
    line("add.u32 %r0, %r0, {};", kUnroll * pitch_ * t_.sum_bytes);
    line("add.u32 %r1, %r1, {};", kUnroll * pitch_ * t_.sum_bytes);
    line("sub.u32 %l, %l, 1;");
    line("setp.ne.u32 %more, %l, 0;");
    line("@%more bra STEP;");
  }

  void fragment(char x, std::string_view from, unsigned l) {
    for (unsigned part = 0; part < t_.parts; ++part) {
      for (unsigned q = 0; q < t_.results; q += vector_) {
        std::string registers;
        for (unsigned v = 0; v < vector_; ++v)
          registers +=
              fmt::format("{}%{}_part{}", v == 0 ? "" : ", ", x, (q + v) * t_.parts + part);
        line("ld.shared.v{}.{} {{{}}}, [{}+{}];", vector_, t_.sum, registers, from,
             part * plane_bytes() + (l * pitch_ + place(q)) * t_.sum_bytes);
      }
    }
  }

  void multiply_add(unsigned i, unsigned j) {
    std::string_view fma = t_.sum == "s32"   ? "mad.lo.s32"
                           : t_.sum == "f32" ? "fma.rn.f32"
                                             : "fma.rn.f64";
    if (t_.parts == 1) {
      line("{0} %s{1}, %a_part{2}, %b_part{3}, %s{1};", fma, sum(i, j, 0), i, j);
      return;
    }
    line("{0} %s{1}, %a_part{2}, %b_part{3}, %s{1};", fma, sum(i, j, 0), 2 * i, 2 * j);
    line("{0} %s{1}, %a_part{2}, %b_part{3}, %s{1};", fma, sum(i, j, 1), 2 * i, 2 * j + 1);
    line("{0} %s{1}, %a_part{2}, %b_part{3}, %s{1};", fma, sum(i, j, 1), 2 * i + 1, 2 * j);
    line("neg.{} %v0, %a_part{};", t_.sum, 2 * i + 1);
    line("{0} %s{1}, %v0, %b_part{2}, %s{1};", fma, sum(i, j, 0), 2 * j + 1);
  }

  /// C = alpha * sums + beta * C, inside the matrix.
  void results() {
    bool sums_out = types_.sums_out || t_.sum_bytes * t_.parts == t_.input_bytes;
    unsigned bytes = sums_out ? t_.sum_bytes * t_.parts : t_.input_bytes;
    line("and.b32 %r0, %flags, {};", static_cast<uint32_t>(kReadC));
    line("setp.ne.u32 %more, %r0, 0;");
    line("mad.lo.u32 %r1, %tx, {}, %block_i;", vector_);
    line("mad.lo.u32 %r2, %ty, {}, %block_j;", vector_);
    line("cvt.u64.u32 %rd0, %r1;");
    line("mad.lo.u64 %rd0, %rd0, {}, %c;", bytes);
    for (unsigned j = 0; j < t_.results; ++j) {
      line("add.u32 %r3, %r2, {};", place(j));
      line("setp.lt.s32 %p1, %r3, %n;");
      line("cvt.u64.u32 %rd1, %r3;");
      line("mul.lo.u64 %rd1, %rd1, %ldc;");
      line("mad.lo.u64 %rd1, %rd1, {}, %rd0;", bytes);
      for (unsigned i = 0; i < t_.results; ++i) {
        line("add.u32 %r4, %r1, {};", place(i));
        line("setp.lt.and.s32 %p0, %r4, %m, %p1;");
        line("and.pred %p2, %p0, %more;");
        result(sum(i, j, 0), place(i) * bytes, sums_out);
      }
    }
  }

  /// %p0: inside, %p2: inside and C counts; the element stands at [%rd1 + offset].
  void result(unsigned s, unsigned offset, bool sums_out) {
    std::string_view mul = t_.sum == "s32"   ? "mul.lo.s32"
                           : t_.sum == "f32" ? "mul.rn.f32"
                                             : "mul.rn.f64";
    std::string_view fma = t_.sum == "s32"   ? "mad.lo.s32"
                           : t_.sum == "f32" ? "fma.rn.f32"
                                             : "fma.rn.f64";
    if (t_.parts == 2) {
      line("{} %v0, %alpha0, %s{};", mul, s);
      line("neg.{} %v2, %alpha1;", t_.sum);
      line("{} %v0, %v2, %s{}, %v0;", fma, s + 1);
      line("{} %v1, %alpha0, %s{};", mul, s + 1);
      line("{} %v1, %alpha1, %s{}, %v1;", fma, s);
      line("@%p2 ld.global.v2.{} {{%v2, %v3}}, [%rd1+{}];", t_.sum, offset);
      line("@%p2 {} %v0, %beta0, %v2, %v0;", fma);
      line("@%p2 {} %v1, %beta0, %v3, %v1;", fma);
      line("@%p2 {} %v1, %beta1, %v2, %v1;", fma);
      line("neg.{} %v2, %beta1;", t_.sum);
      line("@%p2 {} %v0, %v2, %v3, %v0;", fma);
      line("@%p0 st.global.v2.{} [%rd1+{}], {{%v0, %v1}};", t_.sum, offset);
      return;
    }
    line("{} %v0, %alpha0, %s{};", mul, s);
    if (sums_out) {
      line("@%p2 ld.global.{} %v1, [%rd1+{}];", t_.sum, offset);
      line("@%p2 {} %v0, %beta0, %v1, %v0;", fma);
      line("@%p0 st.global.{} [%rd1+{}], %v0;", t_.sum, offset);
      return;
    }
    switch (types_.input) {
      case ElementType::f16:
        line("@%p2 ld.global.b16 %h0, [%rd1+{}];", offset);
        line("@%p2 cvt.f32.f16 %v1, %h0;");
        line("@%p2 {} %v0, %beta0, %v1, %v0;", fma);
        line("cvt.rn.f16.f32 %h0, %v0;");
        break;
      case ElementType::bf16:
        line("@%p2 ld.global.b16 %h1, [%rd1+{}];", offset);
        line("mov.b16 %h0, 0;");
        line("@%p2 mov.b32 %v1, {{%h0, %h1}};");
        line("@%p2 {} %v0, %beta0, %v1, %v0;", fma);
        line("cvt.rn.bf16.f32 %h0, %v0;");
        break;
      default:  // s8: low byte of the sum
        line("@%p2 ld.global.s8 %v1, [%rd1+{}];", offset);
        line("@%p2 {} %v0, %beta0, %v1, %v0;", fma);
        line("@%p0 st.global.b8 [%rd1+{}], %v0;", offset);
        return;
    }
    line("@%p0 st.global.b16 [%rd1+{}], %h0;", offset);
  }

  GemmTypes types_;
  Traits t_;
  unsigned tile_, pitch_, vector_;
  std::string out_;
};

}  // namespace

unsigned gemm_tile(GemmTypes types) { return traits_of(types.input).results * kAcross; }

std::string gemm_ptx(GemmTypes types) { return GemmWriter(types).write(); }

}  // namespace guda::backend::cuda
