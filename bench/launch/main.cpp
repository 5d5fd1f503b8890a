// What launches, events and process starts cost, each against a thread wake-up round trip (two
// threads that pass a condition variable back and forth) measured in the same run.
//
//   bench_launch [--repetitions N] [--json]
#include <cuda_runtime.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernels.h"
#include "process.h"

namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One wake-up of another thread and one back.
class PingPong {
 public:
  PingPong() : partner_([this] { answer(); }) {}
  ~PingPong() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    partner_.join();
  }
  double round_trips(int count) {
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) {
      std::unique_lock lock(mutex_);
      theirs_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !theirs_; });
    }
    return microseconds(start) / count;
  }

 private:
  void answer() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return theirs_ || stop_; });
      if (stop_) return;
      theirs_ = false;
      changed_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool theirs_ = false, stop_ = false;
  std::thread partner_;
};

struct Measurement {
  const char* name;
  std::function<double()> sample;  // microseconds of one operation
  std::vector<double> samples = {};
};

struct ProcessMeasurement {
  const char* name;
  double milliseconds;
};

// Times of the processes that vector_add, no_call and no_runtime are.
std::vector<ProcessMeasurement> measure_processes(int repetitions) {
  namespace fs = std::filesystem;
  const fs::path cache = fs::temp_directory_path() / ("guda-bench-" + std::to_string(getpid()));
  const std::vector<std::string> environment = {"GUDA_CACHE_DIR=" + cache.string()};
  std::vector<double> cold_launch, cached_launch, cold_process, cached_process, linked, plain;
  for (int r = 0; r < repetitions; ++r) {
    fs::remove_all(cache);
    auto run = bench::run_process("bench_vector_add", {"--first-launch"}, environment);
    if (!run.succeeded) std::fprintf(stderr, "bench_vector_add failed\n");
    cold_launch.push_back(std::atof(run.output.c_str()));
    cold_process.push_back(run.milliseconds);
    for (int k = 0; k < 3; ++k) {
      run = bench::run_process("bench_vector_add", {"--first-launch"}, environment);
      cached_launch.push_back(std::atof(run.output.c_str()));
      cached_process.push_back(run.milliseconds);
    }
    for (int k = 0; k < 10; ++k) {
      linked.push_back(bench::run_process("bench_no_call", {}, {}).milliseconds);
      plain.push_back(bench::run_process("bench_no_runtime", {}, {}).milliseconds);
    }
  }
  fs::remove_all(cache);
  const auto threads = bench::run_process("bench_no_call", {"--threads"}, {});
  return {{"first launch, cold cache", median(cold_launch)},
          {"first launch, cached", median(cached_launch)},
          {"vectorAdd start to exit, cold cache", median(cold_process)},
          {"vectorAdd start to exit, cached", median(cached_process)},
          {"process without the runtime", median(plain)},
          {"process that links it, no call", median(linked)},
          {"cost of linking it", median(linked) - median(plain)},
          {"threads of a process that makes no call", std::atof(threads.output.c_str())}};
}

}  // namespace

int main(int count, char** arguments) {
  int repetitions = 31;
  bool json = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--repetitions" && i + 1 < count) {
      repetitions = std::max(3, std::atoi(arguments[++i]));
    } else if (argument == "--json") {
      json = true;
    } else {
      std::fprintf(stderr, "usage: %s [--repetitions N] [--json]\n", arguments[0]);
      return 2;
    }
  }

  // Before this process has threads of its own.
  const auto processes = measure_processes(std::max(3, repetitions / 6));

  float* data = bench::allocate(512);
  cudaStream_t stream;
  cudaEvent_t event;
  cudaStreamCreate(&stream);
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  bench::launch_empty();
  bench::launch_small(data);
  bench::synchronise();
  PingPong ping_pong;

  std::vector<Measurement> measurements;
  measurements.push_back({"wake-up round trip", [&] { return ping_pong.round_trips(200); }});
  measurements.push_back({"empty kernel, enqueue", [] {
                            const auto start = Clock::now();
                            for (int i = 0; i < 100; ++i) bench::launch_empty();
                            const double us = microseconds(start) / 100;
                            bench::synchronise();
                            return us;
                          }});
  measurements.push_back({"small kernel, launch + synchronise", [&] {
                            const auto start = Clock::now();
                            for (int i = 0; i < 100; ++i) {
                              bench::launch_small(data);
                              cudaDeviceSynchronize();
                            }
                            return microseconds(start) / 100;
                          }});
  measurements.push_back({"chain of 1,000 launches, each", [&] {
                            const auto start = Clock::now();
                            for (int i = 0; i < 1000; ++i) bench::launch_small(data);
                            bench::synchronise();
                            return microseconds(start) / 1000;
                          }});
  measurements.push_back({"event record", [&] {
                            const auto start = Clock::now();
                            for (int i = 0; i < 100; ++i) cudaEventRecord(event, stream);
                            const double us = microseconds(start) / 100;
                            cudaStreamSynchronize(stream);
                            return us;
                          }});
  measurements.push_back({"event query", [&] {
                            const auto start = Clock::now();
                            for (int i = 0; i < 1000; ++i) cudaEventQuery(event);
                            return microseconds(start) / 1000;
                          }});
  measurements.push_back({"event record + synchronise", [&] {
                            const auto start = Clock::now();
                            for (int i = 0; i < 100; ++i) {
                              cudaEventRecord(event, stream);
                              cudaEventSynchronize(event);
                            }
                            return microseconds(start) / 100;
                          }});
  for (int r = 0; r < repetitions; ++r) {
    for (Measurement& m : measurements) m.samples.push_back(m.sample());
  }

  const double unit = median(measurements[0].samples);
  if (json) {
    std::printf("{\n");
    for (const Measurement& m : measurements) {
      const double us = median(m.samples);
      std::printf("  \"%s\": {\"us\": %.4f, \"round_trips\": %.4f},\n", m.name, us, us / unit);
    }
    for (size_t i = 0; i < processes.size(); ++i) {
      std::printf("  \"%s\": %.4f%s\n", processes[i].name, processes[i].milliseconds,
                  i + 1 < processes.size() ? "," : "");
    }
    std::printf("}\n");
    return 0;
  }
  std::printf("%-42s %10s %12s\n", "operation", "us", "round trips");
  for (const Measurement& m : measurements) {
    const double us = median(m.samples);
    std::printf("%-42s %10.3f %12.3f\n", m.name, us, us / unit);
  }
  std::printf("\n%-42s %10s\n", "process", "ms");
  for (const ProcessMeasurement& p : processes) {
    std::printf("%-42s %10.3f\n", p.name, p.milliseconds);
  }
  return 0;
}
