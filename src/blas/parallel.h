// Dividing memory-bound work among threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "blas/worker_pool.h"

namespace guda::blas {

/// Memory traffic from which a second thread is looked for, and from which one is woken.
inline constexpr double kShareBytes = 96 * 1024;
inline constexpr double kWakeBytes = 512 * 1024;

/// Ranges begin at multiples of it.
inline constexpr int64_t kRangeUnit = 16;

/// Calls body(begin, end) for ranges that together make [0, n), at the same time on several threads when
/// that pays, `parts` for each thread; each element stands for `bytes` of memory traffic.
template <class Body>
void for_ranges(int64_t n, size_t bytes, Body body, int parts = 1) {
  constexpr int64_t unit = kRangeUnit;
  const double traffic = static_cast<double>(n) * static_cast<double>(bytes);
  const int64_t units = (n + unit - 1) / unit;
  int threads = 1;
  if (traffic >= kShareBytes)
    threads = static_cast<int>(std::min({static_cast<int64_t>(worker_limit()), units,
                                         static_cast<int64_t>(traffic / (kShareBytes / 2))}));
  if (threads <= 1) {
    body(int64_t{0}, n);
    return;
  }
  const int tasks = threads * parts;
  auto task = [&](int i) {
    const int64_t begin = units * i / tasks * unit;
    const int64_t end = std::min(n, units * (i + 1) / tasks * unit);
    if (begin < end) body(begin, end);
  };
  run_tasks(tasks, threads, traffic >= kWakeBytes ? Wake::always : Wake::if_awake, task);
}

/// The same where elements are unequal work, as in a triangle, and `bytes` their mean.
template <class Body>
void for_uneven_ranges(int64_t n, size_t bytes, Body body) {
  for_ranges(n, bytes, body, 8);
}

/// The same for few elements, each of them much work.
template <class Body>
void for_each_task(int64_t n, size_t bytes, Body body) {
  const double traffic = static_cast<double>(n) * static_cast<double>(bytes);
  const int threads = traffic < kShareBytes ? 1 : worker_limit();
  if (threads <= 1 || n <= 1) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  auto task = [&](int i) { body(static_cast<int64_t>(i)); };
  run_tasks(static_cast<int>(n), threads, traffic >= kWakeBytes ? Wake::always : Wake::if_awake,
            task);
}

}  // namespace guda::blas
