// cublasLtHandle_t, and the calls that compute: matmul and matrix transform.
#include "abi/cublas/handle.h"

#include "abi/cublas/element.h"
#include "abi/cublas/entry.h"
#include "abi/cublas/lt/layout.h"
#include "abi/cublas/lt/matmul.h"
#include "abi/cublas/lt/vendor_call.h"
#include "abi/cublas/product.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

namespace guda::cublas::lt {
namespace {

// A cublasHandle_t serves as a cublasLtHandle_t, so both are the same thing.
Result create(Handle** out) {
  GUDA_CUBLAS_CHECK(out);
  if (Result result = enter_library()) return result;
  *out = new Handle;
  return kSuccess;
}

Result destroy(Handle* handle) {
  GUDA_CUBLAS_HANDLE(handle);
  handle->magic = 0;
  delete handle;
  return kSuccess;
}

size_t get_version() { return kVersion; }

std::atomic<size_t> heuristics_capacity{8192};
Result get_heuristics_capacity(size_t* capacity) {
  GUDA_CUBLAS_CHECK(capacity);
  *capacity = heuristics_capacity.load();
  return kSuccess;
}
/// Kept in powers of two, 32 at least, as cuBLASLt does.
Result set_heuristics_capacity(size_t capacity) {
  constexpr size_t kLeast = 32, kMost = size_t{1} << 31;
  heuristics_capacity.store(std::bit_ceil(std::clamp(capacity, kLeast, kMost)));
  return kSuccess;
}

/// Which instructions NVIDIA's library may use on the host; GUDA's own choice is the option GUDA_CPU.
unsigned disable_cpu_instructions(unsigned mask) {
  static std::atomic<unsigned> current{0};
  return current.exchange(mask);
}

/// Scalars of the descriptor's pointer mode, as they are when the operation runs.
struct Scalars {
  AnyScalar alpha, beta;
  bool beta_is_zero;
  Scalars(ScalarMode mode, const void* alpha_pointer, const void* beta_pointer, size_t bytes)
      : alpha(mode == kHostScalars ? kHostPointers : kDevicePointers, alpha_pointer, bytes),
        beta(mode == kHostScalars || mode == kAlphaVectorBetaHost ? kHostPointers : kDevicePointers,
             mode == kAlphaVectorBetaZero ? alpha_pointer : beta_pointer, bytes),
        beta_is_zero(mode == kAlphaVectorBetaZero) {}
  const void* beta_value() const { return beta_is_zero ? nullptr : beta.get(); }
};

/// What a matmul reads and writes.
void tell_uses(Uses& use, const Problem& problem, const void* alpha, const void* a, const void* b,
               const void* beta, const void* c, void* d) {
  const MatmulDescriptor& operation = problem.operation;
  const int64_t count = problem.d.batch_count;
  for (const Layout* layout : {&problem.a, &problem.b, &problem.c, &problem.d}) {
    if (layout->batch_mode == kPointerArray) use.everything();
  }
  use.reads(extent_of(problem.a, a)).reads(extent_of(problem.b, b)).reads(extent_of(problem.c, c));
  use.writes(extent_of(problem.d, d));
  const ScalarMode mode = operation.scalar_mode;
  const size_t scale = element_bytes(operation.scale_type);
  const auto scale_bytes = static_cast<int64_t>(scale);
  if (mode != kHostScalars)
    use.reads(batch_of(cublas::extent_of(alpha, mode == kDeviceScalars ? 1 : problem.m, scale),
                       Wide128{operation.alpha_stride} * scale_bytes, count));
  if (mode == kDeviceScalars || mode == kDeviceVectors)
    use.reads(cublas::extent_of(beta, mode == kDeviceScalars ? 1 : problem.m, scale));

  auto parts = static_cast<unsigned>(operation.epilogue);
  const size_t bias = element_bytes(problem.bias_type);
  // A gradient's bias is as long as D's side or the operand's.
  const Extent biases = batch_of(
      cublas::extent_of(operation.bias, parts & kBiasGradientB ? problem.n : problem.m, bias),
      Wide128{operation.bias_stride} * static_cast<int64_t>(bias), count);
  if (parts & kBias) use.reads(biases);
  if (parts & (kBiasGradient | kBiasGradientA | kBiasGradientB)) use.writes(biases);
  if (parts & kAuxiliary) {
    const bool mask = parts & (kRelu | kReluGradient);
    const size_t element = element_bytes(problem.auxiliary_type);
    const auto in_bytes = [&](Wide128 elements) {
      return mask ? elements / 8 : elements * static_cast<int64_t>(element);
    };
    use.writes(batch_of(cublas::extent_of(operation.auxiliary,
                                          in_bytes(Wide128{operation.auxiliary_ld} * problem.n), 1),
                        in_bytes(operation.auxiliary_stride), count));
  }
  for (const float* each : {operation.a_scale, operation.b_scale, operation.c_scale,
                            operation.d_scale, operation.auxiliary_scale})
    use.reads({each, each ? sizeof *each : 0});
  for (float* each : {operation.d_amax, operation.auxiliary_amax})
    use.writes({each, each ? sizeof *each : 0});
}

Result matmul(Handle* handle, const MatmulDescriptor* operation, const void* alpha, const void* a,
              const Layout* a_layout, const void* b, const Layout* b_layout, const void* beta,
              const void* c, const Layout* c_layout, void* d, const Layout* d_layout,
              const Algorithm* algorithm, void* workspace, size_t workspace_bytes, void* stream) {
  GUDA_CUBLAS_HANDLE(handle);
  Problem problem;
  if (Result result = make_problem(operation, a_layout, b_layout, c_layout, d_layout, &problem))
    return result;
  GUDA_CUBLAS_CHECK(!algorithm || algorithm->magic == Algorithm::kMagic);
  if (problem.m == 0 || problem.n == 0) return kSuccess;
  GUDA_CUBLAS_CHECK(alpha && d && (beta || operation->scalar_mode == kAlphaVectorBetaZero));
  GUDA_CUBLAS_CHECK((a && b) || problem.k == 0);
  Scalars scalars(operation->scalar_mode, alpha, beta, element_bytes(operation->scale_type));
  ProductTypes types{problem.a.type, problem.b.type, problem.c.type, operation->compute};
  ProductShape shape{kN, kN, problem.m, problem.n, problem.k, 0, 0, 0};
  double nanoseconds = product_ns(types, shape) * problem.d.batch_count;
  auto tell = [&](LibraryWork& known) {
    tell_uses(known.uses, problem, alpha, a, b, beta, c, d);
    known.call = vendor_matmul(problem, {alpha, a, b, beta}, c, d, workspace, workspace_bytes);
    if (known.call) known.uses.writes({workspace, workspace ? workspace_bytes : 0});
  };
  return submit_to(stream, nanoseconds, tell, [=] {
    std::vector<Maxima> maxima(problem.d.batch_count);
    auto one = [&](int64_t i) {
      maxima[i] = run(problem, scalars.alpha.get(), batch_member(problem.a, a, i),
                      batch_member(problem.b, b, i), scalars.beta_value(),
                      batch_member(problem.c, c, i), batch_member(problem.d, d, i), i);
    };
    // Gradients of biases that all members share: the last one's stays.
    auto parts = static_cast<unsigned>(problem.operation.epilogue);
    if (parts & (kBiasGradient | kBiasGradientA | kBiasGradientB)) {
      for (int64_t i = 0; i < problem.d.batch_count; ++i) one(i);
    } else {
      for_products(problem.d.batch_count, shape, one);
    }
    auto write = [&](float* out, float Maxima::* which) {
      if (!out) return;
      *out = 0;
      for (const Maxima& member : maxima) *out = std::max(*out, member.*which);
    };
    write(problem.operation.d_amax, &Maxima::d);
    if (parts & kAuxiliary) write(problem.operation.auxiliary_amax, &Maxima::auxiliary);
  });
}

// Transform --------------------------------------------------------------------------------------------

/// C = alpha op(A) + beta op(B), element by element in T.
template <class T>
void transform(const TransformDescriptor& operation, T alpha, const Layout& a_layout, const void* a,
               T beta, const Layout& b_layout, const void* b, const Layout& c_layout, void* c) {
  const TileShape shape = TileShape::for_order(c_layout.order);
  for_tiles(shape, static_cast<int64_t>(c_layout.rows), static_cast<int64_t>(c_layout.columns),
            [&](const Tile& tile, int64_t) {
              T sums[kTileElements] = {}, source[kTileElements];
              auto add = [&](const Layout& layout, const void* matrix, Op op, T factor) {
                if (factor == T(0)) return;
                bool plain = op == kN;
                Tile from = plain ? tile : Tile{tile.column, tile.columns, tile.row, tile.rows};
                load_tile<T>(layout, matrix, from, source, from.rows);
                for (int64_t j = 0; j < tile.columns; ++j) {
                  for (int64_t i = 0; i < tile.rows; ++i) {
                    T value = source[plain ? i + j * from.rows : j + i * from.rows];
                    sums[i + j * shape.rows] +=
                        factor * (op == kC ? blas::conjugate(value) : value);
                  }
                }
              };
              add(a_layout, a, operation.transa, alpha);
              add(b_layout, b, operation.transb, beta);
              store_tile<T>(c_layout, c, tile, sums, shape.rows);
            });
}

bool fits(const Layout& layout, Op op, const Layout& c) {
  return op == kN ? layout.rows == c.rows && layout.columns == c.columns
                  : layout.rows == c.columns && layout.columns == c.rows;
}

bool is_transformable(DataType type, DataType scale_type) {
  switch (scale_type) {
    case kR32F:
    case kR16F:
      return type == kR32F || type == kR16F || type == kR16BF || type == kR8I || type == kR32I ||
             type == kR8E4M3 || type == kR8E5M2;
    case kR32I: return type == kR32I || type == kR8I;
    case kR64F: return type == kR64F;
    case kC32F: return type == kC32F;
    case kC64F: return type == kC64F;
    default: return false;
  }
}

Result matrix_transform(Handle* handle, const TransformDescriptor* operation, const void* alpha,
                        const void* a, const Layout* a_layout, const void* beta, const void* b,
                        const Layout* b_layout, void* c, const Layout* c_layout, void* stream) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(operation && alpha && a_layout && c_layout && c);
  GUDA_CUBLAS_CHECK(is_op(operation->transa) && is_op(operation->transb));
  if (operation->scalar_mode != kHostScalars && operation->scalar_mode != kDeviceScalars)
    return kNotSupported;
  bool with_b = b && b_layout && beta;
  GUDA_CUBLAS_CHECK(a);
  for (const Layout* layout : {a_layout, with_b ? b_layout : a_layout, c_layout}) {
    if (Result result = check_layout(*layout)) return result;
    if (layout->plane_offset != 0 || !is_transformable(layout->type, operation->scale_type))
      return kNotSupported;
    GUDA_CUBLAS_CHECK(layout->batch_count == c_layout->batch_count);
  }
  GUDA_CUBLAS_CHECK(fits(*a_layout, operation->transa, *c_layout));
  GUDA_CUBLAS_CHECK(!with_b || fits(*b_layout, operation->transb, *c_layout));
  Layout none{};
  none.type = c_layout->type;
  Scalars scalars(operation->scalar_mode, alpha, with_b ? beta : alpha,
                  element_bytes(operation->scale_type));
  Layout first = *a_layout, second = with_b ? *b_layout : none, out = *c_layout;
  TransformDescriptor how = *operation;
  double nanoseconds = static_cast<double>(out.rows) * static_cast<double>(out.columns) *
                       static_cast<double>(out.batch_count);
  auto tell = [&](LibraryWork& known) {
    Uses& use = known.uses;
    for (const Layout* layout : {&first, &second, &out}) {
      if (layout->batch_mode == kPointerArray) use.everything();
    }
    use.reads(extent_of(first, a)).writes(extent_of(out, c));
    if (with_b) use.reads(extent_of(second, b));
    if (operation->scalar_mode == kDeviceScalars) {
      const size_t bytes = element_bytes(operation->scale_type);
      use.reads({alpha, bytes}).reads({with_b ? beta : nullptr, with_b ? bytes : 0});
    }
  };
  return submit_to(stream, nanoseconds, tell, [=] {
    auto all = [&]<class T>(TypeTag<T>) {
      T alpha_value = load_element<T>(how.scale_type, scalars.alpha.get(), 0);
      T beta_value = with_b ? load_element<T>(how.scale_type, scalars.beta.get(), 0) : T(0);
      for (int64_t i = 0; i < out.batch_count; ++i) {
        transform<T>(how, alpha_value, first, batch_member(first, a, i), beta_value, second,
                     batch_member(second, b, i), out, batch_member(out, c, i));
      }
    };
    switch (how.scale_type) {
      case kR32I: return all(TypeTag<int32_t>());
      case kR64F: return all(TypeTag<double>());
      case kC32F: return all(TypeTag<ComplexFloat>());
      case kC64F: return all(TypeTag<ComplexDouble>());
      default: return all(TypeTag<float>());
    }
  });
}

GUDA_ENTRY(cublasLtCreate, create);
GUDA_ENTRY(cublasLtDestroy, destroy);
GUDA_ENTRY(cublasLtGetVersion, get_version);
GUDA_ENTRY(cublasLtHeuristicsCacheGetCapacity, get_heuristics_capacity);
GUDA_ENTRY(cublasLtHeuristicsCacheSetCapacity, set_heuristics_capacity);
GUDA_ENTRY(cublasLtDisableCpuInstructionsSetMask, disable_cpu_instructions);
GUDA_ENTRY(cublasLtMatmul, matmul);
GUDA_ENTRY(cublasLtMatrixTransform, matrix_transform);

}  // namespace
}  // namespace guda::cublas::lt
