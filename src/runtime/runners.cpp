#include "runtime/runners.h"

#include "runtime/stream.h"
#include "support/log.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <thread>

namespace guda::runtime {
namespace {

/// Streams beyond this wait for a runner to become free.
constexpr size_t kMaxThreads = 64;

/// The program's signals go to its own threads; faults of kernels must arrive here.
struct BlockProgramSignals {
  sigset_t saved;
  BlockProgramSignals() {
    sigset_t set;
    sigfillset(&set);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF})
      sigdelset(&set, fault);
    pthread_sigmask(SIG_SETMASK, &set, &saved);
  }
  ~BlockProgramSignals() { pthread_sigmask(SIG_SETMASK, &saved, nullptr); }
};

}  // namespace

Runners& Runners::instance() {
  static Runners* runners = new Runners;  // its threads outlive static objects
  return *runners;
}

void Runners::schedule(std::shared_ptr<Stream> stream) {
  std::unique_lock lock(mutex_);
  ready_.push_back(std::move(stream));
  if (ready_.size() > sleeping_ && threads_ < kMaxThreads) {
    BlockProgramSignals block;
    try {
      std::thread([this] { run(); }).detach();
      ++threads_;
    } catch (const std::system_error& error) {
      // With other runners, or a host thread that synchronises, work still gets done.
      log(LogPart::runtime, LogLevel::warn, "cannot start a stream thread: {}", error.what());
    }
    return;
  }
  lock.unlock();
  work_.notify_one();
}

void Runners::run() {
  pthread_setname_np(pthread_self(), "guda-stream");
  std::unique_lock lock(mutex_);
  for (;;) {
    while (ready_.empty()) {
      ++sleeping_;
      work_.wait(lock);
      --sleeping_;
    }
    auto stream = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    stream->drain();
    stream.reset();
    lock.lock();
  }
}

}  // namespace guda::runtime
