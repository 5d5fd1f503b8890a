// Machine code that a program brings for one kind of device (a cubin, or a fatbin with one): loaded there as it is, so
// its kernels and variables are where the device's driver puts them.
#pragma once

#include "support/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace guda::backend {

class DeviceKernel;

struct MachineParameter {
  uint32_t offset = 0, size = 0;  // bytes, in the parameter block
};

/// A kernel and what its machine code says of itself; bytes unless named otherwise.
struct MachineKernel {
  std::shared_ptr<DeviceKernel> code;
  std::vector<MachineParameter> parameters;
  uint32_t static_shared_bytes = 0;
  uint32_t local_bytes = 0;  // per thread
  uint32_t constant_bytes = 0;
  uint32_t registers = 0;  // per thread
  uint32_t max_threads = 0;  // per block; 0: unknown
  uint32_t cluster[3] = {};  // blocks of the clusters that it works in; zeros: it does not say
  uint32_t ptx_version = 0;  // 90 for 9.0, as the device's driver says
};

struct MachineVariable {
  void* address = nullptr;  // the device's; the host's too when it is managed
  size_t size = 0;
  bool managed = false;
};

/// Loaded on one device, before which it is destroyed. Thread safe.
class MachineCode {
 public:
  virtual ~MachineCode() = default;
  /// Mangled names. Errors: the driver's.
  virtual Result<std::vector<std::string>> kernels() = 0;
  /// Errors: not_found, the driver's.
  virtual Result<MachineKernel> kernel(const std::string& name) = 0;
  /// Valid as long as this. Errors: not_found, the driver's.
  virtual Result<MachineVariable> variable(const std::string& name) = 0;
};

}  // namespace guda::backend
