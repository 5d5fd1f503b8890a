// A call of an exported function, kept so that the vendor's function of that name can be called with the same
// arguments, perhaps later, on another handle.
//
// GUDA_ENTRY's wrapper notes the arguments of the call that the thread is in, where devices are present (CallScope);
// submit() makes an EntryCall of them.
#pragma once

#include "abi/cublas/types.h"
#include "backends/library_call.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace guda::cublas {

struct Handle;

/// Whether there are engines besides the CPU: set when a handle is made.
inline constinit std::atomic<bool> devices_present{false};
inline bool with_devices() { return devices_present.load(std::memory_order_relaxed); }

/// Arguments behind the handle, each as a word.
struct CallArguments {
  static constexpr size_t kMost = 24;
  /// Calls `function` with `handle` and the words.
  using Invoke = int (*)(void* function, void* handle, const uint64_t* words);
  const char* name = nullptr;
  Invoke invoke = nullptr;
  uint64_t words[kMost];
  uint32_t count = 0;
};

/// The call that the thread is in.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local const CallArguments* current_call;

template <typename T>
inline constexpr bool kIsWord = std::is_pointer_v<T> || std::is_integral_v<T> || std::is_enum_v<T>;

template <typename T>
uint64_t to_word(T value) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<uintptr_t>(value);
  else
    return static_cast<uint64_t>(static_cast<int64_t>(value));
}
template <typename T>
T from_word(uint64_t word) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<T>(static_cast<uintptr_t>(word));
  else
    return static_cast<T>(word);
}

/// The types that decide how an argument is passed: few functions for many signatures.
template <typename T>
using Passed = std::conditional_t<std::is_pointer_v<T>, void*,
                                  std::conditional_t<sizeof(T) == 8, int64_t, int32_t>>;

template <typename... Args>
struct Invoker {
  template <size_t... kIndices>
  static int with(void* function, void* handle, const uint64_t* words,
                  std::index_sequence<kIndices...>) {
    return reinterpret_cast<int (*)(void*, Args...)>(function)(handle,
                                                               from_word<Args>(words[kIndices])...);
  }
  static int call(void* function, void* handle, const uint64_t* words) {
    return with(function, handle, words, std::index_sequence_for<Args...>());
  }
};

class CallScope {
 public:
  CallScope() = default;
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;
  ~CallScope() {
    if (arguments_.count > 0) [[unlikely]]
      leave();
  }

  template <typename... Args>
  void note(const char* name, Handle*, Args... args)
    requires((kIsWord<Args> && ...) && sizeof...(Args) > 0 &&
             sizeof...(Args) <= CallArguments::kMost)
  {
    uint64_t* word = arguments_.words;
    ((*word++ = to_word(args)), ...);
    arguments_.count = sizeof...(Args);
    enter(name, &Invoker<Passed<Args>...>::call);
  }
  /// Functions without a handle, and those that take none but words, are nobody else's business.
  template <typename... Args>
  void note(const char*, Args...) {}

 private:
  void enter(const char* name, CallArguments::Invoke invoke);
  void leave();

  CallArguments arguments_;
  const CallArguments* before_ = nullptr;
};

class EntryCall final : public backend::LibraryCall {
 public:
  EntryCall(const CallArguments& arguments, const backend::BlasSettings& settings)
      : arguments_(arguments), settings_(settings) {}

  /// The first argument that points there will point to a copy of what is there now, aligned to 16 bytes: cuBLAS reads
  /// complex numbers as if they were.
  void keep(const void* start, size_t bytes);

  const char* function() const override { return arguments_.name; }
  const backend::BlasSettings& settings() const override { return settings_; }
  int call(backend::VendorLibrary& library) const override;

 private:
  struct Copy {
    uint32_t word;
    size_t offset;
  };
  CallArguments arguments_;
  backend::BlasSettings settings_;
  std::vector<Copy> copies_;
  std::vector<std::byte> contents_;  // aligned as operator new does
};

}  // namespace guda::cublas
