// The products of two tiles that there are.
#pragma once

#include <cstdint>

namespace guda::kernels::amx {

/// Types of the first and of the second operand.
enum class Dot : uint8_t { bf16, s8s8, s8u8, u8s8, u8u8 };

}  // namespace guda::kernels::amx
