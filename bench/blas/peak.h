// What the arithmetic units can do: the denominator of every percentage here.
#pragma once

namespace guda::bench {

/// f32 multiply-adds in vectors; vpdpbusd; products of tiles of bf16 and of 8-bit integers.
enum class Unit { f32, dot_int8, tile_bf16, tile_int8 };

/// Operations per second (a multiply-add is two) of `threads` threads at the same time, from loops of
/// independent operations in registers. 0: the machine has no such unit. f64 has half of f32.
double peak(Unit unit, int threads);

}  // namespace guda::bench
