// Descriptors of cublasLt: made, changed, read, forgotten.
#include "abi/cublas/lt/descriptors.h"

#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"
#include "abi/cublas/lt/attributes.h"

namespace guda::cublas::lt {
namespace {

constexpr Attribute kLayoutAttributes[] = {
    GUDA_LT_ATTRIBUTE(0, Layout, type),         GUDA_LT_ATTRIBUTE(1, Layout, order),
    GUDA_LT_ATTRIBUTE(2, Layout, rows),         GUDA_LT_ATTRIBUTE(3, Layout, columns),
    GUDA_LT_ATTRIBUTE(4, Layout, ld),           GUDA_LT_ATTRIBUTE(5, Layout, batch_count),
    GUDA_LT_ATTRIBUTE(6, Layout, batch_stride), GUDA_LT_ATTRIBUTE(7, Layout, plane_offset),
    GUDA_LT_ATTRIBUTE(8, Layout, batch_mode),
};

constexpr Attribute kMatmulAttributes[] = {
    GUDA_LT_ATTRIBUTE(0, MatmulDescriptor, compute),
    GUDA_LT_ATTRIBUTE(1, MatmulDescriptor, scale_type),
    GUDA_LT_ATTRIBUTE(2, MatmulDescriptor, scalar_mode),
    GUDA_LT_ATTRIBUTE(3, MatmulDescriptor, transa),
    GUDA_LT_ATTRIBUTE(4, MatmulDescriptor, transb),
    GUDA_LT_ATTRIBUTE(5, MatmulDescriptor, transc),
    GUDA_LT_ATTRIBUTE(6, MatmulDescriptor, fill),
    GUDA_LT_ATTRIBUTE(7, MatmulDescriptor, epilogue),
    GUDA_LT_ATTRIBUTE(8, MatmulDescriptor, bias),
    GUDA_LT_ATTRIBUTE(10, MatmulDescriptor, bias_stride),
    GUDA_LT_ATTRIBUTE(11, MatmulDescriptor, auxiliary),
    GUDA_LT_ATTRIBUTE(12, MatmulDescriptor, auxiliary_ld),
    GUDA_LT_ATTRIBUTE(13, MatmulDescriptor, auxiliary_stride),
    GUDA_LT_ATTRIBUTE(14, MatmulDescriptor, alpha_stride),
    GUDA_LT_ATTRIBUTE(15, MatmulDescriptor, multiprocessor_target),
    GUDA_LT_ATTRIBUTE(17, MatmulDescriptor, a_scale),
    GUDA_LT_ATTRIBUTE(18, MatmulDescriptor, b_scale),
    GUDA_LT_ATTRIBUTE(19, MatmulDescriptor, c_scale),
    GUDA_LT_ATTRIBUTE(20, MatmulDescriptor, d_scale),
    GUDA_LT_ATTRIBUTE(21, MatmulDescriptor, d_amax),
    GUDA_LT_ATTRIBUTE(22, MatmulDescriptor, auxiliary_type),
    GUDA_LT_ATTRIBUTE(23, MatmulDescriptor, auxiliary_scale),
    GUDA_LT_ATTRIBUTE(24, MatmulDescriptor, auxiliary_amax),
    GUDA_LT_ATTRIBUTE(25, MatmulDescriptor, fast_accumulation),
    GUDA_LT_ATTRIBUTE(26, MatmulDescriptor, bias_type),
    GUDA_LT_SMALL_ATTRIBUTE(31, MatmulDescriptor, a_scale_mode),
    GUDA_LT_SMALL_ATTRIBUTE(32, MatmulDescriptor, b_scale_mode),
    GUDA_LT_SMALL_ATTRIBUTE(33, MatmulDescriptor, c_scale_mode),
    GUDA_LT_SMALL_ATTRIBUTE(34, MatmulDescriptor, d_scale_mode),
    GUDA_LT_SMALL_ATTRIBUTE(35, MatmulDescriptor, auxiliary_scale_mode),
    GUDA_LT_ATTRIBUTE(36, MatmulDescriptor, d_out_scale),
    GUDA_LT_SMALL_ATTRIBUTE(37, MatmulDescriptor, d_out_scale_mode),
    GUDA_LT_ATTRIBUTE(38, MatmulDescriptor, emulation),
};

constexpr Attribute kTransformAttributes[] = {
    GUDA_LT_ATTRIBUTE(0, TransformDescriptor, scale_type),
    GUDA_LT_ATTRIBUTE(1, TransformDescriptor, scalar_mode),
    GUDA_LT_ATTRIBUTE(2, TransformDescriptor, transa),
    GUDA_LT_ATTRIBUTE(3, TransformDescriptor, transb),
};

constexpr Attribute kPreferenceAttributes[] = {
    GUDA_LT_ATTRIBUTE(0, Preference, search_mode),
    GUDA_LT_ATTRIBUTE(1, Preference, workspace_bytes),
    GUDA_LT_ATTRIBUTE(3, Preference, reduction_schemes),
    GUDA_LT_ATTRIBUTE(5, Preference, alignment_a),
    GUDA_LT_ATTRIBUTE(6, Preference, alignment_b),
    GUDA_LT_ATTRIBUTE(7, Preference, alignment_c),
    GUDA_LT_ATTRIBUTE(8, Preference, alignment_d),
    GUDA_LT_ATTRIBUTE(9, Preference, most_waves),
    GUDA_LT_ATTRIBUTE(12, Preference, implementations),
};

constexpr Attribute kEmulationAttributes[] = {
    GUDA_LT_ATTRIBUTE(0, EmulationDescriptor, strategy),
    GUDA_LT_ATTRIBUTE(1, EmulationDescriptor, special_values),
    GUDA_LT_ATTRIBUTE(2, EmulationDescriptor, mantissa_control),
    GUDA_LT_ATTRIBUTE(3, EmulationDescriptor, most_mantissa_bits),
    GUDA_LT_ATTRIBUTE(4, EmulationDescriptor, mantissa_bit_offset),
    GUDA_LT_ATTRIBUTE(5, EmulationDescriptor, mantissa_bit_count),
};

template <class T>
struct AttributesOf;
#define GUDA_LT_TABLE(T, name)                                \
  template <>                                                 \
  struct AttributesOf<T> {                                    \
    static constexpr std::span<const Attribute> table = name; \
  }
GUDA_LT_TABLE(Layout, kLayoutAttributes);
GUDA_LT_TABLE(MatmulDescriptor, kMatmulAttributes);
GUDA_LT_TABLE(TransformDescriptor, kTransformAttributes);
GUDA_LT_TABLE(Preference, kPreferenceAttributes);
GUDA_LT_TABLE(EmulationDescriptor, kEmulationAttributes);

template <class T>
Result set(T* descriptor, int id, const void* value, size_t size) {
  return set_attribute(descriptor, AttributesOf<T>::table, id, value, size);
}
template <class T>
Result get(const T* descriptor, int id, void* value, size_t size, size_t* written) {
  return get_attribute(descriptor, AttributesOf<T>::table, id, value, size, written);
}

/// In memory of the program's.
template <class T, class... Values>
Result init(T* place, size_t size, Values... values) {
  GUDA_CUBLAS_CHECK(place);
  if (size < sizeof(T)) return kAllocFailed;
  std::memset(static_cast<void*>(place), 0, size);
  new (place) T(values...);
  return kSuccess;
}

template <class T>
Result destroy(T* descriptor) {
  delete descriptor;
  return kSuccess;
}

Layout layout(DataType type, uint64_t rows, uint64_t columns, int64_t ld) {
  Layout result{};
  result.rows = rows;
  result.columns = columns;
  result.ld = ld;
  result.type = type;
  return result;
}
Result init_layout(Layout* place, size_t size, DataType type, uint64_t rows, uint64_t columns,
                   int64_t ld) {
  return init(place, size, layout(type, rows, columns, ld));
}
Result create_layout(Layout** out, DataType type, uint64_t rows, uint64_t columns, int64_t ld) {
  GUDA_CUBLAS_CHECK(out);
  *out = new Layout(layout(type, rows, columns, ld));
  return kSuccess;
}

MatmulDescriptor matmul(ComputeType compute, DataType scale_type) {
  MatmulDescriptor result{};
  result.compute = compute;
  result.scale_type = scale_type;
  return result;
}
Result init_matmul(MatmulDescriptor* place, size_t size, ComputeType compute, DataType scale_type) {
  return init(place, size, matmul(compute, scale_type));
}
Result create_matmul(MatmulDescriptor** out, ComputeType compute, DataType scale_type) {
  GUDA_CUBLAS_CHECK(out);
  *out = new MatmulDescriptor(matmul(compute, scale_type));
  return kSuccess;
}

Result init_transform(TransformDescriptor* place, size_t size, DataType scale_type) {
  return init(place, size, TransformDescriptor{scale_type});
}
Result create_transform(TransformDescriptor** out, DataType scale_type) {
  GUDA_CUBLAS_CHECK(out);
  *out = new TransformDescriptor{scale_type};
  return kSuccess;
}

template <class T>
Result init_default(T* place, size_t size) {
  return init(place, size, T());
}
template <class T>
Result create_default(T** out) {
  GUDA_CUBLAS_CHECK(out);
  *out = new T();
  return kSuccess;
}

GUDA_ENTRY(cublasLtMatrixLayoutInit_internal, init_layout);
GUDA_ENTRY(cublasLtMatrixLayoutCreate, create_layout);
GUDA_ENTRY(cublasLtMatrixLayoutDestroy, destroy<Layout>);
GUDA_ENTRY(cublasLtMatrixLayoutSetAttribute, set<Layout>);
GUDA_ENTRY(cublasLtMatrixLayoutGetAttribute, get<Layout>);
GUDA_ENTRY(cublasLtMatmulDescInit_internal, init_matmul);
GUDA_ENTRY(cublasLtMatmulDescCreate, create_matmul);
GUDA_ENTRY(cublasLtMatmulDescDestroy, destroy<MatmulDescriptor>);
GUDA_ENTRY(cublasLtMatmulDescSetAttribute, set<MatmulDescriptor>);
GUDA_ENTRY(cublasLtMatmulDescGetAttribute, get<MatmulDescriptor>);
GUDA_ENTRY(cublasLtMatrixTransformDescInit_internal, init_transform);
GUDA_ENTRY(cublasLtMatrixTransformDescCreate, create_transform);
GUDA_ENTRY(cublasLtMatrixTransformDescDestroy, destroy<TransformDescriptor>);
GUDA_ENTRY(cublasLtMatrixTransformDescSetAttribute, set<TransformDescriptor>);
GUDA_ENTRY(cublasLtMatrixTransformDescGetAttribute, get<TransformDescriptor>);
GUDA_ENTRY(cublasLtMatmulPreferenceInit_internal, init_default<Preference>);
GUDA_ENTRY(cublasLtMatmulPreferenceCreate, create_default<Preference>);
GUDA_ENTRY(cublasLtMatmulPreferenceDestroy, destroy<Preference>);
GUDA_ENTRY(cublasLtMatmulPreferenceSetAttribute, set<Preference>);
GUDA_ENTRY(cublasLtMatmulPreferenceGetAttribute, get<Preference>);
GUDA_ENTRY(cublasLtEmulationDescInit_internal, init_default<EmulationDescriptor>);
GUDA_ENTRY(cublasLtEmulationDescCreate, create_default<EmulationDescriptor>);
GUDA_ENTRY(cublasLtEmulationDescDestroy, destroy<EmulationDescriptor>);
GUDA_ENTRY(cublasLtEmulationDescSetAttribute, set<EmulationDescriptor>);
GUDA_ENTRY(cublasLtEmulationDescGetAttribute, get<EmulationDescriptor>);

}  // namespace

std::span<const Attribute> attributes_of(const Layout&) { return kLayoutAttributes; }
std::span<const Attribute> attributes_of(const MatmulDescriptor&) { return kMatmulAttributes; }
std::span<const Attribute> attributes_of(const TransformDescriptor&) {
  return kTransformAttributes;
}

}  // namespace guda::cublas::lt
