// The threads of BLAS: started by the first product that is worth two, asleep when there is nothing to
// do, and never more than one job at a time, so that callers that are threads themselves do not
// oversubscribe the machine.
#pragma once

#include <cstdint>

namespace guda::blas {

/// Threads a job may use, the caller included: GUDA_NUM_THREADS, else the cores of the process, less
/// when the calling thread has a limit. 1 inside a task and in a forked child.
int worker_limit();
/// Limit of the calling thread; 0: none of its own.
void set_worker_limit(int threads);

enum class Wake : uint8_t {
  if_awake,  // use workers that are looking for work, wake none: for jobs of a few microseconds
  always,
};

/// Calls task(context, i) once for each i in [0, count), on up to `threads` threads, and returns when
/// all calls have. Tasks that run tasks run them alone. The caller works too, and alone when the workers are busy with another job.
void run_tasks(int count, int threads, Wake wake, void (*task)(void*, int), void* context);

/// What a thread does that waits for another one for the i-th time: at first nothing, then it gives its
/// processor away.
void wait_a_little(int i);

template <class Task>
void run_tasks(int count, int threads, Wake wake, Task& task) {
  run_tasks(
      count, threads, wake, [](void* context, int i) { (*static_cast<Task*>(context))(i); }, &task);
}

/// Whether a task of the running job ended at a bad address. Tasks that wait for one another have to give
/// up then.
bool job_abandoned();

/// How a task that touches memory which is not there ends without ending the process.
struct TaskTrap {
  bool (*active)();  // whether the calling thread, whose job it is, wants that
  // Calls function(argument); false when a bad address ended it.
  bool (*run)(void (*function)(void*), void* argument, uintptr_t* address);
  void (*leave)(uintptr_t address);  // ends what the calling thread does; does not return
};
/// For all jobs from now on. Not while one runs.
void set_task_trap(const TaskTrap* trap);

}  // namespace guda::blas
