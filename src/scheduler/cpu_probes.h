// Calibration of the CPU engine, with kernels of our own: no compiler is needed.
#pragma once

#include "scheduler/calibration.h"

#include <functional>

namespace guda::scheduler {

EngineIdentity cpu_identity();

class CpuProbes final : public EngineProbes {
 public:
  /// Runs one product of n x n matrices and says how long it took; null: there is no BLAS in this process.
  using Gemm = std::function<Result<double>(Arithmetic kind, int64_t n)>;

  explicit CpuProbes(Gemm gemm = nullptr) : gemm_(std::move(gemm)) {}

  Result<double> launch_ns() override;
  Result<double> arithmetic_ns(Arithmetic kind, double operations, double* done) override;
  Result<double> stream_ns(size_t bytes) override;
  Result<double> gemm_ns(Arithmetic kind, int64_t n) override;
  Result<double> upload_ns(size_t) override { return in_host_memory(); }
  Result<double> download_ns(size_t) override { return in_host_memory(); }

 private:
  static Status in_host_memory() { return {StatusCode::not_supported, "works in host memory"}; }

  Gemm gemm_;
  std::vector<std::byte> memory_;
};

}  // namespace guda::scheduler
