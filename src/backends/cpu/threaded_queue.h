// A queue that is asynchronous to its caller, made of one that is not: a thread runs the work of the inner queue in
// order.
#pragma once

#include "backends/device.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace guda::backend {

class ThreadedQueue final : public Queue {
  /// How far a queue's thread has come; outlives the queue with its marks.
  struct Progress {
    std::mutex mutex;
    std::condition_variable changed;
    uint64_t done = 0;  // operations
    Status failure;  // first of those that nobody has been told of
  };
  /// By the queue that the thread belongs to.
  using Work = std::function<Status(Queue& inner)>;
  /// Work of all queues that take part, in the order that it was handed over in.
  struct RecordedWork final : Recording {
    std::vector<Work> work;
    std::vector<ThreadedQueue*> queues;  // while it is being recorded
    std::mutex running;
  };

 public:
  explicit ThreadedQueue(std::unique_ptr<Queue> inner)
      : inner_(std::move(inner)), progress_(std::make_shared<Progress>()) {}
  ~ThreadedQueue() override {
    if (recording_) std::erase(recording_->queues, this);
    if (!thread_.joinable()) return;
    {
      std::unique_lock lock(progress_->mutex);
      ending_ = true;
    }
    progress_->changed.notify_all();
    thread_.join();
  }

  Status launch(const Launch& launch) override {
    std::vector<std::byte> params(launch.params.begin(), launch.params.end());
    return add([launch, params = std::move(params)](Queue& inner) {
      Launch own = launch;
      own.params = params;
      return inner.launch(own);
    });
  }
  Status upload(void* address, const void* host, size_t bytes) override {
    return add([=](Queue& inner) { return inner.upload(address, host, bytes); });
  }
  Status download(void* host, const void* address, size_t bytes) override {
    return add([=](Queue& inner) { return inner.download(host, address, bytes); });
  }
  Status copy(void* to, const void* from, size_t bytes) override {
    return add([=](Queue& inner) { return inner.copy(to, from, bytes); });
  }
  Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) override {
    return add(
        [=, &device](Queue& inner) { return inner.copy_from_peer(device, to, from, bytes); });
  }
  Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) override {
    return add([=](Queue& inner) { return inner.fill(address, value, element, bytes); });
  }
  Status copy_box(CopyWay way, const BoxSide& to, const BoxSide& from, const Box& box) override {
    return add([=](Queue& inner) { return inner.copy_box(way, to, from, box); });
  }
  Status fill_box(const BoxSide& to, const Box& box, uint32_t value, uint32_t element) override {
    return add([=](Queue& inner) { return inner.fill_box(to, box, value, element); });
  }
  Status gemm(const GemmProblem& problem) override {
    struct Scalars {
      alignas(16) std::byte alpha[16], beta[16];
    } scalars;
    const size_t bytes = scalar_bytes(problem.input);
    std::memcpy(scalars.alpha, problem.alpha, bytes);
    std::memcpy(scalars.beta, problem.beta, bytes);
    return add([problem, scalars](Queue& inner) {
      GemmProblem own = problem;
      own.alpha = scalars.alpha;
      own.beta = scalars.beta;
      return inner.gemm(own);
    });
  }
  Status copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) override {
    return add([=, &array](Queue& inner) { return inner.copy_to_array(array, level, from); });
  }
  Status copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) override {
    return add([=, &array](Queue& inner) { return inner.copy_from_array(to, array, level); });
  }

  Result<std::unique_ptr<Mark>> mark() override {
    if (recording_) return std::unique_ptr<Mark>(std::make_unique<QueueMark>(recording_));
    auto time = std::make_shared<std::unique_ptr<Mark>>();
    (void)add([time](Queue& inner) {
      auto made = inner.mark();
      if (made) *time = std::move(*made);
      return made.status();
    });
    std::unique_lock lock(progress_->mutex);
    return std::unique_ptr<Mark>(std::make_unique<QueueMark>(progress_, added_, std::move(time)));
  }
  Status wait_for(const Mark& mark) override {
    const auto& other = static_cast<const QueueMark&>(mark);
    if (other.recording() && !recording_) {
      recording_ = other.recording();
      recording_->queues.push_back(this);
    }
    if (recording_ != other.recording())
      return {StatusCode::invalid_value, "a mark from outside the recording"};
    if (recording_) return Status::ok();  // the order of handing over will do
    return add([progress = other.progress(), number = other.number()](Queue&) {
      std::unique_lock lock(progress->mutex);
      progress->changed.wait(lock, [&] { return progress->done >= number; });
      return Status::ok();
    });
  }
  Status begin_recording() override {
    if (recording_) return {StatusCode::invalid_value, "the queue is recording already"};
    recording_ = std::make_shared<RecordedWork>();
    recording_->queues.push_back(this);
    return Status::ok();
  }
  Result<std::shared_ptr<Recording>> end_recording() override {
    auto recording = recording_;
    if (!recording) return Status(StatusCode::invalid_value, "the queue is not recording");
    for (ThreadedQueue* each : recording->queues) each->recording_.reset();
    recording->queues.clear();
    return std::shared_ptr<Recording>(std::move(recording));
  }
  Status replay(const std::shared_ptr<Recording>& recording) override {
    return add([recorded = std::static_pointer_cast<RecordedWork>(recording)](Queue& inner) {
      const std::lock_guard lock(recorded->running);
      for (const Work& work : recorded->work) {
        Status status = work(inner);
        if (status) status = inner.synchronize();
        if (!status) return status;
      }
      return Status::ok();
    });
  }
  Status synchronize() override {
    std::unique_lock lock(progress_->mutex);
    const uint64_t wanted = added_;
    progress_->changed.wait(lock, [&] { return progress_->done >= wanted; });
    return std::exchange(progress_->failure, Status::ok());
  }

 private:
  class QueueMark final : public Mark {
   public:
    QueueMark(std::shared_ptr<Progress> progress, uint64_t number,
              std::shared_ptr<std::unique_ptr<Mark>> time)
        : progress_(std::move(progress)), number_(number), time_(std::move(time)) {}
    explicit QueueMark(std::shared_ptr<RecordedWork> recording)
        : recording_(std::move(recording)) {}
    bool reached() const override {
      if (recording_) return false;
      std::unique_lock lock(progress_->mutex);
      return progress_->done >= number_;
    }
    Status wait() override {
      if (recording_) return {StatusCode::invalid_value, "the mark belongs to a recording"};
      std::unique_lock lock(progress_->mutex);
      progress_->changed.wait(lock, [&] { return progress_->done >= number_; });
      return std::exchange(progress_->failure, Status::ok());
    }
    std::optional<int64_t> since(const Mark& earlier) const override {
      const auto& other = static_cast<const QueueMark&>(earlier);
      if (recording_ || other.recording_ || !*time_ || !*other.time_) return std::nullopt;
      return (*time_)->since(**other.time_);
    }
    const std::shared_ptr<Progress>& progress() const { return progress_; }
    uint64_t number() const { return number_; }
    /// That it was made in; null: none.
    const std::shared_ptr<RecordedWork>& recording() const { return recording_; }

   private:
    std::shared_ptr<Progress> progress_;
    uint64_t number_ = 0;
    std::shared_ptr<std::unique_ptr<Mark>> time_;  // set when the mark is reached
    std::shared_ptr<RecordedWork> recording_;
  };

  static size_t scalar_bytes(ElementType type) {
    switch (type) {
      case ElementType::c64: return 16;
      case ElementType::f64:
      case ElementType::c32: return 8;
      default: return 4;
    }
  }

  Status add(Work work) {
    if (recording_) {
      recording_->work.push_back(std::move(work));
      return Status::ok();
    }
    std::unique_lock lock(progress_->mutex);
    work_.push_back(std::move(work));
    ++added_;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    lock.unlock();
    progress_->changed.notify_all();
    return Status::ok();
  }

  void run() {
    std::unique_lock lock(progress_->mutex);
    for (;;) {
      progress_->changed.wait(lock, [&] { return ending_ || !work_.empty(); });
      if (work_.empty()) return;
      auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      Status status = work(*inner_);
      if (status) status = inner_->synchronize();
      work = nullptr;
      lock.lock();
      if (!status && progress_->failure) progress_->failure = status;
      ++progress_->done;
      progress_->changed.notify_all();
    }
  }

  std::unique_ptr<Queue> inner_;
  std::shared_ptr<Progress> progress_;
  std::deque<Work> work_;  // guarded by progress_->mutex, as the next two
  uint64_t added_ = 0;
  bool ending_ = false;
  std::thread thread_;
  std::shared_ptr<RecordedWork> recording_;  // that it takes part in; of the handing thread
};

}  // namespace guda::backend
