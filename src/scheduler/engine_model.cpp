#include "scheduler/engine_model.h"

#include <fmt/format.h>

namespace guda::scheduler {
namespace {

constexpr std::array<std::string_view, kArithmeticKinds> kNames = {"f64",  "f32",   "f16",
                                                                   "bf16", "int32", "int8"};

}  // namespace

std::string_view name_of(Arithmetic kind) { return kNames[static_cast<size_t>(kind)]; }

double EngineModel::compute_ns(const OperationCounts& operations, bool gemm) const {
  const OperationCounts& rates = gemm ? gemm_rate : kernel_rate;
  constexpr auto kFallback = static_cast<size_t>(Arithmetic::f32);
  double ns = 0;
  for (size_t i = 0; i < kArithmeticKinds; ++i) {
    if (operations[i] <= 0) continue;
    double rate = rates[i];
    if (rate <= 0) rate = kernel_rate[i];
    if (rate <= 0) rate = rates[kFallback];
    if (rate <= 0) rate = kernel_rate[kFallback];
    ns += operations[i] / (rate > 0 ? rate : 1);
  }
  return ns;
}

std::string EngineIdentity::text() const {
  std::string text = fmt::format("{}|{}|{}|{}", id, name, driver, units);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

}  // namespace guda::scheduler
