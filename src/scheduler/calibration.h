// Measures what an engine can do, once per machine.
#pragma once

#include "scheduler/engine_model.h"
#include "scheduler/model_store.h"
#include "support/status.h"

#include <chrono>
#include <cstdint>
#include <functional>

namespace guda::scheduler {

/// Small measurements that an engine offers; each is one run, in nanoseconds. The error not_supported means
/// that there is no such thing there; any other ends the calibration. Calls come from one thread.
class EngineProbes {
 public:
  virtual ~EngineProbes() = default;

  /// An empty kernel, from hand-over to finished.
  virtual Result<double> launch_ns() = 0;
  /// A kernel of at least `operations` operations in registers, on all units. `*done` receives how many.
  virtual Result<double> arithmetic_ns(Arithmetic kind, double operations, double* done) = 0;
  /// A kernel that reads `bytes` / 2 and writes as much.
  virtual Result<double> stream_ns(size_t bytes) = 0;
  /// A product of n x n matrices.
  virtual Result<double> gemm_ns(Arithmetic kind, int64_t n) = 0;
  virtual Result<double> upload_ns(size_t bytes) = 0;
  virtual Result<double> download_ns(size_t bytes) = 0;
};

/// Time for each measured term is bounded, about `budget` in all. Rates of what is not supported stay 0.
Result<EngineModel> calibrate(EngineProbes& probes, std::chrono::nanoseconds budget);

/// The stored record; else calibrates with the probes that `make_probes` gives and stores the result. A file that
/// is damaged or cannot be written is logged and otherwise as if it were not there.
Result<EngineRecord> load_or_calibrate(const ModelStore& store, const EngineIdentity& identity,
                                       const std::function<EngineProbes&()>& make_probes,
                                       std::chrono::nanoseconds budget);

}  // namespace guda::scheduler
