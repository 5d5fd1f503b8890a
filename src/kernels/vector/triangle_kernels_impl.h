// Triangular matrices of some tens of rows times, or against, a panel of right-hand sides that fills a few
// vectors: the innermost part of trmm and trsm. Included like vector_kernels_impl.h, after it.
//
// The triangle is lower, by rows: element (i, k) at m[(i * n + k) * reals], k <= i. Row k of the panel is
// kPanelVectors vectors of reals; complex panels have a row of real parts, then one of imaginary parts.
// `solve` divides by a real diagonal, and takes the reciprocals of a complex one in its place.

constexpr int kPanelVectors = 2;

template <class T>
struct TriangleKernels {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  static constexpr int64_t reals = Element<T>::reals;
  static constexpr int lanes = kPanelVectors * S::lanes;
  static constexpr int kRows = Element<T>::complex ? 2 : 4;

  // One row of the panel, and what can be done with it.
  struct Row {
    V v[reals][kPanelVectors];

    void load(const R* panel, int64_t row) {
#pragma GCC unroll 8
      for (int p = 0; p < reals; ++p)
#pragma GCC unroll 8
        for (int u = 0; u < kPanelVectors; ++u)
          v[p][u] = S::load(panel + (row * reals + p) * lanes + u * S::lanes);
    }
    void store(R* panel, int64_t row) const {
#pragma GCC unroll 8
      for (int p = 0; p < reals; ++p)
#pragma GCC unroll 8
        for (int u = 0; u < kPanelVectors; ++u)
          S::store(panel + (row * reals + p) * lanes + u * S::lanes, v[p][u]);
    }
    // this += sign m x
    template <int sign>
    void add(const R* m, const Row& x) {
      const V re = broadcast<R>(sign * m[0]);
#pragma GCC unroll 8
      for (int u = 0; u < kPanelVectors; ++u) {
        v[0][u] += re * x.v[0][u];
        if constexpr (Element<T>::complex) {
          const V im = broadcast<R>(sign * m[1]);
          v[0][u] -= im * x.v[1][u];
          v[1][u] += re * x.v[1][u];
          v[1][u] += im * x.v[0][u];
        }
      }
    }
    void multiply(const R* m) {
      const V re = broadcast<R>(m[0]);
#pragma GCC unroll 8
      for (int u = 0; u < kPanelVectors; ++u) {
        if constexpr (Element<T>::complex) {
          const V im = broadcast<R>(m[1]);
          const V real = re * v[0][u] - im * v[1][u];
          v[1][u] = re * v[1][u] + im * v[0][u];
          v[0][u] = real;
        } else {
          v[0][u] *= re;
        }
      }
    }
    // A reciprocal would cost real types half a digit of accuracy.
    void divide(const R* m) {
      if constexpr (Element<T>::complex) return multiply(m);
      const V divisor = broadcast<R>(m[0]);
#pragma GCC unroll 8
      for (int u = 0; u < kPanelVectors; ++u) v[0][u] /= divisor;
    }
  };

  template <int rows>
  static void solve_rows(int64_t n, int64_t i, const R* m, R* panel) {
    Row x[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) x[r].load(panel, i + r);
    for (int64_t k = 0; k < i; ++k) {
      Row known;
      known.load(panel, k);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) x[r].template add<-1>(m + ((i + r) * n + k) * reals, known);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 8
      for (int k = 0; k < r; ++k) x[r].template add<-1>(m + ((i + r) * n + i + k) * reals, x[k]);
      x[r].divide(m + ((i + r) * n + i + r) * reals);
      x[r].store(panel, i + r);
    }
  }
  static void solve(int64_t n, const T* m, R* panel) {
    const R* parts = reinterpret_cast<const R*>(m);
    int64_t i = 0;
    for (; i + kRows <= n; i += kRows) solve_rows<kRows>(n, i, parts, panel);
    for (; i < n; ++i) solve_rows<1>(n, i, parts, panel);
  }

  // Rows from the last to the first: those before are still unchanged.
  template <int rows>
  static void multiply_rows(int64_t n, int64_t i, const R* m, R* panel) {
    Row y[rows];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) y[r].load(panel, i + r);
#pragma GCC unroll 8
    for (int r = rows - 1; r >= 0; --r) {
      y[r].multiply(m + ((i + r) * n + i + r) * reals);
#pragma GCC unroll 8
      for (int k = 0; k < r; ++k) y[r].template add<1>(m + ((i + r) * n + i + k) * reals, y[k]);
    }
    for (int64_t k = 0; k < i; ++k) {
      Row x;
      x.load(panel, k);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) y[r].template add<1>(m + ((i + r) * n + k) * reals, x);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) y[r].store(panel, i + r);
  }
  static void multiply(int64_t n, const T* m, R* panel) {
    const R* parts = reinterpret_cast<const R*>(m);
    int64_t i = n;
    for (; i % kRows != 0; --i) multiply_rows<1>(n, i - 1, parts, panel);
    for (; i > 0; i -= kRows) multiply_rows<kRows>(n, i - kRows, parts, panel);
  }

  static constexpr TrianglePanelKernels<T> table = {
      .lanes = lanes, .solve = solve, .multiply = multiply};
};
