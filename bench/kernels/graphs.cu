// Irregular access: sparse matrix times vector with a thread or a warp per row, and breadth-first
// search by levels.
#include "benchmark.h"
#include "device_buffer.h"
#include "native.h"

namespace bench {
namespace {

__global__ void spmv_thread(int rows, const int* offsets, const int* columns, const float* values,
                            const float* x, float* y) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float sum = 0;
  for (int k = offsets[row]; k < offsets[row + 1]; ++k) sum += values[k] * x[columns[k]];
  y[row] = sum;
}

__global__ void spmv_warp(int rows, const int* offsets, const int* columns, const float* values,
                          const float* x, float* y) {
  const int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  float sum = 0;
  const int end = offsets[row + 1];
  for (int k = offsets[row] + lane; k < end; k += 32) sum += values[k] * x[columns[k]];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(~0u, sum, offset);
  if (lane == 0) y[row] = sum;
}

__global__ void bfs_level(int nodes, const int* offsets, const int* edges, int depth, int* level,
                          int* changed) {
  const int node = blockIdx.x * blockDim.x + threadIdx.x;
  if (node >= nodes || level[node] != depth) return;
  for (int k = offsets[node]; k < offsets[node + 1]; ++k) {
    const int other = edges[k];
    if (level[other] < 0) {
      level[other] = depth + 1;
      *changed = 1;
    }
  }
}

class SparseProduct final : public Benchmark {
 public:
  SparseProduct(bool warp_per_row, int rows, int mean)
      : warp_per_row_(warp_per_row), rows_(rows), mean_(mean) {}
  const char* name() const override { return warp_per_row_ ? "spmv_warp" : "spmv_thread"; }
  void prepare() override {
    Random random(21);
    offsets_.push_back(0);
    for (int r = 0; r < rows_; ++r) {
      const int length = mean_ / 2 + static_cast<int>(random.below(mean_));
      // A band around the diagonal and some entries anywhere.
      for (int k = 0; k < length; ++k) {
        const int near = r - mean_ + static_cast<int>(random.below(2 * mean_));
        const int column = random.below(4) ? near : static_cast<int>(random.below(rows_));
        columns_.push_back(column < 0 ? 0 : column >= rows_ ? rows_ - 1 : column);
        values_.push_back(random.between(-1, 1));
      }
      offsets_.push_back(static_cast<int>(columns_.size()));
    }
    x_ = random_floats(rows_, 22, -1, 1);
    y_.assign(rows_, 0);
    device_offsets_.upload(offsets_);
    device_columns_.upload(columns_);
    device_values_.upload(values_);
    device_x_.upload(x_);
    device_y_.resize(rows_);
  }
  void device() override {
    if (warp_per_row_) {
      spmv_warp<<<(rows_ + 7) / 8, 256>>>(rows_, device_offsets_, device_columns_, device_values_,
                                          device_x_, device_y_);
    } else {
      spmv_thread<<<(rows_ + 255) / 256, 256>>>(rows_, device_offsets_, device_columns_,
                                                device_values_, device_x_, device_y_);
    }
  }
  void native() override {
    native::spmv(rows_, offsets_.data(), columns_.data(), values_.data(), x_.data(), y_.data());
  }
  double difference() override { return max_difference(device_y_.download(), y_, 1); }

 private:
  bool warp_per_row_;
  int rows_, mean_;
  std::vector<int> offsets_, columns_;
  std::vector<float> values_, x_, y_;
  DeviceBuffer<int> device_offsets_, device_columns_;
  DeviceBuffer<float> device_values_, device_x_, device_y_;
};

class BreadthFirstSearch final : public Benchmark {
 public:
  const char* name() const override { return "bfs"; }
  void prepare() override {
    Random random(23);
    offsets_.push_back(0);
    for (int n = 0; n < kNodes; ++n) {
      const int degree = 2 + static_cast<int>(random.below(12));
      for (int k = 0; k < degree; ++k) edges_.push_back(static_cast<int>(random.below(kNodes)));
      offsets_.push_back(static_cast<int>(edges_.size()));
    }
    level_.assign(kNodes, -1);
    device_offsets_.upload(offsets_);
    device_edges_.upload(edges_);
    device_level_.resize(kNodes);
    device_changed_.resize(1);
  }
  void device() override {
    cuda_ok(cudaMemsetAsync(device_level_, 0xff, kNodes * sizeof(int)), "cudaMemsetAsync");
    cuda_ok(cudaMemsetAsync(device_level_, 0, sizeof(int)), "cudaMemsetAsync");
    for (int depth = 0, changed = 1; changed; ++depth) {
      cuda_ok(cudaMemsetAsync(device_changed_, 0, sizeof(int)), "cudaMemsetAsync");
      bfs_level<<<(kNodes + 255) / 256, 256>>>(kNodes, device_offsets_, device_edges_, depth,
                                               device_level_, device_changed_);
      cuda_ok(cudaMemcpy(&changed, device_changed_, sizeof(int), cudaMemcpyDeviceToHost),
              "cudaMemcpy");
    }
  }
  void native() override { native::bfs(kNodes, offsets_.data(), edges_.data(), 0, level_.data()); }
  double difference() override { return max_difference(device_level_.download(), level_); }
  double tolerance() const override { return 0; }

 private:
  static constexpr int kNodes = 1 << 18;
  std::vector<int> offsets_, edges_, level_;
  DeviceBuffer<int> device_offsets_, device_edges_, device_level_, device_changed_;
};

}  // namespace

void add_graphs(BenchmarkList& list) {
  list.push_back(std::make_unique<SparseProduct>(false, 1 << 17, 16));
  list.push_back(std::make_unique<SparseProduct>(true, 1 << 14, 128));
  list.push_back(std::make_unique<BreadthFirstSearch>());
}

}  // namespace bench
