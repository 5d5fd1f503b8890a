#include "support/engine_thread.h"

#include "support/relax.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

namespace guda {
namespace {

constexpr auto kSpin = std::chrono::microseconds(20);

}  // namespace

struct EngineThread::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::string name;
  std::function<void()> task;
  std::atomic<bool> wanted{false};  // there is a task, or the end; for who looks without the lock
  bool started = false;
  bool running = false;
  bool ending = false;

  static void* main(void* argument) {
    const std::unique_ptr<std::shared_ptr<Shared>> own(
        static_cast<std::shared_ptr<Shared>*>(argument));
    Shared& self = **own;
    std::unique_lock lock(self.mutex);
    for (bool first = true;; first = false) {
      if (!first && self.task == nullptr && !self.ending) {
        // Calls come in rows, and waking costs more than many of them take.
        lock.unlock();
        (void)spin_until(kSpin, [&] { return self.wanted.load(std::memory_order_acquire); });
        lock.lock();
      }
      self.wanted.store(false, std::memory_order_relaxed);
      self.changed.wait(lock, [&] { return self.task != nullptr || self.ending; });
      if (self.task == nullptr) return nullptr;
      std::function<void()> task = std::move(self.task);
      self.task = nullptr;
      self.running = true;
      lock.unlock();
      task();
      task = nullptr;  // what it holds is released before anybody is told
      lock.lock();
      self.running = false;
      self.changed.notify_all();
    }
  }

  bool start(const std::shared_ptr<Shared>& self) {
    // Signals of the application belong to its own threads.
    sigset_t blocked;
    sigset_t previous;
    sigfillset(&blocked);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF}) {
      sigdelset(&blocked, signal);
    }
    auto argument = std::make_unique<std::shared_ptr<Shared>>(self);
    pthread_sigmask(SIG_SETMASK, &blocked, &previous);
    pthread_t thread;
    const int error = pthread_create(&thread, nullptr, main, argument.get());
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    if (error != 0) return false;
    static_cast<void>(argument.release());
    pthread_setname_np(thread, name.substr(0, 15).c_str());
    pthread_detach(thread);
    return true;
  }
};

EngineThread::EngineThread(const char* name) : shared_(std::make_shared<Shared>()) {
  shared_->name = name;
}

EngineThread::~EngineThread() {
  std::unique_lock lock(shared_->mutex);
  if (shared_->ending) return;
  shared_->ending = true;
  shared_->changed.notify_all();
  shared_->changed.wait(lock, [&] { return !shared_->running && shared_->task == nullptr; });
}

bool EngineThread::run(std::function<void()> task) {
  const std::lock_guard lock(shared_->mutex);
  if (!shared_->started && !shared_->start(shared_)) return false;
  shared_->started = true;
  shared_->task = std::move(task);
  shared_->wanted.store(true, std::memory_order_release);
  shared_->changed.notify_all();
  return true;
}

void EngineThread::abandon() {
  const std::lock_guard lock(shared_->mutex);
  shared_->ending = true;
  shared_->changed.notify_all();
}

}  // namespace guda
