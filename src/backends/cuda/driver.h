// NVIDIA's driver, opened once.
#pragma once

#include "backends/cuda/driver_api.h"
#include "backends/cuda/vendor_library.h"
#include "support/status.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace guda::backend::cuda {

class Driver {
 public:
  /// Opens `file`, or the first of the machine's that works when it is empty, and initialises it.
  /// Errors: no_device with all reasons in one line. That is a normal state.
  static Result<std::shared_ptr<Driver>> open(const std::string& file);

  const DriverApi& api() const { return api_; }
  const std::string& file() const { return file_; }
  int version() const { return version_; }  // 13000
  /// Addresses for what devices map, reserved on first use for as long as the process lives: number 0 is what the
  /// program sees (Device::address_space), the others are as large, each for the copies of one more device. The calling
  /// thread has entered a context. Empty when the driver refuses.
  std::span<std::byte> reservation(size_t number);
  /// For libraries that call this driver.
  LinkNamespace& libraries() { return namespace_; }
  /// A symbol of the driver's library; null when there is none.
  void* symbol(const char* name) const;

  /// `what`: "cuMemCreate of 4 bytes".
  Status failure(DriverResult code, const std::string& what) const;

 private:
  Status load(const std::string& file);

  LinkNamespace namespace_;
  std::string file_;
  void* library_ = nullptr;
  DriverApi api_;
  int version_ = 0;
  std::mutex mutex_;
  std::vector<std::span<std::byte>> reservations_;
};

}  // namespace guda::backend::cuda
