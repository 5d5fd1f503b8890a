// Threads that drain streams when no host thread is waiting for them.
//
// None exists before the first asynchronous operation that is not short enough to run inline. One
// more is started whenever a stream is ready and all others are busy, so that independent streams
// never wait for each other.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

namespace guda::runtime {

class Stream;

class Runners {
 public:
  static Runners& instance();
  /// Has some runner thread call stream->drain() soon.
  void schedule(std::shared_ptr<Stream> stream);

 private:
  Runners() = default;
  void run();

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::shared_ptr<Stream>> ready_;
  size_t sleeping_ = 0;
  size_t threads_ = 0;
};

}  // namespace guda::runtime
