// Several host threads, each with streams of its own, enqueue random work: kernels, copies of every
// kind, fills, callbacks, waits across streams, allocations that come and go. Every thread knows what
// its buffers must hold, since work on a stream runs in order and waits hold what they promise.
//
//   stream_stress [rounds] [threads]
#include <atomic>
#include <thread>

#include "check.h"

namespace {

constexpr int kStreams = 3;
constexpr int kCount = 777;  // not a multiple of the block size

__global__ void add(unsigned* data, int count, unsigned value) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) data[i] += value;
}

__global__ void scale_and_add(unsigned* data, const unsigned* other, int count, unsigned factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) data[i] = data[i] * factor + other[i];
}

__global__ void rotate_block(unsigned* data, int count) {
  __shared__ unsigned tile[128];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  tile[threadIdx.x] = i < count ? data[i] : 0u;
  __syncthreads();
  const int from = (threadIdx.x + 1) % blockDim.x;
  if (i < count && blockIdx.x * blockDim.x + from < count) data[i] = tile[from];
}

__global__ void count_threads(unsigned* counter) { atomicAdd(counter, 1u); }

constexpr int kThreads = 128;
constexpr int kBlocks = (kCount + kThreads - 1) / kThreads;

// What rotate_block does.
void rotate_on_host(std::vector<unsigned>& data) {
  const std::vector<unsigned> old = data;
  for (int i = 0; i < kCount; ++i) {
    const int block = i / kThreads * kThreads;
    const int from = block + (i - block + 1) % kThreads;
    if (from < kCount) data[i] = old[from];
  }
}

// A stream, a buffer that only its work touches, and what the buffer holds when all of it is done.
struct Lane {
  cudaStream_t stream;
  cudaEvent_t event;
  unsigned* data;
  unsigned* pinned;
  std::vector<unsigned> expected;
};

struct Shared {
  cudaStream_t stream;
  unsigned* counter;
  std::atomic<unsigned> launched{0};
  std::atomic<unsigned> callbacks{0};
  std::atomic<unsigned> differences{0};
};

void CUDART_CB on_host(void* counter) { ++*static_cast<std::atomic<unsigned>*>(counter); }

void expect_data(Lane& lane, Shared& shared, const unsigned* actual) {
  for (int i = 0; i < kCount; ++i) shared.differences += actual[i] != lane.expected[i];
}

Lane open_lane(bool blocking) {
  Lane lane;
  CUDA_OK(cudaStreamCreateWithFlags(&lane.stream,
                                    blocking ? cudaStreamDefault : cudaStreamNonBlocking));
  CUDA_OK(cudaEventCreateWithFlags(&lane.event, cudaEventDisableTiming));
  CUDA_OK(cudaMalloc(&lane.data, kCount * sizeof(unsigned)));
  CUDA_OK(cudaMallocHost(&lane.pinned, kCount * sizeof(unsigned)));
  CUDA_OK(cudaMemsetAsync(lane.data, 0, kCount * sizeof(unsigned), lane.stream));
  lane.expected.assign(kCount, 0);
  return lane;
}

void close_lane(Lane& lane) {
  // The stream may be destroyed with work still on it; memory may not go away before.
  CUDA_OK(cudaStreamSynchronize(lane.stream));
  CUDA_OK(cudaFree(lane.data));
  CUDA_OK(cudaFreeHost(lane.pinned));
  CUDA_OK(cudaEventDestroy(lane.event));
  CUDA_OK(cudaStreamDestroy(lane.stream));
}

void one_operation(check::Random& random, Lane& lane, Lane& other, Shared& shared) {
  const size_t bytes = kCount * sizeof(unsigned);
  const unsigned value = random.below(1000);
  switch (random.below(12)) {
    case 0:
    case 1:
      add<<<kBlocks, kThreads, 0, lane.stream>>>(lane.data, kCount, value);
      CUDA_OK(cudaGetLastError());
      for (unsigned& x : lane.expected) x += value;
      break;
    case 2:
      rotate_block<<<kBlocks, kThreads, 0, lane.stream>>>(lane.data, kCount);
      CUDA_OK(cudaGetLastError());
      rotate_on_host(lane.expected);
      break;
    case 3:  // reads another stream's buffer: both ways have to wait
      CUDA_OK(cudaEventRecord(other.event, other.stream));
      CUDA_OK(cudaStreamWaitEvent(lane.stream, other.event, 0));
      scale_and_add<<<kBlocks, kThreads, 0, lane.stream>>>(lane.data, other.data, kCount, 3);
      CUDA_OK(cudaGetLastError());
      CUDA_OK(cudaEventRecord(lane.event, lane.stream));
      CUDA_OK(cudaStreamWaitEvent(other.stream, lane.event, 0));
      for (int i = 0; i < kCount; ++i) {
        lane.expected[i] = lane.expected[i] * 3 + other.expected[i];
      }
      break;
    case 4:  // from pageable memory: the source may change as soon as the call is back
    {
      std::vector<unsigned> source(kCount, value);
      CUDA_OK(
          cudaMemcpyAsync(lane.data, source.data(), bytes, cudaMemcpyHostToDevice, lane.stream));
      std::fill(source.begin(), source.end(), ~0u);
      lane.expected.assign(kCount, value);
      break;
    }
    case 5:  // to pinned memory and back from it
      CUDA_OK(cudaMemcpyAsync(lane.pinned, lane.data, bytes, cudaMemcpyDeviceToHost, lane.stream));
      CUDA_OK(cudaMemsetAsync(lane.data, 0x11, bytes, lane.stream));
      CUDA_OK(cudaMemcpyAsync(lane.data, lane.pinned, bytes, cudaMemcpyHostToDevice, lane.stream));
      break;
    case 6:
      CUDA_OK(cudaMemsetAsync(lane.data, value & 0x7f, bytes, lane.stream));
      lane.expected.assign(kCount, (value & 0x7f) * 0x01010101);
      break;
    case 7:  // memory that lives on the stream only
    {
      unsigned* scratch;
      CUDA_OK(cudaMallocAsync(reinterpret_cast<void**>(&scratch), bytes, lane.stream));
      CUDA_OK(cudaMemcpyAsync(scratch, lane.data, bytes, cudaMemcpyDeviceToDevice, lane.stream));
      add<<<kBlocks, kThreads, 0, lane.stream>>>(scratch, kCount, value);
      CUDA_OK(cudaGetLastError());
      CUDA_OK(cudaMemcpyAsync(lane.data, scratch, bytes, cudaMemcpyDeviceToDevice, lane.stream));
      CUDA_OK(cudaFreeAsync(scratch, lane.stream));
      for (unsigned& x : lane.expected) x += value;
      break;
    }
    case 8: CUDA_OK(cudaLaunchHostFunc(lane.stream, on_host, &shared.callbacks)); break;
    case 9:  // a stream that all threads use
      count_threads<<<2, 32, 0, shared.stream>>>(shared.counter);
      CUDA_OK(cudaGetLastError());
      shared.launched += 64;
      break;
    case 10: {
      const cudaError_t state = cudaStreamQuery(lane.stream);
      shared.differences += state != cudaSuccess && state != cudaErrorNotReady;
      CUDA_OK(cudaEventRecord(lane.event, lane.stream));
      CUDA_OK(cudaEventSynchronize(lane.event));
      const cudaError_t done = cudaEventQuery(lane.event);
      shared.differences += done != cudaSuccess;
      break;
    }
    case 11: {
      std::vector<unsigned> copy(kCount);
      CUDA_OK(cudaMemcpyAsync(copy.data(), lane.data, bytes, cudaMemcpyDeviceToHost, lane.stream));
      CUDA_OK(cudaStreamSynchronize(lane.stream));
      expect_data(lane, shared, copy.data());
      break;
    }
  }
}

void work(int thread, int rounds, Shared& shared) {
  check::Random random(thread + 1);
  std::vector<Lane> lanes;
  for (int i = 0; i < kStreams; ++i) lanes.push_back(open_lane(i == 0));
  for (int round = 0; round < rounds; ++round) {
    const uint32_t number = random.below(kStreams);
    Lane& other = lanes[(number + 1 + random.below(kStreams - 1)) % kStreams];
    one_operation(random, lanes[number], other, shared);
    if (random.below(64) == 0) {  // streams come and go
      // Work of other lanes may still read this one's buffer.
      for (Lane& lane : lanes) CUDA_OK(cudaStreamSynchronize(lane.stream));
      close_lane(lanes[number]);
      lanes[number] = open_lane(number == 0);
    }
  }
  for (Lane& lane : lanes) {
    CUDA_OK(cudaMemcpyAsync(lane.pinned, lane.data, kCount * sizeof(unsigned),
                            cudaMemcpyDeviceToHost, lane.stream));
    CUDA_OK(cudaStreamSynchronize(lane.stream));
    expect_data(lane, shared, lane.pinned);
  }
  for (Lane& lane : lanes) CUDA_OK(cudaStreamSynchronize(lane.stream));
  for (Lane& lane : lanes) close_lane(lane);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const int rounds = argument_count > 1 ? std::atoi(arguments[1]) : 1000;
  const int thread_count = argument_count > 2 ? std::atoi(arguments[2]) : 6;
  Shared shared;
  CUDA_OK(cudaStreamCreateWithPriority(&shared.stream, cudaStreamNonBlocking, 0));
  CUDA_OK(cudaMalloc(&shared.counter, sizeof(unsigned)));
  CUDA_OK(cudaMemset(shared.counter, 0, sizeof(unsigned)));

  std::vector<std::thread> threads;
  for (int t = 0; t < thread_count; ++t) {
    threads.emplace_back([t, rounds, &shared] { work(t, rounds, shared); });
  }
  for (std::thread& thread : threads) thread.join();

  CUDA_OK(cudaDeviceSynchronize());
  unsigned counted = 0;
  CUDA_OK(cudaMemcpy(&counted, shared.counter, sizeof(counted), cudaMemcpyDeviceToHost));
  EXPECT_EQ(counted, shared.launched.load());
  EXPECT_EQ(shared.differences.load(), 0u);
  EXPECT(shared.callbacks.load() > 0 || rounds < 100);
  CUDA_OK(cudaFree(shared.counter));
  CUDA_OK(cudaStreamDestroy(shared.stream));
  return check::finish("stream_stress");
}
