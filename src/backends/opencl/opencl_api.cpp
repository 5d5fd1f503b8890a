#include "backends/opencl/opencl_api.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace guda::backend::opencl {
namespace {

struct Symbol {
  const char* name;
  void** slot;
  bool required;
};

Result<const Api*> load() {
  static Api api{};
  void* library = nullptr;
  for (const char* name : {"libOpenCL.so.1", "libOpenCL.so"})
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return Status(StatusCode::file_not_found, "libOpenCL.so.1 not found");
#define GUDA_CL(function, required) \
  Symbol { #function, reinterpret_cast<void**>(&api.function), required }
  const Symbol symbols[] = {
      GUDA_CL(clGetPlatformIDs, true),
      GUDA_CL(clGetPlatformInfo, true),
      GUDA_CL(clGetDeviceIDs, true),
      GUDA_CL(clGetDeviceInfo, true),
      GUDA_CL(clCreateContext, true),
      GUDA_CL(clReleaseContext, true),
      GUDA_CL(clCreateCommandQueue, true),
      GUDA_CL(clReleaseCommandQueue, true),
      GUDA_CL(clFlush, true),
      GUDA_CL(clFinish, true),
      GUDA_CL(clCreateBuffer, true),
      GUDA_CL(clReleaseMemObject, true),
      GUDA_CL(clEnqueueReadBuffer, true),
      GUDA_CL(clEnqueueWriteBuffer, true),
      GUDA_CL(clEnqueueCopyBuffer, true),
      GUDA_CL(clEnqueueFillBuffer, true),
      GUDA_CL(clCreateProgramWithSource, true),
      GUDA_CL(clCreateProgramWithBinary, true),
      GUDA_CL(clBuildProgram, true),
      GUDA_CL(clGetProgramBuildInfo, true),
      GUDA_CL(clReleaseProgram, true),
      GUDA_CL(clCreateKernel, true),
      GUDA_CL(clReleaseKernel, true),
      GUDA_CL(clSetKernelArg, true),
      GUDA_CL(clGetKernelWorkGroupInfo, true),
      GUDA_CL(clEnqueueNDRangeKernel, true),
      GUDA_CL(clEnqueueMarkerWithWaitList, true),
      GUDA_CL(clEnqueueBarrierWithWaitList, true),
      GUDA_CL(clWaitForEvents, true),
      GUDA_CL(clGetEventInfo, true),
      GUDA_CL(clGetEventProfilingInfo, true),
      GUDA_CL(clReleaseEvent, true),
      GUDA_CL(clCreateProgramWithIL, false),
      GUDA_CL(clGetKernelSubGroupInfo, false),
      GUDA_CL(clSetKernelExecInfo, false),
      GUDA_CL(clEnqueueSVMMemcpy, false),
      GUDA_CL(clEnqueueSVMMemFill, false),
  };
#undef GUDA_CL
  for (const Symbol& symbol : symbols) {
    *symbol.slot = dlsym(library, symbol.name);
    if (!*symbol.slot && symbol.required)
      return Status(StatusCode::shared_object_symbol_not_found,
                    fmt::format("the OpenCL loader has no {}", symbol.name));
  }
  return &std::as_const(api);
}

}  // namespace

Result<const Api*> open_opencl() {
  static const Result<const Api*> api = load();
  return api;
}

Status to_status(cl_int code, const char* function) {
  struct Row {
    cl_int code;
    StatusCode status;
    const char* name;
  };
  static constexpr Row kRows[] = {
      {kDeviceNotAvailable, StatusCode::no_device, "CL_DEVICE_NOT_AVAILABLE"},
      {kMemObjectAllocationFailure, StatusCode::out_of_memory, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
      {kOutOfResources, StatusCode::launch_out_of_resources, "CL_OUT_OF_RESOURCES"},
      {kOutOfHostMemory, StatusCode::out_of_memory, "CL_OUT_OF_HOST_MEMORY"},
      {kBuildProgramFailure, StatusCode::not_supported, "CL_BUILD_PROGRAM_FAILURE"},
      {kInvalidBufferSize, StatusCode::out_of_memory, "CL_INVALID_BUFFER_SIZE"},
      {kInvalidWorkGroupSize, StatusCode::launch_out_of_resources, "CL_INVALID_WORK_GROUP_SIZE"},
      {kInvalidWorkItemSize, StatusCode::launch_out_of_resources, "CL_INVALID_WORK_ITEM_SIZE"},
  };
  if (code == kSuccess) return Status::ok();
  for (const Row& row : kRows)
    if (row.code == code) return {row.status, fmt::format("{}: {} ({})", function, row.name, code)};
  return {StatusCode::unknown, fmt::format("{}: OpenCL error {}", function, code)};
}

}  // namespace guda::backend::opencl
