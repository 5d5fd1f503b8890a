#include <string>

#include "kernels/vector/vector_kernels.h"
#include "support/options.h"

namespace guda::kernels {
namespace {

const VectorKernelSet& select() {
  const std::string cpu = option_value(Option::cpu);
  const bool allow_avx512 = cpu != "x86-64-v3" && cpu != "x86-64-v2" && cpu != "x86-64";
  const bool allow_avx2 = cpu != "x86-64-v2" && cpu != "x86-64";
  if (allow_avx512 && kAvx512VectorKernels.supported()) return kAvx512VectorKernels;
  if (allow_avx2 && kAvx2VectorKernels.supported()) return kAvx2VectorKernels;
  return kPortableVectorKernels;
}

const VectorKernelSet& selected() {
  static const VectorKernelSet& set = select();
  return set;
}

}  // namespace

#define GUDA_SELECT(T, member)                              \
  template <>                                               \
  const VectorKernels<T>& vector_kernels() {                \
    return *selected().member.vectors;                      \
  }                                                         \
  template <>                                               \
  const TrianglePanelKernels<T>& triangle_panel_kernels() { \
    return *selected().member.triangles;                    \
  }
GUDA_SELECT(float, f32)
GUDA_SELECT(double, f64)
GUDA_SELECT(std::complex<float>, c32)
GUDA_SELECT(std::complex<double>, c64)
#undef GUDA_SELECT

const WideKernels& wide_kernels() { return *selected().wide; }

}  // namespace guda::kernels
