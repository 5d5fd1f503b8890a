// The two forms in which a launch takes its arguments.
#pragma once

#include <cstddef>
#include <optional>

namespace guda::cuda {

struct LaunchArguments {
  void** parameters = nullptr;   // one pointer per parameter
  const void* block = nullptr;   // or the whole parameter block
  size_t block_size = 0;
};

/// Reads kernelParams and extra of cuLaunchKernel; empty when both are given or `extra` is malformed.
std::optional<LaunchArguments> launch_arguments(void** parameters, void** extra);

}  // namespace guda::cuda
