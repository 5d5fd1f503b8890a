// Own declarations of what crosses the CUDA driver's binary interface: names and layouts of cuda.h, as far
// as GUDA uses them. layout_test.cpp compares them with the real header where there is one. Structures that
// the runtime API has too are those of abi/cudart/types.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace guda::cuda {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUmodule = void*;
using CUlibrary = void*;
using CUfunction = void*;  // a runtime::Kernel
using CUkernel = void*;  // the same
using CUstream = void*;  // a cudaStream_t
using CUevent = void*;  // a cudaEvent_t
using CUarray = void*;  // a cudaArray_t
using CUmipmappedArray = void*;
using CUmemoryPool = void*;
using CUgraph = void*;
using CUgraphNode = void*;
using CUgraphExec = void*;

enum CUmemorytype : int {
  kMemoryHost = 1,
  kMemoryDevice = 2,
  kMemoryArray = 3,
  kMemoryUnified = 4
};

enum CUlaunchParam : uintptr_t {
  kLaunchParamEnd = 0,
  kLaunchParamBuffer = 1,
  kLaunchParamBufferSize = 2
};

struct CUuuid {
  char bytes[16];
};

struct CUdevprop {
  int maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3], sharedMemPerBlock, totalConstantMemory,
      SIMDWidth, memPitch, regsPerBlock, clockRate, textureAlign;
};

struct CUctxCreateParams {
  void* execAffinityParams;
  int numExecAffinityParams;
  void* cigParams;
};

struct CUDA_MEMCPY2D {
  size_t srcXInBytes, srcY;
  CUmemorytype srcMemoryType;
  const void* srcHost;
  CUdeviceptr srcDevice;
  CUarray srcArray;
  size_t srcPitch;
  size_t dstXInBytes, dstY;
  CUmemorytype dstMemoryType;
  void* dstHost;
  CUdeviceptr dstDevice;
  CUarray dstArray;
  size_t dstPitch;
  size_t WidthInBytes, Height;
};

/// CUDA_MEMCPY3D_PEER is the same with contexts in place of the reserved members.
struct CUDA_MEMCPY3D {
  size_t srcXInBytes, srcY, srcZ, srcLOD;
  CUmemorytype srcMemoryType;
  const void* srcHost;
  CUdeviceptr srcDevice;
  CUarray srcArray;
  void* reserved0;
  size_t srcPitch, srcHeight;
  size_t dstXInBytes, dstY, dstZ, dstLOD;
  CUmemorytype dstMemoryType;
  void* dstHost;
  CUdeviceptr dstDevice;
  CUarray dstArray;
  void* reserved1;
  size_t dstPitch, dstHeight;
  size_t WidthInBytes, Height, Depth;
};

enum CUarray_format : int {
  kFormatUnsigned8 = 1,
  kFormatUnsigned16 = 2,
  kFormatUnsigned32 = 3,
  kFormatSigned8 = 8,
  kFormatSigned16 = 9,
  kFormatSigned32 = 10,
  kFormatHalf = 16,
  kFormatFloat = 32,
};

struct CUDA_ARRAY_DESCRIPTOR {
  size_t Width, Height;
  CUarray_format Format;
  unsigned NumChannels;
};

struct CUDA_ARRAY3D_DESCRIPTOR {
  size_t Width, Height, Depth;
  CUarray_format Format;
  unsigned NumChannels;
  unsigned Flags;
};

using CUtexObject = unsigned long long;
using CUsurfObject = unsigned long long;

enum CUresourcetype : int {
  kResourceArray = 0,
  kResourceMipmappedArray = 1,
  kResourceLinear = 2,
  kResourcePitch2D = 3
};

struct CUDA_RESOURCE_DESC {
  CUresourcetype resType;
  union {
    struct {
      CUarray hArray;
    } array;
    struct {
      CUmipmappedArray hMipmappedArray;
    } mipmap;
    struct {
      CUdeviceptr devPtr;
      CUarray_format format;
      unsigned numChannels;
      size_t sizeInBytes;
    } linear;
    struct {
      CUdeviceptr devPtr;
      CUarray_format format;
      unsigned numChannels;
      size_t width, height, pitchInBytes;
    } pitch2D;
    struct {
      int reserved[32];
    } reserved;
  } res;
  unsigned flags;
};

enum CUtextureFlags : unsigned {
  kTextureReadAsInteger = 0x01,
  kTextureNormalizedCoordinates = 0x02,
  kTextureSrgb = 0x10,
  kTextureNoTrilinearOptimization = 0x20,
  kTextureSeamlessCubemap = 0x40,
};

struct CUDA_TEXTURE_DESC {
  int addressMode[3];
  int filterMode;
  unsigned flags;  // CUtextureFlags
  unsigned maxAnisotropy;
  int mipmapFilterMode;
  float mipmapLevelBias, minMipmapLevelClamp, maxMipmapLevelClamp;
  float borderColor[4];
  int reserved[12];
};

using CUmemGenericAllocationHandle = unsigned long long;

/// CUmemLocationType.
enum CUmemLocationType : int {
  kLocationDevice = 1,
  kLocationHost = 2,
  kLocationHostNuma = 3,
  kLocationHostNumaCurrent = 4,
};

/// CUmemAllocationHandleType, a mask.
enum CUmemAllocationHandleType : int {
  kHandlePosixFile = 1,
  kHandleWin32 = 2,
  kHandleWin32Kmt = 4,
  kHandleFabric = 8,
};

struct CUmemAllocationProp {
  int type;  // 1: pinned
  int requestedHandleTypes;  // CUmemAllocationHandleType
  struct {
    int type;  // CUmemLocationType
    int id;
  } location;
  void* win32HandleMetaData;
  struct {
    unsigned char compressionType;
    unsigned char gpuDirectRDMACapable;
    unsigned short usage;
    unsigned char reserved[4];
  } allocFlags;
};

struct CUlaunchConfig {
  unsigned gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes;
  CUstream hStream;
  void* attrs;  // cudaLaunchAttribute
  unsigned numAttrs;
};

struct CUDA_KERNEL_NODE_PARAMS_v1 {
  CUfunction func;
  unsigned gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes;
  void** kernelParams;
  void** extra;
};

struct CUDA_KERNEL_NODE_PARAMS : CUDA_KERNEL_NODE_PARAMS_v1 {
  CUkernel kern;
  void* ctx;
};

}  // namespace guda::cuda
