// How the tests call cuBLAS: through the exported names, as programs do. GUDA_TEST_LIBCUBLAS and
// GUDA_TEST_LIBCUDART name other libraries to run the same promises against, such as NVIDIA's.
#pragma once

#include "abi/cublas/element.h"
#include "abi/cublas/types.h"

#include <gtest/gtest.h>

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace guda::cublas::test {

inline void* open_library(const char* variable, const char* path) {
  const char* other = std::getenv(variable);
  void* handle = dlopen(other ? other : path, RTLD_NOW);
  if (!handle) std::fprintf(stderr, "%s\n", dlerror());
  return handle;
}

/// Whether the library under test is NVIDIA's. Parts that only hold for GUDA ask for it, with a reason.
inline bool against_nvidia() { return std::getenv("GUDA_TEST_LIBCUBLAS") != nullptr; }

/// Names of what was called and did something: whatever returned no refusal. coverage_test.cpp compares them
/// with the table.
inline std::set<std::string>& worked_names() {
  static std::set<std::string> names;
  return names;
}

inline void* find_symbol(const std::string& name) {
  static void* cudart = open_library("GUDA_TEST_LIBCUDART", GUDA_LIBRARIES "/libcudart.so.13");
  static void* lt = open_library("GUDA_TEST_LIBCUBLASLT", GUDA_LIBRARIES "/libcublasLt.so.13");
  static void* main = open_library("GUDA_TEST_LIBCUBLAS", GUDA_LIBRARIES "/libcublas.so.13");
  static void* nvblas = open_library("GUDA_TEST_LIBNVBLAS", GUDA_LIBRARIES "/libnvblas.so.13");
  void* library = name.starts_with("cuda")       ? cudart
                  : name.starts_with("cublasLt") ? lt
                  : name.starts_with("cublas")   ? main
                                                 : nvblas;
  void* symbol = library ? dlsym(library, name.c_str()) : nullptr;
  if (!symbol) ADD_FAILURE() << name << " is not exported";
  return symbol;
}

/// The function that was called last.
inline std::string& last_name() {
  static std::string name;
  return name;
}

template <typename R, typename... Args>
R call_as(const std::string& name, Args... args) {
  auto* function = reinterpret_cast<R (*)(Args...)>(find_symbol(name));
  worked_names().insert(name);
  if (!name.starts_with("cuda")) last_name() = name;
  return function(args...);
}
/// An exported function that returns a status.
template <typename... Args>
int call(const std::string& name, Args... args) {
  auto* function = reinterpret_cast<int (*)(Args...)>(find_symbol(name));
  if (!name.starts_with("cuda")) last_name() = name;
  int status = function(args...);
  if (status == 0) worked_names().insert(name);
  return status;
}

inline void synchronize() { ASSERT_EQ(call("cudaDeviceSynchronize"), 0); }

/// Memory of all Arrays that there are, and its size.
inline std::map<void*, size_t>& live_arrays() {
  static std::map<void*, size_t> arrays;
  return arrays;
}

/// Memory that both sides can use.
template <class T>
class Array {
 public:
  explicit Array(size_t count, T value = T()) : count_(count) {
    void* memory = nullptr;
    if (call("cudaMallocManaged", &memory, std::max<size_t>(count, 1) * sizeof(T), 1u) != 0)
      std::abort();
    data_ = static_cast<T*>(memory);
    live_arrays()[memory] = std::max<size_t>(count, 1) * sizeof(T);
    for (size_t i = 0; i < count; ++i) data_[i] = value;
  }
  Array(const std::vector<T>& values) : Array(values.size()) {
    for (size_t i = 0; i < count_; ++i) data_[i] = values[i];
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
    live_arrays().erase(data_);
    call("cudaFree", static_cast<void*>(data_));
  }
  T* get() const { return data_; }
  T& operator[](size_t i) const { return data_[i]; }
  size_t size() const { return count_; }
  std::vector<T> values() const { return {data_, data_ + count_}; }

 private:
  T* data_;
  size_t count_;
};

/// A handle for the life of a test.
struct Cublas {
  void* handle = nullptr;
  Cublas() { EXPECT_EQ(call("cublasCreate_v2", &handle), 0); }
  ~Cublas() { EXPECT_EQ(call("cublasDestroy_v2", handle), 0); }
  void pointer_mode(int mode) { EXPECT_EQ(call("cublasSetPointerMode_v2", handle, mode), 0); }
};

template <class T>
struct Letter;
template <>
struct Letter<float> {
  static constexpr const char* upper = "S";
  static constexpr const char* lower = "s";
};
template <>
struct Letter<double> {
  static constexpr const char* upper = "D";
  static constexpr const char* lower = "d";
};
template <>
struct Letter<ComplexFloat> {
  static constexpr const char* upper = "C";
  static constexpr const char* lower = "c";
};
template <>
struct Letter<ComplexDouble> {
  static constexpr const char* upper = "Z";
  static constexpr const char* lower = "z";
};
/// cublasS<routine> and so on.
template <class T>
std::string name_of(const std::string& routine) {
  return std::string("cublas") + Letter<T>::upper + routine;
}

using blas::is_complex;
using blas::Real;

template <class T>
Real<T> tolerance() {
  return sizeof(Real<T>) == 4 ? Real<T>(2e-4) : Real<T>(1e-11);
}

inline std::mt19937& generator() {
  static std::mt19937 engine(20);
  return engine;
}
template <class T>
T random_value() {
  std::uniform_real_distribution<double> real(-1, 1);
  if constexpr (is_complex<T>) {
    auto re = static_cast<Real<T>>(real(generator()));
    return {re, static_cast<Real<T>>(real(generator()))};
  } else {
    return static_cast<T>(real(generator()));
  }
}
template <class T>
std::vector<T> random_values(size_t count) {
  std::vector<T> values(count);
  for (T& value : values) value = random_value<T>();
  return values;
}

template <class T>
void expect_near(const std::vector<T>& expected, const std::vector<T>& actual,
                 const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    double distance = std::abs(expected[i] - actual[i]);
    double allowed = tolerance<T>() * (1 + std::abs(expected[i]));
    ASSERT_LE(distance, allowed) << what << " at " << i << ": " << expected[i] << " and "
                                 << actual[i];
  }
}
template <class T>
void expect_near(T expected, T actual, const std::string& what) {
  expect_near(std::vector<T>{expected}, std::vector<T>{actual}, what);
}

/// A dense matrix for definitions: element (i, j) at [i + j * rows].
template <class T>
struct Dense {
  int64_t rows, columns;
  std::vector<T> values;
  Dense(int64_t r, int64_t c) : rows(r), columns(c), values(r * c) {}
  T& operator()(int64_t i, int64_t j) { return values[i + j * rows]; }
  const T& operator()(int64_t i, int64_t j) const { return values[i + j * rows]; }
};

template <class T>
Dense<T> read_dense(const T* stored, int64_t rows, int64_t columns, int64_t ld) {
  Dense<T> result(rows, columns);
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = 0; i < rows; ++i) result(i, j) = stored[i + j * ld];
  return result;
}

template <class T>
Dense<T> applied(Op op, const Dense<T>& matrix) {
  if (op == kN) return matrix;
  Dense<T> result(matrix.columns, matrix.rows);
  for (int64_t i = 0; i < matrix.rows; ++i)
    for (int64_t j = 0; j < matrix.columns; ++j)
      result(j, i) = op == kC ? blas::conjugate(matrix(i, j)) : matrix(i, j);
  return result;
}

/// alpha A B + beta C.
template <class T>
Dense<T> multiply_add(T alpha, const Dense<T>& a, const Dense<T>& b, T beta, const Dense<T>& c) {
  Dense<T> result(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j) {
      T sum{};
      for (int64_t p = 0; p < a.columns; ++p) sum += a(i, p) * b(p, j);
      result(i, j) = alpha * sum + (beta == T(0) ? T(0) : beta * c(i, j));
    }
  return result;
}

enum class Shape { symmetric, hermitian, triangular };

/// The matrix that one stored triangle stands for.
template <class T>
Dense<T> expand(Shape shape, Fill fill, Diag diag, const Dense<T>& stored) {
  Dense<T> result(stored.rows, stored.columns);
  for (int64_t i = 0; i < stored.rows; ++i)
    for (int64_t j = 0; j < stored.columns; ++j) {
      bool inside = fill == kLower ? i >= j : i <= j;
      if (i == j && shape == Shape::hermitian)
        result(i, j) = blas::real_part(stored(i, j));
      else if (i == j && shape == Shape::triangular && diag == kUnit)
        result(i, j) = T(1);
      else if (inside)
        result(i, j) = stored(i, j);
      else if (shape == Shape::triangular)
        result(i, j) = T(0);
      else
        result(i, j) = shape == Shape::hermitian ? blas::conjugate(stored(j, i)) : stored(j, i);
    }
  return result;
}

/// Elements outside the triangle that must not change, and those inside with their new values.
template <class T>
std::vector<T> merge_triangle(Fill fill, const Dense<T>& inside, const Dense<T>& outside) {
  Dense<T> result(inside.rows, inside.columns);
  for (int64_t i = 0; i < inside.rows; ++i)
    for (int64_t j = 0; j < inside.columns; ++j)
      result(i, j) = (fill == kLower ? i >= j : i <= j) ? inside(i, j) : outside(i, j);
  return result.values;
}

/// Packed storage of a triangle.
template <class T>
std::vector<T> pack(Fill fill, const Dense<T>& matrix) {
  std::vector<T> packed;
  for (int64_t j = 0; j < matrix.columns; ++j)
    for (int64_t i = fill == kLower ? j : 0; i < (fill == kLower ? matrix.rows : j + 1); ++i)
      packed.push_back(matrix(i, j));
  return packed;
}

/// Band storage of a matrix with kl sub- and ku superdiagonals; the rest of the matrix is cleared.
template <class T>
std::vector<T> band(Dense<T>& matrix, int64_t kl, int64_t ku) {
  int64_t ld = kl + ku + 1;
  std::vector<T> stored(ld * matrix.columns, T(77));
  for (int64_t j = 0; j < matrix.columns; ++j)
    for (int64_t i = 0; i < matrix.rows; ++i) {
      if (i - j > kl || j - i > ku)
        matrix(i, j) = T(0);
      else
        stored[ku + i - j + j * ld] = matrix(i, j);
    }
  return stored;
}

/// The vector behind a pointer with an increment, in the order of its indices.
template <class T>
std::vector<T> gather(const T* x, int64_t n, int64_t increment) {
  std::vector<T> result;
  const T* first = increment < 0 ? x - (n - 1) * increment : x;
  for (int64_t i = 0; i < n; ++i) result.push_back(first[i * increment]);
  return result;
}
template <class T>
Dense<T> column(const std::vector<T>& values) {
  Dense<T> result(static_cast<int64_t>(values.size()), 1);
  result.values = values;
  return result;
}

inline char character(Op op) { return op == kN ? 'N' : op == kT ? 't' : 'C'; }
inline char character(Fill fill) { return fill == kLower ? 'L' : 'u'; }
inline char character(Diag diag) { return diag == kUnit ? 'U' : 'n'; }
inline char character(SideMode side) { return side == kLeft ? 'l' : 'R'; }

/// A scalar where the pointer mode wants it.
template <class S>
struct Place {
  Array<S> device;
  S host;
  explicit Place(S value) : device(1, value), host(value) {}
  const S* at(bool on_device) const { return on_device ? device.get() : &host; }
};

/// Runs the three forms of a routine on copies of `start`: scalars on the host, on the device, cublas.h.
template <class T, class V2, class Old>
void three_ways(const std::string& what, const std::vector<T>& start,
                const std::vector<T>& expected, bool has_old, V2 v2, Old old) {
  for (int mode = 0; mode < (has_old ? 3 : 2); ++mode) {
    Cublas cublas;
    Array<T> out(start);
    if (mode == 2) {
      old(out.get());
      EXPECT_EQ(call("cublasGetError"), 0) << what;
    } else {
      cublas.pointer_mode(mode);
      EXPECT_EQ(v2(cublas.handle, out.get(), mode == 1), 0) << what;
    }
    synchronize();
    expect_near(expected, out.values(), what + ", mode " + std::to_string(mode));
  }
}

template <class Int>
const char* suffix() {
  return sizeof(Int) == 8 ? "_64" : "";
}

/// Instantiates `body<T, Int>()` for the element types given and both widths of sizes.
#define GUDA_FOR_TYPES(body, ...) \
  for_types<__VA_ARGS__>([]<class T, class Int>() { body<T, Int>(); })
template <class... Types, class Body>
void for_types(Body body) {
  ((body.template operator()<Types, int>(), body.template operator()<Types, int64_t>()), ...);
}

}  // namespace guda::cublas::test
