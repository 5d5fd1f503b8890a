#include "kernels/amx/hardware_tiles.h"
#include "kernels/amx/kernel_set.h"

namespace guda::kernels::amx {

constinit const TileKernelSet hardware = make_kernel_set<HardwareTiles>();

}  // namespace guda::kernels::amx
