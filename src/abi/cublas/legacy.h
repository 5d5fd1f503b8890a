// The interface of cublas.h, made from the functions of cublas_v2.h: characters for enumerations, scalars
// by value, results as return values, one handle for all, errors kept for cublasGetError.
//
//   GUDA_LEGACY_SDCZ(gemm, at(5, 10), gemm);
//
// makes cublasSgemm from gemm<float, int>, whose arguments 5 and 10 (after the handle) are the scalars.
#pragma once

#include "abi/cublas/entry.h"
#include "abi/cublas/handle.h"

#include <string>
#include <tuple>

namespace guda::cublas {

/// The handle behind all legacy calls.
Handle* legacy_handle();
/// What the next cublasGetError returns, unless an error is kept already.
void keep_legacy_result(Result result);

/// The name that cublas_v2.h has for the function of cublas.h that the thread is in.
inline std::string v2_name() { return std::string(current_entry) + "_v2"; }

/// A set of argument positions.
template <typename... Positions>
consteval unsigned at(Positions... positions) {
  return ((1u << positions) | ... | 0u);
}

/// Values that no check lets through stand for unknown characters.
inline constexpr int kUnknownCharacter = -1;
inline Op from_character(char c, Op*) {
  switch (c) {
    case 'n':
    case 'N': return kN;
    case 't':
    case 'T': return kT;
    case 'c':
    case 'C': return kC;
    default: return static_cast<Op>(kUnknownCharacter);
  }
}
inline Fill from_character(char c, Fill*) {
  return c == 'l' || c == 'L'   ? kLower
         : c == 'u' || c == 'U' ? kUpper
                                : static_cast<Fill>(kUnknownCharacter);
}
inline Diag from_character(char c, Diag*) {
  return c == 'n' || c == 'N'   ? kNonUnit
         : c == 'u' || c == 'U' ? kUnit
                                : static_cast<Diag>(kUnknownCharacter);
}
inline SideMode from_character(char c, SideMode*) {
  return c == 'l' || c == 'L'   ? kLeft
         : c == 'r' || c == 'R' ? kRight
                                : static_cast<SideMode>(kUnknownCharacter);
}

template <typename Argument, bool kByValue>
struct LegacyArgument {
  using type = std::conditional_t<std::is_enum_v<Argument>, char, Argument>;
  static Argument pass(const type& value) {
    if constexpr (std::is_enum_v<Argument>)
      return from_character(value, static_cast<Argument*>(nullptr));
    else
      return value;
  }
};
template <typename Argument>
struct LegacyArgument<Argument, true> {
  using type = std::remove_const_t<std::remove_pointer_t<Argument>>;
  static Argument pass(const type& value) { return const_cast<type*>(&value); }
};

template <auto* kFunction, unsigned kByValue, typename = void>
struct Legacy;
template <auto* kFunction, unsigned kByValue, size_t... kPositions>
struct Legacy<kFunction, kByValue, std::index_sequence<kPositions...>> {
  template <typename Signature>
  struct With;
  template <typename... Args>
  struct With<Result (*)(Handle*, Args...)> {
    static void call(typename LegacyArgument<Args, (kByValue >> kPositions) & 1>::type... args) {
      CallScope scope;
      if (with_devices()) [[unlikely]] {
        static const std::string name = v2_name();
        scope.note(name.c_str(), legacy_handle(),
                   LegacyArgument<Args, (kByValue >> kPositions) & 1>::pass(args)...);
      }
      keep_legacy_result(kFunction(
          legacy_handle(), LegacyArgument<Args, (kByValue >> kPositions) & 1>::pass(args)...));
    }
  };
};

template <typename... Args>
constexpr size_t count_arguments(Result (*)(Handle*, Args...)) {
  return sizeof...(Args);
}
template <auto* kFunction, unsigned kByValue>
inline constexpr auto* kLegacyCall =
    &Legacy<kFunction, kByValue, std::make_index_sequence<count_arguments(kFunction)>>::
        template With<decltype(kFunction)>::call;

/// For routines whose last argument is where the result goes: n, vectors and increments before it.
template <auto* kFunction>
struct LegacyResult;
template <typename T, typename R, Result (*kFunction)(Handle*, int, const T*, int, R*)>
struct LegacyResult<kFunction> {
  static R call(int n, const T* x, int incx) {
    R result{};
    CallScope scope;
    if (with_devices()) [[unlikely]] {
      static const std::string name = v2_name();
      scope.note(name.c_str(), legacy_handle(), n, x, incx, &result);
    }
    keep_legacy_result(kFunction(legacy_handle(), n, x, incx, &result));
    return result;
  }
};
template <typename T, Result (*kFunction)(Handle*, int, const T*, int, const T*, int, T*)>
struct LegacyResult<kFunction> {
  static T call(int n, const T* x, int incx, const T* y, int incy) {
    T result{};
    CallScope scope;
    if (with_devices()) [[unlikely]] {
      static const std::string name = v2_name();
      scope.note(name.c_str(), legacy_handle(), n, x, incx, y, incy, &result);
    }
    keep_legacy_result(kFunction(legacy_handle(), n, x, incx, y, incy, &result));
    return result;
  }
};

}  // namespace guda::cublas

#define GUDA_LEGACY(name, by_value, ...) GUDA_ENTRY(name, *kLegacyCall<&__VA_ARGS__, by_value>)
#define GUDA_LEGACY_SD(routine, by_value, function, ...)                                    \
  GUDA_LEGACY(cublasS##routine, by_value, function<float __VA_OPT__(, ) __VA_ARGS__, int>); \
  GUDA_LEGACY(cublasD##routine, by_value, function<double __VA_OPT__(, ) __VA_ARGS__, int>)
#define GUDA_LEGACY_CZ(routine, by_value, function, ...)                                           \
  GUDA_LEGACY(cublasC##routine, by_value, function<ComplexFloat __VA_OPT__(, ) __VA_ARGS__, int>); \
  GUDA_LEGACY(cublasZ##routine, by_value, function<ComplexDouble __VA_OPT__(, ) __VA_ARGS__, int>)
#define GUDA_LEGACY_SDCZ(routine, by_value, function, ...)                \
  GUDA_LEGACY_SD(routine, by_value, function __VA_OPT__(, ) __VA_ARGS__); \
  GUDA_LEGACY_CZ(routine, by_value, function __VA_OPT__(, ) __VA_ARGS__)
#define GUDA_LEGACY_RESULT(name, ...) GUDA_ENTRY(name, LegacyResult<&__VA_ARGS__>::call)
