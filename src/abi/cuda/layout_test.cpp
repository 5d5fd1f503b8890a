// types.h against the toolkit's own declarations. Built only where the toolkit is.
#include "abi/cuda/types.h"

#include "abi/cudart/types.h"

#include <cuda.h>
#include <gtest/gtest.h>

namespace own = guda::cuda;
namespace runtime_own = guda::cudart;

// NOLINTBEGIN(bugprone-sizeof-expression): members may be pointers
#define SAME_SIZE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs), #theirs)
#define SAME_MEMBER(ours, theirs, member)                             \
  static_assert(offsetof(ours, member) == offsetof(theirs, member) && \
                    sizeof(ours::member) == sizeof(theirs::member),   \
                #theirs "::" #member)

SAME_SIZE(own::CUdevprop, ::CUdevprop);
SAME_MEMBER(own::CUdevprop, ::CUdevprop, textureAlign);
SAME_SIZE(own::CUctxCreateParams, ::CUctxCreateParams);
SAME_MEMBER(own::CUctxCreateParams, ::CUctxCreateParams, cigParams);

SAME_SIZE(own::CUDA_MEMCPY2D, ::CUDA_MEMCPY2D);
SAME_MEMBER(own::CUDA_MEMCPY2D, ::CUDA_MEMCPY2D, srcMemoryType);
SAME_MEMBER(own::CUDA_MEMCPY2D, ::CUDA_MEMCPY2D, srcPitch);
SAME_MEMBER(own::CUDA_MEMCPY2D, ::CUDA_MEMCPY2D, dstArray);
SAME_MEMBER(own::CUDA_MEMCPY2D, ::CUDA_MEMCPY2D, Height);
SAME_SIZE(own::CUDA_MEMCPY3D, ::CUDA_MEMCPY3D);
SAME_MEMBER(own::CUDA_MEMCPY3D, ::CUDA_MEMCPY3D, srcHeight);
SAME_MEMBER(own::CUDA_MEMCPY3D, ::CUDA_MEMCPY3D, dstMemoryType);
SAME_MEMBER(own::CUDA_MEMCPY3D, ::CUDA_MEMCPY3D, dstDevice);
SAME_MEMBER(own::CUDA_MEMCPY3D, ::CUDA_MEMCPY3D, Depth);
SAME_SIZE(own::CUDA_MEMCPY3D, ::CUDA_MEMCPY3D_PEER);
static_assert(offsetof(own::CUDA_MEMCPY3D, dstHeight) == offsetof(::CUDA_MEMCPY3D_PEER, dstHeight));

SAME_SIZE(own::CUDA_ARRAY_DESCRIPTOR, ::CUDA_ARRAY_DESCRIPTOR);
SAME_MEMBER(own::CUDA_ARRAY_DESCRIPTOR, ::CUDA_ARRAY_DESCRIPTOR, NumChannels);
SAME_SIZE(own::CUDA_ARRAY3D_DESCRIPTOR, ::CUDA_ARRAY3D_DESCRIPTOR);
SAME_MEMBER(own::CUDA_ARRAY3D_DESCRIPTOR, ::CUDA_ARRAY3D_DESCRIPTOR, Flags);

SAME_SIZE(own::CUDA_RESOURCE_DESC, ::CUDA_RESOURCE_DESC);
SAME_MEMBER(own::CUDA_RESOURCE_DESC, ::CUDA_RESOURCE_DESC, res.linear.sizeInBytes);
SAME_MEMBER(own::CUDA_RESOURCE_DESC, ::CUDA_RESOURCE_DESC, res.pitch2D.pitchInBytes);
SAME_MEMBER(own::CUDA_RESOURCE_DESC, ::CUDA_RESOURCE_DESC, flags);
SAME_SIZE(own::CUDA_TEXTURE_DESC, ::CUDA_TEXTURE_DESC);
SAME_MEMBER(own::CUDA_TEXTURE_DESC, ::CUDA_TEXTURE_DESC, mipmapFilterMode);
SAME_MEMBER(own::CUDA_TEXTURE_DESC, ::CUDA_TEXTURE_DESC, borderColor);

SAME_SIZE(own::CUmemAllocationProp, ::CUmemAllocationProp);
SAME_MEMBER(own::CUmemAllocationProp, ::CUmemAllocationProp, location);
SAME_MEMBER(own::CUmemAllocationProp, ::CUmemAllocationProp, win32HandleMetaData);
SAME_MEMBER(own::CUmemAllocationProp, ::CUmemAllocationProp, allocFlags.usage);

SAME_SIZE(own::CUlaunchConfig, ::CUlaunchConfig);
SAME_MEMBER(own::CUlaunchConfig, ::CUlaunchConfig, hStream);
SAME_MEMBER(own::CUlaunchConfig, ::CUlaunchConfig, numAttrs);
SAME_SIZE(own::CUDA_KERNEL_NODE_PARAMS_v1, ::CUDA_KERNEL_NODE_PARAMS_v1);
SAME_SIZE(own::CUDA_KERNEL_NODE_PARAMS, ::CUDA_KERNEL_NODE_PARAMS);
static_assert(sizeof(own::CUDA_KERNEL_NODE_PARAMS_v1) == offsetof(::CUDA_KERNEL_NODE_PARAMS, kern));

// Where functions of the runtime API do the work, its structures are the driver's.
SAME_SIZE(runtime_own::cudaMemLocation, ::CUmemLocation);
SAME_SIZE(runtime_own::cudaMemAccessDesc, ::CUmemAccessDesc);
SAME_SIZE(runtime_own::cudaMemPoolProps, ::CUmemPoolProps);
SAME_SIZE(runtime_own::cudaMemPoolPtrExportData, ::CUmemPoolPtrExportData);
SAME_MEMBER(runtime_own::cudaMemPoolProps, ::CUmemPoolProps, maxSize);
SAME_SIZE(runtime_own::cudaLaunchAttribute, ::CUlaunchAttribute);
SAME_SIZE(runtime_own::cudaMemsetParams, ::CUDA_MEMSET_NODE_PARAMS);
SAME_SIZE(runtime_own::cudaHostNodeParams, ::CUDA_HOST_NODE_PARAMS);
SAME_SIZE(runtime_own::cudaMemAllocNodeParams, ::CUDA_MEM_ALLOC_NODE_PARAMS);
SAME_SIZE(runtime_own::cudaGraphEdgeData, ::CUgraphEdgeData);
SAME_SIZE(runtime_own::cudaGraphInstantiateParams, ::CUDA_GRAPH_INSTANTIATE_PARAMS);
SAME_SIZE(runtime_own::cudaGraphExecUpdateResultInfo, ::CUgraphExecUpdateResultInfo);
SAME_SIZE(runtime_own::cudaMemcpyAttributes, ::CUmemcpyAttributes);
SAME_SIZE(runtime_own::cudaMemcpy3DBatchOp, ::CUDA_MEMCPY3D_BATCH_OP);
SAME_SIZE(runtime_own::cudaResourceDesc, ::CUDA_RESOURCE_DESC);
SAME_SIZE(runtime_own::cudaResourceViewDesc, ::CUDA_RESOURCE_VIEW_DESC);
SAME_SIZE(runtime_own::cudaIpcHandle, ::CUipcMemHandle);
SAME_SIZE(runtime_own::cudaIpcHandle, ::CUipcEventHandle);
// NOLINTEND(bugprone-sizeof-expression)

TEST(DriverLayout, EnumeratorsHaveTheToolkitsValues) {
  EXPECT_EQ(own::kMemoryHost, static_cast<int>(CU_MEMORYTYPE_HOST));
  EXPECT_EQ(own::kMemoryUnified, static_cast<int>(CU_MEMORYTYPE_UNIFIED));
  EXPECT_EQ(own::kFormatHalf, static_cast<int>(CU_AD_FORMAT_HALF));
  EXPECT_EQ(own::kFormatSigned32, static_cast<int>(CU_AD_FORMAT_SIGNED_INT32));
  EXPECT_EQ(own::kResourcePitch2D, static_cast<int>(CU_RESOURCE_TYPE_PITCH2D));
  EXPECT_EQ(own::kTextureReadAsInteger, unsigned{CU_TRSF_READ_AS_INTEGER});
  EXPECT_EQ(own::kTextureNormalizedCoordinates, unsigned{CU_TRSF_NORMALIZED_COORDINATES});
  EXPECT_EQ(own::kTextureSrgb, unsigned{CU_TRSF_SRGB});
  EXPECT_EQ(own::kTextureNoTrilinearOptimization, unsigned{CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION});
  EXPECT_EQ(own::kTextureSeamlessCubemap, unsigned{CU_TRSF_SEAMLESS_CUBEMAP});
  EXPECT_EQ(own::kLaunchParamBuffer, reinterpret_cast<uintptr_t>(CU_LAUNCH_PARAM_BUFFER_POINTER));
  EXPECT_EQ(own::kLaunchParamBufferSize, reinterpret_cast<uintptr_t>(CU_LAUNCH_PARAM_BUFFER_SIZE));
  EXPECT_EQ(runtime_own::cudaLaunchAttributeCooperative,
            static_cast<int>(CU_LAUNCH_ATTRIBUTE_COOPERATIVE));
}
