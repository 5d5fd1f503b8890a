// Algorithms and heuristics: there is one algorithm, it needs no workspace, and its settings may be
// anything.
#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/lt/attributes.h"
#include "abi/cublas/lt/matmul.h"
#include "abi/cublas/product.h"

#include <cstring>

namespace guda::cublas::lt {
namespace {

constexpr int kAlgorithmId = 0;

constexpr Attribute kConfiguration[] = {
    GUDA_LT_ATTRIBUTE(0, Algorithm, id),
    GUDA_LT_ATTRIBUTE(1, Algorithm, tile),
    GUDA_LT_ATTRIBUTE(2, Algorithm, split_k),
    GUDA_LT_ATTRIBUTE(3, Algorithm, reduction_scheme),
    GUDA_LT_ATTRIBUTE(4, Algorithm, swizzling),
    GUDA_LT_ATTRIBUTE(5, Algorithm, custom_option),
    GUDA_LT_ATTRIBUTE(6, Algorithm, stages),
    GUDA_LT_ATTRIBUTE(7, Algorithm, inner_shape),
    GUDA_LT_ATTRIBUTE(8, Algorithm, cluster_shape),
};

/// What can be asked of an algorithm.
struct Capabilities {
  int32_t split_k = 0;
  uint32_t reduction_schemes = 0;
  uint32_t swizzling = 0;
  int32_t strided_batch = 1;
  int32_t out_of_place = 1;
  int32_t triangles = 0;
  uint32_t tile = 0;  // the lists of tiles and stages: "undefined" alone
  int32_t custom_options = 0;
  int32_t custom_orders = 1;
  uint32_t scalar_modes = 31;
  uint32_t epilogues = 0x3ff;
  uint32_t stages = 0;
  int32_t negative_ld = 0;
  uint64_t numerical = 0;
  uint32_t alignment_a = 1, alignment_b = 1, alignment_c = 1, alignment_d = 1;
  int32_t pointer_array_batch = 1;
  int32_t emulation = 0;
};
constexpr Attribute kCapabilities[] = {
    GUDA_LT_ATTRIBUTE(0, Capabilities, split_k),
    GUDA_LT_ATTRIBUTE(1, Capabilities, reduction_schemes),
    GUDA_LT_ATTRIBUTE(2, Capabilities, swizzling),
    GUDA_LT_ATTRIBUTE(3, Capabilities, strided_batch),
    GUDA_LT_ATTRIBUTE(4, Capabilities, out_of_place),
    GUDA_LT_ATTRIBUTE(5, Capabilities, triangles),
    GUDA_LT_ATTRIBUTE(6, Capabilities, tile),
    GUDA_LT_ATTRIBUTE(7, Capabilities, custom_options),
    GUDA_LT_ATTRIBUTE(10, Capabilities, custom_orders),
    GUDA_LT_ATTRIBUTE(11, Capabilities, scalar_modes),
    GUDA_LT_ATTRIBUTE(12, Capabilities, epilogues),
    GUDA_LT_ATTRIBUTE(13, Capabilities, stages),
    GUDA_LT_ATTRIBUTE(14, Capabilities, negative_ld),
    GUDA_LT_ATTRIBUTE(15, Capabilities, numerical),
    GUDA_LT_ATTRIBUTE(16, Capabilities, alignment_a),
    GUDA_LT_ATTRIBUTE(17, Capabilities, alignment_b),
    GUDA_LT_ATTRIBUTE(18, Capabilities, alignment_c),
    GUDA_LT_ATTRIBUTE(19, Capabilities, alignment_d),
    GUDA_LT_ATTRIBUTE(21, Capabilities, pointer_array_batch),
    GUDA_LT_ATTRIBUTE(22, Capabilities, emulation),
};

/// CUBLASLT_NUMERICAL_IMPL_FLAGS: fused multiply-add with sums of the given type.
uint64_t numerical_flags(ComputeType compute) {
  uint64_t sums = 2;
  if (compute == kCompute64F || compute == kCompute64FPedantic) sums = 4;
  if (compute == kCompute32I || compute == kCompute32IPedantic) sums = 8;
  return 1 | sums << 8;
}

bool valid_algorithm(const Algorithm* algorithm) {
  return algorithm && algorithm->magic == Algorithm::kMagic;
}

/// Whether some matmul has these types, whatever its shape.
Result check_types(ComputeType compute, DataType scale, DataType a, DataType b, DataType c,
                   DataType d) {
  MatmulDescriptor operation{};
  operation.compute = compute;
  operation.scale_type = scale;
  operation.transa = kT;
  Layout square{};
  square.rows = square.columns = square.ld = 16;
  Layout layouts[4] = {square, square, square, square};
  DataType types[4] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) layouts[i].type = types[i];
  Problem problem;
  return make_problem(&operation, &layouts[0], &layouts[1], &layouts[2], &layouts[3], &problem);
}

Result get_ids(Handle* handle, ComputeType compute, DataType scale, DataType a, DataType b,
               DataType c, DataType d, int requested, int* ids, int* returned) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(requested > 0 && ids && returned);
  *returned = 0;
  if (Result result = check_types(compute, scale, a, b, c, d)) return result;
  ids[0] = kAlgorithmId;
  *returned = 1;
  return kSuccess;
}

Result algorithm_init(Handle* handle, ComputeType compute, DataType scale, DataType a, DataType b,
                      DataType c, DataType d, int id, Algorithm* out) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(out && id == kAlgorithmId);
  if (Result result = check_types(compute, scale, a, b, c, d)) return result;
  *out = Algorithm();
  out->compute = compute;
  return kSuccess;
}

void fill(HeuristicResult* result, const Algorithm& algorithm) {
  std::memset(result->algorithm, 0, sizeof result->algorithm);
  std::memcpy(result->algorithm, &algorithm, sizeof algorithm);
  result->workspace_bytes = 0;
  result->state = kSuccess;
  result->waves = 1.0f;
}

Result algorithm_check(Handle* handle, const MatmulDescriptor* operation, const Layout* a,
                       const Layout* b, const Layout* c, const Layout* d,
                       const Algorithm* algorithm, HeuristicResult* result) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(valid_algorithm(algorithm) && result);
  Problem problem;
  if (Result status = make_problem(operation, a, b, c, d, &problem)) return status;
  result->workspace_bytes = 0;
  result->state = kSuccess;
  result->waves = 1.0f;
  return kSuccess;
}

Result get_heuristic(Handle* handle, const MatmulDescriptor* operation, const Layout* a,
                     const Layout* b, const Layout* c, const Layout* d,
                     const Preference* preference, int requested, HeuristicResult* results,
                     int* returned) {
  GUDA_CUBLAS_HANDLE(handle);
  GUDA_CUBLAS_CHECK(preference && requested > 0 && results && returned);
  Problem problem;
  // Pointers in the descriptor are often set after the query.
  MatmulDescriptor queried{};
  if (operation) {
    queried = *operation;
    if (!queried.bias) queried.bias = &queried;
    if (!queried.auxiliary) queried.auxiliary = &queried;
    if (queried.auxiliary_ld == 0 && d)
      queried.auxiliary_ld = static_cast<int64_t>((d->rows + 127) / 128 * 128);
  }
  if (Result result = make_problem(operation ? &queried : nullptr, a, b, c, d, &problem)) {
    // A refused argument leaves the count as it was, as in cuBLAS.
    if (result == kNotSupported) *returned = 0;
    return result;
  }
  Algorithm algorithm;
  algorithm.compute = operation->compute;
  fill(&results[0], algorithm);
  *returned = 1;
  return kSuccess;
}

Result get_capability(const Algorithm* algorithm, int id, void* value, size_t size,
                      size_t* written) {
  GUDA_CUBLAS_CHECK(valid_algorithm(algorithm));
  Capabilities capabilities;
  capabilities.numerical = numerical_flags(algorithm->compute);
  return get_attribute(&capabilities, kCapabilities, id, value, size, written);
}

Result set_configuration(Algorithm* algorithm, int id, const void* value, size_t size) {
  GUDA_CUBLAS_CHECK(valid_algorithm(algorithm) && id != 0);  // the id is read-only
  return set_attribute(algorithm, kConfiguration, id, value, size);
}

Result get_configuration(const Algorithm* algorithm, int id, void* value, size_t size,
                         size_t* written) {
  GUDA_CUBLAS_CHECK(valid_algorithm(algorithm));
  return get_attribute(algorithm, kConfiguration, id, value, size, written);
}

GUDA_ENTRY(cublasLtMatmulAlgoGetIds, get_ids);
GUDA_ENTRY(cublasLtMatmulAlgoInit, algorithm_init);
GUDA_ENTRY(cublasLtMatmulAlgoCheck, algorithm_check);
GUDA_ENTRY(cublasLtMatmulAlgoGetHeuristic, get_heuristic);
GUDA_ENTRY(cublasLtMatmulAlgoCapGetAttribute, get_capability);
GUDA_ENTRY(cublasLtMatmulAlgoConfigSetAttribute, set_configuration);
GUDA_ENTRY(cublasLtMatmulAlgoConfigGetAttribute, get_configuration);

}  // namespace
}  // namespace guda::cublas::lt
