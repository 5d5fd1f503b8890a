// Calibration of any device behind the backend interface: small PTX kernels, copies and matrix products.
#pragma once

#include "backends/device.h"
#include "scheduler/calibration.h"

#include <map>
#include <memory>
#include <set>
#include <string_view>

namespace guda::scheduler {

/// What a calibration of the device is kept under.
EngineIdentity identity_of(const backend::DeviceInfo& info);

class DeviceProbes final : public EngineProbes {
 public:
  /// Takes memory of its own, in the host and on the device, until it is destroyed. `addresses`: where the device
  /// wants it (Device::address_space()); it must not be in use.
  static Result<std::unique_ptr<DeviceProbes>> create(backend::Device& device,
                                                      std::span<std::byte> addresses = {});
  ~DeviceProbes() override;
  DeviceProbes(const DeviceProbes&) = delete;
  DeviceProbes& operator=(const DeviceProbes&) = delete;

  Result<double> launch_ns() override;
  Result<double> arithmetic_ns(Arithmetic kind, double operations, double* done) override;
  Result<double> stream_ns(size_t bytes) override;
  Result<double> gemm_ns(Arithmetic kind, int64_t n) override;
  Result<double> upload_ns(size_t bytes) override;
  Result<double> download_ns(size_t bytes) override;

 private:
  explicit DeviceProbes(backend::Device& device) : device_(device) {}
  Status open(std::span<std::byte> addresses);
  Result<const backend::DeviceKernel*> kernel(std::string_view name);
  /// Runs it to its end; by the device's own clock where it has one.
  Result<double> timed(backend::Launch& launch, bool with_host);

  backend::Device& device_;
  std::byte* memory_ = nullptr;
  size_t bytes_ = 0;
  bool mapped_ = false;
  std::unique_ptr<backend::Queue> queue_;
  std::map<std::string_view, std::shared_ptr<backend::DeviceKernel>> kernels_;
  std::set<const backend::DeviceKernel*> warm_;
};

}  // namespace guda::scheduler
