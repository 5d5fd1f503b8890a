// What the arithmetic units can do: the denominator of every percentage here.
#pragma once

namespace guda::bench {

/// Operations per second (a multiply-add is two) of one thread, from a loop of independent
/// multiply-adds in registers: f32, f64 (half of it), and vpdpbusd (0 without VNNI).
double peak_f32();
double peak_int8();

}  // namespace guda::bench
