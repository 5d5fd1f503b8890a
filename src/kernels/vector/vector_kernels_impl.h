// The vector kernels over a Simd<R> that the including file defines for its instruction set:
//   V                   a vector of `lanes` reals, with GCC's vector operators
//   load(p), load(p, n), store(p, v), store(p, v, n)   whole, and the first n lanes only
//   load_masked(p, mask), store_masked(p, v, mask)     lanes of a Mask only
//   select(mask, a, b)  a in lanes of the mask, else b
//   range(from, to)     the mask of lanes from ... to - 1; from <= lanes, 0 <= to <= lanes
//   both(a, b)          lanes that are in both masks
//   broadcast_lane<i>(v)
//   sum(v), sum_eight(v, sums), sum_pairs(v, sums)     of the lanes; even and odd ones apart
//   swap_pairs(v)       exchanges neighbours (real and imaginary parts)
//   max(a, b), min(a, b)   b where a is NaN; count_equal(a, b)   lanes that compare equal
//   registers           how many the instruction set has
// Included once per instruction set inside an anonymous namespace: code compiled for one processor must not
// be what the linker keeps for all. For the same reason nothing here calls a library's inline function;
// complex vectors are vectors of reals, twice as long.

#include "kernels/vector/vector_loops_impl.h"

template <class T>
struct Kernels {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  static constexpr int64_t reals = Element<T>::reals;

  // Elements of a vector; the columns that are taken together where they are slanted.
  static constexpr int64_t kStep = S::lanes / reals;
  static constexpr int kSlopeVectors = 4;
  static constexpr int64_t kGroup =
      kSlopeVectors * kStep < kMostSlantedColumns ? kSlopeVectors * kStep : kMostSlantedColumns;

  static const R* parts(const T* p) { return reinterpret_cast<const R*>(p); }
  static R* parts(T* p) { return reinterpret_cast<R*>(p); }

  // Calls body(i, load, store) as for_vectors does, four whole vectors in flight.
  template <class Body>
  [[gnu::always_inline]] static void for_vectors_unrolled(int64_t n, int64_t lead, Body body) {
    for_vectors<R>(lead, lead, body);
    int64_t i = lead;
    for (; i + 4 * S::lanes <= n; i += 4 * S::lanes) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u)
        body(
            i + u * S::lanes, [](const R* p) __attribute__((always_inline)) { return S::load(p); },
            [](R* p, V v) __attribute__((always_inline)) { S::store(p, v); });
    }
    for_vectors<R>(n - i, 0, [&](int64_t k, auto load, auto store) __attribute__((always_inline)) {
      body(i + k, load, store);
    });
  }

  static void axpy(int64_t n, const T* alpha, const T* x, T* y) {
    const Factor<T> factor(alpha);
    const R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(py, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           store(py + i, factor.add_to(load(py + i), load(px + i)));
                         });
  }

  static void axpby(int64_t n, const T* alpha, const T* x, const T* beta, T* y) {
    const Factor<T> a(alpha), b(beta);
    const R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(py, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           store(py + i, a.add_to(b.times(load(py + i)), load(px + i)));
                         });
  }

  static void scale(int64_t n, const T* alpha, T* x) {
    const Factor<T> factor(alpha);
    R* px = parts(x);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(px, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           store(px + i, factor.times(load(px + i)));
                         });
  }

  static void dot(bool conjugate, int64_t n, const T* x, const T* y, T* result) {
    constexpr int unroll = Element<T>::complex ? 4 : 8;
    const R* px = parts(x);
    const R* py = parts(y);
    n *= reals;
    DotSum<T> sums[unroll];
    const auto add_first = [&](int64_t k, auto load, auto) __attribute__((always_inline)) {
      const V v = load(py + k);
      sums[0].add(load(px + k), v, swapped<T>(v));
    };
    const int64_t lead = lead_of<T>(px, n);
    for_vectors<R>(lead, lead, add_first);
    int64_t i = lead;
    for (; i + unroll * S::lanes <= n; i += unroll * S::lanes) {
#pragma GCC unroll 8
      for (int u = 0; u < unroll; ++u) {
        const V v = S::load(py + i + u * S::lanes);
        sums[u].add(S::load(px + i + u * S::lanes), v, swapped<T>(v));
      }
    }
    px += i;
    py += i;
    for_vectors<R>(n - i, 0, add_first);
    for (int half = unroll / 2; half > 0; half /= 2)
      for (int u = 0; u < half; ++u) sums[u].add(sums[u + half]);
    sums[0].store(conjugate, result);
  }

  template <class Term>
  static R sum_of(int64_t n, const T* x, Term term) {
    const R* px = parts(x);
    n *= reals;
    V sums[8] = {};
    const auto add_first = [&](int64_t k, auto load, auto) __attribute__((always_inline)) {
      sums[0] = term(sums[0], load(px + k));
    };
    const int64_t lead = lead_of<T>(px, n);
    for_vectors<R>(lead, lead, add_first);
    int64_t i = lead;
    for (; i + 8 * S::lanes <= n; i += 8 * S::lanes) {
#pragma GCC unroll 8
      for (int u = 0; u < 8; ++u) sums[u] = term(sums[u], S::load(px + i + u * S::lanes));
    }
    px += i;
    for_vectors<R>(n - i, 0, add_first);
    for (int half = 4; half > 0; half /= 2)
      for (int u = 0; u < half; ++u) sums[u] += sums[u + half];
    return S::sum(sums[0]);
  }
  static R sum_absolute(int64_t n, const T* x) {
    return sum_of(n, x, [](V sum, V v) { return sum + absolute<R>(v); });
  }
  static R sum_squares(int64_t n, const T* x) {
    return sum_of(n, x, [](V sum, V v) { return sum + v * v; });
  }

  static R magnitude(const R* p) {
    const R re = p[0] < 0 ? -p[0] : p[0];
    if constexpr (!Element<T>::complex) return re;
    const R im = p[1] < 0 ? -p[1] : p[1];
    return re + im;
  }
  static V magnitude(V v) {
    v = absolute<R>(v);
    if constexpr (Element<T>::complex) v += S::swap_pairs(v);
    return v;
  }
  // The best value block by block, then its first place within the first block that has it.
  template <bool largest>
  static int64_t index_extreme(int64_t n, const T* x) {
    constexpr int unroll = 8;
    constexpr int64_t block = 4 * unroll * S::lanes;
    const auto better = [](R a, R b) { return largest ? a > b : a < b; };
    // A NaN among the new values loses.
    const auto best_of = [](V fresh, V old) __attribute__((always_inline)) {
      return largest ? S::max(fresh, old) : S::min(fresh, old);
    };
    const R* px = parts(x);
    const R limit = largest ? R(-1) : S::kInfinity;
    n *= reals;
    R best = magnitude(px);
    if (best != best) return 0;
    int64_t best_block = 0;
    for (int64_t start = 0; start < n; start += block) {
      const int64_t length = n - start < block ? n - start : block;
      const R* p = px + start;
      V v[unroll];
      for (int u = 0; u < unroll; ++u) v[u] = broadcast<R>(limit);
      int64_t i = 0;
      for (; i + unroll * S::lanes <= length; i += unroll * S::lanes) {
#pragma GCC unroll 8
        for (int u = 0; u < unroll; ++u)
          v[u] = best_of(magnitude(S::load(p + i + u * S::lanes)), v[u]);
      }
      for (; i + S::lanes <= length; i += S::lanes) v[0] = best_of(magnitude(S::load(p + i)), v[0]);
      for (int half = unroll / 2; half > 0; half /= 2)
        for (int u = 0; u < half; ++u) v[u] = best_of(v[u], v[u + half]);
      if (S::count_equal(best_of(v[0], broadcast<R>(best)), broadcast<R>(best)) < S::lanes) {
        R extreme = limit;
        for (int lane = 0; lane < S::lanes; ++lane)
          if (better(v[0][lane], extreme)) extreme = v[0][lane];
        best = extreme;
        best_block = start;
      }
      for (; i < length; i += reals) {
        const R m = magnitude(p + i);
        if (better(m, best)) {
          best = m;
          best_block = start;
        }
      }
    }
    int64_t i = best_block;
    while (i + S::lanes <= n && S::count_equal(magnitude(S::load(px + i)), broadcast<R>(best)) == 0)
      i += S::lanes;
    for (; i < n; i += reals)
      if (magnitude(px + i) == best) return i / reals;
    return 0;
  }
  static int64_t index_largest(int64_t n, const T* x) { return index_extreme<true>(n, x); }
  static int64_t index_smallest(int64_t n, const T* x) { return index_extreme<false>(n, x); }

  static void swap(int64_t n, T* x, T* y) {
    R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(px, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           const V a = load(px + i), b = load(py + i);
                           store(px + i, b);
                           store(py + i, a);
                         });
  }

  static void rotate(int64_t n, T* x, T* y, const R* h) {
    const V h11 = broadcast<R>(h[0]), h12 = broadcast<R>(h[1]);
    const V h21 = broadcast<R>(h[2]), h22 = broadcast<R>(h[3]);
    R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(px, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           const V a = load(px + i), b = load(py + i);
                           store(px + i, h11 * a + h12 * b);
                           store(py + i, h21 * a + h22 * b);
                         });
  }

  static void store_zero(T* p) {
    for (int i = 0; i < reals; ++i) parts(p)[i] = 0;
  }

  template <int C>
  struct Group {
    R* columns[C];
    template <class P>
    Group(P* const* a, int64_t row) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) columns[c] = parts(const_cast<T*>(a[c])) + row * reals;
    }
  };

  // A few vectors of rows, of some columns of a slanted group: in the first vector each column begins one
  // row later than the one before (top), or in the last one ends one row later. The others are whole but for
  // the last one's end. So those vectors of x and y stay in registers while columns pass by.
  template <int N, bool top>
  struct Slope {
    const SlantedRows& s;
    int64_t row;
    typename S::Mask rest;  // of the last vector
    int64_t begin, end;  // columns

    static constexpr int diagonal = top ? 0 : N - 1;
    [[gnu::always_inline]] typename S::Mask mask(int64_t c) const {
      if constexpr (!top) return S::range(0, (s.last(c) - (row + (N - 1) * kStep)) * reals);
      const auto from = S::range((s.first(c) - row) * reals, S::lanes);
      if constexpr (N == 1) return S::both(from, rest);
      return from;
    }
    [[gnu::always_inline]] V load(int v, const R* p) const {
      p += row * reals + v * S::lanes;
      return v == N - 1 ? S::load_masked(p, rest) : S::load(p);
    }
    [[gnu::always_inline]] void store(int v, R* p, V value) const {
      p += row * reals + v * S::lanes;
      v == N - 1 ? S::store_masked(p, value, rest) : S::store(p, value);
    }
    [[gnu::always_inline]] V load(int v, typename S::Mask on_diagonal, const R* p) const {
      return v == diagonal ? S::load_masked(p + row * reals + v * S::lanes, on_diagonal)
                           : load(v, p);
    }
    [[gnu::always_inline]] void store(int v, typename S::Mask on_diagonal, R* p, V value) const {
      v == diagonal ? S::store_masked(p + row * reals + v * S::lanes, value, on_diagonal)
                    : store(v, p, value);
    }
    // No product with an infinity becomes a NaN in a row that the column does not have.
    [[gnu::always_inline]] static V keep(int v, typename S::Mask on_diagonal, V fresh, V old) {
      return v == diagonal ? S::select(on_diagonal, fresh, old) : fresh;
    }
  };

  template <bool top, class Body>
  [[gnu::always_inline]] static void with_slope(const SlantedRows& s, int64_t row, int64_t row_end,
                                                int64_t begin, int64_t end, Body body) {
    const int64_t rows = row < row_end ? row_end - row : 0;
    const int64_t before_last = rows == 0 ? 0 : (rows - 1) / kStep;
    const auto rest = S::range(0, (rows - before_last * kStep) * reals);
    switch (before_last) {
      case 0: return body(Slope<1, top>{s, row, rest, begin, end});
      case 1: return body(Slope<2, top>{s, row, rest, begin, end});
      case 2: return body(Slope<3, top>{s, row, rest, begin, end});
      default: return body(Slope<4, top>{s, row, rest, begin, end});
    }
  }

  // Calls body(slope) for all slopes of a slanted group, and narrows s to the rectangle that is left.
  template <class Body>
  [[gnu::always_inline]] static void for_slopes(SlantedRows& s, int64_t count, Body body) {
    const bool few = s.m <= kSlopeVectors * kStep;
    const int64_t m = s.m;
    if (s.slant.top) {
      if (few && !s.slant.bottom) s.top = s.bottom = m;
      for (int64_t c = 0; c < count; c += kStep)
        with_slope<true>(s, c, s.top, c, c + kStep < count ? c + kStep : count, body);
    }
    if (s.slant.bottom) {
      const int64_t diagonal = s.bottom;
      if (few && !s.slant.top && diagonal % kStep == 0) s.bottom = s.top = 0;
      for (int64_t c = 0; c < count; c += kStep) {
        const int64_t end = c + kStep < count ? c + kStep : count;
        with_slope<false>(s, s.bottom, diagonal + end < m ? diagonal + end : m, c, end, body);
      }
    }
  }

  // Sums of triangles; not initialised, which costs as much as the sums.
  union StartingSums {
    DotSum<T> sums[kGroup];
    StartingSums() {}
  };
  // Columns that end before the last of them begins are taken one by one, as are too many.
  template <class Kernel>
  static void for_single_columns(Slant slant, int64_t m, int64_t count, Kernel kernel) {
    const SlantedRows s(slant, m, count);
    for (int64_t c = 0; c < count; ++c)
      if (s.first(c) < s.last(c)) kernel(c, s.first(c), s.last(c) - s.first(c));
  }
  static bool crossed(Slant slant, int64_t m, int64_t count) {
    return count > kGroup || slant.top * (count - 1) + slant.skip_top >
                                 m - slant.bottom * (count - 1) - slant.skip_bottom;
  }

  template <int C>
  static void add_group(int64_t row, int64_t m, const T* const* a, const T* t, T* y) {
    Factor<T> factors[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) factors[c] = Factor<T>(t + c);
    const Group<C> group(a, row);
    R* py = parts(y + row);
    for_rows<T>(m, group.columns[0], [&](int64_t i, auto access) __attribute__((always_inline)) {
      V sum = access.load(py + i);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum = factors[c].add_to(sum, access.load(group.columns[c] + i));
      access.store(py + i, sum);
    });
  }
  static void add_rectangle(int64_t row, int64_t m, int64_t count, const T* const* a, const T* t,
                            T* y) {
    for_column_groups<kColumns<T>>(
        count, [&]<int C>(Width<C>, int64_t c) { add_group<C>(row, m, a + c, t + c, y); });
  }
  static void add_columns(Slant slant, int64_t m, int64_t count, const T* const* a, const T* t,
                          T* y) {
    if (!slant.any()) return add_rectangle(0, m, count, a, t, y);
    if (crossed(slant, m, count)) {
      for_single_columns(slant, m, count, [&](int64_t c, int64_t row, int64_t rows) {
        add_rectangle(row, rows, 1, a + c, t + c, y);
      });
      return;
    }
    SlantedRows s(slant, m, count);
    R* py = parts(y);
    for_slopes(s, count, [&]<int N, bool top>(const Slope<N, top>& slope) {
      V sum[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) sum[v] = slope.load(v, py);
      for (int64_t c = slope.begin; c < slope.end; ++c) {
        const Factor<T> factor(t + c);
        const auto mask = slope.mask(c);
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) {
          const V element = slope.load(v, mask, parts(a[c]));
          sum[v] = slope.keep(v, mask, factor.add_to(sum[v], element), sum[v]);
        }
      }
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) slope.store(v, py, sum[v]);
    });
    if (s.top < s.bottom) add_rectangle(s.top, s.bottom - s.top, count, a, t, y);
  }

  template <int C>
  static void dot_group(int64_t row, int64_t m, bool conjugate, const T* const* a, const T* x,
                        const DotSum<T>* start, T* result) {
    DotSum<T> sums[C];
    if (start != nullptr) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[c] = start[c];
    }
    const Group<C> group(a, row);
    const R* px = parts(x + row);
    for_rows<T>(m, group.columns[0], [&](int64_t i, auto access) __attribute__((always_inline)) {
      const V v = access.load(px + i), v_swapped = swapped<T>(v);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[c].add(access.load(group.columns[c] + i), v, v_swapped);
    });
    store_sums<T, C>(sums, conjugate, result);
  }
  static void dot_columns(Slant slant, bool conjugate, int64_t m, int64_t count, const T* const* a,
                          const T* x, T* sums) {
    if (!slant.any()) {
      for_column_groups<kColumns<T>>(count, [&]<int C>(Width<C>, int64_t c) {
        if constexpr (C == 1)
          dot(conjugate, m, a[c], x, sums + c);
        else
          dot_group<C>(0, m, conjugate, a + c, x, nullptr, sums + c);
      });
      return;
    }
    if (crossed(slant, m, count)) {
      for (int64_t c = 0; c < count; ++c) store_zero(sums + c);
      for_single_columns(slant, m, count, [&](int64_t c, int64_t row, int64_t rows) {
        dot(conjugate, rows, a[c] + row, x + row, sums + c);
      });
      return;
    }
    SlantedRows s(slant, m, count);
    StartingSums start;
    const R* px = parts(x);
    for_slopes(s, count, [&]<int N, bool top>(const Slope<N, top>& slope) {
      V element_x[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) element_x[v] = slope.load(v, px);
      const bool fresh = top || !slant.top;
      for (int64_t c = slope.begin; c < slope.end; ++c) {
        const auto mask = slope.mask(c);
        DotSum<T> sum = fresh ? DotSum<T>() : start.sums[c];
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) {
          DotSum<T> more = sum;
          more.add(slope.load(v, mask, parts(a[c])), element_x[v], swapped<T>(element_x[v]));
          sum.keep(slope, v, mask, more);
        }
        start.sums[c] = sum;
      }
    });
    for_column_groups<kColumns<T>>(count, [&]<int C>(Width<C>, int64_t c) {
      dot_group<C>(s.top, s.bottom - s.top, conjugate, a + c, x,
                   slant.top || slant.bottom ? start.sums + c : nullptr, sums + c);
    });
  }

  template <int C>
  static void add_and_dot_group(int64_t row, int64_t m, bool conjugate, const T* const* a,
                                const T* t, const T* x, T* y, const DotSum<T>* start, T* result) {
    Factor<T> factors[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) factors[c] = Factor<T>(t + c);
    DotSum<T> sums[C];
    if (start != nullptr) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[c] = start[c];
    }
    const Group<C> group(a, row);
    const R* px = parts(x + row);
    R* py = parts(y + row);
    for_rows<T>(m, group.columns[0], [&](int64_t i, auto access) __attribute__((always_inline)) {
      const V v = access.load(px + i), v_swapped = swapped<T>(v);
      V sum = access.load(py + i);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const V element = access.load(group.columns[c] + i);
        sum = factors[c].add_to(sum, element);
        sums[c].add(element, v, v_swapped);
      }
      access.store(py + i, sum);
    });
    store_sums<T, C>(sums, conjugate, result);
  }
  static void add_and_dot_columns(Slant slant, bool conjugate, int64_t m, int64_t count,
                                  const T* const* a, const T* t, const T* x, T* y, T* sums) {
    if (crossed(slant, m, count)) {
      for (int64_t c = 0; c < count; ++c) store_zero(sums + c);
      for_single_columns(slant, m, count, [&](int64_t c, int64_t row, int64_t rows) {
        add_and_dot_group<1>(row, rows, conjugate, a + c, t + c, x, y, nullptr, sums + c);
      });
      return;
    }
    SlantedRows s(slant, m, count);
    StartingSums start;
    const R* px = parts(x);
    R* py = parts(y);
    for_slopes(s, count, [&]<int N, bool top>(const Slope<N, top>& slope) {
      V element_x[N], element_y[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) {
        element_x[v] = slope.load(v, px);
        element_y[v] = slope.load(v, py);
      }
      const bool fresh = top || !slant.top;
      for (int64_t c = slope.begin; c < slope.end; ++c) {
        const Factor<T> factor(t + c);
        const auto mask = slope.mask(c);
        DotSum<T> sum = fresh ? DotSum<T>() : start.sums[c];
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) {
          const V element = slope.load(v, mask, parts(a[c]));
          element_y[v] = slope.keep(v, mask, factor.add_to(element_y[v], element), element_y[v]);
          DotSum<T> more = sum;
          more.add(element, element_x[v], swapped<T>(element_x[v]));
          sum.keep(slope, v, mask, more);
        }
        start.sums[c] = sum;
      }
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) slope.store(v, py, element_y[v]);
    });
    for_column_groups<kColumnsBoth<T>>(count, [&]<int C>(Width<C>, int64_t c) {
      add_and_dot_group<C>(s.top, s.bottom - s.top, conjugate, a + c, t + c, x, y,
                           slant.top || slant.bottom ? start.sums + c : nullptr, sums + c);
    });
  }

  template <int C>
  static void update_group(int64_t row, int64_t m, T* const* a, const T* t, const T* x) {
    Factor<T> factors[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) factors[c] = Factor<T>(t + c);
    const Group<C> group(a, row);
    const R* px = parts(x + row);
    for_rows<T>(m, group.columns[0], [&](int64_t i, auto access) __attribute__((always_inline)) {
      const V v = access.load(px + i);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        R* place = group.columns[c] + i;
        access.store(place, factors[c].add_to(access.load(place), v));
      }
    });
  }
  static void update_rectangle(int64_t row, int64_t m, int64_t count, T* const* a, const T* t,
                               const T* x) {
    for_column_groups<4>(count, [&]<int C>(Width<C>, int64_t c) {
      if constexpr (C == 1)
        axpy(m, t + c, x + row, a[c] + row);
      else
        update_group<C>(row, m, a + c, t + c, x);
    });
  }
  static void update_columns(Slant slant, int64_t m, int64_t count, T* const* a, const T* t,
                             const T* x) {
    if (!slant.any()) return update_rectangle(0, m, count, a, t, x);
    if (crossed(slant, m, count)) {
      for_single_columns(slant, m, count, [&](int64_t c, int64_t row, int64_t rows) {
        axpy(rows, t + c, x + row, a[c] + row);
      });
      return;
    }
    SlantedRows s(slant, m, count);
    const R* px = parts(x);
    for_slopes(s, count, [&]<int N, bool top>(const Slope<N, top>& slope) {
      V element_x[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) element_x[v] = slope.load(v, px);
      for (int64_t c = slope.begin; c < slope.end; ++c) {
        const Factor<T> factor(t + c);
        const auto mask = slope.mask(c);
        R* column = parts(a[c]);
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v)
          slope.store(v, mask, column, factor.add_to(slope.load(v, mask, column), element_x[v]));
      }
    });
    if (s.top < s.bottom) update_rectangle(s.top, s.bottom - s.top, count, a, t, x);
  }

  template <int C>
  static void update_twice_group(int64_t row, int64_t m, T* const* a, const T* t, const T* x,
                                 const T* u, const T* y) {
    Factor<T> from_x[C], from_y[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      from_x[c] = Factor<T>(t + c);
      from_y[c] = Factor<T>(u + c);
    }
    const Group<C> group(a, row);
    const R* px = parts(x + row);
    const R* py = parts(y + row);
    for_rows<T>(m, group.columns[0], [&](int64_t i, auto access) __attribute__((always_inline)) {
      const V vx = access.load(px + i), vy = access.load(py + i);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        R* place = group.columns[c] + i;
        const V sum = from_x[c].add_to(access.load(place), vx);
        access.store(place, from_y[c].add_to(sum, vy));
      }
    });
  }
  static void update_rectangle_twice(int64_t row, int64_t m, int64_t count, T* const* a, const T* t,
                                     const T* x, const T* u, const T* y) {
    for_column_groups<4>(count, [&]<int C>(Width<C>, int64_t c) {
      update_twice_group<C>(row, m, a + c, t + c, x, u + c, y);
    });
  }
  static void update_columns_twice(Slant slant, int64_t m, int64_t count, T* const* a, const T* t,
                                   const T* x, const T* u, const T* y) {
    if (!slant.any()) return update_rectangle_twice(0, m, count, a, t, x, u, y);
    if (crossed(slant, m, count)) {
      for_single_columns(slant, m, count, [&](int64_t c, int64_t row, int64_t rows) {
        update_rectangle_twice(row, rows, 1, a + c, t + c, x, u + c, y);
      });
      return;
    }
    SlantedRows s(slant, m, count);
    const R* px = parts(x);
    const R* py = parts(y);
    for_slopes(s, count, [&]<int N, bool top>(const Slope<N, top>& slope) {
      V element_x[N], element_y[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) {
        element_x[v] = slope.load(v, px);
        element_y[v] = slope.load(v, py);
      }
      for (int64_t c = slope.begin; c < slope.end; ++c) {
        const Factor<T> from_x(t + c), from_y(u + c);
        const auto mask = slope.mask(c);
        R* column = parts(a[c]);
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) {
          const V sum = from_x.add_to(slope.load(v, mask, column), element_x[v]);
          slope.store(v, mask, column, from_y.add_to(sum, element_y[v]));
        }
      }
    });
    if (s.top < s.bottom) update_rectangle_twice(s.top, s.bottom - s.top, count, a, t, x, u, y);
  }

  static constexpr int kSquare = S::registers < 32 ? 8 : 16;

  template <class Body>
  [[gnu::always_inline]] static void for_square(Body body) {
    [&]<int... j>(std::integer_sequence<int, j...>) __attribute__((always_inline)) {
      (body(Width<j>()), ...);
    }(std::make_integer_sequence<int, kSquare>());
  }

  // Scalar code: an element of the solution is taken out of all other right-hand sides at once, which stand
  // in registers, and the chain from one element to the next is a product and a sum. (In vectors it would be
  // longer, and transposed triangles would have to be turned.)
  template <bool lower, bool transposed>
  static void solve_whole_square(const R* negative_reciprocals, const T* const* a, const T* b,
                                 T* x) {
    T v[kSquare];
    for_square([&]<int j>(Width<j>) __attribute__((always_inline)) { v[j] = b[j]; });
    for_square([&]<int step>(Width<step>) __attribute__((always_inline)) {
      constexpr int i = lower ? step : kSquare - 1 - step;
      const T solved = v[i] * negative_reciprocals[i];
      x[i] = solved;
      for_square([&]<int j>(Width<j>) __attribute__((always_inline)) {
        if constexpr (lower ? j > i : j < i) v[j] += (transposed ? a[j][i] : a[i][j]) * solved;
      });
    });
  }
  template <bool lower, bool transposed>
  static void solve_square_as(bool unit, int64_t n, const T* const* a, const T* b, T* x) {
    // The reciprocal of an extreme number overflows, or loses digits.
    constexpr R large = sizeof(R) == 4 ? R(0x1p120) : R(0x1p1000);
    bool ordinary = n == kSquare;
    if (ordinary) {
      alignas(64) R reciprocals[kSquare];
      for (int j = 0; j < kSquare; ++j) reciprocals[j] = unit ? R(1) : a[j][j];
      V most = broadcast<R>(0), least = broadcast<R>(large);
      for (int j = 0; j < kSquare; j += S::lanes) {
        const V diagonal = S::load(reciprocals + j);
        most = S::max(absolute<R>(diagonal), most);
        least = S::min(absolute<R>(diagonal), least);
        S::store(reciprocals + j, broadcast<R>(-1) / diagonal);
      }
      const V high = broadcast<R>(large), low = broadcast<R>(1 / large);
      ordinary = S::count_equal(S::max(most, high), high) == S::lanes &&
                 S::count_equal(S::min(least, low), low) == S::lanes;
      if (__builtin_expect(ordinary, 1))
        return solve_whole_square<lower, transposed>(reciprocals, a, b, x);
    }
    T v[kSquare];
    for (int64_t j = 0; j < n; ++j) v[j] = b[j];
    for (int64_t step = 0; step < n; ++step) {
      const int64_t i = lower ? step : n - 1 - step;
      const T solved = unit ? -v[i] : -v[i] / a[i][i];
      x[i] = solved;
      for (int64_t j = lower ? i + 1 : 0; j < (lower ? n : i); ++j)
        v[j] += (transposed ? a[j][i] : a[i][j]) * solved;
    }
  }
  static void solve_square(bool upper, bool transposed, bool unit, int64_t n, const T* const* a,
                           const T* b, T* x) {
    if (transposed)
      upper ? solve_square_as<true, true>(unit, n, a, b, x)
            : solve_square_as<false, true>(unit, n, a, b, x);
    else
      upper ? solve_square_as<false, false>(unit, n, a, b, x)
            : solve_square_as<true, false>(unit, n, a, b, x);
  }
  static constexpr auto square_solver() -> decltype(VectorKernels<T>::solve_square) {
    if constexpr (Element<T>::complex)
      return nullptr;
    else
      return solve_square;
  }

  static constexpr VectorKernels<T> table = {
      .columns = kGroup,
      .axpy = axpy,
      .axpby = axpby,
      .scale = scale,
      .dot = dot,
      .sum_absolute = sum_absolute,
      .sum_squares = sum_squares,
      .index_largest = index_largest,
      .index_smallest = index_smallest,
      .swap = swap,
      .rotate = rotate,
      .add_columns = add_columns,
      .dot_columns = dot_columns,
      .add_and_dot_columns = add_and_dot_columns,
      .update_columns = update_columns,
      .update_columns_twice = update_columns_twice,
      .square = kSquare,
      .solve_square = square_solver(),
  };
};

double wide_dot(int64_t n, const float* x, const float* y) {
  using S = Simd<float>;
  using D = Simd<double>;
  using Half = typename S::Half;
  using V = typename D::V;
  V sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * D::lanes <= n; i += 4 * D::lanes) {
    for (int u = 0; u < 4; ++u) {
      const Half* px = reinterpret_cast<const Half*>(x + i + u * D::lanes);
      const Half* py = reinterpret_cast<const Half*>(y + i + u * D::lanes);
      sums[u] += __builtin_convertvector(*px, V) * __builtin_convertvector(*py, V);
    }
  }
  double result = D::sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) result += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return result;
}
constexpr WideKernels kWideTable = {wide_dot};
