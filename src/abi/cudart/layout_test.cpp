// types.h against the toolkit's own declarations. Built only where the toolkit is.
#include "abi/cudart/types.h"

#include "runtime/error.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <string>

namespace own = guda::cudart;

// NOLINTBEGIN(bugprone-sizeof-expression): members may be pointers
#define SAME_SIZE(ours, theirs) static_assert(sizeof(own::ours) == sizeof(theirs), #theirs)
#define SAME_MEMBER(ours, theirs, member)                                  \
  static_assert(offsetof(own::ours, member) == offsetof(theirs, member) && \
                    sizeof(own::ours::member) == sizeof(theirs::member),   \
                #theirs "::" #member)

SAME_SIZE(dim3, ::dim3);
SAME_SIZE(cudaExtent, ::cudaExtent);
SAME_SIZE(cudaPitchedPtr, ::cudaPitchedPtr);
SAME_SIZE(cudaChannelFormatDesc, ::cudaChannelFormatDesc);
SAME_SIZE(cudaMemcpy3DParms, ::cudaMemcpy3DParms);
SAME_MEMBER(cudaMemcpy3DParms, ::cudaMemcpy3DParms, dstArray);
SAME_MEMBER(cudaMemcpy3DParms, ::cudaMemcpy3DParms, dstPtr);
SAME_MEMBER(cudaMemcpy3DParms, ::cudaMemcpy3DParms, extent);
SAME_MEMBER(cudaMemcpy3DParms, ::cudaMemcpy3DParms, kind);
SAME_SIZE(cudaMemcpy3DPeerParms, ::cudaMemcpy3DPeerParms);
SAME_MEMBER(cudaMemcpy3DPeerParms, ::cudaMemcpy3DPeerParms, dstDevice);
SAME_MEMBER(cudaMemcpy3DPeerParms, ::cudaMemcpy3DPeerParms, extent);
SAME_SIZE(cudaFuncAttributes, ::cudaFuncAttributes);
SAME_MEMBER(cudaFuncAttributes, ::cudaFuncAttributes, preferredShmemCarveout);
SAME_MEMBER(cudaFuncAttributes, ::cudaFuncAttributes, nonPortableClusterSizeAllowed);
SAME_SIZE(cudaMemLocation, ::cudaMemLocation);
SAME_SIZE(cudaMemAccessDesc, ::cudaMemAccessDesc);
SAME_SIZE(cudaMemPoolProps, ::cudaMemPoolProps);
SAME_MEMBER(cudaMemPoolProps, ::cudaMemPoolProps, maxSize);
SAME_SIZE(cudaLaunchAttribute, ::cudaLaunchAttribute);
SAME_MEMBER(cudaLaunchAttribute, ::cudaLaunchAttribute, val);
SAME_SIZE(cudaLaunchConfig_t, ::cudaLaunchConfig_t);
SAME_MEMBER(cudaLaunchConfig_t, ::cudaLaunchConfig_t, stream);
SAME_MEMBER(cudaLaunchConfig_t, ::cudaLaunchConfig_t, numAttrs);
SAME_SIZE(cudaKernelNodeParams, ::cudaKernelNodeParams);
SAME_MEMBER(cudaKernelNodeParams, ::cudaKernelNodeParams, extra);
SAME_SIZE(cudaMemsetParams, ::cudaMemsetParams);
SAME_MEMBER(cudaMemsetParams, ::cudaMemsetParams, height);
SAME_SIZE(cudaHostNodeParams, ::cudaHostNodeParams);
SAME_SIZE(cudaGraphInstantiateParams, ::cudaGraphInstantiateParams);
SAME_SIZE(cudaResourceDesc, ::cudaResourceDesc);
SAME_MEMBER(cudaResourceDesc, ::cudaResourceDesc, flags);
SAME_SIZE(cudaTextureDesc, ::cudaTextureDesc);
SAME_MEMBER(cudaTextureDesc, ::cudaTextureDesc, maxMipmapLevelClamp);
SAME_SIZE(cudaResourceViewDesc, ::cudaResourceViewDesc);
SAME_MEMBER(cudaResourceViewDesc, ::cudaResourceViewDesc, lastLayer);

#if CUDART_VERSION >= 13000
SAME_SIZE(cudaPointerAttributes, ::cudaPointerAttributes);
SAME_SIZE(cudaMemcpyAttributes, ::cudaMemcpyAttributes);
SAME_SIZE(cudaMemcpy3DBatchOp, ::cudaMemcpy3DBatchOp);
SAME_SIZE(cudaMemAllocNodeParams, ::cudaMemAllocNodeParams);
SAME_SIZE(cudaGraphNodeParams, ::cudaGraphNodeParams);
SAME_MEMBER(cudaGraphNodeParams, ::cudaGraphNodeParams, kernel);
SAME_SIZE(cudaGraphEdgeData, ::cudaGraphEdgeData);
SAME_SIZE(cudaGraphExecUpdateResultInfo, ::cudaGraphExecUpdateResultInfo);
#define SAME_PROPERTY(member) SAME_MEMBER(cudaDeviceProp13, ::cudaDeviceProp, member)
SAME_SIZE(cudaDeviceProp13, ::cudaDeviceProp);
#elif CUDART_VERSION >= 12000
#define SAME_PROPERTY(member) SAME_MEMBER(cudaDeviceProp12, ::cudaDeviceProp, member)
SAME_SIZE(cudaDeviceProp12, ::cudaDeviceProp);
#endif
#ifdef SAME_PROPERTY
SAME_PROPERTY(name);
SAME_PROPERTY(uuid);
SAME_PROPERTY(totalGlobalMem);
SAME_PROPERTY(maxGridSize);
SAME_PROPERTY(totalConstMem);
SAME_PROPERTY(major);
SAME_PROPERTY(multiProcessorCount);
SAME_PROPERTY(integrated);
SAME_PROPERTY(maxTexture3DAlt);
SAME_PROPERTY(maxSurfaceCubemapLayered);
SAME_PROPERTY(surfaceAlignment);
SAME_PROPERTY(l2CacheSize);
SAME_PROPERTY(maxThreadsPerMultiProcessor);
SAME_PROPERTY(sharedMemPerMultiprocessor);
SAME_PROPERTY(cooperativeLaunch);
SAME_PROPERTY(sharedMemPerBlockOptin);
SAME_PROPERTY(reservedSharedMemPerBlock);
SAME_PROPERTY(memoryPoolsSupported);
SAME_PROPERTY(unifiedFunctionPointers);
#endif

// The layout of CUDA 12, which no CUDA 13 header declares: its published size.
static_assert(sizeof(own::cudaDeviceProp12) == 1032);
// NOLINTEND(bugprone-sizeof-expression)

TEST(Layout, ErrorNumbersHaveTheirNames) {
  EXPECT_STREQ(guda::runtime::error_name(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
  EXPECT_STREQ(guda::runtime::error_name(cudaErrorStreamCaptureUnjoined),
               "cudaErrorStreamCaptureUnjoined");
  EXPECT_STREQ(guda::runtime::error_name(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
  EXPECT_STREQ(guda::runtime::error_text(cudaErrorMemoryAllocation), "out of memory");
  EXPECT_STREQ(guda::runtime::error_name(12345), "unrecognized error code");
}
