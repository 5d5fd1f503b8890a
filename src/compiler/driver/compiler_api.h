// C entry point of libguda_compiler.so, opened by the runtime on the first cache miss.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct GudaCompileRequest {
  uint32_t struct_size;        // sizeof(GudaCompileRequest) of the caller
  const char* ptx;             // whole module text (for RDC: the linked module), not terminated
  size_t ptx_size;
  const char* module_name;     // for messages
  const char* kernel;          // mangled entry name
  const char* cpu;  // GUDA_CPU value: "native", "x86-64-v3", "x86-64-v4", "sapphirerapids"
  const char* output_path;  // shared object to write (caller renames it into the cache)
  uint32_t force_tier_c;  // 1: compile for lane-by-lane execution whatever the kernel
  // Block dimensions the code is specialised for (the runtime compiles at the first launch, when they
  // are known, and they are part of the cache key); zeros: any block.
  uint32_t block_dim[3];
  const char*
      dump_directory;  // GUDA_DUMP: intermediate files (.ptx, device .ll, spmd .ll, .s); null: none
};

struct GudaCompileResult {
  int status;  // guda::StatusCode
  char message[1024];  // one line, names file, line and instruction where there is one
};

/// Compiles one kernel. Thread safe. Returns 0 on success, else result->status.
int guda_compile_kernel(const GudaCompileRequest* request, GudaCompileResult* result);

/// Writes what the kernel does to memory (driver/access_summary.h, serialized) to output_path; no machine
/// code is made. Thread safe. Returns as guda_compile_kernel.
int guda_analyze_kernel(const GudaCompileRequest* request, GudaCompileResult* result);

/// What an OpenCL device has, for GudaOpenclRequest::device.
enum GudaOpenclFeature : uint32_t {
  kGudaOpenclSharedAddresses = 1u << 0,  // SVM: the program's addresses are the device's
  kGudaOpenclGenericAddresses = 1u << 1,  // the generic address space of OpenCL 2.0
  kGudaOpenclDouble = 1u << 2,
  kGudaOpenclHalf = 1u << 3,
  kGudaOpenclAtomics64 = 1u << 4,
  kGudaOpenclExactDivision = 1u << 5,  // correctly rounded f32 division and square root
  kGudaOpenclFences = 1u << 6,  // memory fences; else atomic operations stand for them
  kGudaOpenclSubGroups = 1u << 7,  // of 32 when asked for, with shuffles and ballots; SPIR-V 1.3
};

struct GudaOpenclRequest {
  uint32_t struct_size;
  const char* ptx;
  size_t ptx_size;
  const char* module_name;
  const char* kernel;
  uint32_t block_dim[3];
  uint32_t device;  // GudaOpenclFeature
  const char* output_path;  // serialised kernel, compiler/driver/opencl_kernel.h
  const char* dump_directory;
};

/// Compiles one kernel for an OpenCL device. Thread safe. Returns 0 on success, else result->status.
int guda_compile_opencl(const GudaOpenclRequest* request, GudaCompileResult* result);

typedef int (*GudaCompileOpenclFn)(const GudaOpenclRequest*, GudaCompileResult*);
typedef int (*GudaCompileKernelFn)(const GudaCompileRequest*, GudaCompileResult*);
}
