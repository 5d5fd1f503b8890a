// How the C++ interface runs a routine: with a limit of threads, at once or on a stream.
#pragma once

#include <guda/blas.h>

#include <memory>
#include <utility>

#include "abi/blas/arguments.h"
#include "blas/worker_pool.h"

namespace guda::blas {

/// The calling thread's limit for as long as this lives.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads) : before_(worker_limit()), changed_(threads > 0) {
    if (changed_) set_worker_limit(threads);
  }
  ~ThreadLimit() {
    if (changed_) set_worker_limit(before_);
  }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
  bool changed_;
};

template <class Call>
int run(const Execution& execution, Call call) {
  if (execution.enqueue == nullptr) {
    const ThreadLimit limit(execution.threads);
    call();
    return 0;
  }
  struct Deferred {
    int threads;
    Call call;
  };
  auto deferred = std::make_unique<Deferred>(Deferred{execution.threads, std::move(call)});
  const int error = execution.enqueue(
      execution.stream,
      [](void* argument) {
        const std::unique_ptr<Deferred> self(static_cast<Deferred*>(argument));
        const ThreadLimit limit(self->threads);
        self->call();
      },
      deferred.get());
  if (error != 0) return error < 0 ? error : -error;
  deferred.release();
  return 0;
}

}  // namespace guda::blas
