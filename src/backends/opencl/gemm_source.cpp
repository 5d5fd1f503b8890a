#include "backends/opencl/gemm_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace guda::backend::opencl {
namespace {

struct Traits {
  std::string_view input;  // an element of A in memory; of complex ones, a part
  std::string_view sum;
  uint32_t sum_bytes;
  uint32_t parts;  // 2: complex
  std::string_view load;  // from memory to a sum's operand
  std::string_view store;  // and back, when C has the input's type
};

Traits traits_of(ElementType type) {
  switch (type) {
    case ElementType::f32: return {"float", "float", 4, 1, "", ""};
    case ElementType::f64: return {"double", "double", 8, 1, "", ""};
    case ElementType::c32: return {"float", "float", 4, 2, "", ""};
    case ElementType::c64: return {"double", "double", 8, 2, "", ""};
    case ElementType::f16: return {"ushort", "float", 4, 1, "from_half", "to_half"};
    case ElementType::bf16: return {"ushort", "float", 4, 1, "from_bfloat", "to_bfloat"};
    case ElementType::s8: return {"char", "int", 4, 1, "(int)", "(char)"};
  }
  return {};
}

/// Half precision by integer arithmetic: not every device has the type.
constexpr std::string_view kConversions = R"cl(
static float from_half(ushort h) {
  uint size = h & 0x7fffu, exponent = h & 0x7c00u;
  float normal = as_float((size << 13) + 0x38000000u);
  float tiny = (float)size * 0x1p-24f;
  float special = as_float((size << 13) | 0x7f800000u);
  float value = exponent == 0 ? tiny : exponent == 0x7c00u ? special : normal;
  return as_float(as_uint(value) | (uint)(h & 0x8000u) << 16);
}
static ushort to_half(float value) {
  uint bits = as_uint(value), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return (ushort)(sign | 0x7e00u);
  if (size >= 0x477ff000u) return (ushort)(sign | 0x7c00u);
  if (size < 0x38800000u) return (ushort)(sign | (uint)rint(as_float(size) * 0x1p24f));
  return (ushort)(sign | (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13);
}
static float from_bfloat(ushort b) { return as_float((uint)b << 16); }
static ushort to_bfloat(float value) {
  uint bits = as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (ushort)(bits >> 16 | 0x40u);
  return (ushort)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
)cl";

/// The element (i, l) of op(A), (l, j) of op(B), and what becomes of one of C.
constexpr std::string_view kElements = R"cl(
#if A_DEPTH_FIRST
#define A_AT(i, l) ((long)(i) * lda + (l))
#else
#define A_AT(i, l) ((i) + (long)(l) * lda)
#endif
#if B_DEPTH_FIRST
#define B_AT(l, j) ((l) + (long)(j) * ldb)
#else
#define B_AT(l, j) ((long)(l) * ldb + (j))
#endif

#define PARAMETERS                                                                            \
  global const char *a_memory, ulong a_offset, global const char *b_memory, ulong b_offset,   \
      global char *c_memory, ulong c_offset, long lda, long ldb, long ldc, int m, int n,      \
      int k, SUM alpha, SUM alpha_i, SUM beta, SUM beta_i, int reads_c, int rows, int columns
#define OPERANDS                                                                              \
  global const IN* a = (global const IN*)(a_memory + a_offset);                               \
  global const IN* b = (global const IN*)(b_memory + b_offset);                               \
  global OUT* c = (global OUT*)(c_memory + c_offset);

#if PARTS == 1
#define RESULT(at, sum, sum_i)                                                                \
  c[at] = STORE(alpha * (sum) + (reads_c ? beta * LOAD_C(c[at]) : (SUM)0))
#else
#define RESULT(at, sum, sum_i)                                                                \
  {                                                                                           \
    SUM re = alpha * (sum) - alpha_i * (sum_i), im = alpha * (sum_i) + alpha_i * (sum);       \
    if (reads_c) {                                                                            \
      SUM was = c[2 * (at)], was_i = c[2 * (at) + 1];                                         \
      re += beta * was - beta_i * was_i;                                                      \
      im += beta * was_i + beta_i * was;                                                      \
    }                                                                                         \
    c[2 * (at)] = re;                                                                         \
    c[2 * (at) + 1] = im;                                                                     \
  }
#endif
)cl";

/// One work-item per group. Panels of A: [panel][l][part][row]. Sums: [panel of columns][panel of rows][column][part]
/// [row].
constexpr std::string_view kOnCore = R"cl(
#define TILE (NR * PARTS * RV)

// `left` rows into panels, filled up with zeros. Where columns are contiguous, each is read to its end before the next:
// they lie on pages of their own.
static void pack_a(local SUM* to, global const IN* a, long lda, int left, int depth) {
#if A_DEPTH_FIRST
  for (int p = 0; p * MR < left; ++p, to += DEPTH * PARTS * MR) {
    int inside = min(left - p * MR, MR);
    for (int r = 0; r < inside; ++r)
      for (int l = 0; l < depth; ++l)
        for (int part = 0; part < PARTS; ++part) {
          SUM value = LOAD(a[A_AT(p * MR + r, l) * PARTS + part]);
          to[(l * PARTS + part) * MR + r] = part == 1 && CONJUGATE_A ? -value : value;
        }
    for (int r = inside; r < MR; ++r)
      for (int l = 0; l < depth * PARTS; ++l) to[l * MR + r] = 0;
  }
#else
  for (int l = 0; l < depth; ++l) {
    for (int p = 0; p * MR < left; ++p) {
      int inside = min(left - p * MR, MR);
      global const IN* from = a + (p * MR + l * lda) * PARTS;
      local SUM* at = to + (p * DEPTH + l) * PARTS * MR;
      if (inside == MR) {
        for (int part = 0; part < PARTS; ++part)
          for (int r = 0; r < MR; ++r) at[part * MR + r] = LOAD(from[r * PARTS + part]);
      } else {
        for (int part = 0; part < PARTS; ++part)
          for (int r = 0; r < MR; ++r)
            at[part * MR + r] = r < inside ? LOAD(from[r * PARTS + part]) : (SUM)0;
      }
    }
  }
#endif
}

static void pack_b(local SUM* to, global const IN* b, long ldb, int left, int depth) {
  int inside = min(left, NR);
  if (inside < NR)
    for (int l = 0; l < depth * NR * PARTS; ++l) to[l] = 0;
#if B_DEPTH_FIRST
  for (int j = 0; j < inside; ++j)
    for (int l = 0; l < depth; ++l)
#else
  for (int l = 0; l < depth; ++l)
    for (int j = 0; j < inside; ++j)
#endif
      for (int part = 0; part < PARTS; ++part) {
        SUM value = LOAD(b[B_AT(l, j) * PARTS + part]);
        to[(l * NR + j) * PARTS + part] = part == 1 && CONJUGATE_B ? -value : value;
      }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void guda_gemm(PARAMETERS) {
  local VEC a_panels[ROWS / MR * DEPTH * PARTS * RV];
  local SUM b_panel[DEPTH * NR * PARTS];
  local VEC sums[(COLUMNS / NR) * (ROWS / MR) * TILE];
  OPERANDS
  int i0 = (int)get_group_id(0) * rows, j0 = (int)get_group_id(1) * columns;
  int height = min(rows, m - i0), width = min(columns, n - j0);
  int row_panels = (height + MR - 1) / MR, column_panels = (width + NR - 1) / NR;
  for (int l0 = 0; l0 < k; l0 += DEPTH) {
    int depth = min(DEPTH, k - l0);
    pack_a((local SUM*)a_panels, a + A_AT(i0, l0) * PARTS, lda, height, depth);
    for (int q = 0; q < column_panels; ++q) {
      global const IN* from = b + B_AT(l0, j0 + q * NR) * PARTS;
      local VEC* tiles = sums + q * row_panels * TILE;
#if B_AS_IT_IS
      if (width - q * NR >= NR) {
        for (int p = 0; p < row_panels; ++p)
          multiply_in_place(a_panels + p * DEPTH * RV, from, ldb, depth, tiles + p * TILE, l0 == 0);
        continue;
      }
#endif
      pack_b(b_panel, from, ldb, width - q * NR, depth);
      for (int p = 0; p < row_panels; ++p)
        multiply_packed(a_panels + p * DEPTH * PARTS * RV, b_panel, depth, tiles + p * TILE, l0 == 0);
    }
  }
  for (int j = 0; j < width; ++j)
    for (int p = 0; p < row_panels; ++p) {
      local const SUM* sum = (local const SUM*)(sums + ((j / NR) * row_panels + p) * TILE) +
                             j % NR * PARTS * MR;
      long at = i0 + p * MR + (long)(j0 + j) * ldc;
      int inside = min(height - p * MR, MR);
      if (k == 0) {
        for (int r = 0; r < inside; ++r) RESULT(at + r, (SUM)0, (SUM)0);
      } else if (inside == MR) {
        for (int r = 0; r < MR; ++r) RESULT(at + r, sum[r], sum[MR + r]);
      } else {
        for (int r = 0; r < inside; ++r) RESULT(at + r, sum[r], sum[MR + r]);
      }
    }
}
)cl";

/// ACROSS x ACROSS work-items per group, RESULTS x RESULTS results each, ACROSS apart so that neighbours write
/// neighbours. Tiles: [part][l][row or column]; the next ones are on their way while the present ones are multiplied.
constexpr std::string_view kOnGroup = R"cl(
#define THREADS (ACROSS * ACROSS)
#define TILE (ACROSS * RESULTS)
#define PITCH (TILE + 1)
#define LOADS (TILE * DEPTH / THREADS)

#if A_DEPTH_FIRST
#define A_I(e) ((e) / DEPTH)
#define A_L(e) ((e) % DEPTH)
#else
#define A_I(e) ((e) % TILE)
#define A_L(e) ((e) / TILE)
#endif
#if B_DEPTH_FIRST
#define B_J(e) ((e) / DEPTH)
#define B_L(e) ((e) % DEPTH)
#else
#define B_J(e) ((e) % TILE)
#define B_L(e) ((e) / TILE)
#endif

kernel __attribute__((reqd_work_group_size(ACROSS, ACROSS, 1))) void guda_gemm(PARAMETERS) {
  local SUM a_tile[PARTS][DEPTH][PITCH];
  local SUM b_tile[PARTS][DEPTH][PITCH];
  OPERANDS
  int x = (int)get_local_id(0), y = (int)get_local_id(1), item = y * ACROSS + x;
  int i0 = (int)get_group_id(0) * TILE, j0 = (int)get_group_id(1) * TILE;
  SUM sums[RESULTS][RESULTS][PARTS];
  SUM a_next[LOADS][PARTS], b_next[LOADS][PARTS];
#pragma unroll
  for (int j = 0; j < RESULTS; ++j)
#pragma unroll
    for (int i = 0; i < RESULTS; ++i)
#pragma unroll
      for (int part = 0; part < PARTS; ++part) sums[j][i][part] = 0;

#define FETCH(l0)                                                                             \
  _Pragma("unroll") for (int q = 0; q < LOADS; ++q) {                                         \
    int e = item + q * THREADS;                                                               \
    int i = i0 + A_I(e), j = j0 + B_J(e), al = (l0) + A_L(e), bl = (l0) + B_L(e);             \
    bool a_inside = i < m && al < k, b_inside = j < n && bl < k;                              \
    for (int part = 0; part < PARTS; ++part) {                                                \
      SUM va = a_inside ? LOAD(a[A_AT(i, al) * PARTS + part]) : (SUM)0;                       \
      SUM vb = b_inside ? LOAD(b[B_AT(bl, j) * PARTS + part]) : (SUM)0;                       \
      a_next[q][part] = part == 1 && CONJUGATE_A ? -va : va;                                  \
      b_next[q][part] = part == 1 && CONJUGATE_B ? -vb : vb;                                  \
    }                                                                                         \
  }
  FETCH(0)
  for (int l0 = 0; l0 < k; l0 += DEPTH) {
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int q = 0; q < LOADS; ++q) {
      int e = item + q * THREADS;
      for (int part = 0; part < PARTS; ++part) {
        a_tile[part][A_L(e)][A_I(e)] = a_next[q][part];
        b_tile[part][B_L(e)][B_J(e)] = b_next[q][part];
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    FETCH(l0 + DEPTH)
    for (int l = 0; l < DEPTH; ++l) {
      SUM av[RESULTS][PARTS];
#pragma unroll
      for (int i = 0; i < RESULTS; ++i)
        for (int part = 0; part < PARTS; ++part) av[i][part] = a_tile[part][l][x + i * ACROSS];
#pragma unroll
      for (int j = 0; j < RESULTS; ++j) {
        SUM bv = b_tile[0][l][y + j * ACROSS];
#if PARTS == 2
        SUM bi = b_tile[1][l][y + j * ACROSS];
#endif
#pragma unroll
        for (int i = 0; i < RESULTS; ++i) {
          sums[j][i][0] += av[i][0] * bv;
#if PARTS == 2
          sums[j][i][0] -= av[i][1] * bi;
          sums[j][i][1] += av[i][0] * bi;
          sums[j][i][1] += av[i][1] * bv;
#endif
        }
      }
    }
  }
  for (int j = 0; j < RESULTS; ++j)
    for (int i = 0; i < RESULTS; ++i) {
      int row = i0 + x + i * ACROSS, column = j0 + y + j * ACROSS;
      if (row < m && column < n) {
        long at = row + (long)column * ldc;
        RESULT(at, sums[j][i][0], sums[j][i][PARTS - 1]);
      }
    }
}
)cl";

class GemmWriter {
 public:
  GemmWriter(const GemmTypes& types, const GemmShape& shape)
      : types_(types), shape_(shape), t_(traits_of(types.input)) {}

  std::string write() {
    const bool as_it_is_a = types_.transpose_a == Transpose::none;
    const bool as_it_is_b = types_.transpose_b == Transpose::none;
    if (t_.sum == "double") line("#pragma OPENCL EXTENSION cl_khr_fp64 : enable");
    if (t_.load.starts_with("from")) out_ += kConversions;
    define("IN", t_.input);
    define("SUM", t_.sum);
    define("OUT", types_.sums_out ? t_.sum : t_.input);
    define("PARTS", t_.parts);
    define("LOAD", t_.load);
    define("LOAD_C", types_.sums_out ? "" : t_.load);
    define("STORE", types_.sums_out ? "" : t_.store);
    define("A_DEPTH_FIRST", as_it_is_a ? 0 : 1);
    define("B_DEPTH_FIRST", as_it_is_b ? 1 : 0);
    define("CONJUGATE_A", types_.transpose_a == Transpose::conjugate ? 1 : 0);
    define("CONJUGATE_B", types_.transpose_b == Transpose::conjugate ? 1 : 0);
    define("DEPTH", shape_.depth);
    out_ += kElements;
    if (!shape_.one_item) {
      define("ACROSS", shape_.across);
      define("RESULTS", shape_.rows / shape_.across);
      out_ += kOnGroup;
      return std::move(out_);
    }
    const bool in_place = as_it_is_b && t_.parts == 1 && t_.load.empty();
    define("VEC", fmt::format("{}{}", t_.sum, shape_.vector));
    define("MR", shape_.row_step);
    define("NR", shape_.column_step);
    define("RV", vectors());
    define("ROWS", shape_.rows);
    define("COLUMNS", shape_.columns);
    define("B_AS_IT_IS", in_place ? 1 : 0);
    if (in_place) multiply(true);
    multiply(false);
    out_ += kOnCore;
    return std::move(out_);
  }

 private:
  template <typename... T>
  void line(fmt::format_string<T...> format, T&&... arguments) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<T>(arguments)...);
    out_ += '\n';
  }
  template <typename T>
  void define(std::string_view name, const T& value) {
    line("#define {} {}", name, value);
  }
  uint32_t vectors() const { return shape_.row_step / shape_.vector; }

  template <typename Each>
  void each_sum(Each each) {
    for (uint32_t j = 0; j < shape_.column_step; ++j)
      for (uint32_t part = 0; part < t_.parts; ++part)
        for (uint32_t v = 0; v < vectors(); ++v)
          each(fmt::format("s{}_{}_{}", j, part, v), (j * t_.parts + part) * vectors() + v);
  }

  /// A panel of A times one of B, written out: compilers keep named values in registers.
  void multiply(bool in_place) {
    if (in_place)
      line("static void multiply_in_place(local const VEC* a, global const SUM* b, long ldb,");
    else
      line("static void multiply_packed(local const VEC* a, local const SUM* b,");
    line("    int depth, local VEC* sums, int first) {{");
    each_sum([&](const std::string& name, uint32_t at) {
      line("  VEC {} = first ? (VEC)(0) : sums[{}];", name, at);
    });
    if (in_place)
      for (uint32_t j = 0; j < shape_.column_step; ++j)
        line("  global const SUM* b{} = b + {} * ldb;", j, j);
    line("  for (int l = 0; l < depth; ++l) {{");
    for (uint32_t part = 0; part < t_.parts; ++part)
      for (uint32_t v = 0; v < vectors(); ++v)
        line("    VEC a{}_{} = a[{}];", part, v, part * vectors() + v);
    for (uint32_t j = 0; j < shape_.column_step; ++j) {
      if (t_.parts == 1) {
        line("    VEC t{} = (VEC)({});", j,
             in_place ? fmt::format("b{}[l]", j) : fmt::format("b[{}]", j));
        for (uint32_t v = 0; v < vectors(); ++v) line("    s{}_0_{} += a0_{} * t{};", j, v, v, j);
        continue;
      }
      line("    VEC t{0} = (VEC)(b[{1}]), u{0} = (VEC)(b[{2}]);", j, 2 * j, 2 * j + 1);
      for (uint32_t v = 0; v < vectors(); ++v) {
        line("    s{0}_0_{1} += a0_{1} * t{0};", j, v);
        line("    s{0}_1_{1} += a0_{1} * u{0};", j, v);
      }
      for (uint32_t v = 0; v < vectors(); ++v) {
        line("    s{0}_0_{1} -= a1_{1} * u{0};", j, v);
        line("    s{0}_1_{1} += a1_{1} * t{0};", j, v);
      }
    }
    line("    a += {};", t_.parts * vectors());
    if (!in_place) line("    b += {};", shape_.column_step * t_.parts);
    line("  }}");
    each_sum([&](const std::string& name, uint32_t at) { line("  sums[{}] = {};", at, name); });
    line("}}");
  }

  GemmTypes types_;
  GemmShape shape_;
  Traits t_;
  std::string out_;
};

/// Halves until it fits; stays a multiple of `step`.
uint32_t smaller(uint32_t value, uint32_t step) { return std::max(value / 2 / step * step, step); }

}  // namespace

GemmShape gemm_shape(ElementType input, const GemmDevice& device) {
  const Traits t = traits_of(input);
  GemmShape shape;
  if (device.cpu) {
    shape.one_item = true;
    // AVX-512 has 32 registers, also of half their length, in which most processors run faster or as fast.
    const bool many = device.vector_bytes >= 64 || device.vector_bytes <= 16;
    shape.vector = std::min<uint32_t>(device.vector_bytes, 32) / t.sum_bytes;
    shape.row_step = shape.vector * (t.parts == 2 ? (many ? 2 : 1) : many ? 3 : 2);
    shape.column_step = t.parts == 2 ? (many ? 6 : 4) : many ? 8 : 6;
    shape.depth = 256;
    const uint64_t element = uint64_t{t.sum_bytes} * t.parts;
    const uint64_t budget = std::min<uint64_t>(device.local_memory, 512 << 10) * 15 / 16;
    shape.rows = std::max<uint32_t>(96 / shape.row_step, 1) * shape.row_step;
    shape.columns = 512 / shape.column_step * shape.column_step;
    const auto bytes = [&] {
      return element * (uint64_t{shape.rows} * shape.depth + shape.depth * shape.column_step +
                        uint64_t{shape.rows} * shape.columns);
    };
    while (bytes() > budget) {
      if (shape.columns > 2 * shape.rows)
        shape.columns = smaller(shape.columns, shape.column_step);
      else if (shape.depth > 64)
        shape.depth /= 2;
      else if (shape.rows > shape.row_step)
        shape.rows = smaller(shape.rows, shape.row_step);
      else if (shape.columns > shape.column_step)
        shape.columns = smaller(shape.columns, shape.column_step);
      else
        break;
    }
    return shape;
  }
  shape.across = device.work_group >= 256 ? 16 : 8;
  shape.depth = 16;
  const uint32_t results = t.parts * t.sum_bytes == 4 ? 8 : t.parts * t.sum_bytes == 8 ? 4 : 2;
  shape.rows = shape.columns = results * shape.across;
  return shape;
}

std::string gemm_source(const GemmTypes& types, const GemmShape& shape) {
  return GemmWriter(types, shape).write();
}

}  // namespace guda::backend::opencl
