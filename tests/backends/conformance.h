// What every backend::Device has to do, as one suite. A backend links conformance.cpp and names itself in an
// instance (see null_conformance_test.cpp).
//
// A case ends in one of four ways, which are kept apart:
//   passed             the device does what the interface says
//   unsupported        the device answered not_supported with a reason: skipped, and counted
//   expected failure   listed by the backend with the reason: skipped, and counted
//   unexpected pass    listed, but passes: an error, the list is out of date
// Cases that take two devices are skipped where there is one.
#pragma once

#include "backends/device.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace guda::backend::conformance {

/// A backend under test.
struct Subject {
  std::string name;
  /// The first device found is tested, and a second one with it by the cases that take two; none: all cases are
  /// skipped, with the note.
  std::function<Discovery()> discover;
  /// Case name -> why it is known to fail.
  std::map<std::string, std::string> expected_failures;
  /// Devices that must do everything (the CPU, a real GPU): answers of not_supported are failures, but for the
  /// cases whose names start so.
  bool complete = false;
  std::vector<std::string> may_be_unsupported;
};

class Conformance : public testing::TestWithParam<std::string> {};

/// Runs all cases on `subject`; call it once per test program, before main.
void add_subject(Subject subject);

}  // namespace guda::backend::conformance
