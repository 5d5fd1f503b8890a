// The fake driver, opened once per test program.
#pragma once

#include "backends/cuda/cuda_device.h"
#include "backends/cuda/driver.h"
#include "backends/cuda/testing/fake_driver.h"

#include <cstdlib>
#include <memory>

namespace guda::backend::cuda::testing {

/// GUDA_FAKE_DRIVER is the library's file (CMakeLists.txt).
inline std::shared_ptr<Driver> fake_driver() {
  static std::shared_ptr<Driver> driver = [] {
    setenv("FAKE_CUDA_TEST", "set after the start", 1);
    auto opened = Driver::open(GUDA_FAKE_DRIVER);
    return opened ? *opened : nullptr;
  }();
  return driver;
}

inline FakeControl& control() {
  return *static_cast<FakeControl*>(fake_driver()->symbol("fake_cuda"));
}

inline Discovery discover_fake() {
  return discover_cuda(fake_driver(),
                       {.driver = {}, .cublas = "none", .ordinals = {}, .others = true});
}

}  // namespace guda::backend::cuda::testing
