// What a launch of an instantiated graph does.
#pragma once

#include "runtime/operation.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace guda::runtime {

/// Never changed: a graph that is changed gets another one.
struct Program {
  /// In an order that they can run in.
  std::vector<std::shared_ptr<Operation>> operations;
  /// For each of them those before it that it has to come after.
  std::vector<std::vector<uint32_t>> after;
  /// What Engines knows of it (engine_program.cpp), guarded by Engines.
  std::shared_ptr<void> engine_data;
};

}  // namespace guda::runtime
