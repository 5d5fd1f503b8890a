// What the generated Fortran and C interfaces are written in: options from characters and enumerators, and
// the error handlers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "blas/gemm.h"
#include "blas/level1.h"
#include "blas/level2.h"
#include "blas/level3.h"

#define GUDA_EXPORT __attribute__((visibility("default")))

/// CBLAS's enumerations.
using CBLAS_LAYOUT = int;
using CBLAS_TRANSPOSE = int;
using CBLAS_UPLO = int;
using CBLAS_DIAG = int;
using CBLAS_SIDE = int;
inline constexpr int CblasRowMajor = 101, CblasColMajor = 102;
inline constexpr int CblasNoTrans = 111, CblasTrans = 112, CblasConjTrans = 113;
inline constexpr int CblasUpper = 121, CblasLower = 122;
inline constexpr int CblasNonUnit = 131, CblasUnit = 132;
inline constexpr int CblasLeft = 141, CblasRight = 142;

namespace guda::abi {

using blas::Diagonal;
using blas::Side;
using blas::Transpose;
using blas::Triangle;

/// Calls xerbla_ (which a program may replace) with the routine's name and the position of the
/// argument.
void report_fortran(const char* routine, int position);
/// Calls cblas_xerbla likewise, with the position that the reference implementation would hand it.
void report_cblas(const char* routine, int position, int reference_position);

// Fortran's options: the first character, in either case.
inline std::optional<Transpose> transpose_of(char option) {
  switch (option) {
    case 'N':
    case 'n': return Transpose::no;
    case 'T':
    case 't': return Transpose::yes;
    case 'C':
    case 'c': return Transpose::conjugate;
    default: return std::nullopt;
  }
}
inline std::optional<Triangle> triangle_of(char option) {
  switch (option) {
    case 'U':
    case 'u': return Triangle::upper;
    case 'L':
    case 'l': return Triangle::lower;
    default: return std::nullopt;
  }
}
inline std::optional<Diagonal> diagonal_of(char option) {
  switch (option) {
    case 'U':
    case 'u': return Diagonal::unit;
    case 'N':
    case 'n': return Diagonal::stored;
    default: return std::nullopt;
  }
}
inline std::optional<Side> side_of(char option) {
  switch (option) {
    case 'L':
    case 'l': return Side::left;
    case 'R':
    case 'r': return Side::right;
    default: return std::nullopt;
  }
}

inline std::optional<Transpose> transpose_of(int option) {
  switch (option) {
    case CblasNoTrans: return Transpose::no;
    case CblasTrans: return Transpose::yes;
    case CblasConjTrans: return Transpose::conjugate;
    default: return std::nullopt;
  }
}
inline std::optional<Triangle> triangle_of(int option) {
  switch (option) {
    case CblasUpper: return Triangle::upper;
    case CblasLower: return Triangle::lower;
    default: return std::nullopt;
  }
}
inline std::optional<Diagonal> diagonal_of(int option) {
  switch (option) {
    case CblasUnit: return Diagonal::unit;
    case CblasNonUnit: return Diagonal::stored;
    default: return std::nullopt;
  }
}
inline std::optional<Side> side_of(int option) {
  switch (option) {
    case CblasLeft: return Side::left;
    case CblasRight: return Side::right;
    default: return std::nullopt;
  }
}

inline int64_t at_least_one(int64_t n) { return std::max<int64_t>(1, n); }
/// The dimension `plain`, or `transposed` when the operand is.
inline int64_t op(Transpose trans, int64_t plain, int64_t transposed) {
  return trans == Transpose::no ? plain : transposed;
}
/// The order of the square operand.
inline int64_t order(Side side, int64_t m, int64_t n) { return side == Side::left ? m : n; }

/// CBLAS has no number for "none".
inline size_t index_or_zero(int64_t index) { return index < 0 ? 0 : static_cast<size_t>(index); }

}  // namespace guda::abi
