#include "kernels/amx/kernel_set.h"
#include "kernels/amx/software_tiles.h"

namespace guda::kernels::amx {

constinit const TileKernelSet software = make_kernel_set<SoftwareTiles>();

}  // namespace guda::kernels::amx
