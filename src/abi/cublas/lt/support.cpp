// Which matmuls there are: NVIDIA's table of types, epilogues and scales for compute capability 8.9.
#include "abi/cublas/element.h"
#include "abi/cublas/lt/layout.h"
#include "abi/cublas/lt/matmul.h"
#include "abi/cublas/product.h"

namespace guda::cublas::lt {
namespace {

bool is_float8(DataType type) { return type == kR8E4M3 || type == kR8E5M2; }
bool is_complex(DataType type) { return type == kC32F || type == kC64F || type == kC8I; }

bool plain_compute32(ComputeType type) {
  return type == kCompute32F || type == kCompute32FPedantic;
}

/// A and B in 8-bit floats, not both with 5 bits of exponent.
Result check_float8(const Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  DataType a = problem.a.type, b = problem.b.type, c = problem.c.type, d = problem.d.type;
  if (!is_float8(a) || !is_float8(b) || (a == kR8E5M2 && b == kR8E5M2)) return kNotSupported;
  if (!plain_compute32(operation.compute) || operation.scale_type != kR32F) return kNotSupported;
  bool wide = (c == kR16BF || c == kR16F || c == kR32F) && c == d;
  bool narrow_d = d == kR8E4M3 || (d == kR8E5M2 && (a == kR8E5M2 || b == kR8E5M2));
  bool quantized = narrow_d && (c == kR16BF || c == kR16F);
  if (!wide && !quantized) return kNotSupported;
  if (operation.transa != kT || operation.transb != kN) return kNotSupported;
  // Units of 16 bytes along k and m, and between the columns.
  auto whole_units = [](const Layout& layout) {
    auto bytes = static_cast<int64_t>(element_bytes(layout.type));
    bool by_rows = layout.order == kRow;
    auto along = static_cast<int64_t>(by_rows ? layout.columns : layout.rows);
    return along * bytes % 16 == 0 && layout.ld * bytes % 16 == 0;
  };
  for (const Layout* layout : {&problem.a, &problem.b, &problem.c, &problem.d}) {
    if (!whole_units(*layout)) return kNotSupported;
  }
  return kSuccess;
}

Result check_types(const Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  DataType a = problem.a.type, b = problem.b.type, c = problem.c.type, d = problem.d.type;
  if (is_float8(a) || is_float8(b)) return check_float8(problem);
  GUDA_CUBLAS_CHECK(a == b);
  if (c != d) return kNotSupported;
  bool whole = operation.compute == kCompute32I || operation.compute == kCompute32IPedantic;
  if (whole && operation.scale_type == kR32F)  // requantised
    return a == kR8I && b == kR8I && c == kR8I ? kSuccess : kNotSupported;
  DataType scale;
  if (product_scale_type({a, b, c, operation.compute}, &scale)) return kNotSupported;
  // Sums of integers are taken four bytes at a time.
  if (scale == kR32I && (problem.a.ld % 4 != 0 || problem.b.ld % 4 != 0)) return kNotSupported;
  return scale == operation.scale_type ? kSuccess : kNotSupported;
}

Result check_epilogue(Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  auto epilogue = static_cast<unsigned>(operation.epilogue);
  switch (epilogue) {
    case kDefault:
    case kRelu:
    case kRelu | kAuxiliary:
    case kBias:
    case kRelu | kBias:
    case kRelu | kAuxiliary | kBias:
    case kReluGradient | kAuxiliary:
    case kReluGradient | kAuxiliary | kBiasGradient:
    case kGelu:
    case kGelu | kAuxiliary:
    case kGelu | kBias:
    case kGelu | kAuxiliary | kBias:
    case kGeluGradient | kAuxiliary:
    case kGeluGradient | kAuxiliary | kBiasGradient:
    case kBiasGradientA:
    case kBiasGradientB: break;
    default: return kInvalidValue;
  }
  bool whole = problem.d.type == kR32I;
  if (epilogue != kDefault && (is_complex(problem.d.type) || whole)) return kNotSupported;

  // Types of what goes in and out beside D.
  DataType bias = problem.d.type;
  if (is_float8(problem.a.type) && (is_float8(bias) || bias == kR32F))
    bias = is_float8(bias) ? problem.c.type : kR16BF;
  if (problem.d.type == kR8I) bias = kR32F;
  problem.bias_type = operation.bias_type < 0 ? bias : static_cast<DataType>(operation.bias_type);
  bool half = problem.bias_type == kR16BF || problem.bias_type == kR16F;
  if (problem.bias_type != bias && !half && problem.bias_type != kR32F) return kNotSupported;
  problem.auxiliary_type = operation.auxiliary_type < 0
                               ? problem.d.type
                               : static_cast<DataType>(operation.auxiliary_type);
  bool uses_bias = epilogue & (kBias | kBiasGradient | kBiasGradientA | kBiasGradientB);
  GUDA_CUBLAS_CHECK(!uses_bias || operation.bias);
  if (epilogue & kAuxiliary) {
    bool mask = epilogue & (kRelu | kReluGradient);
    int64_t multiple = mask ? 128 : 8;
    GUDA_CUBLAS_CHECK(operation.auxiliary && operation.auxiliary_ld >= problem.m &&
                      operation.auxiliary_ld % multiple == 0 &&
                      operation.auxiliary_stride % multiple == 0);
  }
  return kSuccess;
}

Result check_scales(const Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  if (operation.a_scale_mode || operation.b_scale_mode || operation.c_scale_mode ||
      operation.d_scale_mode || operation.auxiliary_scale_mode || operation.d_out_scale_mode ||
      operation.d_out_scale)
    return kNotSupported;
  GUDA_CUBLAS_CHECK(is_float8(problem.a.type) || (!operation.a_scale && !operation.b_scale));
  GUDA_CUBLAS_CHECK(is_float8(problem.c.type) || !operation.c_scale);
  GUDA_CUBLAS_CHECK(is_float8(problem.d.type) || (!operation.d_scale && !operation.d_amax));
  GUDA_CUBLAS_CHECK(is_float8(problem.auxiliary_type) ||
                    (!operation.auxiliary_scale && !operation.auxiliary_amax));
  return kSuccess;
}

Result check_shapes(Problem& problem) {
  const MatmulDescriptor& operation = problem.operation;
  for (const Layout* layout : {&problem.a, &problem.b, &problem.c, &problem.d}) {
    if (Result result = check_layout(*layout)) return result;
    if (layout->plane_offset != 0) return kNotSupported;
    GUDA_CUBLAS_CHECK(layout->batch_count == problem.d.batch_count);
  }
  bool plain_a = operation.transa == kN, plain_b = operation.transb == kN;
  uint64_t m = plain_a ? problem.a.rows : problem.a.columns;
  uint64_t k = plain_a ? problem.a.columns : problem.a.rows;
  uint64_t n = plain_b ? problem.b.columns : problem.b.rows;
  GUDA_CUBLAS_CHECK((plain_b ? problem.b.rows : problem.b.columns) == k);
  GUDA_CUBLAS_CHECK(problem.c.rows == m && problem.c.columns == n && problem.d.rows == m &&
                    problem.d.columns == n);
  problem.m = static_cast<int64_t>(m);
  problem.n = static_cast<int64_t>(n);
  problem.k = static_cast<int64_t>(k);
  return kSuccess;
}

}  // namespace

Result make_problem(const MatmulDescriptor* operation, const Layout* a, const Layout* b,
                    const Layout* c, const Layout* d, Problem* out) {
  GUDA_CUBLAS_CHECK(operation && a && b && c && d);
  GUDA_CUBLAS_CHECK(is_compute_type(operation->compute) && is_op(operation->transa) &&
                    is_op(operation->transb) && operation->scalar_mode >= kHostScalars &&
                    operation->scalar_mode <= kAlphaVectorBetaHost);
  if (operation->transc != kN || operation->fill != kFull) return kNotSupported;
  *out = {*operation, *a, *b, *c, *d, 0, 0, 0, d->type, d->type};
  if (Result result = check_shapes(*out)) return result;
  if (Result result = check_types(*out)) return result;
  if (Result result = check_epilogue(*out)) return result;
  if (Result result = check_scales(*out)) return result;
  GUDA_CUBLAS_CHECK(operation->scalar_mode != kAlphaVectorBetaZero || operation->alpha_stride == 0);
  return kSuccess;
}

}  // namespace guda::cublas::lt
