// How the threads of a block are dealt out to the lanes of SIMD warps.
#pragma once

#include <cstdint>

namespace guda::spmd {

struct WarpLayout {
  uint32_t lanes = 16;
  uint32_t block[3] = {};        // block dimensions; zeros: unknown
  bool one_dimensional = false;  // ntid.y == ntid.z == 1
  /// tid.x of lane i is tid.x of lane 0 plus i, and tid.y, tid.z are the same in all lanes.
  bool rows = false;
  /// tid.x of lane 0 is a multiple of `lanes`.
  bool aligned = false;

  bool known() const { return block[0] != 0; }
  uint32_t threads() const { return block[0] * block[1] * block[2]; }
  bool ragged() const { return !known() || threads() % lanes != 0; }
};

inline WarpLayout make_layout(uint32_t lanes, const uint32_t block[3]) {
  WarpLayout layout;
  layout.lanes = lanes;
  for (int i = 0; i < 3; ++i) layout.block[i] = block[i];
  if (layout.known()) {
    layout.one_dimensional = block[1] == 1 && block[2] == 1;
    layout.rows = layout.one_dimensional || block[0] % lanes == 0;
    layout.aligned = layout.rows;
  }
  return layout;
}

}  // namespace guda::spmd
