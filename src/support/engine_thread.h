// A thread that hands work to one engine, kept between works.
#pragma once

#include <functional>
#include <memory>

namespace guda {

/// Runs one task at a time. The destructor ends the thread after its task; abandon() does not wait for it, for a
/// task that hangs in a driver.
class EngineThread {
 public:
  explicit EngineThread(const char* name);
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  /// Only when the last task is over. False when the system has no thread for it.
  bool run(std::function<void()> task);
  /// The thread ends by itself when its task ever does.
  void abandon();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace guda
