// Tells AddressSanitizer and ThreadSanitizer which stack the code runs on. Nothing without them.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>

#include <vector>
#endif

namespace guda::cpu {

/// A stack as the sanitizers know it.
struct StackIdentity {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const void* bottom = nullptr;
  size_t bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's, while the stack is suspended
  void* fiber = nullptr;       // ThreadSanitizer's
  int fiber_uses = 0;
#endif
};

#if defined(__SANITIZE_THREAD__)
/// ThreadSanitizer's fibers that a thread has and does not use now: creating one takes long, and at
/// most 8128 may exist in the process.
struct IdleFibers {
  struct Fiber {
    void* handle;
    int uses;
  };
  std::vector<Fiber> fibers;
  ~IdleFibers() {
    for (const Fiber& fiber : fibers) __tsan_destroy_fiber(fiber.handle);
  }
};
inline thread_local IdleFibers idle_fibers;
#endif

/// A new execution on the stack [bottom, bottom + bytes), which may hold rests of an old one.
/// `is_fiber`: it will be suspended and resumed, rather than called and left.
inline void begin_stack([[maybe_unused]] StackIdentity& stack, [[maybe_unused]] const void* bottom,
                        [[maybe_unused]] size_t bytes, [[maybe_unused]] bool is_fiber) {
#if defined(__SANITIZE_ADDRESS__)
  stack.bottom = bottom;
  stack.bytes = bytes;
  stack.fake_stack = nullptr;
  __asan_unpoison_memory_region(bottom, bytes);
#endif
#if defined(__SANITIZE_THREAD__)
  stack.fiber = nullptr;
  if (!is_fiber) return;
  if (idle_fibers.fibers.empty()) idle_fibers.fibers.push_back({__tsan_create_fiber(0), 0});
  stack.fiber = idle_fibers.fibers.back().handle;
  stack.fiber_uses = idle_fibers.fibers.back().uses;
  idle_fibers.fibers.pop_back();
#endif
}

/// The execution on `stack`, which is not the current one, has ended or will never go on.
inline void end_stack([[maybe_unused]] StackIdentity& stack) {
#if defined(__SANITIZE_THREAD__)
  if (stack.fiber == nullptr) return;
  // Frames that were never returned from stay on its shadow stack.
  constexpr int kMaxUses = 1000;
  if (stack.fiber_uses < kMaxUses) {
    idle_fibers.fibers.push_back({stack.fiber, stack.fiber_uses + 1});
  } else {
    __tsan_destroy_fiber(stack.fiber);
  }
  stack.fiber = nullptr;
#endif
}

/// Right before the switch. `ends`: the execution on `from` will not be resumed.
inline void before_switch([[maybe_unused]] StackIdentity& from,
                          [[maybe_unused]] const StackIdentity& to,
                          [[maybe_unused]] bool ends = false) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, to.bottom, to.bytes);
#endif
#if defined(__SANITIZE_THREAD__)
  if (to.fiber == nullptr) return;
  if (from.fiber == nullptr) from.fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.fiber, 0);
#endif
}

/// First thing after the switch, on the new stack. `origin`: the stack of the thread itself, whose
/// bounds are learnt when it is left for the first time.
inline void after_switch([[maybe_unused]] StackIdentity& self,
                         [[maybe_unused]] StackIdentity* origin = nullptr) {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(self.fake_stack, &bottom, &bytes);
  if (origin != nullptr && origin->bottom == nullptr) {
    origin->bottom = bottom;
    origin->bytes = bytes;
  }
#endif
}

/// After guda_unwind arrived on `thread`, from whatever stack: frames were dropped.
[[gnu::no_sanitize_address]] inline void after_unwind([[maybe_unused]] StackIdentity& thread) {
#if defined(__SANITIZE_ADDRESS__)
  if (thread.bottom != nullptr) {
    __sanitizer_start_switch_fiber(nullptr, thread.bottom, thread.bytes);
    __sanitizer_finish_switch_fiber(thread.fake_stack, nullptr, nullptr);
  }
  constexpr size_t kDroppedBytes = 64 * 1024;
  auto* frame = static_cast<std::byte*>(__builtin_frame_address(0));
  __asan_unpoison_memory_region(frame - kDroppedBytes, kDroppedBytes);
#endif
#if defined(__SANITIZE_THREAD__)
  if (thread.fiber != nullptr) __tsan_switch_to_fiber(thread.fiber, 0);
#endif
}

}  // namespace guda::cpu
