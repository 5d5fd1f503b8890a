// Work that co-execution cuts into chunks: what a chunk touches, and how to run one on the CPU and on a device.
#pragma once

#include "backends/device.h"
#include "compiler/access/reduction.h"
#include "memory/coherent_pool.h"
#include "scheduler/chunk_handout.h"
#include "scheduler/engine_model.h"
#include "support/status.h"

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace guda::scheduler {

/// Ranges may overlap between lists. `written` of different chunks is disjoint, to the byte.
struct ChunkMemory {
  std::vector<memory::Range> accessed;  // may be read, or may be written but need not
  std::vector<memory::Range> overwritten;  // written to the last byte
  std::vector<memory::Range> written;  // all that may be written
};

/// Functions are called from several threads at once, and, when a device hangs, after the caller has gone on: the
/// object owns everything that it needs but the program's memory.
class DivisibleWork {
 public:
  virtual ~DivisibleWork() = default;

  virtual ChunkMemory memory(Chunk chunk) const = 0;
  /// Memory that all chunks combine values into, and do nothing else with; in no chunk's memory(). Stays as it is.
  virtual std::span<const access::Reduction> reductions() const { return {}; }
  /// On the CPU engine, to the end. Errors are the program's.
  virtual Status run_on_host(Chunk chunk) const = 0;
  /// Hands the chunk over to a device.
  virtual Status start(EngineIndex engine, backend::Queue& queue, Chunk chunk) const = 0;
};

/// A kernel launch; units are the blocks' indices along one dimension of the grid.
class DivisibleLaunch final : public DivisibleWork {
 public:
  using Memory = std::function<ChunkMemory(Chunk)>;
  using OnHost = std::function<Status(const backend::Launch&)>;

  /// `launch` is that of the whole grid; its parameters are copied, its kernel is set by kernels[engine].
  DivisibleLaunch(const backend::Launch& launch, int axis, Memory memory, OnHost on_host);
  /// What the engine runs. Before the work is started.
  void set_kernel(EngineIndex engine, std::shared_ptr<backend::DeviceKernel> kernel);
  /// What its blocks reduce into. Before the work is started.
  void set_reductions(std::span<const access::Reduction> reductions) {
    reductions_.assign(reductions.begin(), reductions.end());
  }

  ChunkMemory memory(Chunk chunk) const override { return memory_(chunk); }
  std::span<const access::Reduction> reductions() const override { return reductions_; }
  Status run_on_host(Chunk chunk) const override { return on_host_(slice(chunk)); }
  Status start(EngineIndex engine, backend::Queue& queue, Chunk chunk) const override;

 private:
  backend::Launch slice(Chunk chunk) const;

  backend::Launch launch_;
  std::vector<std::byte> params_;
  int axis_;
  Memory memory_;
  OnHost on_host_;
  std::vector<access::Reduction> reductions_;
  std::array<std::shared_ptr<backend::DeviceKernel>, kMaxEngines> kernels_;
};

/// A matrix product; units are columns of C, or rows when there are more of them. k is never cut.
class DivisibleGemm final : public DivisibleWork {
 public:
  using OnHost = std::function<Status(const backend::GemmProblem&)>;

  /// `alpha` and `beta` are copied.
  DivisibleGemm(const backend::GemmProblem& problem, OnHost on_host);

  bool cuts_columns() const { return columns_; }
  static bool cuts_columns(const backend::GemmProblem& problem) { return problem.n >= problem.m; }
  uint64_t units() const { return static_cast<uint64_t>(columns_ ? problem_.n : problem_.m); }

  ChunkMemory memory(Chunk chunk) const override;
  Status run_on_host(Chunk chunk) const override { return on_host_(part(chunk)); }
  Status start(EngineIndex engine, backend::Queue& queue, Chunk chunk) const override {
    (void)engine;
    return queue.gemm(part(chunk));
  }

 private:
  backend::GemmProblem part(Chunk chunk) const;

  backend::GemmProblem problem_;
  bool columns_;
  alignas(16) std::array<std::byte, 16> alpha_{};
  alignas(16) std::array<std::byte, 16> beta_{};
  OnHost on_host_;
};

/// Bytes of an element of A and B, and of C.
size_t input_bytes(const backend::GemmProblem& problem);
size_t output_bytes(const backend::GemmProblem& problem);

}  // namespace guda::scheduler
