// Exported names and the C++ functions behind them.
//
//   GUDA_ENTRY(cublasSgemm_v2, gemm<float, int>);
//
// makes guda_cublas_cublasSgemm_v2, a jump to a wrapper of gemm<float, int>, which the thin libraries
// forward to. The wrapper is where every call is logged (cublasLoggerConfigure), exceptions end and a
// refused call leaves its one line in GUDA's log.
#pragma once

#include "abi/cublas/call_log.h"
#include "abi/cublas/entry_call.h"
#include "abi/cublas/types.h"

#include <algorithm>
#include <new>
#include <type_traits>

namespace guda::cublas {

/// A function's name as a template argument.
template <size_t N>
struct EntryName {
  char text[N];
  consteval EntryName(const char (&name)[N]) { std::copy_n(name, N, text); }
};

/// An argument or result as the calling convention sees it: p pointer, b, i, l integers of 1, 4 and 8 bytes
/// (enumerations too), f and d, c and z complex, v nothing.
template <typename T>
constexpr char signature_letter() {
  if constexpr (std::is_void_v<T>)
    return 'v';
  else if constexpr (std::is_pointer_v<T>)
    return 'p';
  else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
    return sizeof(T) == 8 ? 'l' : sizeof(T) == 4 ? 'i' : 'b';
  else if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 8 ? 'd' : 'f';
  else
    return sizeof(T) == 16 ? 'z' : 'c';
}

/// Name and signature of an entry, the result first. Without pointers, so that nothing is relocated when the
/// library is loaded. signatures_test.cpp compares them with the toolkit's headers.
struct EntryRecord {
  char name[64];
  char signature[32];
};
template <typename R, typename... Args>
consteval EntryRecord entry_record(const char* name, R (*)(Args...)) {
  EntryRecord record{};
  for (size_t i = 0; name[i]; ++i) record.name[i] = name[i];
  const char letters[] = {signature_letter<R>(), signature_letter<Args>()...};
  static_assert(sizeof letters < sizeof record.signature);
  for (size_t i = 0; i < sizeof letters; ++i) record.signature[i] = letters[i];
  return record;
}

template <EntryName kName, auto* kFunction>
struct Entry;

template <EntryName kName, typename R, typename... Args, R (*kFunction)(Args...)>
struct Entry<kName, kFunction> {
  static R call(Args... args) {
    current_entry = kName.text;
    if (call_log_enabled()) [[unlikely]]
      log_call(kName.text, args...);
    if constexpr (std::is_same_v<R, Result>) {
      CallScope scope;
      if (with_devices()) [[unlikely]]
        scope.note(kName.text, args...);
      try {
        Result result = kFunction(args...);
        if (result != kSuccess) [[unlikely]]
          log_failure(kName.text, result);
        return result;
      } catch (const std::bad_alloc&) {
        log_failure(kName.text, kAllocFailed);
        return kAllocFailed;
      }
    } else {
      return kFunction(args...);
    }
  }
};

}  // namespace guda::cublas

#if defined(__x86_64__)
#define GUDA_ENTRY_JUMP(name) "  jmp *guda_cublas_entry_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define GUDA_ENTRY_JUMP(name)                       \
  "  adrp x16, guda_cublas_entry_" #name            \
  "\n"                                              \
  "  ldr x16, [x16, :lo12:guda_cublas_entry_" #name \
  "]\n"                                             \
  "  br x16\n"
#else
#error "no jump for this processor"
#endif

// The pointer is local to its file; only the jump is exported.
#define GUDA_ENTRY(name, ...)                                                                      \
  __attribute__((used)) static auto* const entry_##name __asm__("guda_cublas_entry_" #name) =      \
      &::guda::cublas::Entry<#name, &__VA_ARGS__>::call;                                           \
  __attribute__((                                                                                  \
      used,                                                                                        \
      section(                                                                                     \
          "guda_cublas_entries"))) static constexpr ::guda::cublas::EntryRecord record_##name =    \
      ::guda::cublas::entry_record(                                                                \
          #name,                                                                                   \
          static_cast<decltype(&::guda::cublas::Entry<#name, &__VA_ARGS__>::call)>(nullptr));      \
  __asm__(".pushsection .text\n.p2align 4\n.globl guda_cublas_" #name "\n.type guda_cublas_" #name \
          ", @function\nguda_cublas_" #name ":\n" GUDA_ENTRY_JUMP(name) ".size guda_cublas_" #name \
                                                                        ", . - guda_cublas_" #name \
                                                                        "\n.popsection\n")

// `function` is a template over the integer of sizes, after the types given: the plain name has int, the
// name with _64 int64_t.
#define GUDA_ENTRY_SIZES(name, function, ...)   \
  GUDA_ENTRY(name, function<__VA_ARGS__, int>); \
  GUDA_ENTRY(name##_64, function<__VA_ARGS__, int64_t>)
#define GUDA_ENTRY_PLAIN_SIZES(name, function) \
  GUDA_ENTRY(name, function<int>);             \
  GUDA_ENTRY(name##_64, function<int64_t>)
// One name for each element type: cublasS<routine>, cublasD<routine>, ...; more template arguments between
// the type and the integer may follow.
#define GUDA_ENTRY_SD(routine, function, ...)                                     \
  GUDA_ENTRY_SIZES(cublasS##routine, function, float __VA_OPT__(, ) __VA_ARGS__); \
  GUDA_ENTRY_SIZES(cublasD##routine, function, double __VA_OPT__(, ) __VA_ARGS__)
#define GUDA_ENTRY_CZ(routine, function, ...)                                            \
  GUDA_ENTRY_SIZES(cublasC##routine, function, ComplexFloat __VA_OPT__(, ) __VA_ARGS__); \
  GUDA_ENTRY_SIZES(cublasZ##routine, function, ComplexDouble __VA_OPT__(, ) __VA_ARGS__)
#define GUDA_ENTRY_SDCZ(routine, function, ...)                \
  GUDA_ENTRY_SD(routine, function __VA_OPT__(, ) __VA_ARGS__); \
  GUDA_ENTRY_CZ(routine, function __VA_OPT__(, ) __VA_ARGS__)
// Without a _64 form.
#define GUDA_ENTRY_SDCZ_INT(routine, function)          \
  GUDA_ENTRY(cublasS##routine, function<float>);        \
  GUDA_ENTRY(cublasD##routine, function<double>);       \
  GUDA_ENTRY(cublasC##routine, function<ComplexFloat>); \
  GUDA_ENTRY(cublasZ##routine, function<ComplexDouble>)
