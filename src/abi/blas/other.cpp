// What does not fit the table: rotations' parameters, error handlers, and the small functions that
// libraries expect to find in a BLAS.
#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

#include "abi/blas/arguments.h"
#include "support/log.h"

namespace blas = guda::blas;

// The integers of the plain names; those with 64 in their names have 64 bits in any case.
#ifdef GUDA_BLAS_ILP64
using Integer = int64_t;
#else
using Integer = int32_t;
#endif

namespace {
// For GUDA's own cblas_xerbla: the position in the call as it was written. 0: take the argument.
thread_local int t_true_position = 0;
}  // namespace

extern "C" {

// Variables of the reference implementation that its test programs want to find.
GUDA_EXPORT int RowMajorStrg = 0;
GUDA_EXPORT int CBLAS_CallFromC = 0;

// The reference implementation stops the program here; like the other fast libraries, GUDA says what
// is wrong and returns. Programs that want something else define their own.
GUDA_EXPORT __attribute__((weak)) void xerbla_(const char* name, const Integer* info,
                                               size_t length) {
  while (length > 0 && name[length - 1] == ' ') --length;
  guda::log(guda::LogPart::blas, guda::LogLevel::error,
            "On entry to {} parameter number {} had an illegal value",
            std::string_view(name, length), *info);
}
GUDA_EXPORT __attribute__((weak)) void xerbla_64_(const char* name, const int64_t* info,
                                                  size_t length) {
  const auto position = static_cast<Integer>(*info);
  xerbla_(name, &position, length);
}
GUDA_EXPORT __attribute__((weak)) void cblas_xerbla(Integer position, const char* routine,
                                                    const char* format, ...) {
  char text[256] = "";
  if (format != nullptr && format[0] != '\0') {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text[std::strcspn(text, "\n")] = '\0';
  }
  guda::log(guda::LogPart::blas, guda::LogLevel::error,
            "Parameter {} to routine {} was incorrect{}{}",
            t_true_position != 0 ? t_true_position : position, routine, text[0] == '\0' ? "" : ": ",
            text);
}
GUDA_EXPORT __attribute__((weak)) void cblas_xerbla_64(int64_t position, const char* routine,
                                                       const char* format, ...) {
  static_cast<void>(format);
  cblas_xerbla(static_cast<Integer>(position), routine, "");
}

GUDA_EXPORT Integer lsame_(const char* a, const char* b) {
  return std::toupper(static_cast<unsigned char>(*a)) ==
         std::toupper(static_cast<unsigned char>(*b));
}
GUDA_EXPORT int64_t lsame_64_(const char* a, const char* b) { return lsame_(a, b); }

GUDA_EXPORT void xerbla_array_(const char* name, const Integer* length, const Integer* info) {
  xerbla_(name, info, static_cast<size_t>(*length));
}
GUDA_EXPORT void xerbla_array_64_(const char* name, const int64_t* length, const int64_t* info) {
  xerbla_64_(name, info, static_cast<size_t>(*length));
}

#define GUDA_ROTG(name, T, R)                                                       \
  GUDA_EXPORT void name##_(T* a, T* b, R* c, T* s) { blas::rotg(a, b, c, s); }      \
  GUDA_EXPORT void name##_64_(T* a, T* b, R* c, T* s) { blas::rotg(a, b, c, s); }   \
  GUDA_EXPORT void cblas_##name(T* a, T* b, R* c, T* s) { blas::rotg(a, b, c, s); } \
  GUDA_EXPORT void cblas_##name##_64(T* a, T* b, R* c, T* s) { blas::rotg(a, b, c, s); }
GUDA_ROTG(srotg, float, float)
GUDA_ROTG(drotg, double, double)
GUDA_ROTG(crotg, std::complex<float>, float)
GUDA_ROTG(zrotg, std::complex<double>, double)
#undef GUDA_ROTG

#define GUDA_ROTMG(name, T)                                                 \
  GUDA_EXPORT void name##_(T* d1, T* d2, T* x1, const T* y1, T* param) {    \
    blas::rotmg(d1, d2, x1, *y1, param);                                    \
  }                                                                         \
  GUDA_EXPORT void name##_64_(T* d1, T* d2, T* x1, const T* y1, T* param) { \
    blas::rotmg(d1, d2, x1, *y1, param);                                    \
  }                                                                         \
  GUDA_EXPORT void cblas_##name(T* d1, T* d2, T* x1, T y1, T* param) {      \
    blas::rotmg(d1, d2, x1, y1, param);                                     \
  }                                                                         \
  GUDA_EXPORT void cblas_##name##_64(T* d1, T* d2, T* x1, T y1, T* param) { \
    blas::rotmg(d1, d2, x1, y1, param);                                     \
  }
GUDA_ROTMG(srotmg, float)
GUDA_ROTMG(drotmg, double)
#undef GUDA_ROTMG

#define GUDA_CABS1(name, T, R)                                              \
  GUDA_EXPORT R name##_(const T* z) { return blas::absolute_sum(*z); }      \
  GUDA_EXPORT R name##_64_(const T* z) { return blas::absolute_sum(*z); }   \
  GUDA_EXPORT R cblas_##name(const T* z) { return blas::absolute_sum(*z); } \
  GUDA_EXPORT R cblas_##name##_64(const T* z) { return blas::absolute_sum(*z); }
GUDA_CABS1(scabs1, std::complex<float>, float)
GUDA_CABS1(dcabs1, std::complex<double>, double)
#undef GUDA_CABS1

}  // extern "C"

namespace guda::abi {

void report_fortran(const char* routine, int position) {
  // Fortran's strings: six characters at least, padded.
  std::string name(routine);
  if (name.size() < 6) name.resize(6, ' ');
  const Integer info = position;
  xerbla_(name.c_str(), &info, name.size());
}

void report_cblas(const char* routine, int position, int reference_position) {
  t_true_position = position;
  cblas_xerbla(reference_position, routine, "");
  t_true_position = 0;
}

}  // namespace guda::abi
