// Our declarations against NVIDIA's header.
#include "backends/cuda/driver_api.h"
#include "backends/texture_description.h"

#include <cuda.h>
#include <gtest/gtest.h>

#include <cstddef>

namespace guda::backend::cuda {
namespace {

TEST(CudaDriverLayout, StructuresAreThoseOfTheHeader) {
  EXPECT_EQ(sizeof(AllocationProperties), sizeof(CUmemAllocationProp));
  EXPECT_EQ(offsetof(AllocationProperties, location), offsetof(CUmemAllocationProp, location));
  EXPECT_EQ(offsetof(AllocationProperties, compression), offsetof(CUmemAllocationProp, allocFlags));
  EXPECT_EQ(sizeof(AccessDescription), sizeof(CUmemAccessDesc));
  EXPECT_EQ(offsetof(AccessDescription, flags), offsetof(CUmemAccessDesc, flags));
  EXPECT_EQ(sizeof(LaunchAttribute), sizeof(CUlaunchAttribute));
  EXPECT_EQ(offsetof(LaunchAttribute, value), offsetof(CUlaunchAttribute, value));
  EXPECT_EQ(sizeof(LaunchConfig), sizeof(CUlaunchConfig));
  EXPECT_EQ(offsetof(LaunchConfig, stream), offsetof(CUlaunchConfig, hStream));
  EXPECT_EQ(offsetof(LaunchConfig, attributes), offsetof(CUlaunchConfig, attrs));
  EXPECT_EQ(offsetof(LaunchConfig, attribute_count), offsetof(CUlaunchConfig, numAttrs));
}

TEST(CudaDriverLayout, DescriptorsOfTexturesAreThoseOfTheHeader) {
  EXPECT_EQ(sizeof(ArrayDescriptor), sizeof(CUDA_ARRAY3D_DESCRIPTOR));
  EXPECT_EQ(offsetof(ArrayDescriptor, format), offsetof(CUDA_ARRAY3D_DESCRIPTOR, Format));
  EXPECT_EQ(offsetof(ArrayDescriptor, flags), offsetof(CUDA_ARRAY3D_DESCRIPTOR, Flags));
  EXPECT_EQ(sizeof(ResourceDescriptor), sizeof(CUDA_RESOURCE_DESC));
  EXPECT_EQ(offsetof(ResourceDescriptor, of.array.handle),
            offsetof(CUDA_RESOURCE_DESC, res.array.hArray));
  EXPECT_EQ(offsetof(ResourceDescriptor, of.linear.bytes),
            offsetof(CUDA_RESOURCE_DESC, res.linear.sizeInBytes));
  EXPECT_EQ(offsetof(ResourceDescriptor, of.pitched.channels),
            offsetof(CUDA_RESOURCE_DESC, res.pitch2D.numChannels));
  EXPECT_EQ(offsetof(ResourceDescriptor, of.pitched.pitch),
            offsetof(CUDA_RESOURCE_DESC, res.pitch2D.pitchInBytes));
  EXPECT_EQ(offsetof(ResourceDescriptor, flags), offsetof(CUDA_RESOURCE_DESC, flags));
  EXPECT_EQ(sizeof(TextureDescriptor), sizeof(CUDA_TEXTURE_DESC));
  EXPECT_EQ(offsetof(TextureDescriptor, flags), offsetof(CUDA_TEXTURE_DESC, flags));
  EXPECT_EQ(offsetof(TextureDescriptor, mipmap_level_bias),
            offsetof(CUDA_TEXTURE_DESC, mipmapLevelBias));
  EXPECT_EQ(offsetof(TextureDescriptor, border_color), offsetof(CUDA_TEXTURE_DESC, borderColor));
  EXPECT_EQ(sizeof(ResourceViewDescriptor), sizeof(CUDA_RESOURCE_VIEW_DESC));
  EXPECT_EQ(offsetof(ResourceViewDescriptor, first_level),
            offsetof(CUDA_RESOURCE_VIEW_DESC, firstMipmapLevel));
  EXPECT_EQ(offsetof(ResourceViewDescriptor, last_layer),
            offsetof(CUDA_RESOURCE_VIEW_DESC, lastLayer));
  EXPECT_EQ(sizeof(Copy3D), sizeof(CUDA_MEMCPY3D));
  EXPECT_EQ(offsetof(Copy3D, from.device), offsetof(CUDA_MEMCPY3D, srcDevice));
  EXPECT_EQ(offsetof(Copy3D, from.array), offsetof(CUDA_MEMCPY3D, srcArray));
  EXPECT_EQ(offsetof(Copy3D, from.height), offsetof(CUDA_MEMCPY3D, srcHeight));
  EXPECT_EQ(offsetof(Copy3D, to.memory_type), offsetof(CUDA_MEMCPY3D, dstMemoryType));
  EXPECT_EQ(offsetof(Copy3D, to.pitch), offsetof(CUDA_MEMCPY3D, dstPitch));
  EXPECT_EQ(offsetof(Copy3D, width_bytes), offsetof(CUDA_MEMCPY3D, WidthInBytes));
  EXPECT_EQ(sizeof(TextureHandle), sizeof(CUtexObject));
}

TEST(CudaDriverLayout, ConstantsOfTexturesAreThoseOfTheHeader) {
  EXPECT_EQ(kFormatU8, CU_AD_FORMAT_UNSIGNED_INT8);
  EXPECT_EQ(kFormatU16, CU_AD_FORMAT_UNSIGNED_INT16);
  EXPECT_EQ(kFormatU32, CU_AD_FORMAT_UNSIGNED_INT32);
  EXPECT_EQ(kFormatS8, CU_AD_FORMAT_SIGNED_INT8);
  EXPECT_EQ(kFormatS16, CU_AD_FORMAT_SIGNED_INT16);
  EXPECT_EQ(kFormatS32, CU_AD_FORMAT_SIGNED_INT32);
  EXPECT_EQ(kFormatF16, CU_AD_FORMAT_HALF);
  EXPECT_EQ(kFormatF32, CU_AD_FORMAT_FLOAT);
  EXPECT_EQ(kResourceArray, CU_RESOURCE_TYPE_ARRAY);
  EXPECT_EQ(kResourceMipmapped, CU_RESOURCE_TYPE_MIPMAPPED_ARRAY);
  EXPECT_EQ(kResourceLinear, CU_RESOURCE_TYPE_LINEAR);
  EXPECT_EQ(kResourcePitched, CU_RESOURCE_TYPE_PITCH2D);
  EXPECT_EQ(kReadAsInteger, static_cast<unsigned>(CU_TRSF_READ_AS_INTEGER));
  EXPECT_EQ(kNormalizedCoordinates, static_cast<unsigned>(CU_TRSF_NORMALIZED_COORDINATES));
  EXPECT_EQ(kSrgb, static_cast<unsigned>(CU_TRSF_SRGB));
  EXPECT_EQ(kNoTrilinearOptimization,
            static_cast<unsigned>(CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION));
  EXPECT_EQ(kSeamlessCubemap, static_cast<unsigned>(CU_TRSF_SEAMLESS_CUBEMAP));
  EXPECT_EQ(kMemoryDevice, CU_MEMORYTYPE_DEVICE);
  EXPECT_EQ(kMemoryArray, CU_MEMORYTYPE_ARRAY);
  EXPECT_EQ(static_cast<int>(TexelAddressMode::wrap), CU_TR_ADDRESS_MODE_WRAP);
  EXPECT_EQ(static_cast<int>(TexelAddressMode::clamp), CU_TR_ADDRESS_MODE_CLAMP);
  EXPECT_EQ(static_cast<int>(TexelAddressMode::mirror), CU_TR_ADDRESS_MODE_MIRROR);
  EXPECT_EQ(static_cast<int>(TexelAddressMode::border), CU_TR_ADDRESS_MODE_BORDER);
  EXPECT_EQ(CUDA_ARRAY3D_LAYERED, 1);
  EXPECT_EQ(CUDA_ARRAY3D_SURFACE_LDST, 2);
  EXPECT_EQ(CUDA_ARRAY3D_CUBEMAP, 4);
  EXPECT_EQ(CUDA_ARRAY3D_TEXTURE_GATHER, 8);
}

TEST(CudaDriverLayout, ConstantsAreThoseOfTheHeader) {
  AllocationProperties properties;
  EXPECT_EQ(properties.type, CU_MEM_ALLOCATION_TYPE_PINNED);
  EXPECT_EQ(properties.location.type, CU_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(AccessDescription{}.flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  EXPECT_EQ(kLaunchAttributeCooperative, CU_LAUNCH_ATTRIBUTE_COOPERATIVE);
  EXPECT_EQ(kLaunchAttributeCluster, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
  EXPECT_EQ(offsetof(LaunchAttribute, value.cluster),
            offsetof(CUlaunchAttribute, value.clusterDim));
  EXPECT_EQ(kStreamNonBlocking, static_cast<unsigned>(CU_STREAM_NON_BLOCKING));
  EXPECT_EQ(kMinimumGranularity, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
  EXPECT_EQ(kJitErrorLogBuffer, CU_JIT_ERROR_LOG_BUFFER);
  EXPECT_EQ(kJitErrorLogBufferSize, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  EXPECT_EQ(kFunctionStaticShared, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
  EXPECT_EQ(kFunctionMaxDynamicShared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  EXPECT_EQ(kFunctionMaxThreads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  EXPECT_EQ(kFunctionConstant, CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES);
  EXPECT_EQ(kFunctionLocal, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
  EXPECT_EQ(kFunctionRegisters, CU_FUNC_ATTRIBUTE_NUM_REGS);
  EXPECT_EQ(kFunctionPtxVersion, CU_FUNC_ATTRIBUTE_PTX_VERSION);
  EXPECT_EQ(kFunctionClusterWidth, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH);
  EXPECT_EQ(kFunctionClusterWidth + 2, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH);
  EXPECT_EQ(kFunctionNonPortableCluster, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
  EXPECT_EQ(kPointerIsManaged, CU_POINTER_ATTRIBUTE_IS_MANAGED);
  EXPECT_EQ(kAttributeMultiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  EXPECT_EQ(kAttributeVirtualMemory, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
  EXPECT_EQ(reinterpret_cast<void*>(kLaunchParamBuffer), CU_LAUNCH_PARAM_BUFFER_POINTER);
  EXPECT_EQ(reinterpret_cast<void*>(kLaunchParamBufferSize), CU_LAUNCH_PARAM_BUFFER_SIZE);
  EXPECT_EQ(reinterpret_cast<void*>(kLaunchParamEnd), CU_LAUNCH_PARAM_END);
}

}  // namespace
}  // namespace guda::backend::cuda
