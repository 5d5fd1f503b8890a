// What an engine can do, in roofline terms: rates per kind of arithmetic, memory bandwidth, and what it
// costs to start something there and to move data to it. Filled by calibration (calibration.h), kept per
// machine (model_store.h), the base of all predictions (time_model.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace guda::scheduler {

/// Engines of a process are numbered from 0 in the order in which they are added.
using EngineIndex = uint32_t;
inline constexpr size_t kMaxEngines = 8;
inline constexpr EngineIndex kNoEngine = ~0u;

enum class Arithmetic : uint8_t { f64, f32, f16, bf16, int32, int8 };
inline constexpr size_t kArithmeticKinds = 6;
std::string_view name_of(Arithmetic kind);

/// Operations of each kind; a multiply-add counts two.
using OperationCounts = std::array<double, kArithmeticKinds>;

/// One direction between host memory and the engine's. Rate 0: the engine works in host memory.
struct Link {
  double latency_ns = 0;
  double bytes_per_ns = 0;

  double ns(double bytes) const {
    return bytes_per_ns <= 0 || bytes <= 0 ? 0 : latency_ns + bytes / bytes_per_ns;
  }
};

/// Rates are per nanosecond, so 1.0 is 1 G per second. A rate of 0 is unknown or impossible.
struct EngineModel {
  OperationCounts kernel_rate{};  // arithmetic in kernels
  OperationCounts gemm_rate{};  // arithmetic in large matrix products
  double memory_rate = 0;  // bytes moved by a streaming kernel, reads and writes
  double launch_ns = 0;  // an empty kernel, from hand-over to finished
  double gemm_ns = 0;  // a tiny matrix product
  Link upload;
  Link download;

  /// Time of the arithmetic at full rate. Kinds without a rate count as f32, that without as 1.
  double compute_ns(const OperationCounts& operations, bool gemm) const;
  double memory_ns(double bytes) const { return memory_rate > 0 ? bytes / memory_rate : 0; }
};

/// What a calibration is valid for.
struct EngineIdentity {
  std::string id;  // "cuda:0"
  std::string name;  // the product's
  std::string driver;  // version text
  uint32_t units = 0;  // cores, multiprocessors

  /// One line that is different for different engines.
  std::string text() const;
  bool operator==(const EngineIdentity&) const = default;
};

}  // namespace guda::scheduler
