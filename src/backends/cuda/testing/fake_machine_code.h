#pragma once

#include "backends/cuda/testing/fake_state.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace guda::backend::cuda::testing {

/// The listing in an image of machine code, which is `length` long; null: the image is something else.
const char* listing_of(const void* image, size_t& length);
/// A variable of the module, given memory when it is asked for first.
DriverResult find_variable(Module& module, const std::string& name, uintptr_t& address,
                           size_t& bytes);
/// Gives the memory of the module's variables back.
void drop_variables(Module& module);

}  // namespace guda::backend::cuda::testing
