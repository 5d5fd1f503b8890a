// The part of OpenCL that GUDA uses: own declarations (Khronos OpenCL 3.0 API specification), found at run time in
// the ICD loader.
#pragma once

#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace guda::backend::opencl {

using cl_int = int32_t;
using cl_uint = uint32_t;
using cl_ulong = uint64_t;
using cl_bitfield = cl_ulong;
using Platform = struct ClPlatform*;
using DeviceId = struct ClDevice*;
using Context = struct ClContext*;
using CommandQueue = struct ClCommandQueue*;
using Memory = struct ClMemory*;
using Program = struct ClProgram*;
using KernelHandle = struct ClKernel*;
using Event = struct ClEvent*;

enum : cl_int {
  kSuccess = 0,
  kDeviceNotAvailable = -2,
  kMemObjectAllocationFailure = -4,
  kOutOfResources = -5,
  kOutOfHostMemory = -6,
  kBuildProgramFailure = -11,
  kInvalidBufferSize = -61,
  kInvalidWorkGroupSize = -54,
  kInvalidWorkItemSize = -55,
  kPlatformNotFound = -1001,
};

inline constexpr cl_bitfield kAllDevices = 0xffffffff;
inline constexpr cl_bitfield kDeviceTypeCpu = 2;

enum PlatformInfo : cl_uint { kPlatformName = 0x0902, kPlatformVersion = 0x0901 };

enum DeviceQuery : cl_uint {
  kDeviceType = 0x1000,
  kDeviceComputeUnits = 0x1002,
  kDeviceMaxWorkGroupSize = 0x1004,
  kDeviceSingleConfig = 0x101b,
  kDeviceMaxAllocation = 0x1010,
  kDeviceMaxParameters = 0x1017,
  kDeviceCompilerAvailable = 0x1028,
  kDeviceGlobalMemory = 0x101f,
  kDeviceLocalMemory = 0x1023,
  kDeviceName = 0x102b,
  kDriverVersion = 0x102d,
  kDeviceVersion = 0x102f,
  kDeviceExtensions = 0x1030,
  kDeviceDoubleConfig = 0x1032,
  kDeviceFloatVector = 0x103a,
  kDeviceSvmCapabilities = 0x1053,
  kDeviceIlVersion = 0x105b,
  kDeviceSubGroupSizes = 0x4108,  // CL_DEVICE_SUB_GROUP_SIZES_INTEL
  kDeviceGenericAddresses = 0x1069,
};

inline constexpr cl_bitfield kFpDenormals = 1, kFpFma = 1 << 5, kFpExactDivision = 1 << 7;
inline constexpr cl_bitfield kSvmFineGrainSystem = 1 << 2, kSvmAtomics = 1 << 3;

inline constexpr cl_bitfield kMemReadWrite = 1;
inline constexpr cl_bitfield kQueueProfiling = 2;
inline constexpr cl_uint kProgramBuildLog = 0x1183;
inline constexpr cl_uint kKernelWorkGroupSize = 0x11b0;
inline constexpr cl_uint kSubGroupSizeForRange = 0x2033, kSubGroupCountForRange = 0x2034;
inline constexpr cl_uint kExecInfoFineGrainSystem = 0x11b7;
inline constexpr cl_uint kEventStatus = 0x11d3;
inline constexpr cl_uint kProfilingEnd = 0x1283;

/// Functions of the loader. Those marked optional are null when it lacks them.
struct Api {
  cl_int (*clGetPlatformIDs)(cl_uint, Platform*, cl_uint*);
  cl_int (*clGetPlatformInfo)(Platform, cl_uint, size_t, void*, size_t*);
  cl_int (*clGetDeviceIDs)(Platform, cl_bitfield, cl_uint, DeviceId*, cl_uint*);
  cl_int (*clGetDeviceInfo)(DeviceId, cl_uint, size_t, void*, size_t*);
  Context (*clCreateContext)(const intptr_t*, cl_uint, const DeviceId*,
                             void (*)(const char*, const void*, size_t, void*), void*, cl_int*);
  cl_int (*clReleaseContext)(Context);
  CommandQueue (*clCreateCommandQueue)(Context, DeviceId, cl_bitfield, cl_int*);
  cl_int (*clReleaseCommandQueue)(CommandQueue);
  cl_int (*clFlush)(CommandQueue);
  cl_int (*clFinish)(CommandQueue);
  Memory (*clCreateBuffer)(Context, cl_bitfield, size_t, void*, cl_int*);
  cl_int (*clReleaseMemObject)(Memory);
  cl_int (*clEnqueueReadBuffer)(CommandQueue, Memory, cl_uint, size_t, size_t, void*, cl_uint,
                                const Event*, Event*);
  cl_int (*clEnqueueWriteBuffer)(CommandQueue, Memory, cl_uint, size_t, size_t, const void*,
                                 cl_uint, const Event*, Event*);
  cl_int (*clEnqueueCopyBuffer)(CommandQueue, Memory, Memory, size_t, size_t, size_t, cl_uint,
                                const Event*, Event*);
  cl_int (*clEnqueueFillBuffer)(CommandQueue, Memory, const void*, size_t, size_t, size_t, cl_uint,
                                const Event*, Event*);
  Program (*clCreateProgramWithSource)(Context, cl_uint, const char**, const size_t*, cl_int*);
  Program (*clCreateProgramWithBinary)(Context, cl_uint, const DeviceId*, const size_t*,
                                       const unsigned char**, cl_int*, cl_int*);
  cl_int (*clBuildProgram)(Program, cl_uint, const DeviceId*, const char*, void (*)(Program, void*),
                           void*);
  cl_int (*clGetProgramBuildInfo)(Program, DeviceId, cl_uint, size_t, void*, size_t*);
  cl_int (*clReleaseProgram)(Program);
  KernelHandle (*clCreateKernel)(Program, const char*, cl_int*);
  cl_int (*clReleaseKernel)(KernelHandle);
  cl_int (*clSetKernelArg)(KernelHandle, cl_uint, size_t, const void*);
  cl_int (*clGetKernelWorkGroupInfo)(KernelHandle, DeviceId, cl_uint, size_t, void*, size_t*);
  cl_int (*clEnqueueNDRangeKernel)(CommandQueue, KernelHandle, cl_uint, const size_t*,
                                   const size_t*, const size_t*, cl_uint, const Event*, Event*);
  cl_int (*clEnqueueMarkerWithWaitList)(CommandQueue, cl_uint, const Event*, Event*);
  cl_int (*clEnqueueBarrierWithWaitList)(CommandQueue, cl_uint, const Event*, Event*);
  cl_int (*clWaitForEvents)(cl_uint, const Event*);
  cl_int (*clGetEventInfo)(Event, cl_uint, size_t, void*, size_t*);
  cl_int (*clGetEventProfilingInfo)(Event, cl_uint, size_t, void*, size_t*);
  cl_int (*clReleaseEvent)(Event);
  // Optional.
  Program (*clCreateProgramWithIL)(Context, const void*, size_t, cl_int*);
  cl_int (*clSetKernelExecInfo)(KernelHandle, cl_uint, size_t, const void*);
  cl_int (*clGetKernelSubGroupInfo)(KernelHandle, DeviceId, cl_uint, size_t, const void*, size_t,
                                    void*, size_t*);
  cl_int (*clEnqueueSVMMemcpy)(CommandQueue, cl_uint, void*, const void*, size_t, cl_uint,
                               const Event*, Event*);
  cl_int (*clEnqueueSVMMemFill)(CommandQueue, void*, const void*, size_t, size_t, cl_uint,
                                const Event*, Event*);
};

/// Opens the ICD loader, once per process. Errors: file_not_found when there is none,
/// shared_object_symbol_not_found when it lacks a function.
Result<const Api*> open_opencl();

/// "clBuildProgram: CL_INVALID_VALUE (-30)" with the code that CUDA has for it.
Status to_status(cl_int code, const char* function);

}  // namespace guda::backend::opencl
