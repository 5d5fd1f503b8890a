// The semi-opaque structures of cublasLt.h. Programs may keep them on their own stack, in the sizes of the
// generation that they were built with: 64 bytes for most, 184 for the matmul descriptor of CUDA 11.
#pragma once

#include "abi/cublas/types.h"

namespace guda::cublas::lt {

enum Order : int { kColumn = 0, kRow = 1, kCol32 = 2, kCol4_4R2_8C = 3, kCol32_2R_4R4 = 4 };
enum BatchMode : int { kStrided = 0, kPointerArray = 1 };

enum ScalarMode : int {
  kHostScalars = 0,
  kDeviceScalars = 1,
  kDeviceVectors = 2,
  kAlphaVectorBetaZero = 3,
  kAlphaVectorBetaHost = 4,
};

/// cublasLtEpilogue_t is a set of these.
enum EpiloguePart : unsigned {
  kDefault = 1,
  kRelu = 2,
  kBias = 4,
  kReluGradient = 8,
  kBiasGradient = 16,
  kGelu = 32,
  kGeluGradient = 64,
  kAuxiliary = 128,
  kBiasGradientA = 256,
  kBiasGradientB = 512,
};

struct Layout {
  uint64_t rows, columns;
  int64_t ld;
  int64_t batch_stride = 0;
  int64_t plane_offset = 0;
  DataType type;
  Order order = kColumn;
  int32_t batch_count = 1;
  BatchMode batch_mode = kStrided;
};
static_assert(sizeof(Layout) <= 64);

struct MatmulDescriptor {
  const void* bias = nullptr;  // output for gradients
  int64_t bias_stride = 0;
  void* auxiliary = nullptr;
  int64_t auxiliary_ld = 0;
  int64_t auxiliary_stride = 0;
  int64_t alpha_stride = 0;
  const float* a_scale = nullptr;
  const float* b_scale = nullptr;
  const float* c_scale = nullptr;
  const float* d_scale = nullptr;
  float* d_amax = nullptr;
  const float* auxiliary_scale = nullptr;
  float* auxiliary_amax = nullptr;
  void* d_out_scale = nullptr;
  void* emulation = nullptr;
  ComputeType compute;
  DataType scale_type;
  ScalarMode scalar_mode = kHostScalars;
  Op transa = kN, transb = kN, transc = kN;
  Fill fill = kFull;
  int32_t epilogue = kDefault;
  int32_t multiprocessor_target = 0;
  int32_t auxiliary_type = -1;
  int32_t bias_type = -1;
  int8_t fast_accumulation = 0;
  int8_t a_scale_mode = 0, b_scale_mode = 0, c_scale_mode = 0, d_scale_mode = 0;
  int8_t auxiliary_scale_mode = 0, d_out_scale_mode = 0;
};
static_assert(sizeof(MatmulDescriptor) <= 184);

struct TransformDescriptor {
  DataType scale_type;
  ScalarMode scalar_mode = kHostScalars;
  Op transa = kN, transb = kN;
};

struct Preference {
  uint64_t workspace_bytes = 0;
  uint64_t implementations = ~uint64_t{0};
  uint32_t search_mode = 0;
  uint32_t reduction_schemes = 7;
  uint32_t alignment_a = 256, alignment_b = 256, alignment_c = 256, alignment_d = 256;
  float most_waves = 0;
};
static_assert(sizeof(Preference) <= 64);

struct EmulationDescriptor {
  int32_t* mantissa_bit_count = nullptr;
  int32_t strategy = 0;
  int32_t special_values = 0xffff;
  int32_t mantissa_control = 0;
  int32_t most_mantissa_bits = 0;
  int32_t mantissa_bit_offset = 0;
};

/// There is one algorithm. Its settings are kept for reading back; those that make sense on other machines
/// only change nothing.
struct Algorithm {
  static constexpr uint32_t kMagic = 0x4741;
  uint32_t magic = kMagic;
  int32_t id = 0;
  uint32_t tile = 0;
  int32_t split_k = 1;
  uint32_t reduction_scheme = 0;
  uint32_t swizzling = 0;
  uint32_t custom_option = 0;
  uint32_t stages = 0;
  uint16_t inner_shape = 0;
  uint16_t cluster_shape = 0;
  ComputeType compute = kCompute32F;
};
static_assert(sizeof(Algorithm) <= 64);

struct HeuristicResult {
  alignas(8) std::byte algorithm[64];
  size_t workspace_bytes;
  Result state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(HeuristicResult) == 64 + 8 + 4 + 4 + 16);

}  // namespace guda::cublas::lt
