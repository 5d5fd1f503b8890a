// Queue::gemm of OpenCL devices: kernels of GUDA's own, built at the first product of a kind.
#pragma once

#include "backends/device.h"
#include "backends/opencl/buffers.h"
#include "backends/opencl/gemm_source.h"
#include "backends/opencl/opencl_api.h"

#include <cstdint>
#include <map>
#include <mutex>

namespace guda::backend::opencl {

struct DeviceState;

/// The products of one device. Thread safe. Drivers keep built programs in caches of their own.
class MatrixProducts {
 public:
  explicit MatrixProducts(DeviceState& state) : state_(state) {}
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;
  ~MatrixProducts() { release(); }

  /// Gives kernels back; before the context goes.
  void release();
  /// Builds the kernel for these types and transposes.
  Status prepare(const GemmProblem& problem);
  Status run(CommandQueue queue, const GemmProblem& problem);

 private:
  struct Built {
    Program program = nullptr;
    KernelHandle kernel = nullptr;
    GemmShape shape;
  };

  /// What the kernel is for, or why there is none.
  Result<GemmTypes> types_of(const GemmProblem& problem) const;
  Result<const Built*> built(const GemmTypes& types);
  Status enqueue(CommandQueue queue, const Built& built, const GemmProblem& problem);

  DeviceState& state_;
  std::mutex mutex_;  // arguments are part of a kernel's handle, so products take turns
  std::map<uint32_t, Built> built_;  // by what is in GemmTypes
};

}  // namespace guda::backend::opencl
